package io.crossload.compare;

import io.crossload.contract.Text;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * How close an answer is, and why.
 *
 * @param agreement the agreement
 * @param metrics max_abs, max_rel, rmse, max_ulp (floats: a Long, or a BigInteger beyond it), argmax_agreement (the share of rows along
 *     the last axis), differing (strings, bools) and nan, those that there are
 * @param reason what differs; empty for an agreement of close or better
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
