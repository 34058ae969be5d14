package io.crossload.junit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crossload.compare.Agreement;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frames;
import io.crossload.contract.Hashes;
import io.crossload.contract.TensorEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;

@DisplayName("Conformance")
class ConformanceTest {
    private static final String BUNDLE = "target/mirror-bundle";
    private static final List<String> RECORDED = List.of("same", "wrong", "unsupported", "failing");

    @ConformsTo(value = BUNDLE, signatures = "same")
    private static final class Same {}

    @ConformsTo(value = BUNDLE, signatures = "wrong")
    private static final class Wrong {}

    @ConformsTo(value = BUNDLE, signatures = "wrong", agreement = Agreement.DIFFERENT)
    private static final class WrongWithoutDemand {}

    @ConformsTo(value = BUNDLE, signatures = "unsupported")
    private static final class Unsupported {}

    @ConformsTo(value = BUNDLE, signatures = "failing")
    private static final class Failing {}

    @ConformsTo(value = BUNDLE, signatures = "silent")
    private static final class Unrecorded {}

    @ConformsTo(value = BUNDLE, signatures = "sane")
    private static final class Misspelt {}

    @ConformsTo("target/no-such-bundle")
    private static final class Missing {}

    @ConformsTo("classpath:no-such-bundle")
    private static final class MissingResource {}

    @BeforeAll
    static void write() throws IOException {
        Path folder = Files.createDirectories(Path.of(BUNDLE));
        String signature =
                """
                "%s": {"method_name": "", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
                       "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]}""";
        String binding = "\"%s\": {\"key\": null, \"inputs\": {\"x\": \"a\"}, \"outputs\": {\"y\": \"b\"}}";
        String file =
                "{\"signature\": \"%1$s\", \"path\": \"%1$s.oip\", \"count\": 1, \"sha256\": \"%2$s\", \"seed\": 0}";
        Path artifact = Files.writeString(folder.resolve("glass.txt"), "glass");
        StringBuilder vectors = new StringBuilder();
        for (String name : RECORDED) {
            Path path = folder.resolve(name + ".oip");
            record(path);
            vectors.append(vectors.isEmpty() ? "" : ", ").append(file.formatted(name, Hashes.sha256(path)));
        }
        List<String> all = List.of("same", "wrong", "unsupported", "failing", "silent");
        Files.writeString(
                folder.resolve("crossload.json"),
                """
                {"crossload": 1, "model": {"name": "mirror"}, "signatures": {%s},
                 "artifacts": [{"id": "glass", "format": "glass", "path": "glass.txt", "sha256": "%s", "bindings": {%s}}],
                 "vectors": [%s]}
                """
                        .formatted(
                                all.stream().map(signature::formatted).collect(Collectors.joining(", ")),
                                Hashes.sha256(artifact),
                                all.stream().map(binding::formatted).collect(Collectors.joining(", ")),
                                vectors));
    }

    private static void record(Path path) throws IOException {
        ByteBuffer data = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        data.putFloat(1).putFloat(2).flip();
        try (FileChannel channel = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            Frames frames = new Frames(null, channel);
            List<TensorEntry> x = List.of(new TensorEntry("x", Datatype.FP32, List.of(2L), data));
            List<TensorEntry> y = List.of(new TensorEntry("y", Datatype.FP32, List.of(2L), data));
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), x, null);
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), null, y);
        }
    }

    @Test
    @DisplayName("passes an answer with at least the agreement asked for, and reports it")
    void passes() {
        assertThat(check(Same.class)).startsWith("ok: identical");
        assertThat(check(WrongWithoutDemand.class)).startsWith("ok: different");
    }

    @Test
    @DisplayName("fails with the outcome: mismatch, unsupported, run_error")
    void fails() {
        assertThatThrownBy(() -> check(Wrong.class))
                .isInstanceOf(AssertionFailedError.class)
                .hasMessageStartingWith("mismatch (asked for close): different, max_abs 2");
        assertThatThrownBy(() -> check(Unsupported.class))
                .hasMessage("unsupported: signature 'unsupported': no such kernel");
        assertThatThrownBy(() -> check(Failing.class)).hasMessage("run_error: signature 'failing': no memory");
    }

    @Test
    @DisplayName("fails where nothing would be compared")
    void nothingCompared() {
        assertThatThrownBy(() -> check(Unrecorded.class))
                .hasMessageStartingWith("not_run: ")
                .hasMessageContaining("has no vectors");
        assertThatThrownBy(() -> check(Misspelt.class))
                .hasMessageStartingWith("not_run: ")
                .hasMessageContaining("did you mean 'same'?");
        assertThatThrownBy(() -> check(Missing.class)).hasMessageStartingWith("load_error: ");
        assertThatThrownBy(() -> check(MissingResource.class))
                .hasMessageStartingWith("not_run: classpath:no-such-bundle is not on");
    }

    private static String check(Class<?> type) {
        try (Conformance conformance =
                Conformance.open(type.getAnnotation(ConformsTo.class), ConformanceTest.class.getClassLoader())) {
            assertThat(conformance.cases()).hasSize(1);
            return conformance.check(conformance.cases().get(0));
        }
    }
}
