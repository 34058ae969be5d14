package io.crossload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.crossload.contract.Datatype;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.util.List;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("A tensor")
class HostTensorTest {
    @Test
    @DisplayName("gives back what it was made of, in the datatype that the array's type says")
    void arrays() {
        assertThat(HostTensor.of(new float[] {1, -0f, Float.NaN}, 3).floats()).containsExactly(1, -0f, Float.NaN);
        assertThat(HostTensor.of(new double[] {Double.MIN_VALUE}, 1).doubles()).containsExactly(Double.MIN_VALUE);
        assertThat(HostTensor.of(new int[] {Integer.MIN_VALUE, 7}, 2).ints()).containsExactly(Integer.MIN_VALUE, 7);
        assertThat(HostTensor.of(new long[] {Long.MAX_VALUE}, 1).longs()).containsExactly(Long.MAX_VALUE);
        assertThat(HostTensor.of(new boolean[] {true, false}, 2).booleans()).containsExactly(true, false);
        assertThat(HostTensor.of(new String[] {"", "東京"}, 2).strings()).containsExactly("", "東京");
        assertThat(HostTensor.of(new short[] {-1}, 1).datatype()).isEqualTo(Datatype.INT16);
        byte[] image = {0, -1};
        assertThat(HostTensor.of(Datatype.UINT8, image, 2).bytes()).containsExactly(image);
    }

    @Test
    @DisplayName("of bytes keeps those that are no text")
    void bytes() {
        byte[] raw = {0, (byte) 0xff, 'a'};
        assertThat(HostTensor.ofBytes(List.of(raw), 1).byteStrings()).containsExactly(raw);
    }

    @Test
    @DisplayName("has the shape that was said, and none for a scalar")
    void shapes() {
        assertThat(HostTensor.of(new float[6], 2, 3).shape()).containsExactly(2, 3);
        assertThat(HostTensor.of(new float[0], 0, 3).size()).isZero();
        assertThat(HostTensor.scalar(2.5f).shape()).isEmpty();
        assertThat(HostTensor.scalar("x").strings()).containsExactly("x");
        assertThat(HostTensor.of(new float[6], 2, 3)).hasToString("float32 [2, 3]");
    }

    @Test
    @DisplayName("refuses a shape that its elements do not fill, however large")
    void wrongShapes() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> HostTensor.of(new float[6], 2, 2))
                .withMessageContaining("6 elements do not make a tensor of shape [2, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> HostTensor.of(new float[6]))
                .withMessageContaining("a scalar; the shape follows the elements");
        assertThatIllegalArgumentException().isThrownBy(() -> HostTensor.of(new float[6], -2, -3));
        assertThatIllegalArgumentException().isThrownBy(() -> HostTensor.of(new float[1], 1L << 40, 1L << 40));
        assertThatIllegalArgumentException().isThrownBy(() -> HostTensor.of(new float[0], 1L << 32, 1L << 32));
    }

    @Test
    @DisplayName("refuses a shape of which native TensorFlow dies, though it has no elements")
    void deadlyShapes() {
        long[] rank300 = new long[300];
        for (long[] shape : List.of(new long[] {1L << 62, 2, 0}, new long[] {0, Long.MAX_VALUE, 2}, rank300)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> HostTensor.of(new float[0], shape))
                    .withMessageContaining("do not make a tensor of shape");
        }
        assertThat(HostTensor.of(new float[0], 3, 0).size()).isZero();
    }

    @Test
    @DisplayName("says which accessor it has")
    void wrongAccessors() {
        assertThatIllegalStateException()
                .isThrownBy(() -> HostTensor.of(new int[1], 1).floats())
                .withMessage("a tensor of int32 has no floats(); use ints()");
        assertThatIllegalArgumentException().isThrownBy(() -> HostTensor.of(Datatype.FP32, new int[1], 1));
    }

    @Test
    @DisplayName("is not changed by what its array or its reader does later")
    void immutable() {
        float[] values = {1};
        HostTensor tensor = HostTensor.of(values, 1);
        values[0] = 2;
        tensor.shape()[0] = 9;
        assertThat(tensor.floats()).containsExactly(1);
        assertThat(tensor.shape()).containsExactly(1);
        Assertions.assertThatThrownBy(() -> tensor.buffer().put((byte) 1)).isInstanceOf(ReadOnlyBufferException.class);
    }

    @Test
    @DisplayName("over an array is a view of it, whose bytes are made only for who asks for them")
    void views() {
        float[] values = {1, 2};
        HostTensor tensor = HostTensor.over(values, 2);
        values[0] = 3;
        assertThat(tensor.floats()).containsExactly(3, 2);
        assertThat(tensor.buffer().getFloat(4)).isEqualTo(2);
        assertThat(HostTensor.over(new double[] {1}, 1).datatype()).isEqualTo(Datatype.FP64);
        assertThat(HostTensor.over(new int[] {7}, 1).longs()).containsExactly(7);
        assertThat(HostTensor.over(new long[] {-7}, 1).longs()).containsExactly(-7);
        assertThat(HostTensor.over(new byte[] {-7}, 1).ints()).containsExactly(-7);
        assertThat(HostTensor.over(Datatype.UINT16, new short[] {-1}, 1).ints()).containsExactly(65535);
        assertThatIllegalArgumentException().isThrownBy(() -> HostTensor.over(Datatype.FP32, new int[1], 1));
    }

    @Test
    @DisplayName("takes a direct buffer as it is, from its position to its limit")
    void buffers() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(12).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putFloat(1).putFloat(2).putFloat(3).flip().position(4);
        HostTensor tensor = HostTensor.of(Datatype.FP32, buffer, 2);
        assertThat(tensor.floats()).containsExactly(2, 3);
        assertThat(tensor.buffer().isDirect()).isTrue();
        assertThat(buffer.position()).isEqualTo(4);
    }
}
