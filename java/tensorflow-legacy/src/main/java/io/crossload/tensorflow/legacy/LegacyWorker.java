package io.crossload.tensorflow.legacy;

import io.crossload.graph.GraphDefs;
import io.crossload.graph.GraphModel;
import io.crossload.graph.SavedModels;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.tensorflow.Graph;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Session;
import org.tensorflow.TensorFlow;
import org.tensorflow.TensorFlowException;
import org.tensorflow.proto.ConfigProto;

/** The runtime tensorflow-java-legacy: SavedModels through SavedModelBundle, GraphDefs through Graph.importGraphDef. */
public final class LegacyWorker implements Worker {
    /** TensorFlow's release, which is that of its Java API. */
    static final String RELEASE = TensorFlow.version();

    // Models name the devices they were made on; this machine has others.
    private static final byte[] CONFIG =
            ConfigProto.newBuilder().setAllowSoftPlacement(true).build().toByteArray();

    /** For java.util.ServiceLoader. */
    public LegacyWorker() {}

    @Override
    public Metadata metadata() {
        Map<String, Object> parameters = Map.of(
                "native",
                "TensorFlow " + RELEASE,
                "threads",
                Runtime.getRuntime().availableProcessors(),
                "datatypes",
                LegacyTensors.datatypes());
        return new Metadata("tensorflow-java-legacy", RELEASE, List.of("saved_model", "graph_def"), parameters);
    }

    @Override
    public Model load(LoadRequest request) throws WorkerException {
        return request.format().equals("saved_model") ? savedModel(request) : graphDef(request);
    }

    private static Model savedModel(LoadRequest request) throws WorkerException {
        List<String> tags = request.tags() == null ? SavedModels.SERVE : request.tags();
        SavedModels.check(request.path());
        try {
            SavedModelBundle bundle = SavedModelBundle.loader(request.path().toString())
                    .withConfigProto(CONFIG)
                    .withTags(tags.toArray(String[]::new))
                    .load();
            return new GraphModel<>(
                    new LegacySession(bundle.graph(), bundle.session(), bundle::close), UnaryOperator.identity());
        } catch (RuntimeException error) {
            SavedModels.explain(request.path(), tags);
            throw error;
        }
    }

    private static Model graphDef(LoadRequest request) throws WorkerException {
        GraphDefs.Importable importable = GraphDefs.importable(GraphDefs.read(request.path()));
        Graph graph = new Graph();
        try {
            graph.importGraphDef(importable.graph().toByteArray());
            Session session = new Session(graph, CONFIG);
            Runnable owned = () -> {
                session.close();
                graph.close();
            };
            return new GraphModel<>(new LegacySession(graph, session, owned), importable::actual);
        } catch (RuntimeException | Error error) {
            graph.close();
            throw error;
        }
    }

    @Override
    public byte[] registeredOps() {
        return TensorFlow.registeredOpList();
    }

    // What the JNI layer throws for a TF_Code: java/src/main/native/exception_jni.cc of TensorFlow 1.15.
    @Override
    public Code code(Throwable error) {
        if (error instanceof IllegalArgumentException) {
            return Code.INVALID_ARGUMENT;
        }
        if (error instanceof UnsupportedOperationException) {
            return Code.UNIMPLEMENTED;
        }
        if (error instanceof IndexOutOfBoundsException) {
            return Code.OUT_OF_RANGE;
        }
        // FAILED_PRECONDITION or RESOURCE_EXHAUSTED. The contract reads the former as the worker declining; here the
        // model failed.
        if (error instanceof IllegalStateException) {
            return Code.ABORTED;
        }
        if (error instanceof TensorFlowException) {
            return error.getMessage() != null && error.getMessage().contains("Op type not registered")
                    ? Code.NOT_FOUND
                    : Code.UNKNOWN;
        }
        return Worker.super.code(error);
    }
}
