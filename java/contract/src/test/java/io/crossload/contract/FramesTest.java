package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("Frames")
class FramesTest {
    private static final Path EXAMPLES = Path.of("..", "..", "bindings", "contract", "frames");

    @TestFactory
    @DisplayName("a good example frame is read exactly, and written again with the same content")
    Stream<DynamicTest> goodExamples() throws IOException {
        return examples(true)
                .map(entry -> DynamicTest.dynamicTest(entry.get("file").asText(), () -> {
                    byte[] content = content(entry);
                    Frame frame = read(content);
                    assertThat((Object) frame.header()).isEqualTo(entry.get("header"));
                    assertThat(described(frame)).isEqualTo(expected(entry));
                    assertThat((Object) read(write(frame)).header()).isEqualTo(entry.get("header"));
                    assertThat(described(read(write(frame)))).isEqualTo(expected(entry));
                }));
    }

    @TestFactory
    @DisplayName("string tensors of an example frame decode and encode exactly, or say why not")
    Stream<DynamicTest> strings() throws IOException {
        return examples(true)
                .filter(entry -> entry.get("tensors").toString().contains("BYTES"))
                .map(entry -> DynamicTest.dynamicTest(entry.get("file").asText(), () -> {
                    for (JsonNode tensor : entry.get("tensors")) {
                        ByteBuffer data = ByteBuffer.wrap(
                                HexFormat.of().parseHex(tensor.get("hex").asText()));
                        if (tensor.has("error")) {
                            assertThatThrownBy(() -> Datatype.decodeBytes(data))
                                    .isInstanceOf(FrameException.class)
                                    .hasMessageContaining(tensor.get("error").asText());
                        } else if (tensor.get("datatype").asText().equals("BYTES")) {
                            assertThat(Datatype.encodeBytes(Datatype.decodeBytes(data)))
                                    .isEqualTo(data);
                        }
                    }
                }));
    }

    @TestFactory
    @DisplayName("a malformed example frame is refused with its reason")
    Stream<DynamicTest> malformedExamples() throws IOException {
        return examples(false)
                .map(entry -> DynamicTest.dynamicTest(
                        entry.get("file").asText(), () -> assertThatThrownBy(() -> read(content(entry)))
                                .isInstanceOf(FrameException.class)
                                .hasMessageContaining(entry.get("error").asText())
                                .hasMessageNotContaining("\n")));
    }

    @Test
    @DisplayName("a stream without bytes is a clean end")
    void cleanEnd() throws IOException {
        assertThat(read(new byte[0])).isNull();
    }

    @Test
    @DisplayName("a stream cut anywhere inside a frame is refused")
    void cutAnywhere() throws IOException {
        byte[] whole = Files.readAllBytes(EXAMPLES.resolve("both_sides.frame"));
        for (int length = 1; length < whole.length; length++) {
            byte[] cut = java.util.Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> read(cut))
                    .isInstanceOf(FrameException.class)
                    .hasMessageContaining("ends inside");
        }
    }

    @Test
    @DisplayName("any bytes changed in a frame give a frame or a FrameException, nothing else")
    void changedBytes() throws IOException {
        byte[] whole = Files.readAllBytes(EXAMPLES.resolve("request.frame"));
        Random random = new Random(0);
        for (int round = 0; round < 5_000; round++) {
            byte[] changed = whole.clone();
            for (int changes = random.nextInt(3); changes >= 0; changes--) {
                changed[random.nextInt(8) == 0 ? random.nextInt(8) : random.nextInt(changed.length)] =
                        (byte) random.nextInt();
            }
            try {
                read(changed);
            } catch (FrameException refusal) {
                assertThat(refusal).hasMessageNotContaining("\n");
            }
        }
    }

    @Test
    @DisplayName("several frames follow each other through a file, larger ones before and after smaller ones")
    void severalFrames(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("frames");
        int[] sizes = {3, 3_000_000, 0, 70_000, 5};
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            Frames frames = new Frames(null, channel);
            for (int size : sizes) {
                ObjectNode header = Frames.JSON.createObjectNode().put("id", "x".repeat(size));
                frames.write(header, List.of(tensor("a", size), tensor("b", 2)), List.of(tensor("a", size)));
            }
        }
        try (FileChannel channel = FileChannel.open(file)) {
            Frames frames = new Frames(channel, null);
            for (int size : sizes) {
                Frame frame = frames.read();
                assertThat(frame.header().get("id").textValue()).hasSize(size);
                assertThat(frame.inputs()).isEqualTo(List.of(tensor("a", size), tensor("b", 2)));
                assertThat(frame.outputs()).isEqualTo(List.of(tensor("a", size)));
            }
            assertThat(frames.read()).isNull();
        }
    }

    @Test
    @DisplayName("tensors of 1 MiB and more lie in shared memory where there is some, and smaller ones in the stream")
    void sharedMemory(@TempDir Path folder) throws IOException {
        int[] sizes = {5, 1 << 20, (1 << 20) - 1, 3_000_000};
        try (FileChannel stream = open(folder, "stream");
                FileChannel there = open(folder, "there")) {
            SharedMemory shared = new SharedMemory(there, there);
            List<TensorEntry> tensors = IntStream.of(sizes)
                    .mapToObj(size -> tensor("t" + size, size))
                    .toList();
            new Frames(null, stream, shared).write(Frames.JSON.createObjectNode(), tensors, null);
            assertThat(stream.size()).isBetween(1L << 20, 2L << 20);
            assertThat(there.size()).isEqualTo((1 << 20) + 3_000_000);
            assertThat(new Frames(stream.position(0), null, shared).read().inputs())
                    .isEqualTo(tensors);
            assertThatThrownBy(() -> new Frames(stream.position(0), null).read())
                    .isInstanceOf(FrameException.class)
                    .hasMessageContaining("which was not agreed on");
            there.truncate(1 << 20);
            assertThatThrownBy(() -> new Frames(stream.position(0), null, new SharedMemory(there, there)).read())
                    .isInstanceOf(FrameException.class)
                    .hasMessageContaining("tensor 't3000000' of 3000000 bytes is not in shared memory at 1048576");
        }
    }

    @Test
    @DisplayName("descriptors that are not the core's files in memory are not used")
    void foreignDescriptors() {
        assertThat(SharedMemory.of(null)).isNull();
        for (String variable : List.of("", "0,1", "0", "a,b", "-1,-1", "../0,../1")) {
            assertThat(SharedMemory.of(variable)).as(variable).isNull();
        }
    }

    private static FileChannel open(Path folder, String name) throws IOException {
        return FileChannel.open(
                folder.resolve(name), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static TensorEntry tensor(String name, int size) {
        byte[] data = new byte[size];
        new Random(size).nextBytes(data);
        return new TensorEntry(name, Datatype.UINT8, List.of((long) size), ByteBuffer.wrap(data));
    }

    private static Stream<JsonNode> examples(boolean valid) throws IOException {
        JsonNode index = Frames.JSON.readTree(EXAMPLES.resolve("index.json").toFile());
        List<JsonNode> chosen = StreamSupport.stream(index.spliterator(), false)
                .filter(entry -> entry.get("valid").booleanValue() == valid)
                .toList();
        assertThat(chosen).hasSizeGreaterThan(20);
        return chosen.stream();
    }

    private static byte[] content(JsonNode entry) throws IOException {
        return Files.readAllBytes(EXAMPLES.resolve(entry.get("file").asText()));
    }

    private static Frame read(byte[] content) throws IOException {
        return new Frames(Channels.newChannel(new ByteArrayInputStream(content)), null).read();
    }

    private static byte[] write(Frame frame) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        // Entries without bytes are in the header only, so a side is described anew where it brings bytes.
        new Frames(null, Channels.newChannel(bytes))
                .write(frame.header().deepCopy(), orNull(frame.inputs()), orNull(frame.outputs()));
        return bytes.toByteArray();
    }

    private static List<TensorEntry> orNull(List<TensorEntry> tensors) {
        return tensors.isEmpty() ? null : tensors;
    }

    private static List<List<Object>> described(Frame frame) {
        List<List<Object>> described = new ArrayList<>();
        for (TensorEntry tensor :
                Stream.concat(frame.inputs().stream(), frame.outputs().stream()).toList()) {
            byte[] data = new byte[tensor.data().remaining()];
            tensor.data().duplicate().get(data);
            described.add(List.of(
                    tensor.name(),
                    tensor.datatype().name(),
                    tensor.shape().toString(),
                    HexFormat.of().formatHex(data)));
        }
        return described;
    }

    private static List<List<Object>> expected(JsonNode entry) {
        List<List<Object>> expected = new ArrayList<>();
        for (JsonNode tensor : entry.get("tensors")) {
            List<Long> shape = StreamSupport.stream(tensor.get("shape").spliterator(), false)
                    .map(JsonNode::longValue)
                    .toList();
            expected.add(List.of(
                    tensor.get("name").textValue(),
                    tensor.get("datatype").textValue(),
                    shape.toString(),
                    tensor.get("hex").textValue()));
        }
        return expected;
    }
}
