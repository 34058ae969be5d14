package io.crossload.contract;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Converts a tensor of a datatype that a runtime lacks to its carrier datatype, and back (bindings/contract/README.md, section Bridges).
 */
public final class CarrierConversion {
    private CarrierConversion() {}

    /**
     * The tensor in its carrier datatype: the same values; for UINT64, COMPLEX64 and COMPLEX128 the same bits.
     *
     * @param tensor of any shape
     * @param carrier the datatype that the contract's table of carriers has for the tensor's
     * @return a tensor of the same name and shape; a complex one has a further last axis of 2 (real part, imaginary part)
     */
    public static TensorEntry toCarrier(TensorEntry tensor, Datatype carrier) {
        Datatype datatype = tensor.datatype();
        List<Long> shape = new ArrayList<>(tensor.shape());
        if (Elements.isComplex(datatype)) {
            shape.add(2L);
        }
        ByteBuffer data = isCast(datatype) ? cast(tensor, carrier) : tensor.data();
        return new TensorEntry(tensor.name(), carrier, shape, data);
    }

    /**
     * {@return the tensor of {@code datatype} that a carrier tensor holds}
     *
     * @param carried a tensor of the carrier datatype
     * @param datatype the datatype that it carries
     * @throws FrameException if a value does not fit the datatype, or the carrier of a complex datatype has no last axis of 2
     */
    public static TensorEntry fromCarrier(TensorEntry carried, Datatype datatype) throws FrameException {
        List<Long> shape = carried.shape();
        if (Elements.isComplex(datatype)) {
            int last = shape.size() - 1;
            if (last < 0 || shape.get(last) != 2) {
                throw new FrameException(datatype.tensorflow() + " travels with a last axis of 2, and the shape "
                        + shape + " came back");
            }
            shape = shape.subList(0, last);
        }
        if (!isCast(datatype)) {
            return new TensorEntry(carried.name(), datatype, shape, carried.data());
        }
        TensorEntry made = new TensorEntry(carried.name(), datatype, shape, cast(carried, datatype));
        if (!same(cast(made, carried.datatype()), carried)) {
            throw new FrameException("what came back as " + carried.datatype().tensorflow() + " is no "
                    + datatype.tensorflow() + ": a value does not fit");
        }
        return made;
    }

    private static boolean isCast(Datatype datatype) {
        return switch (datatype) {
            case UINT64, COMPLEX64, COMPLEX128 -> false;
            default -> true;
        };
    }

    private static ByteBuffer cast(TensorEntry tensor, Datatype target) {
        ByteBuffer source = tensor.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        int elements = (int) tensor.elements();
        ByteBuffer data = ByteBuffer.allocateDirect(Math.multiplyExact(elements, target.size()))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < elements; at++) {
            if (Elements.isFloating(target)) {
                Elements.putReal(target, data, at, Elements.real(tensor.datatype(), source, at));
            } else {
                Elements.putInteger(target, data, at, Elements.integer(tensor.datatype(), source, at));
            }
        }
        return data;
    }

    private static boolean same(ByteBuffer again, TensorEntry carried) {
        ByteBuffer data = carried.data().slice().order(ByteOrder.LITTLE_ENDIAN);
        if (again.equals(data)) {
            return true;
        }
        for (int at = 0; at < carried.elements(); at++) {
            double one = Elements.real(carried.datatype(), again, at);
            double other = Elements.real(carried.datatype(), data, at);
            if (one != other && !(Double.isNaN(one) && Double.isNaN(other))) {
                return false;
            }
        }
        return true;
    }
}
