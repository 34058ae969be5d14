package io.crossload.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import io.crossload.contract.Frames;
import io.crossload.contract.TensorEntry;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("The worker's loop")
class WorkerLoopTest {
    private static final List<TensorEntry> X =
            List.of(new TensorEntry("x", Datatype.UINT8, List.of(2L), ByteBuffer.wrap(new byte[] {1, 2})));

    @TempDir
    Path artifact;

    private final List<String> events = new ArrayList<>();
    private ByteArrayOutputStream requests;
    private Frames client;

    @BeforeEach
    void connect() {
        requests = new ByteArrayOutputStream();
        client = new Frames(null, Channels.newChannel(requests));
    }

    /** A runtime that gives its inputs back, or fails as a signature's name tells it. */
    private final class Mirror implements Worker {
        @Override
        public Metadata metadata() {
            return new Metadata("mirror", "1", List.of("glass"), Map.of("native", "none"));
        }

        @Override
        public Model load(LoadRequest request) {
            events.add("load " + request.tags());
            return new Model() {
                @Override
                public String note() {
                    return request.tags() == null ? "no tags" : null;
                }

                @Override
                public Answer infer(InferRequest asked) throws WorkerException {
                    switch (asked.signature()) {
                        case "error" -> throw new StackOverflowError();
                        case "exception" -> throw new IllegalStateException("\n first line \nsecond");
                        case "refusal" -> throw new WorkerException(Code.UNIMPLEMENTED, "cannot");
                        default -> {
                            TensorEntry x = asked.inputs().get(0);
                            List<TensorEntry> outputs = asked.outputs().stream()
                                    .map(name -> new TensorEntry(name, x.datatype(), x.shape(), x.data()))
                                    .toList();
                            return new Answer(outputs, 5, null, () -> events.add("freed"));
                        }
                    }
                }

                @Override
                public void close() {
                    events.add("close");
                }
            };
        }
    }

    @Test
    @DisplayName("answers each request with its id, also where the id is strange or missing")
    void ids() throws IOException {
        for (String id : List.of("\"7\"", "\"\\ud800 \\u0000\"", "3", "null")) {
            ask(request("Echo", "{\"id\":" + id + "}"), X);
        }
        ask((ObjectNode) Frames.JSON.readTree("{\"rpc\":\"Echo\"}"), X);
        assertThat(answers())
                .extracting(frame -> frame.header().get("id").toString())
                .containsExactly(
                        "\"7\"", Frames.JSON.readTree("\"\\ud800 \\u0000\"").toString(), "3", "null", "null");
    }

    @Test
    @DisplayName("echoes tensors as they are received, and an empty list where there are none")
    void echo() throws IOException {
        ask(request("Echo", "{}"), X);
        ask(request("Echo", "{}"), List.of());
        List<Frame> answers = answers();
        assertThat(answers.get(0).outputs()).isEqualTo(X);
        assertThat(answers.get(1).header().get("outputs")).isEmpty();
    }

    @Test
    @DisplayName("says who answers")
    void metadata() throws IOException {
        ask(request("ServerMetadata", "{}"), null);
        ObjectNode header = answers().get(0).header();
        assertThat(header.get("formats").toString()).isEqualTo("[\"glass\"]");
        assertThat(header.get("parameters").fieldNames()).toIterable().contains("language", "os", "arch", "native");
        assertThat(header.get("parameters").get("language").textValue()).startsWith("Java ");
    }

    @Test
    @DisplayName("gives the outputs asked for, all of them where none is named, and frees them once they are written")
    void infer() throws IOException {
        load("m", "");
        infer("m", "serving_default", ",\"outputs\":[{\"name\":\"z\"}]");
        infer("m", "serving_default", "");
        List<Frame> answers = answers();
        assertThat(answers.get(1).outputs()).extracting(TensorEntry::name).containsExactly("z");
        assertThat(answers.get(2).outputs()).extracting(TensorEntry::name).containsExactly("y", "z");
        assertThat(answers.get(2).outputs().get(1).data()).isEqualTo(X.get(0).data());
        assertThat(answers.get(2).header().at("/parameters/nanoseconds").longValue())
                .isEqualTo(5);
        assertThat(events).containsExactly("load null", "freed", "freed", "close");
    }

    @Test
    @DisplayName("replaces a model of the same name, unloads, and closes what is left at the end")
    void lifeOfModels() throws IOException {
        load("m", ",\"tags\":[\"serve\"]");
        load("m", ",\"tags\":[]");
        load("n", "");
        ask(request("RepositoryModelUnload", "{\"model_name\":\"m\"}"), null);
        ask(request("RepositoryModelUnload", "{\"model_name\":\"m\"}"), null);
        List<Frame> answers = answers();
        assertThat(events).containsExactly("load [serve]", "close", "load []", "load null", "close", "close");
        assertThat(answers.get(2).header().at("/parameters/note").textValue()).isEqualTo("no tags");
        assertThat(answers.get(3).header()).hasSize(1);
        assertThat(failure(answers.get(4))).isEqualTo("NOT_FOUND no model 'm' is loaded; loaded are: n");
    }

    @Test
    @DisplayName("answers whatever a model throws with a code and one line, and lives on")
    void failures() throws IOException {
        load("m", "");
        for (String signature : List.of("error", "exception", "refusal", "serving_default")) {
            infer("m", signature, "");
        }
        List<Frame> answers = answers();
        assertThat(answers.subList(1, 4).stream().map(WorkerLoopTest::failure))
                .containsExactly("INTERNAL StackOverflowError", "INTERNAL first line", "UNIMPLEMENTED cannot");
        assertThat(answers.get(4).outputs()).hasSize(2);
    }

    @Test
    @DisplayName("names what there is where a request names something else")
    void wrongNames() throws IOException {
        load("m", "");
        infer("other", "serving_default", "");
        infer("m", "classify", "");
        infer("m", "serving_default", ",\"outputs\":[{\"name\":\"y\"},{\"name\":\"q\"}]");
        ask(
                request("ModelInfer", "{\"model_name\":\"m\"}"),
                List.of(new TensorEntry("w", Datatype.UINT8, List.of(), ByteBuffer.allocate(1))));
        ask(request("ModelInfer", "{\"model_name\":\"m\",\"inputs\":[{\"name\":\"x\"}]}"), null);
        ask(request("RegisteredOps", "{}"), null);
        ask(request("Fly", "{}"), null);
        List<Frame> answers = answers();
        assertThat(answers.subList(1, answers.size()).stream().map(WorkerLoopTest::failure))
                .containsExactly(
                        "NOT_FOUND no model 'other' is loaded; loaded are: m",
                        "NOT_FOUND the model has no signature 'classify'; it has: serving_default, error, exception, refusal",
                        "INVALID_ARGUMENT signature 'serving_default' gives y, z; it has no output q",
                        "INVALID_ARGUMENT signature 'serving_default' takes x; it has no input 'w'",
                        "INVALID_ARGUMENT input 'x' brings no bytes: binary_data_size is missing",
                        "UNIMPLEMENTED mirror does not list its operations",
                        "UNIMPLEMENTED mirror does not answer \"Fly\"");
    }

    @Test
    @DisplayName("refuses to load another format, a missing path and a request without a path")
    void wrongLoads() throws IOException {
        for (String parameters : List.of(
                "{\"format\":\"tflite\",\"path\":\"/\"}",
                "{\"format\":\"glass\",\"path\":\"/no/such/file\"}",
                "{\"format\":\"glass\",\"path\":\"a\\u0000b\"}",
                "{\"format\":\"glass\"}",
                "[]")) {
            ask(request("RepositoryModelLoad", "{\"model_name\":\"m\",\"parameters\":" + parameters + "}"), null);
        }
        assertThat(answers().stream().map(WorkerLoopTest::failure))
                .containsExactly(
                        "UNIMPLEMENTED mirror loads glass, not \"tflite\"",
                        "NOT_FOUND /no/such/file: there is no such file or folder",
                        "INVALID_ARGUMENT a path cannot be \"a\\u0000b\"",
                        "INVALID_ARGUMENT a load request needs a path, not ",
                        "UNIMPLEMENTED mirror loads glass, not ");
    }

    private void load(String name, String more) throws IOException {
        String binding = "{\"key\":null,\"inputs\":{\"x\":\"a:0\"},\"outputs\":{\"y\":\"b:0\",\"z\":7}}";
        String signatures =
                "{\"serving_default\":%1$s,\"error\":%1$s,\"exception\":%1$s,\"refusal\":%1$s}".formatted(binding);
        String path = Frames.JSON.writeValueAsString(artifact.toString());
        String parameters = "{\"format\":\"glass\",\"path\":%s,\"signatures\":%s%s}".formatted(path, signatures, more);
        ask(
                request("RepositoryModelLoad", "{\"model_name\":\"%s\",\"parameters\":%s}".formatted(name, parameters)),
                null);
    }

    private void infer(String model, String signature, String more) throws IOException {
        String header = "{\"model_name\":\"%s\",\"parameters\":{\"signature_name\":\"%s\"}%s}";
        ask(request("ModelInfer", header.formatted(model, signature, more)), X);
    }

    private static ObjectNode request(String rpc, String header) throws IOException {
        return ((ObjectNode) Frames.JSON.readTree(header)).put("rpc", rpc);
    }

    private void ask(ObjectNode header, List<TensorEntry> inputs) throws IOException {
        client.write(header, inputs, null);
    }

    private List<Frame> answers() throws IOException {
        ByteArrayOutputStream responses = new ByteArrayOutputStream();
        ByteArrayInputStream source = new ByteArrayInputStream(requests.toByteArray());
        new WorkerLoop(new Mirror(), new Frames(Channels.newChannel(source), Channels.newChannel(responses))).run();
        ByteArrayInputStream received = new ByteArrayInputStream(responses.toByteArray());
        List<Frame> frames = new ArrayList<>();
        while (received.available() > 0) {
            frames.add(new Frames(Channels.newChannel(received), null).read());
        }
        return frames;
    }

    private static String failure(Frame frame) {
        return frame.header().get("code").textValue() + " "
                + frame.header().get("error").textValue();
    }
}
