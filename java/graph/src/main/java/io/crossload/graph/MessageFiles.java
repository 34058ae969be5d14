package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads protobuf messages from files, binary or text by content: some .pb files contain text. */
final class MessageFiles {
    // The limit of a byte array, and of a protobuf message.
    private static final long MOST_BYTES = Integer.MAX_VALUE - 8;

    private MessageFiles() {}

    /**
     * A file's bytes.
     *
     * @throws WorkerException NOT_FOUND if it cannot be read; INVALID_ARGUMENT if it has 2 GiB or more
     */
    static byte[] content(Path path) throws WorkerException {
        try {
            if (Files.size(path) > MOST_BYTES) {
                throw new WorkerException(
                        Code.INVALID_ARGUMENT,
                        path
                                + " has %,d bytes, and a graph's message ends at 2 GiB; keep its weights in variables (a SavedModel)"
                                        .formatted(Files.size(path)));
            }
            return Files.readAllBytes(path);
        } catch (IOException error) {
            throw new WorkerException(Code.NOT_FOUND, path + " cannot be read: " + error.getMessage(), error);
        }
    }

    /**
     * Parses a file's content into a builder.
     *
     * @param kind the message's type, for the error
     * @throws WorkerException INVALID_ARGUMENT if the content is not such a message, neither binary nor text
     */
    static <B extends Message.Builder> B parse(Path path, byte[] content, B message, String kind)
            throws WorkerException {
        try {
            message.mergeFrom(content);
            return message;
        } catch (InvalidProtocolBufferException binary) {
            message.clear();
            return text(path, content, message, kind, binary);
        }
    }

    private static <B extends Message.Builder> B text(
            Path path, byte[] content, B message, String kind, InvalidProtocolBufferException binary)
            throws WorkerException {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(content))
                    .toString();
        } catch (CharacterCodingException error) {
            throw none(path, kind + ": " + binary.getMessage(), binary);
        }
        try {
            TextFormat.merge(text, message); // the oldest releases' protobuf has no TextFormat.parse
            return message;
        } catch (TextFormat.ParseException error) {
            throw none(path, kind + ", neither binary nor text: " + error.getMessage(), error);
        }
    }

    private static WorkerException none(Path path, String kind, Exception cause) {
        return new WorkerException(Code.INVALID_ARGUMENT, path + " is no " + kind, cause);
    }
}
