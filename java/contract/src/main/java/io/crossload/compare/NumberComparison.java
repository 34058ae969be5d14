package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.Elements;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Text;
import io.crossload.contract.Tolerance;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Compares two tensors of numbers of one datatype and shape element by element.
 *
 * <p>It calculates in double precision. For 64-bit elements it calculates exactly where double is not enough: a difference beyond double's
 * range, a bound that the difference meets within the rounding error.
 */
final class NumberComparison {
    private final String name;
    private final Datatype datatype;
    private final Datatype part;
    private final List<Long> shape;
    private final ByteBuffer reference;
    private final ByteBuffer answer;
    private final Tolerance tolerance;
    private final Tolerance unit;
    private final TensorEntry.Steps steps;
    private final boolean given;
    private final int count;

    NumberComparison(String name, TensorEntry reference, TensorEntry answer, Map<String, Tolerance> tolerances) {
        this.name = name;
        this.datatype = reference.datatype();
        this.part = Elements.part(datatype);
        this.shape = new ArrayList<>(reference.shape());
        if (Elements.isComplex(datatype)) {
            shape.add(2L);
        }
        this.reference = reference.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        this.answer = answer.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        this.count = this.reference.remaining() / part.size();
        this.given = Tolerances.given(tolerances, reference) != null;
        this.tolerance = Tolerances.of(tolerances, reference, this::largest);
        this.unit = Tolerances.unit(reference);
        this.steps = reference.steps();
    }

    Judgement judge(boolean forbidNan) {
        Judgement different = nonFinite(forbidNan);
        if (different != null) {
            return different;
        }
        Map<String, Number> metrics = metrics();
        Decisions decisions = decides() ? decisions() : null;
        if (decisions != null) {
            metrics.put("argmax_agreement", decisions.agreement());
        }
        if (decisions != null && decisions.flips() > 0) {
            metrics.put("flip_margin", decisions.margin());
        }
        if (reference.equals(answer)) {
            return new Judgement(Agreement.IDENTICAL, metrics, "");
        }
        if (metrics.get("max_ulp") instanceof Long ulp && ulp <= tolerance.ulp()) {
            return new Judgement(Agreement.ULP, metrics, "");
        }
        // One row alone may be within a tolerance that somebody chose for it.
        boolean reversed = decisions != null && decisions.allConfident() && (decisions.rows() > 1 || !given);
        if (!reversed && close()) {
            return new Judgement(Agreement.CLOSE, metrics, "");
        }
        String ratio = steps != null
                ? ", " + Text.general((double) metrics.get("steps"), 3) + " × step"
                : unit == null ? "" : ", " + Text.general((double) metrics.get("rounding"), 3) + " × rounding";
        String reason = "'" + name + "' differs by up to " + Text.general((double) metrics.get("max_abs"), 3) + ratio
                + worst() + (decisions == null ? "" : decisions.said());
        boolean same = decisions != null && decisions.faults() == 0 && !reversed;
        return new Judgement(same ? Agreement.DECISION : Agreement.DIFFERENT, metrics, reason);
    }

    private Decisions decisions() {
        return new Decisions(
                part,
                shape,
                reference,
                answer,
                tolerance,
                steps == null ? 0 : Math.max(1, steps.allowed()) * steps.scale());
    }

    private boolean close() {
        boolean close = true;
        for (int at = 0; close && at < count; at++) {
            close = !compared(at) || within(at);
        }
        return close;
    }

    /** Whether rows along the last axis have a greatest element that decides; a list of integers is a batch of class ids. */
    private boolean decides() {
        int last = shape.size() - 1;
        return last >= (Elements.isInteger(part) ? 1 : 0)
                && count > 0
                && shape.get(last) > 1
                && !Elements.isComplex(datatype);
    }

    /** The judgement if the two differ in NaN or infinities, else null. */
    private Judgement nonFinite(boolean forbidNan) {
        long nan = 0;
        int first = -1;
        boolean infinity = false;
        for (int at = 0; at < count; at++) {
            double wanted = wanted(at);
            double got = got(at);
            nan += Double.isNaN(got) ? 1 : 0;
            if (Double.isNaN(wanted) != Double.isNaN(got)) {
                first = first < 0 ? at : first;
            }
            infinity |= (Double.isInfinite(wanted) || Double.isInfinite(got)) && wanted != got;
        }
        if (forbidNan && nan > 0) {
            return different(Map.of(), nan + " NaN, which are forbidden");
        }
        if (first >= 0) {
            String what = Double.isNaN(got(first))
                    ? "NaN where the reference has none"
                    : "no NaN where the reference has one";
            return different(Map.of("nan", nan), what + ", first at " + Judge.index(first, shape));
        }
        return infinity ? different(Map.of(), "an infinity that the reference has not, or the other way round") : null;
    }

    private Judgement different(Map<String, Number> metrics, String difference) {
        return new Judgement(Agreement.DIFFERENT, metrics, "'" + name + "' has " + difference);
    }

    private Map<String, Number> metrics() {
        double maxAbs = 0;
        double maxRel = 0;
        long maxUlp = 0;
        int compared = 0;
        for (int at = 0; at < count; at++) {
            if (compared(at)) {
                compared++;
                maxAbs = Math.max(maxAbs, apart(at));
                maxRel = Math.max(maxRel, relative(at));
                if (Elements.isFloating(part)) {
                    long ulp = UlpDistance.between(part, reference, answer, at);
                    maxUlp = Long.compareUnsigned(ulp, maxUlp) > 0 ? ulp : maxUlp;
                }
            }
        }
        Map<String, Number> metrics = new LinkedHashMap<>();
        metrics.put("max_abs", finite(maxAbs));
        metrics.put("max_rel", finite(maxRel));
        double share = share(finite(maxAbs), compared);
        metrics.put("rmse", finite(finite(maxAbs) * share));
        angles(metrics, share, compared);
        if (Elements.isFloating(part)) {
            metrics.put("max_ulp", maxUlp >= 0 ? (Number) maxUlp : new BigInteger(Long.toUnsignedString(maxUlp)));
        }
        if (unit != null) {
            metrics.put("rounding", finite(rounding()));
        }
        if (steps != null) {
            metrics.put("steps", finite(finite(maxAbs) / steps.scale()));
        }
        return metrics;
    }

    /** {@code rmse_rel} and {@code cosine}; calculated relative to the greatest elements, whose squares may overflow a double. */
    private void angles(Map<String, Number> metrics, double share, int compared) {
        double greatest = largest();
        double other = 0;
        for (int at = 0; at < count; at++) {
            other = compared(at) ? Math.max(other, Math.abs(got(at))) : other;
        }
        double both = 0;
        double one = 0;
        double two = 0;
        for (int at = 0; at < count; at++) {
            if (compared(at)) {
                double left = greatest == 0 ? 0 : wanted(at) / greatest;
                double right = other == 0 ? 0 : got(at) / other;
                both += left * right;
                one += left * left;
                two += right * right;
            }
        }
        double scale = greatest * Math.sqrt(one / compared);
        metrics.put("rmse_rel", greatest == 0 ? 0.0 : finite((double) metrics.get("max_abs") / scale * share));
        boolean zero = greatest == 0 || other == 0;
        double cosine = zero ? 0 : both / (Math.sqrt(one) * Math.sqrt(two));
        metrics.put("cosine", zero && greatest == other ? 1.0 : Math.min(1, Math.max(-1, cosine)));
    }

    /** The greatest magnitude among the reference's finite elements. */
    private double largest() {
        double greatest = 0;
        for (int at = 0; at < count; at++) {
            double scale = Math.abs(wanted(at));
            greatest = Double.isNaN(scale) || Double.isInfinite(scale) ? greatest : Math.max(greatest, scale);
        }
        return greatest;
    }

    /** The greatest difference in units of the recorded rounding; 0 where nothing differs. */
    private double rounding() {
        double greatest = 0;
        for (int at = 0; at < count; at++) {
            if (compared(at) && apart(at) > 0) {
                double one = unit.atol() + unit.rtol() * Math.abs(wanted(at));
                greatest = Math.max(greatest, one == 0 ? Double.MAX_VALUE : apart(at) / one);
            }
        }
        return greatest;
    }

    /** The root mean square of the differences relative to the greatest of them: a square may overflow a double. */
    private double share(double greatest, int compared) {
        if (greatest == 0) {
            return 0;
        }
        double sum = 0;
        for (int at = 0; at < count; at++) {
            if (compared(at)) {
                double apart = apart(at);
                double share = Double.isInfinite(apart) ? half(at) / (greatest / 2) : apart / greatest;
                sum += share * share;
            }
        }
        return Math.sqrt(sum / compared);
    }

    private double wanted(int at) {
        return Elements.real(part, reference, at);
    }

    private double got(int at) {
        return Elements.real(part, answer, at);
    }

    /** Whether both elements are finite. */
    private boolean compared(int at) {
        return !Double.isNaN(wanted(at)) && !Double.isInfinite(wanted(at)) && !Double.isInfinite(got(at));
    }

    /** The absolute difference of two elements; for integers the exact difference, rounded to a double. */
    private double apart(int at) {
        if (!Elements.isInteger(part)) {
            return Math.abs(got(at) - wanted(at));
        }
        long wanted = Elements.integer(part, reference, at);
        long got = Elements.integer(part, answer, at);
        boolean less = part == Datatype.UINT64 ? Long.compareUnsigned(got, wanted) < 0 : got < wanted;
        return Elements.unsigned(less ? wanted - got : got - wanted);
    }

    /** Half of a difference that overflows a double. */
    private double half(int at) {
        return Math.abs(got(at) / 2 - wanted(at) / 2);
    }

    private double relative(int at) {
        double scale = Math.abs(wanted(at));
        double apart = apart(at);
        return scale == 0 ? 0 : Double.isInfinite(apart) ? half(at) / (scale / 2) : apart / scale;
    }

    private boolean within(int at) {
        double apart = apart(at);
        double bound = tolerance.atol() + tolerance.rtol() * Math.abs(wanted(at));
        boolean clear = Double.isInfinite(bound) ? !Double.isInfinite(apart) : Math.abs(apart - bound) > 1e-9 * bound;
        if (part.size() < Long.BYTES || clear) {
            return apart <= bound;
        }
        BigDecimal relative = exact(reference, at).abs().multiply(new BigDecimal(tolerance.rtol()));
        BigDecimal exact = exact(answer, at).subtract(exact(reference, at)).abs();
        return exact.compareTo(relative.add(new BigDecimal(tolerance.atol()))) <= 0;
    }

    /** The place of the greatest difference, and both values. */
    private String worst() {
        int worst = -1;
        for (int at = 0; at < count; at++) {
            if (compared(at) && (worst < 0 || apart(at) > apart(worst))) {
                worst = at;
            }
        }
        return " at " + Judge.index(worst, shape) + ": " + Text.general(got(worst), 6) + ", the reference's is "
                + Text.general(wanted(worst), 6);
    }

    private BigDecimal exact(ByteBuffer data, int at) {
        return switch (part) {
            case INT64 -> new BigDecimal(Elements.integer(part, data, at));
            case UINT64 -> new BigDecimal(Long.toUnsignedString(Elements.integer(part, data, at)));
            default -> new BigDecimal(Elements.real(part, data, at));
        };
    }

    private static double finite(double value) {
        return Math.min(value, Double.MAX_VALUE);
    }
}
