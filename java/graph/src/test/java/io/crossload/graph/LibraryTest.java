package io.crossload.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What the library promises over the engine of every TensorFlow Java release; {@link LibraryChecks} has the promises. */
public abstract class LibraryTest {
    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> promises() throws IOException, InterruptedException {
        Path bundle = SmallBundle.write(folder.resolve("small"));
        Path answers = folder.resolve("answers.txt");
        Path errors = folder.resolve("errors.txt");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        int status = new ProcessBuilder(java, "-cp", classPath(), LibraryChecks.class.getName(), bundle.toString())
                .redirectOutput(answers.toFile())
                .redirectError(errors.toFile())
                .start()
                .waitFor();
        List<String> lines = Files.readAllLines(answers).stream()
                .filter(line -> line.startsWith("ok ") || line.startsWith("failed ") || line.equals("end"))
                .toList();
        assertThat(status).as(Files.readString(errors)).isZero();
        assertThat(lines).hasSizeGreaterThan(8).endsWith("end");
        return lines.stream()
                .filter(line -> !line.equals("end"))
                .map(line -> DynamicTest.dynamicTest(line.replaceFirst("^(ok|failed) ", ""), () -> assertThat(line)
                        .startsWith("ok ")));
    }

    // The worker's jar has the library. Our other jars, but for these tests, would be a second engine.
    private static String classPath() {
        List<String> elements = new ArrayList<>(List.of(System.getProperty("crossload.worker.jar")));
        String whole = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        Arrays.stream(whole.split(File.pathSeparator))
                .filter(element -> !element.contains("crossload-") || element.endsWith("-tests.jar"))
                .filter(element -> !element.endsWith("classes"))
                .forEach(elements::add);
        return String.join(File.pathSeparator, elements);
    }
}
