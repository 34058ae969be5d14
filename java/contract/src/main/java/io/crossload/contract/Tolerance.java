package io.crossload.contract;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/**
 * What counts as close: {@code |answer - reference| <= atol + rtol * |reference|}, or at most so many units in the last place.
 *
 * @param rtol relative to the reference
 * @param atol absolute
 * @param ulp units in the last place
 */
public record Tolerance(double rtol, double atol, long ulp) {
    private static final Tolerance EXACT = new Tolerance(0, 0, 0);
    private static final Map<Datatype, Tolerance> DEFAULTS = Map.of(
            Datatype.FP64, new Tolerance(1e-12, 1e-13, 4),
            Datatype.FP32, new Tolerance(1e-5, 1e-6, 4),
            Datatype.FP16, new Tolerance(5e-3, 5e-4, 4),
            Datatype.BF16, new Tolerance(4e-2, 4e-3, 4),
            Datatype.COMPLEX64, new Tolerance(1e-5, 1e-6, 4),
            Datatype.COMPLEX128, new Tolerance(1e-12, 1e-13, 4));

    /** Refuses what is negative or not finite with an IllegalArgumentException. */
    public Tolerance {
        if (!(rtol >= 0 && atol >= 0 && ulp >= 0) || Double.isInfinite(rtol + atol)) {
            throw new IllegalArgumentException("a tolerance's values are finite and not negative");
        }
    }

    @JsonCreator
    static Tolerance read(
            @JsonProperty("rtol") Double rtol, @JsonProperty("atol") Double atol, @JsonProperty("ulp") Long ulp) {
        return new Tolerance(rtol == null ? 0 : rtol, atol == null ? 0 : atol, ulp == null ? 4 : ulp);
    }

    /**
     * The tolerance of one output: its own, else its datatype's, else the datatype's default (exact for all but floats).
     *
     * @param given by output name or by the contract's name of a datatype, as in a manifest
     */
    public static Tolerance of(Map<String, Tolerance> given, String output, Datatype datatype) {
        Tolerance own = given.getOrDefault(output, given.get(datatype.name()));
        return own == null ? DEFAULTS.getOrDefault(datatype, EXACT) : own;
    }
}
