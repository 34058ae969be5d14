package io.crossload.tflite;

import io.crossload.worker.WorkerLoop;
import java.io.IOException;

/** The worker process: {@code java -cp crossload-tflite-java.jar:<tensorflow-lite's jars> io.crossload.tflite.Main}. */
public final class Main {
    private Main() {}

    /** Answers the requests on standard input until it ends; exits with status 1 if the worker cannot start or its streams fail. */
    public static void main(String[] arguments) throws IOException {
        WorkerLoop.serve("tflite-java", LiteWorker::new);
    }
}
