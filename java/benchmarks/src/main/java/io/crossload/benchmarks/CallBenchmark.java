package io.crossload.benchmarks;

import io.crossload.BoundSignature;
import io.crossload.Bundle;
import io.crossload.HostTensor;
import io.crossload.Outputs;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt32;
import org.tensorflow.types.TString;

/**
 * One call, from arrays to an array: with the library and with TensorFlow Java alone. The system property crossload.bench.bundle is the
 * folder of a bundle with these signatures.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 5) // until the slower compiler is through, on a busy machine too
@Measurement(iterations = 3, time = 1)
public class CallBenchmark {
    private static final String[] TOKENS = {"input_ids", "input_mask", "segment_ids"};

    /** The signature: a digit (64 floats), an image (2.4 MB in and out), a BERT-like batch (three int32 [32, 128]), 1,000 texts. */
    @Param({"digit", "image", "bert", "texts"})
    private String signature;

    private float[] floats;
    private final int[][] tokens = new int[TOKENS.length][32 * 128];
    private final String[] texts = new String[1000];
    private long[] shape;
    private Bundle bundle;
    private BoundSignature bound;
    private SavedModelBundle bare;
    private Map<String, String> inputs;
    private String output;

    /** Loads the model twice: with the library, and with TensorFlow Java. */
    @Setup
    public void load() {
        Random random = new Random(0);
        shape = signature.equals("image") ? new long[] {4, 224, 224, 3} : new long[] {1, 8, 8, 1};
        floats = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = random.nextFloat();
        }
        for (int[] of : tokens) {
            Arrays.setAll(of, i -> random.nextInt(1000));
        }
        Arrays.setAll(texts, i -> "A text of SOME words, number " + i);
        Path path = Path.of(System.getProperty("crossload.bench.bundle"));
        bundle = Bundle.open(path);
        bound = bundle.signature(signature);
        bare = SavedModelBundle.load(path.resolve("saved_model").toString(), "serve");
        var binding = bundle.artifact().bindings().get(signature);
        inputs = binding.inputs();
        output = binding.outputs().get("y");
    }

    /** Frees both. */
    @TearDown
    public void free() {
        bundle.close();
        bare.close();
    }

    /** {@link BoundSignature#run(Map)}, as a generated client calls it. */
    @Benchmark
    public Object library() {
        Map<String, HostTensor> given = new HashMap<>();
        switch (signature) {
            case "bert" -> {
                for (int i = 0; i < TOKENS.length; i++) {
                    given.put(TOKENS[i], HostTensor.over(tokens[i], 32, 128));
                }
            }
            case "texts" -> given.put("x", HostTensor.of(texts, texts.length));
            default -> given.put("x", HostTensor.over(floats, shape));
        }
        try (Outputs outputs = bound.run(given)) {
            HostTensor y = outputs.get("y");
            return signature.equals("texts") ? y.strings() : y.floats();
        }
    }

    /** {@code Session.runner()}, with the same arrays copied in and out. */
    @Benchmark
    public Object bare() {
        Session.Runner runner = bare.session().runner();
        Tensor[] fed = new Tensor[inputs.size()];
        try {
            switch (signature) {
                case "bert" -> {
                    for (int i = 0; i < TOKENS.length; i++) {
                        fed[i] = TInt32.tensorOf(Shape.of(32, 128), DataBuffers.of(tokens[i]));
                        runner.feed(inputs.get(TOKENS[i]), fed[i]);
                    }
                }
                case "texts" -> {
                    fed[0] = TString.tensorOf(Shape.of(texts.length), DataBuffers.ofObjects(texts));
                    runner.feed(inputs.get("x"), fed[0]);
                }
                default -> {
                    fed[0] = TFloat32.tensorOf(Shape.of(shape), DataBuffers.of(floats));
                    runner.feed(inputs.get("x"), fed[0]);
                }
            }
            try (Result result = runner.fetch(output).run()) {
                return result.get(0) instanceof TFloat32 y ? read(y) : read((TString) result.get(0));
            }
        } finally {
            for (Tensor tensor : fed) {
                tensor.close();
            }
        }
    }

    private static float[] read(TFloat32 tensor) {
        float[] values = new float[(int) tensor.size()];
        tensor.copyTo(DataBuffers.of(values, false, false));
        return values;
    }

    private static String[] read(TString tensor) {
        String[] values = new String[(int) tensor.size()];
        tensor.copyTo(DataBuffers.of(values, false, false));
        return values;
    }
}
