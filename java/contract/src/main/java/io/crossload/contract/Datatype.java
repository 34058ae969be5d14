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
    FP32("float32", 1, 4),
    FP64("float64", 2, 8),
    INT32("int32", 3, 4),
    UINT8("uint8", 4, 1),
    INT16("int16", 5, 2),
    INT8("int8", 6, 1),
    BYTES("string", 7, 0),
    COMPLEX64("complex64", 8, 8),
    INT64("int64", 9, 8),
    BOOL("bool", 10, 1),
    BF16("bfloat16", 14, 2),
    UINT16("uint16", 17, 2),
    COMPLEX128("complex128", 18, 16),
    FP16("float16", 19, 2),
    UINT32("uint32", 22, 4),
    UINT64("uint64", 23, 8),
    FP8_E5M2("float8_e5m2", 24, 1),
    FP8_E4M3FN("float8_e4m3fn", 25, 1),
    INT4("int4", 29, 1),
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

    /** TensorFlow's name, for messages: {@code float32}. */
    public String tensorflow() {
        return tensorflow;
    }

    /** The number in TensorFlow's types.proto. */
    public int number() {
        return number;
    }

    /** The bytes of an element on the wire; 0 for BYTES, whose elements have different lengths. */
    public int size() {
        return size;
    }

    /** The datatype with this name in the contract, or null if the contract has none. */
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
     * The elements of a BYTES tensor: each a uint32 length, then that many bytes of any value.
     *
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
     * The wire bytes of string elements: a direct, little-endian buffer.
     *
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
