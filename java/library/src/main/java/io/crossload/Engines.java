package io.crossload;

import io.crossload.contract.Text;
import io.crossload.worker.Code;
import io.crossload.worker.TensorFlowClassPath;
import io.crossload.worker.Worker;
import io.crossload.worker.Worker.Metadata;
import io.crossload.worker.WorkerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.BufferOverflowException;
import java.util.Collections;
import java.util.List;
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
     * @throws CrossloadException FAILED_PRECONDITION if the class path has none or more than one, or more than one TensorFlow Java
     */
    static Worker find() {
        ClassLoader loader = loader();
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
        try {
            new TensorFlowClassPath(loader).requireNotTwo();
        } catch (IllegalStateException error) {
            throw new CrossloadException(Code.FAILED_PRECONDITION, error.getMessage(), error);
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
            String why = error.getCause() == null
                    ? Text.sentence(error)
                            + "; the thread's context class loader finds an engine of another copy of crossload"
                    : remedy(error.getCause());
            throw new CrossloadException(Code.FAILED_PRECONDITION, what + ": " + why, error);
        } catch (ArithmeticException | BufferOverflowException error) { // exact arithmetic guards only sizes
            throw new CrossloadException(
                    Code.OUT_OF_RANGE,
                    what + ": a tensor of 2 GiB or more does not fit a buffer of Java; split the batch",
                    error);
        } catch (RuntimeException error) {
            throw new CrossloadException(
                    engine == null ? Code.INTERNAL : engine.code(error),
                    what + ": " + Text.sentence(error) + nextStep(error),
                    error);
        } catch (OutOfMemoryError error) {
            throw new CrossloadException(
                    Code.RESOURCE_EXHAUSTED,
                    what + ": " + Text.sentence(error)
                            + "; give the JVM more heap (-Xmx), or JavaCPP more native memory (-Dorg.bytedeco.javacpp.maxPhysicalBytes)",
                    error);
        }
    }

    /** The next step where TensorFlow's message has none; kernels: resource_variable_ops.cc, variable_ops.cc, lookup_table_op.cc. */
    private static String nextStep(Throwable error) {
        if (String.valueOf(error.getMessage()).contains("operand \"\" does not exist on the graph")) {
            return "; this release's SavedModelBundle refuses signatures with sparse or ragged tensors: make a backport in Python"
                    + " (crossload convert SOURCE DESTINATION --runtime tensorflow-java), or take TensorFlow 1.15";
        }
        return UNSET.matcher(String.valueOf(error.getMessage())).find()
                ? "; nothing gave it a value: a SavedModel needs its folders variables/ and assets/ and its init op, a graph is to be frozen"
                : "";
    }

    private static String jar(URL service) {
        return service.toString().replaceFirst("^jar:file:", "").replaceFirst("!?/" + SERVICE + "$", "");
    }

    private static String remedy(Throwable error) {
        return new TensorFlowClassPath(loader()).remedy(error);
    }

    /** The loader that finds the engine: that of the running thread, if it knows one, else the library's own. */
    private static ClassLoader loader() {
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        return context != null && context.getResource(SERVICE) != null ? context : Worker.class.getClassLoader();
    }
}
