package io.crossload.tensorflow;

import com.google.protobuf.ByteString;
import io.crossload.contract.Datatype;
import java.util.List;
import java.util.Map;
import org.tensorflow.proto.AttrValue;
import org.tensorflow.proto.DataType;
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.MetaGraphDef;
import org.tensorflow.proto.NodeDef;
import org.tensorflow.proto.SavedModel;
import org.tensorflow.proto.VersionDef;

/** Small graphs as messages: made without TensorFlow, which only the worker's process loads. */
final class Graphs {
    private Graphs() {}

    static GraphDef graph(NodeDef... nodes) {
        return GraphDef.newBuilder()
                .addAllNode(List.of(nodes))
                .setVersions(VersionDef.newBuilder().setProducer(1_000))
                .build();
    }

    static NodeDef node(String name, String op, List<String> inputs, Map<String, AttrValue> attributes) {
        return NodeDef.newBuilder()
                .setName(name)
                .setOp(op)
                .addAllInput(inputs)
                .putAllAttr(attributes)
                .build();
    }

    static NodeDef placeholder(String name, Datatype datatype) {
        return node(name, "Placeholder", List.of(), Map.of("dtype", type(datatype)));
    }

    static NodeDef unary(String op, String name, String input, Datatype datatype) {
        return node(name, op, List.of(input), Map.of("T", type(datatype)));
    }

    static NodeDef argument(String name, int index) {
        return node(name, "_Arg", List.of(), Map.of("T", type(Datatype.FP32), "index", integer(index)));
    }

    static NodeDef result(String name, String input, int index) {
        return node(name, "_Retval", List.of(input), Map.of("T", type(Datatype.FP32), "index", integer(index)));
    }

    static SavedModel savedModel(Map<List<String>, GraphDef> metaGraphs) {
        SavedModel.Builder model = SavedModel.newBuilder().setSavedModelSchemaVersion(1);
        metaGraphs.forEach((tags, graph) -> model.addMetaGraphs(MetaGraphDef.newBuilder()
                .setMetaInfoDef(MetaGraphDef.MetaInfoDef.newBuilder().addAllTags(tags))
                .setGraphDef(graph)));
        return model.build();
    }

    static AttrValue type(Datatype datatype) {
        return AttrValue.newBuilder()
                .setType(DataType.forNumber(datatype.number()))
                .build();
    }

    static AttrValue integer(long value) {
        return AttrValue.newBuilder().setI(value).build();
    }

    static AttrValue text(String value) {
        return AttrValue.newBuilder().setS(ByteString.copyFromUtf8(value)).build();
    }
}
