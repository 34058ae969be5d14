package io.crossload.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.worker.Code;
import io.crossload.worker.Inputs;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;

/** Copies wire bytes to NDArrays and back. */
final class DjlArrays {
    /** The datatypes that DJL's TensorFlow engine carries (ai.djl.tensorflow.engine.TfDataType); DJL itself has more. */
    private static final Map<Datatype, DataType> TYPES = new EnumMap<>(Map.of(
            Datatype.FP32, DataType.FLOAT32,
            Datatype.FP64, DataType.FLOAT64,
            Datatype.INT8, DataType.INT8,
            Datatype.INT32, DataType.INT32,
            Datatype.INT64, DataType.INT64,
            Datatype.UINT8, DataType.UINT8,
            Datatype.BOOL, DataType.BOOLEAN,
            Datatype.BYTES, DataType.STRING));

    // DJL's strings are Java's, which have no form for any bytes; in this charset a character is a byte.
    private static final Charset BYTES = StandardCharsets.ISO_8859_1;

    private DjlArrays() {}

    /** The contract's names of the carried datatypes, for ServerMetadata. */
    static List<String> datatypes() {
        return TYPES.keySet().stream().map(Datatype::name).toList();
    }

    /**
     * Checks that a datatype is carried.
     *
     * @param datatype null if the contract has no name for it
     * @param stated its name in TensorFlow
     * @throws WorkerException UNIMPLEMENTED if it is not
     */
    static void check(Datatype datatype, org.tensorflow.proto.DataType stated) throws WorkerException {
        if (datatype == null || !TYPES.containsKey(datatype)) {
            String name = datatype == null
                    ? stated.name().toLowerCase(Locale.ROOT).replaceFirst("^dt_", "")
                    : datatype.tensorflow();
            throw new WorkerException(
                    Code.UNIMPLEMENTED,
                    "DJL " + Engine.getDjlVersion() + " does not carry " + name + " in its TensorFlow engine");
        }
    }

    /**
     * A frame's tensor as an NDArray of the manager. A BOOL byte other than 0 becomes 1.
     *
     * @throws WorkerException UNIMPLEMENTED if the datatype is not carried; INVALID_ARGUMENT if the strings do not fill the shape
     */
    static NDArray toArray(NDManager manager, TensorEntry entry) throws WorkerException {
        check(
                entry.datatype(),
                org.tensorflow.proto.DataType.forNumber(entry.datatype().number()));
        Shape shape =
                new Shape(entry.shape().stream().mapToLong(Long::longValue).toArray());
        if (entry.datatype() == Datatype.BYTES) {
            String[] strings = Inputs.strings(entry).stream()
                    .map(bytes -> new String(bytes, BYTES))
                    .toArray(String[]::new);
            return manager.create(strings, BYTES, shape);
        }
        DataType type = TYPES.get(entry.datatype());
        if (entry.elements() == 0) {
            return manager.create(shape, type);
        }
        int size = Math.toIntExact(entry.elements() * entry.datatype().size());
        ByteBuffer data = manager.allocateDirect(size);
        if (entry.datatype() == Datatype.BOOL) {
            ByteBuffer given = entry.data().duplicate();
            while (given.hasRemaining()) {
                data.put((byte) (given.get() == 0 ? 0 : 1));
            }
            data.rewind();
        } else {
            entry.copyTo(data);
        }
        return manager.create(data, shape, type);
    }

    /** A frame's tensor with a copy of an NDArray's elements. */
    static TensorEntry toEntry(String name, NDArray array) {
        List<Long> shape = LongStream.of(array.getShape().getShape()).boxed().toList();
        Datatype datatype = TYPES.entrySet().stream()
                .filter(e -> e.getValue() == array.getDataType())
                .findFirst()
                .orElseThrow()
                .getKey();
        ByteBuffer data;
        if (shape.contains(0L)) {
            data = ByteBuffer.allocate(0);
        } else if (datatype == Datatype.BYTES) {
            data = Datatype.encodeBytes(Arrays.stream(array.toStringArray(BYTES))
                    .map(string -> string.getBytes(BYTES))
                    .toList());
        } else {
            data = array.toByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        }
        return new TensorEntry(name, datatype, shape, data);
    }
}
