package com.example.reviews;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Classifies a review: words to ids by vocabulary.txt, ids to probabilities by the model. */
public final class Classify {
    private static final int LENGTH = 8;

    private Classify() {}

    /**
     * Prints the probability that the review is a good one.
     *
     * @param args the model's folder, the vocabulary, and the review's words
     */
    public static void main(String[] args) throws IOException {
        List<String> vocabulary = Files.readAllLines(Path.of(args[1]));
        int[] ids = new int[LENGTH];
        int[] mask = new int[LENGTH];
        for (int at = 0; at < args.length - 2; at++) {
            ids[at] = vocabulary.indexOf(args[at + 2]);
            mask[at] = 1;
        }
        try (ReviewsClient client = ReviewsClient.open(Path.of(args[0]))) {
            var inputs = new ReviewsClient.ServingDefaultInputs(ids, mask, new int[LENGTH]);
            System.out.println("good: " + client.servingDefault(inputs).probabilities()[1]);
        }
    }
}
