package io.crossload.tensorflow;

import io.crossload.graph.LoadingTest;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The worker of TensorFlow Java 0.x and its artifacts")
class TensorFlowZeroLoadingIT extends LoadingTest {}
