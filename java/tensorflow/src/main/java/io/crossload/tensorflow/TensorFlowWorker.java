package io.crossload.tensorflow;

import io.crossload.graph.GraphWorker;
import io.crossload.worker.Code;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Properties;
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
public final class TensorFlowWorker extends GraphWorker<TensorFlowSession> {
    /** The release of TensorFlow Java: the system property crossload.runtime.version, else the release of the jar on the class path. */
    static final String RELEASE = release();

    /** For java.util.ServiceLoader. */
    public TensorFlowWorker() {
        super("tensorflow-java", RELEASE);
    }

    @Override
    protected String nativeVersion() {
        return TensorFlow.version();
    }

    @Override
    protected List<String> datatypes() {
        return NativeTensors.datatypes();
    }

    @Override
    protected void loadLibrary(String file) {
        TensorFlow.loadLibrary(file);
    }

    @Override
    protected TensorFlowSession loadSavedModel(String folder, String[] tags, ConfigProto config) {
        SavedModelBundle bundle = SavedModelBundle.loader(folder)
                .withConfigProto(config)
                .withTags(tags)
                .load();
        return new TensorFlowSession(
                bundle.graph(), bundle.session(), bundle.metaGraphDef().getSignatureDefMap(), bundle);
    }

    @Override
    protected TensorFlowSession importGraph(GraphDef content, ConfigProto config) {
        Graph graph = new Graph();
        try {
            graph.importGraphDef(content);
            Session session = new Session(graph, config);
            return new TensorFlowSession(graph, session, Map.of(), session, graph);
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
    protected Code codeOf(Throwable error) {
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
        // In the contract FAILED_PRECONDITION and PERMISSION_DENIED mean that the worker refuses; here the model
        // failed.
        if (error instanceof TFFailedPreconditionException) {
            return Code.ABORTED;
        }
        return error instanceof TensorFlowException ? Code.UNKNOWN : null;
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
