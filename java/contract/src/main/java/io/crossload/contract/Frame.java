package io.crossload.contract;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * One message.
 *
 * @param header the JSON object
 * @param inputs the tensors with bytes of the header's {@code inputs}, in its order
 * @param outputs those of its {@code outputs}; an entry without {@code binary_data_size} is in the header only
 */
public record Frame(ObjectNode header, List<TensorEntry> inputs, List<TensorEntry> outputs) {}
