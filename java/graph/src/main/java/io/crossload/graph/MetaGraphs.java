package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.tensorflow.proto.SavedModel;

/** Explains why a SavedModel does not load, where SavedModelBundle's message does not: a wrong file, wrong tags. */
public final class MetaGraphs {
    /** The tags of a request without tags. It is SavedModelBundle's default, too, but not in its first release. */
    public static final List<String> SERVE = List.of("serve");

    // tensorflow/cc/saved_model/constants.h
    private static final String BINARY = "saved_model.pb";
    private static final String TEXT = "saved_model.pbtxt";

    private MetaGraphs() {}

    /**
     * Checks that a folder has a SavedModel's file.
     *
     * @throws WorkerException NOT_FOUND if it has none, or is not a folder
     */
    public static void check(Path folder) throws WorkerException {
        if (!Files.isDirectory(folder)) {
            throw new WorkerException(
                    Code.NOT_FOUND, folder + " is a file; a SavedModel is the folder that holds " + BINARY);
        }
        if (file(folder) == null) {
            throw new WorkerException(
                    Code.NOT_FOUND,
                    folder + " holds no " + BINARY + "; name the folder that does, or export the model again");
        }
    }

    /**
     * Explains a failure to load a folder; returns if its {@code saved_model.pb} is not the cause. Call it only after a failure: reading a
     * large file takes as long as loading it.
     *
     * @param folder a folder that {@link #check} accepts
     * @param tags the requested tags
     * @throws WorkerException INVALID_ARGUMENT if the file is not a SavedModel; NOT_FOUND if no MetaGraph has exactly these tags, with the
     *     tags of each MetaGraph
     */
    public static void explain(Path folder, List<String> tags) throws WorkerException {
        Path file = file(folder);
        byte[] content = MessageFiles.content(file);
        if (GraphDefs.isGraph(content)) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, file + " is a GraphDef; load the file itself, as graph_def");
        }
        SavedModel model = MessageFiles.parse(file, content, SavedModel.newBuilder(), "SavedModel")
                .build();
        if (model.getMetaGraphsCount() == 0) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    file
                            + " holds no MetaGraph: it is empty, truncated or no SavedModel; copy or export the folder again");
        }
        List<List<String>> there = model.getMetaGraphsList().stream()
                .map(m -> List.copyOf(m.getMetaInfoDef().getTagsList()))
                .toList();
        if (there.stream().noneMatch(t -> Set.copyOf(t).equals(Set.copyOf(tags)))) {
            throw new WorkerException(
                    Code.NOT_FOUND,
                    "%s has no MetaGraph with the tags %s; its tag sets are: %s"
                            .formatted(
                                    folder,
                                    named(tags),
                                    there.stream().map(MetaGraphs::named).collect(Collectors.joining("; "))));
        }
    }

    /** Whether the content is a binary SavedModel. */
    static boolean isSavedModel(byte[] content) {
        try {
            SavedModel model = SavedModel.parseFrom(content);
            return model.getSavedModelSchemaVersion() > 0 && model.getMetaGraphsCount() > 0;
        } catch (InvalidProtocolBufferException error) {
            return false;
        }
    }

    private static String named(List<String> tags) {
        return tags.isEmpty() ? "(none)" : String.join(", ", tags);
    }

    private static Path file(Path folder) {
        return Stream.of(BINARY, TEXT)
                .map(folder::resolve)
                .filter(Files::exists)
                .findFirst()
                .orElse(null);
    }
}
