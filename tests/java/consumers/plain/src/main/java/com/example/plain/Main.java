package com.example.plain;

import io.crossload.Bundle;
import io.crossload.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** Prints the answer to pixels: Main MODEL PIXELS. */
public final class Main {
    public static void main(String[] arguments) throws IOException {
        String[] words = Files.readString(Path.of(arguments[1])).split("\\s+");
        float[] pixels = new float[words.length];
        for (int at = 0; at < pixels.length; at++) {
            pixels[at] = Float.parseFloat(words[at]);
        }
        try (Bundle bundle = Bundle.open(Path.of(arguments[0]))) {
            HostTensor image = HostTensor.of(pixels, pixels.length / 64, 8, 8, 1);
            Map<String, HostTensor> answer = bundle.signature("serving_default").call(Map.of("pixels", image));
            System.out.println("answer " + Arrays.toString(answer.get("probabilities").floats()));
            System.out.println("java " + System.getProperty("java.version"));
        }
    }
}
