/**
 * The library: a bundle that was exported in Python, opened and called in Java.
 *
 * <pre>{@code
 * try (Bundle bundle = Bundle.open(Path.of("digits"))) {
 *     Map<String, Tensor> answer = bundle.signature("serving_default").call(Map.of("pixels", Tensor.of(pixels, 1, 8, 8, 1)));
 *     float[] probabilities = answer.get("probabilities").floats();
 * }
 * }</pre>
 *
 * <p>The class path brings an engine: crossload-tensorflow-java.jar (TensorFlow Java 1.x), crossload-tensorflow-java-0.x.jar or
 * crossload-tensorflow-java-legacy.jar (1.15), each with this library inside, and that TensorFlow with its natives.
 */
package io.crossload;
