package io.crossload.contract;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The manifest {@code crossload.json}: what a bundle promises (bindings/contract/manifest.schema.json). Lists and maps keep the file's
 * order; what the file leaves out is empty, or null where a component says so.
 *
 * @param crossload the schema's version
 * @param model which model the bundle holds
 * @param producer versions of what exported it
 * @param signatures by key
 * @param artifacts the saved models
 * @param leftOut formats that cannot hold the model
 * @param vectors the vectors files
 * @param tolerance by output name or datatype, for {@link Tolerance#of}
 */
public record Manifest(
        int crossload,
        @JsonProperty(required = true) Model model,
        Map<String, String> producer,
        @JsonProperty(required = true) Map<String, Signature> signatures,
        @JsonProperty(required = true) List<Artifact> artifacts,
        List<LeftOut> leftOut,
        List<VectorsFile> vectors,
        Map<String, Tolerance> tolerance) {

    /** The manifest's name in a bundle; beside an artifact without bundle it is {@code <artifact>.crossload.json}. */
    public static final String FILE_NAME = "crossload.json";

    /** The newest schema that is read. */
    public static final int SCHEMA_VERSION = 1;

    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            // A misspelt key (a tolerance that never applies) must not pass silently.
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    /** Makes what is left out empty. */
    public Manifest {
        producer = orEmpty(producer);
        signatures = orEmpty(signatures);
        artifacts = orEmpty(artifacts);
        leftOut = orEmpty(leftOut);
        vectors = orEmpty(vectors);
        tolerance = orEmpty(tolerance);
    }

    /** Which model: its name and version. */
    public record Model(@JsonProperty(required = true) String name, String version) {
        /** A version that is left out is 1. */
        public Model {
            version = version == null ? "1" : version;
        }
    }

    /**
     * Named inputs and outputs, in order.
     *
     * @param methodName the SignatureDef's, perhaps empty
     */
    @JsonIgnoreProperties("key")
    public record Signature(
            String methodName,
            @JsonProperty(required = true) List<TensorSpec> inputs,
            @JsonProperty(required = true) List<TensorSpec> outputs) {}

    /**
     * One input or output.
     *
     * @param name the signature's name of it
     * @param datatype its element type
     * @param shape its dimensions, -1 where one is free; null where even the rank is unknown
     * @param defaultValue what an input that is left out is; null where it must be given
     */
    public record TensorSpec(String name, Datatype datatype, List<Long> shape, TensorEntry defaultValue) {
        // Where a tensor lies in an artifact is its binding's business: tensor and quantization are not kept.
        @JsonCreator
        static TensorSpec read(
                @JsonProperty(value = "name", required = true) String name,
                @JsonProperty(value = "datatype", required = true) String datatype,
                @JsonProperty("shape") List<Long> shape,
                @JsonProperty("default") JsonNode value,
                @JsonProperty("tensor") JsonNode tensor,
                @JsonProperty("quantization") JsonNode quantization) {
            Datatype known = Datatype.ofName(datatype);
            if (known == null) {
                throw new IllegalArgumentException("the unknown datatype '" + datatype + "'");
            }
            boolean optional = value != null && !value.isNull();
            return new TensorSpec(name, known, shape, optional ? DefaultValues.read(name, known, value) : null);
        }
    }

    /**
     * One saved model in one format.
     *
     * @param id its name in the bundle
     * @param format {@code saved_model}, {@code graph_def}, …
     * @param path relative to the manifest's folder
     * @param tags a SavedModel's, null where it has none
     * @param sha256 of the file or folder ({@link Hashes})
     * @param bindings by signature
     * @param made how it was converted, or null
     */
    public record Artifact(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String format,
            @JsonProperty(required = true) String path,
            List<String> tags,
            @JsonProperty(required = true) String sha256,
            Map<String, Binding> bindings,
            Made made) {
        /** Makes bindings that are left out empty. */
        public Artifact {
            bindings = orEmpty(bindings);
        }
    }

    /**
     * Where a signature's names are in one artifact.
     *
     * @param key the SignatureDef's key inside the artifact, or null
     * @param inputs tensors ({@code operation:index}) or indices, by the signature's names
     * @param outputs the same of the outputs
     * @param bridge the way around datatypes that a runtime lacks, or null
     */
    public record Binding(String key, Map<String, String> inputs, Map<String, String> outputs, Bridge bridge) {
        /** Makes what is left out empty. */
        public Binding {
            inputs = orEmpty(inputs);
            outputs = orEmpty(outputs);
        }
    }

    /**
     * The same computation through tensors of other datatypes (bindings/contract/README.md, section Bridges).
     *
     * @param key the bridge's own SignatureDef, or null
     * @param inputs tensors by the signature's names
     * @param outputs the same of the outputs
     * @param carriers which datatype travels as which
     */
    public record Bridge(
            String key,
            Map<String, String> inputs,
            Map<String, String> outputs,
            @JsonProperty(required = true) Map<Datatype, Datatype> carriers) {
        /** Makes what is left out empty. */
        public Bridge {
            inputs = orEmpty(inputs);
            outputs = orEmpty(outputs);
        }
    }

    /**
     * How an artifact was made of another.
     *
     * @param source the other's format
     * @param way the formats on the way
     * @param verified whether both gave the same answers
     * @param runtimes those that it was made to run in, or null
     * @param repairs what was done to it for them, or null
     */
    public record Made(
            String source, List<String> way, boolean verified, List<String> runtimes, List<String> repairs) {}

    /** What could not be: a request that the reference did not answer, or a format that cannot hold the model, and why. */
    public record LeftOut(String id, String reason) {}

    /**
     * A vectors file and its provenance.
     *
     * @param signature whose it is
     * @param path relative to the manifest's folder
     * @param count how many vectors it holds
     * @param sha256 of the file
     * @param seed the requests were drawn with
     * @param reference who answered
     * @param leftOut requests that it could not answer
     */
    public record VectorsFile(
            @JsonProperty(required = true) String signature,
            @JsonProperty(required = true) String path,
            @JsonProperty(required = true) int count,
            @JsonProperty(required = true) String sha256,
            long seed,
            Reference reference,
            List<LeftOut> leftOut) {
        /** Makes what is left out empty. */
        public VectorsFile {
            leftOut = orEmpty(leftOut);
        }
    }

    /** Who recorded the answers: a runtime, its version, the artifact's id, and what of the environment may change bits. */
    public record Reference(String runtime, String version, String artifact, Map<String, String> environment) {}

    /**
     * The manifest of a file.
     *
     * @throws ManifestException for one that cannot be read, has a newer schema, an unknown or missing key, or contradicts itself
     */
    public static Manifest read(Path file) throws ManifestException {
        try {
            JsonNode content = JSON.readTree(Files.readAllBytes(file));
            JsonNode version = content.path("crossload");
            if (!version.isIntegralNumber() || version.bigIntegerValue().signum() <= 0) {
                throw new ManifestException(
                        file + " is not a crossload manifest: it has no schema version under the key 'crossload'");
            }
            if (version.bigIntegerValue().compareTo(BigInteger.valueOf(SCHEMA_VERSION)) > 0) {
                throw new ManifestException(file + " has schema version " + version + ", this crossload reads up to "
                        + SCHEMA_VERSION + "; use the newer crossload's jars");
            }
            Manifest manifest = JSON.treeToValue(content, Manifest.class);
            manifest.check(file);
            return manifest;
        } catch (ManifestException error) {
            throw error;
        } catch (JsonMappingException error) {
            String cause = error instanceof UnrecognizedPropertyException unknown
                    ? "the key '" + unknown.getPropertyName() + "' is unknown"
                    : error.getOriginalMessage().lines().findFirst().orElse("");
            throw new ManifestException(
                    file + " does not follow the manifest's schema at " + place(error) + ": " + cause, error);
        } catch (JsonProcessingException error) {
            throw new ManifestException(
                    file + " is not JSON (" + error.getOriginalMessage() + "); export the bundle again", error);
        } catch (IOException error) {
            throw new ManifestException(file + " cannot be read: " + error.getMessage(), error);
        }
    }

    private void check(Path file) throws ManifestException {
        if (artifacts.stream().map(Artifact::id).distinct().count() < artifacts.size()) {
            throw new ManifestException(file + " has two artifacts of one id; export the bundle again");
        }
        for (Artifact artifact : artifacts) {
            described(file, artifact.bindings().keySet());
        }
        List<String> recorded = vectors.stream().map(VectorsFile::signature).toList();
        described(file, recorded);
        if (recorded.stream().distinct().count() < recorded.size()) {
            throw new ManifestException(file + " has two vectors files for one signature; export the bundle again");
        }
        for (String name : tolerance.keySet()) {
            if (Datatype.ofName(name) == null
                    && signatures.values().stream()
                            .flatMap(s -> s.outputs().stream())
                            .noneMatch(o -> o.name().equals(name))) {
                throw new ManifestException(file + " has a tolerance for '" + name
                        + "', which is neither an output nor a datatype; correct its name");
            }
        }
    }

    private void described(Path file, Collection<String> names) throws ManifestException {
        for (String name : names) {
            if (!signatures.containsKey(name)) {
                throw new ManifestException(file + " names the signature '" + name
                        + "', which it does not describe; export the bundle again");
            }
        }
    }

    private static String place(JsonMappingException error) {
        String path = error.getPath().stream()
                .map(r -> r.getFieldName() == null ? Integer.toString(r.getIndex()) : r.getFieldName())
                .collect(Collectors.joining("."));
        return path.isEmpty() ? "the top level" : path;
    }

    private static <T> List<T> orEmpty(List<T> list) {
        if (list != null && list.contains(null)) {
            throw new IllegalArgumentException("a list has null for an element");
        }
        return list == null ? List.of() : List.copyOf(list);
    }

    private static <K, V> Map<K, V> orEmpty(Map<K, V> map) {
        return map == null ? Map.of() : Collections.unmodifiableMap(new LinkedHashMap<>(map));
    }
}
