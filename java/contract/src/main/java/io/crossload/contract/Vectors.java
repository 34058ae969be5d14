package io.crossload.contract;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads vectors files: request, response, request, response, … (bindings/contract/README.md, section Vectors file). */
public final class Vectors {
    private Vectors() {}

    /**
     * Reads a vectors file.
     *
     * @param path the file
     * @param count the number of vectors that the manifest states
     * @return the vectors in the file's order, with memory of their own
     * @throws ManifestException if the file cannot be read, is damaged, has two vectors of one name or another number of vectors
     */
    public static List<Vector> read(Path path, int count) throws ManifestException {
        List<Vector> vectors = new ArrayList<>();
        Set<String> names = new HashSet<>();
        try (FileChannel channel = FileChannel.open(path)) {
            Frames frames = new Frames(channel, null);
            for (Frame request = frames.read(); request != null; request = frames.read()) {
                JsonNode id = request.header().path("id");
                if (!id.isTextual()) {
                    throw new FrameException("a vector has no name (the id of its request)");
                }
                // Reading the response overwrites the request's bytes.
                Map<String, TensorEntry> inputs = copies(request.inputs());
                Frame response = frames.read();
                if (response == null) {
                    throw new FrameException("the last request has no response");
                }
                if (!id.equals(response.header().path("id"))) {
                    throw new FrameException("request " + id + " is followed by response "
                            + response.header().path("id"));
                }
                if (!names.add(id.textValue())) {
                    throw new FrameException("there are two vectors " + id);
                }
                vectors.add(new Vector(id.textValue(), inputs, copies(response.outputs())));
            }
        } catch (IOException error) {
            throw new ManifestException(path + " cannot be read as vectors: " + error.getMessage(), error);
        }
        if (vectors.size() != count) {
            throw new ManifestException(path + " holds " + vectors.size() + " vectors, the manifest promises " + count
                    + "; export the bundle again");
        }
        return vectors;
    }

    private static Map<String, TensorEntry> copies(List<TensorEntry> tensors) {
        Map<String, TensorEntry> copies = new LinkedHashMap<>();
        for (TensorEntry tensor : tensors) {
            ByteBuffer data =
                    ByteBuffer.allocateDirect(tensor.data().remaining()).order(ByteOrder.LITTLE_ENDIAN);
            data.put(tensor.data().duplicate()).flip();
            copies.put(
                    tensor.name(),
                    new TensorEntry(
                            tensor.name(), tensor.datatype(), tensor.shape(), data, tensor.rounding(), tensor.steps()));
        }
        return copies;
    }
}
