package io.crossload.worker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import io.crossload.contract.FrameException;
import io.crossload.contract.Frames;
import io.crossload.contract.SharedMemory;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Text;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.LoadRequest;
import io.crossload.worker.Worker.Metadata;
import io.crossload.worker.Worker.Model;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** Serves the worker protocol (bindings/contract/README.md): reads requests, calls a {@link Worker}, writes one response a request. */
public final class WorkerLoop {
    private static final Runnable NOTHING = () -> {};

    private final Worker worker;
    private final Frames frames;
    private final Map<String, Loaded> models = new LinkedHashMap<>();

    private record Loaded(Model model, Map<String, Binding> signatures) {}

    /** A response: its header without the id, its tensors (null for a header without outputs), and a call that frees their memory. */
    private record Response(ObjectNode header, List<TensorEntry> outputs, Runnable memory) implements AutoCloseable {
        @Override
        public void close() {
            memory.run();
        }
    }

    /**
     * A loop that answers requests.
     *
     * @param worker the runtime
     * @param frames where requests come from and responses go to
     */
    public WorkerLoop(Worker worker, Frames frames) {
        this.worker = worker;
        this.frames = frames;
    }

    /**
     * The main function of a worker process: answers the requests on standard input until it ends, then exits the process.
     *
     * <p>The exit status is 0. It is 1, with one sentence on standard error, if the streams fail or the worker cannot be made (an
     * IllegalStateException or a LinkageError of the supplier).
     *
     * @param runtime the runtime's name, for messages on standard error
     * @param worker makes the worker; called after standard output is reserved, because native libraries print when they load
     * @throws IOException if standard output cannot be reserved
     */
    public static void serve(String runtime, Supplier<Worker> worker) throws IOException {
        Frames frames = StandardStreams.takeOver();
        String problem = null;
        try {
            new WorkerLoop(worker.get(), frames).run();
        } catch (IllegalStateException error) {
            problem = Text.sentence(error);
        } catch (LinkageError error) {
            problem = "classes on the class path are missing or of different releases: " + error;
        } catch (FrameException error) {
            problem = "%s; the stream cannot be read on".formatted(error.getMessage());
        } catch (IOException error) {
            problem = "nobody reads the answers any more (%s)".formatted(error.getMessage());
        }
        if (problem != null) {
            System.err.println(runtime + " worker: " + problem);
        }
        // Native threads and shutdown hooks must not keep the process alive.
        System.exit(problem == null ? 0 : 1);
    }

    /**
     * Answers requests until their stream ends, then closes the models that are still loaded.
     *
     * @throws FrameException if the stream contains bytes that are not a frame
     * @throws IOException if the stream of responses is closed
     */
    public void run() throws IOException {
        try {
            for (Frame request = frames.read(); request != null; request = frames.read()) {
                try (Response response = respond(request)) {
                    ObjectNode header = Frames.JSON.createObjectNode();
                    header.set("id", request.header().get("id")); // null where the request has none
                    header.setAll(response.header());
                    frames.write(header, null, response.outputs());
                }
            }
        } finally {
            models.values().forEach(loaded -> loaded.model().close());
            models.clear();
        }
    }

    // Every failure of a model or a native library becomes a response, errors of the JVM included.
    private Response respond(Frame request) {
        try {
            return answer(request);
        } catch (WorkerException error) {
            return failure(error.code(), error.getMessage());
        } catch (Throwable error) {
            error.printStackTrace(System.err);
            return failure(worker.code(error), Text.sentence(error));
        }
    }

    private Response answer(Frame request) throws WorkerException {
        ObjectNode header = request.header();
        String rpc = header.path("rpc").asText();
        return switch (rpc) {
            case "ServerMetadata" -> new Response(metadata(worker.metadata()), null, NOTHING);
            case "RepositoryModelLoad" -> load(header);
            case "RepositoryModelUnload" -> unload(header.path("model_name").asText());
            case "ModelInfer" -> infer(request);
            case "Echo" -> new Response(Frames.JSON.createObjectNode(), request.inputs(), NOTHING);
            case "RegisteredOps" -> registeredOps();
            default -> throw new WorkerException(
                    Code.UNIMPLEMENTED, worker.metadata().name() + " does not answer " + header.path("rpc"));
        };
    }

    private ObjectNode metadata(Metadata metadata) {
        ObjectNode header = Frames.JSON.createObjectNode();
        header.put("name", metadata.name()).put("version", metadata.version());
        ArrayNode extensions = header.putArray("extensions").add("binary_tensor_data");
        if (frames.hasSharedMemory()) {
            extensions.add(SharedMemory.EXTENSION);
        }
        header.set("formats", Frames.JSON.valueToTree(metadata.formats()));
        ObjectNode parameters = header.putObject("parameters");
        parameters.put("language", "Java " + System.getProperty("java.version"));
        parameters.put("os", System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT));
        parameters.put(
                "arch", System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch"));
        parameters.setAll(Frames.JSON.<ObjectNode>valueToTree(metadata.parameters()));
        return header;
    }

    private Response load(ObjectNode header) throws WorkerException {
        String name = header.path("model_name").asText();
        LoadRequest request = loadRequest(header.path("parameters"));
        free(name); // the old model first: two large ones may not fit
        Model model = worker.load(request);
        models.put(name, new Loaded(model, request.signatures()));
        ObjectNode response = Frames.JSON.createObjectNode().put("name", name);
        ObjectNode parameters = response.putObject("parameters");
        if (model.note() != null) {
            parameters.put("note", model.note());
        }
        return new Response(response, null, NOTHING);
    }

    private LoadRequest loadRequest(JsonNode asked) throws WorkerException {
        String format = asked.path("format").asText();
        List<String> formats = worker.metadata().formats();
        if (!formats.contains(format)) {
            throw new WorkerException(
                    Code.UNIMPLEMENTED,
                    worker.metadata().name() + " loads " + listed(formats) + ", not " + asked.path("format"));
        }
        Path path = path(asked.path("path"));
        List<String> tags = asked.path("tags").isArray()
                ? StreamSupport.stream(asked.get("tags").spliterator(), false)
                        .map(JsonNode::asText)
                        .toList()
                : null;
        Map<String, Binding> signatures = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> signature : asked.path("signatures").properties()) {
            JsonNode binding = signature.getValue();
            signatures.put(
                    signature.getKey(),
                    new Binding(
                            binding.path("key").textValue(),
                            names(binding.path("inputs")),
                            names(binding.path("outputs"))));
        }
        List<Path> opLibraries = StreamSupport.stream(
                        asked.path("options").path("op_libraries").spliterator(), false)
                .map(library -> Path.of(library.asText()))
                .toList();
        return new LoadRequest(
                path,
                format,
                tags,
                signatures,
                asked.path("keep_state").asBoolean(false),
                opLibraries,
                null,
                asked.path("options").path("operator_times").asBoolean(false));
    }

    private static Path path(JsonNode asked) throws WorkerException {
        if (!asked.isTextual()) {
            throw new WorkerException(Code.INVALID_ARGUMENT, "a load request needs a path, not " + asked);
        }
        try {
            Path path = Path.of(asked.textValue());
            if (Files.exists(path)) {
                return path;
            }
        } catch (InvalidPathException error) {
            throw new WorkerException(Code.INVALID_ARGUMENT, "a path cannot be " + asked, error);
        }
        throw new WorkerException(Code.NOT_FOUND, asked.textValue() + ": there is no such file or folder");
    }

    private static Map<String, String> names(JsonNode tensors) {
        Map<String, String> names = new LinkedHashMap<>();
        tensors.properties().forEach(e -> names.put(e.getKey(), e.getValue().asText()));
        return names;
    }

    private Response unload(String name) throws WorkerException {
        loaded(name);
        free(name);
        return new Response(Frames.JSON.createObjectNode(), null, NOTHING);
    }

    private void free(String name) {
        Loaded loaded = models.remove(name);
        if (loaded != null) {
            loaded.model().close();
        }
    }

    private Loaded loaded(String name) throws WorkerException {
        Loaded loaded = models.get(name);
        if (loaded == null) {
            throw new WorkerException(
                    Code.NOT_FOUND, "no model '" + name + "' is loaded; loaded are: " + listed(models.keySet()));
        }
        return loaded;
    }

    private Response infer(Frame request) throws WorkerException {
        ObjectNode header = request.header();
        String name = header.path("model_name").asText();
        Loaded loaded = loaded(name);
        String signature = header.path("parameters").path("signature_name").asText("serving_default");
        Binding binding = loaded.signatures().get(signature);
        if (binding == null) {
            throw new WorkerException(
                    Code.NOT_FOUND,
                    "the model has no signature '" + signature + "'; it has: "
                            + listed(loaded.signatures().keySet()));
        }
        checkInputs(request, signature, binding);
        List<String> wanted = new ArrayList<>();
        header.path("outputs").forEach(entry -> wanted.add(entry.get("name").textValue()));
        if (wanted.isEmpty()) {
            wanted.addAll(binding.outputs().keySet());
        }
        if (!binding.outputs().keySet().containsAll(wanted)) {
            wanted.removeAll(binding.outputs().keySet());
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "signature '" + signature + "' gives "
                            + listed(binding.outputs().keySet()) + "; it has no output " + listed(wanted));
        }
        Answer answer = loaded.model().infer(new InferRequest(signature, binding, request.inputs(), wanted));
        ObjectNode response = Frames.JSON.createObjectNode().put("model_name", name);
        ObjectNode parameters = response.putObject("parameters").put("nanoseconds", answer.nanoseconds());
        if (answer.note() != null) {
            parameters.put("note", answer.note());
        }
        if (!answer.operators().isEmpty()) {
            parameters.set("operators", Frames.JSON.valueToTree(answer.operators()));
        }
        return new Response(response, answer.outputs(), answer.memory());
    }

    private static void checkInputs(Frame request, String signature, Binding binding) throws WorkerException {
        for (JsonNode entry : request.header().path("inputs")) {
            String name = entry.get("name").textValue();
            if (!binding.inputs().containsKey(name)) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT,
                        "signature '" + signature + "' takes "
                                + listed(binding.inputs().keySet()) + "; it has no input '" + name + "'");
            }
            if (!entry.path("parameters").has("binary_data_size")) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT, "input '" + name + "' brings no bytes: binary_data_size is missing");
            }
        }
    }

    private Response registeredOps() throws WorkerException {
        ByteBuffer data = Datatype.encodeBytes(List.of(worker.registeredOps()));
        List<TensorEntry> outputs = List.of(new TensorEntry("op_list", Datatype.BYTES, List.of(1L), data));
        return new Response(Frames.JSON.createObjectNode(), outputs, NOTHING);
    }

    private static Response failure(Code code, String sentence) {
        return new Response(
                Frames.JSON.createObjectNode().put("error", sentence).put("code", code.name()), null, NOTHING);
    }

    private static String listed(Collection<String> names) {
        return names.isEmpty() ? "none" : names.stream().collect(Collectors.joining(", "));
    }
}
