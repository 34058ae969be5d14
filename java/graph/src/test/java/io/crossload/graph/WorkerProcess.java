package io.crossload.graph;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import io.crossload.contract.Frames;
import io.crossload.contract.TensorEntry;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The real worker in a process of its own, asked over its standard streams. */
final class WorkerProcess implements AutoCloseable {
    private final Process process;
    private final Path errors;
    private final Frames frames;
    private int asked;

    // The natives' jars: JavaCPP's classifiers, TensorFlow 1's artifact.
    private static final Pattern NATIVES =
            Pattern.compile("-(linux|macosx|windows)-\\w+\\.jar$|libtensorflow_jni-[\\w.]+$");

    /** The worker as it starts in use. */
    WorkerProcess(Path folder) throws IOException {
        this(folder, classPath());
    }

    private WorkerProcess(Path folder, Stream<String> classPath) throws IOException {
        errors = Files.createTempFile(folder, "worker", ".txt");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        process = new ProcessBuilder(
                        java,
                        "-XX:+UseSerialGC",
                        "-cp",
                        classPath.collect(Collectors.joining(File.pathSeparator)),
                        System.getProperty("crossload.worker.main"))
                .redirectError(errors.toFile())
                .start();
        frames = new Frames(Channels.newChannel(process.getInputStream()), unbuffered(process.getOutputStream()));
    }

    /** The worker with another folder at the end of its class path. */
    static WorkerProcess with(Path folder, Path other) throws IOException {
        return new WorkerProcess(folder, Stream.concat(classPath(), Stream.of(other.toString())));
    }

    static WorkerProcess withoutNatives(Path folder) throws IOException {
        return new WorkerProcess(
                folder, classPath().filter(jar -> !NATIVES.matcher(jar).find()));
    }

    /** The jar goes first: the rest of the module's class path adds the release that it is tested with. */
    private static Stream<String> classPath() {
        String module = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        return Stream.concat(
                Stream.of(System.getProperty("crossload.worker.jar")), Stream.of(module.split(File.pathSeparator)));
    }

    private static WritableByteChannel unbuffered(OutputStream stream) {
        WritableByteChannel channel = Channels.newChannel(stream);
        return new WritableByteChannel() {
            @Override
            public int write(ByteBuffer source) throws IOException {
                int written = channel.write(source);
                stream.flush();
                return written;
            }

            @Override
            public boolean isOpen() {
                return channel.isOpen();
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }

    /** The response to a request of these JSON members; fails unless its id is the request's. */
    Frame ask(String rpc, String members, List<TensorEntry> inputs) throws IOException {
        String id = Integer.toString(++asked);
        ObjectNode header = (ObjectNode) Frames.JSON.readTree("{" + members + "}");
        frames.write(header.put("id", id).put("rpc", rpc), inputs, null);
        Frame answer = frames.read();
        if (answer == null) {
            throw new IOException("the worker is gone: " + Files.readString(errors));
        }
        if (!answer.header().path("id").asText().equals(id)) {
            throw new IOException("request " + id + " is answered by " + answer.header());
        }
        return answer;
    }

    /** Loads an artifact as model m, whose one signature has these bindings. */
    Frame load(String format, Path path, List<String> tags, Map<String, String> inputs, Map<String, String> outputs)
            throws IOException {
        return load(format, path, tags, inputs, outputs, "{}");
    }

    /** The same; {@code options} is the request's JSON object of that name. */
    Frame load(
            String format,
            Path path,
            List<String> tags,
            Map<String, String> inputs,
            Map<String, String> outputs,
            String options)
            throws IOException {
        ObjectNode parameters =
                Frames.JSON.createObjectNode().put("path", path.toString()).put("format", format);
        parameters.set("options", Frames.JSON.readTree(options));
        if (tags != null) {
            parameters.set("tags", Frames.JSON.valueToTree(tags));
        }
        ObjectNode binding = parameters.putObject("signatures").putObject("serving_default");
        binding.putNull("key");
        binding.set("inputs", Frames.JSON.valueToTree(inputs));
        binding.set("outputs", Frames.JSON.valueToTree(outputs));
        return ask("RepositoryModelLoad", "\"model_name\":\"m\",\"parameters\":" + parameters, null);
    }

    Frame loadGraph(Path path, Map<String, String> inputs, Map<String, String> outputs) throws IOException {
        return load("graph_def", path, null, inputs, outputs);
    }

    /** Runs model m; {@code outputs} are the names wanted, none for all. */
    Frame infer(List<TensorEntry> inputs, String... outputs) throws IOException {
        StringBuilder wanted = new StringBuilder();
        for (String output : outputs) {
            wanted.append(wanted.isEmpty() ? ",\"outputs\":[" : ",").append("{\"name\":\"" + output + "\"}");
        }
        wanted.append(wanted.isEmpty() ? "" : "]");
        return ask("ModelInfer", "\"model_name\":\"m\"" + wanted, inputs);
    }

    /** Sends bytes that need be no frame. */
    void send(byte[] bytes) throws IOException {
        process.getOutputStream().write(bytes);
        process.getOutputStream().flush();
    }

    /** What the worker still writes to standard output, until its end. */
    byte[] rest() throws IOException {
        return process.getInputStream().readAllBytes();
    }

    /** Ends standard input; the exit status. */
    int end() throws IOException, InterruptedException {
        process.getOutputStream().close();
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            throw new IOException("the worker does not end");
        }
        return process.exitValue();
    }

    String errors() throws IOException {
        return Files.readString(errors);
    }

    /** Ends the worker; one that is killed may leave behind the libraries it unpacked. */
    @Override
    public void close() {
        try {
            end();
        } catch (IOException error) {
            // It is gone already, or it hangs.
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        } finally {
            process.destroyForcibly();
        }
    }

    static TensorEntry tensor(String name, Datatype datatype, List<Long> shape, byte[] data) {
        return new TensorEntry(name, datatype, shape, ByteBuffer.wrap(data));
    }

    static TensorEntry floats(String name, float... values) {
        ByteBuffer data = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            data.putFloat(value);
        }
        return tensor(name, Datatype.FP32, List.of((long) values.length), data.array());
    }

    /** The answer, if it is no error. */
    static Frame ok(Frame answer) {
        assertThat(answer.header().path("error").textValue()).isNull();
        return answer;
    }

    /** The code and the sentence of an error: {@code NOT_FOUND no model …}. */
    static String failure(Frame answer) {
        return answer.header().path("code").textValue() + " "
                + answer.header().path("error").textValue();
    }
}
