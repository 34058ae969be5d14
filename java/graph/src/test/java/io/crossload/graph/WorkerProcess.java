package io.crossload.graph;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import io.crossload.contract.Frames;
import io.crossload.contract.TensorEntry;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The real worker in a process of its own, asked over its standard streams. */
final class WorkerProcess implements AutoCloseable {
    private final Process process;
    private final Path errors;
    private final Frames frames;
    private int asked;

    /** The worker as it starts in use; {@code others} go behind its class path. */
    WorkerProcess(Path folder, Path... others) throws IOException {
        errors = Files.createTempFile(folder, "worker", ".txt");
        // The jar goes first: the rest of the module's class path adds the release that it is tested with.
        String classPath = System.getProperty("crossload.worker.jar")
                + File.pathSeparator
                + System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        for (Path other : others) {
            classPath += File.pathSeparator + other;
        }
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        process = new ProcessBuilder(
                        java, "-XX:+UseSerialGC", "-cp", classPath, System.getProperty("crossload.worker.main"))
                .redirectError(errors.toFile())
                .start();
        frames = new Frames(Channels.newChannel(process.getInputStream()), unbuffered(process.getOutputStream()));
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
        ObjectNode parameters =
                Frames.JSON.createObjectNode().put("path", path.toString()).put("format", format);
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
}
