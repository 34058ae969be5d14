package io.crossload.djl;

import ai.djl.engine.Engine;
import io.crossload.graph.GraphWorker;
import io.crossload.graph.MetaGraphs;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.tensorflow.exceptions.TFInvalidArgumentException;
import org.tensorflow.exceptions.TFResourceExhaustedException;
import org.tensorflow.exceptions.TFUnimplementedException;
import org.tensorflow.exceptions.TensorFlowException;

/** The runtime djl: SavedModels through Criteria and Predictor, as DJL's users load and call them. */
final class DjlWorker implements Worker {
    static final String ENGINE = "TensorFlow";

    private final boolean named;
    private final Metadata metadata;

    /**
     * @param named whether arrays get the names of the signature's inputs
     * @throws ai.djl.engine.EngineException if the engine or its natives cannot be loaded
     */
    DjlWorker(boolean named) {
        this.named = named;
        Map<String, Object> parameters = Map.of(
                "native",
                "TensorFlow " + Engine.getEngine(ENGINE).getVersion(),
                "threads",
                Runtime.getRuntime().availableProcessors(),
                "datatypes",
                DjlArrays.datatypes(),
                "arrays",
                named ? "named" : "unnamed");
        metadata = new Metadata(
                named ? "djl" : "djl+unnamed", Engine.getDjlVersion(), List.of(GraphWorker.SAVED_MODEL), parameters);
    }

    @Override
    public Metadata metadata() {
        return metadata;
    }

    @Override
    public Model load(LoadRequest request) throws WorkerException {
        if (!request.opLibraries().isEmpty()) {
            throw new WorkerException(
                    Code.UNIMPLEMENTED, "DJL has no call that loads a library of custom ops; tensorflow-java has one");
        }
        MetaGraphs.check(request.path());
        List<String> tags = request.tags() == null ? MetaGraphs.SERVE : request.tags();
        DjlModel model = new DjlModel(request.path(), tags, named);
        try {
            // Shows whether the SavedModel loads at all. What is wrong with one signature must not keep the others from
            // being called.
            model.load(request.signatures().values().stream()
                    .map(Binding::key)
                    .filter(Objects::nonNull)
                    .findFirst()
                    .orElse("serving_default"));
            return model;
        } catch (WorkerException | RuntimeException | Error error) {
            model.close();
            throw error;
        }
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
        if (String.valueOf(error.getMessage()).contains("Op type not registered")) {
            return Code.NOT_FOUND;
        }
        return error instanceof TensorFlowException ? Code.UNKNOWN : Worker.super.code(error);
    }
}
