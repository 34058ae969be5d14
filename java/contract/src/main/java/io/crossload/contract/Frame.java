package io.crossload.contract;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * One message: a JSON header and the tensors that it lists.
 *
 * @param header the JSON object
 * @param inputs the tensors that the header's {@code inputs} list with {@code binary_data_size}, in the same order
 * @param outputs the tensors that the header's {@code outputs} list with {@code binary_data_size}, in the same order
 */
public record Frame(ObjectNode header, List<TensorEntry> inputs, List<TensorEntry> outputs) {}
