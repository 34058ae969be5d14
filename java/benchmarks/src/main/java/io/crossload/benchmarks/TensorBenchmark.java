package io.crossload.benchmarks;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.StdArrays;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.types.TFloat32;

/** Makes a tensor of 602,112 floats (four images) from the containers that a service may have them in. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class TensorBenchmark {
    private static final Shape SHAPE = Shape.of(4, 224, 224, 3);

    private final float[] array = new float[(int) SHAPE.size()];
    private final FloatBuffer direct = ByteBuffer.allocateDirect(Float.BYTES * array.length)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
    private final float[][][][] nested = new float[4][224][224][3];

    /** From a flat array. */
    @Benchmark
    public void flatArray() {
        TFloat32.tensorOf(SHAPE, DataBuffers.of(array, false, false)).close();
    }

    /** From a direct buffer. */
    @Benchmark
    public void directBuffer() {
        TFloat32.tensorOf(SHAPE, DataBuffers.of(direct.duplicate())).close();
    }

    /** From a nested array. */
    @Benchmark
    public void nestedArray() {
        TFloat32.tensorOf(StdArrays.ndCopyOf(nested)).close();
    }
}
