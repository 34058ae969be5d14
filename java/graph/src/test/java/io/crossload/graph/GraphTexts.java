package io.crossload.graph;

import io.crossload.contract.Datatype;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Small graphs as text (tensorflow/core/framework/graph.proto), which every release reads whatever its messages' package. */
final class GraphTexts {
    private GraphTexts() {}

    static String graph(String... nodes) {
        return String.join("", nodes) + "versions { producer: 1000 }\n";
    }

    /** A node; attributes are AttrValues as text. */
    static String node(String name, String op, List<String> inputs, Map<String, String> attributes) {
        String given = inputs.stream().map("  input: \"%s\"\n"::formatted).collect(Collectors.joining());
        String set = attributes.entrySet().stream()
                .map(a -> "  attr { key: \"%s\" value { %s } }\n".formatted(a.getKey(), a.getValue()))
                .collect(Collectors.joining());
        return "node {\n  name: \"%s\"\n  op: \"%s\"\n%s%s}\n".formatted(name, op, given, set);
    }

    /** The node, pinned to a device. */
    static String on(String device, String node) {
        return node.replaceFirst("\n", "\n  device: \"%s\"\n".formatted(device));
    }

    static String placeholder(String name, Datatype datatype) {
        return node(name, "Placeholder", List.of(), Map.of("dtype", type(datatype)));
    }

    static String unary(String op, String name, String input, Datatype datatype) {
        return node(name, op, List.of(input), Map.of("T", type(datatype)));
    }

    static String argument(String name, int index) {
        return node(name, "_Arg", List.of(), Map.of("T", type(Datatype.FP32), "index", "i: " + index));
    }

    static String result(String name, String input, int index) {
        return node(name, "_Retval", List.of(input), Map.of("T", type(Datatype.FP32), "index", "i: " + index));
    }

    static String savedModel(Map<List<String>, String> metaGraphs) {
        return "saved_model_schema_version: 1\n"
                + metaGraphs.entrySet().stream()
                        .map(e -> "meta_graphs {\n  meta_info_def { %s }\n  graph_def {\n%s  }\n}\n"
                                .formatted(
                                        e.getKey().stream()
                                                .map("tags: \"%s\""::formatted)
                                                .collect(Collectors.joining(" ")),
                                        e.getValue()))
                        .collect(Collectors.joining());
    }

    /** A SavedModel of one MetaGraph with the tag serve, and one SignatureDef, {@code doubled}: x (in:0) to y (out:0); it is loaded with the operation init. */
    static String servedModel(String graph) {
        return """
                saved_model_schema_version: 1
                meta_graphs {
                  meta_info_def { tags: "serve" }
                  graph_def {
                %s  }
                  signature_def { key: "doubled" value {
                    inputs { key: "x" value { name: "in:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }
                    outputs { key: "y" value { name: "out:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }
                    method_name: "tensorflow/serving/predict" } }
                  signature_def { key: "__saved_model_init_op" value {
                    outputs { key: "__saved_model_init_op" value { name: "init" tensor_shape { unknown_rank: true } } } } }
                }
                """
                .formatted(graph);
    }

    static String type(Datatype datatype) {
        return "type: " + datatype.number();
    }

    /** The graph of {@code y = x}. */
    static String identity(Datatype datatype) {
        return graph(placeholder("x", datatype), unary("Identity", "y", "x", datatype));
    }
}
