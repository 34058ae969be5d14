package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("A vectors file")
class VectorsTest {
    @TempDir
    Path folder;

    private Path file;
    private ByteArrayOutputStream content;

    @BeforeEach
    void begin() {
        file = folder.resolve("serving_default.oip");
        content = new ByteArrayOutputStream();
    }

    @Test
    @DisplayName("gives requests and responses in its order, whose tensors outlive the reading")
    void vectors() throws IOException {
        for (int i = 0; i < 3; i++) {
            request("vector " + i, tensor("a", i), tensor("b", 10 + i));
            response("vector " + i, tensor("y", 20 + i));
        }
        List<Vector> vectors = Vectors.read(written(), 3);
        assertThat(vectors).extracting(Vector::id).containsExactly("vector 0", "vector 1", "vector 2");
        for (int i = 0; i < 3; i++) {
            Vector vector = vectors.get(i);
            assertThat(vector.inputs().keySet()).containsExactly("a", "b");
            assertThat(vector.inputs().values()).containsExactly(tensor("a", i), tensor("b", 10 + i));
            assertThat(vector.outputs().values()).containsExactly(tensor("y", 20 + i));
        }
    }

    @Test
    @DisplayName("is refused wherever it was cut off")
    void truncated() throws IOException {
        for (String id : List.of("one", "two")) {
            request(id, tensor("a", 1));
            response(id, tensor("y", 2));
        }
        byte[] whole = content.toByteArray();
        assertThat(Vectors.read(written(), 2)).hasSize(2);
        for (int length = 0; length < whole.length; length++) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Vectors.read(file, 2))
                    .as("%s of %s bytes", length, whole.length)
                    .isInstanceOf(ManifestException.class)
                    .hasMessageStartingWith(file.toString());
        }
    }

    @Test
    @DisplayName("is refused with a request that has no response, or another's")
    void oddNumber() throws IOException {
        request("one", tensor("a", 1));
        assertThatThrownBy(() -> Vectors.read(written(), 1))
                .hasMessage(file + " cannot be read as vectors: the last request has no response");
        response("two", tensor("y", 2));
        assertThatThrownBy(() -> Vectors.read(written(), 1))
                .hasMessage(file + " cannot be read as vectors: request \"one\" is followed by response \"two\"");
    }

    @Test
    @DisplayName("is refused where a vector has no name, or that of another")
    void names() throws IOException {
        content.writeBytes(frame(Frames.JSON.createObjectNode().put("id", 7), List.of(tensor("a", 1)), null));
        assertThatThrownBy(() -> Vectors.read(written(), 1)).hasMessageContaining("a vector has no name");
        content.reset();
        for (int i = 0; i < 2; i++) {
            request("one", tensor("a", 1));
            response("one", tensor("y", 2));
        }
        assertThatThrownBy(() -> Vectors.read(written(), 2)).hasMessageContaining("there are two vectors \"one\"");
    }

    @Test
    @DisplayName("is refused where it holds fewer or more vectors than the manifest promises")
    void count() throws IOException {
        request("one", tensor("a", 1));
        response("one", tensor("y", 2));
        for (int promised : new int[] {0, 2}) {
            assertThatThrownBy(() -> Vectors.read(written(), promised))
                    .isInstanceOf(ManifestException.class)
                    .hasMessage(
                            file + " holds 1 vectors, the manifest promises " + promised + "; export the bundle again");
        }
    }

    @Test
    @DisplayName("that is missing is named")
    void missing() {
        assertThatThrownBy(() -> Vectors.read(file, 1))
                .isInstanceOf(ManifestException.class)
                .hasMessageContaining(file.toString());
    }

    private void request(String id, TensorEntry... inputs) throws IOException {
        content.writeBytes(frame(named(id), List.of(inputs), null));
    }

    private void response(String id, TensorEntry... outputs) throws IOException {
        content.writeBytes(frame(named(id), null, List.of(outputs)));
    }

    private Path written() throws IOException {
        return Files.write(file, content.toByteArray());
    }

    private static byte[] frame(ObjectNode header, List<TensorEntry> inputs, List<TensorEntry> outputs)
            throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new Frames(null, Channels.newChannel(bytes)).write(header, inputs, outputs);
        return bytes.toByteArray();
    }

    private static ObjectNode named(String id) {
        return Frames.JSON.createObjectNode().put("id", id);
    }

    private static TensorEntry tensor(String name, int value) {
        return new TensorEntry(name, Datatype.UINT8, List.of(1L), ByteBuffer.wrap(new byte[] {(byte) value}));
    }
}
