package io.crossload.android;

import io.crossload.HostTensor;
import io.crossload.contract.TensorEntry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a typed client calls: a signature by its name, with tensors by theirs. Several threads may call it; the model runs one at a time. */
public final class ModelCalls implements AutoCloseable {
    private final Map<String, HandedSignature> signatures;
    private final ModelRunner runner;

    /** Over a model, which {@link #close} closes. */
    public ModelCalls(HandedBundle bundle, ModelRunner runner) {
        this.signatures = bundle.signatures();
        this.runner = runner;
    }

    /** The outputs of a signature. */
    public synchronized Map<String, HostTensor> call(String signature, Map<String, HostTensor> inputs) {
        Map<String, TensorEntry> given = new LinkedHashMap<>();
        inputs.forEach((name, tensor) -> {
            List<Long> shape = new ArrayList<>();
            for (long dimension : tensor.shape()) {
                shape.add(dimension);
            }
            given.put(name, new TensorEntry(name, tensor.datatype(), shape, tensor.buffer()));
        });
        Map<String, HostTensor> answer = new LinkedHashMap<>();
        runner.run(signatures.get(signature), given).forEach((name, entry) -> answer.put(name, HostTensor.viewOf(entry)));
        return answer;
    }

    /** Sets the variables of the model to their first values. */
    public synchronized void reset() {
        runner.reset();
    }

    @Override
    public synchronized void close() {
        runner.close();
    }
}
