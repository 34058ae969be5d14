package io.crossload.djl;

import ai.djl.MalformedModelException;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.tensorflow.engine.TfSymbolBlock;
import ai.djl.translate.TranslateException;
import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Text;
import io.crossload.graph.MetaGraphs;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.Model;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.tensorflow.proto.MetaGraphDef;
import org.tensorflow.proto.SignatureDef;
import org.tensorflow.proto.TensorInfo;

/** A SavedModel in DJL, loaded anew for each signature that is called: a ZooModel has one. */
final class DjlModel implements Model {
    private final Path folder;
    private final List<String> tags;
    private final boolean named;
    private final Map<String, ZooModel<NDList, NDList>> models = new HashMap<>(); // by the SignatureDef's key
    private final Map<String, Signature> signatures = new HashMap<>();

    /**
     * A signature as DJL calls it.
     *
     * @param model loaded for this signature
     * @param predictor calls it
     * @param order the inputs in the order in which they go into the NDList
     * @param note says that DJL takes them in another order; null if it does not
     */
    private record Signature(
            ZooModel<NDList, NDList> model, Predictor<NDList, NDList> predictor, List<String> order, String note) {}

    /**
     * @param folder the SavedModel
     * @param tags its MetaGraph's
     * @param named whether arrays get the names of the signature's inputs
     */
    DjlModel(Path folder, List<String> tags, boolean named) {
        this.folder = folder;
        this.tags = tags;
        this.named = named;
    }

    private Signature signature(InferRequest request) throws WorkerException {
        Signature known = signatures.get(request.signature());
        if (known == null) {
            String key = request.binding().key();
            if (key == null) {
                throw new WorkerException(
                        Code.UNIMPLEMENTED,
                        "DJL calls the signatures of a SavedModel, and '%s' is none of them"
                                .formatted(request.signature()));
            }
            ZooModel<NDList, NDList> model = load(key);
            SignatureDef stated = stated(model, request.binding());
            List<String> order = named ? sorted(stated) : CallOrder.of(metaGraph(model), stated);
            known = new Signature(model, model.newPredictor(), order, note(order, stated));
            signatures.put(request.signature(), known);
        }
        return known;
    }

    /**
     * Loads the SavedModel for a signature, unless that is done already.
     *
     * @param key the SignatureDef's; DJL takes any other signature for one that is missing
     * @throws WorkerException if {@link MetaGraphs} finds the cause of a failure; else DJL's or TensorFlow's own exception is thrown
     */
    ZooModel<NDList, NDList> load(String key) throws WorkerException {
        ZooModel<NDList, NDList> known = models.get(key);
        if (known == null) {
            Criteria<NDList, NDList> criteria = Criteria.builder()
                    .setTypes(NDList.class, NDList.class)
                    .optEngine(DjlWorker.ENGINE)
                    .optModelPath(folder)
                    .optOption("Tags", String.join(",", tags))
                    .optOption("SignatureDefKey", key)
                    .build();
            try {
                known = criteria.loadModel();
            } catch (IOException | ModelNotFoundException | MalformedModelException | RuntimeException error) {
                MetaGraphs.explain(folder, tags);
                throw error instanceof RuntimeException own ? own : rootOf(error);
            }
            models.put(key, known);
        }
        return known;
    }

    /** DJL takes any other signature for a key that is missing, so that the key must be checked. */
    private static SignatureDef stated(ZooModel<?, ?> model, Binding binding) throws WorkerException {
        Map<String, SignatureDef> all = metaGraph(model).getSignatureDefMap();
        SignatureDef stated = all.get(binding.key());
        if (stated == null) {
            throw new WorkerException(
                    Code.NOT_FOUND,
                    "the SavedModel has no signature '%s', and DJL would call another in its place%s"
                            .formatted(binding.key(), Text.near(binding.key(), new TreeSet<>(all.keySet()))));
        }
        check(stated.getInputsMap(), binding.inputs());
        check(stated.getOutputsMap(), binding.outputs());
        return stated;
    }

    private static MetaGraphDef metaGraph(ZooModel<?, ?> model) {
        return ((TfSymbolBlock) model.getBlock()).getSavedModelBundle().getMetaGraphDef();
    }

    private static void check(Map<String, TensorInfo> stated, Map<String, String> bound) throws WorkerException {
        for (Map.Entry<String, String> one : bound.entrySet()) {
            TensorInfo tensor = stated.get(one.getKey());
            if (tensor == null || !tensor.getName().equals(one.getValue())) {
                throw new WorkerException(
                        Code.UNIMPLEMENTED,
                        "DJL calls a signature by its own names, and '%s' (%s) is none of them"
                                .formatted(one.getKey(), one.getValue()));
            }
            DjlArrays.check(Datatype.ofNumber(tensor.getDtypeValue()), tensor.getDtype());
        }
    }

    private static List<String> sorted(SignatureDef stated) {
        return List.copyOf(new TreeSet<>(stated.getInputsMap().keySet()));
    }

    private String note(List<String> order, SignatureDef stated) {
        return named || order.equals(sorted(stated))
                ? null
                : "without names, DJL takes the arrays (%s) for the inputs (%s)"
                        .formatted(String.join(", ", order), String.join(", ", sorted(stated)));
    }

    @Override
    public Answer infer(InferRequest request) throws WorkerException {
        Signature signature = signature(request);
        Map<String, TensorEntry> given = new HashMap<>();
        request.inputs().forEach(entry -> given.put(entry.name(), entry));
        List<String> absent =
                signature.order().stream().filter(n -> !given.containsKey(n)).toList();
        if (!absent.isEmpty()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "signature '%s' needs inputs that the request leaves out: %s; DJL knows no defaults"
                            .formatted(request.signature(), String.join(", ", absent)));
        }
        NDManager manager = signature.model().getNDManager().newSubManager();
        try {
            NDList arrays = new NDList();
            for (String name : signature.order()) {
                NDArray array = DjlArrays.toArray(manager, given.get(name));
                if (named) {
                    array.setName(name);
                }
                arrays.add(array);
            }
            long start = System.nanoTime();
            NDList answers = predicted(signature, arrays);
            long nanoseconds = System.nanoTime() - start;
            answers.attach(manager);
            List<TensorEntry> outputs = new ArrayList<>(request.outputs().size());
            for (String name : request.outputs()) {
                outputs.add(DjlArrays.toEntry(name, answers.get(name)));
            }
            return new Answer(outputs, nanoseconds, signature.note(), manager::close);
        } catch (WorkerException | RuntimeException | Error error) {
            manager.close();
            throw error;
        }
    }

    private static NDList predicted(Signature signature, NDList arrays) {
        try {
            return signature.predictor().predict(arrays);
        } catch (TranslateException error) {
            throw rootOf(error);
        }
    }

    /** TensorFlow's own exception, where DJL wraps it. */
    private static RuntimeException rootOf(Exception error) {
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof RuntimeException own) {
                return own;
            }
        }
        return new IllegalStateException(error.getMessage(), error);
    }

    @Override
    public void close() {
        signatures.values().forEach(signature -> signature.predictor().close());
        signatures.clear();
        models.values().forEach(ZooModel::close);
        models.clear();
    }
}
