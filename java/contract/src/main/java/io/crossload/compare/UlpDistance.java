package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.Elements;
import java.nio.ByteBuffer;

/** Distances in units in the last place (ULP): how many representable numbers lie between two floats of one datatype. */
final class UlpDistance {
    private UlpDistance() {}

    /**
     * The distance of the elements of one index in two buffers. The two zeros are 0 apart, neighbours are 1 apart.
     *
     * @param datatype a floating-point datatype; its elements are not NaN
     * @return an unsigned long: two floats of 64 bits may be further apart than a signed one counts
     */
    static long between(Datatype datatype, ByteBuffer one, ByteBuffer other, int index) {
        long first = position(datatype, one, index);
        long second = position(datatype, other, index);
        return first > second ? first - second : second - first;
    }

    /** A float's position in the order of all floats of its datatype (IEEE 754 orders by sign and magnitude); 0 for both zeros. */
    private static long position(Datatype datatype, ByteBuffer data, int index) {
        long bits = Elements.bits(datatype, data, index);
        long sign = 1L << (8 * datatype.size() - 1);
        return (bits & sign) == 0 ? bits : -(bits & (sign - 1));
    }
}
