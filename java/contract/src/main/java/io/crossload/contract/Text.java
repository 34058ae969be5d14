package io.crossload.contract;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Formats numbers and names for messages. */
public final class Text {
    private Text() {}

    /**
     * {@return a number with at most {@code digits} significant digits, in the format of C's {@code %g}}
     *
     * @param value the number
     * @param digits how many digits, at least one
     */
    public static String general(double value, int digits) {
        if (value == 0 || Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isInfinite(value) ? (value > 0 ? "inf" : "-inf") : Double.isNaN(value) ? "nan" : "0";
        }
        BigDecimal rounded = new BigDecimal(value)
                .round(new MathContext(digits, RoundingMode.HALF_EVEN))
                .stripTrailingZeros();
        int exponent = rounded.precision() - rounded.scale() - 1;
        if (exponent >= -4 && exponent < digits) {
            return rounded.toPlainString();
        }
        String mantissa = rounded.movePointLeft(exponent).toPlainString();
        return String.format(Locale.ROOT, "%se%s%02d", mantissa, exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    /**
     * {@return the first non-blank line of an exception's message, else the name of its class; native TensorFlow appends lines of detail}
     *
     * @param error the exception
     */
    public static String sentence(Throwable error) {
        String message = error.getMessage() == null ? "" : error.getMessage();
        return Arrays.stream(message.split("\\R"))
                .map(String::trim)
                .filter(line -> !line.isEmpty())
                .findFirst()
                .orElse(error.getClass().getSimpleName());
    }

    /**
     * {@return names in quotes, separated by commas; {@code none} for an empty collection}
     *
     * @param names the names, in their order
     */
    public static String listed(Collection<String> names) {
        return names.isEmpty()
                ? "none"
                : names.stream().map(name -> "'" + name + "'").collect(Collectors.joining(", "));
    }

    /**
     * {@return the end of a message about an unknown name: {@code ; did you mean 'pixels'?} if a known name is similar, else all known
     * names}
     *
     * @param name the unknown name
     * @param known the known names
     */
    public static String near(String name, Collection<String> known) {
        int reach = Math.max(1, name.length() / 3);
        List<String> near =
                known.stream().filter(k -> distance(name, k) <= reach).collect(Collectors.toList());
        return near.isEmpty() ? "; there are: " + listed(known) : "; did you mean " + listed(near) + "?";
    }

    /**
     * {@return the Levenshtein distance of two names, ignoring case}
     *
     * @param one a name
     * @param other another name
     */
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
