package io.crossload.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("Near names")
class NearNamesTest {
    @Test
    @DisplayName("are those that contain the name, in either case, the shortest first, three at most")
    void containing() {
        assertThat(NearNames.of("softmax", Stream.of("a/Softmax_1", "x", "Softmax", "a/b/Softmax", "a/SOFTMAX")))
                .isEqualTo("; near it are 'Softmax', 'a/SOFTMAX', 'a/Softmax_1'");
    }

    @Test
    @DisplayName("are else those that are spelt alike, the nearest first")
    void alike() {
        assertThat(NearNames.of("probabilties", Stream.of("pixels", "probability", "probabilities")))
                .isEqualTo("; near it are 'probabilities', 'probability'");
    }

    @Test
    @DisplayName("are none where nothing is alike, where there is no name, and where the graph has none")
    void none() {
        assertThat(NearNames.of("xyz", Stream.of("probabilities"))).isEmpty();
        assertThat(NearNames.of("", Stream.of("probabilities"))).isEmpty();
        assertThat(NearNames.of("x", Stream.empty())).isEmpty();
    }

    @Test
    @DisplayName("of a hostile graph, with many long names, take seconds at most")
    void hostile() {
        String longest = "ab".repeat(120);
        long start = System.nanoTime();
        NearNames.of("c".repeat(100_000), IntStream.range(0, 1_000_000).mapToObj(i -> longest + i));
        assertThat(System.nanoTime() - start).isLessThan(20_000_000_000L);
    }
}
