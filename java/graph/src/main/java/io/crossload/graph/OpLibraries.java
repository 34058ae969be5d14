package io.crossload.graph;

import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** Libraries of custom ops: what is said of those that do not load. */
final class OpLibraries {
    private static final int ELF = 0x464c457f;
    private static final int HEADER = 64;

    private OpLibraries() {}

    /**
     * Refuses a file that is no shared library, or that is cut off: the loader would die of that by SIGBUS.
     *
     * @throws WorkerException INVALID_ARGUMENT
     */
    static void check(Path library) throws WorkerException {
        ByteBuffer head;
        long size;
        try (InputStream stream = Files.newInputStream(library)) {
            head = ByteBuffer.wrap(stream.readNBytes(HEADER)).order(ByteOrder.LITTLE_ENDIAN);
            size = Files.size(library);
        } catch (IOException error) {
            throw new WorkerException(Code.INVALID_ARGUMENT, "the op library " + library + " cannot be read", error);
        }
        if (head.capacity() < Integer.BYTES || head.getInt(0) != ELF) {
            if (System.getProperty("os.name").equals("Linux")) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT,
                        library + " is no shared library; --op-library takes the .so that registers the ops");
            }
            return;
        }
        // ELF-64: the table of sections is the file's last part (elf.h, Elf64_Ehdr: e_shoff, e_shentsize, e_shnum).
        if (head.capacity() < HEADER || size < head.getLong(40) + (long) head.getShort(58) * head.getShort(60)) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT, "the op library " + library + " is cut off; copy or build it again");
        }
    }

    /** The refusal of a library that native TensorFlow does not load. */
    static WorkerException unloadable(Path library, String release, Throwable error) {
        return new WorkerException(
                Code.INVALID_ARGUMENT,
                "the op library " + library + " does not load in TensorFlow " + release + ": " + error.getMessage()
                        + "; build it with this release's headers (tf.sysconfig.get_include()) and flags",
                error);
    }
}
