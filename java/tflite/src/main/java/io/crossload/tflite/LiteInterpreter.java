package io.crossload.tflite;

import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolver;
import org.bytedeco.tensorflowlite.BuiltinOpResolverWithoutDefaultDelegates;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.FlatBufferModelBase;
import org.bytedeco.tensorflowlite.Interpreter;
import org.bytedeco.tensorflowlite.InterpreterBuilder;
import org.bytedeco.tensorflowlite.SignatureRunner;
import org.bytedeco.tensorflowlite.StringVector;
import org.bytedeco.tensorflowlite.Subgraph;
import org.bytedeco.tensorflowlite.TfLiteTensor;
import org.bytedeco.tensorflowlite.global.tensorflowlite;

/** A native interpreter of one .tflite file with allocated tensors. Its methods throw {@link InterpreterException}. */
final class LiteInterpreter implements AutoCloseable {
    private static final Pattern UNRESOLVED = Pattern.compile("unresolved custom op: (.+?)\\.?(?:\\s|$)");
    private static final Pattern NEWER = Pattern.compile("Didn't find op for ([^.]+)");
    private static final Pattern UNKNOWN_DATATYPE = Pattern.compile("Unsupported data type (\\d+)");

    private final String path;
    private final FlatBufferModel file;
    private final Interpreter interpreter = new Interpreter((Pointer) null);
    private final Map<String, SubgraphRunner> runners = new HashMap<>();

    /** Runs a subgraph: a signature's, with the signature's names, or the first, with tensor indices for names. */
    interface SubgraphRunner {
        /** The input with this name or index, null if there is none. */
        TfLiteTensor input(String name);

        /** The output with this name or index, null if there is none. */
        TfLiteTensor output(String name);

        /** Changes the shape of an input; call {@link #allocate} before the next run. */
        void resize(String name, int[] shape);

        /** Allocates the tensors. */
        void allocate();

        /** Runs the kernels. */
        void invoke();
    }

    /**
     * Loads a file, after TensorFlow Lite has verified it.
     *
     * @param path the file
     * @param delegating whether XNNPACK runs the ops that it supports
     * @throws WorkerException UNIMPLEMENTED if the file has an op or a datatype that this interpreter lacks
     * @throws InterpreterException if loading fails for another reason
     */
    LiteInterpreter(String path, boolean delegating) throws WorkerException {
        this.path = path;
        InterpreterErrors.take();
        file = FlatBufferModelBase.VerifyAndBuildFromFile(path, null, InterpreterErrors.REPORTER);
        if (file == null) {
            throw new InterpreterException("%s cannot be read: %s".formatted(path, errors()));
        }
        try {
            build(delegating);
        } catch (InterpreterException failure) {
            WorkerException missing = missing(failure.getMessage());
            close();
            if (missing != null) {
                throw missing;
            }
            throw failure;
        }
    }

    private void build(boolean delegating) {
        try (BuiltinOpResolver resolver =
                        delegating ? new BuiltinOpResolver() : new BuiltinOpResolverWithoutDefaultDelegates();
                InterpreterBuilder builder = new InterpreterBuilder(file, resolver)) {
            check(builder.apply(interpreter));
        }
        check(interpreter.AllocateTensors());
    }

    /** The keys of the file's SignatureDefs. */
    NavigableSet<String> keys() {
        NavigableSet<String> keys = new TreeSet<>();
        try (StringVector held = interpreter.signature_keys()) {
            for (long i = 0; i < held.size(); i++) {
                keys.add(held.get(i).getString());
            }
        }
        return keys;
    }

    /** The runner of the signature with this key, which the file must have; for null that of the first subgraph. */
    SubgraphRunner runner(String key) {
        return runners.computeIfAbsent(key, k -> k == null ? new ByIndex() : new BySignature(k));
    }

    /** Resets the variables, so that an answer does not depend on earlier runs. */
    void reset() {
        check(interpreter.ResetVariableTensors());
    }

    @Override
    public void close() {
        interpreter.close();
        file.close();
    }

    private static void check(int status) {
        if (status != tensorflowlite.kTfLiteOk) {
            throw new InterpreterException(errors());
        }
    }

    private static String errors() {
        String errors = InterpreterErrors.take();
        return errors.isEmpty() ? "TensorFlow Lite reports no cause" : errors;
    }

    private WorkerException missing(String errors) {
        if (errors.contains("Select TensorFlow op") || errors.contains("Flex delegate")) {
            return missing(
                    "%s needs Flex (Select TF) ops, which this interpreter does not have: %s",
                    String.join(", ", flexOps()));
        }
        Matcher unresolved = UNRESOLVED.matcher(errors);
        if (unresolved.find()) {
            return missing("%s needs the custom op %s, which this interpreter does not have", unresolved.group(1));
        }
        Matcher newer = NEWER.matcher(errors);
        if (newer.find()) {
            return missing("%s is too new for this interpreter, which does not have the %s", newer.group(1));
        }
        Matcher datatype = UNKNOWN_DATATYPE.matcher(errors);
        if (datatype.find()) {
            return missing(
                    "%s has a datatype (number %s of the TFLite schema) that this interpreter does not know",
                    datatype.group(1));
        }
        return null;
    }

    private WorkerException missing(String sentence, String what) {
        return new WorkerException(Code.UNIMPLEMENTED, sentence.formatted(path, what));
    }

    private Set<String> flexOps() {
        Set<String> ops = new TreeSet<>();
        for (int graph = 0; graph < interpreter.subgraphs_size(); graph++) {
            Subgraph subgraph = interpreter.subgraph(graph);
            for (int node = 0; node < subgraph.nodes_size(); node++) {
                BytePointer name = subgraph.node_and_registration(node).second().custom_name();
                if (name != null && name.getString().startsWith("Flex")) {
                    ops.add(name.getString());
                }
            }
        }
        return ops;
    }

    /** A SignatureDef's subgraph. */
    private final class BySignature implements SubgraphRunner {
        private final SignatureRunner runner;

        BySignature(String key) {
            runner = interpreter.GetSignatureRunner(key);
            allocate();
        }

        @Override
        public TfLiteTensor input(String name) {
            return runner.input_tensor(name);
        }

        @Override
        public TfLiteTensor output(String name) {
            return runner.output_tensor(name);
        }

        @Override
        public void resize(String name, int[] shape) {
            check(runner.ResizeInputTensor(name, shape));
        }

        @Override
        public void allocate() {
            check(runner.AllocateTensors());
        }

        @Override
        public void invoke() {
            check(runner.Invoke());
        }
    }

    /** The first subgraph, whose tensors are named by their indices. */
    private final class ByIndex implements SubgraphRunner {
        @Override
        public TfLiteTensor input(String index) {
            int wanted = number(index);
            IntPointer inputs = interpreter.inputs();
            for (long i = 0; i < inputs.limit(); i++) {
                if (inputs.get(i) == wanted) {
                    return interpreter.tensor(wanted);
                }
            }
            return null;
        }

        @Override
        public TfLiteTensor output(String index) {
            int wanted = number(index);
            return wanted < 0 || wanted >= interpreter.tensors_size() ? null : interpreter.tensor(wanted);
        }

        @Override
        public void resize(String index, int[] shape) {
            check(interpreter.ResizeInputTensor(number(index), shape));
        }

        @Override
        public void allocate() {
            check(interpreter.AllocateTensors());
        }

        @Override
        public void invoke() {
            check(interpreter.Invoke());
        }

        private static int number(String index) {
            return index.matches("\\d{1,9}") ? Integer.parseInt(index) : -1;
        }
    }
}
