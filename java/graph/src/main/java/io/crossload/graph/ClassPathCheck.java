package io.crossload.graph;

import java.net.URL;
import java.util.List;

/** Tells what is wrong with a class path's TensorFlow Java before a model is blamed. */
public final class ClassPathCheck {
    // In one jar of each release, whatever its generation.
    private static final String TENSORFLOW = "org/tensorflow/TensorFlow.class";

    private ClassPathCheck() {}

    /**
     * Passes a class path with one TensorFlow Java and its natives for this platform. The classes and natives of two releases fit together at random;
     * loading both natives aborts the process.
     *
     * @param natives any call that loads the native library; made only where there is one TensorFlow Java
     * @throws IllegalStateException with a sentence, where there is none or more than one, or no native library
     */
    public static void requireOneTensorFlow(Runnable natives) {
        List<String> jars = jars();
        if (jars.isEmpty()) {
            throw new IllegalStateException("there is no TensorFlow Java on the class path;"
                    + " add org.tensorflow:tensorflow-core-platform, or org.tensorflow:tensorflow before 2.0");
        }
        if (jars.size() > 1) {
            throw new IllegalStateException(
                    "there are two TensorFlow Java on the class path, and a process can have one: "
                            + String.join(", ", jars) + "; leave one of them out");
        }
        try {
            natives.run();
        } catch (UnsatisfiedLinkError | ExceptionInInitializerError error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            throw new IllegalStateException(
                    "the native library of %s for %s on %s cannot be loaded (%s); add the jar of its natives for this platform"
                            .formatted(
                                    jars.get(0),
                                    System.getProperty("os.name"),
                                    System.getProperty("os.arch"),
                                    String.valueOf(cause.getMessage())
                                            .lines()
                                            .findFirst()
                                            .orElse("")),
                    error);
        }
    }

    /** Where TensorFlow Java is found, in the order of the names. */
    private static List<String> jars() {
        return ClassPathCheck.class
                .getClassLoader()
                .resources(TENSORFLOW)
                .map(ClassPathCheck::jar)
                .distinct()
                .sorted()
                .toList();
    }

    private static String jar(URL url) {
        String place = url.toString().replaceFirst("!?/" + TENSORFLOW + "$", "");
        return place.substring(place.lastIndexOf('/') + 1);
    }
}
