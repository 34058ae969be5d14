package io.crossload.worker;

/** An error that answers one request: a code and one sentence. The worker continues with the next request. */
public final class WorkerException extends Exception {
    private static final long serialVersionUID = 1;

    /** The kind of failure. */
    private final Code code;

    /**
     * A failure.
     *
     * @param code the kind of failure
     * @param sentence the message, one sentence
     */
    public WorkerException(Code code, String sentence) {
        super(sentence);
        this.code = code;
    }

    /**
     * A failure with its cause.
     *
     * @param code the kind of failure
     * @param sentence the message, one sentence
     * @param cause what was thrown
     */
    public WorkerException(Code code, String sentence, Throwable cause) {
        super(sentence, cause);
        this.code = code;
    }

    /** {@return the kind of failure} */
    public Code code() {
        return code;
    }
}
