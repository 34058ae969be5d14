package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.TextFormat;
import io.crossload.contract.Code;
import io.crossload.contract.WorkerException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.tensorflow.proto.AttrValue;
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.NodeDef;

/** Reads GraphDef files, binary or text, and makes graphs importable that were cut out of a function's body. */
public final class GraphDefs {
    // core/ops/function_ops.cc: a function's arguments and return values as nodes.
    private static final Set<String> ARGUMENTS = Set.of("_Arg", "_DeviceArg");
    private static final Set<String> RETURNS = Set.of("_Retval", "_DeviceRetval");

    private GraphDefs() {}

    /**
     * A graph that can be imported.
     *
     * @param graph its arguments are placeholders, its return values identities
     * @param renamed operations that have another name here
     */
    public record Importable(GraphDef graph, Map<String, String> renamed) {

        /** The tensor of this graph that a tensor of the file is. */
        public TensorName actual(TensorName tensor) {
            return new TensorName(renamed.getOrDefault(tensor.operation(), tensor.operation()), tensor.index());
        }
    }

    /**
     * The GraphDef of a file, whatever the file's name: binary, else text.
     *
     * @throws WorkerException INVALID_ARGUMENT for a file that is neither, NOT_FOUND for one that cannot be read
     */
    public static GraphDef read(Path path) throws WorkerException {
        byte[] content;
        try {
            content = Files.readAllBytes(path);
        } catch (IOException error) {
            throw new WorkerException(Code.NOT_FOUND, path + " cannot be read: " + error.getMessage(), error);
        }
        GraphDef graph;
        try {
            graph = GraphDef.parseFrom(content);
        } catch (InvalidProtocolBufferException binary) {
            graph = text(path, content, binary);
        }
        if (graph.getNodeCount() == 0) {
            throw new WorkerException(Code.INVALID_ARGUMENT, path + " is no GraphDef: it has no node");
        }
        return graph;
    }

    private static GraphDef text(Path path, byte[] content, InvalidProtocolBufferException binary)
            throws WorkerException {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(content))
                    .toString();
        } catch (CharacterCodingException error) {
            throw new WorkerException(Code.INVALID_ARGUMENT, path + " is no GraphDef: " + binary.getMessage(), binary);
        }
        try {
            GraphDef.Builder graph = GraphDef.newBuilder();
            TextFormat.merge(text, graph); // the oldest releases' protobuf has no TextFormat.parse
            return graph.build();
        } catch (TextFormat.ParseException error) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    path + " is no GraphDef, neither binary nor text: " + error.getMessage(),
                    error);
        }
    }

    /** The graph with what a session cannot import, feed or fetch replaced: arguments, return values, names that begin with '_'. */
    public static Importable importable(GraphDef graph) {
        Set<String> taken = graph.getNodeList().stream().map(NodeDef::getName).collect(Collectors.toSet());
        Map<String, String> renamed = new HashMap<>();
        for (NodeDef node : graph.getNodeList()) {
            if (node.getName().startsWith("_")) {
                renamed.put(node.getName(), unused("internal" + node.getName(), taken));
            }
        }
        GraphDef.Builder rewritten = graph.toBuilder();
        for (NodeDef.Builder node : rewritten.getNodeBuilderList()) {
            if (ARGUMENTS.contains(node.getOp())) {
                node.setOp("Placeholder").putAttr("dtype", node.getAttrOrDefault("T", AttrValue.getDefaultInstance()));
                node.removeAttr("T").removeAttr("index");
            } else if (RETURNS.contains(node.getOp())) {
                node.setOp("Identity").removeAttr("index");
            }
            if (!renamed.isEmpty()) {
                rename(node, renamed);
            }
        }
        return new Importable(rewritten.build(), renamed);
    }

    private static void rename(NodeDef.Builder node, Map<String, String> renamed) {
        node.setName(renamed.getOrDefault(node.getName(), node.getName()));
        for (int i = 0; i < node.getInputCount(); i++) {
            String input = node.getInput(i);
            String control = input.startsWith("^") ? "^" : "";
            TensorName tensor = TensorName.parse(input.substring(control.length()));
            String operation = renamed.get(tensor.operation());
            if (operation != null) {
                node.setInput(i, control.isEmpty() ? operation + ":" + tensor.index() : control + operation);
            }
        }
    }

    private static String unused(String name, Set<String> taken) {
        return taken.add(name) ? name : unused("internal_" + name, taken);
    }
}
