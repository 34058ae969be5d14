package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.HexFormat;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayName("A default value")
class DefaultValuesTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "FP32 | [1.5, \"NaN\", \"-Infinity\"] | 0000c03f 0000c07f 000080ff",
                "FP64 | [-0.0] | 0000000000000080",
                "FP16 | [1.5, \"Infinity\"] | 003e 007c",
                "BF16 | [1.5] | c03f",
                "FP8_E4M3FN | [1, 448] | 38 7e",
                "FP8_E5M2 | [1, \"Infinity\"] | 3c 7c",
                "INT4 | [-8, 7] | f8 07",
                "INT8 | [-128, 127] | 80 7f",
                "UINT16 | [65535] | ffff",
                "INT32 | [-2] | feffffff",
                "INT64 | [-9223372036854775808] | 0000000000000080",
                "UINT64 | [18446744073709551615] | ffffffffffffffff",
                "BOOL | [true, false] | 01 00",
                "COMPLEX64 | [[1.5, -2]] | 0000c03f 000000c0",
                "BYTES | [\"\", \"é\", \"\\u0000\\udcff\"] | 00000000 02000000 c3a9 02000000 00ff",
            })
    @DisplayName("is the manifest's, in wire bytes")
    void bytes(Datatype datatype, String data, String hex) throws IOException {
        int count = Frames.JSON.readTree(data).size();
        TensorEntry made = read(datatype, "[" + count + "]", data);
        assertThat(made.shape()).containsExactly((long) count);
        byte[] bytes = new byte[made.data().remaining()];
        made.data().duplicate().get(bytes);
        assertThat(HexFormat.of().formatHex(bytes)).isEqualTo(hex.replace(" ", ""));
    }

    @Test
    @DisplayName("is a scalar, or empty, where its shape says so")
    void shapes() throws IOException {
        assertThat(read(Datatype.INT8, "[]", "[5]").shape()).isEmpty();
        assertThat(read(Datatype.INT8, "[0, 3]", "[]").data().remaining()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"[2]", "[]", "[-1]", "[1, 1, 2]", "7", "null"})
    @DisplayName("is refused where its values do not fill its shape")
    void misshapen(String shape) {
        assertThatThrownBy(() -> read(Datatype.INT8, shape, "[1, 2, 3]"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("the default of 'x' has 3 values, which do not make a tensor of shape");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "FP32 | [true]",
                "FP32 | [\"one\"]",
                "INT8 | [\"one\"]",
                "INT32 | [null]",
                "COMPLEX64 | [1]",
                "BOOL | [\"yes\"]",
                "BYTES | [7]",
                "INT8 | [1.5]"
            })
    @DisplayName("is refused where a value is none of its datatype")
    void none(Datatype datatype, String data) {
        assertThatThrownBy(() -> read(datatype, "[1]", data)).isInstanceOf(IllegalArgumentException.class);
    }

    private static TensorEntry read(Datatype datatype, String shape, String data) throws IOException {
        return DefaultValues.read(
                "x", datatype, Frames.JSON.readTree("{\"shape\": %s, \"data\": %s}".formatted(shape, data)));
    }
}
