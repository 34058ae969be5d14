package io.crossload;

import io.crossload.contract.Frames;
import io.crossload.contract.Hashes;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An engine that answers with its input, and records what happens to it. */
final class Mirror implements Worker {
    private static final String MANIFEST =
            """
            {"crossload": 1, "model": {"name": "mirror"},
             "signatures": {"same": {"method_name": "",
               "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
               "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}]}},
             "artifacts": [
               {"id": "paper", "format": "paper", "path": "paper.txt", "sha256": "%1$s",
                "bindings": {"same": {"key": null, "inputs": {"x": "a"}, "outputs": {"y": "b"}}}},
               {"id": "glass", "format": "glass", "path": "glass.txt", "sha256": "%2$s",
                "bindings": {"same": {"key": null, "inputs": {"x": "a"}, "outputs": {"y": "b"}}}}],
             "vectors": [{"signature": "same", "path": "same.oip", "count": 1, "sha256": "%3$s", "seed": 0}]}
            """;

    final List<String> events = new ArrayList<>();
    final Map<String, WorkerException> unloadable = new HashMap<>();
    Path loaded;
    Runnable meanwhile = () -> {};
    List<String> formats = List.of("glass");
    WorkerException failure;
    ByteBuffer answer;

    @Override
    public Metadata metadata() {
        return new Metadata("mirror", "1", formats, Map.of());
    }

    @Override
    public Model load(LoadRequest request) throws WorkerException {
        loaded = request.path();
        events.add("load " + request.path().getFileName());
        if (unloadable.containsKey(request.format())) {
            throw unloadable.get(request.format());
        }
        return new Model() {
            @Override
            public Answer infer(InferRequest asked) throws WorkerException {
                events.add("infer");
                meanwhile.run();
                if (failure != null) {
                    throw failure;
                }
                TensorEntry x = asked.inputs().get(0);
                TensorEntry y = new TensorEntry("y", x.datatype(), x.shape(), answer == null ? x.data() : answer);
                return new Answer(List.of(y), 1, null, () -> events.add("freed"));
            }

            @Override
            public void close() {
                events.add("close");
            }
        };
    }

    /** Writes a bundle of two artifacts, of which it loads the second. */
    static void write(Path folder) throws IOException {
        Path paper = Files.writeString(folder.resolve("paper.txt"), "paper");
        Path glass = Files.writeString(folder.resolve("glass.txt"), "glass");
        Path vectors = folder.resolve("same.oip");
        HostTensor tensor = HostTensor.of(new float[] {1, 2}, 2);
        try (FileChannel channel = FileChannel.open(vectors, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            Frames frames = new Frames(null, channel);
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), List.of(tensor.entry("x")), null);
            frames.write(Frames.JSON.createObjectNode().put("id", "0"), null, List.of(tensor.entry("y")));
        }
        String manifest = MANIFEST.formatted(Hashes.sha256(paper), Hashes.sha256(glass), Hashes.sha256(vectors));
        Files.writeString(folder.resolve("crossload.json"), manifest);
    }
}
