package io.crossload.android;

import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** {@code JudgeHere ASSETS ANSWERS [DELEGATE]}: what the test on a device does, here. */
public final class JudgeHere {
    private JudgeHere() {}

    public static void main(String[] words) throws Exception {
        HandedBundle bundle = HandedBundle.open(path -> Files.newInputStream(Path.of(words[0], path)));
        EngineOptions options = words.length > 2 ? EngineOptions.of(words[2]) : EngineOptions.DEFAULT;
        Map<String, String> device = Map.of("name", "desktop", "delegate", options.toString());
        try (Writer answers = Files.newBufferedWriter(Path.of(words[1]))) {
            System.out.println(
                    Conformance.run(bundle, () -> Engines.load(null, bundle, options), Engines.NAME, device, answers));
        }
    }
}
