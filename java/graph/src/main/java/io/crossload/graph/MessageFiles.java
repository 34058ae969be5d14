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

/** Reads TensorFlow's messages from files, binary or text by what a file holds: many a .pb holds text. */
final class MessageFiles {
    // The most that a byte array holds, and protobuf's own end of a message.
    private static final long MOST_BYTES = Integer.MAX_VALUE - 8;

    private MessageFiles() {}

    /**
     * A file's bytes.
     *
     * @throws WorkerException NOT_FOUND for one that cannot be read, INVALID_ARGUMENT for one of 2 GiB or more
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
     * Merges the message that a file holds into a builder.
     *
     * @param kind the message's name, for the sentence
     * @throws WorkerException INVALID_ARGUMENT for a file that holds none, neither binary nor text
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
