package io.crossload.junit;

import io.crossload.Bundle;
import io.crossload.CrossloadException;
import io.crossload.HostTensor;
import io.crossload.Options;
import io.crossload.compare.Agreement;
import io.crossload.compare.Judge;
import io.crossload.compare.Judgement;
import io.crossload.contract.Manifest;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Vector;
import io.crossload.worker.Code;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.opentest4j.AssertionFailedError;

/** An open bundle with its vectors: runs each of them and compares the answers. */
final class Conformance implements AutoCloseable {
    private static final String CLASSPATH = "classpath:";

    private final Bundle bundle;
    private final Options options;
    private final Path path;
    private final Agreement wanted;
    private final List<Case> cases = new ArrayList<>();

    /** One vector of one signature; {@code before} are those that a signature with state runs first. */
    record Case(String name, String signature, Vector vector, List<Vector> before) {}

    private Conformance(Bundle bundle, Options options, Path path, Agreement wanted) {
        this.bundle = bundle;
        this.options = options;
        this.path = path;
        this.wanted = wanted;
    }

    /**
     * Loads the bundle and reads its vectors.
     *
     * @param loader finds {@code classpath:} resources
     * @throws AssertionFailedError if the bundle does not load, or a signature has no vectors
     */
    static Conformance open(ConformsTo wanted, ClassLoader loader) {
        Path path = path(wanted.value(), loader);
        Options options = Options.DEFAULTS
                .withArtifact(wanted.artifact().isEmpty() ? null : wanted.artifact())
                .withFallback(false) // an artifact that does not load must not pass by another's answers
                .withWarmUp(false);
        Conformance conformance;
        try {
            conformance = new Conformance(Bundle.open(path, options), options, path, wanted.agreement());
        } catch (CrossloadException error) {
            throw Outcome.LOAD_ERROR.failure(error.getMessage(), error);
        }
        try {
            conformance.collect(
                    wanted.signatures().length > 0 ? List.of(wanted.signatures()) : conformance.bundle.signatures());
            return conformance;
        } catch (CrossloadException error) {
            conformance.close();
            throw Outcome.NOT_RUN.failure(error.getMessage(), error);
        } catch (RuntimeException | Error error) {
            conformance.close();
            throw error;
        }
    }

    private static Path path(String value, ClassLoader loader) {
        if (!value.startsWith(CLASSPATH)) {
            return Path.of(value);
        }
        String name = value.substring(CLASSPATH.length());
        // A jar may have no entry for a folder, but it has one for the manifest.
        URL found = loader.getResource(name + "/" + Manifest.FILE_NAME);
        boolean folder = found != null;
        found = folder ? found : loader.getResource(name);
        if (found == null || !found.getProtocol().equals("file")) {
            throw Outcome.NOT_RUN.failure(
                    value
                            + (found == null
                                    ? " is not on the class path; put the bundle into src/test/resources"
                                    : " is inside a jar, where TensorFlow cannot read it; unpack it, and name its path"),
                    null);
        }
        try {
            Path path = Path.of(new URI(found.toString()));
            return folder ? path.getParent() : path;
        } catch (URISyntaxException error) {
            throw Outcome.NOT_RUN.failure(found + " is not the path of a file", error);
        }
    }

    private void collect(List<String> signatures) {
        for (String signature : signatures) {
            bundle.signature(signature); // throws if the artifact has no such signature
            List<Vector> vectors = bundle.vectors(signature);
            if (vectors.isEmpty()) {
                throw Outcome.NOT_RUN.failure(
                        bundle + ": the signature '" + signature
                                + "' has no vectors, so that nothing would be compared; export the bundle again",
                        null);
            }
            for (int at = 0; at < vectors.size(); at++) {
                Vector vector = vectors.get(at);
                String name = bundle.artifact().id() + ", " + signature + ", " + vector.id();
                List<Vector> before = keepsState(signature) ? vectors.subList(0, at) : List.of();
                cases.add(new Case(name, signature, vector, before));
            }
        }
        if (cases.isEmpty()) {
            throw Outcome.NOT_RUN.failure(
                    bundle + ": the artifact has no signature, so that nothing would be compared", null);
        }
    }

    private boolean keepsState(String signature) {
        return bundle.manifest().vectors().stream()
                .anyMatch(v -> v.state() != null && v.signature().equals(signature));
    }

    /** The vectors of all signatures; at least one. */
    List<Case> cases() {
        return cases;
    }

    /**
     * Runs one vector and compares the answer. If the bundle keeps state, a freshly loaded one runs the vectors before it first.
     *
     * @return outcome, agreement and metrics of an answer that agrees
     * @throws AssertionFailedError if the answer does not agree, or the call fails
     */
    String check(Case asked) {
        if (bundle.manifest().vectors().stream().allMatch(v -> v.state() == null)) {
            return check(bundle, asked);
        }
        try (Bundle fresh = Bundle.open(path, options.withVerifyHashes(false))) {
            for (Vector earlier : asked.before()) {
                call(fresh, asked.signature(), earlier);
            }
            return check(fresh, asked);
        } catch (CrossloadException error) {
            throw Outcome.LOAD_ERROR.failure(error.getMessage(), error);
        }
    }

    private String check(Bundle model, Case asked) {
        Judgement judgement = Judge.judge(
                asked.vector().outputs(),
                call(model, asked.signature(), asked.vector()),
                model.manifest().tolerance(),
                false);
        if (!judgement.agreement().atLeast(wanted)) {
            throw new AssertionFailedError(
                    Outcome.MISMATCH + " (asked for " + wanted + "): " + judgement, wanted, judgement.agreement());
        }
        return Outcome.OK + ": " + judgement;
    }

    private static Map<String, TensorEntry> call(Bundle model, String signature, Vector vector) {
        Map<String, HostTensor> inputs = new LinkedHashMap<>();
        vector.inputs().forEach((name, entry) -> inputs.put(name, tensor(entry)));
        Map<String, TensorEntry> answer = new LinkedHashMap<>();
        try {
            model.signature(signature).call(inputs).forEach((name, tensor) -> answer.put(name, entry(name, tensor)));
        } catch (CrossloadException error) {
            Outcome outcome = error.code() == Code.UNIMPLEMENTED ? Outcome.UNSUPPORTED : Outcome.RUN_ERROR;
            throw outcome.failure(error.getMessage(), error);
        }
        return answer;
    }

    private static HostTensor tensor(TensorEntry entry) {
        long[] shape = entry.shape().stream().mapToLong(Long::longValue).toArray();
        return HostTensor.of(entry.datatype(), entry.data(), shape);
    }

    private static TensorEntry entry(String name, HostTensor tensor) {
        List<Long> shape = java.util.Arrays.stream(tensor.shape()).boxed().toList();
        return new TensorEntry(name, tensor.datatype(), shape, tensor.buffer());
    }

    @Override
    public void close() {
        bundle.close();
    }
}
