package io.crossload.tensorflow;

import io.crossload.graph.LibraryTest;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The library over TensorFlow Java 1.x")
class TensorFlowLibraryIT extends LibraryTest {}
