package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.tensorflow.proto.AttrValue;
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.NodeDef;
import org.tensorflow.proto.TensorShapeProto;

/** Reads GraphDef files, binary or text, and makes a function's body importable as a graph. */
public final class GraphDefs {
    // The nodes of a function's arguments and return values: core/ops/function_ops.cc.
    private static final Set<String> ARGUMENTS = Set.of("_Arg", "_DeviceArg");
    private static final Set<String> RETURNS = Set.of("_Retval", "_DeviceRetval");

    // python/crossload/artifacts/graphs/bridges.py, SCOPE.
    private static final String BRIDGES = "crossload_bridge/";

    private GraphDefs() {}

    /**
     * A graph that a session can import.
     *
     * @param graph with placeholders for a function's arguments, identities for its return values
     * @param renamed the new names of renamed operations, by their names in the file
     */
    public record Importable(GraphDef graph, Map<String, String> renamed) {

        /** The tensor of this graph for a tensor of the file. */
        public TensorName actual(TensorName tensor) {
            return new TensorName(renamed.getOrDefault(tensor.operation(), tensor.operation()), tensor.index());
        }
    }

    /**
     * Where a graph begins and ends.
     *
     * @param placeholders its placeholders: their shapes by name; null for an unknown rank
     * @param defaulted those of them with a default
     * @param last the operations that compute something of which no operation takes a result, in the graph's order
     */
    public record Ends(Map<String, List<Long>> placeholders, Set<String> defaulted, List<String> last) {}

    /**
     * Reads a GraphDef, binary or text; the file's name does not matter.
     *
     * @throws WorkerException INVALID_ARGUMENT if the file is not a GraphDef; NOT_FOUND if it cannot be read
     */
    public static GraphDef read(Path path) throws WorkerException {
        if (Files.isDirectory(path)) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, path + " is a folder, no GraphDef; a SavedModel is loaded as saved_model");
        }
        byte[] content = MessageFiles.content(path);
        if (content.length == 0) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, path + " is no GraphDef: it is empty; copy or export it again");
        }
        if (MetaGraphs.isSavedModel(content)) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    path + " is a SavedModel's file, no GraphDef; load the folder that holds it, as saved_model");
        }
        GraphDef graph = MessageFiles.parse(path, content, GraphDef.newBuilder(), "GraphDef")
                .build();
        if (graph.getNodeCount() == 0) {
            throw new WorkerException(Code.INVALID_ARGUMENT, path + " is no GraphDef: it has no node");
        }
        return graph;
    }

    /** Whether the content is a binary GraphDef. */
    static boolean isGraph(byte[] content) {
        try {
            GraphDef graph = GraphDef.parseFrom(content);
            return graph.getNodeCount() > 0
                    && graph.getNodeList().stream().noneMatch(n -> n.getOp().isEmpty());
        } catch (InvalidProtocolBufferException error) {
            return false;
        }
    }

    /** Replaces what a session cannot import, feed or fetch: a function's arguments and return values, names that begin with '_'. */
    public static Importable importable(GraphDef graph) {
        Set<String> taken = graph.getNodeList().stream().map(NodeDef::getName).collect(Collectors.toSet());
        Map<String, String> renamed = new HashMap<>();
        for (NodeDef node : graph.getNodeList()) {
            if (node.getName().startsWith("_")) {
                renamed.put(node.getName(), unused("internal" + node.getName(), taken));
            }
        }
        GraphDef.Builder rewritten = graph.toBuilder();
        for (NodeDef.Builder node : rewritten.getNodeBuilderList()) {
            if (ARGUMENTS.contains(node.getOp())) {
                node.setOp("Placeholder").putAttr("dtype", node.getAttrOrDefault("T", AttrValue.getDefaultInstance()));
                node.removeAttr("T").removeAttr("index");
            } else if (RETURNS.contains(node.getOp())) {
                node.setOp("Identity").removeAttr("index");
            }
            if (!renamed.isEmpty()) {
                rename(node, renamed);
            }
        }
        return new Importable(rewritten.build(), renamed);
    }

    /** The ends of a graph, by their names in the file, without those of the bridges that {@code crossload export} adds. */
    static Ends ends(Importable importable) {
        GraphDef graph = importable.graph();
        Map<String, String> names = new HashMap<>();
        importable.renamed().forEach((old, renamed) -> names.put(renamed, old));
        Map<String, List<Long>> placeholders = new LinkedHashMap<>();
        Set<String> defaulted = new HashSet<>();
        Set<String> taken = new HashSet<>();
        List<String> last = new ArrayList<>();
        for (NodeDef node : graph.getNodeList()) {
            if (node.getName().startsWith(BRIDGES)) {
                continue;
            }
            node.getInputList()
                    .forEach(input -> taken.add(TensorName.parse(input.startsWith("^") ? input.substring(1) : input)
                            .operation()));
            if (node.getOp().startsWith("Placeholder")) {
                String name = names.getOrDefault(node.getName(), node.getName());
                placeholders.put(name, shape(node, graph.getVersions().getProducer()));
                if (node.getOp().equals("PlaceholderWithDefault")) {
                    defaulted.add(name);
                }
            } else if (!node.getOp().equals("Const") && !node.getOp().equals("NoOp")) {
                last.add(node.getName());
            }
        }
        last.removeAll(taken);
        last.replaceAll(name -> names.getOrDefault(name, name));
        return new Ends(placeholders, defaulted, last);
    }

    private static List<Long> shape(NodeDef placeholder, int producer) {
        TensorShapeProto shape = placeholder
                .getAttrOrDefault("shape", AttrValue.getDefaultInstance())
                .getShape();
        // Before version 24 a placeholder without dimensions was one of any shape: core/ops/array_ops.cc, Placeholder.
        boolean unknown = !placeholder.containsAttr("shape") || producer < 24 && shape.getDimCount() == 0;
        return unknown ? null : dimensions(shape);
    }

    /** The dimensions of a shape, -1 for a free one; null for an unknown rank (tensor_shape.proto). */
    static List<Long> dimensions(TensorShapeProto shape) {
        return shape.getUnknownRank()
                ? null
                : shape.getDimList().stream()
                        .map(dimension -> Math.max(-1, dimension.getSize()))
                        .toList();
    }

    private static void rename(NodeDef.Builder node, Map<String, String> renamed) {
        node.setName(renamed.getOrDefault(node.getName(), node.getName()));
        for (int i = 0; i < node.getInputCount(); i++) {
            String input = node.getInput(i);
            String control = input.startsWith("^") ? "^" : "";
            TensorName tensor = TensorName.parse(input.substring(control.length()));
            String operation = renamed.get(tensor.operation());
            if (operation != null) {
                node.setInput(i, control.isEmpty() ? operation + ":" + tensor.index() : control + operation);
            }
        }
    }

    private static String unused(String name, Set<String> taken) {
        return taken.add(name) ? name : unused("internal_" + name, taken);
    }
}
