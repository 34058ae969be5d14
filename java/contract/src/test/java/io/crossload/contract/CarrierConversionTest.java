package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

@DisplayName("Carrier datatypes")
class CarrierConversionTest {
    private static final Path EXAMPLES = Path.of("..", "..", "bindings", "contract", "bridge.json");

    @TestFactory
    @DisplayName("take the contract's examples there and back, as Python does")
    Stream<DynamicTest> examples() throws IOException {
        JsonNode rows = Frames.JSON.readTree(Files.readAllBytes(EXAMPLES));
        assertThat(rows).hasSizeGreaterThan(12);
        return StreamSupport.stream(rows.spliterator(), false).map(row -> {
            TensorEntry tensor = tensor(row, "datatype", "shape", "bytes");
            TensorEntry carried = tensor(row, "carrier", "carrier_shape", "carrier_bytes");
            return DynamicTest.dynamicTest(tensor.datatype() + " as " + carried.datatype(), () -> {
                assertThat(CarrierConversion.toCarrier(tensor, carried.datatype()))
                        .isEqualTo(carried);
                assertThat(CarrierConversion.fromCarrier(carried, tensor.datatype()))
                        .isEqualTo(tensor);
            });
        });
    }

    @ParameterizedTest
    @EnumSource(names = {"FP16", "BF16", "FP8_E4M3FN", "FP8_E5M2"})
    @DisplayName("keep every bit pattern of a small float, but for NaN's, which stays NaN")
    void everyPattern(Datatype datatype) throws FrameException {
        int patterns = 1 << 8 * datatype.size();
        ByteBuffer data = ByteBuffer.allocate(patterns * datatype.size()).order(ByteOrder.LITTLE_ENDIAN);
        for (int bits = 0; bits < patterns; bits++) {
            Elements.putInteger(datatype, data, bits, bits);
        }
        TensorEntry all = new TensorEntry("x", datatype, List.of((long) patterns), data);
        TensorEntry back = CarrierConversion.fromCarrier(CarrierConversion.toCarrier(all, Datatype.FP32), datatype);
        for (int bits = 0; bits < patterns; bits++) {
            if (Double.isNaN(Elements.real(datatype, data, bits))) {
                assertThat(Elements.real(datatype, back.data(), bits)).isNaN();
            } else {
                assertThat(Elements.bits(datatype, back.data(), bits)).isEqualTo(bits);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "INT8, INT32, 128",
        "INT8, INT32, -129",
        "INT4, INT32, 8",
        "INT4, INT32, -9",
        "UINT4, INT32, 16",
        "UINT4, INT32, -1",
        "INT16, INT32, 32768",
        "UINT16, INT32, -1",
        "UINT32, INT64, 4294967296",
        "UINT32, INT64, -1",
        "FP16, FP32, 0.1",
        "FP16, FP32, 65520",
        "BF16, FP32, 1.001",
        "FP8_E4M3FN, FP32, 1000",
        "FP8_E4M3FN, FP32, Infinity",
        "FP8_E5M2, FP32, 0.3"
    })
    @DisplayName("refuse a value that is none of the datatype, and round or wrap nothing")
    void misfits(Datatype datatype, Datatype carrier, String value) {
        ByteBuffer data = ByteBuffer.allocate(carrier.size()).order(ByteOrder.LITTLE_ENDIAN);
        if (Elements.isFloating(carrier)) {
            Elements.putReal(carrier, data, 0, Double.parseDouble(value));
        } else {
            Elements.putInteger(carrier, data, 0, Long.parseLong(value));
        }
        assertThatThrownBy(
                        () -> CarrierConversion.fromCarrier(new TensorEntry("y", carrier, List.of(), data), datatype))
                .isInstanceOf(FrameException.class)
                .hasMessage("what came back as " + carrier.tensorflow() + " is no " + datatype.tensorflow()
                        + ": a value does not fit");
    }

    @Test
    @DisplayName("refuse a complex tensor that came back without its last axis of 2")
    void noLastAxis() {
        for (List<Long> shape : List.of(List.<Long>of(), List.of(4L), List.of(2L, 1L))) {
            TensorEntry carried = new TensorEntry("y", Datatype.FP32, shape, ByteBuffer.allocate(16));
            assertThatThrownBy(() -> CarrierConversion.fromCarrier(carried, Datatype.COMPLEX64))
                    .isInstanceOf(FrameException.class)
                    .hasMessage("complex64 travels with a last axis of 2, and the shape " + shape + " came back");
        }
    }

    private static TensorEntry tensor(JsonNode row, String datatype, String shape, String bytes) {
        List<Long> dimensions = new ArrayList<>();
        row.get(shape).forEach(dimension -> dimensions.add(dimension.longValue()));
        ByteBuffer data = ByteBuffer.wrap(HexFormat.of().parseHex(row.get(bytes).textValue()));
        return new TensorEntry("x", Datatype.ofName(row.get(datatype).textValue()), dimensions, data);
    }
}
