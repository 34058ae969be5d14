package io.crossload;

import io.crossload.worker.Code;

/** A bundle that cannot be used or a call that failed; the message is one sentence with the cause and the next step. */
public final class CrossloadException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Code code;

    CrossloadException(Code code, String sentence) {
        super(sentence);
        this.code = code;
    }

    CrossloadException(Code code, String sentence, Throwable cause) {
        super(sentence, cause);
        this.code = code;
    }

    /**
     * What kind of failure this is: {@code INVALID_ARGUMENT} for a request that is wrong, {@code NOT_FOUND} for a name or file that is
     * not there, {@code DATA_LOSS} for a bundle that is damaged, {@code UNIMPLEMENTED} for what the engine cannot do,
     * {@code FAILED_PRECONDITION} for a class path or bundle in the wrong state, others as the engine says.
     */
    public Code code() {
        return code;
    }
}
