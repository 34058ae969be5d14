package io.crossload.contract;

import java.io.IOException;

/** Bytes that are no frame of the contract; the message is one sentence. The stream cannot be read on. */
public final class FrameException extends IOException {
    private static final long serialVersionUID = 1;

    public FrameException(String sentence) {
        super(sentence);
    }

    public FrameException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
