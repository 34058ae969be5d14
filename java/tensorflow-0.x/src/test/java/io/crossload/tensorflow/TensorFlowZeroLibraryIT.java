package io.crossload.tensorflow;

import io.crossload.graph.LibraryTest;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The library over TensorFlow Java 0.x")
class TensorFlowZeroLibraryIT extends LibraryTest {}
