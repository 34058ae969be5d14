package io.crossload.graph;

import io.crossload.contract.Datatype;
import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.tensorflow.proto.DataType;

/**
 * The datatypes that a release's API has a tensor type for; TensorFlow itself has more.
 *
 * @param release of TensorFlow Java
 * @param carried those that it has
 */
public record TensorTypes(String release, Set<Datatype> carried) {

    /**
     * The datatype of a number of types.proto; a reference counts as what it refers to.
     *
     * @throws WorkerException UNIMPLEMENTED where the release has no tensor type for it
     */
    public Datatype ofNumber(int number) throws WorkerException {
        Datatype datatype = Datatype.ofNumber(number);
        if (datatype == null || !carried.contains(datatype)) {
            throw unsupported(datatype == null ? name(number) : datatype.tensorflow());
        }
        return datatype;
    }

    /**
     * Passes a datatype that is carried.
     *
     * @throws WorkerException UNIMPLEMENTED where the release has no tensor type for it
     */
    public void check(Datatype datatype) throws WorkerException {
        if (!carried.contains(datatype)) {
            throw unsupported(datatype.tensorflow());
        }
    }

    /** The contract's names of those carried, in the contract's order: ServerMetadata's {@code datatypes}. */
    public List<String> names() {
        return carried.stream().sorted().map(Datatype::name).toList();
    }

    private static String name(int number) {
        DataType type = DataType.forNumber(number);
        return type == null
                ? "datatype " + number
                : type.name().toLowerCase(Locale.ROOT).replaceFirst("^dt_", "");
    }

    private WorkerException unsupported(String type) {
        return new WorkerException(
                Code.UNIMPLEMENTED, "TensorFlow Java " + release + " has no tensor type for " + type);
    }
}
