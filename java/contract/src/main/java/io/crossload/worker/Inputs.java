package io.crossload.worker;

import io.crossload.contract.FrameException;
import io.crossload.contract.TensorEntry;
import java.util.List;

/** Decodes the inputs of a request, with the protocol's error for an input that is malformed. */
public final class Inputs {
    private Inputs() {}

    /**
     * {@return the elements of a BYTES input, row major}
     *
     * @param input a BYTES tensor of a request
     * @throws WorkerException INVALID_ARGUMENT if an element ends outside the data, or the elements do not fill the shape
     */
    public static List<byte[]> strings(TensorEntry input) throws WorkerException {
        try {
            return input.strings();
        } catch (FrameException error) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, "input '" + input.name() + "': " + error.getMessage(), error);
        }
    }
}
