package io.crossload.worker;

import io.crossload.contract.TensorEntry;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * One runtime behind the worker protocol. {@link WorkerLoop} does ids, Echo, bindings and errors; a worker only loads and runs.
 *
 * <p>Whatever a method throws answers the request at hand: a {@link WorkerException} with its code, anything else as {@link #code}
 * says.
 */
public interface Worker {

    /**
     * Who answers.
     *
     * @param name the runtime's name, such as {@code tensorflow-java}
     * @param version its release
     * @param formats the artifact formats that {@link #load} takes
     * @param parameters what else explains answers ({@code native}, {@code threads}, {@code datatypes}, …): strings, numbers,
     *     booleans, lists of strings
     */
    record Metadata(String name, String version, List<String> formats, Map<String, Object> parameters) {}

    /**
     * A signature's names and this artifact's tensors.
     *
     * @param key the SignatureDef's key inside the artifact, null where there is none
     * @param inputs tensor names ({@code operation:index}) or indices, by the signature's names
     * @param outputs the same of the outputs
     */
    record Binding(String key, Map<String, String> inputs, Map<String, String> outputs) {}

    /**
     * What RepositoryModelLoad asks for.
     *
     * @param path the artifact, which exists
     * @param format one of the worker's formats
     * @param tags the MetaGraph's tags, perhaps none; null where the request has none
     * @param signatures the bindings
     */
    record LoadRequest(Path path, String format, List<String> tags, Map<String, Binding> signatures) {}

    /**
     * What ModelInfer asks for; names are the binding's own.
     *
     * @param signature the signature's name
     * @param binding its binding
     * @param inputs the tensors to feed, perhaps fewer than the binding has; valid until the answer is made
     * @param outputs the names of the outputs wanted
     */
    record InferRequest(String signature, Binding binding, List<TensorEntry> inputs, List<String> outputs) {}

    /**
     * A model's outputs.
     *
     * @param outputs the outputs asked for, in that order
     * @param nanoseconds the time of the runtime's own call
     * @param note one sentence worth showing, or null
     * @param memory what holds the outputs' bytes; closed once they are written
     */
    record Answer(List<TensorEntry> outputs, long nanoseconds, String note, Runnable memory) implements AutoCloseable {
        @Override
        public void close() {
            memory.run();
        }
    }

    /** A loaded artifact. */
    interface Model extends AutoCloseable {
        /** One sentence worth showing about how it was loaded, or null. */
        default String note() {
            return null;
        }

        /** The outputs asked for. */
        Answer infer(InferRequest request) throws WorkerException;

        /** Frees the model. */
        @Override
        void close();
    }

    /** Who answers. */
    Metadata metadata();

    /** Loads an artifact. */
    Model load(LoadRequest request) throws WorkerException;

    /** A serialised tensorflow.OpList of what the runtime can run. */
    default byte[] registeredOps() throws WorkerException {
        throw new WorkerException(Code.UNIMPLEMENTED, metadata().name() + " does not list its operations");
    }

    /** The code of an exception that is no {@link WorkerException}. */
    default Code code(Throwable error) {
        return error instanceof OutOfMemoryError ? Code.RESOURCE_EXHAUSTED : Code.INTERNAL;
    }
}
