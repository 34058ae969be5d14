package io.crossload.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The expected digests are those that crossload.files.sha256 gives in Python for the same files. */
@DisplayName("Hashes")
class HashesTest {
    private static final String EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @TempDir
    Path root;

    @Test
    @DisplayName("of a file are those of its bytes, however many they are")
    void files() throws IOException {
        assertThat(Hashes.sha256(Files.createFile(root.resolve("empty")))).isEqualTo(EMPTY);
        Path large = Files.write(root.resolve("large"), new byte[3_000_000]);
        assertThat(Hashes.sha256(large)).isEqualTo("35bce4eae54ec8e6cc2868baa8d157914d6ae2858811b4cc0c078c94460fa26f");
    }

    @Test
    @DisplayName("of a folder are Python's: files only, in the byte order of their paths")
    void folders() throws IOException {
        // In byte order: capitals before small letters, '-' and '.' before '/'.
        for (String name : new String[] {"a/b/c", "a/b.c", "a-b", "a.b", "ab", "B", "a/Z"}) {
            Path file = root.resolve("folder").resolve(name);
            Files.createDirectories(file.getParent());
            Files.writeString(file, "content of " + name);
        }
        Files.createDirectories(root.resolve("folder/no files/inside"));
        assertThat(Hashes.sha256(root.resolve("folder")))
                .isEqualTo("aa5b58c542f7f6581034d8ba4d19a953144b7e9445275ab373fe0b2be64291dd");
        assertThat(Hashes.sha256(Files.createDirectory(root.resolve("bare")))).isEqualTo(EMPTY);
    }

    @Test
    @DisplayName("of a folder with names beyond the Basic Multilingual Plane are Python's, too")
    void astralNames() throws IOException {
        assumeTrue(System.getProperty("sun.jnu.encoding").equals("UTF-8"), "file names are no UTF-8 here");
        Files.writeString(root.resolve("\uff61"), "before");
        Files.writeString(root.resolve("\ud83d\ude00"), "behind, though its UTF-16 units are smaller");
        assertThat(Hashes.sha256(root)).isEqualTo("e2d0b9da23dd51065e4fbb6387c48c9e688d01ec1224b44d69867d59016cebd8");
    }

    @Test
    @DisplayName("pass what was exported, file or folder")
    void exported() throws IOException {
        Files.writeString(Files.createDirectory(root.resolve("model")).resolve("variables"), "1");
        Hashes.check(root, "model", Hashes.sha256(root.resolve("model")));
        Hashes.check(root, "model/variables", Hashes.sha256(root.resolve("model/variables")));
    }

    @Test
    @DisplayName("refuse what is missing, and what was changed, renamed or added")
    void changed() throws IOException {
        assertThatThrownBy(() -> Hashes.check(root, "model", EMPTY))
                .isInstanceOf(ManifestException.class)
                .hasMessage(root + " lacks model, which its manifest names; copy the whole bundle, or export it again");
        Path file =
                Files.writeString(Files.createDirectory(root.resolve("model")).resolve("variables"), "1");
        String exported = Hashes.sha256(root.resolve("model"));
        Files.writeString(file, "2");
        assertThatThrownBy(() -> Hashes.check(root, "model", exported))
                .isInstanceOf(ManifestException.class)
                .hasMessageContaining("model is not the file that was exported")
                .hasMessageEndingWith("export the bundle again");
        Files.writeString(file, "1");
        Hashes.check(root, "model", exported);
        Path added = Files.createFile(root.resolve("model/added"));
        assertThatThrownBy(() -> Hashes.check(root, "model", exported)).hasMessageContaining("is not the file");
        Files.delete(added);
        Files.move(file, root.resolve("model/renamed"));
        assertThatThrownBy(() -> Hashes.check(root, "model", exported)).hasMessageContaining("is not the file");
    }

    @Test
    @DisplayName("refuse what lies outside the bundle, and folders that are links, whatever their hash")
    void outside() throws IOException {
        Path bundle = Files.createDirectory(root.resolve("bundle"));
        Path secret = Files.writeString(root.resolve("secret"), "");
        Path own = Files.createDirectory(bundle.resolve("own"));
        Files.createSymbolicLink(bundle.resolve("link"), secret);
        Files.createSymbolicLink(own.resolve("again"), Files.createDirectory(bundle.resolve("real")));
        assertThatThrownBy(() -> Hashes.check(bundle, "../secret", EMPTY)).hasMessageContaining("outside the bundle");
        assertThatThrownBy(() -> Hashes.check(bundle, secret.toString(), EMPTY))
                .hasMessageContaining("outside the bundle");
        assertThatThrownBy(() -> Hashes.check(bundle, "link", EMPTY)).hasMessageContaining("outside the bundle");
        assertThatThrownBy(() -> Hashes.check(bundle, "own", EMPTY))
                .hasMessageContaining("is a symbolic link to a folder, whose files have no hash");
    }
}
