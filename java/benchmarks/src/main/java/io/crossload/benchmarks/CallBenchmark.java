package io.crossload.benchmarks;

import io.crossload.Bundle;
import io.crossload.Signature;
import io.crossload.Tensor;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.types.TFloat32;

/**
 * One call for one digit, from a float array to a float array: with the library and with TensorFlow Java alone. The system property
 * crossload.bench.bundle is the bundle's folder.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 5) // until the slower compiler is through, on a busy machine too
@Measurement(iterations = 3, time = 1)
public class CallBenchmark {
    private final float[] pixels = new float[64];
    private Bundle bundle;
    private Signature signature;
    private SavedModelBundle bare;
    private String input;
    private String output;

    /** Loads the model twice: with the library, and with TensorFlow Java. */
    @Setup
    public void load() {
        Random random = new Random(0);
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = random.nextFloat();
        }
        Path path = Path.of(System.getProperty("crossload.bench.bundle"));
        bundle = Bundle.open(path);
        signature = bundle.signature("serving_default");
        bare = SavedModelBundle.load(path.resolve("saved_model").toString(), "serve");
        var binding = bundle.artifact().bindings().get("serving_default");
        input = binding.inputs().get("pixels");
        output = binding.outputs().get("probabilities");
    }

    /** Frees both. */
    @TearDown
    public void free() {
        bundle.close();
        bare.close();
    }

    /** {@link Signature#call(Map)}. */
    @Benchmark
    public float[] library() {
        return signature
                .call(Map.of("pixels", Tensor.of(pixels, 1, 8, 8, 1)))
                .get("probabilities")
                .floats();
    }

    /** {@code Session.runner()}, with the same array copied in and out. */
    @Benchmark
    public float[] bare() {
        try (TFloat32 fed = TFloat32.tensorOf(Shape.of(1, 8, 8, 1), DataBuffers.of(pixels));
                Result result =
                        bare.session().runner().feed(input, fed).fetch(output).run()) {
            TFloat32 probabilities = (TFloat32) result.get(0);
            float[] values = new float[(int) probabilities.size()];
            probabilities.copyTo(DataBuffers.of(values, false, false));
            return values;
        }
    }
}
