package io.crossload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crossload.contract.Frames;
import io.crossload.contract.Hashes;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("A bundle")
class BundleTest {
    private static final String MANIFEST =
            """
            {"crossload": 1, "model": {"name": "mirror"},
             "signatures": {"same": {"method_name": "",
               "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
               "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]}},
             "artifacts": [
               {"id": "paper", "format": "paper", "path": "paper.txt", "sha256": "%1$s",
                "bindings": {"same": {"key": null, "inputs": {"x": "a"}, "outputs": {"y": "b"}}}},
               {"id": "glass", "format": "glass", "path": "glass.txt", "sha256": "%2$s",
                "bindings": {"same": {"key": null, "inputs": {"x": "a"}, "outputs": {"y": "b"}}}}],
             "vectors": [{"signature": "same", "path": "same.oip", "count": 1, "sha256": "%3$s", "seed": 0}]}
            """;

    @TempDir
    Path folder;

    private final Mirror engine = new Mirror();
    private final Options options = Options.DEFAULTS.withEngine(engine);

    /** An engine that answers with its input, and records what happens to it. */
    private static final class Mirror implements Worker {
        private final List<String> events = new ArrayList<>();
        private final Map<String, WorkerException> unloadable = new HashMap<>();
        private List<String> formats = List.of("glass");
        private WorkerException failure;
        private ByteBuffer answer;

        @Override
        public Metadata metadata() {
            return new Metadata("mirror", "1", formats, Map.of());
        }

        @Override
        public Model load(LoadRequest request) throws WorkerException {
            events.add("load " + request.path().getFileName());
            if (unloadable.containsKey(request.format())) {
                throw unloadable.get(request.format());
            }
            return new Model() {
                @Override
                public Answer infer(InferRequest asked) throws WorkerException {
                    events.add("infer");
                    if (failure != null) {
                        throw failure;
                    }
                    TensorEntry x = asked.inputs().get(0);
                    TensorEntry y = new TensorEntry("y", x.datatype(), x.shape(), answer == null ? x.data() : answer);
                    return new Answer(List.of(y), 1, null, () -> events.add("freed"));
                }

                @Override
                public void close() {
                    events.add("close");
                }
            };
        }
    }

    @BeforeEach
    void write() throws IOException {
        Path paper = Files.writeString(folder.resolve("paper.txt"), "paper");
        Path glass = Files.writeString(folder.resolve("glass.txt"), "glass");
        Path vectors = folder.resolve("same.oip");
        HostTensor tensor = HostTensor.of(new float[] {1, 2}, 2);
        try (FileChannel channel = FileChannel.open(vectors, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            Frames frames = new Frames(null, channel);
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), List.of(tensor.entry("x")), null);
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), null, List.of(tensor.entry("y")));
        }
        String manifest = MANIFEST.formatted(Hashes.sha256(paper), Hashes.sha256(glass), Hashes.sha256(vectors));
        Files.writeString(folder.resolve("crossload.json"), manifest);
    }

    @Test
    @DisplayName("loads the first artifact that the engine loads, and runs a first vector before it is returned")
    void opens() {
        try (Bundle bundle = Bundle.open(folder, options)) {
            assertThat(bundle.artifact().id()).isEqualTo("glass");
            assertThat(engine.events).containsExactly("load glass.txt", "infer", "freed");
            HostTensor y = bundle.signature("same")
                    .call(Map.of("x", HostTensor.of(new float[] {3}, 1)))
                    .get("y");
            assertThat(y.floats()).containsExactly(3);
        }
        assertThat(engine.events).endsWith("infer", "freed", "close");
    }

    @Test
    @DisplayName("takes the next artifact if this release cannot run the first one, unless one was asked for")
    void fallsBack() {
        engine.formats = List.of("paper", "glass");
        engine.unloadable.put("paper", new WorkerException(Code.NOT_FOUND, "Op type not registered 'Fold'"));
        try (Bundle bundle = Bundle.open(folder, options)) {
            assertThat(bundle.artifact().id()).isEqualTo("glass");
            assertThat(engine.events).startsWith("load paper.txt", "load glass.txt");
        }
        CrossloadException asked = catchThrowableOfType(
                CrossloadException.class, () -> Bundle.open(folder, options.withArtifact("paper")));
        assertThat(asked).hasMessageEndingWith("paper.txt cannot be loaded: Op type not registered 'Fold'");
        engine.unloadable.put("glass", new WorkerException(Code.UNIMPLEMENTED, "it is opaque"));
        assertThat(code(() -> Bundle.open(folder, options.withFallback(false)))).isEqualTo(Code.NOT_FOUND);
        CrossloadException none = catchThrowableOfType(CrossloadException.class, () -> Bundle.open(folder, options));
        assertThat(none.code()).isEqualTo(Code.NOT_FOUND);
        assertThat(none)
                .hasMessageContaining("runs in mirror 1: paper: ")
                .hasMessageContaining("'Fold'; glass: ")
                .hasMessageContaining("it is opaque; make one that does in Python: crossload convert");
    }

    @Test
    @DisplayName("does not pass over a damaged artifact, nor an engine out of memory")
    void failsAtOnce() throws IOException {
        engine.formats = List.of("paper", "glass");
        engine.unloadable.put("paper", new WorkerException(Code.RESOURCE_EXHAUSTED, "no memory"));
        assertThat(code(() -> Bundle.open(folder, options))).isEqualTo(Code.RESOURCE_EXHAUSTED);
        Files.writeString(folder.resolve("paper.txt"), "torn");
        assertThat(code(() -> Bundle.open(folder, options))).isEqualTo(Code.DATA_LOSS);
        Files.delete(folder.resolve("paper.txt"));
        assertThat(code(() -> Bundle.open(folder, options.withVerifyHashes(false))))
                .isEqualTo(Code.DATA_LOSS);
    }

    @Test
    @DisplayName("keeps the outputs of a run in the engine's memory until they are closed, once")
    void outputs() {
        try (Bundle bundle = Bundle.open(folder, options.withWarmUp(false))) {
            Outputs outputs = bundle.signature("same").run(Map.of("x", HostTensor.of(new float[] {3}, 1)));
            assertThat(engine.events).endsWith("infer");
            assertThat(outputs.names()).containsExactly("y");
            outputs.close();
            outputs.close();
            assertThat(engine.events).endsWith("infer", "freed").containsOnlyOnce("freed");
            assertThat(code(() -> outputs.get("y"))).isEqualTo(Code.FAILED_PRECONDITION);
        }
    }

    @Test
    @DisplayName("reads an engine's buffer from its position, whatever its order is, and takes no null")
    void buffersOfAnEngine() {
        engine.answer = ByteBuffer.allocate(8).putInt(7).putInt(Integer.reverseBytes(Float.floatToIntBits(3)));
        engine.answer.position(4);
        try (Bundle bundle = Bundle.open(folder, options.withWarmUp(false))) {
            BoundSignature same = bundle.signature("same");
            Map<String, HostTensor> inputs = Map.of("x", HostTensor.of(new float[] {1}, 1));
            assertThat(same.call(inputs).get("y").floats()).containsExactly(3);
            try (Outputs outputs = same.run(inputs)) {
                assertThat(outputs.get("y").floats()).containsExactly(3);
            }
            Map<String, HostTensor> nothing = new HashMap<>(inputs);
            nothing.put("y", null);
            assertThat(code(() -> same.call(nothing))).isEqualTo(Code.INVALID_ARGUMENT);
        }
    }

    @Test
    @DisplayName("frees the model if the first run fails, and has the engine's code")
    void failingWarmUp() {
        engine.failure = new WorkerException(Code.RESOURCE_EXHAUSTED, "no memory");
        CrossloadException error = catchThrowableOfType(CrossloadException.class, () -> Bundle.open(folder, options));
        assertThat(error.code()).isEqualTo(Code.RESOURCE_EXHAUSTED);
        assertThat(error).hasMessage("signature 'same': no memory");
        assertThat(engine.events).containsExactly("load glass.txt", "infer", "close");
    }

    @Test
    @DisplayName("is closed once, and throws for a later call")
    void closed() {
        Bundle bundle = Bundle.open(folder, options.withWarmUp(false));
        bundle.close();
        bundle.close();
        assertThat(engine.events).containsExactly("load glass.txt", "close");
        assertThat(code(() -> bundle.signature("same").call(Map.of("x", HostTensor.of(new float[1], 1)))))
                .isEqualTo(Code.FAILED_PRECONDITION);
    }

    @Test
    @DisplayName("checks hashes before it loads, unless the options say otherwise")
    void hashes() throws IOException {
        Files.writeString(folder.resolve("glass.txt"), "changed");
        assertThat(code(() -> Bundle.open(folder, options))).isEqualTo(Code.DATA_LOSS);
        assertThat(engine.events).isEmpty();
        Bundle.open(folder, options.withVerifyHashes(false)).close();
    }

    @Test
    @DisplayName("has a code for an unknown artifact, a format without engine, a missing path and a missing manifest")
    void codes() throws IOException {
        assertThatThrownBy(() -> Bundle.open(folder, options.withArtifact("glas")))
                .hasMessage(folder + " has no artifact 'glas'; did you mean 'glass'?");
        assertThat(code(() -> Bundle.open(folder, options.withArtifact("glas"))))
                .isEqualTo(Code.NOT_FOUND);
        assertThat(code(() -> Bundle.open(folder, options.withArtifact("paper"))))
                .isEqualTo(Code.UNIMPLEMENTED);
        assertThat(code(() -> Bundle.open(folder.resolve("missing"), options))).isEqualTo(Code.NOT_FOUND);
        Files.delete(folder.resolve("crossload.json"));
        assertThat(code(() -> Bundle.open(folder, options))).isEqualTo(Code.FAILED_PRECONDITION);
    }

    @Test
    @DisplayName("without engine on the class path says which jars have one")
    void noEngine() {
        assertThatThrownBy(() -> Bundle.open(folder))
                .hasMessageStartingWith("the class path has no engine; add crossload-");
    }

    private static Code code(ThrowingCallable call) {
        return catchThrowableOfType(CrossloadException.class, call).code();
    }
}
