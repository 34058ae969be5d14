package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.TensorTypes;
import io.crossload.worker.Inputs;
import io.crossload.worker.WorkerException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.NdArray;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffer;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.ndarray.buffer.DataStorageVisitor;
import org.tensorflow.proto.DataType;
import org.tensorflow.types.TBfloat16;
import org.tensorflow.types.TBool;
import org.tensorflow.types.TFloat16;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TFloat64;
import org.tensorflow.types.TInt32;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;
import org.tensorflow.types.TUint16;
import org.tensorflow.types.TUint8;
import org.tensorflow.types.family.TType;

/** Copies wire bytes to native tensors and back; only strings are copied element by element. */
final class NativeTensors {
    /** The tensor types of this release of TensorFlow Java. */
    private static final Map<Datatype, Class<? extends TType>> TYPES = types();

    private static final TensorTypes CARRIED = new TensorTypes(TensorFlowWorker.RELEASE, TYPES.keySet());

    private static final DataStorageVisitor<ByteBuffer> MEMORY = new DataStorageVisitor<>() {
        @Override
        public ByteBuffer visit(ByteBuffer buffer) {
            return buffer.duplicate();
        }

        @Override
        public ByteBuffer visit(long address, long length, long scale) {
            return new BorrowedMemory(address, length * scale).asByteBuffer();
        }

        @Override
        public ByteBuffer fallback() {
            return null;
        }
    };

    // NdArray.copyTo from ndarray 0.4 on, read before.
    private static final MethodHandle COPY_ALL = copyAll();

    private NativeTensors() {}

    private static Map<Datatype, Class<? extends TType>> types() {
        Map<Datatype, Class<? extends TType>> types = new EnumMap<>(Map.of(
                Datatype.FP32, TFloat32.class,
                Datatype.FP64, TFloat64.class,
                Datatype.FP16, TFloat16.class,
                Datatype.BF16, TBfloat16.class,
                Datatype.INT32, TInt32.class,
                Datatype.INT64, TInt64.class,
                Datatype.UINT8, TUint8.class,
                Datatype.BOOL, TBool.class,
                Datatype.BYTES, TString.class));
        try {
            types.put(Datatype.UINT16, TUint16.class);
        } catch (NoClassDefFoundError since) {
            // TUint16 came with 0.5.0.
        }
        return types;
    }

    /** The contract's names of the datatypes with a tensor type, for ServerMetadata. */
    static List<String> datatypes() {
        return CARRIED.names();
    }

    /**
     * The contract's datatype of a TensorFlow datatype.
     *
     * @throws WorkerException as {@link TensorTypes#ofNumber}
     */
    static Datatype datatype(DataType type) throws WorkerException {
        return CARRIED.ofNumber(type == DataType.UNRECOGNIZED ? -1 : type.getNumber());
    }

    /**
     * Copies a frame's tensor to a native tensor, which the caller closes. A BOOL byte other than 0 becomes 1.
     *
     * @throws WorkerException UNIMPLEMENTED if this release has no tensor type for the datatype; INVALID_ARGUMENT if the strings do not
     *     fill the shape
     */
    static Tensor toNative(TensorEntry entry) throws WorkerException {
        CARRIED.check(entry.datatype());
        Class<? extends TType> type = TYPES.get(entry.datatype());
        Shape shape = shape(entry.shape());
        if (entry.datatype() == Datatype.BYTES) {
            return TString.tensorOfBytes(
                    shape, DataBuffers.of(Inputs.strings(entry).toArray(byte[][]::new), true, false));
        }
        Tensor tensor = Tensor.of(type, shape);
        try {
            if (entry.elements() > 0) {
                fill(memory(tensor), entry);
            }
            return tensor;
        } catch (RuntimeException | Error error) {
            tensor.close();
            throw error;
        }
    }

    /** A frame's tensor over a native tensor's memory, valid while that is open; for BYTES and BOOL a copy. */
    static TensorEntry toEntry(String name, Tensor tensor) throws WorkerException {
        Datatype datatype = datatype(tensor.dataType());
        List<Long> shape = dimensions(tensor.shape());
        if (tensor.shape().size() == 0) {
            return new TensorEntry(name, datatype, shape, ByteBuffer.allocate(0));
        }
        if (datatype == Datatype.BYTES) {
            return TensorEntry.of(name, datatype, shape, elements((TString) tensor));
        }
        TensorTypes.checkFits(name, datatype, shape);
        ByteBuffer memory = memory(tensor);
        return new TensorEntry(name, datatype, shape, datatype == Datatype.BOOL ? truths(memory) : memory);
    }

    private static void fill(ByteBuffer target, TensorEntry entry) {
        if (entry.datatype() == Datatype.BOOL) {
            target.put(truths(entry.data()));
        } else {
            entry.copyTo(target);
        }
    }

    private static ByteBuffer truths(ByteBuffer bytes) {
        ByteBuffer from = bytes.duplicate();
        // Direct: AddressFedModel passes its address on.
        ByteBuffer truths = ByteBuffer.allocateDirect(from.remaining());
        while (from.hasRemaining()) {
            truths.put((byte) (from.get() == 0 ? 0 : 1));
        }
        return truths.flip().order(ByteOrder.LITTLE_ENDIAN);
    }

    private static Shape shape(List<Long> dimensions) {
        long[] shape = new long[dimensions.size()];
        for (int axis = 0; axis < shape.length; axis++) {
            shape[axis] = dimensions.get(axis);
        }
        return Shape.of(shape);
    }

    private static List<Long> dimensions(Shape shape) {
        long[] sizes = shape.asArray();
        Long[] dimensions = new Long[sizes.length];
        for (int axis = 0; axis < sizes.length; axis++) {
            dimensions[axis] = sizes[axis];
        }
        return List.of(dimensions);
    }

    private static byte[][] elements(TString tensor) {
        byte[][] elements = new byte[Math.toIntExact(tensor.size())][];
        try {
            COPY_ALL.invoke(tensor.asBytes(), DataBuffers.of(elements, false, false));
        } catch (RuntimeException | Error error) {
            throw error;
        } catch (Throwable error) {
            throw new IllegalStateException(error); // it declares none
        }
        return elements;
    }

    private static MethodHandle copyAll() {
        for (String name : List.of("copyTo", "read")) {
            try {
                return MethodHandles.lookup().unreflect(NdArray.class.getMethod(name, DataBuffer.class));
            } catch (NoSuchMethodException absent) {
                // The other release's name.
            } catch (IllegalAccessException error) {
                throw new IllegalStateException(error);
            }
        }
        throw new IllegalStateException("this release of TensorFlow Java does not copy an NdArray to a DataBuffer");
    }

    /** The memory of a tensor with fixed-size elements, at least one. */
    private static ByteBuffer memory(Tensor tensor) {
        ByteBuffer memory = tensor.asRawTensor().data().accept(MEMORY);
        if (memory == null) {
            throw new IllegalStateException("this release of TensorFlow Java hides the memory of its tensors");
        }
        return memory.order(ByteOrder.LITTLE_ENDIAN);
    }

    /** A pointer to memory that its owner frees. */
    static final class BorrowedMemory extends BytePointer {
        BorrowedMemory(long address, long size) {
            super((Pointer) null);
            this.address = address;
            this.limit = size;
            this.capacity = size;
        }
    }
}
