package com.example.spring;

import io.crossload.Bundle;
import io.crossload.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.CommandLineRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;

/** Prints the answer to pixels; the model is a folder beside the jar: Application --model=MODEL --pixels=PIXELS. */
@SpringBootApplication
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    @Bean(destroyMethod = "close")
    Bundle model(@Value("${model}") Path path) {
        return Bundle.open(path);
    }

    @Bean
    CommandLineRunner answer(Bundle model, @Value("${pixels}") Path file) {
        return arguments -> System.out.println("answer " + Arrays.toString(probabilities(model, file)));
    }

    private static float[] probabilities(Bundle model, Path file) throws IOException {
        String[] words = Files.readString(file).split("\\s+");
        float[] pixels = new float[words.length];
        for (int at = 0; at < pixels.length; at++) {
            pixels[at] = Float.parseFloat(words[at]);
        }
        HostTensor image = HostTensor.of(pixels, pixels.length / 64, 8, 8, 1);
        return model.signature("serving_default").call(Map.of("pixels", image)).get("probabilities").floats();
    }
}
