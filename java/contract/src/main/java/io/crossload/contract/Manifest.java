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
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * The manifest {@code crossload.json}: signatures, artifacts, vectors and tolerances of a bundle (bindings/contract/manifest.schema.json).
 * Lists and maps keep the file's order. A list or map that the file leaves out is empty; other components are null only where their
 * documentation says so.
 *
 * @param crossload the schema's version
 * @param model the model's name and version
 * @param producer versions of the software that exported it, by name
 * @param signatures by key
 * @param artifacts the saved models
 * @param leftOut formats that the model could not be exported to
 * @param vectors the vectors files, at most one a signature
 * @param tolerance by output name or by the contract's name of a datatype
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

    /** The manifest's file name in a bundle. The manifest of a single artifact is {@code <artifact>.crossload.json} beside it. */
    public static final String FILE_NAME = "crossload.json";

    /** The newest version of the schema that {@link #read} accepts. */
    public static final int SCHEMA_VERSION = 1;

    private static final JsonMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            // A misspelt key must fail: a tolerance under it would silently never apply.
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    /**
     * Replaces null lists and maps by empty ones.
     *
     * @param crossload the schema's version
     * @param model the model's name and version
     * @param producer versions of the software that exported it, by name
     * @param signatures by key
     * @param artifacts the saved models
     * @param leftOut formats that the model could not be exported to
     * @param vectors the vectors files, at most one a signature
     * @param tolerance by output name or by the contract's name of a datatype
     */
    public Manifest {
        producer = orEmpty(producer);
        signatures = orEmpty(signatures);
        artifacts = orEmpty(artifacts);
        leftOut = orEmpty(leftOut);
        vectors = orEmpty(vectors);
        tolerance = orEmpty(tolerance);
    }

    /**
     * A model's name and version.
     *
     * @param name the name
     * @param version the version
     */
    public record Model(@JsonProperty(required = true) String name, String version) {
        /**
         * Replaces a null version by 1.
         *
         * @param name the name
         * @param version the version
         */
        public Model {
            version = version == null ? "1" : version;
        }
    }

    /**
     * A signature: named inputs and outputs, in order.
     *
     * @param methodName the SignatureDef's method name; may be empty
     * @param inputs its inputs
     * @param outputs its outputs
     */
    @JsonIgnoreProperties("key")
    public record Signature(
            String methodName,
            @JsonProperty(required = true) List<TensorSpec> inputs,
            @JsonProperty(required = true) List<TensorSpec> outputs) {}

    /**
     * An input or output of a signature.
     *
     * @param name its name in the signature
     * @param datatype its datatype
     * @param shape its dimensions, -1 for a free one; null if the rank is unknown
     * @param defaultValue the value of an input that a caller leaves out; null for a required input and for an output
     */
    public record TensorSpec(String name, Datatype datatype, List<Long> shape, TensorEntry defaultValue) {
        // The keys tensor and quantization are known but not kept: the artifact's binding names the tensor.
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
     * A saved model in one format.
     *
     * @param id the artifact's name in the bundle
     * @param format {@code saved_model}, {@code graph_def}, …
     * @param path relative to the manifest's folder
     * @param tags the tags of a SavedModel's MetaGraph; null for other formats
     * @param sha256 of the file or folder ({@link Hashes})
     * @param bindings by signature
     * @param made how it was converted, or null
     * @param quality how far a quantised artifact is from the float model, by output
     */
    public record Artifact(
            @JsonProperty(required = true) String id,
            @JsonProperty(required = true) String format,
            @JsonProperty(required = true) String path,
            List<String> tags,
            @JsonProperty(required = true) String sha256,
            Map<String, Binding> bindings,
            Made made,
            List<Quality> quality) {
        /**
         * Replaces a null map or list by an empty one.
         *
         * @param id the artifact's name in the bundle
         * @param format {@code saved_model}, {@code graph_def}, …
         * @param path relative to the manifest's folder
         * @param tags the tags of a SavedModel's MetaGraph; null for other formats
         * @param sha256 of the file or folder ({@link Hashes})
         * @param bindings by signature
         * @param made how it was converted, or null
         * @param quality how far a quantised artifact is from the float model, by output
         */
        public Artifact {
            bindings = orEmpty(bindings);
            quality = orEmpty(quality);
        }
    }

    /**
     * How far an output of a quantised artifact is from the float model's; a component is null where it does not apply.
     *
     * @param signature the key of the signature
     * @param output the output's name
     * @param data what the requests were taken from
     * @param rows the number of requests
     * @param accuracy the share of labels that the quantised model predicts
     * @param floatAccuracy the share that the float model predicts
     * @param decisions the share of rows with the same argmax
     * @param flipMargin the greatest margin of a decision that changes, as a share of the output's range
     * @param sqnr the signal-to-quantisation-noise ratio in dB
     * @param cosine the cosine of both models' answers
     * @param maxAbs the greatest error
     * @param meanAbs the mean error
     * @param maxSteps the greatest error in steps of the output's scale
     * @param meanSteps the mean error in steps
     * @param collapsed what makes the output useless, or null
     */
    public record Quality(
            String signature,
            String output,
            String data,
            int rows,
            Double accuracy,
            Double floatAccuracy,
            Double decisions,
            Double flipMargin,
            Double sqnr,
            Double cosine,
            Double maxAbs,
            Double meanAbs,
            Double maxSteps,
            Double meanSteps,
            String collapsed) {}

    /**
     * The tensors of one artifact that a signature's inputs and outputs are.
     *
     * @param key the SignatureDef's key inside the artifact; null if the artifact has no SignatureDef for the signature
     * @param inputs tensor names ({@code operation:index}) or tensor indices, by input name
     * @param outputs tensor names or tensor indices, by output name
     * @param bridge the tensors for runtimes that lack a datatype of the signature; null if there are none
     */
    public record Binding(String key, Map<String, String> inputs, Map<String, String> outputs, Bridge bridge) {
        /**
         * Replaces null maps by empty ones.
         *
         * @param key the SignatureDef's key inside the artifact; null if the artifact has no SignatureDef for the signature
         * @param inputs tensor names ({@code operation:index}) or tensor indices, by input name
         * @param outputs tensor names or tensor indices, by output name
         * @param bridge the tensors for runtimes that lack a datatype of the signature; null if there are none
         */
        public Binding {
            inputs = orEmpty(inputs);
            outputs = orEmpty(outputs);
        }
    }

    /**
     * The same computation with inputs and outputs in carrier datatypes (bindings/contract/README.md, section Bridges).
     *
     * @param key the key of the bridge's own SignatureDef; null in a GraphDef
     * @param inputs tensor names, by input name
     * @param outputs tensor names, by output name
     * @param carriers the carrier of each datatype that has one
     */
    public record Bridge(
            String key,
            Map<String, String> inputs,
            Map<String, String> outputs,
            @JsonProperty(required = true) Map<Datatype, Datatype> carriers) {
        /**
         * Replaces null maps by empty ones.
         *
         * @param key the key of the bridge's own SignatureDef; null in a GraphDef
         * @param inputs tensor names, by input name
         * @param outputs tensor names, by output name
         * @param carriers the carrier of each datatype that has one
         */
        public Bridge {
            inputs = orEmpty(inputs);
            outputs = orEmpty(outputs);
        }
    }

    /**
     * How an artifact was converted.
     *
     * @param source the format of the source
     * @param way the formats of the conversion path
     * @param verified whether source and result gave the same answers
     * @param runtimes the runtimes that it was converted for, or null
     * @param repairs the changes made for these runtimes, or null
     */
    public record Made(
            String source, List<String> way, boolean verified, List<String> runtimes, List<String> repairs) {}

    /**
     * A request that the reference did not answer, or a format that the model could not be exported to, with the reason.
     *
     * @param id the request's name, or the format
     * @param reason one sentence
     */
    public record LeftOut(String id, String reason) {}

    /**
     * A vectors file and its origin.
     *
     * @param signature the key of the signature
     * @param path relative to the manifest's folder
     * @param count the number of vectors in it
     * @param sha256 of the file
     * @param seed the seed of the random requests
     * @param reference the runtime that recorded the answers
     * @param leftOut requests that the reference did not answer
     * @param rounding by output, how the rounding beside its answers was found, and the greatest of it
     * @param steps by output of a quantised model, its scale and how many steps of it are close
     * @param strength how many faults seeded into the reference's graph the vectors detect, or null
     * @param state why an answer depends on the requests before it, or null; then the vectors are a sequence, which starts with a
     *     freshly loaded model
     */
    public record VectorsFile(
            @JsonProperty(required = true) String signature,
            @JsonProperty(required = true) String path,
            @JsonProperty(required = true) int count,
            @JsonProperty(required = true) String sha256,
            long seed,
            Reference reference,
            List<LeftOut> leftOut,
            Map<String, Rounding> rounding,
            Map<String, Steps> steps,
            Strength strength,
            String state) {
        /**
         * Replaces a null list by an empty one.
         *
         * @param signature the key of the signature
         * @param path relative to the manifest's folder
         * @param count the number of vectors in it
         * @param sha256 of the file
         * @param seed the seed of the random requests
         * @param reference the runtime that recorded the answers
         * @param leftOut requests that the reference did not answer
         * @param rounding by output, how the rounding beside its answers was found, and the greatest of it
         * @param steps by output of a quantised model, its scale and how many steps of it are close
         * @param strength how many faults seeded into the reference's graph the vectors detect, or null
         * @param state why an answer depends on the requests before it, or null; then the vectors are a sequence, which starts with a
         *     freshly loaded model
         */
        public VectorsFile {
            leftOut = orEmpty(leftOut);
            rounding = rounding == null ? Map.of() : rounding;
            steps = orEmpty(steps);
        }
    }

    /**
     * The rounding of an output's recorded answers.
     *
     * @param origin {@code float64}: the distance to the same graph in float64; {@code perturbation}: the spread when inputs and weights
     *     are moved by half a unit in the last place; {@code datatype}: a share of the largest element
     * @param largest the greatest distance beside any recorded answer, absolute
     * @param narrow the ops that have no kernel for float64
     */
    public record Rounding(String origin, double largest, List<String> narrow) {
        /**
         * Replaces a null list by an empty one.
         *
         * @param origin {@code float64}: the distance to the same graph in float64; {@code perturbation}: the spread when inputs and
         *     weights are moved by half a unit in the last place; {@code datatype}: a share of the largest element
         * @param largest the greatest distance beside any recorded answer, absolute
         * @param narrow the ops that have no kernel for float64
         */
        public Rounding {
            narrow = orEmpty(narrow);
        }
    }

    /**
     * How a quantised output is judged.
     *
     * @param scale one step
     * @param allowed how many steps are close
     * @param ops the file's operators that allow the most steps
     */
    public record Steps(double scale, int allowed, List<String> ops) {
        /**
         * Replaces a null list by an empty one.
         *
         * @param scale one step
         * @param allowed how many steps are close
         * @param ops the file's operators that allow the most steps
         */
        public Steps {
            ops = orEmpty(ops);
        }
    }

    /**
     * What vectors are worth: the faults seeded, one at a time, into the reference's frozen graph that they detect.
     *
     * @param seeded the number of faults
     * @param detected how many of them
     * @param unseen the others
     * @param notMeasured why nothing was measured, or null
     */
    public record Strength(int seeded, int detected, List<SeededFault> unseen, String notMeasured) {
        /**
         * Replaces a null list by an empty one.
         *
         * @param seeded the number of faults
         * @param detected how many of them
         * @param unseen the others
         * @param notMeasured why nothing was measured, or null
         */
        public Strength {
            unseen = orEmpty(unseen);
        }
    }

    /**
     * A node of the reference's graph, and what was done to it.
     *
     * @param node the node's name
     * @param kind the kind of fault
     */
    public record SeededFault(String node, String kind) {}

    /**
     * The runtime that recorded the answers.
     *
     * @param runtime its name
     * @param version its version
     * @param artifact the id of the artifact that it ran
     * @param environment settings that may change an answer's last bits, by name
     */
    public record Reference(String runtime, String version, String artifact, Map<String, String> environment) {}

    /**
     * Reads a manifest.
     *
     * @param file the path of the manifest
     * @return the manifest
     * @throws ManifestException if the file cannot be read, has a newer schema version, has an unknown or lacks a required key, or
     *     contradicts itself
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
        if (list != null && list.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("a list has null for an element");
        }
        return list == null ? List.of() : List.copyOf(list);
    }

    private static <K, V> Map<K, V> orEmpty(Map<K, V> map) {
        return map == null ? Map.of() : Collections.unmodifiableMap(new LinkedHashMap<>(map));
    }
}
