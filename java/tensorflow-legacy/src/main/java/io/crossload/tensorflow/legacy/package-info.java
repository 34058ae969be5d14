/** The worker of the runtime tensorflow-java-legacy: the API of TensorFlow 1 (Tensor.create, messages as bytes). */
package io.crossload.tensorflow.legacy;
