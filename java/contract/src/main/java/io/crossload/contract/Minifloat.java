package io.crossload.contract;

/**
 * Converts floating-point formats for which Java has no type. From the highest bit: sign, exponent, mantissa.
 *
 * <p>Sources: IEEE 754 (binary16), the OCP 8-bit floating point specification (E4M3 without infinities, E5M2); bfloat16 is the upper
 * half of a binary32.
 */
enum Minifloat {
    FP16(5, 10, 15, true),
    BF16(8, 7, 127, true),
    FP8_E5M2(5, 2, 15, true),
    FP8_E4M3FN(4, 3, 7, false);

    private final int mantissa;
    private final int bias;
    private final int width;
    private final boolean infinities;

    Minifloat(int exponent, int mantissa, int bias, boolean infinities) {
        this.mantissa = mantissa;
        this.bias = bias;
        this.width = 1 + exponent + mantissa;
        this.infinities = infinities;
    }

    /** The number with these bits, exactly. */
    float decode(int bits) {
        int magnitude = bits & mask();
        int exponent = magnitude >> mantissa;
        int fraction = magnitude & ((1 << mantissa) - 1);
        float value;
        if (magnitude > limit()) {
            value = infinities && fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
        } else if (exponent == 0) {
            value = Math.scalb((float) fraction, 1 - bias - mantissa);
        } else {
            value = Math.scalb((float) (fraction | 1 << mantissa), exponent - bias - mantissa);
        }
        return (bits >> (width - 1) & 1) == 0 ? value : -value;
    }

    /** The bits of the nearest number, to even on a tie; beyond the range an infinity, or NaN in a format without infinities. */
    int encode(double value) {
        int sign = Double.doubleToRawLongBits(value) < 0 ? 1 << (width - 1) : 0;
        if (Double.isNaN(value)) {
            return sign | (infinities ? limit() + 1 | 1 << (mantissa - 1) : mask());
        }
        double magnitude = Math.abs(value);
        int exponent = Math.max(Math.getExponent(magnitude), 1 - bias);
        double bits = exponent > bias + 1
                ? Double.POSITIVE_INFINITY
                : ((exponent + bias - 1) << mantissa) + Math.rint(Math.scalb(magnitude, mantissa - exponent));
        return sign | (bits > limit() ? (infinities ? limit() + 1 : mask()) : (int) bits);
    }

    private int mask() {
        return (1 << (width - 1)) - 1;
    }

    /** The bits of the greatest finite number; greater bits are infinity or NaN. */
    private int limit() {
        return infinities ? mask() - (1 << mantissa) : mask() - 1;
    }
}
