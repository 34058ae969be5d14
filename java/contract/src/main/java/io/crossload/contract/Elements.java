package io.crossload.contract;

import java.math.BigInteger;
import java.nio.ByteBuffer;

/**
 * Single elements in wire bytes: numbers of every datatype as Java's. Buffers are little-endian views, indexed from 0.
 *
 * <p>A complex number counts as two elements of its parts' datatype ({@link #part}).
 */
public final class Elements {
    private Elements() {}

    /** Whether the datatype is an integer's. */
    public static boolean isInteger(Datatype datatype) {
        return datatype.tensorflow().contains("int");
    }

    /** Whether the datatype is an integer's without sign. */
    public static boolean isUnsigned(Datatype datatype) {
        return datatype.tensorflow().startsWith("uint");
    }

    /** Whether the datatype is a floating-point number's (not a complex one's). */
    public static boolean isFloating(Datatype datatype) {
        return datatype.tensorflow().contains("float");
    }

    /** Whether the datatype is a complex number's. */
    public static boolean isComplex(Datatype datatype) {
        return datatype == Datatype.COMPLEX64 || datatype == Datatype.COMPLEX128;
    }

    /** The datatype of a complex number's parts; any other's own. */
    public static Datatype part(Datatype datatype) {
        return switch (datatype) {
            case COMPLEX64 -> Datatype.FP32;
            case COMPLEX128 -> Datatype.FP64;
            default -> datatype;
        };
    }

    /**
     * An integer (or BOOL) element; UINT64 as its bits.
     *
     * @throws IllegalArgumentException for another datatype
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
            default -> throw new IllegalArgumentException(datatype.tensorflow() + " is no integer");
        };
    }

    /** A number (integers of 64 bits are rounded). */
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

    /** The bits of a floating-point element, in the lowest bits of a long. */
    public static long bits(Datatype datatype, ByteBuffer data, int at) {
        return switch (datatype.size()) {
            case 1 -> Byte.toUnsignedLong(data.get(at));
            case 2 -> Short.toUnsignedLong(data.getShort(2 * at));
            case 4 -> Integer.toUnsignedLong(data.getInt(4 * at));
            default -> data.getLong(8 * at);
        };
    }

    /** Writes an integer (or BOOL) element; of one that does not fit, the lowest bits. */
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

    /** Writes a floating-point element, rounded to the nearest. */
    static void putReal(Datatype datatype, ByteBuffer data, int at, double value) {
        switch (datatype) {
            case FP32 -> data.putFloat(4 * at, (float) value);
            case FP64 -> data.putDouble(8 * at, value);
            default -> putInteger(
                    datatype, data, at, Minifloat.valueOf(datatype.name()).encode(value));
        }
    }

    /** An unsigned integer's bits as the nearest double. */
    public static double unsigned(long bits) {
        return bits >= 0 ? bits : new BigInteger(Long.toUnsignedString(bits)).doubleValue();
    }
}
