package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.GraphDefs.Ends;
import io.crossload.graph.GraphSession.Feed;
import io.crossload.graph.GraphSession.Fetched;
import io.crossload.graph.GraphSession.Operation;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.Model;
import io.crossload.worker.Worker.OperatorTime;
import io.crossload.worker.Worker.OwnSignature;
import io.crossload.worker.WorkerException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tensorflow.proto.RunOptions;

/**
 * A model that feeds and fetches the tensors of a session by name: a SavedModel or an imported GraphDef.
 *
 * <p>Several threads may call {@link #infer} at once, as with Session.run. Call {@link #close} after they have returned.
 */
public final class GraphModel<O, T extends AutoCloseable> implements Model {
    // Native TensorFlow: "You must feed a value for placeholder tensor 'table' with dtype resource".
    private static final Pattern UNFED_HANDLE =
            Pattern.compile("feed a value for placeholder tensor '([^']*)' with dtype (?:resource|variant)");

    private static final RunOptions TRACED = RunOptions.newBuilder()
            .setTraceLevel(RunOptions.TraceLevel.FULL_TRACE)
            .build();

    private final GraphSession<O, T> session;
    private final UnaryOperator<TensorName> names;
    private final Ends ends;
    private final boolean operatorTimes;
    private final Map<String, Resolved<O>> resolved = new ConcurrentHashMap<>();

    /** A tensor of the graph and its datatype. */
    private record Resolved<O>(O output, Datatype datatype) {}

    /**
     * @param session runs the graph; {@link #close} closes it
     * @param names the name in the graph of a tensor of the artifact
     * @param ends a GraphDef's; null for a SavedModel
     * @param operatorTimes whether an answer has the time of each operator
     */
    public GraphModel(GraphSession<O, T> session, UnaryOperator<TensorName> names, Ends ends, boolean operatorTimes) {
        this.session = session;
        this.names = names;
        this.ends = ends;
        this.operatorTimes = operatorTimes;
    }

    @Override
    public Answer infer(InferRequest request) throws WorkerException {
        Binding binding = request.binding();
        int wanted = request.outputs().size();
        // Two outputs may be the same tensor; TensorFlow Java fetches a tensor only once.
        List<O> fetches = new ArrayList<>(wanted);
        int[] positions = new int[wanted];
        for (int at = 0; at < wanted; at++) {
            // Checks the datatype before the run: a result without tensor type would leak.
            String name = request.outputs().get(at);
            O output = resolve(name, binding.outputs().get(name)).output();
            if (!fetches.contains(output)) {
                fetches.add(output);
            }
            positions[at] = fetches.indexOf(output);
        }
        List<Feed<O, T>> feeds = new ArrayList<>(request.inputs().size());
        try {
            for (int at = 0; at < request.inputs().size(); at++) {
                feed(feeds, request, at);
            }
            return run(feeds, fetches, request, positions);
        } finally {
            for (Feed<O, T> feed : feeds) {
                close(feed.tensor());
            }
        }
    }

    /** Adds an input's feed, unless an earlier input is the same tensor, which is fed only once. */
    private void feed(List<Feed<O, T>> feeds, InferRequest request, int at) throws WorkerException {
        TensorEntry entry = request.inputs().get(at);
        Resolved<O> input = resolve(entry.name(), request.binding().inputs().get(entry.name()));
        if (input.datatype() != entry.datatype()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "input '%s' takes %s; the request has %s"
                            .formatted(
                                    entry.name(),
                                    input.datatype().tensorflow(),
                                    entry.datatype().tensorflow()));
        }
        for (int earlier = 0; earlier < feeds.size(); earlier++) {
            if (feeds.get(earlier).output().equals(input.output())) {
                checkSame(request, input.output(), entry);
                return;
            }
        }
        feeds.add(new Feed<>(input.output(), session.toNative(entry)));
    }

    private void checkSame(InferRequest request, O output, TensorEntry entry) throws WorkerException {
        for (TensorEntry other : request.inputs()) {
            O same = resolve(other.name(), request.binding().inputs().get(other.name()))
                    .output();
            if (same.equals(output)
                    && !(other.shape().equals(entry.shape()) && other.data().equals(entry.data()))) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT,
                        "the inputs '%s' and '%s' are one tensor of the graph, and two different values were given for it"
                                .formatted(other.name(), entry.name()));
            }
        }
    }

    private Answer run(List<Feed<O, T>> feeds, List<O> fetches, InferRequest request, int[] positions)
            throws WorkerException {
        RunOptions options = options(request.runOptions());
        long start = System.nanoTime();
        Fetched<T> fetched = ran(feeds, fetches, options);
        long nanoseconds = System.nanoTime() - start;
        try {
            List<TensorEntry> outputs = new ArrayList<>(positions.length);
            for (int at = 0; at < positions.length; at++) {
                outputs.add(session.toEntry(
                        request.outputs().get(at), fetched.tensors().get(positions[at])));
            }
            List<OperatorTime> operators = operatorTimes ? StepStats.operators(fetched.trace()) : List.of();
            return new Answer(outputs, nanoseconds, null, operators, fetched.memory());
        } catch (WorkerException | RuntimeException | Error error) {
            fetched.memory().run();
            throw error;
        }
    }

    private RunOptions options(byte[] given) throws WorkerException {
        if (given == null) {
            return operatorTimes ? TRACED : null;
        }
        try {
            RunOptions options = RunOptions.parseFrom(given);
            return operatorTimes ? TRACED.toBuilder().mergeFrom(options).build() : options;
        } catch (InvalidProtocolBufferException error) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, "the run options are no serialised tensorflow.RunOptions", error);
        }
    }

    private Fetched<T> ran(List<Feed<O, T>> feeds, List<O> fetches, RunOptions options) throws WorkerException {
        try {
            return session.run(feeds, fetches, options, operatorTimes);
        } catch (RuntimeException error) {
            Matcher handle = UNFED_HANDLE.matcher(String.valueOf(error.getMessage()));
            if (handle.find()) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT,
                        "freezing left the handle of a table or variable, '%s', as an input, which nothing can feed;"
                                        .formatted(handle.group(1))
                                + " freeze the model again from its SavedModel or checkpoint: crossload convert SOURCE frozen.pb",
                        error);
            }
            throw error;
        }
    }

    /** The graph's tensor for a bound tensor name, {@code operation:index} or {@code operation}. */
    private Resolved<O> resolve(String name, String bound) throws WorkerException {
        Resolved<O> known = resolved.get(bound);
        if (known == null) {
            O output = find(name, bound);
            known = new Resolved<>(output, session.datatype(output));
            resolved.put(bound, known); // two threads may resolve the same tensor at once
        }
        return known;
    }

    private O find(String name, String bound) throws WorkerException {
        if (bound.startsWith("^")) {
            throw unbound(Code.INVALID_ARGUMENT, name, bound, "a control dependency, which has no tensor");
        }
        TensorName tensor = names.apply(TensorName.parse(bound));
        Operation<O> operation = session.operation(tensor.operation());
        if (operation == null) {
            String near = NearNames.of(tensor.operation(), session.names());
            throw unbound(Code.NOT_FOUND, name, bound, "which is not in the graph" + near);
        }
        if (tensor.index() >= operation.outputs()) {
            String has = operation.outputs() == 1 ? "1 output" : operation.outputs() + " outputs";
            throw unbound(
                    Code.INVALID_ARGUMENT,
                    name,
                    bound,
                    "but the operation '%s' (%s) has %s".formatted(tensor.operation(), operation.type(), has));
        }
        return operation.output().apply(tensor.index());
    }

    private static WorkerException unbound(Code code, String name, String bound, String why) {
        return new WorkerException(
                code, "'%s' is bound to '%s', %s; bind it to a tensor that is there".formatted(name, bound, why));
    }

    @Override
    public Map<String, OwnSignature> ownSignatures(List<String> inputs, List<String> outputs) throws WorkerException {
        return ends == null
                ? OwnSignatures.ofSavedModel(session.signatureDefs())
                : OwnSignatures.ofGraph(ends, inputs, outputs, this::described);
    }

    /** What is known of a tensor of the artifact before it runs: the number of its operation's outputs, its datatype. */
    private OwnSignatures.Described described(String tensor) throws WorkerException {
        Operation<O> operation =
                session.operation(names.apply(TensorName.parse(tensor)).operation());
        int outputs = operation == null ? 1 : operation.outputs();
        return new OwnSignatures.Described(
                outputs, outputs == 0 ? null : resolve(tensor, tensor).datatype());
    }

    @Override
    public void close() {
        close(session);
    }

    private static void close(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception error) {
            error.printStackTrace(System.err);
        }
    }
}
