package io.crossload.tensorflow.legacy;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.GraphSession;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.tensorflow.Graph;
import org.tensorflow.GraphOperation;
import org.tensorflow.Output;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.proto.MetaGraphDef;
import org.tensorflow.proto.RunOptions;
import org.tensorflow.proto.SignatureDef;

/**
 * A graph and its session in TensorFlow 1's Java API.
 *
 * @param graph the session's graph
 * @param session runs the graph
 * @param metaGraph a serialised tensorflow.MetaGraphDef; null for a GraphDef
 * @param owned frees both
 */
record LegacySession(Graph graph, Session session, byte[] metaGraph, Runnable owned)
        implements GraphSession<Output<?>, Tensor<?>> {
    @Override
    public Operation<Output<?>> operation(String name) {
        GraphOperation operation = graph.operation(name);
        return operation == null
                ? null
                : new Operation<>(operation.type(), operation.numOutputs(), index -> operation.output(index));
    }

    @Override
    public Map<String, SignatureDef> signatureDefs() {
        try {
            return metaGraph == null
                    ? Map.of()
                    : MetaGraphDef.parseFrom(metaGraph).getSignatureDefMap();
        } catch (InvalidProtocolBufferException error) {
            throw new IllegalStateException(error); // TensorFlow wrote it
        }
    }

    @Override
    public Stream<String> names() {
        Iterable<org.tensorflow.Operation> operations = graph::operations;
        return StreamSupport.stream(operations.spliterator(), false).map(org.tensorflow.Operation::name);
    }

    @Override
    public Datatype datatype(Output<?> output) throws WorkerException {
        return LegacyTensors.datatype(output);
    }

    @Override
    public Tensor<?> toNative(TensorEntry entry) throws WorkerException {
        return LegacyTensors.toNative(entry);
    }

    @Override
    public TensorEntry toEntry(String name, Tensor<?> tensor) throws WorkerException {
        return LegacyTensors.toEntry(name, tensor);
    }

    @Override
    public Fetched<Tensor<?>> run(
            List<Feed<Output<?>, Tensor<?>>> feeds, List<Output<?>> fetches, RunOptions options, boolean traced) {
        Session.Runner runner = session.runner();
        feeds.forEach(feed -> runner.feed(feed.output(), feed.tensor()));
        fetches.forEach(runner::fetch);
        if (options != null) {
            runner.setOptions(options.toByteArray());
        }
        if (traced) {
            Session.Run run = runner.runAndFetchMetadata();
            return fetched(run.outputs, run.metadata);
        }
        return fetched(runner.run(), null);
    }

    private static Fetched<Tensor<?>> fetched(List<Tensor<?>> tensors, byte[] trace) {
        return new Fetched<>(tensors, trace, () -> tensors.forEach(Tensor::close));
    }

    @Override
    public void close() {
        owned.run();
    }
}
