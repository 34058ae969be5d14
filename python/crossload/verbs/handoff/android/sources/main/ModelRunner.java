package io.crossload.android;

import io.crossload.contract.TensorEntry;
import java.util.Map;

/** A model that an engine has loaded, for one thread at a time. */
public interface ModelRunner extends AutoCloseable {
    /**
     * Runs a signature. The bytes of an answer are copies.
     *
     * @param inputs every input, by the manifest's names
     * @return every output, by the manifest's names
     * @throws IllegalArgumentException if an input does not fit
     * @throws IllegalStateException if the engine fails
     */
    Map<String, TensorEntry> run(HandedSignature signature, Map<String, TensorEntry> inputs);

    /** Sets the variables of the model to their first values. */
    void reset();

    @Override
    void close();
}
