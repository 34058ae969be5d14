package com.example.service;

import com.example.spam.SpamClient;
import io.crossload.Bundle;
import io.crossload.HostTensor;
import io.crossload.compare.Agreement;
import io.crossload.compare.Judge;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Vector;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.stereotype.Component;

/** Up if the model still gives a recorded answer, by the same judge as the client's own test. */
@Component
class ModelHealthIndicator implements HealthIndicator {
    private static final String SIGNATURE = "serving_default";

    private final Bundle bundle;
    private final Vector recorded;

    ModelHealthIndicator(SpamClient model) {
        bundle = model.bundle();
        recorded = bundle.vectors(SIGNATURE).get(0);
    }

    @Override
    public Health health() {
        Map<String, HostTensor> inputs = new LinkedHashMap<>();
        recorded.inputs().forEach((name, entry) -> inputs.put(name, HostTensor.viewOf(entry)));
        Map<String, TensorEntry> answer = new LinkedHashMap<>();
        bundle.signature(SIGNATURE).call(inputs).forEach((name, tensor) -> answer.put(name, entry(name, tensor)));
        var judgement = Judge.judge(recorded.outputs(), answer, bundle.manifest().tolerance(), false);
        var health = judgement.agreement().atLeast(Agreement.CLOSE) ? Health.up() : Health.down();
        return health.withDetail("model", bundle.toString())
                .withDetail(recorded.id(), judgement.toString())
                .build();
    }

    private static TensorEntry entry(String name, HostTensor tensor) {
        var shape = Arrays.stream(tensor.shape()).boxed().toList();
        return new TensorEntry(name, tensor.datatype(), shape, tensor.buffer());
    }
}
