package io.crossload.graph;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/**
 * A loaded graph behind the API of one TensorFlow Java generation: what {@link GraphModel} needs of it.
 *
 * @param <O> the generation's output of an operation; equal where it is the same tensor of the graph
 * @param <T> its native tensor
 */
public interface GraphSession<O, T extends AutoCloseable> extends AutoCloseable {

    /**
     * An operation of the graph.
     *
     * @param type its op, such as {@code MatMul}
     * @param outputs how many outputs it has
     * @param output the output of an index below that
     */
    record Operation<O>(String type, int outputs, IntFunction<O> output) {}

    /**
     * A value for a tensor of the graph.
     *
     * @param output what is fed
     * @param tensor its value; whoever fed it closes it
     */
    record Feed<O, T>(O output, T tensor) {}

    /**
     * What a run gave.
     *
     * @param tensors one for each output fetched, in order
     * @param memory closes them
     */
    record Fetched<T>(List<T> tensors, Runnable memory) {}

    /** The operation of this name, null where the graph has none. */
    Operation<O> operation(String name);

    /** The names of the graph's operations. */
    Stream<String> names();

    /**
     * The datatype of a graph's tensor; a reference counts as what it refers to.
     *
     * @throws WorkerException UNIMPLEMENTED where this release has no tensor type for it
     */
    Datatype datatype(O output) throws WorkerException;

    /**
     * A native tensor with a frame's bytes. Any BOOL byte but 0 becomes 1.
     *
     * @throws WorkerException UNIMPLEMENTED for a datatype without tensor type, INVALID_ARGUMENT for BYTES that do not fill the
     *     shape
     */
    T toNative(TensorEntry entry) throws WorkerException;

    /** A native tensor as a frame's: valid while the tensor is open. */
    TensorEntry toEntry(String name, T tensor) throws WorkerException;

    /** Runs the graph. */
    Fetched<T> run(List<Feed<O, T>> feeds, List<O> fetches);

    /** Frees the graph. */
    @Override
    void close();
}
