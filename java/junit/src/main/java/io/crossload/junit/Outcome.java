package io.crossload.junit;

import java.util.Locale;
import org.opentest4j.AssertionFailedError;

/** What happened to a vector or a bundle: those of the report's outcomes that a process with the library can have. */
enum Outcome {
    /** The answer has at least the agreement asked for. */
    OK,
    /** The answer has a lesser agreement. */
    MISMATCH,
    /** The engine has no tensor type or no operation for it, whatever the model. */
    UNSUPPORTED,
    /** The artifact does not load. */
    LOAD_ERROR,
    /** The artifact loads, and the call fails. */
    RUN_ERROR,
    /** Nothing was compared. */
    NOT_RUN;

    /** The test's failure with this outcome. */
    AssertionFailedError failure(String reason, Throwable cause) {
        return new AssertionFailedError(this + ": " + reason, cause);
    }

    /** The report's word: {@code run_error}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
