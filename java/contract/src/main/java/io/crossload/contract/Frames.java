package io.crossload.contract;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads and writes frames: uint64 length, JSON header, tensor bytes (bindings/contract/README.md, section Frame).
 *
 * <p>An instance may be used by one reading thread and one writing thread at a time. It reads tensor bytes into direct buffers and reuses
 * these for the next frame.
 */
public final class Frames {
    /** The maximum length of a header, in bytes (64 MiB). */
    public static final int MAX_HEADER = 64 << 20;

    /** The maximum rank of a tensor: TensorFlow's limit (tensor_shape.h). */
    public static final int MAX_RANK = 254;

    /** Reads and writes the JSON of headers; refuses everything but one RFC 8259 value. */
    public static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(MAX_HEADER)
                            .maxNameLength(MAX_HEADER)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            // Names keep lone surrogates, too, which UTF-8 cannot encode.
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
            .build();

    // Buffers of up to this total size stay allocated between frames; larger ones are freed.
    private static final long KEPT = 256L << 20;
    private static final long DIMENSION_LIMIT = 1L << 62;
    // The length of a header is not trusted: the buffer grows with the bytes that arrive.
    private static final int STEP = 1 << 20;

    private final ReadableByteChannel source;
    private final WritableByteChannel target;
    private final SharedMemory shared;
    private final ByteBuffer prefix = direct(Long.BYTES);
    private final List<ByteBuffer> pool = new ArrayList<>();
    private ByteBuffer headerBuffer = direct(1 << 16);
    private ByteBuffer outgoing = direct(1 << 16);

    /**
     * Frames that carry all tensors in the streams.
     *
     * @param source a blocking channel to read from, null for a writer
     * @param target a blocking channel to write to, null for a reader
     */
    public Frames(ReadableByteChannel source, WritableByteChannel target) {
        this(source, target, null);
    }

    /**
     * Frames whose large tensors may lie in shared memory.
     *
     * @param source a blocking channel to read from
     * @param target a blocking channel to write to
     * @param shared where large tensors of requests and answers lie; null if all of them are in the streams
     */
    public Frames(ReadableByteChannel source, WritableByteChannel target, SharedMemory shared) {
        this.source = source;
        this.target = target;
        this.shared = shared;
    }

    /** {@return whether large tensors may lie in shared memory} */
    public boolean hasSharedMemory() {
        return shared != null;
    }

    /**
     * Reads the next frame. The data of its tensors are valid until the next call.
     *
     * @return null if the stream ends before the frame's first byte
     * @throws FrameException if the bytes are not a frame, or the stream ends inside it
     */
    public Frame read() throws IOException {
        fill(prefix.clear());
        if (prefix.position() == 0) {
            return null;
        }
        if (prefix.hasRemaining()) {
            throw new FrameException("the stream ends inside a frame: " + prefix.position() + " of 8 length bytes");
        }
        long length = prefix.getLong(0);
        if (length <= 0 || length > MAX_HEADER) {
            throw new FrameException("a frame's header of " + Long.toUnsignedString(length)
                    + " bytes: allowed are 1 to " + MAX_HEADER + " (is something else printing to this stream?)");
        }
        ObjectNode header = parse(readHeader((int) length));
        int used = 0;
        List<List<TensorEntry>> sides = new ArrayList<>();
        for (String side : List.of("inputs", "outputs")) {
            List<TensorEntry> tensors = new ArrayList<>();
            for (JsonNode entry : header.path(side)) {
                if (entry.path("parameters").has("binary_data_size")) {
                    tensors.add(readTensor(entry, used++));
                }
            }
            sides.add(tensors);
        }
        release();
        return new Frame(header, sides.get(0), sides.get(1));
    }

    /**
     * Writes one frame: the header, with descriptions of {@code inputs} and {@code outputs} added, then the tensors' bytes.
     *
     * @param header what the frame says beside its tensors
     * @param inputs null for a header without {@code inputs}
     * @param outputs null for a header without {@code outputs}
     * @throws IOException if the other end of the stream is closed
     */
    public void write(ObjectNode header, List<TensorEntry> inputs, List<TensorEntry> outputs) throws IOException {
        List<ByteBuffer> parts = new ArrayList<>();
        parts.add(null);
        describe(header, "inputs", inputs, parts);
        describe(header, "outputs", outputs, parts);
        byte[] text = JSON.writeValueAsBytes(header);
        if (outgoing.capacity() < Long.BYTES + text.length) {
            outgoing = direct(Long.BYTES + text.length);
        }
        outgoing.clear().putLong(text.length).put(text).flip();
        parts.set(0, outgoing);
        writeAll(parts.toArray(ByteBuffer[]::new));
    }

    private void describe(ObjectNode header, String side, List<TensorEntry> tensors, List<ByteBuffer> parts)
            throws IOException {
        if (tensors == null) {
            return;
        }
        long offset = 0;
        ArrayNode entries = header.putArray(side);
        for (TensorEntry tensor : tensors) {
            ObjectNode entry = entries.addObject()
                    .put("name", tensor.name())
                    .put("datatype", tensor.datatype().name());
            ArrayNode shape = entry.putArray("shape");
            tensor.shape().forEach(shape::add);
            ObjectNode parameters = entry.putObject("parameters")
                    .put("binary_data_size", tensor.data().remaining());
            if (tensor.rounding() != null) {
                parameters.put("rounding", tensor.rounding());
            }
            if (tensor.steps() != null) {
                parameters.put("scale", tensor.steps().scale());
                parameters.put("steps", tensor.steps().allowed());
            }
            if (shared != null && tensor.data().remaining() >= SharedMemory.LARGE) {
                parameters.put("shared_memory_offset", offset);
                offset = shared.write(tensor.data(), offset);
            } else {
                parts.add(tensor.data().duplicate());
            }
        }
    }

    private void writeAll(ByteBuffer[] parts) throws IOException {
        if (target instanceof GatheringByteChannel gathering) {
            for (int first = 0; first < parts.length; ) {
                if (parts[first].hasRemaining()) {
                    gathering.write(parts, first, parts.length - first);
                } else {
                    first++;
                }
            }
            return;
        }
        for (ByteBuffer part : parts) {
            while (part.hasRemaining()) {
                target.write(part);
            }
        }
    }

    private void fill(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining() && source.read(buffer) >= 0) {}
    }

    private ByteBuffer readHeader(int length) throws IOException {
        headerBuffer.clear();
        int received = 0;
        while (received < length) {
            if (headerBuffer.capacity() == received) {
                headerBuffer =
                        direct(Math.min(length, Math.max(STEP, 2 * received))).put(headerBuffer.flip());
            }
            fill(headerBuffer.limit(Math.min(length, headerBuffer.capacity())));
            received = headerBuffer.position();
            if (headerBuffer.hasRemaining()) {
                throw truncated("header", received, length);
            }
        }
        return headerBuffer.flip();
    }

    private static ObjectNode parse(ByteBuffer bytes) throws FrameException {
        JsonNode header;
        try {
            // This decoder refuses invalid UTF-8; Jackson would also accept UTF-16 and UTF-32.
            header = JSON.readTree(
                    StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
        } catch (CharacterCodingException error) {
            throw new FrameException("a frame's header is not UTF-8", error);
        } catch (JsonProcessingException error) {
            throw new FrameException("a frame's header is not JSON (" + error.getOriginalMessage() + ")", error);
        }
        if (!(header instanceof ObjectNode object)) {
            throw new FrameException("a frame's header is JSON but no object");
        }
        for (String side : List.of("inputs", "outputs")) {
            check(side, object.path(side));
        }
        return object;
    }

    private static void check(String side, JsonNode entries) throws FrameException {
        if (entries.isMissingNode()) {
            return;
        }
        Set<String> names = new HashSet<>();
        for (JsonNode entry :
                entries.isArray() ? entries : JSON.createArrayNode().add(0)) {
            if (!entry.path("name").isTextual()) {
                throw new FrameException("a frame's " + side + " is not a list of named tensors");
            }
            if (entry.has("parameters") && !entry.get("parameters").isObject()) {
                throw new FrameException("a frame's " + side + " has parameters that are no object");
            }
            if (!names.add(entry.get("name").textValue())) {
                throw new FrameException("a frame's " + side + " names " + entry.get("name") + " twice");
            }
        }
    }

    private TensorEntry readTensor(JsonNode entry, int position) throws IOException {
        String name = entry.get("name").textValue();
        Datatype datatype = Datatype.ofName(entry.path("datatype").textValue());
        if (datatype == null) {
            throw new FrameException(
                    "tensor '" + name + "': datatype " + entry.path("datatype") + " is not in the contract");
        }
        List<Long> shape = shape(name, entry.path("shape"));
        JsonNode announced = entry.get("parameters").get("binary_data_size");
        if (!isCount(announced) || (datatype.size() > 0 && announced.longValue() != product(shape, datatype.size()))) {
            throw new FrameException("tensor '" + name + "': " + announced + " bytes announced for "
                    + datatype.tensorflow() + " of shape " + shape);
        }
        JsonNode offset = entry.get("parameters").get("shared_memory_offset");
        if (offset != null && (shared == null || !isCount(offset))) {
            throw new FrameException("tensor '" + name + "' lies in shared memory at " + offset
                    + (shared == null ? ", which was not agreed on" : ", which is no offset"));
        }
        if (offset != null) {
            return new TensorEntry(name, datatype, shape, shared(name, offset.longValue(), announced.longValue()));
        }
        ByteBuffer data = buffer(name, position, announced.longValue());
        fill(data);
        if (data.hasRemaining()) {
            throw truncated("tensor '" + name + "'", data.position(), announced.longValue());
        }
        JsonNode parameters = entry.get("parameters");
        return new TensorEntry(name, datatype, shape, data.flip(), rounding(name, parameters), steps(name, parameters));
    }

    private static Double rounding(String name, JsonNode parameters) throws FrameException {
        JsonNode rounding = parameters.get("rounding");
        if (rounding == null) {
            return null;
        }
        if (!rounding.isNumber() || !(rounding.doubleValue() >= 0) || Double.isInfinite(rounding.doubleValue())) {
            throw new FrameException("tensor '" + name + "': rounding " + rounding + " is not a distance");
        }
        return rounding.doubleValue();
    }

    private static TensorEntry.Steps steps(String name, JsonNode parameters) throws FrameException {
        JsonNode scale = parameters.get("scale");
        if (scale == null) {
            return null;
        }
        if (!scale.isNumber() || !(scale.doubleValue() > 0) || Double.isInfinite(scale.doubleValue())) {
            throw new FrameException("tensor '" + name + "': scale " + scale + " is not a distance above 0");
        }
        JsonNode allowed = parameters.path("steps");
        if (!allowed.canConvertToInt() || !allowed.isIntegralNumber() || allowed.intValue() < 0) {
            throw new FrameException("tensor '" + name + "': steps " + allowed + " is not a count");
        }
        return new TensorEntry.Steps(scale.doubleValue(), allowed.intValue());
    }

    private ByteBuffer shared(String name, long offset, long size) throws IOException {
        ByteBuffer data = size > Integer.MAX_VALUE ? null : shared.read(offset, (int) size);
        if (data == null) {
            throw new FrameException(
                    "tensor '" + name + "' of " + size + " bytes is not in shared memory at " + offset);
        }
        return data;
    }

    private static List<Long> shape(String name, JsonNode dimensions) throws FrameException {
        List<Long> shape = new ArrayList<>();
        for (JsonNode dimension : dimensions) {
            shape.add(dimension.longValue());
            if (!isCount(dimension)) {
                throw new FrameException("tensor '" + name + "': shape " + dimensions + " is not a list of dimensions");
            }
        }
        if (!dimensions.isArray()) {
            throw new FrameException("tensor '" + name + "': shape " + dimensions + " is not a list of dimensions");
        }
        if (shape.size() > MAX_RANK) {
            throw new FrameException("tensor '" + name + "': shape of " + shape.size()
                    + " dimensions is not a list of dimensions of at most " + MAX_RANK);
        }
        return List.copyOf(shape);
    }

    private static boolean isCount(JsonNode value) {
        return value.isIntegralNumber()
                && value.canConvertToLong()
                && value.longValue() >= 0
                && value.longValue() < DIMENSION_LIMIT;
    }

    /** The product of dimensions and element size, -1 if it overflows a long; 0 if a dimension is 0. */
    private static long product(List<Long> shape, int size) {
        if (shape.contains(0L)) {
            return 0;
        }
        long product = size;
        for (long dimension : shape) {
            if (Math.multiplyHigh(product, dimension) != 0 || product * dimension < 0) {
                return -1;
            }
            product *= dimension;
        }
        return product;
    }

    private ByteBuffer buffer(String name, int position, long size) throws FrameException {
        if (size > Integer.MAX_VALUE) {
            throw new FrameException(
                    "tensor '" + name + "' of " + size + " bytes is larger than a Java buffer, which holds 2147483647");
        }
        while (pool.size() <= position) {
            pool.add(direct(0));
        }
        if (pool.get(position).capacity() < size) {
            pool.set(position, direct(0));
            try {
                pool.set(position, direct((int) size));
            } catch (OutOfMemoryError error) {
                throw new FrameException(
                        "tensor '" + name + "' of " + size
                                + " bytes does not fit in this JVM; raise -XX:MaxDirectMemorySize",
                        error);
            }
        }
        return pool.get(position).clear().limit((int) size);
    }

    private void release() {
        long kept = pool.stream().mapToLong(ByteBuffer::capacity).sum();
        if (kept > KEPT) {
            pool.clear();
        }
    }

    private static FrameException truncated(String what, long received, long announced) {
        return new FrameException(
                "the stream ends inside a frame's " + what + ": " + received + " of " + announced + " bytes");
    }

    private static ByteBuffer direct(int size) {
        return ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
