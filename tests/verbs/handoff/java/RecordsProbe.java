package com.example._1evilmodel;

import com.example._1evilmodel._1EvilModelClient.*;
import io.crossload.HostTensor;
import io.crossload.contract.Datatype;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.Callable;

/** Prints what the generated records of tests/attacks/hostile_bundle.py do, a line each. */
public final class RecordsProbe {
    public static void main(String[] args) {
        var one = new ThreeOutputs(new float[] {1, Float.NaN}, new float[3], new float[20]);
        var same = new ThreeOutputs(new float[] {1, Float.NaN}, new float[3], new float[20]);
        var other = new ThreeOutputs(new float[] {1, 2}, new float[3], new float[20]);
        say("equal", one.equals(same) && one.hashCode() == same.hashCode());
        say("different", !one.equals(other) && !one.equals(null) && !one.equals("one"));
        say("shown", one);

        var tensors = new RowsOutputs(HostTensor.of(new float[4], 2, 2), "käse", HostTensor.scalar(7L));
        say("equal tensors", tensors.equals(new RowsOutputs(HostTensor.of(new float[4], 2, 2), "käse", HostTensor.scalar(7L))));
        say("another shape", tensors.equals(new RowsOutputs(HostTensor.of(new float[4], 4, 1), "käse", HostTensor.scalar(7L))));
        say("shown tensors", tensors);

        int[][] ids = {{1, 2, 3}, {4, 5, 6}};
        String[][] words = {{"a", "b"}};
        byte[][] bytes = {{1}, {2}};
        HostTensor raw = HostTensor.ofBytes(java.util.List.of(new byte[] {1}), 1, 1);
        var rows = new RowsInputs(ids, new long[1][2], words, raw, bytes, bytes, "label");
        say("rows", rows.inputIds() + " " + Arrays.toString(rows.inputIds().ints()));
        say("bytes", rows.unsigned().datatype() == Datatype.UINT8 && rows.signed().datatype() == Datatype.INT8);
        say("texts", Arrays.toString(rows.words().strings()) + " " + rows.weights());
        say("no rows", new RowsInputs(new int[0][], new long[1][2], words, raw, bytes, bytes, "label").inputIds());
        refused("uneven", () -> new RowsInputs(new int[][] {{1}, {2, 3}}, new long[1][2], words, raw, bytes, bytes, "label"));
        refused("null rows", () -> new RowsInputs(null, new long[1][2], words, raw, bytes, bytes, "label"));
        refused("null row", () -> new RowsInputs(new int[][] {{1}, null}, new long[1][2], words, raw, bytes, bytes, "label"));
        refused("null label", () -> new RowsInputs(ids, new long[1][2], words, raw, bytes, bytes, null));
        refused("null element", () -> new ServingDefaultInputs(
                new float[1], 1, new String[] {"a", null}, new boolean[4], new byte[0][], raw, new byte[48]));
        var example = new HostileExample()
                .age(1.5f, -2)
                .evilU002aXB(0, 127, 128, -1, Long.MAX_VALUE)
                .class_("käse")
                .systemExit1(new byte[] {-1}, new byte[0])
                .größe(0.25f);
        say("example", HexFormat.of().formatHex(example.toBytes()));
        refused("missing", () -> new HostileExample().age(1, 2).toBytes());
        refused("too many", () -> new HostileExample().age(1, 2, 3));
        refused("null text", () -> new HostileExample().class_((String) null));
        say("default", new OnlyOptionalInputs().x() == null);
    }

    private static void say(String what, Object value) {
        System.out.println(what + ": " + value);
    }

    private static void refused(String what, Callable<?> made) {
        try {
            say(what, made.call());
        } catch (Exception error) {
            say(what, error.getClass().getSimpleName() + ": " + error.getMessage());
        }
    }
}
