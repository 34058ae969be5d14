package io.crossload.graph;

/**
 * The name of a tensor of a graph, as in NodeDef.input (tensorflow/core/framework/node_def.proto).
 *
 * @param operation the name of the operation
 * @param index the index of the operation's output
 */
public record TensorName(String operation, int index) {

    /** Parses {@code operation:index}, or {@code operation} for its output 0. */
    public static TensorName parse(String name) {
        int colon = name.lastIndexOf(':');
        String digits = name.substring(colon + 1);
        boolean indexed = colon >= 0
                && digits.length() < 10
                && !digits.isEmpty()
                && digits.chars().allMatch(c -> c >= '0' && c <= '9');
        return indexed ? new TensorName(name.substring(0, colon), Integer.parseInt(digits)) : new TensorName(name, 0);
    }
}
