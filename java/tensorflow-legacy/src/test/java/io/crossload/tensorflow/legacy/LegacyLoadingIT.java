package io.crossload.tensorflow.legacy;

import io.crossload.graph.LoadingTest;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The worker of TensorFlow 1's Java API and its artifacts")
class LegacyLoadingIT extends LoadingTest {}
