package io.crossload.tensorflow;

import io.crossload.contract.Code;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Worker.Answer;
import io.crossload.contract.Worker.Binding;
import io.crossload.contract.Worker.InferRequest;
import io.crossload.contract.Worker.Model;
import io.crossload.contract.WorkerException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.tensorflow.GraphOperation;
import org.tensorflow.Output;
import org.tensorflow.Result;
import org.tensorflow.Session;
import org.tensorflow.Tensor;

/** A session whose tensors are fed and fetched by name: what a SavedModel and an imported GraphDef have in common. */
final class GraphModel implements Model {
    private final Session session;
    private final UnaryOperator<TensorName> names;
    private final List<AutoCloseable> owned;
    private final Map<String, Output<?>> resolved = new HashMap<>();

    /**
     * @param session runs the graph
     * @param names the graph's own name of a tensor of the artifact
     * @param owned what closing the model frees, in order
     */
    GraphModel(Session session, UnaryOperator<TensorName> names, AutoCloseable... owned) {
        this.session = session;
        this.names = names;
        this.owned = List.of(owned);
    }

    @Override
    public Answer infer(InferRequest request) throws WorkerException {
        Binding binding = request.binding();
        Session.Runner runner = session.runner();
        List<Tensor> fed = new ArrayList<>();
        // Two outputs may be one tensor, which TensorFlow Java fetches once only.
        List<Output<?>> fetched = new ArrayList<>();
        List<Integer> positions = new ArrayList<>();
        try {
            for (String name : request.outputs()) {
                Output<?> output = resolve(binding.outputs().get(name));
                Tensors.carried(output.dataType()); // before running: a result without tensor type would leak
                if (!fetched.contains(output)) {
                    fetched.add(output);
                    runner.fetch(output);
                }
                positions.add(fetched.indexOf(output));
            }
            for (TensorEntry entry : request.inputs()) {
                Output<?> input = resolve(binding.inputs().get(entry.name()));
                Tensors.carried(entry.datatype());
                if (Tensors.carried(input.dataType()) != entry.datatype()) {
                    throw new WorkerException(
                            Code.INVALID_ARGUMENT,
                            "input '%s' takes %s; the request has %s"
                                    .formatted(
                                            entry.name(),
                                            Tensors.carried(input.dataType()).tensorflow(),
                                            entry.datatype().tensorflow()));
                }
                Tensor tensor = Tensors.toNative(entry);
                fed.add(tensor);
                runner.feed(input, tensor);
            }
            return run(runner, request.outputs(), positions);
        } finally {
            fed.forEach(Tensor::close);
        }
    }

    private static Answer run(Session.Runner runner, List<String> names, List<Integer> positions)
            throws WorkerException {
        long start = System.nanoTime();
        Result result = runner.run();
        long nanoseconds = System.nanoTime() - start;
        try {
            List<TensorEntry> outputs = new ArrayList<>();
            for (int i = 0; i < names.size(); i++) {
                outputs.add(Tensors.toEntry(names.get(i), result.get(positions.get(i))));
            }
            return new Answer(outputs, nanoseconds, null, result::close);
        } catch (WorkerException | RuntimeException error) {
            result.close();
            throw error;
        }
    }

    /** The graph's tensor of a name {@code operation:index}; {@code :0} may be missing. */
    private Output<?> resolve(String name) throws WorkerException {
        Output<?> known = resolved.get(name);
        if (known == null) {
            known = find(name);
            resolved.put(name, known);
        }
        return known;
    }

    private Output<?> find(String name) throws WorkerException {
        if (name.startsWith("^")) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "'" + name + "' is a control dependency, which has no tensor; bind an output of the operation");
        }
        TensorName tensor = names.apply(TensorName.parse(name));
        GraphOperation operation = session.graph().operation(tensor.operation());
        if (operation == null) {
            throw new WorkerException(Code.NOT_FOUND, "the graph has no operation of the tensor '" + name + "'");
        }
        if (tensor.index() >= operation.numOutputs()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "operation '%s' (%s) has %d outputs; there is no '%s'"
                            .formatted(operation.name(), operation.type(), operation.numOutputs(), name));
        }
        return operation.output(tensor.index());
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
