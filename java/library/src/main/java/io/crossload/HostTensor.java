package io.crossload;

import io.crossload.contract.Datatype;
import io.crossload.contract.Elements;
import io.crossload.contract.FrameException;
import io.crossload.contract.TensorEntry;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * A tensor: datatype, shape and elements (row major). Immutable, except that {@link #of(Datatype, ByteBuffer, long...)} does not copy its
 * buffer. It holds no native memory and needs no closing.
 *
 * <p>The factories throw IllegalArgumentException if the elements do not fill the shape. They infer no shape: without dimensions the tensor
 * is a scalar, {@code Tensor.of(new float[] {1, 2}, 2)} has shape [2].
 */
public final class Tensor {
    private final Datatype datatype;
    private final List<Long> shape;
    private final ByteBuffer data;

    private Tensor(Datatype datatype, List<Long> shape, ByteBuffer data) {
        this.datatype = datatype;
        this.shape = shape;
        this.data = data;
    }

    /** A float32 tensor. */
    public static Tensor of(float[] values, long... shape) {
        ByteBuffer data = allocate(Datatype.FP32, values.length, shape);
        data.asFloatBuffer().put(values);
        return new Tensor(Datatype.FP32, boxed(shape), data);
    }

    /** A float64 tensor. */
    public static Tensor of(double[] values, long... shape) {
        ByteBuffer data = allocate(Datatype.FP64, values.length, shape);
        data.asDoubleBuffer().put(values);
        return new Tensor(Datatype.FP64, boxed(shape), data);
    }

    /** An int32 tensor. */
    public static Tensor of(int[] values, long... shape) {
        return of(Datatype.INT32, values, shape);
    }

    /** An int64 tensor. */
    public static Tensor of(long[] values, long... shape) {
        return of(Datatype.INT64, values, shape);
    }

    /** An int16 tensor. */
    public static Tensor of(short[] values, long... shape) {
        return of(Datatype.INT16, values, shape);
    }

    /** An int8 tensor; {@link #of(Datatype, byte[], long...)} makes one of uint8. */
    public static Tensor of(byte[] values, long... shape) {
        return of(Datatype.INT8, values, shape);
    }

    /** A bool tensor. */
    public static Tensor of(boolean[] values, long... shape) {
        ByteBuffer data = allocate(Datatype.BOOL, values.length, shape);
        for (int at = 0; at < values.length; at++) {
            data.put(at, (byte) (values[at] ? 1 : 0));
        }
        return new Tensor(Datatype.BOOL, boxed(shape), data);
    }

    /** A string tensor; its elements are the texts in UTF-8. */
    public static Tensor of(String[] values, long... shape) {
        return ofBytes(
                Arrays.stream(values)
                        .map(value -> value.getBytes(StandardCharsets.UTF_8))
                        .collect(Collectors.toList()),
                shape);
    }

    /** A float32 scalar. */
    public static Tensor scalar(float value) {
        return of(new float[] {value});
    }

    /** A float64 scalar. */
    public static Tensor scalar(double value) {
        return of(new double[] {value});
    }

    /** An int32 scalar. */
    public static Tensor scalar(int value) {
        return of(new int[] {value});
    }

    /** An int64 scalar. */
    public static Tensor scalar(long value) {
        return of(new long[] {value});
    }

    /** A bool scalar. */
    public static Tensor scalar(boolean value) {
        return of(new boolean[] {value});
    }

    /** A string scalar: the text in UTF-8. */
    public static Tensor scalar(String value) {
        return of(new String[] {value});
    }

    /** A string tensor with elements of any bytes, such as serialised messages. */
    public static Tensor ofBytes(List<byte[]> values, long... shape) {
        fill(values.size(), shape);
        return new Tensor(Datatype.BYTES, boxed(shape), Datatype.encodeBytes(values));
    }

    /** A tensor of INT8, UINT8, INT4 or UINT4, one element a byte; INT4 is sign-extended. */
    public static Tensor of(Datatype datatype, byte[] values, long... shape) {
        ByteBuffer data = integers(datatype, 1, values.length, shape);
        data.duplicate().put(values);
        return new Tensor(datatype, boxed(shape), data);
    }

    /** A tensor of INT16 or UINT16; a short holds the bits of a UINT16. */
    public static Tensor of(Datatype datatype, short[] values, long... shape) {
        ByteBuffer data = integers(datatype, 2, values.length, shape);
        data.asShortBuffer().put(values);
        return new Tensor(datatype, boxed(shape), data);
    }

    /** A tensor of INT32 or UINT32; an int holds the bits of a UINT32. */
    public static Tensor of(Datatype datatype, int[] values, long... shape) {
        ByteBuffer data = integers(datatype, 4, values.length, shape);
        data.asIntBuffer().put(values);
        return new Tensor(datatype, boxed(shape), data);
    }

    /** A tensor of INT64 or UINT64; a long holds the bits of a UINT64. */
    public static Tensor of(Datatype datatype, long[] values, long... shape) {
        ByteBuffer data = integers(datatype, 8, values.length, shape);
        data.asLongBuffer().put(values);
        return new Tensor(datatype, boxed(shape), data);
    }

    /**
     * A tensor of any datatype over a buffer's bytes from position to limit. The bytes are not copied and must not change while the tensor
     * is in use. With a direct buffer the engine copies them fastest.
     *
     * @param datatype the datatype
     * @param data little-endian and row major; an element of BYTES is a uint32 length and that many bytes
     * @param shape the dimensions, none for a scalar
     * @throws IllegalArgumentException if the bytes do not fill the shape
     */
    public static Tensor of(Datatype datatype, ByteBuffer data, long... shape) {
        ByteBuffer view = data.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (datatype == Datatype.BYTES) {
            fill(strings(view).size(), shape);
        } else if (view.remaining() % datatype.size() != 0) {
            throw new IllegalArgumentException(view.remaining() + " bytes are not a whole number of "
                    + datatype.tensorflow() + " elements of " + datatype.size() + " bytes");
        } else {
            fill(view.remaining() / datatype.size(), shape);
        }
        return new Tensor(datatype, boxed(shape), view);
    }

    /** A copy of a tensor of a frame. */
    static Tensor copyOf(TensorEntry entry) {
        ByteBuffer source = entry.data();
        ByteBuffer data = ByteBuffer.allocate(source.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        data.duplicate().put(source.duplicate());
        return new Tensor(entry.datatype(), entry.shape(), data);
    }

    /** A tensor of a frame, such as an input of a recorded vector. Its bytes are not copied and must not change. */
    public static Tensor viewOf(TensorEntry entry) {
        return new Tensor(entry.datatype(), entry.shape(), entry.data().slice().order(ByteOrder.LITTLE_ENDIAN));
    }

    /** This tensor with a name. */
    TensorEntry entry(String name) {
        return new TensorEntry(name, datatype, shape, data.duplicate());
    }

    /** The datatype. */
    public Datatype datatype() {
        return datatype;
    }

    /** The dimensions; empty for a scalar. The array is a copy. */
    public long[] shape() {
        return shape.stream().mapToLong(Long::longValue).toArray();
    }

    /** The dimensions, unmodifiable. */
    List<Long> dimensions() {
        return shape;
    }

    /** The number of elements. */
    public int size() {
        return Math.toIntExact(product(shape));
    }

    /**
     * The elements of a float32, float16, bfloat16 or float8 tensor.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public float[] floats() {
        float[] values = new float[size()];
        if (datatype == Datatype.FP32) {
            data.asFloatBuffer().get(values);
        } else {
            require("floats", Elements.isFloating(datatype) && datatype != Datatype.FP64);
            for (int at = 0; at < values.length; at++) {
                values[at] = (float) Elements.real(datatype, data, at);
            }
        }
        return values;
    }

    /**
     * The elements of a tensor whose numbers a double holds exactly: every float datatype, integers of up to 32 bits.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public double[] doubles() {
        double[] values = new double[size()];
        require(
                "doubles",
                Elements.isFloating(datatype) || Elements.isInteger(datatype) && datatype.size() < Long.BYTES);
        for (int at = 0; at < values.length; at++) {
            values[at] = Elements.real(datatype, data, at);
        }
        return values;
    }

    /**
     * The elements of an int8, int16, int32, uint8, uint16, int4 or uint4 tensor.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public int[] ints() {
        int[] values = new int[size()];
        if (datatype == Datatype.INT32) {
            data.asIntBuffer().get(values);
        } else {
            require("ints", Elements.isInteger(datatype) && datatype.size() < Integer.BYTES);
            for (int at = 0; at < values.length; at++) {
                values[at] = (int) Elements.integer(datatype, data, at);
            }
        }
        return values;
    }

    /**
     * The elements of a tensor of any integer datatype; for uint64 their bits ({@link Long#toUnsignedString(long)}).
     *
     * @throws IllegalStateException if the datatype is another
     */
    public long[] longs() {
        require("longs", Elements.isInteger(datatype));
        long[] values = new long[size()];
        for (int at = 0; at < values.length; at++) {
            values[at] = Elements.integer(datatype, data, at);
        }
        return values;
    }

    /**
     * The elements of an int8, uint8, int4 or uint4 tensor, one byte each; for uint8 their bits ({@link Byte#toUnsignedInt(byte)}).
     *
     * @throws IllegalStateException if the datatype is another
     */
    public byte[] bytes() {
        require("bytes", Elements.isInteger(datatype) && datatype.size() == 1);
        byte[] values = new byte[size()];
        data.duplicate().get(values);
        return values;
    }

    /**
     * The elements of a bool tensor.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public boolean[] booleans() {
        require("booleans", datatype == Datatype.BOOL);
        boolean[] values = new boolean[size()];
        for (int at = 0; at < values.length; at++) {
            values[at] = data.get(at) != 0;
        }
        return values;
    }

    /**
     * The elements of a string tensor, decoded from UTF-8; {@link #byteStrings()} returns them undecoded.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public String[] strings() {
        return byteStrings().stream()
                .map(bytes -> new String(bytes, StandardCharsets.UTF_8))
                .toArray(String[]::new);
    }

    /**
     * The elements of a string tensor, as bytes.
     *
     * @throws IllegalStateException if the datatype is another
     */
    public List<byte[]> byteStrings() {
        require("byteStrings", datatype == Datatype.BYTES);
        return strings(data);
    }

    /** The wire bytes, little-endian and row major, as a read-only buffer. */
    public ByteBuffer buffer() {
        return data.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Datatype and shape: {@code float32 [1, 10]}. */
    @Override
    public String toString() {
        return datatype.tensorflow() + " " + shape;
    }

    private void require(String accessor, boolean holds) {
        if (!holds) {
            throw new IllegalStateException("a tensor of " + datatype.tensorflow() + " has no " + accessor + "(); use "
                    + accessor(datatype) + "()");
        }
    }

    private static String accessor(Datatype datatype) {
        return switch (datatype) {
            case BYTES -> "strings";
            case BOOL -> "booleans";
            case FP64 -> "doubles";
            case INT64, UINT64, UINT32 -> "longs";
            case COMPLEX64, COMPLEX128 -> "buffer";
            default -> Elements.isFloating(datatype) ? "floats" : "ints";
        };
    }

    private static ByteBuffer integers(Datatype datatype, int size, int count, long[] shape) {
        if (!Elements.isInteger(datatype) || datatype.size() != size) {
            throw new IllegalArgumentException(datatype.tensorflow() + " is not an integer datatype of " + size
                    + " bytes; use Tensor.of(Datatype, ByteBuffer, ...)");
        }
        return allocate(datatype, count, shape);
    }

    // Heap buffers are collected at once, direct ones wait for their cleaner; the engine copies both equally fast.
    private static ByteBuffer allocate(Datatype datatype, int count, long[] shape) {
        fill(count, shape);
        return ByteBuffer.allocate(Math.multiplyExact(count, datatype.size())).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void fill(int count, long[] shape) {
        if (elements(shape) != count) {
            throw new IllegalArgumentException(count + " elements do not make a tensor of shape "
                    + Arrays.toString(shape)
                    + (shape.length == 0
                            ? ", a scalar; the shape follows the elements: Tensor.of(values, " + count + ")"
                            : ""));
        }
    }

    /** The number of elements; -1 if a dimension is negative or the product overflows a long. */
    private static long elements(long[] shape) {
        long elements = 1;
        for (long dimension : shape) {
            if (dimension < 0 || Math.multiplyHigh(elements, dimension) != 0) {
                return -1;
            }
            elements *= dimension;
        }
        return elements;
    }

    private static List<Long> boxed(long[] shape) {
        return List.of(LongStream.of(shape).boxed().toArray(Long[]::new));
    }

    private static long product(List<Long> shape) {
        long product = 1;
        for (long dimension : shape) {
            product *= dimension;
        }
        return product;
    }

    private static List<byte[]> strings(ByteBuffer data) {
        try {
            return Datatype.decodeBytes(data);
        } catch (FrameException error) {
            throw new IllegalArgumentException(error.getMessage(), error);
        }
    }
}
