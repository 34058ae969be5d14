/**
 * The library: opens a bundle that Python exported, and calls its signatures.
 *
 * <pre>{@code
 * try (Bundle bundle = Bundle.open(Path.of("digits"))) {
 *     Map<String, HostTensor> answer = bundle.signature("serving_default").call(Map.of("pixels", HostTensor.of(pixels, 1, 8, 8, 1)));
 *     float[] probabilities = answer.get("probabilities").floats();
 * }
 * }</pre>
 *
 * <p>The class path must have one engine: crossload-tensorflow-java.jar (TensorFlow Java 1.x), crossload-tensorflow-java-0.x.jar or
 * crossload-tensorflow-java-legacy.jar (1.15). Each contains this library. It must also have that release of TensorFlow Java with its
 * native library.
 */
package io.crossload;
