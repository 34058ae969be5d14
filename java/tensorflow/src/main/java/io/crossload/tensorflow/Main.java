package io.crossload.tensorflow;

import io.crossload.contract.FrameException;
import io.crossload.contract.Frames;
import io.crossload.contract.Streams;
import io.crossload.contract.WorkerLoop;
import java.io.IOException;

/** The worker process: {@code java -cp crossload-tensorflow-java.jar:<TensorFlow Java's jars> io.crossload.tensorflow.Main}. */
public final class Main {
    private Main() {}

    /** Answers requests on standard input until it ends; exits with status 1 where the streams cannot be used. */
    public static void main(String[] arguments) throws IOException {
        Frames frames = Streams.own(); // before any TensorFlow class is touched: natives print when they load
        try {
            new WorkerLoop(new TensorFlowWorker(), frames).run();
        } catch (FrameException error) {
            exit("%s; the stream cannot be read on".formatted(error.getMessage()));
        } catch (IOException error) {
            exit("nobody reads the answers any more (%s)".formatted(error.getMessage()));
        }
        // Native threads and shutdown hooks must not keep the process.
        System.exit(0);
    }

    private static void exit(String sentence) {
        System.err.println("tensorflow-java worker: " + sentence);
        System.exit(1);
    }
}
