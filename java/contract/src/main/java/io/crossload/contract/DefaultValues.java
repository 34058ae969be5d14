package io.crossload.contract;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the default of an input from the manifest: {@code {"shape": [...], "data": [flat values]}}.
 *
 * <p>{@code "NaN"}, {@code "Infinity"} and {@code "-Infinity"} stand for numbers that are not finite, {@code [real, imaginary]} for complex
 * numbers. Strings are text; surrogate escapes (U+DC80 to U+DCFF) stand for bytes that are not UTF-8.
 */
final class DefaultValues {
    private DefaultValues() {}

    /**
     * The default as a tensor.
     *
     * @throws IllegalArgumentException if the values do not fill the shape, or one does not have the datatype
     */
    static TensorEntry read(String name, Datatype datatype, JsonNode stated) {
        List<Long> shape = new ArrayList<>();
        stated.path("shape").forEach(dimension -> shape.add(dimension.asLong(-1)));
        List<JsonNode> values = new ArrayList<>();
        stated.path("data").forEach(values::add);
        long elements = shape.stream().reduce(1L, (a, b) -> a * b);
        if (!stated.path("shape").isArray() || shape.stream().anyMatch(d -> d < 0) || elements != values.size()) {
            throw new IllegalArgumentException("the default of '" + name + "' has " + values.size()
                    + " values, which do not make a tensor of shape " + shape);
        }
        return new TensorEntry(
                name, datatype, shape, datatype == Datatype.BYTES ? strings(values) : numbers(datatype, values));
    }

    private static ByteBuffer strings(List<JsonNode> values) {
        return Datatype.encodeBytes(values.stream()
                .map(value -> unescaped(one(value, value.isTextual(), "text").textValue()))
                .toList());
    }

    private static byte[] unescaped(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        text.codePoints().forEach(point -> {
            if (point >= 0xDC80 && point <= 0xDCFF) {
                bytes.write(point - 0xDC00);
            } else {
                bytes.writeBytes(Character.toString(point).getBytes(StandardCharsets.UTF_8));
            }
        });
        return bytes.toByteArray();
    }

    private static ByteBuffer numbers(Datatype datatype, List<JsonNode> values) {
        ByteBuffer data =
                ByteBuffer.allocateDirect(values.size() * datatype.size()).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < values.size(); at++) {
            JsonNode value = values.get(at);
            if (Elements.isComplex(datatype)) {
                Elements.putReal(Elements.part(datatype), data, 2 * at, real(value.path(0)));
                Elements.putReal(Elements.part(datatype), data, 2 * at + 1, real(value.path(1)));
            } else if (Elements.isFloating(datatype)) {
                Elements.putReal(datatype, data, at, real(value));
            } else if (datatype == Datatype.BOOL) {
                Elements.putInteger(
                        datatype,
                        data,
                        at,
                        one(value, value.isBoolean(), "true or false").booleanValue() ? 1 : 0);
            } else {
                // Only UINT64 has values beyond a long; their lowest 64 bits are the element.
                Elements.putInteger(
                        datatype,
                        data,
                        at,
                        one(value, value.isIntegralNumber(), "an integer")
                                .bigIntegerValue()
                                .longValue());
            }
        }
        return data;
    }

    private static double real(JsonNode value) {
        one(value, value.isNumber() || value.isTextual(), "a number");
        return value.isNumber() ? value.doubleValue() : Double.parseDouble(value.textValue());
    }

    private static JsonNode one(JsonNode value, boolean fits, String wanted) {
        if (!fits) {
            throw new IllegalArgumentException("a default value is " + value + ", which is not " + wanted);
        }
        return value;
    }
}
