package io.crossload;

import io.crossload.contract.CarrierConversion;
import io.crossload.contract.Datatype;
import io.crossload.contract.FrameException;
import io.crossload.contract.Manifest;
import io.crossload.contract.Manifest.Binding;
import io.crossload.contract.Manifest.Bridge;
import io.crossload.contract.Manifest.TensorSpec;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Text;
import io.crossload.worker.Code;
import io.crossload.worker.Worker;
import io.crossload.worker.Worker.Answer;
import io.crossload.worker.Worker.InferRequest;
import io.crossload.worker.Worker.Metadata;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** A signature of an open bundle: a function from named inputs to named outputs. Safe for use by several threads at once. */
public final class BoundSignature {
    // A warm-up is to cost little: a larger tensor of zeros is not made.
    private static final int MOST_ZEROS = 64 << 20;

    private final Bundle bundle;
    private final String name;
    private final String described; // made once: a call is to leave little for the garbage collector
    private final Manifest.Signature promised;
    private final Worker.Binding binding;
    private final Map<Datatype, Datatype> carriers;
    private final List<String> inputs;
    private final Map<String, Datatype> outputs;
    private final List<String> all;
    private final Set<Datatype> missing;
    private final byte[] runOptions;

    private BoundSignature(
            Bundle bundle,
            String name,
            Manifest.Signature promised,
            Worker.Binding binding,
            Map<Datatype, Datatype> carriers,
            Set<Datatype> missing,
            byte[] runOptions) {
        this.bundle = bundle;
        this.name = name;
        this.described = "signature '" + name + "'";
        this.promised = promised;
        this.binding = binding;
        this.carriers = carriers;
        this.missing = missing;
        this.runOptions = runOptions;
        this.inputs = promised.inputs().stream().map(TensorSpec::name).toList();
        this.outputs = new LinkedHashMap<>();
        promised.outputs().forEach(output -> outputs.put(output.name(), output.datatype()));
        this.all = List.copyOf(outputs.keySet());
    }

    static BoundSignature of(
            Bundle bundle, String name, Manifest.Signature promised, Binding binding, Metadata metadata) {
        Set<Datatype> missing = Stream.concat(promised.inputs().stream(), promised.outputs().stream())
                .map(TensorSpec::datatype)
                .filter(datatype -> metadata.parameters().get("datatypes") instanceof Collection<?> carried
                        && !carried.contains(datatype.name()))
                .collect(Collectors.toSet());
        Bridge bridge = binding.bridge();
        if (missing.isEmpty() || bridge == null) {
            Worker.Binding direct = new Worker.Binding(binding.key(), binding.inputs(), binding.outputs());
            return new BoundSignature(bundle, name, promised, direct, Map.of(), missing, null);
        }
        missing.removeAll(bridge.carriers().keySet());
        Worker.Binding bridged = new Worker.Binding(bridge.key(), bridge.inputs(), bridge.outputs());
        return new BoundSignature(bundle, name, promised, bridged, bridge.carriers(), missing, null);
    }

    /**
     * This signature with options for its runs, such as a time limit. The trace that they may ask for is not returned.
     *
     * @param options a serialised tensorflow.RunOptions, {@code RunOptions.newBuilder().setTimeoutInMs(500).build().toByteArray()}; null
     *     for TensorFlow's own. A run that takes longer throws CrossloadException (DEADLINE_EXCEEDED)
     * @return the same signature of the same bundle, with these options
     */
    public BoundSignature withRunOptions(byte[] options) {
        return new BoundSignature(bundle, name, promised, binding, carriers, missing, options);
    }

    /** {@return the signature's key in the manifest} */
    public String name() {
        return name;
    }

    /** {@return the inputs in the signature's order: name, datatype, shape (-1 for a free dimension), default} */
    public List<TensorSpec> inputs() {
        return promised.inputs();
    }

    /** {@return the outputs in the signature's order: name, datatype, shape (-1 for a free dimension)} */
    public List<TensorSpec> outputs() {
        return promised.outputs();
    }

    /**
     * Runs the model for all outputs.
     *
     * @param inputs by name, with the signature's datatypes and shapes; inputs with a default may be left out
     * @return the outputs by name, in the signature's order; they remain valid after the bundle is closed
     * @throws CrossloadException INVALID_ARGUMENT for an unknown name, a missing input, another datatype or shape; UNIMPLEMENTED if the
     *     engine lacks a datatype of the signature; FAILED_PRECONDITION if the bundle is closed, or an input is of closed {@link Outputs};
     *     OUT_OF_RANGE for a tensor of 2 GiB or more; the engine's own code if the model fails
     * @throws NullPointerException for a null name
     */
    public Map<String, HostTensor> call(Map<String, HostTensor> inputs) {
        return call(inputs, all);
    }

    /**
     * Runs the model for some outputs; parts of the model that only other outputs need do not run.
     *
     * @param inputs by name, with the signature's datatypes and shapes; inputs with a default may be left out
     * @param wanted names of outputs
     * @return these outputs by name; they remain valid after the bundle is closed
     * @throws CrossloadException as {@link #call(Map)}
     */
    public Map<String, HostTensor> call(Map<String, HostTensor> inputs, Collection<String> wanted) {
        try (Outputs outputs = run(inputs, wanted)) {
            return outputs.copied();
        }
    }

    /**
     * Runs the model for all outputs and leaves them in the engine's memory: for large tensors, of which {@link #call(Map)} makes a copy.
     *
     * @param inputs as for {@link #call(Map)}
     * @return the outputs, which the caller closes
     * @throws CrossloadException as {@link #call(Map)}
     */
    public Outputs run(Map<String, HostTensor> inputs) {
        return run(inputs, all);
    }

    /**
     * Runs the model for some outputs and leaves them in the engine's memory.
     *
     * @param inputs as for {@link #call(Map)}
     * @param wanted names of outputs
     * @return the outputs, which the caller closes
     * @throws CrossloadException as {@link #call(Map)}
     */
    public Outputs run(Map<String, HostTensor> inputs, Collection<String> wanted) {
        if (!missing.isEmpty()) {
            throw new CrossloadException(Code.UNIMPLEMENTED, lacking());
        }
        for (String output : wanted) {
            if (!outputs.containsKey(Objects.requireNonNull(output, "an output's name"))) {
                throw invalid("has no output '" + output + "'" + Text.near(output, outputs.keySet()));
            }
        }
        InferRequest request = new InferRequest(name, binding, fed(inputs), List.copyOf(wanted), runOptions);
        Worker.Model model = bundle.model();
        Answer answer;
        try {
            answer = Engines.calling(bundle.worker(), described, () -> model.infer(request));
        } catch (CrossloadException error) {
            bundle.model(); // throws, if another thread closed it meanwhile
            throw error;
        }
        try {
            return new Outputs(answer, carriers.isEmpty() ? answer.outputs() : returned(answer.outputs()));
        } catch (RuntimeException | Error error) {
            answer.close();
            throw error;
        }
    }

    private List<TensorEntry> fed(Map<String, HostTensor> given) {
        List<TensorEntry> entries = new ArrayList<>(inputs.size());
        int known = 0;
        for (TensorSpec spec : promised.inputs()) {
            HostTensor tensor = given.get(spec.name());
            TensorEntry entry;
            if (tensor != null) {
                check(spec, tensor);
                entry = tensor.entry(spec.name());
                known++;
            } else if (spec.defaultValue() != null) {
                entry = spec.defaultValue();
            } else {
                throw invalid("needs the input '" + spec.name() + "' (" + described(spec) + "), which is missing"
                        + unknown(given));
            }
            Datatype carrier = carriers.get(spec.datatype());
            entries.add(carrier == null ? entry : CarrierConversion.toCarrier(entry, carrier));
        }
        if (known < given.size()) {
            String other = unknown(given);
            throw invalid(other.isEmpty() ? "was given null for an input" : other.substring(2));
        }
        return entries;
    }

    private void check(TensorSpec spec, HostTensor tensor) {
        boolean fits = tensor.datatype() == spec.datatype();
        List<Long> wanted = spec.shape();
        if (fits && wanted != null) {
            List<Long> got = tensor.dimensions();
            fits = got.size() == wanted.size();
            for (int axis = 0; fits && axis < wanted.size(); axis++) {
                long dimension = wanted.get(axis);
                fits = dimension < 0 || dimension == got.get(axis);
            }
        }
        if (!fits) {
            throw invalid("takes '" + spec.name() + "' as " + described(spec) + ", and " + tensor + " was given");
        }
    }

    private List<TensorEntry> returned(List<TensorEntry> carried) {
        List<TensorEntry> entries = new ArrayList<>();
        carried.forEach(output -> entries.add(returned(output)));
        return entries;
    }

    private TensorEntry returned(TensorEntry output) {
        Datatype promisedType = outputs.get(output.name());
        try {
            return carriers.containsKey(promisedType) ? CarrierConversion.fromCarrier(output, promisedType) : output;
        } catch (FrameException error) {
            throw new CrossloadException(
                    Code.INTERNAL, described + ", output '" + output.name() + "': " + error.getMessage(), error);
        }
    }

    private String unknown(Map<String, HostTensor> given) {
        return given.keySet().stream()
                .filter(key -> !inputs.contains(Objects.requireNonNull(key, "an input's name")))
                .findFirst()
                .map(key -> "; has no input '" + key + "'" + Text.near(key, inputs))
                .orElse("");
    }

    private CrossloadException invalid(String what) {
        return new CrossloadException(Code.INVALID_ARGUMENT, described + " " + what);
    }

    private String lacking() {
        Metadata engine = bundle.engine();
        return described + " has tensors of "
                + missing.stream().map(Datatype::tensorflow).sorted().collect(Collectors.joining(", "))
                + ", for which " + engine.name() + " " + engine.version()
                + " has no tensor type; export the bundle again, so that it has a bridge for them";
    }

    private static String described(TensorSpec spec) {
        return spec.datatype().tensorflow() + " " + (spec.shape() == null ? "of any shape" : spec.shape());
    }

    /** Zeros (empty strings) for each required input, 1 for a free dimension; empty if one has no known rank or is too large. */
    Optional<Map<String, HostTensor>> zeros() {
        Map<String, HostTensor> zeros = new LinkedHashMap<>();
        double total = 0;
        for (TensorSpec spec : promised.inputs()) {
            if (spec.defaultValue() != null) {
                continue;
            }
            if (spec.shape() == null) {
                return Optional.empty();
            }
            long[] shape = spec.shape().stream().mapToLong(d -> d < 0 ? 1 : d).toArray();
            // An empty string is its length alone, on the wire.
            int width = spec.datatype() == Datatype.BYTES
                    ? Integer.BYTES
                    : spec.datatype().size();
            double bytes = LongStream.of(shape).asDoubleStream().reduce(width, (one, other) -> one * other);
            total += bytes;
            if (total > MOST_ZEROS) {
                return Optional.empty();
            }
            ByteBuffer data = ByteBuffer.allocate((int) bytes);
            zeros.put(spec.name(), HostTensor.of(spec.datatype(), data, shape));
        }
        return Optional.of(zeros);
    }

    /** Whether, for every datatype of the signature, the engine has a tensor type or the artifact a bridge. */
    boolean carried() {
        return missing.isEmpty();
    }

    /** The artifact's tensors for this signature, those of its bridge if the engine needs one. */
    Worker.Binding binding() {
        return binding;
    }
}
