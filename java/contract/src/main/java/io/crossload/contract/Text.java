package io.crossload.contract;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;

/** Numbers and names in sentences. */
public final class Text {
    private Text() {}

    /** A number in at most so many significant digits, as C's %g writes it. */
    public static String general(double value, int digits) {
        if (value == 0 || Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isInfinite(value) ? (value > 0 ? "inf" : "-inf") : Double.isNaN(value) ? "nan" : "0";
        }
        BigDecimal rounded =
                new BigDecimal(value).round(new MathContext(digits)).stripTrailingZeros();
        int exponent = rounded.precision() - rounded.scale() - 1;
        if (exponent >= -4 && exponent < digits) {
            return rounded.toPlainString();
        }
        return "%se%s%02d"
                .formatted(
                        rounded.movePointLeft(exponent).toPlainString(), exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    /** An exception's first line with text, or its class; native TensorFlow adds lines that only a stack trace needs. */
    public static String sentence(Throwable error) {
        String message = error.getMessage() == null ? "" : error.getMessage();
        return message.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .findFirst()
                .orElse(error.getClass().getSimpleName());
    }

    /** Names, quoted; {@code none} where there are none. */
    public static String listed(Collection<String> names) {
        return names.isEmpty() ? "none" : names.stream().map("'%s'"::formatted).collect(Collectors.joining(", "));
    }

    /**
     * The end of a sentence about an unknown name: {@code ; near: 'pixels'}, or all there are where none is near.
     *
     * @param name the unknown one
     * @param known those that there are
     */
    public static String near(String name, Collection<String> known) {
        int reach = Math.max(1, name.length() / 3);
        List<String> near =
                known.stream().filter(k -> distance(name, k) <= reach).toList();
        return near.isEmpty() ? "; there are: " + listed(known) : "; did you mean " + listed(near) + "?";
    }

    /** Levenshtein's distance, without regard to case. */
    public static int distance(String one, String other) {
        int[] row = new int[other.length() + 1];
        for (int j = 0; j <= other.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= other.length(); j++) {
                boolean same = Character.toLowerCase(one.charAt(i - 1)) == Character.toLowerCase(other.charAt(j - 1));
                int replaced = diagonal + (same ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[other.length()];
    }
}
