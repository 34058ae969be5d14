package io.crossload.tflite;

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
 * The interpreter's error messages: an error reporter that keeps them until somebody takes them.
 *
 * <p>The interpreter passes a printf format and a {@code va_list}. On x86-64 {@link VaList} reads the arguments; on other platforms the
 * format itself is the message.
 */
final class InterpreterErrors extends Reporter_Pointer_String_Pointer {
    private static final long serialVersionUID = 1;

    // The smallest valid .tflite (schema.fbs, version 3): one empty subgraph, one empty buffer.
    private static final byte[] LEAST_MODEL = Base64.getDecoder()
            .decode(
                    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAAUAAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAMABQAEAAMAAgABAAMAAAA"
                            + "EAAAABAAAAAQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

    private static final List<String> MESSAGES = new ArrayList<>();

    /** Never freed: JavaCPP has only a few native callbacks of each type, and native code must not call a freed one. */
    static final ErrorReporter REPORTER = reporter(new InterpreterErrors());

    private static final Pattern CONVERSION =
            Pattern.compile("%[-+ #0]*(\\*|\\d+)?(?:\\.(\\*|\\d+))?(hh|h|ll|l|z|j|t|L)?([diuxXcspfFeEgG%])");
    private static final boolean READABLE =
            List.of("linux-x86_64", "macosx-x86_64").contains(Loader.getPlatform());

    private InterpreterErrors() {}

    /** The messages since the last call, on one line; empty if the interpreter reported none. */
    static String take() {
        synchronized (MESSAGES) {
            String text = String.join(" ", MESSAGES).replace("Node number", " Node number");
            MESSAGES.clear();
            // Removes the folders that source file names have on the machine that built the presets.
            return text.strip().replaceAll("\\s+", " ").replaceAll("\\S*/(?=tensorflow/lite/\\S+:\\d+ )", "");
        }
    }

    // Only the C API takes a callback of Java's, and only the C++ API delegates as the Python interpreters do. A C
    // interpreter holds the
    // C++ reporter that calls back: {shared_ptr model, unique_ptr optional_error_reporter, …},
    // tensorflow/lite/c/c_api_internal.h.
    private static ErrorReporter reporter(InterpreterErrors callback) {
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
            message = READABLE ? formatted(format, new VaList(arguments)) : format;
        } catch (RuntimeException error) {
            error.printStackTrace(System.err); // an exception must not reach native code
        }
        System.err.println("tensorflow-lite: " + message.strip());
        synchronized (MESSAGES) {
            MESSAGES.add(message);
        }
    }

    private static String formatted(String format, VaList arguments) {
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
}
