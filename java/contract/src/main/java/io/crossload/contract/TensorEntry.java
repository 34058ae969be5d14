package io.crossload.contract;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * A named tensor of a frame.
 *
 * @param name its name in the signature
 * @param datatype its datatype
 * @param shape its dimensions, none negative; empty for a scalar
 * @param data its wire bytes from position to limit, little-endian and row major. If {@link Frames#read} made the tensor, they are
 *     valid until the next frame is read
 * @param rounding for a recorded answer, the absolute distance to the same computation in float64; null where it is not known
 * @param steps for a recorded answer of a quantised model, its scale and how many steps of it are close; null for any other
 */
public record TensorEntry(
        String name, Datatype datatype, List<Long> shape, ByteBuffer data, Double rounding, Steps steps) {

    /**
     * The scale of a quantised output, and how many steps of it are close.
     *
     * @param scale one step; 1 where the answer is the stored integers
     * @param allowed the number of steps
     */
    public record Steps(double scale, int allowed) {}

    /** A tensor whose rounding is not known. */
    public TensorEntry(String name, Datatype datatype, List<Long> shape, ByteBuffer data) {
        this(name, datatype, shape, data, null, null);
    }

    /** The number of elements, 1 for a scalar. Overflows silently only for shapes that {@link Frames#read} refuses. */
    public long elements() {
        return shape.stream().reduce(1L, (a, b) -> a * b);
    }

    /**
     * The elements of a BYTES tensor, row major.
     *
     * @throws FrameException if an element ends outside the data, or the elements do not fill the shape
     */
    public List<byte[]> strings() throws FrameException {
        List<byte[]> strings = Datatype.decodeBytes(data);
        if (shape.contains(0L) ? !strings.isEmpty() : strings.size() != elements()) {
            throw new FrameException(strings.size() + " strings do not make a tensor of shape " + shape);
        }
        return strings;
    }
}
