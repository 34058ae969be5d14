package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.reflect.Parameter;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayName("The manifest")
class ManifestTest {
    private static final Path SCHEMA = Path.of("..", "..", "bindings", "contract", "manifest.schema.json");
    private static final String WHOLE =
            """
            {"crossload": 1, "model": {"name": "digits", "version": "2"}, "producer": {"tensorflow": "2.21.0"},
             "signatures": {"serving_default": {"method_name": "tensorflow/serving/predict", "key": null,
               "inputs": [{"name": "pixels", "datatype": "INT8", "shape": [-1, 64], "tensor": 0, "quantization": {"scale": [0.5]}},
                 {"name": "mode", "datatype": "BYTES", "shape": [], "default": {"shape": [], "data": ["fast"]}}],
               "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": null, "tensor": null}]}},
             "artifacts": [{"id": "saved", "format": "saved_model", "path": "saved_model", "tags": ["serve"], "sha256": "ab",
                "bindings": {"serving_default": {"key": "serving_default", "inputs": {"pixels": "p:0", "mode": 1},
                  "outputs": {"probabilities": "q:0"}, "bridge": {"key": "crossload_bridge_serving_default",
                  "inputs": {"pixels": "bp:0", "mode": "m:0"}, "outputs": {"probabilities": "bq:0"}, "carriers": {"INT8": "INT32"}}}},
                "made": {"source": "keras", "way": ["keras", "saved_model"], "verified": true,
                  "runtimes": ["tensorflow-java@0.5.0"], "repairs": ["one"]}},
               {"id": "other", "format": "tflite", "path": "model.tflite", "sha256": "cd"}],
             "left_out": [{"id": "graph_def", "reason": "a table"}],
             "vectors": [{"signature": "serving_default", "path": "vectors/serving_default.oip", "count": 8, "sha256": "ef",
               "seed": 5, "reference": {"runtime": "tensorflow", "version": "2.21.0", "artifact": "saved",
                 "environment": {"threads": 2, "onednn": true, "cpu": "x"}}, "left_out": [{"id": "big", "reason": "too large"}],
               "strength": {"seeded": 9, "detected": 8, "unseen": [{"node": "dense/kernel", "kind": "zeroed"}]}}],
             "tolerance": {"FP32": {"rtol": 0.001}, "probabilities": {"rtol": 0, "atol": 1e-7, "ulp": 9}}}
            """;

    @TempDir
    Path folder;

    private Path file;
    private ObjectNode whole;

    @BeforeEach
    void begin() throws IOException {
        file = folder.resolve(Manifest.FILE_NAME);
        whole = (ObjectNode) Frames.JSON.readTree(WHOLE);
    }

    @Test
    @DisplayName("is read with the keys of its schema: none more, none fewer, and none required that may be missing")
    void schema() throws IOException {
        JsonNode schema = Frames.JSON.readTree(SCHEMA.toFile());
        Map<String, JsonNode> objects = new TreeMap<>(Map.of("Manifest", schema));
        schema.get("$defs").properties().forEach(entry -> objects.put(entry.getKey(), entry.getValue()));
        Map<String, Class<?>> records = new TreeMap<>(Map.of("Manifest", Manifest.class, "Tolerance", Tolerance.class));
        for (Class<?> record : Manifest.class.getDeclaredClasses()) {
            records.put(record == Manifest.VectorsFile.class ? "Vectors" : record.getSimpleName(), record);
        }
        assertThat(records.keySet()).isEqualTo(objects.keySet());
        objects.forEach((name, object) -> {
            Set<String> required = new TreeSet<>();
            object.path("required").forEach(key -> required.add(key.textValue()));
            assertThat(keys(records.get(name), false))
                    .as(name)
                    .isEqualTo(new TreeSet<>(Set.copyOf(names(object.get("properties")))));
            assertThat(required).as(name + ", required").containsAll(keys(records.get(name), true));
        });
    }

    @Test
    @DisplayName("says all that the file says")
    void everything() throws IOException {
        Manifest manifest = read(whole);
        assertThat(manifest.model()).isEqualTo(new Manifest.Model("digits", "2"));
        assertThat(manifest.producer()).isEqualTo(Map.of("tensorflow", "2.21.0"));
        assertThat(manifest.leftOut()).containsExactly(new Manifest.LeftOut("graph_def", "a table"));
        Manifest.Signature signature = manifest.signatures().get("serving_default");
        assertThat(signature.methodName()).isEqualTo("tensorflow/serving/predict");
        assertThat(signature.inputs().get(0))
                .isEqualTo(new Manifest.TensorSpec("pixels", Datatype.INT8, List.of(-1L, 64L), null));
        assertThat(signature.inputs().get(1).defaultValue().data())
                .isEqualTo(Datatype.encodeBytes(List.of("fast".getBytes())));
        assertThat(signature.outputs())
                .containsExactly(new Manifest.TensorSpec("probabilities", Datatype.FP32, null, null));
        Manifest.Artifact artifact = manifest.artifacts().get(0);
        Manifest.Binding binding = artifact.bindings().get("serving_default");
        assertThat(artifact.tags()).containsExactly("serve");
        assertThat(binding.inputs()).isEqualTo(Map.of("pixels", "p:0", "mode", "1"));
        assertThat(binding.bridge().carriers()).isEqualTo(Map.of(Datatype.INT8, Datatype.INT32));
        assertThat(binding.bridge().inputs()).isEqualTo(Map.of("pixels", "bp:0", "mode", "m:0"));
        assertThat(artifact.made())
                .isEqualTo(new Manifest.Made(
                        "keras",
                        List.of("keras", "saved_model"),
                        true,
                        List.of("tensorflow-java@0.5.0"),
                        List.of("one")));
        Manifest.VectorsFile vectors = manifest.vectors().get(0);
        assertThat(vectors.count()).isEqualTo(8);
        assertThat(vectors.seed()).isEqualTo(5);
        assertThat(vectors.reference().environment()).isEqualTo(Map.of("threads", "2", "onednn", "true", "cpu", "x"));
        assertThat(vectors.leftOut()).containsExactly(new Manifest.LeftOut("big", "too large"));
        assertThat(vectors.strength().detected()).isEqualTo(8);
        assertThat(vectors.strength().unseen()).containsExactly(new Manifest.SeededFault("dense/kernel", "zeroed"));
        assertThat(manifest.tolerance())
                .isEqualTo(Map.of("FP32", new Tolerance(0.001, 0, 4), "probabilities", new Tolerance(0, 1e-7, 9)));
    }

    @Test
    @DisplayName("has empty lists for what the file leaves out, and nothing in it can be changed")
    void leftOut() throws IOException {
        whole.retain("crossload", "model", "signatures", "artifacts");
        Manifest manifest = read(whole);
        assertThat(manifest.vectors()).isEmpty();
        assertThat(manifest.leftOut()).isEmpty();
        assertThat(manifest.tolerance()).isEmpty();
        assertThat(manifest.artifacts().get(1).tags()).isNull();
        assertThat(manifest.artifacts().get(1).bindings()).isEmpty();
        assertThatThrownBy(() -> manifest.artifacts().clear()).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> manifest.signatures().clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/model",
                "/signatures/serving_default",
                "/signatures/serving_default/inputs/0",
                "/artifacts/0",
                "/artifacts/0/bindings/serving_default",
                "/artifacts/0/bindings/serving_default/bridge",
                "/artifacts/0/made",
                "/left_out/0",
                "/vectors/0",
                "/vectors/0/reference",
                "/vectors/0/strength",
                "/vectors/0/strength/unseen/0",
                "/tolerance/FP32"
            })
    @DisplayName("is refused with a key that it does not know, wherever that is")
    void unknownKey(String place) {
        ((ObjectNode) whole.at(place)).put("atoll", 1);
        String where = place.isEmpty() ? "atoll" : place.substring(1).replace('/', '.') + ".atoll";
        refused("does not follow the manifest's schema at " + where + ": the key 'atoll' is unknown");
    }

    @ParameterizedTest
    @CsvSource({
        "'', model",
        "'', signatures",
        "'', artifacts",
        "/model, name",
        "/signatures/serving_default, inputs",
        "/signatures/serving_default/outputs/0, datatype",
        "/artifacts/0, sha256",
        "/artifacts/0, path",
        "/vectors/0, count"
    })
    @DisplayName("is refused without a key that it needs, and names it")
    void missingKey(String place, String key) {
        ((ObjectNode) whole.at(place)).remove(key);
        refused("does not follow the manifest's schema at", "'" + key + "'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"2", "4294967297", "18446744073709551616"})
    @DisplayName("of a newer schema is refused before anything else of it is read")
    void newer(String version) throws IOException {
        Files.writeString(file, "{\"crossload\": %s, \"shape\": []}".formatted(version));
        assertThatThrownBy(() -> Manifest.read(file))
                .isInstanceOf(ManifestException.class)
                .hasMessage(file + " has schema version " + version
                        + ", this crossload reads up to 1; use the newer crossload's jars");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "{}", "7", "{\"crossload\": \"1\"}", "{\"crossload\": 1.5}", "{\"crossload\": 0}"})
    @DisplayName("is none without its schema's version")
    void noVersion(String content) throws IOException {
        Files.writeString(file, content);
        assertThatThrownBy(() -> Manifest.read(file))
                .hasMessage(file + " is not a crossload manifest: it has no schema version under the key 'crossload'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "\ufffd"})
    @DisplayName("is refused as what it is, where it is no JSON")
    void noJson(String content) throws IOException {
        Files.writeString(file, content);
        assertThatThrownBy(() -> Manifest.read(file))
                .isInstanceOf(ManifestException.class)
                .hasMessageStartingWith(file + " is no")
                .hasMessageNotContaining("\n");
    }

    @Test
    @DisplayName("is refused with something behind it")
    void trailing() throws IOException {
        Files.writeString(file, WHOLE + "{}");
        assertThatThrownBy(() -> Manifest.read(file)).isInstanceOf(ManifestException.class);
    }

    @Test
    @DisplayName("that is not there is named")
    void missing() {
        assertThatThrownBy(() -> Manifest.read(file))
                .isInstanceOf(ManifestException.class)
                .hasMessageStartingWith(file + " cannot be read");
    }

    @Test
    @DisplayName("is refused with a datatype that the contract has not")
    void unknownDatatype() {
        ((ObjectNode) whole.at("/signatures/serving_default/inputs/0")).put("datatype", "FP12");
        refused("signatures.serving_default.inputs.0", "the unknown datatype 'FP12'");
    }

    @Test
    @DisplayName("is refused with a negative tolerance, and with null for a list's element")
    void values() throws IOException {
        ((ObjectNode) whole.at("/tolerance/FP32")).put("atol", -1);
        refused("tolerance.FP32", "finite and not negative");
        begin();
        whole.withArray("artifacts").addNull();
        refused("does not follow the manifest's schema", "a list has null for an element");
    }

    @Test
    @DisplayName("is refused where it contradicts itself")
    void contradictions() throws IOException {
        whole.withArray("artifacts").add(whole.at("/artifacts/0"));
        refused("has two artifacts of one id");
        begin();
        ((ObjectNode) whole.at("/artifacts/1")).set("bindings", Frames.JSON.readTree("{\"classify\": {}}"));
        refused("names the signature 'classify', which it does not describe");
        begin();
        ((ObjectNode) whole.at("/vectors/0")).put("signature", "classify");
        refused("names the signature 'classify', which it does not describe");
        begin();
        whole.withArray("vectors").add(whole.at("/vectors/0"));
        refused("has two vectors files for one signature");
        begin();
        ((ObjectNode) whole.at("/tolerance")).putObject("probabilites");
        refused("has a tolerance for 'probabilites', which is neither an output nor a datatype");
    }

    private Manifest read(JsonNode content) throws IOException {
        return Manifest.read(Files.writeString(file, content.toString()));
    }

    private void refused(String... parts) {
        assertThatThrownBy(() -> read(whole))
                .isInstanceOf(ManifestException.class)
                .hasMessageStartingWith(file + " ")
                .hasMessageContainingAll(parts)
                .hasMessageNotContaining("\n");
    }

    /** The keys that a record is read from: its creator's, or its components'. */
    private static Set<String> keys(Class<?> type, boolean requiredOnly) {
        List<Parameter> parts = Stream.of(type.getDeclaredMethods())
                .filter(method -> method.isAnnotationPresent(JsonCreator.class))
                .findFirst()
                .map(creator -> List.of(creator.getParameters()))
                .orElseGet(() -> components(type));
        Set<String> keys = new TreeSet<>();
        for (int at = 0; at < parts.size(); at++) {
            JsonProperty stated = parts.get(at).getAnnotation(JsonProperty.class);
            if (!requiredOnly || stated != null && stated.required()) {
                keys.add(
                        stated == null || stated.value().isEmpty()
                                ? snake(type.getRecordComponents()[at])
                                : stated.value());
            }
        }
        JsonIgnoreProperties ignored = type.getAnnotation(JsonIgnoreProperties.class);
        if (ignored != null && !requiredOnly) {
            keys.addAll(List.of(ignored.value()));
        }
        return keys;
    }

    // A record component does not keep JsonProperty; the parameter of its constructor does.
    private static List<Parameter> components(Class<?> type) {
        Class<?>[] types = Arrays.stream(type.getRecordComponents())
                .map(RecordComponent::getType)
                .toArray(Class<?>[]::new);
        try {
            return List.of(type.getDeclaredConstructor(types).getParameters());
        } catch (NoSuchMethodException error) {
            throw new AssertionError(error);
        }
    }

    private static String snake(RecordComponent component) {
        return PropertyNamingStrategies.SnakeCaseStrategy.INSTANCE.translate(component.getName());
    }

    private static List<String> names(JsonNode object) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }
}
