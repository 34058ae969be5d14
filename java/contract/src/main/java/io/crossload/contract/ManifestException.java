package io.crossload.contract;

import java.io.IOException;

/** A manifest, or a file named in it, is unusable. The message is one sentence: the file, the cause, the next step. */
public final class ManifestException extends IOException {
    private static final long serialVersionUID = 1;

    public ManifestException(String sentence) {
        super(sentence);
    }

    public ManifestException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
