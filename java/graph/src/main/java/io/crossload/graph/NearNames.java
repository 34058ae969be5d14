package io.crossload.graph;

import io.crossload.contract.Text;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Finds known names that are similar to an unknown name, for error messages. */
final class NearNames {
    // The edit distance is quadratic: without limits a hostile graph could keep it busy for minutes.
    private static final int MOST_NAMES = 20_000;
    private static final int MOST_LETTERS = 128;
    private static final int MOST_NEAR = 3;

    private NearNames() {}

    /** The end of a message about an unknown name: {@code ; near it are 'a', 'b'}, or empty if no known name is similar. */
    static String of(String name, Stream<String> names) {
        List<String> known = names.limit(MOST_NAMES).toList();
        String wanted = name.substring(0, Math.min(name.length(), MOST_LETTERS));
        List<String> near = containing(wanted, known);
        if (near.isEmpty()) {
            near = alike(wanted, known);
        }
        return near.isEmpty()
                ? ""
                : near.stream().map("'%s'"::formatted).collect(Collectors.joining(", ", "; near it are ", ""));
    }

    /** The known names that contain it, ignoring case, shortest first. */
    private static List<String> containing(String wanted, List<String> known) {
        String lower = wanted.toLowerCase(Locale.ROOT);
        return known.stream()
                .filter(name ->
                        !lower.isEmpty() && name.toLowerCase(Locale.ROOT).contains(lower))
                .sorted(Comparator.comparing(String::length))
                .limit(MOST_NEAR)
                .toList();
    }

    /** The known names with an edit distance of at most half their length, nearest first. */
    private static List<String> alike(String wanted, List<String> known) {
        record Near(String name, int edits) {}
        return known.stream()
                .filter(name -> name.length() <= MOST_LETTERS)
                .map(name -> new Near(name, Text.distance(wanted, name)))
                .filter(near -> 2 * near.edits()
                        <= Math.max(wanted.length(), near.name().length()))
                .sorted(Comparator.comparing(Near::edits))
                .limit(MOST_NEAR)
                .map(Near::name)
                .toList();
    }
}
