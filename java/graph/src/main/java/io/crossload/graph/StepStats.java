package io.crossload.graph;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.OperatorTime;
import io.crossload.worker.WorkerException;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.tensorflow.proto.NodeExecStats;
import org.tensorflow.proto.RunMetadata;

/** The times that a traced run recorded (step_stats.proto). */
final class StepStats {
    // "node = Op(inputs)"; source and sink, which compute nothing, have no label.
    private static final Pattern LABEL = Pattern.compile(" = (\\w+)\\(");
    // Their time is that of the operations they call.
    private static final Set<String> CALLS = Set.of(
            "PartitionedCall",
            "StatefulPartitionedCall",
            "If",
            "StatelessIf",
            "While",
            "StatelessWhile",
            "Case",
            "StatelessCase");

    private StepStats() {}

    /**
     * The operations of a run in the order of their start, with the time of their kernels' computation; those that call others are left
     * out.
     *
     * @param metadata a serialised tensorflow.RunMetadata
     * @throws WorkerException INTERNAL if it is another message
     */
    static List<OperatorTime> operators(byte[] metadata) throws WorkerException {
        try {
            return RunMetadata.parseFrom(metadata).getStepStats().getDevStatsList().stream()
                    .flatMap(device -> device.getNodeStatsList().stream())
                    .sorted(Comparator.comparingLong(NodeExecStats::getAllStartNanos))
                    .flatMap(StepStats::timed)
                    .toList();
        } catch (InvalidProtocolBufferException error) {
            throw new WorkerException(Code.INTERNAL, "TensorFlow's trace of the run cannot be read", error);
        }
    }

    private static Stream<OperatorTime> timed(NodeExecStats node) {
        Matcher op = LABEL.matcher(node.getTimelineLabel());
        if (!op.find() || CALLS.contains(op.group(1))) {
            return Stream.empty();
        }
        long nanoseconds = node.getOpEndRelNanos() - node.getOpStartRelNanos();
        return Stream.of(new OperatorTime(op.group(1), nanoseconds, node.getNodeName()));
    }
}
