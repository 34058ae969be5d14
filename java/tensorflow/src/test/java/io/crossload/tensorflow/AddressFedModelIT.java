package io.crossload.tensorflow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("A model fed by addresses")
class AddressFedModelIT {
    private static final String NEGATION =
            """
            node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_BOOL } } }
            node { name: "y" op: "LogicalNot" input: "x" }
            """;
    private static final int BOOL = 10; // types.proto
    private static final int ELEMENTS = 100_000;

    @TempDir
    Path folder;

    @Test
    @DisplayName("keeps its outputs' memory through a garbage collection, until the run is released")
    void garbage() throws Exception {
        Path graph = Files.writeString(folder.resolve("negation.pbtxt"), NEGATION);
        ByteBuffer x = ByteBuffer.allocateDirect(ELEMENTS);
        for (int at = 0; at < ELEMENTS; at += 3) {
            x.put(at, (byte) 1);
        }
        try (AddressFedModel model = AddressFedModel.graphDef(graph.toString())) {
            int plan = model.plan(new String[] {"x"}, new String[] {"x:0"}, new String[] {"y:0"});
            for (int run = 0; run < 10; run++) {
                long[] tensors = {BOOL, new BytePointer(x).address(), ELEMENTS, 1, ELEMENTS};
                long[] answer = model.run(plan, tensors);
                System.gc();
                assertThat(answer[2]).isEqualTo(BOOL);
                ByteBuffer y = new NativeTensors.BorrowedMemory(answer[3], answer[4]).asByteBuffer();
                for (int at = 0; at < ELEMENTS; at++) {
                    assertThat(y.get(at)).isEqualTo((byte) (at % 3 == 0 ? 0 : 1));
                }
                model.release(answer[0]);
            }
        }
    }
}
