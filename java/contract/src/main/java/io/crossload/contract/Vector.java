package io.crossload.contract;

import java.util.Map;

/**
 * A recorded request and the reference's answer.
 *
 * @param id the vector's name
 * @param inputs the request's inputs, by name, in the file's order
 * @param outputs the reference's outputs, by name, in the file's order
 */
public record Vector(String id, Map<String, TensorEntry> inputs, Map<String, TensorEntry> outputs) {}
