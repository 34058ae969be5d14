package io.crossload.benchmarks;

import io.crossload.Bundle;
import io.crossload.HostTensor;
import io.crossload.Options;
import java.nio.file.Path;
import java.util.Map;

/** Opens a bundle (the argument) with the library and calls it once: the process's running time is the cold start. */
public final class FirstAnswer {
    private FirstAnswer() {}

    /** Calls the model once and exits. */
    public static void main(String[] arguments) {
        try (Bundle bundle = Bundle.open(Path.of(arguments[0]), Options.DEFAULTS.withWarmUp(false))) {
            HostTensor pixels = HostTensor.of(new float[64], 1, 8, 8, 1);
            System.out.println(bundle.signature("serving_default")
                    .call(Map.of("pixels", pixels))
                    .get("probabilities"));
        }
        System.exit(0); // native threads must not keep the process alive
    }
}
