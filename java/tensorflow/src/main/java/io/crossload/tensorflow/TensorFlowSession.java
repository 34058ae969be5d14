package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.GraphSession;
import io.crossload.worker.WorkerException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.tensorflow.Graph;
import org.tensorflow.GraphOperation;
import org.tensorflow.Output;
import org.tensorflow.Result;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.proto.SignatureDef;

/** A graph and its session in TensorFlow Java from 0.3 on. */
final class TensorFlowSession implements GraphSession<Output<?>, Tensor> {
    // Session.Runner.run gives a Result from 0.5 on, a List<Tensor> before: the one method whose descriptor differs.
    private static final MethodHandle RUN = run();

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

    /** The MetaGraph's signatures, by key; empty for a GraphDef. */
    Map<String, SignatureDef> signatures() {
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
    public Fetched<Tensor> run(List<Feed<Output<?>, Tensor>> feeds, List<Output<?>> fetches) {
        Session.Runner runner = session.runner();
        feeds.forEach(feed -> runner.feed(feed.output(), feed.tensor()));
        fetches.forEach(runner::fetch);
        Object ran = ran(runner);
        if (ran instanceof List<?> list) {
            List<Tensor> tensors = list.stream().map(Tensor.class::cast).toList();
            return new Fetched<>(tensors, () -> tensors.forEach(Tensor::close));
        }
        Result result = (Result) ran;
        try {
            List<Tensor> tensors =
                    IntStream.range(0, result.size()).mapToObj(result::get).toList();
            return new Fetched<>(tensors, result::close);
        } catch (RuntimeException | Error error) {
            result.close();
            throw error;
        }
    }

    private static Object ran(Session.Runner runner) {
        try {
            return (Object) RUN.invokeExact(runner);
        } catch (RuntimeException | Error error) {
            throw error;
        } catch (Throwable error) {
            throw new IllegalStateException(error); // run declares none
        }
    }

    private static MethodHandle run() {
        try {
            return MethodHandles.lookup()
                    .unreflect(Session.Runner.class.getMethod("run"))
                    .asType(MethodType.methodType(Object.class, Session.Runner.class));
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException("this release of TensorFlow Java has no Session.Runner.run", error);
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
