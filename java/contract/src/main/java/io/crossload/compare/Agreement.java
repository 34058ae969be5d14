package io.crossload.compare;

/** How close an answer is to the reference's, the closest first. */
public enum Agreement {
    /** The same bytes. */
    IDENTICAL,
    /** At most the tolerance's units in the last place apart, elementwise. */
    ULP,
    /** Within the tolerance, elementwise. */
    CLOSE,
    /** The same argmax in every row. */
    DECISION,
    /** None of these, another shape, datatype or name, or a NaN where the reference has none. */
    DIFFERENT;

    /** Whether this agreement is the wanted one or a closer one. */
    public boolean atLeast(Agreement wanted) {
        return compareTo(wanted) <= 0;
    }

    /** The contract's word: {@code close}. */
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
