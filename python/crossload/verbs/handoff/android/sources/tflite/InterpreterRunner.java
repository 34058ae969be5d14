package io.crossload.android;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;

/** A model in {@code org.tensorflow.lite.Interpreter}, called by its signatures. */
final class InterpreterRunner implements ModelRunner {
    private final Interpreter interpreter;
    private final List<AutoCloseable> owned;

    /** @param owned what must be closed after the interpreter: its delegates */
    InterpreterRunner(ByteBuffer model, Interpreter.Options options, List<AutoCloseable> owned) {
        this.owned = owned;
        try {
            this.interpreter = new Interpreter(model, options);
        } catch (RuntimeException | UnsatisfiedLinkError error) {
            closeOwned();
            throw error;
        }
    }

    @Override
    public Map<String, TensorEntry> run(HandedSignature signature, Map<String, TensorEntry> inputs) {
        Map<String, Object> given = new HashMap<>();
        for (HandedSignature.Spec spec : signature.inputs()) {
            TensorEntry entry = inputs.get(spec.name());
            if (entry == null) {
                throw new IllegalArgumentException("the input '" + spec.name() + "' is missing");
            }
            Tensor tensor = interpreter.getInputTensorFromSignature(spec.file(), signature.key());
            if (datatype(tensor) != entry.datatype()) {
                throw new IllegalArgumentException("'" + spec.name() + "' takes " + datatype(tensor).tensorflow()
                        + ", not " + entry.datatype().tensorflow());
            }
            given.put(spec.file(), value(entry, tensor.shape()));
        }
        Map<String, Object> taken = new HashMap<>();
        for (HandedSignature.Spec spec : signature.outputs()) {
            taken.put(spec.file(), null); // read below, when the shape is known
        }
        interpreter.runSignature(given, taken, signature.key());
        Map<String, TensorEntry> answer = new LinkedHashMap<>();
        for (HandedSignature.Spec spec : signature.outputs()) {
            Tensor tensor = interpreter.getOutputTensorFromSignature(spec.file(), signature.key());
            answer.put(spec.name(), copy(spec, tensor));
        }
        return answer;
    }

    @Override
    public void reset() {
        interpreter.resetVariableTensors();
    }

    @Override
    public void close() {
        interpreter.close();
        closeOwned();
    }

    private void closeOwned() {
        for (AutoCloseable one : owned) {
            try {
                one.close();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }
    }

    /** A buffer for a tensor of the same shape; else nested arrays, from whose shape the interpreter resizes the tensor. */
    private static Object value(TensorEntry entry, int[] present) {
        int[] wanted = new int[entry.shape().size()];
        for (int at = 0; at < wanted.length; at++) {
            wanted[at] = Math.toIntExact(entry.shape().get(at));
        }
        ByteBuffer data = ByteBuffer.allocateDirect(entry.data().remaining()).order(ByteOrder.LITTLE_ENDIAN);
        data.duplicate().put(entry.data().duplicate());
        return Arrays.equals(wanted, present) ? data : nested(entry.datatype(), data, wanted, 0);
    }

    private static Object nested(Datatype datatype, ByteBuffer data, int[] shape, int axis) {
        if (axis + 1 < shape.length) {
            Object array = Array.newInstance(element(datatype), Arrays.copyOfRange(shape, axis, shape.length));
            for (int at = 0; at < shape[axis]; at++) {
                Array.set(array, at, nested(datatype, data, shape, axis + 1));
            }
            return array;
        }
        Object row = Array.newInstance(element(datatype), shape[axis]);
        for (int at = 0; at < shape[axis]; at++) {
            switch (datatype) {
                case FP32 -> Array.setFloat(row, at, data.getFloat());
                case INT32 -> Array.setInt(row, at, data.getInt());
                case INT64 -> Array.setLong(row, at, data.getLong());
                case INT16 -> Array.setShort(row, at, data.getShort());
                case BOOL -> Array.setBoolean(row, at, data.get() != 0);
                default -> Array.setByte(row, at, data.get());
            }
        }
        return row;
    }

    private static Class<?> element(Datatype datatype) {
        return switch (datatype) {
            case FP32 -> float.class;
            case INT32 -> int.class;
            case INT64 -> long.class;
            case INT16 -> short.class;
            case BOOL -> boolean.class;
            default -> byte.class;
        };
    }

    private static TensorEntry copy(HandedSignature.Spec spec, Tensor tensor) {
        ByteBuffer source = tensor.asReadOnlyBuffer();
        ByteBuffer data = ByteBuffer.allocate(source.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        data.duplicate().put(source);
        Datatype datatype = datatype(tensor);
        List<Long> shape = new ArrayList<>();
        long elements = 1;
        for (int dimension : tensor.shape()) {
            shape.add((long) dimension);
            elements *= dimension;
        }
        long held = data.remaining() / datatype.size();
        // The interpreter reads an output's shape anew only after a resize, and values may determine it, too.
        return new TensorEntry(spec.name(), datatype, elements == held ? shape : spec.shapeOf(held), data);
    }

    private static Datatype datatype(Tensor tensor) {
        return switch (tensor.dataType()) {
            case FLOAT32 -> Datatype.FP32;
            case INT32 -> Datatype.INT32;
            case INT64 -> Datatype.INT64;
            case INT16 -> Datatype.INT16;
            case INT8 -> Datatype.INT8;
            case UINT8 -> Datatype.UINT8;
            case BOOL -> Datatype.BOOL;
            default -> throw new IllegalArgumentException("'" + tensor.name() + "' is " + tensor.dataType());
        };
    }
}
