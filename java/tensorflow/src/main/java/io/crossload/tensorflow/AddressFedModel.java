package io.crossload.tensorflow;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frames;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.GraphModel;
import io.crossload.graph.GraphSession.Operation;
import io.crossload.graph.GraphWorker.OpenGraph;
import io.crossload.graph.TensorName;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.BytePointer;
import org.tensorflow.GraphOperation;
import org.tensorflow.Output;
import org.tensorflow.Tensor;
import org.tensorflow.TensorFlow;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.proto.TensorInfo;
import org.tensorflow.proto.TensorShapeProto;

/**
 * A model whose tensors are passed by memory address, for a native caller in the same process: the Python package in bindings/jpype. A run
 * is one call into Java for any number of tensors.
 *
 * <p>A tensor's description is a sequence of numbers: its datatype's number in types.proto, the address of its bytes (wire bytes,
 * bindings/contract, section Frame), their count, its rank, its dimensions. Several threads may call all methods at once.
 */
public final class AddressFedModel implements AutoCloseable {
    private static final TensorFlowWorker RUNTIME = new TensorFlowWorker();

    private final TensorFlowSession session;
    private final GraphModel<Output<?>, Tensor> model;
    private final UnaryOperator<TensorName> names;
    private final List<Plan> plans = new CopyOnWriteArrayList<>();
    private final Map<Long, Answer> answers = new ConcurrentHashMap<>();
    private final AtomicLong runs = new AtomicLong();

    /** The tensors to feed and fetch, and the graph's shapes of the fed ones. */
    private record Plan(Binding binding, List<Shape> shapes) {}

    private AddressFedModel(OpenGraph<TensorFlowSession> graph) {
        this.session = graph.session();
        this.names = graph.names();
        this.model = new GraphModel<>(session, names, graph.ends(), false);
    }

    /**
     * Loads a SavedModel with SavedModelBundle.
     *
     * @param path the SavedModel's folder
     * @param tags the MetaGraph's tags, all of them
     * @throws WorkerException with the worker protocol's code for the failure
     */
    public static AddressFedModel savedModel(String path, String[] tags) throws WorkerException {
        return coded(() -> new AddressFedModel(RUNTIME.openSavedModel(existing(path), List.of(tags), null)));
    }

    /**
     * Imports a GraphDef, binary or text.
     *
     * @param path the GraphDef's file
     * @throws WorkerException with the worker protocol's code for the failure
     */
    public static AddressFedModel graphDef(String path) throws WorkerException {
        return coded(() -> new AddressFedModel(RUNTIME.openGraphDef(existing(path), null)));
    }

    /** Three texts: TensorFlow Java's release, native TensorFlow's version, the contract's names of the datatypes with a tensor type. */
    public static String[] versions() {
        return new String[] {TensorFlowWorker.RELEASE, TensorFlow.version(), String.join(" ", NativeTensors.datatypes())
        };
    }

    /** The operations that the runtime can run: a serialised tensorflow.OpList. */
    public static byte[] registeredOps() {
        return RUNTIME.registeredOps();
    }

    /**
     * The SavedModel's signatures as JSON: {@code {name: {"inputs": {name: tensor}, "outputs": {name: tensor}}}}, where a tensor is
     * {@code {"tensor", "datatype", "shape"}}. The tensor name is null for a composite tensor, the shape is null for an unknown rank.
     */
    public String signatures() {
        ObjectNode described = Frames.JSON.createObjectNode();
        session.signatureDefs().forEach((name, signature) -> {
            ObjectNode one = described.putObject(name);
            describe(one.putObject("inputs"), signature.getInputsMap());
            describe(one.putObject("outputs"), signature.getOutputsMap());
        });
        return described.toString();
    }

    private static void describe(ObjectNode described, Map<String, TensorInfo> tensors) {
        tensors.forEach((name, info) -> {
            Datatype datatype = Datatype.ofNumber(info.getDtypeValue());
            ObjectNode tensor = described.putObject(name);
            tensor.put("tensor", info.getName().isEmpty() ? null : info.getName());
            String other = info.getDtype().name().toLowerCase(Locale.ROOT).replaceFirst("^dt_", "");
            tensor.put("datatype", datatype == null ? other : datatype.tensorflow());
            tensor.putNull("shape");
            if (info.hasTensorShape() && !info.getTensorShape().getUnknownRank()) {
                ArrayNode shape = tensor.putArray("shape");
                for (TensorShapeProto.Dim dimension : info.getTensorShape().getDimList()) {
                    shape.add(dimension.getSize());
                }
            }
        });
    }

    /** The graph's operations as JSON, {@code [[name, op, number of outputs]]}, in the graph's order. */
    public String operations() throws WorkerException {
        return coded(() -> {
            ArrayNode described = Frames.JSON.createArrayNode();
            Iterator<GraphOperation> operations = session.operations();
            while (operations.hasNext()) {
                GraphOperation operation = operations.next();
                described.addArray().add(operation.name()).add(operation.type()).add(operation.numOutputs());
            }
            return described.toString();
        });
    }

    /**
     * Prepares runs that feed and fetch the same tensors.
     *
     * @param inputs the inputs' names, for messages, in the order of a run's descriptions
     * @param fed the inputs' tensors ({@code operation:index})
     * @param fetched the outputs' tensors, in the order of a run's result
     * @return the plan's number, for {@link #run}
     * @throws WorkerException with the worker protocol's code for the failure
     */
    public synchronized int plan(String[] inputs, String[] fed, String[] fetched) throws WorkerException {
        Map<String, String> feeds = new LinkedHashMap<>();
        List<Shape> shapes = new ArrayList<>();
        for (int i = 0; i < inputs.length; i++) {
            String tensor = fed[i];
            feeds.put(inputs[i], tensor);
            shapes.add(coded(() -> shape(tensor)));
        }
        Map<String, String> fetches = new LinkedHashMap<>();
        for (String tensor : fetched) {
            fetches.put(tensor, tensor);
        }
        plans.add(new Plan(new Binding(null, feeds, fetches), shapes));
        return plans.size() - 1;
    }

    /** A tensor's shape in the graph; unknown for a missing tensor, for which the run throws. */
    private Shape shape(String name) {
        TensorName tensor = names.apply(TensorName.parse(name));
        Operation<Output<?>> operation = session.operation(tensor.operation());
        return operation == null || tensor.index() >= operation.outputs()
                ? Shape.unknown()
                : operation.output().apply(tensor.index()).shape();
    }

    /**
     * Runs a plan.
     *
     * @param plan the plan's number
     * @param tensors the descriptions of the plan's inputs, one after the other; their memory is not read after the method returns
     * @return the run's number, the nanoseconds of TensorFlow Java's own call, then the descriptions of the outputs; their memory is valid
     *     until {@link #release}
     * @throws WorkerException with the worker protocol's code for the failure
     */
    public long[] run(int plan, long[] tensors) throws WorkerException {
        return coded(() -> {
            Binding binding = plans.get(plan).binding();
            Iterator<Shape> shapes = plans.get(plan).shapes().iterator();
            List<TensorEntry> inputs = new ArrayList<>();
            int at = 0;
            for (String name : binding.inputs().keySet()) {
                int dimensions = at + 4;
                int end = dimensions + (int) tensors[at + 3];
                List<Long> shape = LongStream.range(dimensions, end)
                        .mapToObj(i -> tensors[(int) i])
                        .toList();
                checkShape(name, shapes.next(), shape);
                ByteBuffer memory = memory(name, tensors[at + 1], tensors[at + 2]);
                inputs.add(new TensorEntry(name, Datatype.ofNumber((int) tensors[at]), shape, memory));
                at = end;
            }
            Answer answer = model.infer(new InferRequest(
                    "", binding, inputs, List.copyOf(binding.outputs().keySet())));
            try {
                long[] described = described(answer);
                answers.put(described[0], answer);
                return described;
            } catch (WorkerException | RuntimeException error) {
                answer.close();
                throw error;
            }
        });
    }

    /** Checks the shape, because some kernels abort the process if a rank is not the graph's; unlike Python's, Java's session does not. */
    private static void checkShape(String name, Shape taken, List<Long> shape) throws WorkerException {
        Shape given = Shape.of(shape.stream().mapToLong(Long::longValue).toArray());
        if (!taken.isCompatibleWith(given)) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "input '%s' takes shape %s; the request has %s".formatted(name, taken, given));
        }
    }

    private static ByteBuffer memory(String name, long address, long size) throws WorkerException {
        if (size == 0) {
            return ByteBuffer.allocate(0);
        }
        checkSize("input '" + name + "'", size);
        return new NativeTensors.BorrowedMemory(address, size).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    private long[] described(Answer answer) throws WorkerException {
        LongStream.Builder numbers = LongStream.builder();
        numbers.add(runs.incrementAndGet()).add(answer.nanoseconds());
        for (TensorEntry entry : answer.outputs()) {
            checkSize(
                    "output '" + entry.name() + "'",
                    entry.elements() * entry.datatype().size());
            ByteBuffer memory = entry.data().slice();
            numbers.add(entry.datatype().number());
            numbers.add(memory.hasRemaining() ? new BytePointer(memory).address() : 0);
            numbers.add(memory.remaining());
            numbers.add(entry.shape().size());
            entry.shape().forEach(numbers::add);
        }
        return numbers.build().toArray();
    }

    private static void checkSize(String what, long size) throws WorkerException {
        if (size > Integer.MAX_VALUE) {
            throw new WorkerException(
                    Code.UNIMPLEMENTED, what + " has " + size + " bytes; a buffer of Java holds at most 2 GiB");
        }
    }

    /** Frees the outputs of a run, by its number. A second call does nothing. */
    public void release(long run) {
        Answer answer = answers.remove(run);
        if (answer != null) {
            answer.close();
        }
    }

    /** Frees the model when the running calls have ended. */
    @Override
    public void close() {
        model.close();
    }

    private static Path existing(String name) throws WorkerException {
        Path path = Path.of(name);
        if (!Files.exists(path)) {
            throw new WorkerException(Code.NOT_FOUND, name + ": there is no such file or folder");
        }
        return path;
    }

    private static <T> T coded(Callable<T> action) throws WorkerException {
        try {
            return action.call();
        } catch (WorkerException error) {
            throw error;
        } catch (Throwable error) { // the natives' own errors included
            throw new WorkerException(
                    RUNTIME.code(error), error.getMessage() == null ? error.toString() : error.getMessage(), error);
        }
    }
}
