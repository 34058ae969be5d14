package io.crossload.android;

import android.content.Context;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.gpu.GpuDelegateFactory;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** The engine of the flavour tflite: {@code org.tensorflow.lite.Interpreter}. */
public final class Engines {
    /** The engine's name in reports. */
    public static final String NAME = "tflite-android";

    private Engines() {}

    /**
     * Loads the model.
     *
     * @throws IOException if its file cannot be read or is not the one that was handed over
     * @throws IllegalArgumentException if this engine has no such delegate, or does not take the file
     */
    public static ModelRunner load(Context context, HandedBundle bundle, EngineOptions options) throws IOException {
        Interpreter.Options given = new Interpreter.Options();
        List<AutoCloseable> owned = new ArrayList<>();
        if (options.threads() > 0) {
            given.setNumThreads(options.threads());
        }
        switch (options.delegate()) {
            case CPU -> given.setUseXNNPACK(false);
            case XNNPACK -> given.setUseXNNPACK(true);
            case GPU -> {
                GpuDelegateFactory.Options gpu = new GpuDelegateFactory.Options();
                gpu.setPrecisionLossAllowed(!options.float32());
                GpuDelegate delegate = new GpuDelegate(gpu);
                owned.add(delegate::close);
                given.addDelegate(delegate);
            }
            case NNAPI -> {
                NnApiDelegate delegate = new NnApiDelegate(new NnApiDelegate.Options().setAllowFp16(!options.float32()));
                owned.add(delegate);
                given.addDelegate(delegate);
            }
            default -> throw new IllegalArgumentException(
                    "TensorFlow Lite has no delegate '" + options + "'; build the flavour litert for it");
        }
        return new InterpreterRunner(bundle.model(), given, owned);
    }
}
