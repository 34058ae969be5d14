package io.crossload;

/** A class of a jar whose resources a test opens. */
final class Anchor {
    private Anchor() {}
}
