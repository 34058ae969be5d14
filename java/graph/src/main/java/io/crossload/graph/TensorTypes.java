package io.crossload.graph;

import io.crossload.contract.Datatype;
import io.crossload.worker.Code;
import io.crossload.worker.WorkerException;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.tensorflow.proto.DataType;

/**
 * The datatypes for which a release of TensorFlow Java has a tensor type; native TensorFlow has more.
 *
 * @param release of TensorFlow Java
 * @param carried the datatypes with a tensor type
 */
public record TensorTypes(String release, Set<Datatype> carried) {

    /**
     * The datatype with a number in types.proto; a reference type counts as the type that it refers to.
     *
     * @throws WorkerException UNIMPLEMENTED if the release has no tensor type for it
     */
    public Datatype ofNumber(int number) throws WorkerException {
        Datatype datatype = Datatype.ofNumber(number);
        if (datatype == null || !carried.contains(datatype)) {
            throw unsupported(datatype == null ? name(number) : datatype.tensorflow());
        }
        return datatype;
    }

    /**
     * Checks that a datatype has a tensor type.
     *
     * @throws WorkerException UNIMPLEMENTED if the release has none
     */
    public void check(Datatype datatype) throws WorkerException {
        if (!carried.contains(datatype)) {
            throw unsupported(datatype.tensorflow());
        }
    }

    /** The contract's names of the datatypes with a tensor type, for ServerMetadata's {@code datatypes}. */
    public List<String> names() {
        return carried.stream().sorted().map(Datatype::name).toList();
    }

    /**
     * Checks that the elements of an output fit a Java buffer; those of BYTES do not lie in one.
     *
     * @throws WorkerException OUT_OF_RANGE if they have more than 2 GiB
     */
    public static void checkFits(String name, Datatype datatype, List<Long> shape) throws WorkerException {
        double bytes = datatype.size();
        for (long dimension : shape) {
            bytes *= dimension;
        }
        if (bytes > Integer.MAX_VALUE) {
            throw new WorkerException(
                    Code.OUT_OF_RANGE,
                    "the output '%s' has %,.0f bytes, and a tensor of 2 GiB or more does not fit a buffer of Java; split the batch"
                            .formatted(name, bytes));
        }
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
