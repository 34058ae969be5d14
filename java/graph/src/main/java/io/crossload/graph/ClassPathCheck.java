package io.crossload.graph;

import java.net.URL;
import java.util.List;

/** Checks the class path's TensorFlow Java before a model is loaded. */
public final class ClassPathCheck {
    // Every release has this class, in one jar.
    private static final String TENSORFLOW = "org/tensorflow/TensorFlow.class";

    private ClassPathCheck() {}

    /**
     * Requires one release of TensorFlow Java and its native library for this platform. Classes and native libraries of two releases get
     * mixed, and loading two native libraries aborts the process.
     *
     * @param natives a call that loads the native library; made only if the class path has one release
     * @throws IllegalStateException if the class path has no release or more than one, or the native library does not load
     */
    public static void requireOneTensorFlow(Runnable natives) {
        List<String> jars = jars();
        if (jars.isEmpty()) {
            throw new IllegalStateException("the class path has no TensorFlow Java;"
                    + " add org.tensorflow:tensorflow-core-platform, or org.tensorflow:tensorflow before 2.0");
        }
        if (jars.size() > 1) {
            throw new IllegalStateException("the class path has " + jars.size()
                    + " releases of TensorFlow Java, and a process can load only one: " + String.join(", ", jars)
                    + "; keep one of them");
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

    /** The names of the jars that contain TensorFlow Java, sorted. */
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
