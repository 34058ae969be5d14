package io.crossload.contract;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * A named tensor of a frame. Its elements are given as wire bytes or as a flat array, which becomes bytes only where they are asked for.
 *
 * <p>Two entries are equal if all their properties are, and their wire bytes.
 */
public final class TensorEntry {
    private final String name;
    private final Datatype datatype;
    private final List<Long> shape;
    private final Object array;
    private final Double rounding;
    private final Steps steps;
    private volatile ByteBuffer data; // made of the array by the first thread that asks

    /**
     * The scale of a quantised output, and how many steps of it are close.
     *
     * @param scale one step; 1 where the answer is the stored integers
     * @param allowed the number of steps
     */
    public record Steps(double scale, int allowed) {}

    private TensorEntry(
            String name,
            Datatype datatype,
            List<Long> shape,
            Object array,
            ByteBuffer data,
            Double rounding,
            Steps steps) {
        this.name = name;
        this.datatype = datatype;
        this.shape = shape;
        this.array = array;
        this.data = data;
        this.rounding = rounding;
        this.steps = steps;
    }

    /**
     * A tensor of wire bytes.
     *
     * @param name its name in the signature
     * @param datatype its datatype
     * @param shape its dimensions, none negative; empty for a scalar
     * @param data its wire bytes from position to limit, little-endian and row major. If {@link Frames#read} made the tensor, they are
     *     valid until the next frame is read
     * @param rounding for a recorded answer, the absolute distance to the same computation in float64; null where it is not known
     * @param steps for a recorded answer of a quantised model, its scale and how many steps of it are close; null for any other
     */
    public TensorEntry(
            String name, Datatype datatype, List<Long> shape, ByteBuffer data, Double rounding, Steps steps) {
        this(name, datatype, shape, null, data, rounding, steps);
    }

    /**
     * A tensor of wire bytes whose rounding is not known.
     *
     * @param name its name in the signature
     * @param datatype its datatype
     * @param shape its dimensions, none negative; empty for a scalar
     * @param data its wire bytes from position to limit
     */
    public TensorEntry(String name, Datatype datatype, List<Long> shape, ByteBuffer data) {
        this(name, datatype, shape, null, data, null, null);
    }

    /**
     * {@return a tensor over an array, which is not copied}
     *
     * @param name its name in the signature
     * @param datatype its datatype
     * @param shape its dimensions, none negative; empty for a scalar
     * @param array its elements, row major: a float[] (FP32), double[] (FP64), long[], int[], short[] or byte[] (a datatype of as many
     *     bytes an element) or byte[][] (BYTES)
     */
    public static TensorEntry of(String name, Datatype datatype, List<Long> shape, Object array) {
        return new TensorEntry(name, datatype, shape, array, null, null, null);
    }

    /** {@return the name in the signature} */
    public String name() {
        return name;
    }

    /** {@return the datatype} */
    public Datatype datatype() {
        return datatype;
    }

    /** {@return the dimensions, empty for a scalar} */
    public List<Long> shape() {
        return shape;
    }

    /** {@return the elements as {@link #of} takes them; null if the tensor was made of bytes} */
    public Object array() {
        return array;
    }

    /** {@return the wire bytes from position to limit} */
    public ByteBuffer data() {
        ByteBuffer bytes = data;
        if (bytes == null) {
            bytes = encoded();
            data = bytes;
        }
        return bytes;
    }

    /** {@return the absolute distance of a recorded answer to the same computation in float64; null where it is not known} */
    public Double rounding() {
        return rounding;
    }

    /** {@return the steps of a recorded answer of a quantised model; null for any other} */
    public Steps steps() {
        return steps;
    }

    /**
     * {@return the same elements under another name}
     *
     * @param other the name
     */
    public TensorEntry named(String other) {
        return new TensorEntry(other, datatype, shape, array, data, rounding, steps);
    }

    /** {@return the number of elements, 1 for a scalar} Overflows silently only for shapes that {@link Frames#read} refuses. */
    public long elements() {
        long elements = 1;
        for (long dimension : shape) {
            elements *= dimension;
        }
        return elements;
    }

    /**
     * {@return the elements of a BYTES tensor, row major}
     *
     * @throws FrameException if an element ends outside the data, or the elements do not fill the shape
     */
    public List<byte[]> strings() throws FrameException {
        List<byte[]> strings = array == null ? Datatype.decodeBytes(data) : Arrays.asList((byte[][]) array);
        if (shape.contains(0L) ? !strings.isEmpty() : strings.size() != elements()) {
            throw new FrameException(strings.size() + " strings do not make a tensor of shape " + shape);
        }
        return strings;
    }

    /**
     * Copies the wire bytes of a datatype other than BYTES.
     *
     * @param target has room for them, and their order; its position does not change
     */
    public void copyTo(ByteBuffer target) {
        if (array instanceof float[] floats) {
            target.asFloatBuffer().put(floats);
        } else if (array instanceof double[] doubles) {
            target.asDoubleBuffer().put(doubles);
        } else if (array instanceof long[] longs) {
            target.asLongBuffer().put(longs);
        } else if (array instanceof int[] ints) {
            target.asIntBuffer().put(ints);
        } else if (array instanceof short[] shorts) {
            target.asShortBuffer().put(shorts);
        } else if (array instanceof byte[] bytes) {
            target.duplicate().put(bytes);
        } else {
            target.duplicate().put(data.duplicate());
        }
    }

    private ByteBuffer encoded() {
        if (array instanceof byte[][] strings) {
            return Datatype.encodeBytes(Arrays.asList(strings));
        }
        int bytes = Math.toIntExact(Math.multiplyExact(elements(), datatype.size()));
        // Heap buffers are collected at once, direct ones wait for their cleaner.
        ByteBuffer made = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
        copyTo(made);
        return made;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorEntry entry
                && name.equals(entry.name)
                && datatype == entry.datatype
                && shape.equals(entry.shape)
                && Objects.equals(rounding, entry.rounding)
                && Objects.equals(steps, entry.steps)
                && data().equals(entry.data());
    }

    @Override
    public int hashCode() {
        return Objects.hash(name, datatype, shape);
    }

    /** Name, datatype and shape: {@code probabilities: float32 [1, 10]}. */
    @Override
    public String toString() {
        return name + ": " + datatype.tensorflow() + " " + shape;
    }
}
