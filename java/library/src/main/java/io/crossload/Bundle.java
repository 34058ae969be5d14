package io.crossload;

import io.crossload.contract.Hashes;
import io.crossload.contract.Manifest;
import io.crossload.contract.Manifest.Artifact;
import io.crossload.contract.Text;
import io.crossload.contract.Vector;
import io.crossload.contract.Vectors;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.Worker.LoadRequest;
import io.crossload.worker.Worker.Metadata;
import io.crossload.worker.Worker.Model;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A loaded artifact of a bundle, with its signatures. Tags, signatures and tensor names come from the manifest; the library guesses none.
 * {@link SavedModels} and {@link Graphs} open an artifact without a manifest as a bundle of one.
 *
 * <p>Safe for use by several threads at once. {@link #close} frees the model's native memory when the running calls have ended; later calls
 * throw. An open bundle goes on with the model that it loaded if the files are replaced; only {@link #vectors} reads them again, and finds
 * them changed (DATA_LOSS).
 */
public final class Bundle implements AutoCloseable {
    private static final System.Logger LOGGER = System.getLogger(Bundle.class.getName());

    // Codes of a failure that is of this artifact in this release: another artifact of the same model may run.
    private static final Set<Code> ANOTHER_MAY_RUN = EnumSet.of(
            Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNKNOWN, Code.ABORTED);

    private final Path root;
    private final Manifest manifest;
    private final Artifact artifact;
    private final Worker engine;
    private final Metadata metadata;
    private final Model model;
    private final Unpacked files; // null for files that are there already
    private final Map<String, BoundSignature> signatures = new LinkedHashMap<>();
    private volatile boolean closed;

    /** Loads an artifact for its signatures, bound as the engine needs them. */
    private interface Loading {
        Model load(Map<String, Worker.Binding> signatures) throws WorkerException;
    }

    private Bundle(
            Path root,
            Manifest manifest,
            Artifact artifact,
            Worker engine,
            Metadata metadata,
            Unpacked files,
            Loading loading)
            throws WorkerException {
        this.root = root;
        this.manifest = manifest;
        this.artifact = artifact;
        this.engine = engine;
        this.metadata = metadata;
        this.files = files;
        Map<String, Worker.Binding> bindings = new LinkedHashMap<>();
        artifact.bindings().forEach((name, binding) -> {
            BoundSignature signature =
                    BoundSignature.of(this, name, manifest.signatures().get(name), binding, metadata);
            signatures.put(name, signature);
            bindings.put(name, signature.binding());
        });
        model = loading.load(bindings);
    }

    /**
     * Loads a bundle's artifact with {@link Options#DEFAULTS}: checks hashes, runs a first vector of each signature.
     *
     * @param path a bundle's folder, a zip or jar that holds one, or an artifact with its manifest {@code <artifact>.crossload.json} beside it
     * @return the loaded artifact
     * @throws CrossloadException as {@link #open(Path, Options)}
     */
    public static Bundle open(Path path) {
        return open(path, Options.DEFAULTS);
    }

    /**
     * Loads a bundle's artifact: the one that the options name, else the first in the manifest's order that loads, and gives a first
     * answer, in this release; the log tells which others were tried.
     *
     * @param path a bundle's folder, a zip or jar that holds one (unpacked to a temporary folder until {@link #close}), or an artifact with
     *     its manifest {@code <artifact>.crossload.json} beside it
     * @param options the artifact's id, whether to check hashes and to warm up, the engine
     * @return the loaded artifact
     * @throws CrossloadException NOT_FOUND if the path or the artifact's id does not exist; DATA_LOSS if the manifest or a file is damaged,
     *     missing or changed; FAILED_PRECONDITION if the path has no manifest, or the class path has no engine or two; UNIMPLEMENTED if
     *     the engine does not load the format; the engine's own code if loading or the first run fails
     */
    public static Bundle open(Path path, Options options) {
        if (!Unpacked.isZip(path)) {
            return open(path, options, null);
        }
        Unpacked files = Unpacked.zip(path);
        return owning(files, () -> {
            Path manifest = files.only(Manifest.FILE_NAME, file -> file.endsWith(Manifest.FILE_NAME));
            return open(manifest.getParent(), options, files);
        });
    }

    /**
     * Loads a bundle from the class path, as {@link #open(Path, Options)} does: from a folder, a jar, or a jar in a fat jar. What lies in a
     * jar is unpacked to a temporary folder, which {@link #close} deletes.
     *
     * @param anchor a class of the jar that holds the bundle
     * @param folder the bundle's folder: absolute with a leading '/', else relative to the anchor's package. A module that is not open keeps
     *     its folders to itself, but for those under {@code /META-INF}
     * @param options as for {@link #open(Path, Options)}
     * @return the loaded artifact
     * @throws CrossloadException as {@link #open(Path, Options)}; NOT_FOUND if there is no such resource; DATA_LOSS if its jar is damaged;
     *     RESOURCE_EXHAUSTED if it cannot be unpacked
     */
    public static Bundle openResource(Class<?> anchor, String folder, Options options) {
        Unpacked files = Unpacked.resource(anchor, folder, Manifest.FILE_NAME);
        return owning(files, () -> open(files.path(), options, files));
    }

    /** Opens unpacked files, which are deleted if that fails. */
    static Bundle owning(Unpacked files, Supplier<Bundle> opening) {
        try {
            return opening.get();
        } catch (CrossloadException error) {
            files.close();
            throw new CrossloadException(error.code(), files.told(error.getMessage()), error);
        } catch (RuntimeException | Error error) {
            files.close();
            throw error;
        }
    }

    private static Bundle open(Path path, Options options, Unpacked files) {
        Located located = Located.of(path);
        Worker engine = options.engine() == null ? Engines.find() : options.engine();
        Metadata metadata = Engines.metadata(engine);
        List<Artifact> candidates = located.candidates(options.artifact(), metadata);
        Map<Artifact, CrossloadException> failures = new LinkedHashMap<>();
        for (Artifact artifact : candidates) {
            try {
                Bundle bundle = open(located, artifact, engine, metadata, options, files);
                failures.forEach((other, failure) -> LOGGER.log(
                        System.Logger.Level.WARNING,
                        "{0} is taken, because {1} fails: {2}",
                        bundle,
                        other.id(),
                        failure.getMessage()));
                return bundle;
            } catch (CrossloadException error) {
                if (candidates.size() == 1 || !options.fallback() || !ANOTHER_MAY_RUN.contains(error.code())) {
                    throw error;
                }
                failures.put(artifact, error);
            }
        }
        CrossloadException first = failures.values().iterator().next();
        throw new CrossloadException(
                first.code(),
                "no artifact of " + located.root() + " runs in " + metadata.name() + " " + metadata.version() + ": "
                        + failures.entrySet().stream()
                                .map(e -> e.getKey().id() + ": " + e.getValue().getMessage())
                                .collect(Collectors.joining("; "))
                        + "; make one that does in Python: crossload convert " + located.root()
                        + " DESTINATION --runtime "
                        + metadata.name() + "@" + metadata.version(),
                first);
    }

    private static Bundle open(
            Located located, Artifact artifact, Worker engine, Metadata metadata, Options options, Unpacked files) {
        boolean keepState = located.manifest().vectors().stream().anyMatch(v -> v.state() != null);
        Path file = located.root().resolve(artifact.path());
        Bundle bundle = null;
        try {
            if (options.verifyHashes()) {
                Hashes.check(located.root(), artifact.path(), artifact.sha256());
            } else if (!Files.exists(file)) {
                throw new CrossloadException(
                        Code.DATA_LOSS, located.root() + " has no " + artifact.path() + ", which its manifest names");
            }
            bundle = Engines.calling(
                    engine,
                    file + " cannot be loaded",
                    () -> new Bundle(
                            located.root(),
                            located.manifest(),
                            artifact,
                            engine,
                            metadata,
                            files,
                            signatures -> engine.load(new LoadRequest(
                                    file,
                                    artifact.format(),
                                    artifact.tags(),
                                    signatures,
                                    keepState,
                                    List.of(),
                                    options.sessionConfig(),
                                    false))));
            if (options.warmUp()) {
                bundle.warmUp(options.verifyHashes());
            }
            if (options.zeros()) {
                bundle.runZeros();
            }
            return bundle;
        } catch (IOException | RuntimeException | Error error) {
            if (bundle != null) {
                bundle.model.close(); // the files may hold another artifact that runs
            }
            if (error instanceof IOException damaged) {
                throw new CrossloadException(Code.DATA_LOSS, damaged.getMessage(), damaged);
            }
            if (error instanceof Error fatal) {
                throw fatal;
            }
            throw (RuntimeException) error;
        }
    }

    /**
     * Loads an artifact without a manifest, with the signatures that the engine reads from it.
     *
     * @param path of the artifact
     * @param format {@code saved_model} or {@code graph_def}
     * @param tags of a SavedModel's MetaGraph; null for a GraphDef
     * @param inputs names of a graph's tensors; null for its placeholders, or for the SignatureDefs of a SavedModel
     * @param outputs names of a graph's tensors; null for those that nothing takes
     * @param files what {@link #close} deletes; null for nothing
     */
    static Bundle bare(
            Path path,
            String format,
            List<String> tags,
            List<String> inputs,
            List<String> outputs,
            Options options,
            Unpacked files) {
        Worker engine = options.engine() == null ? Engines.find() : options.engine();
        Metadata metadata = Engines.metadata(engine);
        if (!metadata.formats().contains(format)) {
            throw new CrossloadException(
                    Code.UNIMPLEMENTED,
                    metadata.name() + " loads " + Text.listed(metadata.formats()) + ", and " + path + " is '" + format
                            + "'");
        }
        Bundle bundle = Engines.calling(engine, path + " cannot be loaded", () -> {
            Model model = engine.load(
                    new LoadRequest(path, format, tags, Map.of(), false, List.of(), options.sessionConfig(), false));
            try {
                Map<String, Manifest.Signature> promised = new LinkedHashMap<>();
                Map<String, Manifest.Binding> bindings = new LinkedHashMap<>();
                model.ownSignatures(inputs, outputs).forEach((key, own) -> {
                    promised.put(key, own.signature());
                    Worker.Binding bound = own.binding();
                    bindings.put(key, new Manifest.Binding(bound.key(), bound.inputs(), bound.outputs(), null));
                });
                String name = path.getFileName().toString();
                Artifact artifact = new Artifact(name, format, name, tags, null, bindings, null, null);
                Manifest manifest = new Manifest(
                        Manifest.SCHEMA_VERSION,
                        new Manifest.Model(name, null),
                        null,
                        promised,
                        List.of(artifact),
                        null,
                        null,
                        null);
                return new Bundle(path.getParent(), manifest, artifact, engine, metadata, files, signatures -> model);
            } catch (WorkerException | RuntimeException | Error error) {
                model.close();
                throw error;
            }
        });
        try {
            if (options.zeros()) {
                bundle.runZeros();
            }
            return bundle;
        } catch (RuntimeException | Error error) {
            bundle.model.close();
            throw error;
        }
    }

    /** {@return the names of the artifact's signatures, in the order of its bindings in the manifest} */
    public List<String> signatures() {
        return List.copyOf(signatures.keySet());
    }

    /**
     * {@return a signature of the artifact, which may be kept and called any number of times}
     *
     * @param name its key in the manifest
     * @throws CrossloadException NOT_FOUND if the artifact has no such signature
     * @throws NullPointerException for a null name
     */
    public BoundSignature signature(String name) {
        Objects.requireNonNull(name, "the signature's name");
        BoundSignature signature = signatures.get(name);
        if (signature == null) {
            throw new CrossloadException(
                    Code.NOT_FOUND,
                    "the artifact '" + artifact.id() + "' has no signature '" + name + "'"
                            + Text.near(name, signatures.keySet()));
        }
        return signature;
    }

    /** {@return the bundle's manifest} */
    public Manifest manifest() {
        return manifest;
    }

    /** {@return the loaded artifact} */
    public Artifact artifact() {
        return artifact;
    }

    /** {@return the engine's identity: name, release, formats, parameters} */
    public Metadata engine() {
        return metadata;
    }

    /**
     * Reads the recorded vectors of a signature.
     *
     * @param signature the signature's key in the manifest
     * @return the vectors in the file's order; empty if the manifest has none for the signature
     * @throws CrossloadException DATA_LOSS if the vectors file is missing, damaged or changed
     */
    public List<Vector> vectors(String signature) {
        return vectors(signature, true);
    }

    private List<Vector> vectors(String signature, boolean verify) {
        if (closed && files != null) {
            throw ended(); // with its files
        }
        try {
            for (Manifest.VectorsFile file : manifest.vectors()) {
                if (file.signature().equals(signature)) {
                    if (verify) {
                        Hashes.check(root, file.path(), file.sha256());
                    }
                    return Vectors.read(root.resolve(file.path()), file.count());
                }
            }
            return List.of();
        } catch (IOException error) {
            throw new CrossloadException(Code.DATA_LOSS, error.getMessage(), error);
        }
    }

    /** Runs a first vector of each signature, unless the model keeps state, which that would change. */
    private void warmUp(boolean verify) {
        if (manifest.vectors().stream().anyMatch(v -> v.state() != null)) {
            return;
        }
        for (BoundSignature signature : signatures.values()) {
            List<Vector> vectors = vectors(signature.name(), verify);
            if (!vectors.isEmpty() && signature.carried()) {
                Map<String, HostTensor> inputs = new LinkedHashMap<>();
                vectors.get(0).inputs().forEach((name, entry) -> inputs.put(name, HostTensor.viewOf(entry)));
                signature.call(inputs);
            }
        }
    }

    /** Runs zeros through each signature without vectors. That they fail says nothing: they may be no value that the model takes. */
    private void runZeros() {
        List<String> recorded =
                manifest.vectors().stream().map(Manifest.VectorsFile::signature).toList();
        for (BoundSignature signature : signatures.values()) {
            if (signature.carried() && !recorded.contains(signature.name())) {
                try {
                    signature.zeros().ifPresent(signature::call);
                } catch (CrossloadException | OutOfMemoryError error) {
                    LOGGER.log(System.Logger.Level.DEBUG, "{0} is not warmed up: {1}", this, error.getMessage());
                }
            }
        }
    }

    Model model() {
        if (closed) {
            throw ended();
        }
        return model;
    }

    private CrossloadException ended() {
        return new CrossloadException(
                Code.FAILED_PRECONDITION, "the bundle " + root + " is closed; call it before, or open it again");
    }

    Worker worker() {
        return engine;
    }

    /** Frees the model, and deletes what was unpacked for it. A second call does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            // TensorFlow waits for running calls before it frees the session; of an interrupted thread it would not,
            // and leak it.
            boolean interrupted = Thread.interrupted();
            try {
                model.close();
                if (files != null) {
                    files.close();
                }
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    /** The bundle's folder, the artifact's id, the engine's name and release. */
    @Override
    public String toString() {
        return root + ", " + artifact.id() + " in " + metadata.name() + " " + metadata.version();
    }
}
