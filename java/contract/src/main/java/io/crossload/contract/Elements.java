package io.crossload.contract;

import java.math.BigInteger;
import java.nio.ByteBuffer;

/**
 * Reads and writes single elements of wire bytes. Buffers are little-endian, and their element 0 is at byte 0.
 *
 * <p>A complex number is two elements of the datatype of its parts ({@link #part}): real, imaginary.
 */
public final class Elements {
    private Elements() {}

    /**
     * {@return whether the datatype is an integer datatype}
     *
     * @param datatype the datatype
     */
    public static boolean isInteger(Datatype datatype) {
        return datatype.tensorflow().contains("int");
    }

    /**
     * {@return whether the datatype is an unsigned integer datatype}
     *
     * @param datatype the datatype
     */
    public static boolean isUnsigned(Datatype datatype) {
        return datatype.tensorflow().startsWith("uint");
    }

    /**
     * {@return whether the datatype is a (real) floating-point datatype}
     *
     * @param datatype the datatype
     */
    public static boolean isFloating(Datatype datatype) {
        return datatype.tensorflow().contains("float");
    }

    /**
     * {@return whether the datatype is a complex datatype}
     *
     * @param datatype the datatype
     */
    public static boolean isComplex(Datatype datatype) {
        return datatype == Datatype.COMPLEX64 || datatype == Datatype.COMPLEX128;
    }

    /**
     * {@return the datatype of the real and imaginary parts; for a datatype that is not complex, the datatype itself}
     *
     * @param datatype the datatype
     */
    public static Datatype part(Datatype datatype) {
        return switch (datatype) {
            case COMPLEX64 -> Datatype.FP32;
            case COMPLEX128 -> Datatype.FP64;
            default -> datatype;
        };
    }

    /**
     * {@return an element of an integer datatype or BOOL; for UINT64 its bits}
     *
     * @param datatype the datatype
     * @param data wire bytes, little-endian
     * @param at the index of the element
     * @throws IllegalArgumentException if the datatype is another
     */
    public static long integer(Datatype datatype, ByteBuffer data, int at) {
        return switch (datatype) {
            case INT8, INT4 -> data.get(at);
            case UINT8, UINT4, BOOL -> Byte.toUnsignedLong(data.get(at));
            case INT16 -> data.getShort(2 * at);
            case UINT16 -> Short.toUnsignedLong(data.getShort(2 * at));
            case INT32 -> data.getInt(4 * at);
            case UINT32 -> Integer.toUnsignedLong(data.getInt(4 * at));
            case INT64, UINT64 -> data.getLong(8 * at);
            default -> throw new IllegalArgumentException(datatype.tensorflow() + " is not an integer datatype");
        };
    }

    /**
     * {@return an element of a floating-point or integer datatype, or BOOL, as a double; 64-bit integers are rounded}
     *
     * @param datatype the datatype
     * @param data wire bytes, little-endian
     * @param at the index of the element
     * @throws IllegalArgumentException if the datatype is BYTES or complex
     */
    public static double real(Datatype datatype, ByteBuffer data, int at) {
        return switch (datatype) {
            case FP32 -> data.getFloat(4 * at);
            case FP64 -> data.getDouble(8 * at);
            case FP16 -> Minifloat.FP16.decode(data.getShort(2 * at));
            case BF16 -> Minifloat.BF16.decode(data.getShort(2 * at));
            case FP8_E5M2 -> Minifloat.FP8_E5M2.decode(data.get(at));
            case FP8_E4M3FN -> Minifloat.FP8_E4M3FN.decode(data.get(at));
            case UINT64 -> unsigned(data.getLong(8 * at));
            default -> integer(datatype, data, at);
        };
    }

    /**
     * {@return the bits of a floating-point element, in the lowest bits of a long}
     *
     * @param datatype the datatype
     * @param data wire bytes, little-endian
     * @param at the index of the element
     */
    public static long bits(Datatype datatype, ByteBuffer data, int at) {
        return switch (datatype.size()) {
            case 1 -> Byte.toUnsignedLong(data.get(at));
            case 2 -> Short.toUnsignedLong(data.getShort(2 * at));
            case 4 -> Integer.toUnsignedLong(data.getInt(4 * at));
            default -> data.getLong(8 * at);
        };
    }

    /** Writes an element of an integer datatype or BOOL; only the lowest bits of a value that does not fit. */
    static void putInteger(Datatype datatype, ByteBuffer data, int at, long value) {
        switch (datatype.size()) {
            case 1 -> data.put(at, nibble(datatype, (byte) value));
            case 2 -> data.putShort(2 * at, (short) value);
            case 4 -> data.putInt(4 * at, (int) value);
            default -> data.putLong(8 * at, value);
        }
    }

    private static byte nibble(Datatype datatype, byte value) {
        return switch (datatype) {
            case INT4 -> (byte) ((byte) (value << 4) >> 4);
            case UINT4 -> (byte) (value & 0xf);
            default -> value;
        };
    }

    /** Writes an element of a floating-point datatype, rounded to nearest even. */
    static void putReal(Datatype datatype, ByteBuffer data, int at, double value) {
        switch (datatype) {
            case FP32 -> data.putFloat(4 * at, (float) value);
            case FP64 -> data.putDouble(8 * at, value);
            default -> putInteger(
                    datatype, data, at, Minifloat.valueOf(datatype.name()).encode(value));
        }
    }

    /**
     * {@return the double nearest to an unsigned 64-bit integer}
     *
     * @param bits the integer
     */
    public static double unsigned(long bits) {
        return bits >= 0 ? bits : new BigInteger(Long.toUnsignedString(bits)).doubleValue();
    }
}
