package io.crossload.android;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Tolerance;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** The handed-over model: its manifest {@code crossload.json}, its signatures, its recorded requests and answers. */
public final class HandedBundle {
    /** The longest JSON header of a recorded request or answer. */
    private static final int MAX_HEADER = 64 << 20;

    private final Source source;
    private final JSONObject manifest;
    private final JSONObject artifact;
    private final boolean variables;
    private final Map<String, HandedSignature> signatures = new LinkedHashMap<>();
    private final Map<String, Tolerance> tolerances = new LinkedHashMap<>();

    /** Opens a file of the model by its path in the assets' folder {@code crossload}. */
    public interface Source {
        /** The file's bytes; the caller closes the stream. */
        InputStream open(String path) throws IOException;
    }

    /** A recorded request and the reference's answer. */
    public record Recorded(String id, Map<String, TensorEntry> inputs, Map<String, TensorEntry> outputs) {}

    private HandedBundle(Source source) throws IOException, JSONException {
        this.source = source;
        this.manifest = json("crossload.json");
        this.artifact = manifest.getJSONArray("artifacts").getJSONObject(0);
        JSONObject handed = json("handed.json");
        this.variables = handed.getBoolean("variables");
        JSONObject files = handed.getJSONObject("signatures");
        JSONObject described = manifest.getJSONObject("signatures");
        for (String name : keys(files)) {
            JSONObject file = files.getJSONObject(name);
            JSONObject signature = described.getJSONObject(name);
            signatures.put(
                    name,
                    new HandedSignature(
                            name,
                            file.getString("key"),
                            specs(signature.getJSONArray("inputs"), file.getJSONObject("inputs")),
                            specs(signature.getJSONArray("outputs"), file.getJSONObject("outputs"))));
        }
        JSONObject given = manifest.optJSONObject("tolerance");
        for (String name : given == null ? List.<String>of() : keys(given)) {
            JSONObject one = given.getJSONObject(name);
            tolerances.put(
                    name, new Tolerance(one.optDouble("rtol", 0), one.optDouble("atol", 0), one.optLong("ulp", 4)));
        }
    }

    /**
     * Reads the manifest.
     *
     * @throws IOException if a file cannot be read or is not what crossload wrote
     */
    public static HandedBundle open(Source source) throws IOException {
        try {
            return new HandedBundle(source);
        } catch (JSONException error) {
            throw new IOException("the model's manifest is not what crossload wrote: " + error.getMessage(), error);
        }
    }

    /** The signatures, by name. */
    public Map<String, HandedSignature> signatures() {
        return signatures;
    }

    /** The manifest's tolerances, by output name or datatype. */
    public Map<String, Tolerance> tolerances() {
        return tolerances;
    }

    /** Whether the model keeps values from one call to the next. */
    public boolean hasVariables() {
        return variables;
    }

    /** The artifact's id. */
    public String artifact() {
        return artifact.optString("id");
    }

    /** The path of the .tflite file. */
    public String modelPath() {
        return artifact.optString("path");
    }

    /**
     * The .tflite file, in memory of its own.
     *
     * @throws IOException if it cannot be read or is not the file that was handed over
     */
    public ByteBuffer model() throws IOException {
        byte[] bytes = bytes(modelPath());
        checked(modelPath(), bytes, sha256());
        ByteBuffer model = ByteBuffer.allocateDirect(bytes.length).order(ByteOrder.nativeOrder());
        model.duplicate().put(bytes);
        return model;
    }

    /** The sha256 of the .tflite file, as the manifest has it. */
    public String sha256() {
        return artifact.optString("sha256");
    }

    /** The sha256 of the vectors file of each signature. */
    public Map<String, String> vectorHashes() {
        Map<String, String> found = new LinkedHashMap<>();
        for (JSONObject entry : vectorFiles()) {
            found.put(entry.optString("signature"), entry.optString("sha256"));
        }
        return found;
    }

    /** Whether the answers of a signature depend on earlier ones: then its requests are one sequence after a fresh load. */
    public boolean isSequence(String signature) {
        for (JSONObject entry : vectorFiles()) {
            if (entry.optString("signature").equals(signature)) {
                return !entry.isNull("state");
            }
        }
        return false;
    }

    /**
     * The recorded requests and answers of a signature, in order.
     *
     * @throws IOException if the file cannot be read or is not the one that was handed over
     */
    public List<Recorded> recorded(String signature) throws IOException {
        List<Recorded> found = new ArrayList<>();
        for (JSONObject entry : vectorFiles()) {
            if (entry.optString("signature").equals(signature)) {
                byte[] bytes = bytes(entry.optString("path"));
                checked(entry.optString("path"), bytes, entry.optString("sha256"));
                ByteBuffer frames = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
                try {
                    while (frames.hasRemaining()) {
                        JSONObject request = header(frames);
                        Map<String, TensorEntry> inputs = tensors(frames, request.optJSONArray("inputs"));
                        JSONObject response = header(frames);
                        Map<String, TensorEntry> outputs = tensors(frames, response.optJSONArray("outputs"));
                        found.add(new Recorded(request.getString("id"), inputs, outputs));
                    }
                } catch (JSONException | RuntimeException error) {
                    throw new IOException(entry.optString("path") + " is not a vectors file: " + error.getMessage(), error);
                }
            }
        }
        return found;
    }

    private static JSONObject header(ByteBuffer frames) throws JSONException {
        long length = frames.getLong();
        if (length <= 0 || length > Math.min(MAX_HEADER, frames.remaining())) {
            throw new JSONException("a header of " + length + " bytes");
        }
        byte[] text = new byte[(int) length];
        frames.get(text);
        return new JSONObject(new String(text, StandardCharsets.UTF_8));
    }

    private static Map<String, TensorEntry> tensors(ByteBuffer frames, JSONArray entries) throws JSONException {
        Map<String, TensorEntry> found = new LinkedHashMap<>();
        for (int at = 0; entries != null && at < entries.length(); at++) {
            JSONObject entry = entries.getJSONObject(at);
            JSONObject more = entry.getJSONObject("parameters");
            byte[] bytes = new byte[more.getInt("binary_data_size")];
            frames.get(bytes);
            String name = entry.getString("name");
            Double rounding = more.has("rounding") ? more.getDouble("rounding") : null;
            TensorEntry.Steps steps =
                    more.has("scale") ? new TensorEntry.Steps(more.getDouble("scale"), more.getInt("steps")) : null;
            ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            Datatype datatype = Datatype.ofName(entry.getString("datatype"));
            found.put(name, new TensorEntry(name, datatype, dimensions(entry.getJSONArray("shape")), data, rounding, steps));
        }
        return found;
    }

    private static List<HandedSignature.Spec> specs(JSONArray tensors, JSONObject files) throws JSONException {
        List<HandedSignature.Spec> found = new ArrayList<>();
        for (int at = 0; at < tensors.length(); at++) {
            JSONObject one = tensors.getJSONObject(at);
            String name = one.getString("name");
            List<Long> shape = one.isNull("shape") ? null : dimensions(one.getJSONArray("shape"));
            Datatype datatype = Datatype.ofName(one.getString("datatype"));
            found.add(new HandedSignature.Spec(name, files.getString(name), datatype, shape));
        }
        return found;
    }

    private static List<Long> dimensions(JSONArray shape) throws JSONException {
        List<Long> found = new ArrayList<>();
        for (int at = 0; at < shape.length(); at++) {
            found.add(shape.getLong(at));
        }
        return found;
    }

    private List<JSONObject> vectorFiles() {
        List<JSONObject> found = new ArrayList<>();
        JSONArray entries = manifest.optJSONArray("vectors");
        for (int at = 0; entries != null && at < entries.length(); at++) {
            found.add(entries.optJSONObject(at));
        }
        return found;
    }

    private static List<String> keys(JSONObject object) {
        List<String> found = new ArrayList<>();
        for (Iterator<String> keys = object.keys(); keys.hasNext(); ) {
            found.add(keys.next());
        }
        return found;
    }

    private JSONObject json(String path) throws IOException, JSONException {
        return new JSONObject(new String(bytes(path), StandardCharsets.UTF_8));
    }

    private byte[] bytes(String path) throws IOException {
        try (InputStream stream = source.open(path)) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] chunk = new byte[1 << 16];
            for (int count = stream.read(chunk); count >= 0; count = stream.read(chunk)) {
                bytes.write(chunk, 0, count);
            }
            return bytes.toByteArray();
        }
    }

    private static void checked(String path, byte[] bytes, String expected) throws IOException {
        try {
            String found = Hex.of(MessageDigest.getInstance("SHA-256").digest(bytes));
            if (!found.equals(expected)) {
                throw new IOException(path + " is not the file that was handed over (its sha256 differs from the"
                        + " manifest's); hand the bundle over again");
            }
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Android has it
        }
    }
}
