package io.crossload;

import io.crossload.contract.TensorEntry;
import io.crossload.contract.Text;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Answer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * The outputs of a run, left in the engine's own memory where that is possible (not strings, bool, and TensorFlow 1.15): an element is
 * copied only when it is read. Close them; a tensor that is read afterwards throws, what was read before stays valid.
 */
public final class Outputs implements AutoCloseable {
    private final Answer answer;
    private final List<TensorEntry> entries;
    private final HostTensor.Owner owner = new HostTensor.Owner() {
        @Override
        public <T> T reading(TensorEntry entry, Function<TensorEntry, T> reader) {
            synchronized (Outputs.this) { // close waits for a read in another thread
                check();
                return reader.apply(entry);
            }
        }
    };
    private volatile boolean closed;

    Outputs(Answer answer, List<TensorEntry> entries) {
        this.answer = answer;
        this.entries = entries;
    }

    /**
     * {@return an output, valid until these outputs are closed}
     *
     * @param name the output's name in the signature
     * @throws CrossloadException INVALID_ARGUMENT if there is no such output, or the run was not asked for it; FAILED_PRECONDITION after
     *     {@link #close}
     */
    public HostTensor get(String name) {
        check();
        for (TensorEntry entry : entries) {
            if (entry.name().equals(name)) {
                return HostTensor.of(entry, owner);
            }
        }
        throw new CrossloadException(
                Code.INVALID_ARGUMENT, "there is no output '" + name + "'" + Text.near(name, names()));
    }

    /** {@return the names of the outputs, in the order asked for} */
    public List<String> names() {
        List<String> names = new ArrayList<>();
        entries.forEach(entry -> names.add(entry.name()));
        return names;
    }

    /** Throws CrossloadException (FAILED_PRECONDITION) after {@link #close}. */
    private void check() {
        if (closed) {
            throw new CrossloadException(
                    Code.FAILED_PRECONDITION,
                    "the outputs of this run are closed; read or copy() their tensors before");
        }
    }

    /** Copies of the outputs by name, which stay valid. */
    Map<String, HostTensor> copied() {
        Map<String, HostTensor> copies = new LinkedHashMap<>();
        entries.forEach(entry -> copies.put(entry.name(), HostTensor.copyOf(entry)));
        return copies;
    }

    /** Frees the engine's memory. A second call does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            answer.close();
        }
    }
}
