package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Tolerance;
import java.util.Map;
import java.util.function.DoubleSupplier;

/** Chooses the tolerance of an output: the manifest's, else the default of the output's datatype. */
public final class Tolerances {
    private static final Tolerance EXACT = new Tolerance(0, 0, 0);
    private static final Map<Datatype, Tolerance> DEFAULTS = Map.of(
            Datatype.FP64, new Tolerance(1e-12, 1e-13, 4),
            Datatype.FP32, new Tolerance(1e-5, 1e-6, 4),
            Datatype.FP16, new Tolerance(5e-3, 5e-4, 4),
            Datatype.BF16, new Tolerance(4e-2, 4e-3, 4),
            Datatype.COMPLEX64, new Tolerance(1e-5, 1e-6, 4),
            Datatype.COMPLEX128, new Tolerance(1e-12, 1e-13, 4));

    /** The multiple of the rounding that is close (bindings/contract/README.md, section Agreement). */
    public static final double BOUND = 32;

    /** The distance from 1 to the next number of a datatype. */
    private static final Map<Datatype, Double> EPSILON = Map.of(
            Datatype.FP64, 0x1p-52,
            Datatype.FP32, 0x1p-23,
            Datatype.FP16, 0x1p-10,
            Datatype.BF16, 0x1p-7,
            Datatype.COMPLEX64, 0x1p-23,
            Datatype.COMPLEX128, 0x1p-52);

    /** The last places that dequantisation may be off in float32. */
    private static final int LAST_PLACES = 4;

    private Tolerances() {}

    /** The distance from 1 to the next number of a datatype; 0 for integers, and for floats of 8 bits. */
    static double epsilon(Datatype datatype) {
        return EPSILON.getOrDefault(datatype, 0.0);
    }

    /**
     * The tolerance of one output: its own, else its datatype's, else its steps, else the one of its recorded rounding, else the default
     * (exact for integers, strings and bools), whose atol is at most its rtol of the largest element.
     *
     * @param given the manifest's tolerances, by output name or by the contract's name of a datatype
     * @param reference the recorded answer
     * @param largest the largest magnitude of its elements; 0 where there is none
     */
    static Tolerance of(Map<String, Tolerance> given, TensorEntry reference, DoubleSupplier largest) {
        Tolerance own = given(given, reference);
        if (own != null) {
            return own;
        }
        if (reference.steps() != null) {
            double epsilon = epsilon(reference.datatype());
            return new Tolerance(
                    LAST_PLACES * epsilon,
                    reference.steps().allowed() * reference.steps().scale(),
                    0);
        }
        Tolerance unit = unit(reference);
        if (unit != null) {
            return new Tolerance(BOUND * unit.rtol(), BOUND * unit.atol(), 4);
        }
        Tolerance standard = DEFAULTS.getOrDefault(reference.datatype(), EXACT);
        double scale = standard.atol() == 0 ? 0 : largest.getAsDouble();
        return scale == 0
                ? standard
                : new Tolerance(standard.rtol(), Math.min(standard.atol(), standard.rtol() * scale), standard.ulp());
    }

    /** The tolerance that the manifest states for an output or its datatype; null if none. */
    static Tolerance given(Map<String, Tolerance> given, TensorEntry reference) {
        return given.getOrDefault(
                reference.name(), given.get(reference.datatype().name()));
    }

    /** The unit of the metric {@code rounding}: relative to an element, and absolute; null where the rounding is not known. */
    static Tolerance unit(TensorEntry reference) {
        Double epsilon = EPSILON.get(reference.datatype());
        boolean known = reference.rounding() != null && reference.steps() == null;
        return !known || epsilon == null ? null : new Tolerance(epsilon, reference.rounding(), 0);
    }
}
