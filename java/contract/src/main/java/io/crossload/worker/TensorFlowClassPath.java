package io.crossload.worker;

import io.crossload.contract.Text;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.FindException;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.net.URL;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What the class path has of TensorFlow Java, and what it lacks when an engine does not start. Looks for files, and loads no class. */
public final class TensorFlowClassPath {
    // Every release has this class, in one jar.
    private static final String TENSORFLOW = "org/tensorflow/TensorFlow.class";
    private static final Pattern CLASS =
            Pattern.compile("((?:org|com)[./](?:tensorflow|bytedeco|google)[./][\\w./$]+)");

    private final ClassLoader loader;

    /** Releases of TensorFlow Java that one engine serves. */
    private enum Generation {
        LEGACY("1.15", "crossload-tensorflow-java-legacy.jar", "libtensorflow"),
        ZERO("0.x", "crossload-tensorflow-java-0.x.jar", "tensorflow-core-api"),
        ONE("1.x", "crossload-tensorflow-java.jar", "tensorflow-core-api");

        private final String releases;
        private final String engine;
        private final String artifact;

        Generation(String releases, String engine, String artifact) {
            this.releases = releases;
            this.engine = engine;
            this.artifact = artifact;
        }
    }

    /**
     * What a class loader sees.
     *
     * @param loader finds the engine's classes and TensorFlow's
     */
    public TensorFlowClassPath(ClassLoader loader) {
        this.loader = loader;
    }

    /**
     * Requires at most one release of TensorFlow Java: classes and native libraries of two get mixed, and loading two native libraries
     * aborts the process.
     *
     * @throws IllegalStateException if there are two, with the names of their jars
     */
    public void requireNotTwo() {
        List<String> jars = places(TENSORFLOW)
                .map(TensorFlowClassPath::jar)
                .distinct()
                .sorted()
                .toList();
        if (jars.size() > 1) {
            throw new IllegalStateException("the class path has " + jars.size()
                    + " releases of TensorFlow Java, and a process can load only one: " + String.join(", ", jars)
                    + "; keep one of them");
        }
    }

    /**
     * Starts native TensorFlow, for a process whose class path is for one engine.
     *
     * @param natives a call that loads the native library
     * @throws IllegalStateException if the class path has no release or two, or the release does not load, with what is missing
     */
    public void start(Runnable natives) {
        requireNotTwo();
        try {
            natives.run();
        } catch (LinkageError error) {
            throw new IllegalStateException(remedy(error), error);
        }
    }

    /**
     * What an engine that failed to link misses, and what to add or to take instead.
     *
     * @param error a LinkageError, or what wraps one
     * @return one sentence
     */
    public String remedy(Throwable error) {
        String missing = missing(error);
        String unresolved = missing == null ? null : unresolvedModule(missing);
        if (unresolved != null) {
            return "the module " + unresolved + " is on the module path, and nothing requires it (" + told(error)
                    + "); add `requires " + unresolved + "` to module-info.java, or start Java with --add-modules "
                    + unresolved;
        }
        Generation there = generation();
        if (there == null) {
            return "TensorFlow Java is not on the class path (" + told(error)
                    + "); add, of org.tensorflow, what the engine is for: tensorflow-core-api and tensorflow-core-native with the classifier "
                    + platform()
                    + " (1.x), tensorflow-core-api without and with the classifier (0.x), or libtensorflow, libtensorflow_jni and proto (1.15)";
        }
        String release = release(there);
        String library = missing == null ? null : library(missing, there);
        if (library != null) {
            boolean other = has(missing + ".class");
            return (other
                            ? library + " on the class path is of another release than TensorFlow Java " + release
                                    + " needs"
                            : "the class path lacks " + library + ", which TensorFlow Java " + release + " needs")
                    + " (" + told(error) + "); let Maven or Gradle bring what TensorFlow's own POM names";
        }
        if (missing != null && missing.startsWith("org/tensorflow/") && !missing.contains("/c_api/")) {
            return "the class path has TensorFlow Java " + release + ", and an engine for other releases ("
                    + told(error) + "); the engine for " + there.releases + " is " + there.engine;
        }
        return natives(there, release, error);
    }

    private String natives(Generation there, String release, Throwable error) {
        String jar =
                switch (there) {
                    case LEGACY -> "org.tensorflow:libtensorflow_jni:" + release;
                    case ZERO -> "org.tensorflow:tensorflow-core-api:" + release + ":" + platform();
                    case ONE -> "org.tensorflow:tensorflow-core-native:" + release + ":" + platform();
                };
        Stream<String> files = there == Generation.LEGACY
                ? Stream.of("libtensorflow_jni.so", "libtensorflow_jni.dylib", "tensorflow_jni.dll")
                        .map(file -> "org/tensorflow/native/" + platform().replace("macosx", "darwin") + "/" + file)
                : Stream.of("libjnitensorflow.so", "libjnitensorflow.dylib", "jnitensorflow.dll")
                        .map(file -> "org/tensorflow/internal/c_api/" + platform() + "/" + file);
        if (files.anyMatch(this::has)) {
            return "TensorFlow's native library for " + platform() + " is on the class path (" + jar
                    + "), and this system does not load it (" + told(error)
                    + "); it needs glibc, and a folder for temporary files from which programs may be loaded";
        }
        return "TensorFlow's native library for " + platform() + " is not on the class path (" + told(error) + "); add "
                + jar + ", if there is one for this platform";
    }

    /** What of TensorFlow Java's dependencies a class is of; null for another. */
    private String library(String missing, Generation there) {
        if (missing.startsWith("com/google/protobuf/")) {
            return "com.google.protobuf:protobuf-java";
        }
        if (missing.startsWith("org/bytedeco/")) {
            return "org.bytedeco:javacpp";
        }
        if (missing.startsWith("org/tensorflow/ndarray/") && there != Generation.LEGACY) {
            return "org.tensorflow:ndarray";
        }
        boolean messages = missing.matches("org/tensorflow/(framework|proto/(?!framework/)|exceptions|internal)/?.*");
        if (there == Generation.ONE && messages && !missing.contains("/framework/") && !has(message("proto"))) {
            return "org.tensorflow:tensorflow-core-native (the jar without a classifier, beside that of the platform)";
        }
        return there == Generation.LEGACY && missing.startsWith("org/tensorflow/framework/")
                ? "org.tensorflow:proto"
                : null;
    }

    private Generation generation() {
        if (!has(TENSORFLOW)) {
            return null;
        }
        if (has("org/tensorflow/Tensors.class")) {
            return Generation.LEGACY;
        }
        return has(message("proto", "framework")) ? Generation.ZERO : Generation.ONE;
    }

    /** The release by its POM; the generation where a fat jar left that out. */
    private String release(Generation there) {
        String pom = "META-INF/maven/org.tensorflow/" + there.artifact + "/pom.properties";
        try (InputStream stream = loader.getResourceAsStream(pom)) {
            Properties properties = new Properties();
            if (stream != null) {
                properties.load(stream);
            }
            return properties.getProperty("version", there.releases);
        } catch (IOException error) {
            return there.releases;
        }
    }

    /** The file of TensorFlow's message GraphDef; no constant, because shading would rename that as it renames the package. */
    private static String message(String... packages) {
        return "org/tensorflow/" + String.join("/", packages) + "/GraphDef.class";
    }

    private boolean has(String file) {
        return loader.getResource(file) != null;
    }

    private Stream<URL> places(String file) {
        try {
            return Collections.list(loader.getResources(file)).stream();
        } catch (IOException error) {
            return Stream.empty();
        }
    }

    private static String jar(URL url) {
        String place = url.toString().replaceFirst("!?/" + TENSORFLOW + "$", "");
        return place.substring(place.lastIndexOf('/') + 1);
    }

    /** The class that the innermost failure to link names, with slashes; null if it names none. */
    private static String missing(Throwable error) {
        String found = null;
        for (Throwable at = error; at != null; at = at.getCause()) {
            String message = String.valueOf(at.getMessage());
            Matcher named = CLASS.matcher(message);
            boolean links = (at instanceof LinkageError || at instanceof ClassNotFoundException)
                    && !(at instanceof UnsatisfiedLinkError)
                    && !message.startsWith("Could not initialize");
            if (links && named.find()) {
                found = named.group(1).replace('.', '/');
            }
        }
        return found;
    }

    /** The module that has a class's package, on the module path but not in the running program; null if there is none. */
    private static String unresolvedModule(String missing) {
        String paths = System.getProperty("jdk.module.path");
        if (paths == null) {
            return null;
        }
        String contained = missing.substring(0, missing.lastIndexOf('/')).replace('/', '.');
        Path[] entries =
                Stream.of(paths.split(File.pathSeparator)).map(Path::of).toArray(Path[]::new);
        try {
            return ModuleFinder.of(entries).findAll().stream()
                    .map(ModuleReference::descriptor)
                    .filter(module -> module.packages().contains(contained))
                    .map(module -> module.name())
                    .filter(name -> ModuleLayer.boot().findModule(name).isEmpty())
                    .findFirst()
                    .orElse(null);
        } catch (FindException error) {
            return null;
        }
    }

    /** The innermost cause: what wraps it says only that a class did not start. */
    private static String told(Throwable error) {
        Throwable innermost = error;
        while (innermost.getCause() != null) {
            innermost = innermost.getCause();
        }
        String message = Text.sentence(innermost);
        return innermost instanceof ClassNotFoundException || innermost instanceof NoClassDefFoundError
                ? "no class " + message.replace('/', '.')
                : message;
    }

    /** The platform as JavaCPP names it: {@code linux-x86_64}. */
    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String os = system.startsWith("mac") ? "macosx" : system.startsWith("windows") ? "windows" : system;
        String architecture = System.getProperty("os.arch");
        return os + "-"
                + switch (architecture) {
                    case "amd64" -> "x86_64";
                    case "aarch64" -> "arm64";
                    default -> architecture;
                };
    }
}
