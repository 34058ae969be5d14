package io.crossload;

import io.crossload.contract.Text;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.Worker.Metadata;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Finds the engine on the class path and turns its failures into {@link CrossloadException}s. */
final class Engines {
    private static final String SERVICE = "META-INF/services/" + Worker.class.getName();

    private static final Pattern UNSET =
            Pattern.compile("not initialized|uninitialized|Error while reading resource variable");

    private Engines() {}

    /** A call of an engine. */
    interface Call<T> {
        T run() throws WorkerException;
    }

    /**
     * The engine on the class path.
     *
     * @throws CrossloadException FAILED_PRECONDITION if the class path has none or more than one
     */
    static Worker find() {
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        boolean known = context != null && context.getResource(SERVICE) != null;
        ClassLoader loader = known ? context : Worker.class.getClassLoader();
        // Count jars, not classes: the engines of TensorFlow Java 0.x and 1.x have the same class name, and a loader
        // finds only the first.
        List<URL> jars;
        try {
            jars = Collections.list(loader.getResources(SERVICE)).stream()
                    .distinct()
                    .toList();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        if (jars.size() > 1) {
            throw new CrossloadException(
                    Code.FAILED_PRECONDITION,
                    "the class path has " + jars.size() + " engines, and one process holds one TensorFlow; keep one of "
                            + jars.stream().map(Engines::jar).collect(Collectors.joining(", ")));
        }
        Worker[] found = calling(null, "no engine starts", () -> ServiceLoader.load(Worker.class, loader).stream()
                .map(ServiceLoader.Provider::get)
                .toArray(Worker[]::new));
        if (found.length == 0) {
            throw new CrossloadException(
                    Code.FAILED_PRECONDITION,
                    "the class path has no engine; add crossload-tensorflow-java.jar (TensorFlow Java 1.x),"
                            + " crossload-tensorflow-java-0.x.jar or crossload-tensorflow-java-legacy.jar (1.15)");
        }
        return found[0];
    }

    /** The engine's identity. */
    static Metadata metadata(Worker engine) {
        return calling(engine, "the engine does not start", engine::metadata);
    }

    /**
     * Calls an engine.
     *
     * @param what the beginning of the message of a failure
     * @throws CrossloadException for every exception of the call
     */
    static <T> T calling(Worker engine, String what, Call<T> call) {
        try {
            return call.run();
        } catch (CrossloadException error) {
            throw error;
        } catch (WorkerException error) {
            throw new CrossloadException(error.code(), what + ": " + error.getMessage(), error);
        } catch (LinkageError error) {
            throw new CrossloadException(Code.FAILED_PRECONDITION, what + ": " + remedy(error), error);
        } catch (ServiceConfigurationError error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            throw new CrossloadException(Code.FAILED_PRECONDITION, what + ": " + remedy(cause), error);
        } catch (RuntimeException error) {
            throw new CrossloadException(
                    engine == null ? Code.INTERNAL : engine.code(error),
                    what + ": " + Text.sentence(error) + unset(error),
                    error);
        } catch (OutOfMemoryError error) {
            throw new CrossloadException(
                    Code.RESOURCE_EXHAUSTED,
                    what + ": " + Text.sentence(error)
                            + "; give the JVM more heap (-Xmx), or JavaCPP more native memory (-Dorg.bytedeco.javacpp.maxPhysicalBytes)",
                    error);
        }
    }

    /** The next step where a variable or table has no value; kernels: resource_variable_ops.cc, variable_ops.cc, lookup_table_op.cc. */
    private static String unset(Throwable error) {
        return UNSET.matcher(String.valueOf(error.getMessage())).find()
                ? "; nothing gave it a value: a SavedModel needs its folders variables/ and assets/ and its init op, a graph is to be frozen"
                : "";
    }

    private static String jar(URL service) {
        return service.toString().replaceFirst("^jar:file:", "").replaceFirst("!?/" + SERVICE + "$", "");
    }

    private static String remedy(Throwable error) {
        String platform = platform();
        String release = release("tensorflow-core-api");
        String legacy = release("libtensorflow");
        if (release == null && legacy == null) {
            return "TensorFlow is not on the class path (" + Text.sentence(error)
                    + "); add org.tensorflow:tensorflow-core-api and org.tensorflow:tensorflow-core-native with the classifier "
                    + platform;
        }
        String natives;
        if (release == null) {
            natives = "org.tensorflow:libtensorflow_jni:" + legacy;
        } else if (release.startsWith("0.")) {
            natives = "org.tensorflow:tensorflow-core-api:" + release + ":" + platform;
        } else {
            natives = "org.tensorflow:tensorflow-core-native:" + release + ":" + platform;
        }
        return "TensorFlow's native library for " + platform + " is not on the class path or does not load ("
                + Text.sentence(error) + "); add " + natives + ", if there is one for this platform";
    }

    /** The platform as JavaCPP names it: {@code linux-x86_64}. */
    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT);
        String os = system.startsWith("mac") ? "macosx" : system.startsWith("windows") ? "windows" : system;
        String architecture = System.getProperty("os.arch");
        return os + "-"
                + switch (architecture) {
                    case "amd64" -> "x86_64";
                    case "aarch64" -> "arm64";
                    default -> architecture;
                };
    }

    /** The release of an artifact of org.tensorflow on the class path, null if the class path has none. */
    private static String release(String artifact) {
        String pom = "META-INF/maven/org.tensorflow/" + artifact + "/pom.properties";
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        try (InputStream stream = (loader == null ? Engines.class.getClassLoader() : loader).getResourceAsStream(pom)) {
            Properties properties = new Properties();
            if (stream == null) {
                return null;
            }
            properties.load(stream);
            return properties.getProperty("version");
        } catch (IOException error) {
            return null;
        }
    }
}
