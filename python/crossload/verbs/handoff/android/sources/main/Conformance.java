package io.crossload.android;

import io.crossload.compare.Agreement;
import io.crossload.compare.Judge;
import io.crossload.compare.Judgement;
import io.crossload.contract.TensorEntry;
import java.io.IOException;
import java.io.Writer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.json.JSONObject;

/**
 * Asks the model every recorded request and judges each answer by the bundle's rule.
 *
 * <p>It also writes the raw answers as the JSON that {@code crossload verify BUNDLE --from FILE} reads. That file holds no verdicts: there
 * the answers are judged once more, from their bytes.
 */
public final class Conformance {
    private final HandedBundle bundle;
    private final Loader loader;
    private final List<String> failures = new ArrayList<>();
    private int passed;
    private int skipped;

    /** Loads the model; called once for each signature, so that no signature sees what another one left in a variable. */
    public interface Loader {
        /** The model, freshly loaded. */
        ModelRunner load() throws IOException;
    }

    private Conformance(HandedBundle bundle, Loader loader) {
        this.bundle = bundle;
        this.loader = loader;
    }

    /**
     * Runs everything.
     *
     * @param runtime the engine's name
     * @param device words about the device, such as {@code name}, {@code soc}, {@code os}, {@code delegate}, {@code precision}
     * @param answers where the JSON goes; not closed
     * @throws IOException if the model or the vectors cannot be read, or the JSON cannot be written
     */
    public static Conformance run(
            HandedBundle bundle, Loader loader, String runtime, Map<String, String> device, Writer answers)
            throws IOException {
        Conformance found = new Conformance(bundle, loader);
        answers.write("{\"crossload_device\": 1, \"runtime\": " + JSONObject.quote(runtime) + ", \"artifact\": "
                + JSONObject.quote(bundle.artifact()) + ", \"sha256\": " + JSONObject.quote(bundle.sha256())
                + ", \"vectors\": " + object(bundle.vectorHashes()) + ", \"device\": " + object(device)
                + ", \"answers\": [");
        String between = "\n";
        for (HandedSignature signature : bundle.signatures().values()) {
            try (ModelRunner runner = loader.load()) {
                for (HandedBundle.Recorded recorded : bundle.recorded(signature.name())) {
                    String answer = found.ask(runner, signature, recorded);
                    if (answer != null) {
                        answers.write(between + answer);
                        between = ",\n";
                    }
                }
            }
        }
        answers.write("\n]}\n");
        answers.flush();
        return found;
    }

    /** The answers that agree with the recorded ones. */
    public int passed() {
        return passed;
    }

    /** A sentence for each answer that does not agree, and for each request that failed. */
    public List<String> failures() {
        return failures;
    }

    /** Whether at least one answer was judged, and all agree. */
    public boolean holds() {
        return passed > 0 && failures.isEmpty();
    }

    /** {@code PASS: 8 of 8 vectors agree}, or FAIL and the failures. */
    @Override
    public String toString() {
        String counted = passed + " of " + (passed + failures.size()) + " vectors agree";
        String left = skipped == 0 ? "" : "; " + skipped + " leave out an input, which a .tflite has no default for";
        return (holds() ? "PASS: " : "FAIL: ") + counted + left
                + (failures.isEmpty() ? "" : "\n" + String.join("\n", failures));
    }

    /** The JSON of the answer to one request; null for a request that leaves out an input. */
    private String ask(ModelRunner runner, HandedSignature signature, HandedBundle.Recorded recorded) {
        for (HandedSignature.Spec input : signature.inputs()) {
            if (!recorded.inputs().containsKey(input.name())) {
                skipped++;
                return null;
            }
        }
        String place = signature.name() + "/" + recorded.id();
        String begin = "{\"signature\": " + JSONObject.quote(signature.name()) + ", \"vector\": "
                + JSONObject.quote(recorded.id());
        try {
            if (!bundle.isSequence(signature.name())) {
                runner.reset();
            }
            long start = System.nanoTime();
            Map<String, TensorEntry> answer = runner.run(signature, recorded.inputs());
            long nanoseconds = System.nanoTime() - start;
            Judgement judgement = Judge.judge(recorded.outputs(), answer, bundle.tolerances(), false);
            if (judgement.agreement().atLeast(Agreement.CLOSE)) {
                passed++;
            } else {
                failures.add(place + ": " + judgement.reason());
            }
            return begin + ", \"nanoseconds\": " + nanoseconds + ", \"outputs\": [" + outputs(answer) + "]}";
        } catch (RuntimeException error) {
            String reason = error.getMessage() == null ? error.getClass().getSimpleName() : error.getMessage();
            failures.add(place + ": " + reason);
            return begin + ", \"error\": " + JSONObject.quote(reason) + "}";
        }
    }

    private static String outputs(Map<String, TensorEntry> answer) {
        List<String> found = new ArrayList<>();
        for (TensorEntry tensor : answer.values()) {
            byte[] bytes = new byte[tensor.data().remaining()];
            tensor.data().duplicate().get(bytes);
            found.add("{\"name\": " + JSONObject.quote(tensor.name()) + ", \"datatype\": \"" + tensor.datatype().name()
                    + "\", \"shape\": " + tensor.shape() + ", \"hex\": \"" + Hex.of(bytes) + "\"}");
        }
        return String.join(", ", found);
    }

    private static String object(Map<String, String> words) {
        List<String> found = new ArrayList<>();
        words.forEach((name, value) -> found.add(JSONObject.quote(name) + ": " + JSONObject.quote(value)));
        return "{" + String.join(", ", found) + "}";
    }
}
