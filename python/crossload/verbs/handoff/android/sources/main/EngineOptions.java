package io.crossload.android;

/**
 * How an engine runs the model.
 *
 * @param delegate what computes
 * @param float32 whether a GPU or NNAPI must compute float32 models in float32; without, it may compute in half precision
 * @param threads the threads of a CPU; 0 for the engine's own choice
 */
public record EngineOptions(Delegate delegate, boolean float32, int threads) {
    /** The fast kernels of the CPU. */
    public static final EngineOptions DEFAULT = new EngineOptions(Delegate.XNNPACK, true, 0);

    /** What computes. */
    public enum Delegate {
        /** TensorFlow Lite's own kernels. */
        CPU,
        /** The CPU with XNNPACK, the default of both engines. */
        XNNPACK,
        /** The GPU. */
        GPU,
        /** Android's neural networks API, deprecated since Android 15; only TensorFlow Lite. */
        NNAPI,
        /** The neural processor; only LiteRT. */
        NPU;

        boolean isCpu() {
            return this == CPU || this == XNNPACK;
        }
    }

    /**
     * The options of words such as {@code gpu}, {@code gpu-float32}, {@code xnnpack}.
     *
     * @throws IllegalArgumentException for an unknown word
     */
    public static EngineOptions of(String words) {
        boolean forced = words.endsWith("-float32");
        String name = forced ? words.substring(0, words.length() - "-float32".length()) : words;
        for (Delegate delegate : Delegate.values()) {
            if (delegate.name().equalsIgnoreCase(name)) {
                return new EngineOptions(delegate, forced || delegate.isCpu(), 0);
            }
        }
        throw new IllegalArgumentException("the delegate '" + words
                + "' is unknown; there are: cpu, xnnpack, gpu, gpu-float32, nnapi, nnapi-float32, npu");
    }

    /** The words for {@link #of}. */
    @Override
    public String toString() {
        String name = delegate.name().toLowerCase(java.util.Locale.ROOT);
        return float32 && !delegate.isCpu() ? name + "-float32" : name;
    }
}
