package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.graph.WorkerTest;
import java.util.EnumSet;
import org.junit.jupiter.api.DisplayName;

@DisplayName("The worker of TensorFlow Java 1.x")
class TensorFlowWorkerIT extends WorkerTest {
    TensorFlowWorkerIT() {
        super(
                "tensorflow-java",
                "1.1.0",
                "2.18.0",
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
                EnumSet.noneOf(Datatype.class));
    }
}
