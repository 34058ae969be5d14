package io.crossload.compare;

import io.crossload.contract.Datatype;
import io.crossload.contract.FrameException;
import io.crossload.contract.TensorEntry;
import io.crossload.contract.Tolerance;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Compares an answer with the reference's, with the same result as Python's judge (bindings/contract/judgements.json).
 *
 * <p>A NaN agrees only with a NaN in the same place, or with {@code forbidNan} never; an infinity agrees only with the infinity of the same
 * sign. The metrics leave both out.
 */
public final class Judge {
    /** The metrics whose least value is the worst. */
    private static final Set<String> LEAST = Set.of("argmax_agreement", "cosine");

    private Judge() {}

    /**
     * {@return the judgement of the whole answer: the agreement of its worst output, the worst value of each metric}
     *
     * <p>A missing or an additional output, another datatype or shape, or no output at all is {@code different}.
     *
     * @param reference the reference's outputs, by name
     * @param answer the outputs to compare with them, by name
     * @param tolerances the manifest's tolerances, by output name or datatype
     * @param forbidNan whether every NaN of the answer is {@code different}, also where the reference has one
     * @throws IllegalArgumentException if a BYTES tensor is malformed
     */
    public static Judgement judge(
            Map<String, TensorEntry> reference,
            Map<String, TensorEntry> answer,
            Map<String, Tolerance> tolerances,
            boolean forbidNan) {
        Set<String> names = new LinkedHashSet<>(reference.keySet());
        names.addAll(answer.keySet());
        List<Judgement> outputs = new ArrayList<>();
        for (String name : names) {
            if (!answer.containsKey(name)) {
                outputs.add(different("the output '" + name + "' is missing"));
            } else if (!reference.containsKey(name)) {
                outputs.add(different("the output '" + name + "' was not asked for"));
            } else {
                outputs.add(output(name, reference.get(name), answer.get(name), tolerances, forbidNan));
            }
        }
        if (outputs.isEmpty()) {
            return different("there is no output to compare");
        }
        Map<String, Number> worst = new LinkedHashMap<>();
        outputs.forEach(output -> output.metrics()
                .forEach((metric, value) -> worst.merge(metric, value, (a, b) -> {
                    boolean first = a.doubleValue() >= b.doubleValue();
                    return first == LEAST.contains(metric) ? b : a;
                })));
        return new Judgement(
                Collections.max(outputs.stream().map(Judgement::agreement).collect(Collectors.toList())),
                worst,
                outputs.stream()
                        .map(Judgement::reason)
                        .filter(reason -> !reason.isEmpty())
                        .collect(Collectors.joining("; ")));
    }

    /**
     * {@return the judgement of one output}
     *
     * @param name the output's name, for the reason
     * @param reference the reference's output
     * @param answer the output to compare with it
     * @param tolerances by output name or by the contract's name of a datatype, as in the manifest
     * @param forbidNan whether a NaN is different where the reference has one, too
     * @throws IllegalArgumentException if a BYTES tensor is malformed
     */
    public static Judgement output(
            String name,
            TensorEntry reference,
            TensorEntry answer,
            Map<String, Tolerance> tolerances,
            boolean forbidNan) {
        Datatype datatype = reference.datatype();
        if (datatype != answer.datatype()) {
            return different("'" + name + "' is " + answer.datatype().tensorflow() + ", the reference's is "
                    + datatype.tensorflow());
        }
        if (!reference.shape().equals(answer.shape())) {
            return different(
                    "'" + name + "' has shape " + answer.shape() + ", the reference's has " + reference.shape());
        }
        if (datatype == Datatype.BYTES || datatype == Datatype.BOOL) {
            return exact(name, reference, answer);
        }
        return new NumberComparison(name, reference, answer, tolerances).judge(forbidNan);
    }

    private static Judgement exact(String name, TensorEntry reference, TensorEntry answer) {
        List<String> wanted = words(reference);
        List<String> got = words(answer);
        if (wanted.size() != got.size()) {
            return different("'" + name + "' has " + got.size() + " elements, the reference's has " + wanted.size());
        }
        int differing = 0;
        int first = -1;
        for (int at = 0; at < wanted.size(); at++) {
            if (!Objects.equals(wanted.get(at), got.get(at))) {
                first = first < 0 ? at : first;
                differing++;
            }
        }
        if (differing == 0) {
            return new Judgement(Agreement.IDENTICAL, Map.of(), "");
        }
        String reason = String.format(
                Locale.ROOT,
                "'%s' differs in %d of %d elements, first at %s: %s, the reference's is %s",
                name,
                differing,
                wanted.size(),
                index(first, reference.shape()),
                got.get(first),
                wanted.get(first));
        return new Judgement(Agreement.DIFFERENT, Map.of("differing", (long) differing), reason);
    }

    /** The elements of a BYTES or BOOL tensor as the reason shows them: equal texts for equal elements. */
    private static List<String> words(TensorEntry tensor) {
        List<String> words = new ArrayList<>();
        if (tensor.datatype() == Datatype.BOOL) {
            for (int at = tensor.data().position(); at < tensor.data().limit(); at++) {
                words.add(tensor.data().get(at) == 0 ? "False" : "True");
            }
            return words;
        }
        try {
            Datatype.decodeBytes(tensor.data()).forEach(element -> words.add(word(element)));
        } catch (FrameException error) {
            throw new IllegalArgumentException("'" + tensor.name() + "': " + error.getMessage(), error);
        }
        return words;
    }

    private static String word(byte[] element) {
        StringBuilder word = new StringBuilder("b'");
        for (byte value : element) {
            boolean plain = value >= ' ' && value <= '~' && value != '\\' && value != '\'';
            word.append(plain ? Character.toString((char) value) : String.format(Locale.ROOT, "\\x%02x", value & 0xff));
        }
        return word.append('\'').toString();
    }

    /** The index of an element of a row-major tensor: {@code [1, 0]}. */
    static String index(int at, List<Long> shape) {
        if (shape.isEmpty()) {
            return "the scalar";
        }
        Long[] index = new Long[shape.size()];
        long rest = at;
        for (int axis = index.length - 1; axis >= 0; axis--) {
            index[axis] = rest % shape.get(axis);
            rest /= shape.get(axis);
        }
        return List.of(index).toString();
    }

    static Judgement different(String reason) {
        return new Judgement(Agreement.DIFFERENT, Map.of(), reason);
    }
}
