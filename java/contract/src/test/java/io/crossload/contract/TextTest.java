package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("A sentence")
class TextTest {
    @Test
    @DisplayName("about an unknown name asks for the one that is spelt alike, in either case of letters")
    void near() {
        assertThat(Text.near("probabilties", List.of("pixels", "probabilities")))
                .isEqualTo("; did you mean 'probabilities'?");
        assertThat(Text.near("PIXELS", List.of("pixels", "scores"))).isEqualTo("; did you mean 'pixels'?");
    }

    @Test
    @DisplayName("about an unknown name lists all there are, where none is alike")
    void all() {
        assertThat(Text.near("x", List.of("pixels", "scores"))).isEqualTo("; there are: 'pixels', 'scores'");
        assertThat(Text.near("x", List.of())).isEqualTo("; there are: none");
    }

    @Test
    @DisplayName("has numbers as C's %g writes them")
    void general() {
        assertThat(List.of(0.0, 1.0, 0.0001, 0.00001, 123456.0, 1234567.0, 7.45e-8, -2.5, 1e300))
                .extracting(value -> Text.general(value, 6))
                .containsExactly("0", "1", "0.0001", "1e-05", "123456", "1.23457e+06", "7.45e-08", "-2.5", "1e+300");
        assertThat(Text.general(Double.NaN, 3)).isEqualTo("nan");
        assertThat(Text.general(Double.NEGATIVE_INFINITY, 3)).isEqualTo("-inf");
    }
}
