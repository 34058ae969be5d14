package io.crossload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
    @TempDir
    Path folder;

    private final Mirror engine = new Mirror();
    private final Options options = Options.DEFAULTS.withEngine(engine);

    @BeforeEach
    void write() throws IOException {
        Mirror.write(folder);
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

    @Test
    @DisplayName("goes on with the model that it loaded when its files are replaced, whose vectors it refuses")
    void replaced() throws IOException {
        try (Bundle bundle = Bundle.open(folder, options)) {
            Files.writeString(folder.resolve("glass.txt"), "another");
            Files.writeString(folder.resolve("same.oip"), "another");
            Map<String, HostTensor> inputs = Map.of("x", HostTensor.of(new float[] {3}, 1));
            assertThat(bundle.signature("same").call(inputs).get("y").floats()).containsExactly(3);
            assertThat(code(() -> bundle.vectors("same"))).isEqualTo(Code.DATA_LOSS);
        }
    }

    @Test
    @DisplayName("without vectors is warmed up with zeros only if asked to, and opens if the model does not take them")
    void withoutVectors() throws IOException {
        String manifest = Files.readString(folder.resolve("crossload.json"));
        Files.writeString(
                folder.resolve("crossload.json"),
                manifest.replaceFirst("(?s)\"vectors\": \\[.*\\]", "\"vectors\": []"));
        Files.delete(folder.resolve("same.oip"));
        try (Bundle bundle = Bundle.open(folder, options)) {
            assertThat(engine.events).containsExactly("load glass.txt");
            assertThat(bundle.vectors("same")).isEmpty();
        }
        engine.events.clear();
        Bundle.open(folder, options.withZeros(true)).close();
        assertThat(engine.events).containsExactly("load glass.txt", "infer", "freed", "close");
        engine.failure = new WorkerException(Code.INVALID_ARGUMENT, "zeros divide");
        Bundle.open(folder, options.withZeros(true)).close();
    }

    @Test
    @DisplayName("that another thread closes during a call says that it is closed, whatever the engine says")
    void closedMeanwhile() {
        Bundle bundle = Bundle.open(folder, options.withWarmUp(false));
        engine.meanwhile = bundle::close;
        engine.failure = new WorkerException(Code.INTERNAL, "close() has been called on the Graph");
        assertThat(code(() -> bundle.signature("same").call(Map.of("x", HostTensor.of(new float[1], 1)))))
                .isEqualTo(Code.FAILED_PRECONDITION);
    }

    @Test
    @DisplayName("is closed by an interrupted thread, too, which stays interrupted")
    void interrupted() {
        Bundle bundle = Bundle.open(folder, options.withWarmUp(false));
        Thread.currentThread().interrupt();
        bundle.close();
        assertThat(engine.events).endsWith("close");
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    @DisplayName("is found behind a link and '..' where the file system finds it")
    void behindALink() throws IOException {
        Path real = Files.createDirectories(folder.resolve("real").resolve("inner"));
        Path bundle = Files.createDirectory(folder.resolve("real").resolve("bundle"));
        Mirror.write(bundle);
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);
        Bundle.open(link.resolve("..").resolve("bundle"), options).close();
        assertThat(engine.loaded).isEqualTo(bundle.toRealPath().resolve("glass.txt"));
    }

    @Test
    @DisplayName("names a null signature, input and output")
    void nulls() {
        try (Bundle bundle = Bundle.open(folder, options)) {
            BoundSignature same = bundle.signature("same");
            Map<String, HostTensor> nameless = new HashMap<>(Map.of("x", HostTensor.of(new float[1], 1)));
            assertThatThrownBy(() -> same.call(nameless, Arrays.asList((String) null)))
                    .isInstanceOf(NullPointerException.class)
                    .hasMessage("an output's name");
            nameless.put(null, HostTensor.scalar(1));
            assertThatThrownBy(() -> same.call(nameless))
                    .isInstanceOf(NullPointerException.class)
                    .hasMessage("an input's name");
            assertThatThrownBy(() -> bundle.signature(null))
                    .isInstanceOf(NullPointerException.class)
                    .hasMessage("the signature's name");
        }
    }

    private static Code code(ThrowingCallable call) {
        return catchThrowableOfType(CrossloadException.class, call).code();
    }
}
