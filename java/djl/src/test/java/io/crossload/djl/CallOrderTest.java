package io.crossload.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.tensorflow.proto.AttrValue;
import org.tensorflow.proto.FunctionDef;
import org.tensorflow.proto.FunctionDefLibrary;
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.MetaGraphDef;
import org.tensorflow.proto.NameAttrList;
import org.tensorflow.proto.NodeDef;
import org.tensorflow.proto.OpDef;
import org.tensorflow.proto.SignatureDef;
import org.tensorflow.proto.TensorInfo;

@DisplayName("The order of a Python function's arguments")
class CallOrderTest {
    private static final SignatureDef WIDE_AND_DEEP =
            signature(Map.of("wide", "serving_default_wide:0", "deep", "serving_default_deep:0"));

    /** The graph's call of the wrapper, and the wrapper's of the traced function, as tf.saved_model.save writes them. */
    private static MetaGraphDef graph(List<String> inside, String traced) {
        FunctionDef wrapper = function("wrapper", "deep", "wide", "weights").toBuilder()
                .addNodeDef(call("assert", "no_function", List.of()))
                .addNodeDef(call("Call", traced, inside))
                .build();
        FunctionDef body = function("traced", "wide", "deep", "resource");
        return MetaGraphDef.newBuilder()
                .setGraphDef(GraphDef.newBuilder()
                        .addNode(call("other", "traced", List.of("elsewhere")))
                        .addNode(call(
                                "Call", "wrapper", List.of("serving_default_deep:0", "serving_default_wide", "kernel")))
                        .setLibrary(FunctionDefLibrary.newBuilder()
                                .addFunction(wrapper)
                                .addFunction(body)))
                .build();
    }

    private static FunctionDef function(String name, String... arguments) {
        OpDef.Builder signature = OpDef.newBuilder().setName(name);
        for (String argument : arguments) {
            signature.addInputArg(OpDef.ArgDef.newBuilder().setName(argument));
        }
        return FunctionDef.newBuilder().setSignature(signature).build();
    }

    private static NodeDef call(String name, String function, List<String> inputs) {
        return NodeDef.newBuilder()
                .setName(name)
                .setOp("StatefulPartitionedCall")
                .addAllInput(inputs)
                .putAttr(
                        "f",
                        AttrValue.newBuilder()
                                .setFunc(NameAttrList.newBuilder().setName(function))
                                .build())
                .build();
    }

    private static SignatureDef signature(Map<String, String> inputs) {
        SignatureDef.Builder made = SignatureDef.newBuilder();
        inputs.forEach((name, tensor) ->
                made.putInputs(name, TensorInfo.newBuilder().setName(tensor).build()));
        return made.build();
    }

    @Test
    @DisplayName("is that of the traced function, not of the wrapper, whose arguments are sorted")
    void traced() throws WorkerException {
        assertThat(CallOrder.of(graph(List.of("wide", "deep", "weights"), "traced"), WIDE_AND_DEEP))
                .containsExactly("wide", "deep");
        assertThat(CallOrder.of(graph(List.of("deep", "wide", "weights"), "traced"), WIDE_AND_DEEP))
                .containsExactly("deep", "wide");
    }

    @Test
    @DisplayName("is not guessed where a call leaves out an input, takes one twice, or is of no function")
    void unknown() {
        for (MetaGraphDef graph : List.of(
                graph(List.of("wide", "weights"), "traced"),
                graph(List.of("wide", "wide"), "traced"),
                graph(List.of("wide", "deep"), "gone"),
                MetaGraphDef.getDefaultInstance())) {
            assertThatThrownBy(() -> CallOrder.of(graph, WIDE_AND_DEEP))
                    .isInstanceOf(WorkerException.class)
                    .hasMessageContaining("does not tell the order")
                    .hasMessageContaining("the runtime djl feeds by name");
        }
    }

    @Test
    @DisplayName("needs no function where there is one input")
    void one() throws WorkerException {
        assertThat(CallOrder.of(MetaGraphDef.getDefaultInstance(), signature(Map.of("x", "x:0"))))
                .containsExactly("x");
        assertThat(CallOrder.of(MetaGraphDef.getDefaultInstance(), signature(Map.of())))
                .isEmpty();
    }
}
