package io.crossload.tensorflow.legacy;

import io.crossload.contract.Datatype;
import io.crossload.graph.WorkerTest;
import java.util.EnumSet;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The worker of TensorFlow 1's Java API")
class LegacyWorkerIT extends WorkerTest {
    LegacyWorkerIT() {
        super(
                "tensorflow-java-legacy",
                "1.15.0",
                "1.15.0",
                EnumSet.of(
                        Datatype.FP32,
                        Datatype.FP64,
                        Datatype.INT32,
                        Datatype.INT64,
                        Datatype.UINT8,
                        Datatype.BOOL,
                        Datatype.BYTES),
                EnumSet.of(Datatype.FP8_E5M2, Datatype.FP8_E4M3FN, Datatype.INT4, Datatype.UINT4));
    }
}
