package io.crossload.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frames;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Tolerance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

@DisplayName("The judge")
class JudgeTest {
    private static final Path TABLE = Path.of("..", "..", "bindings", "contract", "judgements.json");

    @TestFactory
    @DisplayName("gives the agreement, the metrics and the reason that Python's gives")
    Stream<DynamicTest> table() throws IOException {
        JsonNode table = Frames.JSON.readTree(Files.readAllBytes(TABLE));
        assertThat(table).hasSizeGreaterThan(100);
        return StreamSupport.stream(table.spliterator(), false)
                .map(entry -> DynamicTest.dynamicTest(entry.get("name").asText(), () -> {
                    Judgement judged = Judge.judge(
                            outputs(entry.get("reference")),
                            outputs(entry.get("answer")),
                            tolerances(entry.get("tolerance")),
                            entry.get("nan").asText().equals("forbid"));
                    assertThat(judged.agreement().toString())
                            .isEqualTo(entry.get("agreement").asText());
                    check(judged.metrics(), entry.get("metrics"));
                    assertThat(judged.reason()).isEqualTo(entry.get("reason").asText());
                }));
    }

    @Test
    @DisplayName("knows which agreements are enough")
    void atLeast() {
        assertThat(Agreement.IDENTICAL.atLeast(Agreement.CLOSE)).isTrue();
        assertThat(Agreement.CLOSE.atLeast(Agreement.CLOSE)).isTrue();
        assertThat(Agreement.DECISION.atLeast(Agreement.CLOSE)).isFalse();
    }

    private static void check(Map<String, Number> got, JsonNode wanted) {
        Map<String, JsonNode> known = new LinkedHashMap<>();
        // Python's argmax_agreement of one output is null where there is none.
        wanted.properties().stream()
                .filter(e -> !e.getValue().isNull())
                .forEach(e -> known.put(e.getKey(), e.getValue()));
        assertThat(new TreeSet<>(got.keySet())).isEqualTo(new TreeSet<>(known.keySet()));
        known.forEach((metric, value) -> {
            if (value.isIntegralNumber()) {
                assertThat(got.get(metric).toString()).as(metric).isEqualTo(value.asText());
            } else {
                double expected = value.doubleValue();
                assertThat(got.get(metric).doubleValue())
                        .as(metric)
                        .isCloseTo(expected, within(1e-12 * Math.abs(expected)));
            }
        });
    }

    private static Map<String, TensorEntry> outputs(JsonNode tensors) {
        Map<String, TensorEntry> outputs = new LinkedHashMap<>();
        for (JsonNode tensor : tensors) {
            String name = tensor.get("name").asText();
            List<Long> shape = new ArrayList<>();
            tensor.get("shape").forEach(dimension -> shape.add(dimension.asLong()));
            ByteBuffer data =
                    ByteBuffer.wrap(HexFormat.of().parseHex(tensor.get("hex").asText()));
            Double rounding = tensor.has("rounding") ? tensor.get("rounding").doubleValue() : null;
            TensorEntry.Steps steps = tensor.has("scale")
                    ? new TensorEntry.Steps(
                            tensor.get("scale").doubleValue(),
                            tensor.get("steps").intValue())
                    : null;
            outputs.put(
                    name,
                    new TensorEntry(
                            name, Datatype.ofName(tensor.get("datatype").asText()), shape, data, rounding, steps));
        }
        return outputs;
    }

    private static Map<String, Tolerance> tolerances(JsonNode stated) {
        Map<String, Tolerance> tolerances = new LinkedHashMap<>();
        stated.properties()
                .forEach(e -> tolerances.put(
                        e.getKey(),
                        new Tolerance(
                                e.getValue().get("rtol").asDouble(),
                                e.getValue().get("atol").asDouble(),
                                e.getValue().get("ulp").asLong())));
        return tolerances;
    }
}
