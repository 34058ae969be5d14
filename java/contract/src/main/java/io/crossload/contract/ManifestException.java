package io.crossload.contract;

import java.io.IOException;

/** A manifest, or a file named in it, is unusable. The message is one sentence: the file, the cause, the next step. */
public final class ManifestException extends IOException {
    private static final long serialVersionUID = 1;

    /**
     * A failure.
     *
     * @param sentence the message, one sentence
     */
    public ManifestException(String sentence) {
        super(sentence);
    }

    /**
     * A failure with its cause.
     *
     * @param sentence the message, one sentence
     * @param cause what was thrown
     */
    public ManifestException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
