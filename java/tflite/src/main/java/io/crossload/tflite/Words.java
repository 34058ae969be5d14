package io.crossload.tflite;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.tensorflowlite.ErrorReporter;
import org.bytedeco.tensorflowlite.Reporter_Pointer_String_Pointer;
import org.bytedeco.tensorflowlite.TfLiteInterpreter;
import org.bytedeco.tensorflowlite.TfLiteInterpreterOptions;
import org.bytedeco.tensorflowlite.global.tensorflowlite;

/**
 * What the interpreter says of its errors: an error reporter that keeps the messages until they are asked for.
 *
 * <p>It is given a printf format and a {@code va_list}, which Java has no means to read: here it is read as the System V ABI for
 * x86-64 lays it out (section 3.5.7); elsewhere the format itself is the message.
 */
final class Words extends Reporter_Pointer_String_Pointer {
    private static final long serialVersionUID = 1;

    // The least .tflite there is (schema.fbs, version 3): one empty subgraph, one empty buffer.
    private static final byte[] LEAST_MODEL = Base64.getDecoder()
            .decode(
                    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAAUAAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAMABQAEAAMAAgABAAMAAAA"
                            + "EAAAABAAAAAQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

    private static final List<String> SAID = new ArrayList<>();

    /** It lives as long as the process: JavaCPP has a few native callbacks of each kind, and a freed one must never be called. */
    static final ErrorReporter REPORTER = reporter(new Words());

    private static final Pattern CONVERSION =
            Pattern.compile("%[-+ #0]*(\\*|\\d+)?(?:\\.(\\*|\\d+))?(hh|h|ll|l|z|j|t|L)?([diuxXcspfFeEgG%])");
    private static final boolean READABLE =
            List.of("linux-x86_64", "macosx-x86_64").contains(Loader.getPlatform());

    private Words() {}

    /** The messages since they were last taken, on one line; empty where the interpreter said nothing. */
    static String take() {
        synchronized (SAID) {
            String words = String.join(" ", SAID).replace("Node number", " Node number");
            SAID.clear();
            // Source files begin with the path of the machine that the presets were built on.
            return words.strip().replaceAll("\\s+", " ").replaceAll("\\S*/(?=tensorflow/lite/\\S+:\\d+ )", "");
        }
    }

    // Only the C API takes a callback of Java's, and only the C++ API delegates as the Python interpreters do. A C
    // interpreter holds the
    // C++ reporter that calls back: {shared_ptr model, unique_ptr optional_error_reporter, …},
    // tensorflow/lite/c/c_api_internal.h.
    private static ErrorReporter reporter(Words callback) {
        BytePointer data = new BytePointer(LEAST_MODEL);
        TfLiteInterpreterOptions options = tensorflowlite.TfLiteInterpreterOptionsCreate();
        tensorflowlite.TfLiteInterpreterOptionsSetErrorReporter(options, callback, null);
        TfLiteInterpreter holder = tensorflowlite.TfLiteInterpreterCreate(
                tensorflowlite.TfLiteModelCreate(data, LEAST_MODEL.length), options);
        return new ErrorReporter(new PointerPointer<>(holder).get(2));
    }

    @Override
    public void call(Pointer data, String format, Pointer arguments) {
        String message = format;
        try {
            message = READABLE ? formatted(format, new Arguments(arguments)) : format;
        } catch (RuntimeException error) {
            error.printStackTrace(System.err); // nothing may be thrown into native code
        }
        System.err.println("tensorflow-lite: " + message.strip());
        synchronized (SAID) {
            SAID.add(message);
        }
    }

    private static String formatted(String format, Arguments arguments) {
        Matcher conversion = CONVERSION.matcher(format);
        StringBuilder message = new StringBuilder();
        while (conversion.find()) {
            if ("*".equals(conversion.group(1))) {
                arguments.integer();
            }
            int precision = "*".equals(conversion.group(2)) ? (int) arguments.integer() : -1;
            boolean wide = conversion.group(3) != null && !conversion.group(3).startsWith("h");
            String value =
                    switch (conversion.group(4)) {
                        case "%" -> "%";
                        case "c" -> Character.toString((char) arguments.integer());
                        case "d", "i" -> Long.toString(wide ? arguments.integer() : (int) arguments.integer());
                        case "u" -> wide
                                ? Long.toUnsignedString(arguments.integer())
                                : Integer.toUnsignedString((int) arguments.integer());
                        case "x", "X", "p" -> Long.toHexString(arguments.integer());
                        case "s" -> arguments.string(precision);
                        default -> Float.toString((float) arguments.real());
                    };
            conversion.appendReplacement(message, Matcher.quoteReplacement(value));
        }
        return conversion.appendTail(message).toString();
    }

    /** A va_list of x86-64: {@code {unsigned gp_offset, fp_offset; void *overflow_arg_area, *reg_save_area}}. */
    private static final class Arguments {
        private static final int INTEGERS_END = 48;
        private static final int REALS_END = 176;

        private final BytePointer registers;
        private final BytePointer overflow;
        private int integers;
        private int reals;
        private int overflown;

        /** @param arguments where the callback keeps its parameter, which is the va_list's address */
        Arguments(Pointer arguments) {
            Pointer list = new PointerPointer<>(arguments).get(0);
            BytePointer header = new BytePointer(list);
            integers = header.getInt(0);
            reals = header.getInt(4);
            overflow = new BytePointer(new PointerPointer<>(list).get(1));
            registers = new BytePointer(new PointerPointer<>(list).get(2));
        }

        long integer() {
            if (integers < INTEGERS_END) {
                integers += Long.BYTES;
                return registers.getLong(integers - Long.BYTES);
            }
            return overflow.getLong(next());
        }

        double real() {
            if (reals < REALS_END) {
                reals += 2 * Long.BYTES;
                return registers.getDouble(reals - 2 * Long.BYTES);
            }
            return overflow.getDouble(next());
        }

        String string(int precision) {
            BytePointer text = new Text(integer());
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
    }

    /** A pointer to memory that somebody else owns. */
    private static final class Text extends BytePointer {
        Text(long address) {
            super((Pointer) null);
            this.address = address;
        }
    }
}
