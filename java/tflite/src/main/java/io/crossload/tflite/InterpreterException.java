package io.crossload.tflite;

/** A call of the interpreter that failed, with what the interpreter said. */
final class InterpreterException extends RuntimeException {
    private static final long serialVersionUID = 1;

    InterpreterException(String sentence) {
        super(sentence, null, false, false); // where it failed is in native code
    }
}
