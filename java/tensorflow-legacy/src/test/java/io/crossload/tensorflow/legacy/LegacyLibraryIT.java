package io.crossload.tensorflow.legacy;

import io.crossload.graph.LibraryTest;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The library over TensorFlow 1's Java API")
class LegacyLibraryIT extends LibraryTest {}
