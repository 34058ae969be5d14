package io.crossload.tensorflow;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.graph.TensorTypes;
import io.crossload.worker.Inputs;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.Shape;
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

/** Wire bytes to native tensors and back: one copy each way, none of it element by element but for strings. */
final class NativeTensors {
    /** What this release of TensorFlow Java has a tensor type for. */
    private static final Map<Datatype, Class<? extends TType>> TYPES = types();

    private static final TensorTypes CARRIED = new TensorTypes(TensorFlowWorker.RELEASE, TYPES.keySet());

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

    /** What ServerMetadata says of them. */
    static List<String> datatypes() {
        return CARRIED.names();
    }

    /** The contract's datatype of a graph's; as {@link TensorTypes#ofNumber} says. */
    static Datatype datatype(DataType type) throws WorkerException {
        return CARRIED.ofNumber(type == DataType.UNRECOGNIZED ? -1 : type.getNumber());
    }

    /**
     * A native tensor with a frame's bytes; the caller closes it. Any BOOL byte but 0 becomes 1.
     *
     * @throws WorkerException UNIMPLEMENTED for a datatype without tensor type, INVALID_ARGUMENT for BYTES that do not fill the
     *     shape
     */
    static Tensor toNative(TensorEntry entry) throws WorkerException {
        CARRIED.check(entry.datatype());
        Class<? extends TType> type = TYPES.get(entry.datatype());
        Shape shape = Shape.of(entry.shape().stream().mapToLong(Long::longValue).toArray());
        if (entry.datatype() == Datatype.BYTES) {
            return TString.tensorOfBytes(
                    shape, DataBuffers.of(Inputs.strings(entry).toArray(byte[][]::new), true, false));
        }
        Tensor tensor = Tensor.of(type, shape);
        try {
            if (entry.data().hasRemaining()) {
                copy(entry.data(), memory(tensor), entry.datatype());
            }
            return tensor;
        } catch (RuntimeException | Error error) {
            tensor.close();
            throw error;
        }
    }

    /** A native tensor as a frame's: a view of its memory, valid while the tensor is open, or a copy of BYTES and BOOL. */
    static TensorEntry toEntry(String name, Tensor tensor) throws WorkerException {
        Datatype datatype = datatype(tensor.dataType());
        List<Long> shape = LongStream.of(tensor.shape().asArray()).boxed().toList();
        return new TensorEntry(name, datatype, shape, data(tensor, datatype));
    }

    private static ByteBuffer data(Tensor tensor, Datatype datatype) {
        if (tensor.shape().size() == 0) {
            return ByteBuffer.allocate(0);
        }
        if (datatype == Datatype.BYTES) {
            return Datatype.encodeBytes(elements((TString) tensor));
        }
        ByteBuffer memory = memory(tensor);
        if (datatype == Datatype.BOOL) {
            ByteBuffer copy = ByteBuffer.allocateDirect(memory.remaining());
            copy(memory, copy.duplicate(), datatype);
            return copy;
        }
        return memory;
    }

    private static void copy(ByteBuffer source, ByteBuffer target, Datatype datatype) {
        ByteBuffer from = source.duplicate();
        if (datatype != Datatype.BOOL) {
            target.put(from);
            return;
        }
        while (from.hasRemaining()) {
            target.put((byte) (from.get() == 0 ? 0 : 1));
        }
    }

    // One by one: to copy them at once has another name in each ndarray release.
    private static List<byte[]> elements(TString tensor) {
        List<byte[]> elements = new ArrayList<>();
        tensor.asBytes().scalars().forEach(scalar -> elements.add(scalar.getObject()));
        return elements;
    }

    /** The memory of a tensor of fixed-size elements, which is not empty. */
    private static ByteBuffer memory(Tensor tensor) {
        ByteBuffer memory = tensor.asRawTensor().data().accept(new DataStorageVisitor<>() {
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
        });
        if (memory == null) {
            throw new IllegalStateException("this release of TensorFlow Java hides the memory of its tensors");
        }
        return memory;
    }

    /** A pointer to memory that somebody else owns. */
    static final class BorrowedMemory extends BytePointer {
        BorrowedMemory(long address, long size) {
            super((Pointer) null);
            this.address = address;
            this.limit = size;
            this.capacity = size;
        }
    }
}
