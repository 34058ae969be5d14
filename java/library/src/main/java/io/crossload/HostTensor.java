package io.crossload;

import io.crossload.contract.Datatype;
import io.crossload.contract.Elements;
import io.crossload.contract.FrameException;
import io.crossload.contract.TensorEntry;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * A tensor in Java's memory: datatype, shape and elements (row major). It needs no closing.
 *
 * <p>The factories {@code of} copy an array, so that the tensor is immutable; {@code over} and those of a buffer do not copy, and the
 * caller must not change the elements while the tensor is in use. A tensor of {@link Outputs} throws
 * CrossloadException (FAILED_PRECONDITION) when it is read after these were closed; {@link #copy} stays.
 *
 * <p>The factories throw IllegalArgumentException if the elements do not fill the shape. They infer no shape: without dimensions the tensor
 * is a scalar, {@code HostTensor.of(new float[] {1, 2}, 2)} has shape [2].
 */
public final class HostTensor {
    private static final int MOST_DIMENSIONS = 254; // tensor_shape.h, TensorShapeRep::MaxDimensions

    private final TensorEntry entry;
    private final Owner owner;

    /** Who frees the memory of a tensor's elements. */
    interface Owner {
        /**
         * Reads the elements, which are not freed meanwhile.
         *
         * @throws CrossloadException FAILED_PRECONDITION if they are freed already
         */
        <T> T reading(TensorEntry entry, Function<TensorEntry, T> reader);
    }

    private HostTensor(TensorEntry entry) {
        this(entry, null);
    }

    private HostTensor(TensorEntry entry, Owner owner) {
        this.entry = entry;
        this.owner = owner;
    }

    /**
     * {@return a float32 tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(float[] values, long... shape) {
        return over(values.clone(), shape);
    }

    /**
     * {@return a float64 tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(double[] values, long... shape) {
        return over(values.clone(), shape);
    }

    /**
     * {@return an int32 tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(int[] values, long... shape) {
        return of(Datatype.INT32, values, shape);
    }

    /**
     * {@return an int64 tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(long[] values, long... shape) {
        return of(Datatype.INT64, values, shape);
    }

    /**
     * {@return an int16 tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(short[] values, long... shape) {
        return of(Datatype.INT16, values, shape);
    }

    /**
     * {@return an int8 tensor; {@link #of(Datatype, byte[], long...)} makes one of uint8}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(byte[] values, long... shape) {
        return of(Datatype.INT8, values, shape);
    }

    /**
     * {@return a bool tensor}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(boolean[] values, long... shape) {
        byte[] bytes = new byte[values.length];
        for (int at = 0; at < values.length; at++) {
            bytes[at] = (byte) (values[at] ? 1 : 0);
        }
        return over(Datatype.BOOL, bytes, values.length, shape);
    }

    /**
     * {@return a string tensor; its elements are the texts in UTF-8}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(String[] values, long... shape) {
        byte[][] texts = new byte[values.length][];
        for (int at = 0; at < values.length; at++) {
            texts[at] = values[at].getBytes(StandardCharsets.UTF_8);
        }
        return over(Datatype.BYTES, texts, texts.length, shape);
    }

    /**
     * {@return a float32 scalar}
     *
     * @param value the element
     */
    public static HostTensor scalar(float value) {
        return over(new float[] {value});
    }

    /**
     * {@return a float64 scalar}
     *
     * @param value the element
     */
    public static HostTensor scalar(double value) {
        return over(new double[] {value});
    }

    /**
     * {@return an int32 scalar}
     *
     * @param value the element
     */
    public static HostTensor scalar(int value) {
        return over(Datatype.INT32, new int[] {value});
    }

    /**
     * {@return an int64 scalar}
     *
     * @param value the element
     */
    public static HostTensor scalar(long value) {
        return over(Datatype.INT64, new long[] {value});
    }

    /**
     * {@return a bool scalar}
     *
     * @param value the element
     */
    public static HostTensor scalar(boolean value) {
        return of(new boolean[] {value});
    }

    /**
     * {@return a string scalar: the text in UTF-8}
     *
     * @param value the element
     */
    public static HostTensor scalar(String value) {
        return of(new String[] {value});
    }

    /**
     * {@return a string tensor with elements of any bytes, such as serialised messages} The elements themselves are not copied.
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor ofBytes(List<byte[]> values, long... shape) {
        return over(Datatype.BYTES, values.toArray(new byte[0][]), values.size(), shape);
    }

    /**
     * {@return a tensor of INT8, UINT8, INT4 or UINT4, one element a byte; INT4 is sign-extended}
     *
     * @param datatype INT8, UINT8, INT4 or UINT4
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(Datatype datatype, byte[] values, long... shape) {
        return over(datatype, values.clone(), shape);
    }

    /**
     * {@return a tensor of INT16 or UINT16; a short holds the bits of a UINT16}
     *
     * @param datatype INT16 or UINT16
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(Datatype datatype, short[] values, long... shape) {
        return over(datatype, values.clone(), shape);
    }

    /**
     * {@return a tensor of INT32 or UINT32; an int holds the bits of a UINT32}
     *
     * @param datatype INT32 or UINT32
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(Datatype datatype, int[] values, long... shape) {
        return over(datatype, values.clone(), shape);
    }

    /**
     * {@return a tensor of INT64 or UINT64; a long holds the bits of a UINT64}
     *
     * @param datatype INT64 or UINT64
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor of(Datatype datatype, long[] values, long... shape) {
        return over(datatype, values.clone(), shape);
    }

    /**
     * {@return a float32 tensor over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(float[] values, long... shape) {
        return over(Datatype.FP32, values, values.length, shape);
    }

    /**
     * {@return a float64 tensor over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(double[] values, long... shape) {
        return over(Datatype.FP64, values, values.length, shape);
    }

    /**
     * {@return an int32 tensor over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(int[] values, long... shape) {
        return over(Datatype.INT32, values, shape);
    }

    /**
     * {@return an int64 tensor over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(long[] values, long... shape) {
        return over(Datatype.INT64, values, shape);
    }

    /**
     * {@return an int8 tensor over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(byte[] values, long... shape) {
        return over(Datatype.INT8, values, shape);
    }

    /**
     * {@return a tensor of INT8, UINT8, INT4 or UINT4 over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param datatype INT8, UINT8, INT4 or UINT4
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(Datatype datatype, byte[] values, long... shape) {
        return over(integers(datatype, 1), values, values.length, shape);
    }

    /**
     * {@return a tensor of INT16 or UINT16 over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param datatype INT16 or UINT16
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(Datatype datatype, short[] values, long... shape) {
        return over(integers(datatype, 2), values, values.length, shape);
    }

    /**
     * {@return a tensor of INT32 or UINT32 over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param datatype INT32 or UINT32
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(Datatype datatype, int[] values, long... shape) {
        return over(integers(datatype, 4), values, values.length, shape);
    }

    /**
     * {@return a tensor of INT64 or UINT64 over an array, which is not copied and must not change while the tensor is in use}
     *
     * @param datatype INT64 or UINT64
     * @param values the elements, row major
     * @param shape the dimensions; none for a scalar
     */
    public static HostTensor over(Datatype datatype, long[] values, long... shape) {
        return over(integers(datatype, 8), values, values.length, shape);
    }

    /**
     * {@return a tensor of any datatype over a buffer's bytes from position to limit} The bytes are not copied and must not change while
     * the tensor is in use. With a direct buffer the engine copies them fastest.
     *
     * @param datatype the datatype
     * @param data little-endian and row major; an element of BYTES is a uint32 length and that many bytes
     * @param shape the dimensions, none for a scalar
     * @throws IllegalArgumentException if the bytes do not fill the shape
     */
    public static HostTensor of(Datatype datatype, ByteBuffer data, long... shape) {
        ByteBuffer view = data.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (datatype == Datatype.BYTES) {
            fill(strings(view).size(), shape);
        } else if (view.remaining() % datatype.size() != 0) {
            throw new IllegalArgumentException(view.remaining() + " bytes are not a whole number of "
                    + datatype.tensorflow() + " elements of " + datatype.size() + " bytes");
        } else {
            fill(view.remaining() / datatype.size(), shape);
        }
        return new HostTensor(new TensorEntry("", datatype, boxed(shape), view));
    }

    private static HostTensor over(Datatype datatype, Object values, int count, long[] shape) {
        fill(count, shape);
        return new HostTensor(TensorEntry.of("", datatype, boxed(shape), values));
    }

    /** A copy of a tensor of a frame. */
    static HostTensor copyOf(TensorEntry entry) {
        if (entry.array() != null) {
            return new HostTensor(entry); // an engine hands out only arrays that it made for the answer
        }
        if (entry.datatype() == Datatype.FP32) {
            float[] values = new float[Math.toIntExact(entry.elements())];
            entry.data()
                    .duplicate()
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .asFloatBuffer()
                    .get(values);
            return new HostTensor(TensorEntry.of("", Datatype.FP32, entry.shape(), values));
        }
        ByteBuffer source = entry.data();
        ByteBuffer data = ByteBuffer.allocate(source.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        data.duplicate().put(source.duplicate());
        return new HostTensor(new TensorEntry("", entry.datatype(), entry.shape(), data));
    }

    /** A tensor over an engine's memory, which is freed with its owner. */
    static HostTensor of(TensorEntry entry, Owner owner) {
        return new HostTensor(littleEndian(entry), owner);
    }

    /**
     * {@return a tensor of a frame, such as an input of a recorded vector} Its bytes are not copied and must not change.
     *
     * @param entry a tensor of a frame
     */
    public static HostTensor viewOf(TensorEntry entry) {
        return new HostTensor(littleEndian(entry));
    }

    private static TensorEntry littleEndian(TensorEntry entry) {
        if (entry.array() != null
                || entry.data().position() == 0 && entry.data().order() == ByteOrder.LITTLE_ENDIAN) {
            return entry;
        }
        ByteBuffer data = entry.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        return new TensorEntry("", entry.datatype(), entry.shape(), data);
    }

    /** This tensor with a name; one of {@link Outputs} is copied. */
    TensorEntry entry(String name) {
        return copy().entry.named(name);
    }

    /** {@return a tensor with the same elements that stays valid when its {@link Outputs} are closed} */
    public HostTensor copy() {
        return owner == null ? this : read(HostTensor::copyOf);
    }

    private <T> T read(Function<TensorEntry, T> reader) {
        return owner == null ? reader.apply(entry) : owner.reading(entry, reader);
    }

    /** {@return the datatype} */
    public Datatype datatype() {
        return entry.datatype();
    }

    /** {@return the dimensions; empty for a scalar} The array is a copy. */
    public long[] shape() {
        return entry.shape().stream().mapToLong(Long::longValue).toArray();
    }

    /** The dimensions, unmodifiable. */
    List<Long> dimensions() {
        return entry.shape();
    }

    /** {@return the number of elements} */
    public int size() {
        return Math.toIntExact(entry.elements());
    }

    /**
     * {@return the elements of a float32, float16, bfloat16 or float8 tensor}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public float[] floats() {
        return floats(new float[size()]);
    }

    /**
     * The same, copied into an array that is there already.
     *
     * @param into at least as long as the tensor; what is behind its elements stays
     * @return {@code into}
     * @throws IllegalStateException if the datatype is another
     * @throws IllegalArgumentException if the array is too short
     */
    public float[] floats(float[] into) {
        int size = size();
        if (into.length < size) {
            throw new IllegalArgumentException("the tensor has " + size + " elements, and the array " + into.length);
        }
        require("floats", Elements.isFloating(datatype()) && datatype() != Datatype.FP64);
        return read(entry -> {
            if (entry.array() instanceof float[] values) {
                System.arraycopy(values, 0, into, 0, size);
            } else if (datatype() == Datatype.FP32) {
                entry.data().asFloatBuffer().get(into, 0, size);
            } else {
                for (int at = 0; at < size; at++) {
                    into[at] = (float) Elements.real(datatype(), entry.data(), at);
                }
            }
            return into;
        });
    }

    /**
     * {@return the elements of a tensor whose numbers a double holds exactly: every float datatype, integers of up to 32 bits}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public double[] doubles() {
        require(
                "doubles",
                Elements.isFloating(datatype())
                        || Elements.isInteger(datatype()) && datatype().size() < Long.BYTES);
        return read(entry -> {
            double[] values = new double[size()];
            for (int at = 0; at < values.length; at++) {
                values[at] = Elements.real(datatype(), entry.data(), at);
            }
            return values;
        });
    }

    /**
     * {@return the elements of an int8, int16, int32, uint8, uint16, int4 or uint4 tensor}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public int[] ints() {
        require(
                "ints",
                Elements.isInteger(datatype())
                        && (datatype() == Datatype.INT32 || datatype().size() < Integer.BYTES));
        return read(entry -> {
            if (datatype() == Datatype.INT32 && entry.array() instanceof int[] given) {
                return given.clone();
            }
            int[] values = new int[size()];
            if (datatype() == Datatype.INT32) {
                entry.data().asIntBuffer().get(values);
            } else {
                for (int at = 0; at < values.length; at++) {
                    values[at] = (int) Elements.integer(datatype(), entry.data(), at);
                }
            }
            return values;
        });
    }

    /**
     * {@return the elements of a tensor of any integer datatype; for uint64 their bits ({@link Long#toUnsignedString(long)})}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public long[] longs() {
        require("longs", Elements.isInteger(datatype()));
        return read(entry -> {
            if (entry.array() instanceof long[] given) {
                return given.clone();
            }
            long[] values = new long[size()];
            for (int at = 0; at < values.length; at++) {
                values[at] = Elements.integer(datatype(), entry.data(), at);
            }
            return values;
        });
    }

    /**
     * {@return the elements of an int8, uint8, int4 or uint4 tensor, one byte each; for uint8 their bits ({@link
     * Byte#toUnsignedInt(byte)})}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public byte[] bytes() {
        require("bytes", Elements.isInteger(datatype()) && datatype().size() == 1);
        return read(entry -> {
            if (entry.array() instanceof byte[] given) {
                return given.clone();
            }
            byte[] values = new byte[size()];
            entry.data().duplicate().get(values);
            return values;
        });
    }

    /**
     * {@return the elements of a bool tensor}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public boolean[] booleans() {
        require("booleans", datatype() == Datatype.BOOL);
        return read(entry -> {
            boolean[] values = new boolean[size()];
            for (int at = 0; at < values.length; at++) {
                values[at] = entry.data().get(at) != 0;
            }
            return values;
        });
    }

    /**
     * {@return the elements of a string tensor, decoded from UTF-8; {@link #byteStrings()} returns them undecoded}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public String[] strings() {
        require("byteStrings", datatype() == Datatype.BYTES);
        return read(entry -> {
            List<byte[]> elements = elements(entry);
            String[] texts = new String[elements.size()];
            for (int at = 0; at < texts.length; at++) {
                texts[at] = new String(elements.get(at), StandardCharsets.UTF_8);
            }
            return texts;
        });
    }

    /**
     * {@return the elements of a string tensor, as bytes}
     *
     * @throws IllegalStateException if the datatype is another
     */
    public List<byte[]> byteStrings() {
        require("byteStrings", datatype() == Datatype.BYTES);
        return read(entry -> {
            List<byte[]> copies = new ArrayList<>();
            elements(entry).forEach(element -> copies.add(element.clone()));
            return copies;
        });
    }

    private static List<byte[]> elements(TensorEntry entry) {
        return entry.array() == null ? strings(entry.data()) : Arrays.asList((byte[][]) entry.array());
    }

    /** {@return the wire bytes, little-endian and row major, as a read-only buffer; of a tensor of {@link Outputs} a copy} */
    public ByteBuffer buffer() {
        return copy().entry.data().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Datatype and shape: {@code float32 [1, 10]}. */
    @Override
    public String toString() {
        return datatype().tensorflow() + " " + entry.shape();
    }

    private void require(String accessor, boolean holds) {
        if (!holds) {
            throw new IllegalStateException("a tensor of " + datatype().tensorflow() + " has no " + accessor
                    + "(); use " + accessor(datatype()) + "()");
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

    private static Datatype integers(Datatype datatype, int size) {
        if (!Elements.isInteger(datatype) || datatype.size() != size) {
            throw new IllegalArgumentException(datatype.tensorflow() + " is not an integer datatype of " + size
                    + " bytes; use HostTensor.of(Datatype, ByteBuffer, ...)");
        }
        return datatype;
    }

    private static void fill(int count, long[] shape) {
        if (elements(shape) != count) {
            throw new IllegalArgumentException(count + " elements do not make a tensor of shape "
                    + Arrays.toString(shape)
                    + (shape.length == 0
                            ? ", a scalar; the shape follows the elements: HostTensor.of(values, " + count + ")"
                            : ""));
        }
    }

    /** The number of elements; -1 for a shape that TensorFlow has none of: it aborts the process (tensor_shape.cc). */
    private static long elements(long[] shape) {
        if (shape.length > MOST_DIMENSIONS) {
            return -1;
        }
        long product = 1; // without zeros: it must not overflow for an empty tensor either
        boolean empty = false;
        for (long dimension : shape) {
            if (dimension < 0 || dimension > 0 && product > Long.MAX_VALUE / dimension) {
                return -1;
            }
            empty |= dimension == 0;
            product *= Math.max(1, dimension);
        }
        return empty ? 0 : product;
    }

    private static List<Long> boxed(long[] shape) {
        Long[] dimensions = new Long[shape.length];
        for (int at = 0; at < shape.length; at++) {
            dimensions[at] = shape[at];
        }
        return List.of(dimensions);
    }

    private static List<byte[]> strings(ByteBuffer data) {
        try {
            return Datatype.decodeBytes(data);
        } catch (FrameException error) {
            throw new IllegalArgumentException(error.getMessage(), error);
        }
    }
}
