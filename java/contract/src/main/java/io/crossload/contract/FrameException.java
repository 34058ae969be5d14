package io.crossload.contract;

import java.io.IOException;

/** Bytes that violate the contract's frame format. The message is one sentence; the stream cannot be read further. */
public final class FrameException extends IOException {
    private static final long serialVersionUID = 1;

    /**
     * A failure.
     *
     * @param sentence the message, one sentence
     */
    public FrameException(String sentence) {
        super(sentence);
    }

    /**
     * A failure with its cause.
     *
     * @param sentence the message, one sentence
     * @param cause what was thrown
     */
    public FrameException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
