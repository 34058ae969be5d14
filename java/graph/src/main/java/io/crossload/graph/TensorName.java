package io.crossload.graph;

/**
 * A tensor of a graph, as in NodeDef.input (tensorflow/core/framework/node_def.proto).
 *
 * @param operation the operation that makes it
 * @param index which of its outputs
 */
public record TensorName(String operation, int index) {

    /** The tensor of {@code operation:index}, or of {@code operation}, which means output 0. */
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
