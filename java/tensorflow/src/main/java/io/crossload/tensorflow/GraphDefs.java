package io.crossload.tensorflow;

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
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.NodeDef;

/** Reads GraphDef files, binary or text, and makes graphs importable that were cut out of a function's body. */
final class GraphDefs {
    // core/ops/function_ops.cc: a function's arguments and return values as nodes.
    private static final Set<String> ARGUMENTS = Set.of("_Arg", "_DeviceArg");
    private static final Set<String> RETURNS = Set.of("_Retval", "_DeviceRetval");

    private GraphDefs() {}

    /**
     * A graph that can be imported.
     *
     * @param graph its arguments are placeholders, its return values are gone
     * @param aliases the tensor that each return value stood for, by the operation's name
     */
    record Importable(GraphDef graph, Map<String, String> aliases) {}

    /**
     * The GraphDef of a file, whatever the file's name: binary, else text.
     *
     * @throws WorkerException INVALID_ARGUMENT for a file that is neither, NOT_FOUND for one that cannot be read
     */
    static GraphDef read(Path path) throws WorkerException {
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
            return TextFormat.parse(text, GraphDef.class);
        } catch (TextFormat.ParseException error) {
            throw new WorkerException(
                    Code.INVALID_ARGUMENT,
                    path + " is no GraphDef, neither binary nor text: " + error.getMessage(),
                    error);
        }
    }

    /** The graph with its arguments and return values, which a session neither feeds nor fetches, replaced. */
    static Importable importable(GraphDef graph) {
        Map<String, String> aliases = new HashMap<>();
        for (NodeDef node : graph.getNodeList()) {
            if (RETURNS.contains(node.getOp())) {
                aliases.put(node.getName(), node.getInput(0));
            }
        }
        if (aliases.isEmpty() && graph.getNodeList().stream().noneMatch(n -> ARGUMENTS.contains(n.getOp()))) {
            return new Importable(graph, Map.of());
        }
        GraphDef.Builder rewritten = graph.toBuilder().clearNode();
        for (NodeDef node : graph.getNodeList()) {
            if (ARGUMENTS.contains(node.getOp())) {
                rewritten.addNode(placeholder(node));
            } else if (!RETURNS.contains(node.getOp())) {
                rewritten.addNode(withoutControls(node, aliases.keySet()));
            }
        }
        return new Importable(rewritten.build(), aliases);
    }

    private static NodeDef placeholder(NodeDef argument) {
        NodeDef.Builder node =
                argument.toBuilder().setOp("Placeholder").removeAttr("T").removeAttr("index");
        if (argument.containsAttr("T")) {
            node.putAttr("dtype", argument.getAttrOrThrow("T"));
        }
        return node.build();
    }

    private static NodeDef withoutControls(NodeDef node, Set<String> returns) {
        if (node.getInputList().stream().noneMatch(i -> i.startsWith("^") && returns.contains(i.substring(1)))) {
            return node;
        }
        NodeDef.Builder kept = node.toBuilder().clearInput();
        for (String input : node.getInputList()) {
            if (!(input.startsWith("^") && returns.contains(input.substring(1)))) {
                kept.addInput(input);
            }
        }
        return kept.build();
    }
}
