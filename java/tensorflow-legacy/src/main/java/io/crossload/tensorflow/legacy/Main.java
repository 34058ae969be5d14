package io.crossload.tensorflow.legacy;

import io.crossload.worker.TensorFlowClassPath;
import io.crossload.worker.WorkerLoop;
import java.io.IOException;
import org.tensorflow.TensorFlow;

/** The worker process: {@code java -cp crossload-tensorflow-java-legacy.jar:<its jars> io.crossload.tensorflow.legacy.Main}. */
public final class Main {
    private Main() {}

    /** Answers the requests on standard input until it ends; exits with status 1 if the worker cannot start or its streams fail. */
    public static void main(String[] arguments) throws IOException {
        WorkerLoop.serve("tensorflow-java-legacy", () -> {
            new TensorFlowClassPath(Main.class.getClassLoader()).start(TensorFlow::version);
            return new LegacyWorker();
        });
    }
}
