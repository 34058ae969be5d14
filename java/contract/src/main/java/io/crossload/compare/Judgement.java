package io.crossload.compare;

import io.crossload.contract.Text;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * How close an answer is to the reference's, with metrics and reason.
 *
 * @param agreement how close
 * @param metrics by name, only those that apply: {@code max_abs}, {@code max_rel}, {@code rmse}, {@code rmse_rel} (relative to
 *     the reference's root mean square), {@code cosine} (numbers); {@code max_ulp} (floats; a Long,
 *     or a BigInteger where a Long is too small); {@code argmax_agreement} (share of rows along the last axis); {@code flip_margin}
 * (where a row decides otherwise: the greatest margin that the reference gave such a decision, as a share of the output's range); {@code
 * differing} (count of differing strings or bools); {@code nan} (count of the answer's NaN)
 * @param reason what differs; empty if the agreement is close or better
 */
public record Judgement(Agreement agreement, Map<String, Number> metrics, String reason) {

    /** {@code close, max_abs 1.2e-07, max_ulp 3: …}. */
    @Override
    public String toString() {
        String numbers = metrics.entrySet().stream()
                .map(e -> ", " + e.getKey() + " " + Text.general(e.getValue().doubleValue(), 6))
                .collect(Collectors.joining());
        return agreement + numbers + (reason.isEmpty() ? "" : ": " + reason);
    }
}
