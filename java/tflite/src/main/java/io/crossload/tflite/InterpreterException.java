package io.crossload.tflite;

/** A call of the interpreter failed; the message is the interpreter's error text. */
final class InterpreterException extends RuntimeException {
    private static final long serialVersionUID = 1;

    InterpreterException(String sentence) {
        super(sentence, null, false, false); // without stack trace: the failure is in native code
    }
}
