package io.crossload.tflite;

import io.crossload.tflite.LiteInterpreter.SubgraphRunner;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.tensorflowlite.TfLiteTensor;

/** TensorFlow Lite's C++ interpreter of the runtime tflite-java, for the stand-in of Android's one. */
public final class DesktopInterpreter implements AutoCloseable {
    private final LiteInterpreter interpreter;

    public DesktopInterpreter(String path, boolean xnnpack) {
        try {
            interpreter = new LiteInterpreter(path, xnnpack);
        } catch (WorkerException error) {
            throw new IllegalArgumentException(error.getMessage(), error);
        }
    }

    public int[] shape(boolean output, String name, String key) {
        List<Integer> found = new ArrayList<>();
        LiteTensors.shape(tensor(output, name, key)).forEach(d -> found.add(Math.toIntExact(d)));
        return found.stream().mapToInt(Integer::intValue).toArray();
    }

    public String datatype(boolean output, String name, String key) {
        try {
            return LiteTensors.datatype(name, tensor(output, name, key)).name();
        } catch (WorkerException error) {
            throw new IllegalArgumentException(error.getMessage(), error);
        }
    }

    public ByteBuffer memory(boolean output, String name, String key) {
        TfLiteTensor tensor = tensor(output, name, key);
        return tensor.data().raw().capacity(tensor.bytes()).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    public void resize(String name, String key, int[] shape) {
        interpreter.runner(key).resize(name, shape);
        interpreter.runner(key).allocate();
    }

    public void invoke(String key) {
        interpreter.runner(key).invoke();
    }

    public void reset() {
        interpreter.reset();
    }

    @Override
    public void close() {
        interpreter.close();
    }

    private TfLiteTensor tensor(boolean output, String name, String key) {
        SubgraphRunner runner = interpreter.runner(key);
        TfLiteTensor found = output ? runner.output(name) : runner.input(name);
        if (found == null) {
            throw new IllegalArgumentException("there is no tensor " + name);
        }
        return found;
    }
}
