package io.crossload.compare;

/** How close an answer is to the reference's, from closest to furthest. */
public enum Agreement {
    /** The same bytes. */
    IDENTICAL,
    /** Every element is at most the tolerance's units in the last place (ULP) away. */
    ULP,
    /** Every element is within the tolerance: {@code |answer - reference| <= atol + rtol * |reference|}. */
    CLOSE,
    /** Every row (along the last axis) has the same argmax. */
    DECISION,
    /** None of these; or another shape, datatype or name; or a NaN where the reference has none. */
    DIFFERENT;

    /**
     * {@return whether this agreement is {@code wanted} or closer}
     *
     * @param wanted the agreement that is enough
     */
    public boolean atLeast(Agreement wanted) {
        return compareTo(wanted) <= 0;
    }

    /** The contract's word: {@code close}. */
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
