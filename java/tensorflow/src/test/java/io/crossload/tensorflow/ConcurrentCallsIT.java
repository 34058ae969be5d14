package io.crossload.tensorflow;

import static org.assertj.core.api.Assertions.assertThat;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.LoadRequest;
import io.crossload.worker.Worker.Model;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("A model of TensorFlow Java")
class ConcurrentCallsIT {
    private static final int THREADS = 8;
    private static final int CALLS = 300;
    private static final String NEGATION =
            """
            node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
            node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
            """;

    @TempDir
    Path folder;

    @Test
    @DisplayName("answers each of many threads with what that thread asked, from the first call on")
    void threads() throws Exception {
        Path graph = Files.writeString(folder.resolve("negation.pbtxt"), NEGATION);
        Binding binding = new Binding(null, Map.of("x", "x"), Map.of("y", "y"));
        LoadRequest request = new LoadRequest(graph, "graph_def", null, Map.of("s", binding));
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try (Model model = new TensorFlowWorker().load(request)) {
            CyclicBarrier together = new CyclicBarrier(THREADS);
            List<Future<List<Float>>> answers = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                answers.add(threads.submit(calls(model, binding, thread, together)));
            }
            for (int thread = 0; thread < THREADS; thread++) {
                float first = thread * CALLS;
                List<Float> answered = answers.get(thread).get();
                assertThat(answered).hasSize(CALLS);
                for (int call = 0; call < CALLS; call++) {
                    assertThat(answered.get(call)).isEqualTo(-(first + call));
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static Callable<List<Float>> calls(Model model, Binding binding, int thread, CyclicBarrier together) {
        return () -> {
            together.await();
            List<Float> answers = new ArrayList<>();
            for (int call = 0; call < CALLS; call++) {
                try (Answer answer = model.infer(
                        new InferRequest("s", binding, List.of(scalar(thread * CALLS + call)), List.of("y")))) {
                    answers.add(answer.outputs()
                            .get(0)
                            .data()
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .getFloat());
                }
            }
            return answers;
        };
    }

    private static TensorEntry scalar(float value) {
        ByteBuffer data = ByteBuffer.allocate(Float.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putFloat(value)
                .flip();
        return new TensorEntry("x", Datatype.FP32, List.of(), data);
    }
}
