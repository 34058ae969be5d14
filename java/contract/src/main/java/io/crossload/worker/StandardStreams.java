package io.crossload.worker;

import io.crossload.contract.Frames;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;

/** Takes standard input and output for the protocol, so that nothing a model or a library prints gets between frames. */
public final class StandardStreams {
    private StandardStreams() {}

    /**
     * Frames on standard input and output. What Java code prints from now on goes to standard error; what native code writes to
     * descriptor 1 goes nowhere. Where the descriptor cannot be opened again (a socket), only Java's printing is kept out.
     *
     * @throws IOException when standard output cannot be taken
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
        return new Frames(new FileInputStream(FileDescriptor.in).getChannel(), target.getChannel());
    }

    private static FileOutputStream reopened() {
        try {
            // Appending keeps what a regular file holds already.
            return new FileOutputStream("/dev/fd/1", true);
        } catch (IOException error) {
            return null;
        }
    }
}
