package io.crossload.contract;

import java.util.Map;

/**
 * A recorded request and the reference's answer.
 *
 * @param id the vector's name
 * @param inputs what the request feeds, by name, in the file's order
 * @param outputs what the reference answered, by name, in the file's order
 */
public record Vector(String id, Map<String, TensorEntry> inputs, Map<String, TensorEntry> outputs) {}
