package io.crossload;

import io.crossload.worker.Code;

/** Opening a bundle or calling a signature failed. The message is one sentence: the cause and the next step. */
public final class CrossloadException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The kind of failure. */
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
     * {@return the kind of failure: {@code INVALID_ARGUMENT} for a wrong request, {@code NOT_FOUND} for an unknown name or a missing file,
     * {@code DATA_LOSS} for a damaged bundle, {@code UNIMPLEMENTED} if the engine lacks a format, datatype or operation,
     * {@code FAILED_PRECONDITION} for a wrong class path, a bundle without manifest, a closed bundle or closed outputs, {@code OUT_OF_RANGE}
     * for a tensor of 2 GiB or more, {@code RESOURCE_EXHAUSTED} if memory or the disk ends; other codes come from the engine}
     */
    public Code code() {
        return code;
    }
}
