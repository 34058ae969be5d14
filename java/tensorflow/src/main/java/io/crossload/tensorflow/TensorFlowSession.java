package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.GraphSession;
import io.crossload.worker.WorkerException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.tensorflow.Graph;
import org.tensorflow.GraphOperation;
import org.tensorflow.Output;
import org.tensorflow.Result;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.proto.RunMetadata;
import org.tensorflow.proto.RunOptions;
import org.tensorflow.proto.SignatureDef;

/** A graph and its session in TensorFlow Java from 0.3 on. */
final class TensorFlowSession implements GraphSession<Output<?>, Tensor> {
    // Session.Runner's methods give a Result from 0.5 on; before, a List<Tensor> or a Session.Run: only these
    // descriptors differ.
    private static final MethodHandle RUN = method("run");
    private static final MethodHandle RUN_TRACED = method("runAndFetchMetadata");

    private final Graph graph;
    private final Session session;
    private final Map<String, SignatureDef> signatures;
    private final List<AutoCloseable> owned;

    /**
     * @param graph the session's graph
     * @param session runs the graph
     * @param signatures the MetaGraph's signatures, by key; empty for a GraphDef
     * @param owned resources that {@link #close} closes, in order
     */
    TensorFlowSession(Graph graph, Session session, Map<String, SignatureDef> signatures, AutoCloseable... owned) {
        this.graph = graph;
        this.session = session;
        this.signatures = signatures;
        this.owned = List.of(owned);
    }

    @Override
    public Operation<Output<?>> operation(String name) {
        GraphOperation operation = graph.operation(name);
        return operation == null
                ? null
                : new Operation<>(operation.type(), operation.numOutputs(), index -> operation.output(index));
    }

    @Override
    public Map<String, SignatureDef> signatureDefs() {
        return signatures;
    }

    /** The graph's operations, in the graph's order. */
    Iterator<GraphOperation> operations() {
        return graph.operations();
    }

    @Override
    public Stream<String> names() {
        Iterable<GraphOperation> operations = this::operations;
        return StreamSupport.stream(operations.spliterator(), false).map(GraphOperation::name);
    }

    @Override
    public Datatype datatype(Output<?> output) throws WorkerException {
        return NativeTensors.datatype(output.dataType());
    }

    @Override
    public Tensor toNative(TensorEntry entry) throws WorkerException {
        return NativeTensors.toNative(entry);
    }

    @Override
    public TensorEntry toEntry(String name, Tensor tensor) throws WorkerException {
        return NativeTensors.toEntry(name, tensor);
    }

    @Override
    public Fetched<Tensor> run(
            List<Feed<Output<?>, Tensor>> feeds, List<Output<?>> fetches, RunOptions options, boolean traced) {
        Session.Runner runner = session.runner();
        feeds.forEach(feed -> runner.feed(feed.output(), feed.tensor()));
        fetches.forEach(runner::fetch);
        if (options != null) {
            runner.setOptions(options);
        }
        Object ran = ran(traced ? RUN_TRACED : RUN, runner);
        if (ran instanceof List<?> list) {
            return listed(list, null);
        }
        if (ran.getClass().getEnclosingClass() == Session.class) { // a Session.Run; those releases have no class Result
            return listed((List<?>) field(ran, "outputs"), ((RunMetadata) field(ran, "metadata")).toByteArray());
        }
        Result result = (Result) ran;
        try {
            List<Tensor> tensors = new ArrayList<>(fetches.size());
            for (int at = 0; at < fetches.size(); at++) {
                tensors.add(result.get(at));
            }
            byte[] trace = result.getMetadata().map(RunMetadata::toByteArray).orElse(null);
            return new Fetched<>(tensors, trace, result::close);
        } catch (RuntimeException | Error error) {
            result.close();
            throw error;
        }
    }

    private static Fetched<Tensor> listed(List<?> list, byte[] trace) {
        List<Tensor> tensors = list.stream().map(Tensor.class::cast).toList();
        return new Fetched<>(tensors, trace, () -> tensors.forEach(Tensor::close));
    }

    private static Object field(Object run, String name) {
        try {
            return run.getClass().getField(name).get(run);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException("this release of TensorFlow Java has no Session.Run." + name, error);
        }
    }

    private static Object ran(MethodHandle method, Session.Runner runner) {
        try {
            return (Object) method.invokeExact(runner);
        } catch (RuntimeException | Error error) {
            throw error;
        } catch (Throwable error) {
            throw new IllegalStateException(error); // neither declares one
        }
    }

    private static MethodHandle method(String name) {
        try {
            return MethodHandles.lookup()
                    .unreflect(Session.Runner.class.getMethod(name))
                    .asType(MethodType.methodType(Object.class, Session.Runner.class));
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException("this release of TensorFlow Java has no Session.Runner." + name, error);
        }
    }

    @Override
    public void close() {
        for (AutoCloseable resource : owned) {
            try {
                resource.close();
            } catch (Exception error) {
                error.printStackTrace(System.err);
            }
        }
    }
}
