package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.graph.WorkerTest;
import java.util.EnumSet;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The worker of TensorFlow Java 0.x")
class TensorFlowZeroWorkerIT extends WorkerTest {
    TensorFlowZeroWorkerIT() {
        super(
                "tensorflow-java",
                "0.5.0",
                "2.10.1",
                EnumSet.of(
                        Datatype.FP32,
                        Datatype.FP64,
                        Datatype.FP16,
                        Datatype.BF16,
                        Datatype.INT32,
                        Datatype.INT64,
                        Datatype.UINT8,
                        Datatype.UINT16,
                        Datatype.BOOL,
                        Datatype.BYTES),
                EnumSet.of(Datatype.FP8_E5M2, Datatype.FP8_E4M3FN, Datatype.INT4, Datatype.UINT4));
    }
}
