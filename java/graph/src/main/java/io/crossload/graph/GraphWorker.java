package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.proto.GraphDef;

/**
 * A worker of TensorFlow Java for SavedModels and GraphDefs. A subclass adds the API of its releases.
 *
 * @param <S> the session of that API
 */
public abstract class GraphWorker<S extends GraphSession<?, ?>> implements Worker {
    /** The format of a SavedModel's folder. */
    public static final String SAVED_MODEL = "saved_model";

    /** The format of a GraphDef's file, binary or text. */
    public static final String GRAPH_DEF = "graph_def";

    private final String name;
    private final String release;

    /**
     * An artifact's graph in a session.
     *
     * @param session runs the graph; the caller closes it
     * @param names the name in the graph of a tensor of the artifact
     * @param ends a GraphDef's placeholders and the operations whose results nothing takes; null for a SavedModel
     */
    public record OpenGraph<S>(S session, UnaryOperator<TensorName> names, GraphDefs.Ends ends) {}

    /**
     * @param name the runtime's name, such as {@code tensorflow-java}
     * @param release of TensorFlow Java
     */
    protected GraphWorker(String name, String release) {
        this.name = name;
        this.release = release;
    }

    @Override
    public final Metadata metadata() {
        Map<String, Object> parameters = Map.of(
                "native",
                "TensorFlow " + nativeVersion(),
                "threads",
                Runtime.getRuntime().availableProcessors(),
                "datatypes",
                datatypes(),
                "options",
                List.of("operator_times"));
        return new Metadata(name, release, List.of(SAVED_MODEL, GRAPH_DEF), parameters);
    }

    @Override
    public final Model load(LoadRequest request) throws WorkerException {
        for (Path library : request.opLibraries()) {
            OpLibraries.check(library);
            try {
                loadLibrary(library.toString());
            } catch (RuntimeException | UnsatisfiedLinkError error) {
                throw OpLibraries.unloadable(library, nativeVersion(), error);
            }
        }
        if (request.format().equals(GRAPH_DEF)) {
            return model(openGraphDef(request.path(), request.sessionConfig()), request.operatorTimes());
        }
        List<String> tags = request.tags() == null ? MetaGraphs.SERVE : request.tags();
        return model(openSavedModel(request.path(), tags, request.sessionConfig()), request.operatorTimes());
    }

    private Model model(OpenGraph<S> graph, boolean operatorTimes) {
        GraphSession<?, ?> session = graph.session();
        return new GraphModel<>(session, graph.names(), graph.ends(), operatorTimes);
    }

    /**
     * Loads the MetaGraph of a SavedModel.
     *
     * @param folder the SavedModel's folder
     * @param tags the MetaGraph's tags, all of them
     * @param sessionConfig a serialised tensorflow.ConfigProto; null for one that only allows soft placement
     * @throws WorkerException if {@link MetaGraphs} finds the cause of a failure; else TensorFlow's own exception is thrown
     */
    public final OpenGraph<S> openSavedModel(Path folder, List<String> tags, byte[] sessionConfig)
            throws WorkerException {
        MetaGraphs.check(folder);
        try {
            return new OpenGraph<>(
                    loadSavedModel(folder.toString(), tags.toArray(String[]::new), configuration(sessionConfig)),
                    UnaryOperator.identity(),
                    null);
        } catch (RuntimeException error) {
            MetaGraphs.explain(folder, tags);
            throw error;
        }
    }

    /**
     * Imports a GraphDef into a graph of its own.
     *
     * @param file binary or text
     * @param sessionConfig a serialised tensorflow.ConfigProto; null for one that only allows soft placement
     * @throws WorkerException if the file is not a GraphDef; TensorFlow's own exception is thrown if the import fails
     */
    public final OpenGraph<S> openGraphDef(Path file, byte[] sessionConfig) throws WorkerException {
        GraphDefs.Importable importable = GraphDefs.importable(GraphDefs.read(file));
        return new OpenGraph<>(
                importGraph(importable.graph(), configuration(sessionConfig)),
                importable::actual,
                GraphDefs.ends(importable));
    }

    // Models name the devices that they were made on; this machine may have others.
    private static ConfigProto configuration(byte[] sessionConfig) throws WorkerException {
        try {
            return sessionConfig == null
                    ? ConfigProto.newBuilder().setAllowSoftPlacement(true).build()
                    : ConfigProto.parseFrom(sessionConfig);
        } catch (InvalidProtocolBufferException error) {
            throw new WorkerException(
                    Code.FAILED_PRECONDITION,
                    "the session's configuration is no serialised tensorflow.ConfigProto",
                    error);
        }
    }

    /** The version of native TensorFlow. */
    protected abstract String nativeVersion();

    /** The contract's names of the datatypes that have a tensor type in this release: ServerMetadata's {@code datatypes}. */
    protected abstract List<String> datatypes();

    /** Registers the ops and kernels of a library in this process; a library that is loaded already stays. */
    protected abstract void loadLibrary(String file);

    /** Loads a SavedModel with SavedModelBundle. */
    protected abstract S loadSavedModel(String folder, String[] tags, ConfigProto config);

    /** Imports a GraphDef into a new graph; frees the graph if that fails. */
    protected abstract S importGraph(GraphDef content, ConfigProto config);

    /**
     * The code of an exception of the release's API, for {@link #code}.
     *
     * @return null for another exception; UNKNOWN for a TensorFlow error without a code of its own
     */
    protected abstract Code codeOf(Throwable error);

    @Override
    public final Code code(Throwable error) {
        Code code = codeOf(error);
        if (code == Code.UNKNOWN && String.valueOf(error.getMessage()).contains("Op type not registered")) {
            return Code.NOT_FOUND;
        }
        // DirectSession::WaitForNotification: RunOptions.timeout_in_ms has passed.
        if (String.valueOf(error.getMessage()).contains("Timed out waiting for notification")) {
            return Code.DEADLINE_EXCEEDED;
        }
        return code == null ? Worker.super.code(error) : code;
    }
}
