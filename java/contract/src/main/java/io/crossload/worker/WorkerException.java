package io.crossload.worker;

/** A request that is answered with an error: a google.rpc.Code and one sentence. The worker lives on. */
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

    /** What kind of failure this is. */
    public Code code() {
        return code;
    }
}
