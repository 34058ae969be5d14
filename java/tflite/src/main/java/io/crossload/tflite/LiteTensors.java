package io.crossload.tflite;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Code;
import io.crossload.worker.Inputs;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.tensorflowlite.TfLiteIntArray;
import org.bytedeco.tensorflowlite.TfLiteTensor;
import org.bytedeco.tensorflowlite.global.tensorflowlite;

/** Copies wire bytes to the interpreter's tensors, and views these as wire bytes; strings are copied both ways. */
final class LiteTensors {
    // enum TfLiteType, tensorflow/lite/core/c/c_api_types.h
    private static final Map<Integer, Datatype> TYPES = Map.ofEntries(
            Map.entry(tensorflowlite.kTfLiteFloat32, Datatype.FP32),
            Map.entry(tensorflowlite.kTfLiteFloat64, Datatype.FP64),
            Map.entry(tensorflowlite.kTfLiteFloat16, Datatype.FP16),
            Map.entry(tensorflowlite.kTfLiteBFloat16, Datatype.BF16),
            Map.entry(tensorflowlite.kTfLiteInt8, Datatype.INT8),
            Map.entry(tensorflowlite.kTfLiteInt16, Datatype.INT16),
            Map.entry(tensorflowlite.kTfLiteInt32, Datatype.INT32),
            Map.entry(tensorflowlite.kTfLiteInt64, Datatype.INT64),
            Map.entry(tensorflowlite.kTfLiteUInt8, Datatype.UINT8),
            Map.entry(tensorflowlite.kTfLiteUInt16, Datatype.UINT16),
            Map.entry(tensorflowlite.kTfLiteUInt32, Datatype.UINT32),
            Map.entry(tensorflowlite.kTfLiteUInt64, Datatype.UINT64),
            Map.entry(tensorflowlite.kTfLiteComplex64, Datatype.COMPLEX64),
            Map.entry(tensorflowlite.kTfLiteComplex128, Datatype.COMPLEX128),
            Map.entry(tensorflowlite.kTfLiteBool, Datatype.BOOL),
            Map.entry(tensorflowlite.kTfLiteString, Datatype.BYTES));

    private LiteTensors() {}

    /** The contract's names of the datatypes that the interpreter's tensors can have, for ServerMetadata. */
    static List<String> carried() {
        return Stream.of(Datatype.values())
                .filter(TYPES::containsValue)
                .map(Enum::name)
                .toList();
    }

    /**
     * The contract's datatype of a tensor.
     *
     * @throws WorkerException UNIMPLEMENTED for int4, whose elements are half bytes, and for types without data (resource, variant)
     */
    static Datatype datatype(String name, TfLiteTensor tensor) throws WorkerException {
        Datatype datatype = TYPES.get(tensor.type());
        if (datatype == null) {
            String type = tensor.type() == tensorflowlite.kTfLiteInt4 ? "int4" : "TfLiteType " + tensor.type();
            throw new WorkerException(
                    Code.UNIMPLEMENTED, "tensor '" + name + "' is " + type + ", which this runtime cannot carry");
        }
        return datatype;
    }

    /** A tensor's shape in the file, -1 for a free dimension; empty for a scalar or for any shape. */
    static List<Long> written(TfLiteTensor tensor) {
        TfLiteIntArray signature = tensor.dims_signature();
        return dimensions(signature == null || signature.size() == 0 ? tensor.dims() : signature);
    }

    /** A tensor's present shape. */
    static List<Long> shape(TfLiteTensor tensor) {
        return dimensions(tensor.dims());
    }

    private static List<Long> dimensions(TfLiteIntArray array) {
        List<Long> dimensions = new ArrayList<>();
        for (int i = 0; array != null && i < array.size(); i++) {
            dimensions.add((long) array.data(i));
        }
        return dimensions;
    }

    /**
     * Copies an entry to a tensor of the same datatype and shape.
     *
     * @throws WorkerException INVALID_ARGUMENT if the strings do not fill the shape
     */
    static void write(TensorEntry entry, TfLiteTensor tensor) throws WorkerException {
        ByteBuffer source = entry.datatype() == Datatype.BYTES
                ? packed(Inputs.strings(entry))
                : entry.data().duplicate();
        if (entry.datatype() == Datatype.BYTES) {
            tensorflowlite.TfLiteTensorRealloc(source.remaining(), tensor);
        }
        if (source.remaining() != tensor.bytes()) {
            throw new InterpreterException("input '%s' has %d bytes; the interpreter's tensor of shape %s takes %d"
                    .formatted(entry.name(), source.remaining(), shape(tensor), tensor.bytes()));
        }
        memory(tensor).put(source);
    }

    /** A frame's tensor over a tensor's memory, valid until the interpreter runs again or is closed; for strings a copy. */
    static TensorEntry read(String name, TfLiteTensor tensor) throws WorkerException {
        Datatype datatype = datatype(name, tensor);
        ByteBuffer memory = memory(tensor);
        ByteBuffer data = datatype == Datatype.BYTES ? Datatype.encodeBytes(unpacked(memory)) : memory;
        return new TensorEntry(name, datatype, shape(tensor), data);
    }

    private static ByteBuffer memory(TfLiteTensor tensor) {
        BytePointer raw = tensor.data().raw();
        if (raw == null || tensor.bytes() == 0) {
            return ByteBuffer.allocate(0);
        }
        return raw.capacity(tensor.bytes()).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    // tensorflow/lite/string_util.h: int32 count, int32 offset of each string and of the end, then their bytes.

    private static ByteBuffer packed(List<byte[]> strings) {
        int offset = Integer.BYTES * (strings.size() + 2);
        ByteBuffer packed = ByteBuffer.allocate(Math.addExact(
                        offset, strings.stream().mapToInt(s -> s.length).reduce(0, Math::addExact)))
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(strings.size());
        for (byte[] string : strings) {
            packed.putInt(offset);
            offset += string.length;
        }
        packed.putInt(offset);
        strings.forEach(packed::put);
        return packed.flip();
    }

    private static List<byte[]> unpacked(ByteBuffer packed) {
        int count = packed.hasRemaining() ? packed.getInt(0) : 0;
        List<byte[]> strings = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int start = packed.getInt(Integer.BYTES * (i + 1));
            byte[] string = new byte[packed.getInt(Integer.BYTES * (i + 2)) - start];
            packed.get(start, string);
            strings.add(string);
        }
        return strings;
    }
}
