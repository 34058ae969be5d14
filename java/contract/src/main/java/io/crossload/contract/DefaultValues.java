package io.crossload.contract;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The manifest's default of an input: {@code {"shape": [...], "data": [flat values]}}. Numbers that are not finite are {@code "NaN"},
 * {@code "Infinity"}, {@code "-Infinity"}, complex ones {@code [real, imaginary]}; strings are text whose bytes that are no UTF-8 are
 * surrogate escapes (U+DC80 to U+DCFF).
 */
final class DefaultValues {
    private DefaultValues() {}

    /** The tensor; IllegalArgumentException for one that is none of this datatype. */
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
                // Beyond long there is UINT64 only, of which the bits count.
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
