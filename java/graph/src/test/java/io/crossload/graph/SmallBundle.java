package io.crossload.graph;

import static io.crossload.graph.GraphTexts.graph;
import static io.crossload.graph.GraphTexts.node;
import static io.crossload.graph.GraphTexts.placeholder;
import static io.crossload.graph.GraphTexts.type;
import static io.crossload.graph.GraphTexts.unary;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frames;
import io.crossload.contract.Hashes;
import io.crossload.contract.TensorEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;

/** Writes a bundle that every release runs: x² + bias, whose bias has a default; strings as they are; int8 with a bridge. */
final class SmallBundle {
    private static final String MANIFEST =
            """
            {"crossload": 1, "model": {"name": "small"}, "signatures": {
              "square": {"method_name": "", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]},
                {"name": "bias", "datatype": "FP32", "shape": [], "default": {"shape": [], "data": [0.5]}}],
                "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]},
              "echo": {"method_name": "", "inputs": [{"name": "s", "datatype": "BYTES", "shape": null}],
                "outputs": [{"name": "t", "datatype": "BYTES", "shape": null}]},
              "steps": {"method_name": "", "inputs": [{"name": "z", "datatype": "INT8", "shape": [-1]}],
                "outputs": [{"name": "w", "datatype": "INT8", "shape": [-1]}]}},
             "artifacts": [{"id": "graph", "format": "graph_def", "path": "graph.pbtxt", "sha256": "%s", "bindings": {
              "square": {"inputs": {"x": "x:0", "bias": "bias:0"}, "outputs": {"y": "y:0"}},
              "echo": {"inputs": {"s": "s:0"}, "outputs": {"t": "t:0"}},
              "steps": {"inputs": {"z": "z:0"}, "outputs": {"w": "w:0"},
                "bridge": {"inputs": {"z": "bridge_z:0"}, "outputs": {"w": "bridge_w:0"}, "carriers": {"INT8": "INT32"}}}}}],
             "vectors": [{"signature": "square", "path": "square.oip", "count": 1, "sha256": "%s", "seed": 0,
               "reference": {"runtime": "arithmetic", "version": "1", "artifact": "graph"}}]}
            """;

    private SmallBundle() {}

    /** The bundle's folder. */
    static Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path artifact = Files.writeString(folder.resolve("graph.pbtxt"), nodes());
        Path vectors = folder.resolve("square.oip");
        try (FileChannel channel = FileChannel.open(vectors, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            Frames frames = new Frames(null, channel);
            frames.write(named(), List.of(floats("x", 1, -2, 3), floats("bias", 1)), null);
            frames.write(named(), null, List.of(floats("y", 2, 5, 10)));
        }
        Files.writeString(
                folder.resolve("crossload.json"), MANIFEST.formatted(Hashes.sha256(artifact), Hashes.sha256(vectors)));
        return folder;
    }

    private static String nodes() {
        return graph(
                placeholder("x", Datatype.FP32),
                placeholder("bias", Datatype.FP32),
                node("square", "Mul", List.of("x", "x"), Map.of("T", type(Datatype.FP32))),
                node("y", "Add", List.of("square", "bias"), Map.of("T", type(Datatype.FP32))),
                placeholder("s", Datatype.BYTES),
                unary("Identity", "t", "s", Datatype.BYTES),
                placeholder("z", Datatype.INT8),
                unary("Identity", "w", "z", Datatype.INT8),
                placeholder("bridge_z", Datatype.INT32),
                cast("inner_z", "bridge_z", Datatype.INT32, Datatype.INT8),
                unary("Identity", "inner_w", "inner_z", Datatype.INT8),
                cast("bridge_w", "inner_w", Datatype.INT8, Datatype.INT32));
    }

    private static String cast(String name, String input, Datatype from, Datatype to) {
        return node(name, "Cast", List.of(input), Map.of("SrcT", type(from), "DstT", type(to)));
    }

    private static ObjectNode named() {
        return Frames.JSON.createObjectNode().put("id", "three");
    }

    private static TensorEntry floats(String name, float... values) {
        ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        data.asFloatBuffer().put(values);
        return new TensorEntry(
                name, Datatype.FP32, values.length == 1 ? List.of() : List.of((long) values.length), data);
    }
}
