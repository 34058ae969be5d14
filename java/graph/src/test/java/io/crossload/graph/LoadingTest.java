package io.crossload.graph;

import static io.crossload.graph.GraphTexts.argument;
import static io.crossload.graph.GraphTexts.graph;
import static io.crossload.graph.GraphTexts.identity;
import static io.crossload.graph.GraphTexts.node;
import static io.crossload.graph.GraphTexts.on;
import static io.crossload.graph.GraphTexts.placeholder;
import static io.crossload.graph.GraphTexts.result;
import static io.crossload.graph.GraphTexts.savedModel;
import static io.crossload.graph.GraphTexts.unary;
import static io.crossload.graph.WorkerProcess.failure;
import static io.crossload.graph.WorkerProcess.floats;
import static io.crossload.graph.WorkerProcess.ok;
import static org.assertj.core.api.Assertions.assertThat;

import io.crossload.contract.Datatype;
import io.crossload.contract.Frame;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which artifacts the worker of every TensorFlow Java release loads, and how it refuses others. */
public abstract class LoadingTest {
    private static final Map<String, String> X = Map.of("x", "x:0");
    private static final Map<String, String> Y = Map.of("y", "y:0");

    @TempDir
    static Path folder;

    private static WorkerProcess worker;

    @BeforeAll
    static void start() throws IOException {
        worker = new WorkerProcess(folder);
    }

    @AfterAll
    static void stop() {
        worker.close();
    }

    @Test
    @DisplayName("runs a function's body: arguments are fed, return values fetched, names with '_' kept")
    void functionBodies() throws IOException {
        String body = graph(
                argument("x", 0),
                argument("_arg_z_0_1", 1),
                unary("Neg", "y", "x", Datatype.FP32),
                unary("Neg", "w", "_arg_z_0_1:0", Datatype.FP32),
                result("first", "y", 0),
                result("_second_RetVal", "w:0", 1),
                result("through", "x", 2),
                node("last", "NoOp", List.of("^first", "^_arg_z_0_1"), Map.of()));
        Map<String, String> outputs = Map.of("a", "first", "b", "_second_RetVal:0", "c", "through");
        ok(worker.loadGraph(file(body), Map.of("x", "x:0", "z", "_arg_z_0_1"), outputs));
        Frame answer = ok(worker.infer(List.of(floats("x", 1), floats("z", 2)), "a", "b", "c"));
        assertThat(answer.outputs()).containsExactly(floats("a", -1), floats("b", -2), floats("c", 1));
    }

    @Test
    @DisplayName("reads a GraphDef as text, whatever the file is called")
    void textGraphs() throws IOException {
        String text = "# by hand\n" + identity(Datatype.FP32);
        for (String name : List.of("text.pbtxt", "text.pb")) {
            Path path = Files.writeString(folder.resolve(name), text);
            ok(worker.loadGraph(path, X, Y));
            assertThat(ok(worker.infer(List.of(floats("x", 3)))).outputs()).containsExactly(floats("y", 3));
        }
    }

    @Test
    @DisplayName("refuses to load what is no GraphDef, and an operation that it does not have")
    void badGraphs() throws IOException {
        byte[] whole = {10, 9, 10, 1, 'y', 18, 4, 'N', 'o', 'O', 'p'}; // node { name: "y" op: "NoOp" }
        ok(worker.loadGraph(Files.write(folder.resolve("whole.pb"), whole), Map.of(), Map.of()));
        Path truncated = Files.write(folder.resolve("truncated.pb"), Arrays.copyOf(whole, whole.length - 3));
        Path prose = Files.writeString(folder.resolve("prose.pb"), "Dear reader,\n");
        Path empty = Files.writeString(folder.resolve("empty.pb"), "");
        assertThat(failure(worker.loadGraph(truncated, X, Y)))
                .startsWith("INVALID_ARGUMENT " + truncated + " is no GraphDef");
        assertThat(failure(worker.loadGraph(prose, X, Y)))
                .startsWith("INVALID_ARGUMENT " + prose + " is no GraphDef, neither binary nor text: 1:");
        assertThat(failure(worker.loadGraph(empty, X, Y)))
                .isEqualTo("INVALID_ARGUMENT " + empty + " is no GraphDef: it is empty; copy or export it again");
        Path newer = file(graph(node("y", "OpOfTomorrow", List.of(), Map.of())));
        assertThat(failure(worker.loadGraph(newer, X, Y)))
                .startsWith("NOT_FOUND Op type not registered 'OpOfTomorrow' in binary");
    }

    @Test
    @DisplayName("loads the MetaGraph of the tags given, an empty set too, and nodes that are pinned to a GPU")
    void savedModels() throws IOException {
        String pinned =
                graph(placeholder("x", Datatype.FP32), on("/device:GPU:0", unary("Neg", "y", "x", Datatype.FP32)));
        Path path = Files.createDirectory(folder.resolve("saved_model"));
        Files.writeString(
                path.resolve("saved_model.pbtxt"),
                savedModel(Map.of(List.of("serve"), identity(Datatype.FP32), List.of(), pinned)));
        ok(worker.load("saved_model", path, List.of("serve"), X, Y));
        assertThat(ok(worker.infer(List.of(floats("x", 4)))).outputs()).containsExactly(floats("y", 4));
        ok(worker.load("saved_model", path, List.of(), X, Y));
        assertThat(ok(worker.infer(List.of(floats("x", 4)))).outputs()).containsExactly(floats("y", -4));
        String there = " has no MetaGraph with the tags %s; its tag sets are: ";
        assertThat(failure(worker.load("saved_model", path, List.of("train"), X, Y)))
                .startsWith("NOT_FOUND " + path + there.formatted("train"))
                .containsPattern("(serve; \\(none\\)|\\(none\\); serve)$");
        // The tags must be those of the MetaGraph, all of them.
        assertThat(failure(worker.load("saved_model", path, List.of("serve", "gpu"), X, Y)))
                .startsWith("NOT_FOUND " + path + there.formatted("serve, gpu"));
    }

    @Test
    @DisplayName(
            "tells a SavedModel and a GraphDef that were taken for each other, and a folder or file that is neither")
    void mistakenArtifacts() throws IOException {
        // schema version 1, a MetaGraph with the tag serve; node { name: "y" op: "NoOp" }
        byte[] savedModel = {8, 1, 18, 9, 10, 7, 34, 5, 's', 'e', 'r', 'v', 'e'};
        byte[] graph = {10, 9, 10, 1, 'y', 18, 4, 'N', 'o', 'O', 'p'};
        Path saved = Files.createDirectories(folder.resolve("mistaken"));
        Path file = Files.write(saved.resolve("saved_model.pb"), savedModel);
        assertThat(failure(worker.loadGraph(file, X, Y)))
                .isEqualTo("INVALID_ARGUMENT " + file
                        + " is a SavedModel's file, no GraphDef; load the folder that holds it, as saved_model");
        assertThat(failure(worker.loadGraph(saved, X, Y)))
                .isEqualTo("INVALID_ARGUMENT " + saved
                        + " is a folder, no GraphDef; a SavedModel is loaded as saved_model");
        assertThat(failure(worker.load("saved_model", file, List.of("serve"), X, Y)))
                .isEqualTo("NOT_FOUND " + file + " is a file; a SavedModel is the folder that holds saved_model.pb");
        Files.write(file, graph);
        assertThat(failure(worker.load("saved_model", saved, List.of("serve"), X, Y)))
                .isEqualTo("INVALID_ARGUMENT " + file + " is a GraphDef; load the file itself, as graph_def");
        Files.write(file, new byte[0]);
        assertThat(failure(worker.load("saved_model", saved, List.of("serve"), X, Y)))
                .isEqualTo(
                        "INVALID_ARGUMENT " + file
                                + " holds no MetaGraph: it is empty, truncated or no SavedModel; copy or export the folder again");
        Files.write(file, Arrays.copyOf(savedModel, savedModel.length - 2));
        assertThat(failure(worker.load("saved_model", saved, null, X, Y)))
                .startsWith("INVALID_ARGUMENT " + file + " is no SavedModel");
        Files.delete(file);
        assertThat(failure(worker.load("saved_model", saved, List.of("serve"), X, Y)))
                .isEqualTo("NOT_FOUND " + saved
                        + " holds no saved_model.pb; name the folder that does, or export the model again");
    }

    private static Path file(String graph) throws IOException {
        return Files.writeString(Files.createTempFile(folder, "graph", ".pbtxt"), graph);
    }
}
