package org.tensorflow.lite;

import io.crossload.tflite.DesktopInterpreter;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Stands in for TensorFlow Lite's Interpreter on a desktop JVM, where its native library for Android does not load: the methods that a
 * module calls, over the C++ interpreter. Modules are compiled against the real one, so that a method with another type would not link.
 */
public final class Interpreter implements AutoCloseable {
    private final DesktopInterpreter interpreter;

    public static class Options {
        private boolean xnnpack = true;

        public Options setUseXNNPACK(boolean use) {
            xnnpack = use;
            return this;
        }

        public Options setNumThreads(int threads) {
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            throw new UnsupportedOperationException("no delegate on a desktop");
        }
    }

    public Interpreter(ByteBuffer model, Options options) {
        if (!model.isDirect() || model.order() != ByteOrder.nativeOrder()) {
            throw new IllegalArgumentException("Model ByteBuffer should be a direct ByteBuffer in native order.");
        }
        try {
            Path file = Files.createTempFile("model", ".tflite");
            byte[] bytes = new byte[model.remaining()];
            model.get(bytes);
            Files.write(file, bytes);
            interpreter = new DesktopInterpreter(file.toString(), options.xnnpack);
            Files.delete(file);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String key) {
        if (inputs == null || inputs.isEmpty() || outputs == null || outputs.values().stream().anyMatch(o -> o != null)) {
            throw new IllegalArgumentException("inputs must be there, and this stand-in fills no outputs");
        }
        inputs.forEach((name, value) -> {
            int[] shape = shape(value);
            if (shape != null && !java.util.Arrays.equals(shape, interpreter.shape(false, name, key))) {
                interpreter.resize(name, key, shape);
            }
        });
        inputs.forEach((name, value) -> {
            ByteBuffer memory = interpreter.memory(false, name, key);
            if (value instanceof ByteBuffer buffer) {
                if (buffer.remaining() != memory.remaining() || !buffer.isDirect()) {
                    throw new IllegalArgumentException("Cannot copy to a TensorFlowLite tensor (" + name + ") with "
                            + memory.remaining() + " bytes from a Java Buffer with " + buffer.remaining() + " bytes.");
                }
                memory.put(buffer.duplicate());
            } else {
                put(memory, value);
            }
        });
        interpreter.invoke(key);
    }

    public Tensor getInputTensorFromSignature(String name, String key) {
        return new Seen(false, name, key);
    }

    public Tensor getOutputTensorFromSignature(String name, String key) {
        return new Seen(true, name, key);
    }

    public void resetVariableTensors() {
        interpreter.reset();
    }

    @Override
    public void close() {
        interpreter.close();
    }

    private static int[] shape(Object value) {
        List<Integer> found = new ArrayList<>();
        for (Object at = value; at.getClass().isArray(); at = Array.get(at, 0)) {
            found.add(Array.getLength(at));
        }
        return value instanceof ByteBuffer ? null : found.stream().mapToInt(Integer::intValue).toArray();
    }

    private static void put(ByteBuffer memory, Object value) {
        for (int at = 0; at < Array.getLength(value); at++) {
            Object one = Array.get(value, at);
            if (one.getClass().isArray()) {
                put(memory, one);
            } else if (one instanceof Float number) {
                memory.putFloat(number);
            } else if (one instanceof Integer number) {
                memory.putInt(number);
            } else if (one instanceof Long number) {
                memory.putLong(number);
            } else if (one instanceof Short number) {
                memory.putShort(number);
            } else if (one instanceof Boolean truth) {
                memory.put((byte) (truth ? 1 : 0));
            } else {
                memory.put((Byte) one);
            }
        }
    }

    private final class Seen implements Tensor {
        private final boolean output;
        private final String name;
        private final String key;

        Seen(boolean output, String name, String key) {
            this.output = output;
            this.name = name;
            this.key = key;
        }

        @Override
        public DataType dataType() {
            String found = interpreter.datatype(output, name, key);
            return DataType.valueOf(found.equals("FP32") ? "FLOAT32" : found);
        }

        @Override
        public int numDimensions() {
            return shape().length;
        }

        @Override
        public int numBytes() {
            return asReadOnlyBuffer().remaining();
        }

        @Override
        public int numElements() {
            return numBytes() / dataType().byteSize();
        }

        @Override
        public int[] shape() {
            return interpreter.shape(output, name, key);
        }

        @Override
        public int[] shapeSignature() {
            throw new UnsupportedOperationException();
        }

        @Override
        public int index() {
            throw new UnsupportedOperationException();
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public QuantizationParams quantizationParams() {
            throw new UnsupportedOperationException();
        }

        @Override
        public ByteBuffer asReadOnlyBuffer() {
            return interpreter.memory(output, name, key).asReadOnlyBuffer();
        }
    }
}
