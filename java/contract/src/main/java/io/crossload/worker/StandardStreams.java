package io.crossload.worker;

import io.crossload.contract.Frames;
import io.crossload.contract.SharedMemory;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;

/** Reserves standard input and output for the worker protocol: output of models and libraries must not get between frames. */
public final class StandardStreams {
    private StandardStreams() {}

    /**
     * Reserves the streams. From now on System.out prints to standard error, and native writes to descriptor 1 are discarded. If the
     * descriptor cannot be opened again (a socket), only System.out is redirected.
     *
     * @return frames that read standard input and write standard output, and the core's shared memory where it has some
     * @throws IOException if standard output cannot be opened or closed
     */
    @SuppressWarnings("resource") // the protocol's streams live as long as the process
    public static Frames takeOver() throws IOException {
        FileOutputStream target = reopened();
        if (target == null) {
            target = new FileOutputStream(FileDescriptor.out);
        } else {
            // The JDK never frees descriptor 1: closing it points it at /dev/null.
            new FileOutputStream(FileDescriptor.out).close();
        }
        System.setOut(System.err);
        return new Frames(
                new FileInputStream(FileDescriptor.in).getChannel(),
                target.getChannel(),
                SharedMemory.of(System.getenv("CROSSLOAD_SHARED_MEMORY")));
    }

    private static FileOutputStream reopened() {
        try {
            // Append mode keeps the earlier content of a regular file.
            return new FileOutputStream("/dev/fd/1", true);
        } catch (IOException error) {
            return null;
        }
    }
}
