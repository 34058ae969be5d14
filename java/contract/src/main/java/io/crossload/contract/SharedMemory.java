package io.crossload.contract;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * The memory that the core shares with a worker: two files in memory, one for requests and one for answers
 * (bindings/contract/README.md, section Shared memory).
 */
public final class SharedMemory {
    /** The name of the extension in a worker's metadata. */
    public static final String EXTENSION = "shared_memory";

    /** Tensors of this size and more go through shared memory, in bytes. */
    static final int LARGE = 1 << 20;

    private static final int ALIGNMENT = 64;

    private final Region requests;
    private final Region answers;

    SharedMemory(FileChannel requests, FileChannel answers) {
        this.requests = new Region(requests);
        this.answers = new Region(answers);
    }

    /**
     * The core's files, by their descriptors in the variable {@code CROSSLOAD_SHARED_MEMORY}.
     *
     * @param variable the variable's value, null where it is not set
     * @return null where the core passed on no such files: a worker behind ssh or in a container does not have them
     */
    public static SharedMemory of(String variable) {
        List<String> descriptors = variable == null ? List.of() : List.of(variable.split(","));
        if (descriptors.size() != 2) {
            return null;
        }
        try {
            return new SharedMemory(
                    open(descriptors.get(0), "crossload-requests"), open(descriptors.get(1), "crossload-answers"));
        } catch (IOException | RuntimeException error) {
            return null;
        }
    }

    private static FileChannel open(String descriptor, String name) throws IOException {
        Path path = Path.of("/proc/self/fd", descriptor);
        if (!Files.readSymbolicLink(path).toString().startsWith("/memfd:" + name)) {
            throw new IOException("descriptor " + descriptor + " is another file");
        }
        return FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /**
     * The bytes of a request's tensor, valid until the next request.
     *
     * @return null if the file ends before them
     */
    ByteBuffer read(long offset, int size) throws IOException {
        return offset + size > requests.channel.size() ? null : requests.window(offset, size);
    }

    /** Writes an answer's bytes; the buffer's position stays. Returns the offset at which the next tensor may begin. */
    long write(ByteBuffer data, long offset) throws IOException {
        answers.window(offset, data.remaining()).put(data.duplicate());
        return (offset + data.remaining() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** A file in memory, mapped as far as one buffer goes. */
    private static final class Region {
        private final FileChannel channel;
        private ByteBuffer mapped = ByteBuffer.allocate(0);

        Region(FileChannel channel) {
            this.channel = channel;
        }

        /** A part of the file, which is made longer where it ends before. */
        ByteBuffer window(long offset, int size) throws IOException {
            long end = offset + size;
            if (end > Integer.MAX_VALUE) {
                return channel.map(MapMode.READ_WRITE, offset, size).order(ByteOrder.LITTLE_ENDIAN);
            }
            if (end > mapped.capacity()) {
                mapped = channel.map(MapMode.READ_WRITE, 0, end);
            }
            return mapped.slice((int) offset, size).order(ByteOrder.LITTLE_ENDIAN);
        }
    }
}
