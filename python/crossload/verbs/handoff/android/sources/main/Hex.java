package io.crossload.android;

/** Bytes as hexadecimal digits. */
final class Hex {
    private static final char[] DIGITS = "0123456789abcdef".toCharArray();

    private Hex() {}

    static String of(byte[] bytes) {
        char[] text = new char[2 * bytes.length];
        for (int at = 0; at < bytes.length; at++) {
            text[2 * at] = DIGITS[bytes[at] >> 4 & 0xf];
            text[2 * at + 1] = DIGITS[bytes[at] & 0xf];
        }
        return new String(text);
    }
}
