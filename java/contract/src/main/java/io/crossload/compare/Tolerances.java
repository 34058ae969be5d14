package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Tolerance;
import java.util.Map;

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

    private Tolerances() {}

    /**
     * The tolerance of one output: its own, else its datatype's, else the one of its recorded rounding, else the datatype's default
     * (exact for integers, strings and bools).
     *
     * @param given the manifest's tolerances, by output name or by the contract's name of a datatype
     * @param reference the recorded answer
     */
    public static Tolerance of(Map<String, Tolerance> given, TensorEntry reference) {
        Datatype datatype = reference.datatype();
        Tolerance own = given.getOrDefault(reference.name(), given.get(datatype.name()));
        if (own != null) {
            return own;
        }
        Tolerance unit = unit(reference);
        return unit == null
                ? DEFAULTS.getOrDefault(datatype, EXACT)
                : new Tolerance(BOUND * unit.rtol(), BOUND * unit.atol(), 4);
    }

    /** The unit of the metric {@code rounding}: relative to an element, and absolute; null where the rounding is not known. */
    static Tolerance unit(TensorEntry reference) {
        Double epsilon = EPSILON.get(reference.datatype());
        return reference.rounding() == null || epsilon == null ? null : new Tolerance(epsilon, reference.rounding(), 0);
    }
}
