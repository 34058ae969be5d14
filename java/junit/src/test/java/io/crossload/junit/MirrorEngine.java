package io.crossload.junit;

import io.crossload.contract.TensorEntry;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.WorkerException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/** The engine of these tests: the signature {@code same} answers with its input, {@code wrong} with zeros, others fail. */
public final class MirrorEngine implements Worker {
    /** For java.util.ServiceLoader. */
    public MirrorEngine() {}

    @Override
    public Metadata metadata() {
        return new Metadata("mirror", "1", List.of("glass"), Map.of());
    }

    @Override
    public Model load(LoadRequest request) {
        return new Model() {
            @Override
            public Answer infer(InferRequest asked) throws WorkerException {
                TensorEntry x = asked.inputs().get(0);
                ByteBuffer data =
                        switch (asked.signature()) {
                            case "same" -> x.data();
                            case "wrong" -> ByteBuffer.allocate(x.data().remaining());
                            case "unsupported" -> throw new WorkerException(Code.UNIMPLEMENTED, "no such kernel");
                            default -> throw new WorkerException(Code.INTERNAL, "no memory");
                        };
                return new Answer(List.of(new TensorEntry("y", x.datatype(), x.shape(), data)), 1, null, () -> {});
            }

            @Override
            public void close() {}
        };
    }
}
