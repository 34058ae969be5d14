package io.crossload.contract;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The contract's datatypes. The name of a constant is the contract's name of the datatype.
 *
 * <p>Sources: Open Inference Protocol v2 (tensor data types), tensorflow/core/framework/types.proto (enum DataType).
 */
public enum Datatype {
    /** {@code float32}, 4 bytes an element. */
    FP32("float32", 1, 4),
    /** {@code float64}, 8 bytes an element. */
    FP64("float64", 2, 8),
    /** {@code int32}, 4 bytes an element. */
    INT32("int32", 3, 4),
    /** {@code uint8}, one byte an element. */
    UINT8("uint8", 4, 1),
    /** {@code int16}, 2 bytes an element. */
    INT16("int16", 5, 2),
    /** {@code int8}, one byte an element. */
    INT8("int8", 6, 1),
    /** {@code string}: bytes of any length. */
    BYTES("string", 7, 0),
    /** {@code complex64}, 8 bytes an element. */
    COMPLEX64("complex64", 8, 8),
    /** {@code int64}, 8 bytes an element. */
    INT64("int64", 9, 8),
    /** {@code bool}, one byte an element. */
    BOOL("bool", 10, 1),
    /** {@code bfloat16}, 2 bytes an element. */
    BF16("bfloat16", 14, 2),
    /** {@code uint16}, 2 bytes an element. */
    UINT16("uint16", 17, 2),
    /** {@code complex128}, 16 bytes an element. */
    COMPLEX128("complex128", 18, 16),
    /** {@code float16}, 2 bytes an element. */
    FP16("float16", 19, 2),
    /** {@code uint32}, 4 bytes an element. */
    UINT32("uint32", 22, 4),
    /** {@code uint64}, 8 bytes an element. */
    UINT64("uint64", 23, 8),
    /** {@code float8_e5m2}, one byte an element. */
    FP8_E5M2("float8_e5m2", 24, 1),
    /** {@code float8_e4m3fn}, one byte an element. */
    FP8_E4M3FN("float8_e4m3fn", 25, 1),
    /** {@code int4}, one byte an element. */
    INT4("int4", 29, 1),
    /** {@code uint4}, one byte an element. */
    UINT4("uint4", 30, 1);

    private static final Map<String, Datatype> BY_NAME =
            Arrays.stream(values()).collect(Collectors.toMap(Enum::name, Function.identity()));

    private static final Datatype[] BY_NUMBER = new Datatype[31];

    static {
        for (Datatype datatype : values()) {
            BY_NUMBER[datatype.number] = datatype;
        }
    }

    private final String tensorflow;
    private final int number;
    private final int size;

    Datatype(String tensorflow, int number, int size) {
        this.tensorflow = tensorflow;
        this.number = number;
        this.size = size;
    }

    /** {@return TensorFlow's name, for messages: {@code float32}} */
    public String tensorflow() {
        return tensorflow;
    }

    /** {@return the number in TensorFlow's types.proto} */
    public int number() {
        return number;
    }

    /** {@return the bytes of an element on the wire; 0 for BYTES, whose elements have different lengths} */
    public int size() {
        return size;
    }

    /**
     * {@return the datatype with this name in the contract, or null if the contract has none}
     *
     * @param name the contract's name: {@code FP32}
     */
    public static Datatype ofName(String name) {
        return BY_NAME.get(name);
    }

    /**
     * The datatype with this number in types.proto.
     *
     * @param number a reference type (number + 100) counts as the type that it refers to
     * @return null for types that the contract does not have (resource, variant, …)
     */
    public static Datatype ofNumber(int number) {
        int plain = number > 100 ? number - 100 : number;
        return plain >= 0 && plain < BY_NUMBER.length ? BY_NUMBER[plain] : null;
    }

    /**
     * {@return the elements of a BYTES tensor: each a uint32 length, then that many bytes of any value}
     *
     * @param data from position to limit, little-endian
     * @throws FrameException if an element ends outside the data
     */
    public static List<byte[]> decodeBytes(ByteBuffer data) throws FrameException {
        ByteBuffer rest = data.slice().order(ByteOrder.LITTLE_ENDIAN);
        List<byte[]> elements = new ArrayList<>();
        while (rest.hasRemaining()) {
            if (rest.remaining() < Integer.BYTES) {
                throw new FrameException("a BYTES tensor ends inside an element's length");
            }
            long length = Integer.toUnsignedLong(rest.getInt());
            if (length > rest.remaining()) {
                throw new FrameException("a BYTES tensor ends inside an element");
            }
            byte[] element = new byte[(int) length];
            rest.get(element);
            elements.add(element);
        }
        return elements;
    }

    /**
     * {@return the wire bytes of string elements: a direct, little-endian buffer}
     *
     * @param elements the strings, row major
     * @throws ArithmeticException if they exceed a Java buffer (2 GiB)
     */
    public static ByteBuffer encodeBytes(Iterable<byte[]> elements) {
        int total = 0;
        for (byte[] element : elements) {
            total = Math.addExact(total, Math.addExact(Integer.BYTES, element.length));
        }
        ByteBuffer data = ByteBuffer.allocateDirect(total).order(ByteOrder.LITTLE_ENDIAN);
        for (byte[] element : elements) {
            data.putInt(element.length).put(element);
        }
        ((Buffer) data).flip(); // ByteBuffer's own flip() is not on older Androids
        return data;
    }
}
