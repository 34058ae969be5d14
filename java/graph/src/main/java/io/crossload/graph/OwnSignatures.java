package io.crossload.graph;

import io.crossload.contract.Datatype;
import io.crossload.contract.Manifest.Signature;
import io.crossload.contract.Manifest.TensorSpec;
import io.crossload.graph.GraphDefs.Ends;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.OwnSignature;
import io.crossload.worker.WorkerException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.proto.SignatureDef;
import org.tensorflow.proto.TensorInfo;

/** The signatures that an artifact describes itself: a SavedModel's SignatureDefs (meta_graph.proto), a graph's ends. */
final class OwnSignatures {
    // What a SavedModel runs and nobody calls begins so: saved_model/constants.py, INIT_OP_SIGNATURE_KEY.
    private static final String INTERNAL = "__saved_model_";
    private static final String GRAPH_KEY = "serving_default";

    private OwnSignatures() {}

    /**
     * A tensor of a graph.
     *
     * @param outputs the number of its operation's outputs
     * @param datatype null if the operation has no output
     */
    record Described(int outputs, Datatype datatype) {}

    /** Looks a tensor up. */
    interface Graph {
        /** Throws WorkerException NOT_FOUND if the graph has no such tensor, UNIMPLEMENTED if the release has no type for it. */
        Described describe(String tensor) throws WorkerException;
    }

    /** A plain tensor of a TensorInfo. */
    private record Part(String name, String tensor, int datatype, List<Long> shape) {}

    /** The SignatureDefs whose tensors all have a datatype of the contract; no other could be called. */
    static Map<String, OwnSignature> ofSavedModel(Map<String, SignatureDef> definitions) {
        Map<String, OwnSignature> signatures = new LinkedHashMap<>();
        definitions.forEach((key, definition) -> {
            List<Part> inputs = parts(definition.getInputsMap());
            List<Part> outputs = parts(definition.getOutputsMap());
            if (!key.startsWith(INTERNAL) && carried(inputs) && carried(outputs)) {
                signatures.put(
                        key,
                        new OwnSignature(
                                new Signature(definition.getMethodName(), specs(inputs), specs(outputs)),
                                new Binding(key, tensors(inputs), tensors(outputs))));
            }
        });
        return signatures;
    }

    /**
     * The only signature of a graph.
     *
     * @param inputs names of tensors; null for the placeholders without a default
     * @param outputs names of tensors; null for those that nothing takes
     * @throws WorkerException NOT_FOUND for a name that is not in the graph; INVALID_ARGUMENT if nothing is left to fetch
     */
    static Map<String, OwnSignature> ofGraph(Ends ends, List<String> inputs, List<String> outputs, Graph graph)
            throws WorkerException {
        List<String> fed = inputs;
        if (fed == null) {
            fed = new ArrayList<>(ends.placeholders().keySet());
            fed.removeAll(ends.defaulted());
        }
        List<Part> given = new ArrayList<>();
        for (String name : fed) {
            Described tensor = inputs == null ? known(graph, name) : graph.describe(name);
            if (tensor != null) {
                given.add(part(name, tensor, ends.placeholders().get(name)));
            }
        }
        List<Part> answered = outputs == null ? last(ends, graph) : new ArrayList<>();
        for (String name : outputs == null ? List.<String>of() : outputs) {
            answered.add(part(name, graph.describe(name), null));
        }
        if (answered.isEmpty()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "the graph has no tensor that nothing takes and for which this release has a type; name the outputs");
        }
        return Map.of(
                GRAPH_KEY,
                new OwnSignature(
                        new Signature("", specs(given), specs(answered)),
                        new Binding(null, tensors(given), tensors(answered))));
    }

    private static List<Part> last(Ends ends, Graph graph) throws WorkerException {
        List<Part> found = new ArrayList<>();
        for (String operation : ends.last()) {
            int count = 1;
            for (int at = 0; at < count; at++) {
                String name = at == 0 ? operation : operation + ":" + at;
                Described tensor = known(graph, name);
                if (tensor == null || tensor.datatype() == null) {
                    break;
                }
                count = tensor.outputs();
                found.add(part(name, tensor, null));
            }
        }
        return found;
    }

    /** Null for a tensor of no type that the release carries: nobody could feed or fetch it. */
    private static Described known(Graph graph, String tensor) {
        try {
            return graph.describe(tensor);
        } catch (WorkerException error) {
            return null;
        }
    }

    private static Part part(String name, Described tensor, List<Long> shape) throws WorkerException {
        if (tensor.datatype() == null) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, "'" + name + "' is an operation without outputs; name another");
        }
        return new Part(name, name, tensor.datatype().number(), shape);
    }

    private static List<Part> parts(Map<String, TensorInfo> tensors) {
        List<Part> parts = new ArrayList<>();
        tensors.forEach((name, info) -> add(parts, name, info));
        return parts;
    }

    /** The names of a sparse or composite tensor's parts are those of python/crossload/artifacts/graphs/tensor_info.py. */
    private static void add(List<Part> parts, String name, TensorInfo info) {
        List<Long> shape = info.hasTensorShape() ? GraphDefs.dimensions(info.getTensorShape()) : null;
        switch (info.getEncodingCase()) {
            case COO_SPARSE -> {
                TensorInfo.CooSparse sparse = info.getCooSparse();
                long rank = shape == null ? -1 : shape.size();
                int datatype = info.getDtypeValue();
                int indices = Datatype.INT64.number();
                parts.add(new Part(name + "/values", sparse.getValuesTensorName(), datatype, List.of(-1L)));
                parts.add(new Part(name + "/indices", sparse.getIndicesTensorName(), indices, List.of(-1L, rank)));
                parts.add(new Part(name + "/dense_shape", sparse.getDenseShapeTensorName(), indices, List.of(rank)));
            }
            case COMPOSITE_TENSOR -> {
                List<TensorInfo> components = info.getCompositeTensor().getComponentsList();
                for (int at = 0; at < components.size(); at++) {
                    add(parts, name + "/" + at, components.get(at));
                }
            }
            default -> parts.add(new Part(name, info.getName(), info.getDtypeValue(), shape));
        }
    }

    private static boolean carried(Collection<Part> parts) {
        return parts.stream().allMatch(part -> Datatype.ofNumber(part.datatype()) != null);
    }

    private static List<TensorSpec> specs(List<Part> parts) {
        return parts.stream()
                .map(part -> new TensorSpec(part.name(), Datatype.ofNumber(part.datatype()), part.shape(), null))
                .toList();
    }

    private static Map<String, String> tensors(List<Part> parts) {
        Map<String, String> tensors = new LinkedHashMap<>();
        parts.forEach(part -> tensors.put(part.name(), part.tensor()));
        return tensors;
    }
}
