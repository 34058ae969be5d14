package io.crossload.tflite;

import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import org.bytedeco.tensorflowlite.global.tensorflowlite;

/** The runtime tflite-java: .tflite files in TensorFlow Lite's C++ interpreter. */
final class LiteWorker implements Worker {
    private final Metadata metadata;

    LiteWorker() {
        String version = tensorflowlite.TfLiteVersion().getString();
        Map<String, Object> parameters = Map.of(
                "native",
                "TensorFlow Lite " + version,
                "threads",
                1,
                "delegate",
                "XNNPACK, where it takes the model",
                "datatypes",
                LiteTensors.carried());
        metadata = new Metadata("tflite-java", version, List.of("tflite"), parameters);
    }

    @Override
    public Metadata metadata() {
        return metadata;
    }

    @Override
    public Model load(LoadRequest request) throws WorkerException {
        return new LiteModel(request.path().toString(), request.signatures(), request.keepState());
    }

    @Override
    public Code code(Throwable error) {
        return error instanceof InterpreterException ? Code.INVALID_ARGUMENT : Worker.super.code(error);
    }
}
