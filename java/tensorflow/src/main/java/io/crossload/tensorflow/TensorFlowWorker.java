package io.crossload.tensorflow;

import io.crossload.graph.GraphDefs;
import io.crossload.graph.GraphModel;
import io.crossload.graph.SavedModels;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.UnaryOperator;
import org.tensorflow.Graph;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Session;
import org.tensorflow.TensorFlow;
import org.tensorflow.exceptions.TFFailedPreconditionException;
import org.tensorflow.exceptions.TFInvalidArgumentException;
import org.tensorflow.exceptions.TFOutOfRangeException;
import org.tensorflow.exceptions.TFResourceExhaustedException;
import org.tensorflow.exceptions.TFUnauthenticatedException;
import org.tensorflow.exceptions.TFUnimplementedException;
import org.tensorflow.exceptions.TensorFlowException;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.proto.GraphDef;

/** The runtime tensorflow-java from 0.3 on: SavedModels through SavedModelBundle, GraphDefs through Graph.importGraphDef. */
public final class TensorFlowWorker implements Worker {
    /** TensorFlow Java's release: that of the jar on the class path, or the system property crossload.runtime.version. */
    static final String RELEASE = release();

    // Models name the devices they were made on; this machine has others.
    private static final ConfigProto CONFIG =
            ConfigProto.newBuilder().setAllowSoftPlacement(true).build();

    /** For java.util.ServiceLoader. */
    public TensorFlowWorker() {}

    @Override
    public Metadata metadata() {
        Map<String, Object> parameters = Map.of(
                "native",
                "TensorFlow " + TensorFlow.version(),
                "threads",
                Runtime.getRuntime().availableProcessors(),
                "datatypes",
                Tensors.datatypes());
        return new Metadata("tensorflow-java", RELEASE, List.of("saved_model", "graph_def"), parameters);
    }

    @Override
    public Model load(LoadRequest request) throws WorkerException {
        return request.format().equals("saved_model") ? savedModel(request) : graphDef(request);
    }

    private static Model savedModel(LoadRequest request) throws WorkerException {
        SavedModelBundle bundle = bundle(request.path(), request.tags());
        return new GraphModel<>(
                new TensorFlowSession(bundle.graph(), bundle.session(), bundle), UnaryOperator.identity());
    }

    private static Model graphDef(LoadRequest request) throws WorkerException {
        GraphDefs.Importable importable = GraphDefs.importable(GraphDefs.read(request.path()));
        return new GraphModel<>(session(importable.graph()), importable::actual);
    }

    /**
     * The SavedModel at a path.
     *
     * @param tags those of its MetaGraph, null for {@link SavedModels#SERVE}
     * @throws WorkerException where {@link SavedModels} has better words than TensorFlow, whose exceptions are thrown as they are
     */
    static SavedModelBundle bundle(Path path, List<String> tags) throws WorkerException {
        List<String> wanted = tags == null ? SavedModels.SERVE : tags;
        SavedModels.check(path);
        try {
            return SavedModelBundle.loader(path.toString())
                    .withConfigProto(CONFIG)
                    .withTags(wanted.toArray(String[]::new))
                    .load();
        } catch (RuntimeException error) {
            SavedModels.explain(path, wanted);
            throw error;
        }
    }

    /** A graph of its own with this content. */
    static TensorFlowSession session(GraphDef content) {
        Graph graph = new Graph();
        try {
            graph.importGraphDef(content);
            Session session = new Session(graph, CONFIG);
            return new TensorFlowSession(graph, session, session, graph);
        } catch (RuntimeException | Error error) {
            graph.close();
            throw error;
        }
    }

    @Override
    public byte[] registeredOps() {
        return TensorFlow.registeredOpList().toByteArray();
    }

    @Override
    public Code code(Throwable error) {
        if (error instanceof TFInvalidArgumentException || error instanceof IllegalArgumentException) {
            return Code.INVALID_ARGUMENT;
        }
        if (error instanceof TFUnimplementedException) {
            return Code.UNIMPLEMENTED;
        }
        if (error instanceof TFResourceExhaustedException) {
            return Code.RESOURCE_EXHAUSTED;
        }
        if (error instanceof TFOutOfRangeException) {
            return Code.OUT_OF_RANGE;
        }
        if (error instanceof TFUnauthenticatedException) {
            return Code.UNAUTHENTICATED;
        }
        // The contract reads FAILED_PRECONDITION and PERMISSION_DENIED as the worker declining; here the model failed.
        if (error instanceof TFFailedPreconditionException) {
            return Code.ABORTED;
        }
        if (error instanceof TensorFlowException) {
            return error.getMessage() != null && error.getMessage().contains("Op type not registered")
                    ? Code.NOT_FOUND
                    : Code.UNKNOWN;
        }
        return Worker.super.code(error);
    }

    private static String release() {
        String given = System.getProperty("crossload.runtime.version");
        if (given != null) {
            return given;
        }
        String pom = "/META-INF/maven/org.tensorflow/tensorflow-core-api/pom.properties";
        try (InputStream stream = TensorFlow.class.getResourceAsStream(pom)) {
            Properties properties = new Properties();
            if (stream != null) {
                properties.load(stream);
            }
            return properties.getProperty("version", "unknown");
        } catch (IOException error) {
            return "unknown";
        }
    }
}
