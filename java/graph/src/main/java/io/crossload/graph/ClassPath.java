package io.crossload.graph;

import java.net.URL;
import java.util.List;

/** Tells what a class path has of TensorFlow Java before any of it is loaded. */
public final class ClassPath {
    // In one jar of each release, whatever its generation.
    private static final String TENSORFLOW = "org/tensorflow/TensorFlow.class";

    private ClassPath() {}

    /**
     * Passes a class path with one TensorFlow Java. The classes and natives of two releases fit together at random;
     * loading both natives aborts the process.
     *
     * @throws IllegalStateException with a sentence, where there is none or more than one
     */
    public static void check() {
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
    }

    /** Where TensorFlow Java is found, in the order of the names. */
    private static List<String> jars() {
        return ClassPath.class
                .getClassLoader()
                .resources(TENSORFLOW)
                .map(ClassPath::jar)
                .distinct()
                .sorted()
                .toList();
    }

    private static String jar(URL url) {
        String place = url.toString().replaceFirst("!?/" + TENSORFLOW + "$", "");
        return place.substring(place.lastIndexOf('/') + 1);
    }
}
