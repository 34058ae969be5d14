package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.Elements;
import io.crossload.contract.Text;
import io.crossload.contract.Tolerance;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The decisions of an answer: the argmax of each row along the last axis, and what it is worth where it changes.
 *
 * <p>A row is a tie if the tolerance may exchange its two elements: that it flips is no fault. A flip is confident if the reference put
 * its choice above the answer's by more than 1/64 of the output's range, and by more than 4 ULP of it (2 steps of integers, twice the
 * allowed steps of a quantised output).
 */
final class Decisions {
    private static final double CONFIDENT = 1.0 / 64;
    private static final int ULPS = 4;
    private static final int STEPS = 2;

    private final Datatype datatype;
    private final ByteBuffer reference;
    private final double scale;
    private final int rows;
    private int flips;
    private int faults;
    private int confident;
    private double margin;

    /** Of real numbers of a datatype, in rows of at least two elements. */
    Decisions(
            Datatype datatype,
            List<Long> shape,
            ByteBuffer reference,
            ByteBuffer answer,
            Tolerance tolerance,
            double scale) {
        this.scale = scale;
        this.datatype = datatype;
        this.reference = reference;
        int width = Math.toIntExact(shape.get(shape.size() - 1));
        int count = reference.remaining() / datatype.size();
        this.rows = count / width;
        double range = range(count);
        for (int row = 0; row < rows; row++) {
            int chosen = argmax(reference, row * width, width);
            int instead = argmax(answer, row * width, width);
            if (chosen != instead) {
                add(row * width + chosen, row * width + instead, range, tolerance);
            }
        }
    }

    private void add(int chosen, int instead, double range, Tolerance tolerance) {
        double best = Elements.real(datatype, reference, chosen);
        double other = Elements.real(datatype, reference, instead);
        double above = Elements.isInteger(datatype)
                ? Elements.unsigned(
                        Elements.integer(datatype, reference, chosen) - Elements.integer(datatype, reference, instead))
                : best - other;
        flips++;
        faults += above <= 2 * tolerance.atol() + tolerance.rtol() * (Math.abs(best) + Math.abs(other)) ? 0 : 1;
        margin = Math.max(margin, range == 0 ? 0 : above / range);
        double least = Elements.isInteger(datatype)
                ? STEPS
                : ULPS * Tolerances.epsilon(datatype) * Math.abs(best) + STEPS * scale;
        confident += above > CONFIDENT * range && above > least ? 1 : 0;
    }

    int rows() {
        return rows;
    }

    /** The rows with another decision. */
    int flips() {
        return flips;
    }

    /** The flips that are no ties. */
    int faults() {
        return faults;
    }

    /** Whether every row decides otherwise with confidence. */
    boolean allConfident() {
        return confident == rows;
    }

    /** The share of rows with the same decision. */
    double agreement() {
        return (double) (rows - flips) / rows;
    }

    /** The greatest margin of a flip, as a share of the output's range. */
    double margin() {
        return margin;
    }

    /** The end of a reason; empty where no decision changes. */
    String said() {
        return flips == 0
                ? ""
                : "; " + flips + " of " + rows + " decisions change, by up to " + Text.general(100 * margin, 3)
                        + " % of its range";
    }

    private double range(int count) {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (int at = 0; at < count; at++) {
            double value = Elements.real(datatype, reference, at);
            if (!Double.isNaN(value) && !Double.isInfinite(value)) {
                low = Math.min(low, value);
                high = Math.max(high, value);
            }
        }
        return high > low ? high - low : 0;
    }

    /** The index of the first greatest element. Integers are compared exactly (a double rounds large ones); NaN counts as the smallest. */
    private int argmax(ByteBuffer data, int start, int width) {
        int best = 0;
        for (int at = 1; at < width; at++) {
            best = greater(data, start + at, start + best) ? at : best;
        }
        return best;
    }

    private boolean greater(ByteBuffer data, int one, int other) {
        if (Elements.isInteger(datatype)) {
            long left = Elements.integer(datatype, data, one);
            long right = Elements.integer(datatype, data, other);
            return datatype == Datatype.UINT64 ? Long.compareUnsigned(left, right) > 0 : left > right;
        }
        double right = Elements.real(datatype, data, other);
        return Elements.real(datatype, data, one) > (Double.isNaN(right) ? Double.NEGATIVE_INFINITY : right);
    }
}
