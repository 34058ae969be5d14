/** The engine's jar is the automatic module io.crossload, whichever engine it is; the modules of TensorFlow Java 1.x have names of their own. */
module com.example.modular {
    requires io.crossload;
    requires tensorflow;
}
