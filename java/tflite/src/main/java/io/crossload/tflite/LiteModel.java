package io.crossload.tflite;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.tflite.LiteInterpreter.SubgraphRunner;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.Binding;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.Model;
import io.crossload.worker.WorkerException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.tensorflowlite.TfLiteTensor;

/**
 * A loaded .tflite file. It runs a signature by its key in the file, or by tensor indices if the file has no SignatureDef.
 *
 * <p>XNNPACK runs the ops that it supports. If loading or a run fails with it, the model falls back to the interpreter's own kernels and
 * notes that. For one thread at a time.
 */
final class LiteModel implements Model {
    private final String path;
    private final boolean keepState;
    private final Map<String, List<Long>> written = new HashMap<>();
    private LiteInterpreter interpreter;
    private boolean delegating = true;
    private String note;

    /** A finished run: the runner with the outputs, and the time of the interpreter's call. */
    private record Run(SubgraphRunner runner, long nanoseconds) {}

    /**
     * @param path the file
     * @param signatures the bindings, by signature name
     * @param keepState whether a run starts from the state that the run before it left
     * @throws WorkerException UNIMPLEMENTED if the file has an op or a datatype that the interpreter lacks; NOT_FOUND if it lacks a key
     * @throws InterpreterException if loading fails for another reason
     */
    LiteModel(String path, Map<String, Binding> signatures, boolean keepState) throws WorkerException {
        this.path = path;
        this.keepState = keepState;
        try {
            interpreter = new LiteInterpreter(path, true);
        } catch (InterpreterException failure) {
            fallBack(failure, null);
        }
        try {
            for (Map.Entry<String, Binding> signature : signatures.entrySet()) {
                checkKey(signature.getKey(), signature.getValue().key());
            }
        } catch (WorkerException error) {
            close();
            throw error;
        }
    }

    @Override
    public String note() {
        return note;
    }

    @Override
    public Answer infer(InferRequest request) throws WorkerException {
        checkComplete(request);
        for (TensorEntry entry : request.inputs()) {
            check(request.binding(), entry);
        }
        Run run;
        String runNote = null;
        try {
            run = run(request);
        } catch (InterpreterException failure) {
            refuseOtherBatch(request, failure);
            run = fallBack(failure, request);
            runNote = note;
        }
        List<TensorEntry> outputs = new ArrayList<>();
        for (String name : request.outputs()) {
            TfLiteTensor tensor = run.runner()
                    .output(nativeName(request.binding(), request.binding().outputs(), name));
            if (tensor == null) {
                throw absent("output", name, request.binding().outputs().get(name));
            }
            outputs.add(LiteTensors.read(name, tensor));
        }
        return new Answer(outputs, run.nanoseconds(), runNote, () -> {}); // the interpreter owns the outputs
    }

    @Override
    public void close() {
        if (interpreter != null) {
            interpreter.close();
            interpreter = null;
        }
    }

    private Run run(InferRequest request) throws WorkerException {
        Binding binding = request.binding();
        SubgraphRunner runner = interpreter.runner(binding.key());
        boolean resized = false;
        for (TensorEntry entry : request.inputs()) {
            String name = nativeName(binding, binding.inputs(), entry.name());
            if (!LiteTensors.shape(runner.input(name)).equals(entry.shape())) {
                runner.resize(
                        name, entry.shape().stream().mapToInt(Math::toIntExact).toArray());
                resized = true;
            }
        }
        if (resized) {
            runner.allocate();
        }
        if (!keepState) {
            interpreter.reset();
        }
        for (TensorEntry entry : request.inputs()) {
            LiteTensors.write(entry, runner.input(nativeName(binding, binding.inputs(), entry.name())));
        }
        long start = System.nanoTime();
        runner.invoke();
        return new Run(runner, System.nanoTime() - start);
    }

    /**
     * Repeats a run without XNNPACK, which stays off if the repetition succeeds; else throws the first failure.
     *
     * @param request null to repeat only loading
     */
    private Run fallBack(InterpreterException cause, InferRequest request) throws WorkerException {
        boolean hopeless = !delegating;
        if (!hopeless) {
            try {
                reopen(false);
                Run run = request == null ? null : run(request);
                delegating = false;
                note = "run by the interpreter's own kernels: with its default delegate (XNNPACK) it failed (%s)"
                        .formatted(shortened(cause.getMessage()));
                return run;
            } catch (InterpreterException second) {
                // The first failure's message says more.
            }
        }
        if (request == null) {
            close();
        } else {
            reopen(delegating); // after a failure the tensors may be unallocated
        }
        throw cause;
    }

    private void reopen(boolean withDelegate) throws WorkerException {
        LiteInterpreter fresh =
                new LiteInterpreter(path, withDelegate); // before close: the old one stays if this fails
        close();
        interpreter = fresh;
    }

    private void refuseOtherBatch(InferRequest request, InterpreterException failure) throws WorkerException {
        for (TensorEntry entry : request.inputs()) {
            List<Long> shape = written(request.binding(), entry.name());
            boolean other = shape.isEmpty()
                    ? !entry.shape().isEmpty()
                    : shape.get(0) != -1 && !shape.get(0).equals(entry.shape().get(0));
            if (other) {
                reopen(delegating);
                throw new WorkerException(
                        Code.UNIMPLEMENTED,
                        "input '%s' was written with the shape %s and cannot be resized to %s: %s"
                                .formatted(entry.name(), shape, entry.shape(), shortened(failure.getMessage())),
                        failure);
            }
        }
    }

    private void checkKey(String name, String key) throws WorkerException {
        Set<String> keys = interpreter.keys();
        if (key != null && !keys.contains(key)) {
            throw new WorkerException(
                    Code.NOT_FOUND,
                    "%s has no signature '%s' (for '%s'); it has: %s"
                            .formatted(path, key, name, keys.isEmpty() ? "none" : String.join(", ", keys)));
        }
    }

    private static void checkComplete(InferRequest request) throws WorkerException {
        Set<String> absent = new TreeSet<>(request.binding().inputs().keySet());
        request.inputs().forEach(entry -> absent.remove(entry.name()));
        if (!absent.isEmpty()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "signature '%s' needs inputs that the request leaves out: %s"
                            .formatted(request.signature(), String.join(", ", absent)));
        }
    }

    // Tries every batch size, which kernels often accept, and every shape if the file has no dimensions.
    private void check(Binding binding, TensorEntry entry) throws WorkerException {
        Datatype datatype = LiteTensors.datatype(entry.name(), input(binding, entry.name()));
        List<Long> shape = new ArrayList<>(written(binding, entry.name()));
        boolean fits = shape.isEmpty();
        if (!fits) {
            shape.set(0, -1L);
            fits = shape.size() == entry.shape().size();
            for (int i = 0; fits && i < shape.size(); i++) {
                fits = shape.get(i) == -1 || shape.get(i).equals(entry.shape().get(i));
            }
        }
        if (!fits || datatype != entry.datatype()) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    "input '%s' takes %s of %s; the request has %s of shape %s"
                            .formatted(
                                    entry.name(),
                                    datatype.tensorflow(),
                                    shape.isEmpty() ? "any shape" : "shape " + shape,
                                    entry.datatype().tensorflow(),
                                    entry.shape()));
        }
    }

    /** The input's shape in the file. It is read before the first resize, which overwrites it in tensors without shape signature. */
    private List<Long> written(Binding binding, String name) throws WorkerException {
        String known = binding.key() + "/" + nativeName(binding, binding.inputs(), name);
        if (!written.containsKey(known)) {
            written.put(known, LiteTensors.written(input(binding, name)));
        }
        return written.get(known);
    }

    private TfLiteTensor input(Binding binding, String name) throws WorkerException {
        TfLiteTensor tensor = interpreter.runner(binding.key()).input(nativeName(binding, binding.inputs(), name));
        if (tensor == null) {
            throw absent("input", name, binding.inputs().get(name));
        }
        return tensor;
    }

    /** The name that the runner knows a tensor by: the signature's name, or the tensor's index if there is no SignatureDef. */
    private static String nativeName(Binding binding, Map<String, String> indices, String name) {
        return binding.key() == null ? indices.get(name) : name;
    }

    private WorkerException absent(String kind, String name, String index) {
        return new WorkerException(
                Code.INVALID_ARGUMENT,
                "%s has no %s '%s' (bound to the tensor %s); see: crossload show %s"
                        .formatted(path, kind, name, index, path));
    }

    private static String shortened(String text) {
        return text.length() > 300 ? text.substring(0, 300) : text;
    }
}
