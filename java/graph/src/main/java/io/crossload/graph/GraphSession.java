package io.crossload.graph;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.tensorflow.proto.RunOptions;
import org.tensorflow.proto.SignatureDef;

/**
 * A loaded graph behind the API of TensorFlow Java, for {@link GraphModel}: TensorFlow Java 1.15 and later releases have different APIs.
 *
 * @param <O> the API's output of an operation; two are equal if they are the same tensor of the graph
 * @param <T> the API's tensor
 */
public interface GraphSession<O, T extends AutoCloseable> extends AutoCloseable {

    /**
     * An operation of the graph.
     *
     * @param type its op, such as {@code MatMul}
     * @param outputs the number of its outputs
     * @param output its output by index
     */
    record Operation<O>(String type, int outputs, IntFunction<O> output) {}

    /**
     * A value for a tensor of the graph.
     *
     * @param output the tensor to feed
     * @param tensor its value; the caller of {@link #run} closes it
     */
    record Feed<O, T>(O output, T tensor) {}

    /**
     * The result of a run.
     *
     * @param tensors one for each fetched output, in order
     * @param trace a serialised tensorflow.RunMetadata; null unless the run was traced
     * @param memory closes the tensors
     */
    record Fetched<T>(List<T> tensors, byte[] trace, Runnable memory) {}

    /** The operation with this name, null if the graph has none. */
    Operation<O> operation(String name);

    /** The MetaGraph's SignatureDefs, by key; empty for a GraphDef. */
    Map<String, SignatureDef> signatureDefs();

    /** The names of the graph's operations. */
    Stream<String> names();

    /**
     * The datatype of a tensor of the graph; a reference type counts as the type that it refers to.
     *
     * @throws WorkerException UNIMPLEMENTED if this release has no tensor type for it
     */
    Datatype datatype(O output) throws WorkerException;

    /**
     * Copies a frame's tensor to a native tensor. A BOOL byte other than 0 becomes 1.
     *
     * @throws WorkerException UNIMPLEMENTED if this release has no tensor type for the datatype; INVALID_ARGUMENT if the strings do not
     *     fill the shape
     */
    T toNative(TensorEntry entry) throws WorkerException;

    /**
     * A frame's tensor with a native tensor's elements, valid while the native tensor is open.
     *
     * @throws WorkerException UNIMPLEMENTED if this release has no tensor type for the datatype
     */
    TensorEntry toEntry(String name, T tensor) throws WorkerException;

    /**
     * Runs the graph.
     *
     * @param options null for TensorFlow's own
     * @param traced whether the options ask for a trace, which is then in the result
     */
    Fetched<T> run(List<Feed<O, T>> feeds, List<O> fetches, RunOptions options, boolean traced);

    /** Frees the graph. */
    @Override
    void close();
}
