package io.crossload.tensorflow.legacy;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.TensorTypes;
import io.crossload.worker.Code;
import io.crossload.worker.Inputs;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.tensorflow.DataType;
import org.tensorflow.Output;
import org.tensorflow.Tensor;
import org.tensorflow.types.UInt8;

/** Copies wire bytes to the native tensors of TensorFlow 1 and back; strings are encoded as TF_STRING. */
final class LegacyTensors {
    /** The Java types of {@code Tensor.create(Class, long[], ByteBuffer)}: DataType.fromClass. */
    private static final Map<Datatype, Class<?>> TYPES = Map.of(
            Datatype.FP32, Float.class,
            Datatype.FP64, Double.class,
            Datatype.INT32, Integer.class,
            Datatype.INT64, Long.class,
            Datatype.UINT8, UInt8.class,
            Datatype.BOOL, Boolean.class,
            Datatype.BYTES, String.class);

    private static final TensorTypes CARRIED = new TensorTypes(LegacyWorker.RELEASE, TYPES.keySet());

    private static final Map<DataType, Datatype> DATATYPES = Map.of(
            DataType.FLOAT, Datatype.FP32,
            DataType.DOUBLE, Datatype.FP64,
            DataType.INT32, Datatype.INT32,
            DataType.INT64, Datatype.INT64,
            DataType.UINT8, Datatype.UINT8,
            DataType.BOOL, Datatype.BOOL,
            DataType.STRING, Datatype.BYTES);

    // DataType.fromC: "DataType 19 is not recognized in Java (version 1.15.0)"
    private static final Pattern UNKNOWN = Pattern.compile("DataType (\\d+) is not recognized");

    private LegacyTensors() {}

    /** The contract's names of the datatypes with a tensor type, for ServerMetadata. */
    static List<String> datatypes() {
        return CARRIED.names();
    }

    /** Implements {@link io.crossload.graph.GraphSession#datatype}. */
    static Datatype datatype(Output<?> output) throws WorkerException {
        try {
            return DATATYPES.get(output.dataType());
        } catch (IllegalArgumentException error) {
            // A reference type, which the API feeds and fetches without a constant for it, or a type that it lacks.
            Matcher number = UNKNOWN.matcher(String.valueOf(error.getMessage()));
            if (!number.find()) {
                throw error;
            }
            return CARRIED.ofNumber(Integer.parseInt(number.group(1)));
        }
    }

    /** Implements {@link io.crossload.graph.GraphSession#toNative}. */
    static Tensor<?> toNative(TensorEntry entry) throws WorkerException {
        CARRIED.check(entry.datatype());
        Class<?> type = TYPES.get(entry.datatype());
        long[] shape = entry.shape().stream().mapToLong(Long::longValue).toArray();
        return switch (entry.datatype()) {
            case BYTES -> Tensor.create(type, shape, encoded(Inputs.strings(entry)));
            case BOOL -> Tensor.create(type, shape, truths(entry.data().duplicate()));
            default -> Tensor.create(type, shape, entry.data().duplicate());
        };
    }

    /** A frame's tensor with a copy of a native tensor's elements. */
    static TensorEntry toEntry(String name, Tensor<?> tensor) throws WorkerException {
        Datatype datatype = DATATYPES.get(tensor.dataType());
        List<Long> shape = LongStream.of(tensor.shape()).boxed().toList();
        TensorTypes.checkFits(name, datatype, shape);
        if (tensor.numBytes() < 0) { // of strings: an int that has overflowed
            throw new WorkerException(
                    Code.OUT_OF_RANGE, "the strings of the output '" + name + "' have 2 GiB or more; split the batch");
        }
        ByteBuffer memory = ByteBuffer.allocateDirect(shape.contains(0L) ? 0 : tensor.numBytes())
                .order(ByteOrder.nativeOrder());
        if (memory.hasRemaining()) {
            tensor.writeTo(memory);
            memory.flip();
        }
        ByteBuffer data =
                switch (datatype) {
                    case BYTES -> Datatype.encodeBytes(decoded(memory, tensor.numElements()));
                    case BOOL -> truths(memory);
                    default -> memory;
                };
        return new TensorEntry(name, datatype, shape, data);
    }

    private static ByteBuffer truths(ByteBuffer bytes) {
        ByteBuffer truths = ByteBuffer.allocateDirect(bytes.remaining());
        while (bytes.hasRemaining()) {
            truths.put((byte) (bytes.get() == 0 ? 0 : 1));
        }
        return truths.flip();
    }

    /**
     * Encodes strings as TF_STRING (c/c_api.h of TensorFlow 1.15): a table of uint64 offsets from the table's end, then for each string a
     * varint of its length and its bytes.
     */
    private static ByteBuffer encoded(List<byte[]> strings) {
        int size = 0;
        for (byte[] string : strings) {
            size = Math.addExact(size, Math.addExact(Long.BYTES + varintSize(string.length), string.length));
        }
        ByteBuffer encoded = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        int table = strings.size() * Long.BYTES;
        int at = table;
        for (int i = 0; i < strings.size(); i++) {
            byte[] string = strings.get(i);
            encoded.putLong(i * Long.BYTES, at - table).position(at);
            for (int left = string.length; ; left >>>= 7) {
                encoded.put((byte) (left < 0x80 ? left : left & 0x7f | 0x80));
                if (left < 0x80) {
                    break;
                }
            }
            at = encoded.put(string).position();
        }
        return encoded.rewind();
    }

    private static int varintSize(int value) {
        return value < 0x80 ? 1 : 1 + varintSize(value >>> 7);
    }

    private static List<byte[]> decoded(ByteBuffer encoded, int count) {
        List<byte[]> strings = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            encoded.position(Math.toIntExact(count * Long.BYTES + encoded.getLong(i * Long.BYTES)));
            int length = 0;
            int shift = 0;
            byte part;
            do {
                part = encoded.get();
                length |= (part & 0x7f) << shift;
                shift += 7;
            } while (part < 0);
            byte[] string = new byte[length];
            encoded.get(string);
            strings.add(string);
        }
        return strings;
    }
}
