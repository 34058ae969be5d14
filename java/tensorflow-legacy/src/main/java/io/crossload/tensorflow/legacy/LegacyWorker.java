package io.crossload.tensorflow.legacy;

import io.crossload.graph.GraphWorker;
import io.crossload.worker.Code;
import java.util.List;
import org.tensorflow.Graph;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Session;
import org.tensorflow.TensorFlow;
import org.tensorflow.TensorFlowException;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.proto.GraphDef;

/** The runtime tensorflow-java-legacy: SavedModels through SavedModelBundle, GraphDefs through Graph.importGraphDef. */
public final class LegacyWorker extends GraphWorker<LegacySession> {
    /** The release of TensorFlow and of its Java API. */
    static final String RELEASE = TensorFlow.version();

    /** For java.util.ServiceLoader. */
    public LegacyWorker() {
        super("tensorflow-java-legacy", RELEASE);
    }

    @Override
    protected String nativeVersion() {
        return RELEASE;
    }

    @Override
    protected List<String> datatypes() {
        return LegacyTensors.datatypes();
    }

    @Override
    protected void loadLibrary(String file) {
        TensorFlow.loadLibrary(file);
    }

    @Override
    protected LegacySession loadSavedModel(String folder, String[] tags, ConfigProto config) {
        SavedModelBundle bundle = SavedModelBundle.loader(folder)
                .withConfigProto(config.toByteArray())
                .withTags(tags)
                .load();
        return new LegacySession(bundle.graph(), bundle.session(), bundle.metaGraphDef(), bundle::close);
    }

    @Override
    protected LegacySession importGraph(GraphDef content, ConfigProto config) {
        Graph graph = new Graph();
        try {
            graph.importGraphDef(content.toByteArray());
            Session session = new Session(graph, config.toByteArray());
            Runnable owned = () -> {
                session.close();
                graph.close();
            };
            return new LegacySession(graph, session, null, owned);
        } catch (RuntimeException | Error error) {
            graph.close();
            throw error;
        }
    }

    @Override
    public byte[] registeredOps() {
        return TensorFlow.registeredOpList();
    }

    // The exceptions of the JNI layer for each TF_Code: java/src/main/native/exception_jni.cc of TensorFlow 1.15.
    @Override
    protected Code codeOf(Throwable error) {
        if (error instanceof IllegalArgumentException) {
            return Code.INVALID_ARGUMENT;
        }
        if (error instanceof UnsupportedOperationException) {
            return Code.UNIMPLEMENTED;
        }
        if (error instanceof IndexOutOfBoundsException) {
            return Code.OUT_OF_RANGE;
        }
        // FAILED_PRECONDITION or RESOURCE_EXHAUSTED. In the contract the former means that the worker refuses; here the
        // model failed.
        if (error instanceof IllegalStateException) {
            return Code.ABORTED;
        }
        return error instanceof TensorFlowException ? Code.UNKNOWN : null;
    }
}
