package io.crossload.worker;

import io.crossload.contract.Manifest.Signature;
import io.crossload.contract.TensorEntry;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * One runtime behind the worker protocol. {@link WorkerLoop} handles ids, Echo, bindings and errors; a worker only loads and runs models.
 *
 * <p>An exception of a method becomes the error response to its request: a {@link WorkerException} with its own code, another exception
 * with the code that {@link #code} returns.
 */
public interface Worker {

    /**
     * The identity of a runtime, for ServerMetadata.
     *
     * @param name the runtime's name, such as {@code tensorflow-java}
     * @param version the runtime's release
     * @param formats the artifact formats that {@link #load} accepts
     * @param parameters further properties that may affect answers ({@code native}, {@code threads}, {@code datatypes}, …); values are
     *     strings, numbers, booleans or lists of strings
     */
    record Metadata(String name, String version, List<String> formats, Map<String, Object> parameters) {}

    /**
     * The tensors of an artifact that a signature's inputs and outputs are.
     *
     * @param key the SignatureDef's key inside the artifact, null if there is none
     * @param inputs tensor names ({@code operation:index}) or tensor indices, by input name
     * @param outputs tensor names or tensor indices, by output name
     */
    record Binding(String key, Map<String, String> inputs, Map<String, String> outputs) {}

    /**
     * A signature that the artifact itself describes.
     *
     * @param signature its inputs and outputs; the shape of a tensor is null if the artifact does not tell its rank
     * @param binding the artifact's tensors that they are
     */
    record OwnSignature(Signature signature, Binding binding) {}

    /**
     * A RepositoryModelLoad request.
     *
     * @param path the artifact's path; {@link WorkerLoop} has checked that it exists
     * @param format one of the worker's formats
     * @param tags the MetaGraph's tags, may be empty; null if the request has no tags
     * @param signatures the bindings, by signature name
     * @param keepState whether an answer may depend on the requests since the load; otherwise a model that keeps state starts each run
     *     from the state that the file describes, if the runtime can reset it
     * @param opLibraries the user's libraries of custom ops, to load before the artifact
     * @param sessionConfig how the session is configured: a serialised tensorflow.ConfigProto; null for the worker's own, which allows soft
     *     placement
     * @param operatorTimes whether each answer is to have the time of each operator, if the runtime tells it
     */
    record LoadRequest(
            Path path,
            String format,
            List<String> tags,
            Map<String, Binding> signatures,
            boolean keepState,
            List<Path> opLibraries,
            byte[] sessionConfig,
            boolean operatorTimes) {
        /**
         * A request for a model that starts each run from the same state, without custom ops and times of operators.
         *
         * @param path the artifact's path
         * @param format one of the worker's formats
         * @param tags the MetaGraph's tags, may be empty; null if the request has no tags
         * @param signatures the bindings, by signature name
         */
        public LoadRequest(Path path, String format, List<String> tags, Map<String, Binding> signatures) {
            this(path, format, tags, signatures, false, List.of(), null, false);
        }
    }

    /**
     * A ModelInfer request. All names are names of the binding.
     *
     * @param signature the signature's name
     * @param binding the signature's binding
     * @param inputs the tensors to feed, may be fewer than the binding has; valid until {@link Model#infer} returns
     * @param outputs the names of the requested outputs
     * @param runOptions how the session runs: a serialised tensorflow.RunOptions; null for the worker's own
     */
    record InferRequest(
            String signature, Binding binding, List<TensorEntry> inputs, List<String> outputs, byte[] runOptions) {
        /**
         * A request with the worker's own run options.
         *
         * @param signature the signature's name
         * @param binding the signature's binding
         * @param inputs the tensors to feed
         * @param outputs the names of the requested outputs
         */
        public InferRequest(String signature, Binding binding, List<TensorEntry> inputs, List<String> outputs) {
            this(signature, binding, inputs, outputs, null);
        }
    }

    /**
     * How long an operator took in one run.
     *
     * @param name the operator, as the runtime names it
     * @param nanoseconds of its computation
     * @param at the name of its node in the graph
     */
    record OperatorTime(String name, long nanoseconds, String at) {}

    /**
     * The answer to a ModelInfer request.
     *
     * @param outputs the requested outputs, in the request's order; valid until the answer is closed
     * @param nanoseconds the time of the runtime's own call, without encoding and decoding
     * @param note one sentence to show beside the answer, or null
     * @param operators in the order in which they ran; empty unless {@link LoadRequest#operatorTimes} asks for them
     * @param memory frees the outputs' bytes
     */
    record Answer(
            List<TensorEntry> outputs, long nanoseconds, String note, List<OperatorTime> operators, Runnable memory)
            implements AutoCloseable {
        /**
         * An answer without the times of operators.
         *
         * @param outputs the requested outputs, in the request's order; valid until the answer is closed
         * @param nanoseconds the time of the runtime's own call
         * @param note one sentence to show beside the answer, or null
         * @param memory frees the outputs' bytes
         */
        public Answer(List<TensorEntry> outputs, long nanoseconds, String note, Runnable memory) {
            this(outputs, nanoseconds, note, List.of(), memory);
        }

        @Override
        public void close() {
            memory.run();
        }
    }

    /** A loaded artifact. Whether several threads may call it at once is up to the runtime. */
    interface Model extends AutoCloseable {
        /** {@return one sentence about how the artifact was loaded, to show beside the answers, or null} */
        default String note() {
            return null;
        }

        /**
         * Runs a signature.
         *
         * @param request the signature, its inputs and the names of the outputs
         * @return the outputs
         * @throws WorkerException if the request does not fit the model, or the runtime cannot run it
         */
        Answer infer(InferRequest request) throws WorkerException;

        /**
         * The signatures that the artifact describes itself, by key.
         *
         * @param inputs names of a graph's tensors; null for its placeholders, or for the SignatureDefs of a SavedModel
         * @param outputs names of a graph's tensors; null for those that nothing takes
         * @return the signatures, in the artifact's order
         * @throws WorkerException UNIMPLEMENTED if the runtime does not read them; NOT_FOUND for a name that is not in the graph
         */
        default Map<String, OwnSignature> ownSignatures(List<String> inputs, List<String> outputs)
                throws WorkerException {
            throw new WorkerException(Code.UNIMPLEMENTED, "this engine reads no signatures from an artifact");
        }

        /** Frees the model. */
        @Override
        void close();
    }

    /** {@return the runtime's identity} */
    Metadata metadata();

    /**
     * Loads an artifact.
     *
     * @param request the artifact, its format and its bindings
     * @return the model
     * @throws WorkerException if the artifact does not fit the request, or the runtime cannot load it
     */
    Model load(LoadRequest request) throws WorkerException;

    /**
     * {@return the operations that the runtime can run: a serialised tensorflow.OpList}
     *
     * @throws WorkerException UNIMPLEMENTED if the runtime cannot list them
     */
    default byte[] registeredOps() throws WorkerException {
        throw new WorkerException(Code.UNIMPLEMENTED, metadata().name() + " does not list its operations");
    }

    /**
     * {@return the code for an exception other than {@link WorkerException}}
     *
     * @param error what a call of the worker threw
     */
    default Code code(Throwable error) {
        return error instanceof OutOfMemoryError ? Code.RESOURCE_EXHAUSTED : Code.INTERNAL;
    }
}
