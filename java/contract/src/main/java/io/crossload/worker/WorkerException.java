package io.crossload.worker;

/** An error that answers one request: a code and one sentence. The worker continues with the next request. */
public final class WorkerException extends Exception {
    private static final long serialVersionUID = 1;

    private final Code code;

    public WorkerException(Code code, String sentence) {
        super(sentence);
        this.code = code;
    }

    public WorkerException(Code code, String sentence, Throwable cause) {
        super(sentence, cause);
        this.code = code;
    }

    /** The kind of failure. */
    public Code code() {
        return code;
    }
}
