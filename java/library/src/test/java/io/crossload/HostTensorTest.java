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
class TensorTest {
    @Test
    @DisplayName("gives back what it was made of, in the datatype that the array's type says")
    void arrays() {
        assertThat(Tensor.of(new float[] {1, -0f, Float.NaN}, 3).floats()).containsExactly(1, -0f, Float.NaN);
        assertThat(Tensor.of(new double[] {Double.MIN_VALUE}, 1).doubles()).containsExactly(Double.MIN_VALUE);
        assertThat(Tensor.of(new int[] {Integer.MIN_VALUE, 7}, 2).ints()).containsExactly(Integer.MIN_VALUE, 7);
        assertThat(Tensor.of(new long[] {Long.MAX_VALUE}, 1).longs()).containsExactly(Long.MAX_VALUE);
        assertThat(Tensor.of(new boolean[] {true, false}, 2).booleans()).containsExactly(true, false);
        assertThat(Tensor.of(new String[] {"", "東京"}, 2).strings()).containsExactly("", "東京");
        assertThat(Tensor.of(new short[] {-1}, 1).datatype()).isEqualTo(Datatype.INT16);
        byte[] image = {0, -1};
        assertThat(Tensor.of(Datatype.UINT8, image, 2).bytes()).containsExactly(image);
    }

    @Test
    @DisplayName("of bytes keeps those that are no text")
    void bytes() {
        byte[] raw = {0, (byte) 0xff, 'a'};
        assertThat(Tensor.ofBytes(List.of(raw), 1).byteStrings()).containsExactly(raw);
    }

    @Test
    @DisplayName("has the shape that was said, and none for a scalar")
    void shapes() {
        assertThat(Tensor.of(new float[6], 2, 3).shape()).containsExactly(2, 3);
        assertThat(Tensor.of(new float[0], 0, 3).size()).isZero();
        assertThat(Tensor.scalar(2.5f).shape()).isEmpty();
        assertThat(Tensor.scalar("x").strings()).containsExactly("x");
        assertThat(Tensor.of(new float[6], 2, 3)).hasToString("float32 [2, 3]");
    }

    @Test
    @DisplayName("refuses a shape that its elements do not fill, however large")
    void wrongShapes() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.of(new float[6], 2, 2))
                .withMessageContaining("6 elements do not make a tensor of shape [2, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Tensor.of(new float[6]))
                .withMessageContaining("a scalar; the shape follows the elements");
        assertThatIllegalArgumentException().isThrownBy(() -> Tensor.of(new float[6], -2, -3));
        assertThatIllegalArgumentException().isThrownBy(() -> Tensor.of(new float[1], 1L << 40, 1L << 40));
        assertThatIllegalArgumentException().isThrownBy(() -> Tensor.of(new float[0], 1L << 32, 1L << 32));
    }

    @Test
    @DisplayName("says which accessor it has")
    void wrongAccessors() {
        assertThatIllegalStateException()
                .isThrownBy(() -> Tensor.of(new int[1], 1).floats())
                .withMessage("a tensor of int32 has no floats(); use ints()");
        assertThatIllegalArgumentException().isThrownBy(() -> Tensor.of(Datatype.FP32, new int[1], 1));
    }

    @Test
    @DisplayName("is not changed by what its array or its reader does later")
    void immutable() {
        float[] values = {1};
        Tensor tensor = Tensor.of(values, 1);
        values[0] = 2;
        tensor.shape()[0] = 9;
        assertThat(tensor.floats()).containsExactly(1);
        assertThat(tensor.shape()).containsExactly(1);
        Assertions.assertThatThrownBy(() -> tensor.buffer().put((byte) 1)).isInstanceOf(ReadOnlyBufferException.class);
    }

    @Test
    @DisplayName("takes a direct buffer as it is, from its position to its limit")
    void buffers() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(12).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putFloat(1).putFloat(2).putFloat(3).flip().position(4);
        Tensor tensor = Tensor.of(Datatype.FP32, buffer, 2);
        assertThat(tensor.floats()).containsExactly(2, 3);
        assertThat(tensor.buffer().isDirect()).isTrue();
        assertThat(buffer.position()).isEqualTo(4);
    }
}
