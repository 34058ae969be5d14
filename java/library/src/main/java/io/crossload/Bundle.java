package io.crossload;

import io.crossload.contract.Hashes;
import io.crossload.contract.Manifest;
import io.crossload.contract.Manifest.Artifact;
import io.crossload.contract.ManifestException;
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
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A loaded artifact of a bundle, with its signatures. Tags, signatures and tensor names come from the manifest; the library guesses none.
 *
 * <p>Safe for use by several threads at once. {@link #close} frees the model's native memory when the running calls have ended; later calls
 * throw.
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
    private final Map<String, BoundSignature> signatures = new LinkedHashMap<>();
    private volatile boolean closed;

    private Bundle(
            Path root, Manifest manifest, Artifact artifact, Worker engine, Metadata metadata, byte[] sessionConfig)
            throws WorkerException {
        this.root = root;
        this.manifest = manifest;
        this.artifact = artifact;
        this.engine = engine;
        this.metadata = metadata;
        Map<String, Worker.Binding> bindings = new LinkedHashMap<>();
        artifact.bindings().forEach((name, binding) -> {
            BoundSignature signature =
                    BoundSignature.of(this, name, manifest.signatures().get(name), binding, metadata);
            signatures.put(name, signature);
            bindings.put(name, signature.binding());
        });
        boolean keepState = manifest.vectors().stream().anyMatch(v -> v.state() != null);
        model = engine.load(new LoadRequest(
                root.resolve(artifact.path()),
                artifact.format(),
                artifact.tags(),
                bindings,
                keepState,
                List.of(),
                sessionConfig,
                false));
    }

    /**
     * Loads a bundle's artifact with {@link Options#DEFAULTS}: checks hashes, runs a first vector of each signature.
     *
     * @param path a bundle's folder, or an artifact with its manifest {@code <artifact>.crossload.json} beside it
     * @throws CrossloadException as {@link #open(Path, Options)}
     */
    public static Bundle open(Path path) {
        return open(path, Options.DEFAULTS);
    }

    /**
     * Loads a bundle's artifact: the one that the options name, else the first in the manifest's order that loads, and gives a first answer,
     * in this release; the log tells which others were tried.
     *
     * @param path a bundle's folder, or an artifact with its manifest {@code <artifact>.crossload.json} beside it
     * @param options the artifact's id, whether to check hashes and to warm up, the engine
     * @throws CrossloadException NOT_FOUND if the path or the artifact's id does not exist; DATA_LOSS if the manifest or a file is damaged,
     *     missing or changed; FAILED_PRECONDITION if the path has no manifest, or the class path has no engine or two; UNIMPLEMENTED if
     *     the engine does not load the format; the engine's own code if loading or the first run fails
     */
    public static Bundle open(Path path, Options options) {
        Located located = locate(path);
        Worker engine = options.engine() == null ? Engines.find() : options.engine();
        Metadata metadata = Engines.metadata(engine);
        List<Artifact> candidates = candidates(located, options.artifact(), metadata);
        Map<Artifact, CrossloadException> failures = new LinkedHashMap<>();
        for (Artifact artifact : candidates) {
            try {
                Bundle bundle = open(located, artifact, engine, metadata, options);
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

    private static Bundle open(Located located, Artifact artifact, Worker engine, Metadata metadata, Options options) {
        Bundle bundle = null;
        try {
            if (options.verifyHashes()) {
                Hashes.check(located.root(), artifact.path(), artifact.sha256());
            } else if (!Files.exists(located.root().resolve(artifact.path()))) {
                throw new CrossloadException(
                        Code.DATA_LOSS, located.root() + " has no " + artifact.path() + ", which its manifest names");
            }
            bundle = Engines.calling(
                    engine,
                    located.root().resolve(artifact.path()) + " cannot be loaded",
                    () -> new Bundle(
                            located.root(), located.manifest(), artifact, engine, metadata, options.sessionConfig()));
            if (options.warmUp()) {
                bundle.warmUp(options.verifyHashes());
            }
            return bundle;
        } catch (IOException | RuntimeException error) {
            if (bundle != null) {
                bundle.close();
            }
            if (error instanceof IOException damaged) {
                throw new CrossloadException(Code.DATA_LOSS, damaged.getMessage(), damaged);
            }
            throw (RuntimeException) error;
        }
    }

    /** The names of the artifact's signatures, in the order of its bindings in the manifest. */
    public List<String> signatures() {
        return List.copyOf(signatures.keySet());
    }

    /**
     * A signature of the artifact, which may be kept and called any number of times.
     *
     * @param name its key in the manifest
     * @throws CrossloadException NOT_FOUND if the artifact has no such signature
     */
    public BoundSignature signature(String name) {
        BoundSignature signature = signatures.get(name);
        if (signature == null) {
            throw new CrossloadException(
                    Code.NOT_FOUND,
                    "the artifact '" + artifact.id() + "' has no signature '" + name + "'"
                            + Text.near(name, signatures.keySet()));
        }
        return signature;
    }

    /** The bundle's manifest. */
    public Manifest manifest() {
        return manifest;
    }

    /** The loaded artifact. */
    public Artifact artifact() {
        return artifact;
    }

    /** The engine's identity: name, release, formats, parameters. */
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

    Model model() {
        if (closed) {
            throw new CrossloadException(
                    Code.FAILED_PRECONDITION, "the bundle " + root + " is closed; call it before, or open it again");
        }
        return model;
    }

    Worker worker() {
        return engine;
    }

    /** Frees the model. A second call does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            model.close();
        }
    }

    /** A manifest, the folder that its paths are relative to, and the path of the requested artifact (null for any). */
    private record Located(Path root, Manifest manifest, String wanted) {}

    private static Located locate(Path path) {
        Path absolute = path.toAbsolutePath().normalize();
        Path root = absolute.getParent() == null ? absolute : absolute.getParent();
        Path name = absolute.getFileName();
        try {
            if (Files.isRegularFile(absolute.resolve(Manifest.FILE_NAME))) {
                return new Located(absolute, Manifest.read(absolute.resolve(Manifest.FILE_NAME)), null);
            }
            if (!Files.exists(absolute) || name == null) {
                throw new CrossloadException(Code.NOT_FOUND, absolute + ": there is no such file or folder");
            }
            for (Path file : List.of(
                    absolute.resolveSibling(name + "." + Manifest.FILE_NAME), root.resolve(Manifest.FILE_NAME))) {
                if (Files.isRegularFile(file)) {
                    Manifest manifest = Manifest.read(file);
                    if (manifest.artifacts().stream().anyMatch(a -> a.path().equals(name.toString()))) {
                        return new Located(root, manifest, name.toString());
                    }
                }
            }
        } catch (ManifestException error) {
            throw new CrossloadException(Code.DATA_LOSS, error.getMessage(), error);
        }
        throw new CrossloadException(
                Code.FAILED_PRECONDITION,
                absolute + " has no manifest (no " + Manifest.FILE_NAME + " inside, no " + name + "."
                        + Manifest.FILE_NAME + " beside it); make one in Python: crossload export " + name
                        + " -o BUNDLE");
    }

    /** The artifacts that the engine may load, in the manifest's order: at least one. */
    private static List<Artifact> candidates(Located located, String id, Metadata metadata) {
        List<Artifact> all = located.manifest().artifacts().stream()
                .filter(a -> located.wanted() == null || a.path().equals(located.wanted()))
                .toList();
        if (id != null && all.stream().noneMatch(a -> a.id().equals(id))) {
            throw new CrossloadException(
                    Code.NOT_FOUND,
                    located.root() + " has no artifact '" + id + "'"
                            + Text.near(id, all.stream().map(Artifact::id).toList()));
        }
        List<Artifact> wanted =
                all.stream().filter(a -> id == null || a.id().equals(id)).toList();
        List<Artifact> taken = wanted.stream()
                .filter(a -> metadata.formats().contains(a.format()))
                .toList();
        if (taken.isEmpty()) {
            throw new CrossloadException(
                    Code.UNIMPLEMENTED,
                    metadata.name() + " loads " + Text.listed(metadata.formats()) + ", and the artifacts of "
                            + located.root() + " are "
                            + Text.listed(wanted.stream().map(Artifact::format).collect(Collectors.toSet()))
                            + "; convert one in Python: crossload convert");
        }
        return taken;
    }

    /** The bundle's folder, the artifact's id, the engine's name and release. */
    @Override
    public String toString() {
        return root + ", " + artifact.id() + " in " + metadata.name() + " " + metadata.version();
    }
}
