package io.crossload.djl;

import ai.djl.engine.EngineException;
import io.crossload.worker.WorkerLoop;
import java.io.IOException;
import java.util.List;

/** The worker process: {@code java -cp crossload-djl.jar:<DJL's jars> io.crossload.djl.Main [--unnamed]}. */
public final class Main {
    private Main() {}

    /**
     * Answers the requests on standard input until it ends; exits with status 1 if the worker cannot start or its streams fail.
     *
     * @param arguments {@code --unnamed}: DJL gets arrays without names
     */
    public static void main(String[] arguments) throws IOException {
        // DJL would fetch natives, and report its use, over the network.
        System.setProperty("ai.djl.offline", "true");
        boolean named = !List.of(arguments).contains("--unnamed");
        WorkerLoop.serve(named ? "djl" : "djl+unnamed", () -> {
            try {
                return new DjlWorker(named);
            } catch (EngineException error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                throw new IllegalStateException(
                        "DJL's TensorFlow engine does not start (%s); its natives belong on java.library.path"
                                .formatted(cause),
                        error);
            }
        });
    }
}
