package io.crossload.djl;

import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.tensorflow.proto.FunctionDef;
import org.tensorflow.proto.MetaGraphDef;
import org.tensorflow.proto.NodeDef;
import org.tensorflow.proto.SignatureDef;

/**
 * The order in which a signature's Python function takes its arguments.
 *
 * <p>A SignatureDef has none: its inputs are a map (meta_graph.proto). TensorFlow 2 saves the graph's call of a wrapper, whose arguments
 * are sorted by name, and in it the wrapper's call of the traced function, whose arguments are in the order of Python's (function.proto:
 * FunctionDef.signature.input_arg).
 */
final class CallOrder {
    private CallOrder() {}

    /**
     * The names of a signature's inputs, in the order of the Python function's arguments.
     *
     * @throws WorkerException UNIMPLEMENTED if the graph does not tell it: one of TensorFlow 1, or one that was rewritten
     */
    static List<String> of(MetaGraphDef graph, SignatureDef signature) throws WorkerException {
        Set<String> all = new TreeSet<>(signature.getInputsMap().keySet());
        if (all.size() < 2) {
            return List.copyOf(all);
        }
        Map<String, String> names = new HashMap<>(); // of the inputs, by their operations
        signature.getInputsMap().forEach((name, tensor) -> names.put(operation(tensor.getName()), name));
        Map<String, FunctionDef> functions = new HashMap<>();
        graph.getGraphDef()
                .getLibrary()
                .getFunctionList()
                .forEach(f -> functions.put(f.getSignature().getName(), f));
        for (NodeDef call : graph.getGraphDef().getNodeList()) {
            FunctionDef wrapper = functions.get(function(call));
            if (wrapper == null || call.getInputList().stream().noneMatch(i -> names.containsKey(operation(i)))) {
                continue;
            }
            Map<String, String> arguments = new HashMap<>();
            for (int at = 0;
                    at < Math.min(call.getInputCount(), wrapper.getSignature().getInputArgCount());
                    at++) {
                String name = names.get(operation(call.getInput(at)));
                arguments.put(wrapper.getSignature().getInputArg(at).getName(), name);
            }
            for (NodeDef inner : wrapper.getNodeDefList()) {
                List<String> order = functions.containsKey(function(inner)) ? order(inner, arguments) : List.of();
                if (order.size() == all.size() && new HashSet<>(order).equals(all)) {
                    return order;
                }
            }
        }
        throw new WorkerException(
                Code.UNIMPLEMENTED,
                "the SavedModel does not tell the order of its Python function's arguments; the runtime djl feeds by name");
    }

    private static List<String> order(NodeDef call, Map<String, String> arguments) {
        List<String> order = new ArrayList<>();
        for (String input : call.getInputList()) {
            String name = arguments.get(operation(input));
            if (name != null) {
                order.add(name);
            }
        }
        return order;
    }

    private static String operation(String tensor) {
        int colon = tensor.indexOf(':');
        return colon < 0 ? tensor : tensor.substring(0, colon);
    }

    private static String function(NodeDef call) {
        return call.getAttrMap().containsKey("f")
                ? call.getAttrMap().get("f").getFunc().getName()
                : "";
    }
}
