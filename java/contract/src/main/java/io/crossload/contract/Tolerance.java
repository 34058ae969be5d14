package io.crossload.contract;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What counts as close: {@code |answer - reference| <= atol + rtol * |reference|}, or at most {@code ulp} units in the last place.
 *
 * @param rtol the tolerance relative to the reference
 * @param atol the absolute tolerance
 * @param ulp units in the last place
 */
public record Tolerance(double rtol, double atol, long ulp) {
    /**
     * Checks the values.
     *
     * @param rtol the tolerance relative to the reference
     * @param atol the absolute tolerance
     * @param ulp units in the last place
     * @throws IllegalArgumentException if one is negative, infinite or NaN
     */
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
}
