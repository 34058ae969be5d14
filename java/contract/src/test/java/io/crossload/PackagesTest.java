package io.crossload;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@DisplayName("Dependencies between the packages")
class PackagesTest {
    private static final Path SOURCES = Path.of("src", "main", "java", "io", "crossload");

    @ParameterizedTest
    @CsvSource({"contract, worker", "contract, compare", "worker, compare", "compare, worker"})
    @DisplayName("go one way: worker to contract, compare to contract")
    void oneWay(String from, String to) throws IOException {
        try (Stream<Path> files = Files.list(SOURCES.resolve(from))) {
            List<Path> classes =
                    files.filter(file -> !file.endsWith("package-info.java")).toList();
            assertThat(classes).isNotEmpty();
            for (Path file : classes) {
                assertThat(Files.readString(file)).as(file.toString()).doesNotContain("io.crossload." + to);
            }
        }
    }
}
