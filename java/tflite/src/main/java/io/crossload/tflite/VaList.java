package io.crossload.tflite;

import java.nio.charset.StandardCharsets;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * The arguments of a C function with a variable number of them, read one after the other, as the System V ABI for x86-64 lays out a
 * {@code va_list} (section 3.5.7): {@code {unsigned gp_offset, fp_offset; void *overflow_arg_area, *reg_save_area}}.
 */
final class VaList {
    private static final int INTEGERS_END = 48;
    private static final int REALS_END = 176;

    private final BytePointer registers;
    private final BytePointer overflow;
    private int integers;
    private int reals;
    private int overflown;

    /** @param arguments where a JavaCPP callback keeps its parameter: the address of the va_list */
    VaList(Pointer arguments) {
        Pointer list = new PointerPointer<>(arguments).get(0);
        BytePointer header = new BytePointer(list);
        integers = header.getInt(0);
        reals = header.getInt(4);
        overflow = new BytePointer(new PointerPointer<>(list).get(1));
        registers = new BytePointer(new PointerPointer<>(list).get(2));
    }

    /** The next argument, an integer or a pointer. */
    long integer() {
        if (integers < INTEGERS_END) {
            integers += Long.BYTES;
            return registers.getLong(integers - Long.BYTES);
        }
        return overflow.getLong(next());
    }

    /** The next argument, a double. */
    double real() {
        if (reals < REALS_END) {
            reals += 2 * Long.BYTES;
            return registers.getDouble(reals - 2 * Long.BYTES);
        }
        return overflow.getDouble(next());
    }

    /** The next argument, a string of at most {@code precision} bytes; of any length where that is -1. */
    String string(int precision) {
        BytePointer text = new CString(integer());
        if (text.isNull()) {
            return "(null)";
        }
        int length = 0;
        while (length != precision && text.get(length) != 0) {
            length++;
        }
        byte[] bytes = new byte[length];
        text.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private int next() {
        overflown += Long.BYTES;
        return overflown - Long.BYTES;
    }

    /** A pointer to a string that native code owns. */
    private static final class CString extends BytePointer {
        CString(long address) {
            super((Pointer) null);
            this.address = address;
        }
    }
}
