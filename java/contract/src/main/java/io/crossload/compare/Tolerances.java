package io.crossload.compare;

import io.crossload.contract.Datatype;
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

    private Tolerances() {}

    /**
     * The tolerance of one output: its own, else its datatype's, else the datatype's default (exact for integers, strings and bools).
     *
     * @param given the manifest's tolerances, by output name or by the contract's name of a datatype
     * @param output the output's name
     * @param datatype its datatype
     */
    public static Tolerance of(Map<String, Tolerance> given, String output, Datatype datatype) {
        Tolerance own = given.getOrDefault(output, given.get(datatype.name()));
        return own == null ? DEFAULTS.getOrDefault(datatype, EXACT) : own;
    }
}
