package io.crossload.contract;

import java.io.IOException;

/** A manifest, or a file that it names, that cannot be used; the message is one sentence with the file, the cause and the next step. */
public final class ManifestException extends IOException {
    private static final long serialVersionUID = 1;

    public ManifestException(String sentence) {
        super(sentence);
    }

    public ManifestException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
