package io.crossload.graph;

import static io.crossload.graph.GraphTexts.graph;
import static io.crossload.graph.GraphTexts.node;
import static io.crossload.graph.GraphTexts.placeholder;
import static io.crossload.graph.GraphTexts.servedModel;
import static io.crossload.graph.GraphTexts.type;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crossload.BoundSignature;
import io.crossload.Bundle;
import io.crossload.CrossloadException;
import io.crossload.Graphs;
import io.crossload.HostTensor;
import io.crossload.Options;
import io.crossload.Outputs;
import io.crossload.SavedModels;
import io.crossload.contract.Datatype;
import io.crossload.contract.Manifest.TensorSpec;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Code;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** What the library promises, checked in a process that has what a receiver has: an engine's jar and TensorFlow. One line a check. */
final class LibraryChecks {
    private static final Map<String, Check> CHECKS = new LinkedHashMap<>();

    private interface Check {
        void run(Bundle bundle, Path folder) throws Exception;
    }

    private LibraryChecks() {}

    static {
        CHECKS.put("a recorded vector is answered as it was recorded", (bundle, folder) -> {
            Map<String, HostTensor> inputs = new LinkedHashMap<>();
            for (TensorEntry entry : bundle.vectors("square").get(0).inputs().values()) {
                long[] shape = entry.shape().stream().mapToLong(Long::longValue).toArray();
                inputs.put(entry.name(), HostTensor.of(entry.datatype(), entry.data(), shape));
            }
            assertThat(bundle.signature("square").call(inputs).get("y").floats())
                    .containsExactly(2, 5, 10);
        });
        CHECKS.put("an input that is left out is its default", (bundle, folder) -> assertThat(square(bundle, 3))
                .containsExactly(9.5f));
        CHECKS.put("outputs are read from the engine's memory, into an array of the caller", (bundle, folder) -> {
            HostTensor kept;
            HostTensor lost;
            ByteBuffer bytes;
            float[] into = new float[3];
            try (Outputs outputs =
                    bundle.signature("square").run(Map.of("x", HostTensor.over(new float[] {1, 2}, 2)))) {
                lost = outputs.get("y");
                kept = lost.copy();
                bytes = lost.buffer();
                assertThat(lost.floats(into)).isSameAs(into).containsExactly(1.5f, 4.5f, 0);
                assertThatThrownBy(() -> lost.floats(new float[1]))
                        .hasMessage("the tensor has 2 elements, and the array 1");
                assertThatThrownBy(() -> outputs.get("yy")).hasMessage("there is no output 'yy'; did you mean 'y'?");
            }
            assertThat(kept.floats()).containsExactly(1.5f, 4.5f);
            assertThat(bytes.getFloat(4)).isEqualTo(4.5f);
            assertThatThrownBy(lost::floats).hasMessageContaining("the outputs of this run are closed");
            assertThatThrownBy(() -> bundle.signature("square").call(Map.of("x", lost)))
                    .hasMessageContaining("the outputs of this run are closed");
        });
        CHECKS.put("strings are any bytes", (bundle, folder) -> {
            List<byte[]> strings = List.of(new byte[] {'a', 0, (byte) 0xff}, new byte[0]);
            HostTensor tensor = bundle.signature("echo")
                    .call(Map.of("s", HostTensor.ofBytes(strings, 2)))
                    .get("t");
            assertThat(tensor.byteStrings()).containsExactlyElementsOf(strings);
        });
        CHECKS.put("a datatype without tensor type goes over the bridge and comes back", (bundle, folder) -> {
            HostTensor z = HostTensor.of(new byte[] {-128, 0, 127}, 3);
            HostTensor w = bundle.signature("steps").call(Map.of("z", z)).get("w");
            assertThat(w.datatype()).isEqualTo(Datatype.INT8);
            assertThat(w.ints()).containsExactly(-128, 0, 127);
        });
        CHECKS.put(
                "threads get their own answers",
                (bundle, folder) -> IntStream.range(0, 2000).parallel().forEach(i -> assertThat(square(bundle, i % 100))
                        .containsExactly((float) (i % 100) * (i % 100) + 0.5f)));
        CHECKS.put("a misspelt input, output or signature is answered with near names", (bundle, folder) -> {
            BoundSignature square = bundle.signature("square");
            HostTensor x = HostTensor.of(new float[] {1}, 1);
            assertThatThrownBy(() -> square.call(Map.of("x", x, "biass", x)))
                    .isInstanceOf(CrossloadException.class)
                    .hasMessage("signature 'square' has no input 'biass'; did you mean 'bias'?");
            assertThatThrownBy(() -> square.call(Map.of("x", x), List.of("yy")))
                    .hasMessage("signature 'square' has no output 'yy'; did you mean 'y'?");
            assertThatThrownBy(() -> bundle.signature("sqare")).hasMessageContaining("did you mean 'square'?");
        });
        CHECKS.put(
                "another datatype or shape, and a missing input, are told before the model runs", (bundle, folder) -> {
                    BoundSignature square = bundle.signature("square");
                    assertThatThrownBy(() -> square.call(Map.of("x", HostTensor.scalar(1f))))
                            .hasMessage("signature 'square' takes 'x' as float32 [-1], and float32 [] was given");
                    assertThatThrownBy(() -> square.call(Map.of("x", HostTensor.of(new double[] {1}, 1))))
                            .hasMessage("signature 'square' takes 'x' as float32 [-1], and float64 [1] was given");
                    assertThatThrownBy(() -> square.call(Map.of()))
                            .hasMessage("signature 'square' needs the input 'x' (float32 [-1]), which is missing");
                });
        CHECKS.put("an artifact that was changed is refused before it is loaded", (bundle, folder) -> {
            Path changed = Files.createDirectories(folder.resolveSibling("changed"));
            for (String name : List.of("crossload.json", "square.oip", "graph.pbtxt")) {
                Files.copy(folder.resolve(name), changed.resolve(name));
            }
            Files.writeString(changed.resolve("graph.pbtxt"), Files.readString(folder.resolve("graph.pbtxt")) + "\n");
            assertThatThrownBy(() -> Bundle.open(changed)).hasMessageContaining("is not the file that was exported");
            Bundle.open(changed, Options.DEFAULTS.withVerifyHashes(false)).close();
        });
        CHECKS.put("the session is configured by a ConfigProto, and another message is refused", (bundle, folder) -> {
            byte[] oneThread = {16, 1}; // config.proto: intra_op_parallelism_threads, field 2
            try (Bundle own = Bundle.open(folder, Options.DEFAULTS.withSessionConfig(oneThread))) {
                assertThat(square(own, 2)).containsExactly(4.5f);
            }
            assertThatThrownBy(() -> Bundle.open(folder, Options.DEFAULTS.withSessionConfig(new byte[] {16})))
                    .hasMessageEndingWith("is no serialised tensorflow.ConfigProto");
        });
        CHECKS.put("a graph that is opened runs nothing before it is called", (bundle, folder) -> {
            Path written = folder.resolveSibling("written");
            String text = "tensor { dtype: DT_STRING tensor_shape {} string_val: \"%s\" }";
            Map<String, String> name = Map.of("dtype", type(Datatype.BYTES), "value", text.formatted(written));
            Map<String, String> content = Map.of("dtype", type(Datatype.BYTES), "value", text.formatted("x"));
            Path file = Files.writeString(
                    folder.resolveSibling("write.pbtxt"),
                    graph(
                            node("name", "Const", List.of(), name),
                            node("content", "Const", List.of(), content),
                            node("write", "WriteFile", List.of("name", "content"), Map.of()),
                            node("out", "Identity", List.of("content", "^write"), Map.of("T", type(Datatype.BYTES)))));
            try (Bundle own = Graphs.open(file)) {
                assertThat(written).doesNotExist();
                own.signature(Graphs.SIGNATURE).call(Map.of());
                assertThat(written).exists();
            }
        });
        CHECKS.put(
                "a run ends after the time that its options allow, and other options are refused", (bundle, folder) -> {
                    Map<String, String> floats = Map.of("component_types", "list { type: DT_FLOAT }");
                    Path file = Files.writeString(
                            folder.resolveSibling("queue.pbtxt"),
                            graph(
                                    node("queue", "FIFOQueueV2", List.of(), floats),
                                    node("out", "QueueDequeueV2", List.of("queue"), floats)));
                    try (Bundle own = Graphs.open(file)) {
                        BoundSignature empty = own.signature(Graphs.SIGNATURE);
                        byte[] oneMillisecond = {16, 1}; // config.proto: RunOptions.timeout_in_ms, field 2
                        assertThatThrownBy(() ->
                                        empty.withRunOptions(oneMillisecond).call(Map.of()))
                                .isInstanceOfSatisfying(CrossloadException.class, error -> assertThat(error.code())
                                        .isEqualTo(Code.DEADLINE_EXCEEDED));
                        assertThatThrownBy(() ->
                                        empty.withRunOptions(new byte[] {16}).call(Map.of()))
                                .hasMessageEndingWith("the run options are no serialised tensorflow.RunOptions");
                    }
                });
        CHECKS.put("an output of 2 GiB is refused by its name, before it is cut off", (bundle, folder) -> {
            Path file = Files.writeString(
                    folder.resolveSibling("fill.pbtxt"),
                    graph(
                            placeholder("size", Datatype.INT32),
                            node(
                                    "one",
                                    "Const",
                                    List.of(),
                                    Map.of(
                                            "dtype",
                                            type(Datatype.INT32),
                                            "value",
                                            "tensor { dtype: DT_INT32 tensor_shape {} int_val: 1 }")),
                            node(
                                    "out",
                                    "Fill",
                                    List.of("size", "one"),
                                    Map.of("T", type(Datatype.INT32), "index_type", type(Datatype.INT32)))));
            try (Bundle own = Graphs.open(file)) {
                HostTensor size = HostTensor.of(new int[] {1 << 29}, 1);
                assertThatThrownBy(() -> own.signature(Graphs.SIGNATURE).call(Map.of("size", size)))
                        .hasMessageContaining("the output 'out' has 2,147,483,648 bytes")
                        .isInstanceOfSatisfying(CrossloadException.class, error -> assertThat(error.code())
                                .isEqualTo(Code.OUT_OF_RANGE));
            }
        });
        CHECKS.put("an artifact is opened by its own path, too", (bundle, folder) -> {
            try (Bundle own = Bundle.open(folder.resolve("graph.pbtxt"))) {
                assertThat(square(own, 2)).containsExactly(4.5f);
            }
        });
        CHECKS.put(
                "a SavedModel without manifest is called by its own signatures, from a folder and from a zip",
                (b, folder) -> {
                    String graph = graph(
                            placeholder("in", Datatype.FP32),
                            node("init", "NoOp", List.of(), Map.of()),
                            node("out", "Add", List.of("in", "in"), Map.of("T", type(Datatype.FP32))));
                    Path model = Files.createDirectories(folder.resolveSibling("served"));
                    Files.writeString(model.resolve("saved_model.pbtxt"), servedModel(graph));
                    Path zip = folder.resolveSibling("served.zip");
                    try (ZipOutputStream stream = new ZipOutputStream(Files.newOutputStream(zip))) {
                        stream.putNextEntry(new ZipEntry("served/saved_model.pbtxt"));
                        stream.write(Files.readAllBytes(model.resolve("saved_model.pbtxt")));
                    }
                    for (Path path : List.of(model, zip)) {
                        try (Bundle own = SavedModels.open(path)) {
                            assertThat(own.signatures()).containsExactly("doubled");
                            assertThat(own.signature("doubled").inputs())
                                    .containsExactly(new TensorSpec("x", Datatype.FP32, List.of(-1L), null));
                            HostTensor x = HostTensor.of(new float[] {1, 2}, 2);
                            assertThat(own.signature("doubled")
                                            .call(Map.of("x", x))
                                            .get("y")
                                            .floats())
                                    .containsExactly(2, 4);
                            assertThatThrownBy(() -> own.signature("doubled").call(Map.of("xx", x)))
                                    .hasMessageEndingWith("which is missing; has no input 'xx'; did you mean 'x'?");
                            assertThatThrownBy(() -> own.signature("double"))
                                    .hasMessageEndingWith("did you mean 'doubled'?");
                        }
                    }
                    assertThatThrownBy(() -> SavedModels.open(model, "serve", "gpu"))
                            .hasMessageContaining("has no MetaGraph with the tags serve, gpu; its tag sets are: serve");
                    assertThatThrownBy(() -> SavedModels.open(folder)).hasMessageContaining("holds no saved_model.pb");
                    assertThatThrownBy(() -> SavedModels.open(folder.resolve("graph.pbtxt")))
                            .hasMessageContaining("is a file");
                });
        CHECKS.put(
                "a graph without manifest is called by its placeholders and ends, or by tensors that the caller names",
                (b, folder) -> {
                    Path file = folder.resolve("graph.pbtxt");
                    HostTensor x = HostTensor.of(new float[] {1, 2}, 2);
                    try (Bundle own = Graphs.open(file)) {
                        BoundSignature all = own.signature(Graphs.SIGNATURE);
                        assertThat(all.inputs()).extracting(TensorSpec::name).contains("x", "bias", "s");
                        assertThat(all.outputs())
                                .extracting(TensorSpec::name)
                                .contains("y", "t")
                                .doesNotContain("square");
                    }
                    try (Bundle own =
                            Graphs.open(file, List.of("x", "bias:0"), List.of("square:0", "y"), Options.DEFAULTS)) {
                        BoundSignature some = own.signature(Graphs.SIGNATURE);
                        Map<String, HostTensor> answer = some.call(Map.of("x", x, "bias:0", HostTensor.scalar(1f)));
                        assertThat(answer.get("square:0").floats()).containsExactly(1, 4);
                        assertThat(answer.get("y").floats()).containsExactly(2, 5);
                    }
                    assertThatThrownBy(() -> Graphs.open(file, null, List.of("squar"), Options.DEFAULTS))
                            .hasMessageContaining("'squar', which is not in the graph; near it are 'square'");
                    assertThatThrownBy(() -> Graphs.open(folder)).hasMessageContaining("is a folder, no GraphDef");
                    assertThatThrownBy(() -> Graphs.open(folder.resolve("missing.pb")))
                            .hasMessageEndingWith("missing.pb: there is no such file or folder");
                });
        CHECKS.put("a variable and a table without a value are told with what gives them one", (b, folder) -> {
            String table = graph(
                    placeholder("in", Datatype.INT64),
                    node(
                            "table",
                            "HashTableV2",
                            List.of(),
                            Map.of("key_dtype", type(Datatype.INT64), "value_dtype", type(Datatype.FP32))),
                    node(
                            "default",
                            "Const",
                            List.of(),
                            Map.of(
                                    "dtype",
                                    type(Datatype.FP32),
                                    "value",
                                    "tensor { dtype: DT_FLOAT tensor_shape {} float_val: 0 }")),
                    node(
                            "out",
                            "LookupTableFindV2",
                            List.of("table", "in", "default"),
                            Map.of("Tin", type(Datatype.INT64), "Tout", type(Datatype.FP32))));
            Path file = Files.writeString(folder.resolveSibling("table.pbtxt"), table);
            try (Bundle own = Graphs.open(file)) {
                assertThatThrownBy(() ->
                                own.signature(Graphs.SIGNATURE).call(Map.of("in", HostTensor.of(new long[] {1}, 1))))
                        .hasMessageContaining("nothing gave it a value: a SavedModel needs its folders variables/");
            }
        });
        CHECKS.put("a closed bundle says so, and closing twice is no error", (bundle, folder) -> {
            Bundle own = Bundle.open(folder);
            own.close();
            own.close();
            assertThatThrownBy(() -> square(own, 1)).hasMessageContaining("is closed");
        });
    }

    private static float[] square(Bundle bundle, float x) {
        return bundle.signature("square")
                .call(Map.of("x", HostTensor.of(new float[] {x}, 1)))
                .get("y")
                .floats();
    }

    /** Prints {@code ok <check>} or {@code failed <check>: <why>} for each. */
    public static void main(String[] arguments) {
        Path folder = Path.of(arguments[0]);
        try (Bundle bundle = Bundle.open(folder)) {
            CHECKS.forEach((name, check) -> {
                try {
                    check.run(bundle, folder);
                    System.out.println("ok " + name);
                } catch (Exception | AssertionError error) {
                    error.printStackTrace();
                    System.out.println(
                            "failed " + name + ": " + error.toString().replace('\n', ' '));
                }
            });
        }
        System.out.println("end");
    }
}
