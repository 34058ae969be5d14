/** What the library costs over TensorFlow Java itself, by JMH. */
package io.crossload.benchmarks;
