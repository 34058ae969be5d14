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
    private final int count;

    NumberComparison(String name, TensorEntry reference, TensorEntry answer, Tolerance tolerance) {
        this.name = name;
        this.datatype = reference.datatype();
        this.part = Elements.part(datatype);
        this.shape = new ArrayList<>(reference.shape());
        if (Elements.isComplex(datatype)) {
            shape.add(2L);
        }
        this.reference = reference.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        this.answer = answer.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        this.tolerance = tolerance;
        this.unit = Tolerances.unit(reference);
        this.count = this.reference.remaining() / part.size();
    }

    Judgement judge(boolean forbidNan) {
        Judgement different = nonFinite(forbidNan);
        if (different != null) {
            return different;
        }
        Map<String, Number> metrics = metrics();
        if (reference.equals(answer)) {
            return new Judgement(Agreement.IDENTICAL, metrics, "");
        }
        if (metrics.get("max_ulp") instanceof Long ulp && ulp <= tolerance.ulp()) {
            return new Judgement(Agreement.ULP, metrics, "");
        }
        boolean close = true;
        for (int at = 0; close && at < count; at++) {
            close = !compared(at) || within(at, tolerance.rtol());
        }
        if (close) {
            return new Judgement(Agreement.CLOSE, metrics, "");
        }
        String ratio = unit == null ? "" : ", " + Text.general((double) metrics.get("rounding"), 3) + " × rounding";
        String reason = "'" + name + "' differs by up to " + Text.general((double) metrics.get("max_abs"), 3) + ratio
                + worst() + needed();
        boolean sameDecision = metrics.containsKey("argmax_agreement") && (double) metrics.get("argmax_agreement") == 1;
        return new Judgement(sameDecision ? Agreement.DECISION : Agreement.DIFFERENT, metrics, reason);
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
        metrics.put("rmse", finite(rmse(finite(maxAbs), compared)));
        if (Elements.isFloating(part)) {
            metrics.put("max_ulp", maxUlp >= 0 ? (Number) maxUlp : new BigInteger(Long.toUnsignedString(maxUlp)));
        }
        if (unit != null) {
            metrics.put("rounding", finite(rounding()));
        }
        argmaxAgreement(metrics);
        return metrics;
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

    /** The root mean square error, calculated relative to the greatest difference: its square may overflow a double. */
    private double rmse(double greatest, int compared) {
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
        return greatest * Math.sqrt(sum / compared);
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

    private boolean within(int at, double rtol) {
        double apart = apart(at);
        double bound = tolerance.atol() + rtol * Math.abs(wanted(at));
        boolean clear = Double.isInfinite(bound) ? !Double.isInfinite(apart) : Math.abs(apart - bound) > 1e-9 * bound;
        if (part.size() < Long.BYTES || clear) {
            return apart <= bound;
        }
        BigDecimal relative = exact(reference, at).abs().multiply(new BigDecimal(rtol));
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
        return " at %s: %s, the reference's is %s"
                .formatted(Judge.index(worst, shape), Text.general(got(worst), 6), Text.general(wanted(worst), 6));
    }

    private BigDecimal exact(ByteBuffer data, int at) {
        return switch (part) {
            case INT64 -> new BigDecimal(Elements.integer(part, data, at));
            case UINT64 -> new BigDecimal(Long.toUnsignedString(Elements.integer(part, data, at)));
            default -> new BigDecimal(Elements.real(part, data, at));
        };
    }

    private void argmaxAgreement(Map<String, Number> metrics) {
        int last = shape.size() - 1;
        // A list of integers is a batch of class ids: its greatest one decides nothing.
        if (last < (Elements.isInteger(part) ? 1 : 0)
                || count == 0
                || shape.get(last) < 2
                || Elements.isComplex(datatype)) {
            return;
        }
        int width = Math.toIntExact(shape.get(last));
        int rows = count / width;
        int same = 0;
        for (int row = 0; row < rows; row++) {
            same += argmax(reference, row * width, width) == argmax(answer, row * width, width) ? 1 : 0;
        }
        metrics.put("argmax_agreement", (double) same / rows);
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
        if (Elements.isInteger(part)) {
            long left = Elements.integer(part, data, one);
            long right = Elements.integer(part, data, other);
            return part == Datatype.UINT64 ? Long.compareUnsigned(left, right) > 0 : left > right;
        }
        double right = Elements.real(part, data, other);
        return Elements.real(part, data, one) > (Double.isNaN(right) ? Double.NEGATIVE_INFINITY : right);
    }

    /** The smallest atol and the smallest rtol that would pass, rounded up so that the printed numbers pass. */
    private String needed() {
        double atol = Double.NEGATIVE_INFINITY;
        double rtol = 0;
        boolean relative = true;
        for (int at = 0; at < count; at++) {
            if (compared(at)) {
                double scale = Math.abs(wanted(at));
                atol = Math.max(atol, less(at, tolerance.rtol() * (scale / 2)));
                if (!within(at, 0)) {
                    relative &= scale > 0;
                    double half = less(at, tolerance.atol() / 2);
                    rtol = Math.max(
                            rtol,
                            Double.isInfinite(half) ? (half(at) - tolerance.atol() / 2) / (scale / 2) : half / scale);
                }
            }
        }
        String text = "; would pass with atol=" + roundedUp(atol) + " (rtol " + Text.general(tolerance.rtol(), 6) + ")";
        return relative
                ? text + " or rtol=" + roundedUp(rtol) + " (atol " + Text.general(tolerance.atol(), 6) + ")"
                : text;
    }

    /** The difference of two elements minus twice an amount. */
    private double less(int at, double halfAmount) {
        double apart = apart(at);
        return Double.isInfinite(apart) ? 2 * (half(at) - halfAmount) : apart - 2 * halfAmount;
    }

    /** Three significant digits, never below the value. */
    private static String roundedUp(double value) {
        if (value <= 0 || Double.isInfinite(value)) {
            return Text.general(value, 6);
        }
        double step = Math.pow(10, Math.floor(Math.log10(value)) - 2);
        return Text.general(Math.ceil(value / step * (1 + 1e-12)) * step, 3);
    }

    private static double finite(double value) {
        return Math.min(value, Double.MAX_VALUE);
    }
}
