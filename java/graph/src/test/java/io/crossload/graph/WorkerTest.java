package io.crossload.graph;

import static io.crossload.graph.GraphTexts.graph;
import static io.crossload.graph.GraphTexts.node;
import static io.crossload.graph.GraphTexts.placeholder;
import static io.crossload.graph.GraphTexts.type;
import static io.crossload.graph.GraphTexts.unary;
import static io.crossload.graph.WorkerProcess.failure;
import static io.crossload.graph.WorkerProcess.floats;
import static io.crossload.graph.WorkerProcess.ok;
import static io.crossload.graph.WorkerProcess.tensor;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import io.crossload.contract.TensorEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What the worker of every TensorFlow Java release must do; a module's own test says which release it is. */
public abstract class WorkerTest {
    private static final List<List<Long>> SHAPES =
            List.of(List.of(), List.of(3L), List.of(2L, 0L, 3L), List.of(1L, 2L, 1L, 2L, 2L, 1L));
    private static final Map<String, String> X = Map.of("x", "x:0");
    private static final Map<String, String> Y = Map.of("y", "y:0");

    @TempDir
    static Path folder;

    private static WorkerProcess worker;

    private final String runtime;
    private final String release;
    private final String tensorflow;
    private final Set<Datatype> carried;
    private final Set<Datatype> unknown;

    /**
     * @param runtime the runtime's name
     * @param release its release
     * @param tensorflow the native TensorFlow's version
     * @param carried the datatypes that the release has a tensor type for
     * @param unknown the datatypes that are younger than the native TensorFlow
     */
    protected WorkerTest(
            String runtime, String release, String tensorflow, Set<Datatype> carried, Set<Datatype> unknown) {
        this.runtime = runtime;
        this.release = release;
        this.tensorflow = tensorflow;
        this.carried = carried;
        this.unknown = unknown;
    }

    @BeforeAll
    static void start() throws IOException {
        worker = new WorkerProcess(folder);
    }

    @AfterAll
    static void stop() {
        worker.close();
    }

    @Test
    @DisplayName("says its release, its native TensorFlow, its formats and the datatypes that it carries")
    void metadata() throws IOException {
        Frame answer = worker.ask("ServerMetadata", "", null);
        assertThat(answer.header().get("name").textValue()).isEqualTo(runtime);
        assertThat(answer.header().get("version").textValue()).isEqualTo(release);
        assertThat(answer.header().at("/parameters/native").textValue()).isEqualTo("TensorFlow " + tensorflow);
        assertThat(answer.header().get("formats").toString()).isEqualTo("[\"saved_model\",\"graph_def\"]");
        assertThat(answer.header().at("/parameters/datatypes").elements())
                .toIterable()
                .extracting(JsonNode::textValue)
                .containsExactlyElementsOf(
                        carried.stream().sorted().map(Datatype::name).toList());
    }

    @Test
    @DisplayName("tells the time of each operator only to a load that asks for it")
    void operatorTimes() throws IOException {
        assertThat(worker.ask("ServerMetadata", "", null)
                        .header()
                        .at("/parameters/options")
                        .toString())
                .isEqualTo("[\"operator_times\"]");
        TensorEntry x = tensor("x", Datatype.FP32, List.of(2L), elements(Datatype.FP32, List.of(2L)));
        Path graph = identityGraph(Datatype.FP32);
        ok(worker.loadGraph(graph, X, Y));
        assertThat(ok(worker.infer(List.of(x))).header().path("parameters").has("operators"))
                .isFalse();
        ok(worker.load("graph_def", graph, null, X, Y, "{\"operator_times\": true}"));
        Frame answer = ok(worker.infer(List.of(x)));
        assertThat(answer.outputs()).hasSize(1);
        assertThat(answer.header().at("/parameters/operators").elements())
                .toIterable()
                .anySatisfy(operator -> {
                    assertThat(operator.get("name").textValue()).isEqualTo("Identity");
                    assertThat(operator.get("at").textValue()).isEqualTo("y");
                    assertThat(operator.get("nanoseconds").longValue()).isNotNegative();
                });
    }

    @TestFactory
    @DisplayName("carries every bit of a datatype that TensorFlow Java has, in any shape")
    Stream<DynamicTest> identity() {
        return carried.stream()
                .map(datatype -> DynamicTest.dynamicTest(datatype.tensorflow(), () -> {
                    ok(worker.loadGraph(identityGraph(datatype), X, Y));
                    for (List<Long> shape : SHAPES) {
                        TensorEntry x = tensor("x", datatype, shape, elements(datatype, shape));
                        Frame answer = ok(worker.infer(List.of(x)));
                        assertThat(answer.outputs()).containsExactly(new TensorEntry("y", datatype, shape, x.data()));
                        assertThat(answer.header().at("/parameters/nanoseconds").longValue())
                                .isPositive();
                    }
                }));
    }

    @TestFactory
    @DisplayName(
            "calls a datatype unsupported that TensorFlow Java has not, as an input and as an output, and lives on")
    Stream<DynamicTest> unsupported() {
        return Arrays.stream(Datatype.values())
                .filter(datatype -> !carried.contains(datatype) && !unknown.contains(datatype))
                .map(datatype -> DynamicTest.dynamicTest(datatype.tensorflow(), () -> {
                    String sentence = noTensorType(datatype.tensorflow());
                    ok(worker.loadGraph(identityGraph(datatype), X, Map.of()));
                    TensorEntry x = tensor("x", datatype, List.of(1L), new byte[datatype.size()]);
                    assertThat(failure(worker.infer(List.of(x)))).isEqualTo(sentence);
                    ok(worker.loadGraph(identityGraph(datatype), Map.of(), Y));
                    assertThat(failure(worker.infer(List.of()))).isEqualTo(sentence);
                }));
    }

    @TestFactory
    @DisplayName("does not load a graph with a datatype that is younger than it")
    Stream<DynamicTest> youngerDatatypes() {
        return unknown.stream()
                .map(datatype -> DynamicTest.dynamicTest(datatype.tensorflow(), () -> assertThat(
                                failure(worker.loadGraph(identityGraph(datatype), X, Y)))
                        .startsWith("INVALID_ARGUMENT")));
    }

    @Test
    @DisplayName("calls an output without elements on the wire unsupported")
    void resources() throws IOException {
        String table = node(
                "y",
                "HashTableV2",
                List.of(),
                Map.of("key_dtype", type(Datatype.BYTES), "value_dtype", type(Datatype.INT64)));
        ok(worker.loadGraph(file(graph(table)), Map.of(), Y));
        assertThat(failure(worker.infer(List.of()))).isEqualTo(noTensorType("resource"));
    }

    @Test
    @DisplayName("makes any true byte the one true byte")
    void booleans() throws IOException {
        ok(worker.loadGraph(identityGraph(Datatype.BOOL), X, Y));
        Frame answer = ok(worker.infer(List.of(tensor("x", Datatype.BOOL, List.of(3L), new byte[] {0, 2, -1}))));
        assertThat(answer.outputs().get(0).data()).isEqualTo(ByteBuffer.wrap(new byte[] {0, 1, 1}));
    }

    @Test
    @DisplayName("takes tensor names with and without an index, and explains those that are none")
    void names() throws IOException {
        Map<String, String> outputs =
                Map.of("plain", "y", "indexed", "y:0", "control", "^y", "missing", "zzz:0", "beyond", "y:1");
        ok(worker.loadGraph(identityGraph(Datatype.FP32), Map.of("x", "x"), outputs));
        List<TensorEntry> x = List.of(floats("x", 1, -2));
        Frame answer = ok(worker.infer(x, "plain", "indexed"));
        assertThat(answer.outputs()).containsExactly(floats("plain", 1, -2), floats("indexed", 1, -2));
        assertThat(failure(worker.infer(x, "control")))
                .startsWith("INVALID_ARGUMENT 'control' is bound to '^y', a control dependency");
        assertThat(failure(worker.infer(x, "missing")))
                .isEqualTo(
                        "NOT_FOUND 'missing' is bound to 'zzz:0', which is not in the graph; bind it to a tensor that is there");
        assertThat(failure(worker.infer(x, "beyond")))
                .isEqualTo("INVALID_ARGUMENT 'beyond' is bound to 'y:1', but the operation 'y' (Identity) has 1 output;"
                        + " bind it to a tensor that is there");
    }

    @Test
    @DisplayName("lists the operations that a misspelt one is near to, for an input and for an output")
    void nearNames() throws IOException {
        String graph = graph(
                placeholder("images", Datatype.FP32),
                unary("Identity", "head/Softmax", "images", Datatype.FP32),
                unary("Neg", "head/Softmax_1", "images", Datatype.FP32));
        ok(worker.loadGraph(file(graph), Map.of("x", "imagse:0"), Map.of("y", "Softmax:0", "n", "head/Softmax")));
        assertThat(failure(worker.infer(List.of(), "y")))
                .isEqualTo("NOT_FOUND 'y' is bound to 'Softmax:0', which is not in the graph;"
                        + " near it are 'head/Softmax', 'head/Softmax_1'; bind it to a tensor that is there");
        assertThat(failure(worker.infer(List.of(floats("x", 1)), "n")))
                .isEqualTo("NOT_FOUND 'x' is bound to 'imagse:0', which is not in the graph;"
                        + " near it are 'images'; bind it to a tensor that is there");
    }

    @Test
    @DisplayName("explains the handle of a table that a bad freeze left as an input")
    void leftHandle() throws IOException {
        String find = node(
                "y",
                "LookupTableFindV2",
                List.of("table", "x", "default"),
                Map.of("Tin", type(Datatype.BYTES), "Tout", type(Datatype.INT64)));
        String table = node("table", "Placeholder", List.of(), Map.of("dtype", "type: DT_RESOURCE"));
        String graph = graph(placeholder("x", Datatype.BYTES), placeholder("default", Datatype.INT64), table, find);
        ok(worker.loadGraph(file(graph), Map.of("x", "x", "d", "default"), Y));
        TensorEntry x = tensor("x", Datatype.BYTES, List.of(1L), new byte[] {1, 0, 0, 0, 'a'});
        TensorEntry d = tensor("d", Datatype.INT64, List.of(), new byte[8]);
        assertThat(failure(worker.infer(List.of(x, d))))
                .isEqualTo("INVALID_ARGUMENT freezing left the handle of a table or variable, 'table', as an input,"
                        + " which nothing can feed; freeze the model again from its SavedModel or checkpoint:"
                        + " crossload convert SOURCE frozen.pb");
    }

    @Test
    @DisplayName("names what is wrong with an input: its datatype, its strings, its absence")
    void wrongInputs() throws IOException {
        ok(worker.loadGraph(identityGraph(Datatype.FP32), X, Y));
        assertThat(failure(worker.infer(List.of(tensor("x", Datatype.INT32, List.of(), new byte[4])))))
                .isEqualTo("INVALID_ARGUMENT input 'x' takes float32; the request has int32");
        assertThat(failure(worker.infer(List.of())))
                .isEqualTo("INVALID_ARGUMENT You must feed a value for placeholder tensor 'x' with dtype float");
        ok(worker.loadGraph(identityGraph(Datatype.BYTES), X, Y));
        byte[] outside = {9, 0, 0, 0, 'a'};
        assertThat(failure(worker.infer(List.of(tensor("x", Datatype.BYTES, List.of(1L), outside)))))
                .isEqualTo("INVALID_ARGUMENT input 'x': a BYTES tensor ends inside an element");
        assertThat(failure(worker.infer(List.of(tensor("x", Datatype.BYTES, List.of(2L), new byte[4])))))
                .isEqualTo("INVALID_ARGUMENT input 'x': 1 strings do not make a tensor of shape [2]");
    }

    @Test
    @DisplayName("does not start without its native library, and says so")
    void noNatives() throws Exception {
        try (WorkerProcess bare = WorkerProcess.withoutNatives(folder)) {
            assertThat(bare.end()).isEqualTo(1);
            assertThat(bare.rest()).isEmpty();
            assertThat(bare.errors())
                    .contains(runtime + " worker: TensorFlow's native library for ")
                    .contains("is not on the class path")
                    .containsPattern("add org\\.tensorflow:\\S+, if there is one");
        }
    }

    @Test
    @DisplayName("does not start where the class path has another TensorFlow Java, and names both")
    void twoTensorFlows() throws Exception {
        Path other = folder.resolve("another-tensorflow");
        Files.createDirectories(other.resolve("org/tensorflow"));
        Files.write(other.resolve("org/tensorflow/TensorFlow.class"), new byte[0]);
        try (WorkerProcess two = WorkerProcess.with(folder, other)) {
            assertThat(two.end()).isEqualTo(1);
            assertThat(two.rest()).isEmpty();
            assertThat(two.errors())
                    .startsWith(runtime + " worker: the class path has 2 releases of TensorFlow Java, and a process")
                    .contains("another-tensorflow")
                    .containsPattern("tensorflow(-core-api)?-" + release.replace(".", "\\.") + "\\.jar")
                    .hasLineCount(1);
        }
    }

    @Test
    @DisplayName("keeps what a model prints to standard output out of the protocol")
    void noise() throws IOException {
        // The oldest releases print nothing but what is known to be a scalar.
        String scalar = node("x", "Placeholder", List.of(), Map.of("dtype", type(Datatype.BYTES), "shape", "shape {}"));
        String print = node(
                "print",
                "PrintV2",
                List.of("x"),
                Map.of("output_stream", "s: \"stdout\"", "end", "s: \"" + "noise ".repeat(2_000) + "\\n\""));
        String y = node("y", "Identity", List.of("x", "^print"), Map.of("T", type(Datatype.BYTES)));
        ok(worker.loadGraph(file(graph(scalar, print, y)), X, Y));
        TensorEntry x = tensor("x", Datatype.BYTES, List.of(), new byte[] {1, 0, 0, 0, 'a'});
        for (int i = 0; i < 3; i++) {
            assertThat(ok(worker.infer(List.of(x))).outputs()).hasSize(1);
        }
    }

    @Test
    @DisplayName("echoes any tensor as it is, large ones too")
    void echo() throws IOException {
        byte[] large = new byte[9_000_001];
        new Random(1).nextBytes(large);
        List<TensorEntry> tensors = List.of(
                tensor("large", Datatype.INT8, List.of((long) large.length), large),
                tensor("odd", Datatype.BOOL, List.of(1L), new byte[] {7}),
                tensor("malformed", Datatype.BYTES, List.of(1L), new byte[] {9, 0}));
        assertThat(ok(worker.ask("Echo", "", tensors)).outputs()).isEqualTo(tensors);
    }

    @Test
    @DisplayName("lists the operations it can run")
    void registeredOps() throws IOException {
        TensorEntry list = ok(worker.ask("RegisteredOps", "", null)).outputs().get(0);
        assertThat(list.name()).isEqualTo("op_list");
        assertThat(list.shape()).containsExactly(1L);
        // OpDef.name (field 1) of an OpList's op: tag, length, text.
        String ops = new String(Datatype.decodeBytes(list.data()).get(0), StandardCharsets.ISO_8859_1);
        assertThat(ops).contains("\n\u0006MatMul\u0012", "\n\u0011LookupTableFindV2\u0012");
    }

    @Test
    @DisplayName("ends with status 0 when standard input ends, and leaves nothing but frames on standard output")
    void endOfInput() throws Exception {
        try (WorkerProcess another = new WorkerProcess(folder)) {
            ok(another.ask("ServerMetadata", "", null));
            assertThat(another.end()).isZero();
            assertThat(another.rest()).isEmpty();
        }
    }

    @Test
    @DisplayName("ends with a sentence on standard error when standard input holds what is no frame")
    void garbage() throws Exception {
        try (WorkerProcess another = new WorkerProcess(folder)) {
            another.send("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(another.end()).isEqualTo(1);
            assertThat(another.rest()).isEmpty();
            assertThat(another.errors())
                    .contains(runtime + " worker: a frame's header of") // behind what TensorFlow may have logged
                    .contains("the stream cannot be read on");
        }
    }

    private static Path file(String graph) throws IOException {
        return Files.writeString(Files.createTempFile(folder, "graph", ".pbtxt"), graph);
    }

    private static Path identityGraph(Datatype datatype) throws IOException {
        return file(GraphTexts.identity(datatype));
    }

    /** Random bits, or strings that are easily cut: empty, with NUL, not UTF-8, longer than a small native string. */
    private static byte[] elements(Datatype datatype, List<Long> shape) {
        int count = shape.stream().mapToInt(Long::intValue).reduce(1, (a, b) -> a * b);
        Random random = new Random(count);
        if (datatype == Datatype.BYTES) {
            byte[][] kinds = {"a\0b\0".getBytes(StandardCharsets.US_ASCII), {}, {-1, -2, 0}, new byte[300]};
            List<byte[]> strings = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                strings.add(kinds[i % kinds.length]);
            }
            return bytes(Datatype.encodeBytes(strings));
        }
        byte[] data = new byte[count * datatype.size()];
        random.nextBytes(data);
        for (int i = 0; datatype == Datatype.BOOL && i < data.length; i++) {
            data[i] &= 1;
        }
        return data;
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private String noTensorType(String type) {
        return "UNIMPLEMENTED TensorFlow Java " + release + " has no tensor type for " + type;
    }
}
