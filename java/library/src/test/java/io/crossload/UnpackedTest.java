package io.crossload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crossload.worker.Code;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayName("A bundle in a zip or on the class path")
class UnpackedTest {
    @TempDir
    Path folder;

    private final Mirror engine = new Mirror();
    private final Options options = Options.DEFAULTS.withEngine(engine);
    private final Map<String, byte[]> files = new LinkedHashMap<>();

    @BeforeEach
    void write() throws IOException {
        Path bundle = Files.createDirectory(folder.resolve("bundle"));
        Mirror.write(bundle);
        try (Stream<Path> walk = Files.walk(bundle)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                files.put("models/mirror/" + bundle.relativize(file), Files.readAllBytes(file));
            }
        }
    }

    private Path zip(Map<String, byte[]> entries) throws IOException {
        Path zip = folder.resolve("models.jar");
        try (ZipOutputStream stream = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                stream.putNextEntry(new ZipEntry(entry.getKey()));
                stream.write(entry.getValue());
                stream.closeEntry();
            }
        }
        return zip;
    }

    /** The temporary folders of this class: no other has this folder in its zips. */
    private static List<Path> unpackedFolders() throws IOException {
        try (Stream<Path> list = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return list.filter(path -> Files.exists(path.resolve("models").resolve("mirror")))
                    .toList();
        }
    }

    @Test
    @DisplayName("is opened from the zip, at whatever depth it lies, and its temporary folder goes with it")
    void fromZip() throws IOException {
        List<Path> before = unpackedFolders();
        try (Bundle bundle = Bundle.open(zip(files), options)) {
            Map<String, HostTensor> inputs = Map.of("x", HostTensor.of(new float[] {3}, 1));
            assertThat(bundle.signature("same").call(inputs).get("y").floats()).containsExactly(3);
            assertThat(bundle.vectors("same")).hasSize(1);
            assertThat(unpackedFolders()).hasSize(before.size() + 1);
        }
        assertThat(unpackedFolders()).hasSameElementsAs(before);
    }

    @Test
    @DisplayName("is opened from a jar of the class path by its folder, absolute or relative to a class")
    void fromClassPath() throws Exception {
        try (InputStream anchor = Anchor.class.getResourceAsStream("Anchor.class")) {
            files.put("io/crossload/Anchor.class", anchor.readAllBytes());
        }
        for (String name : List.copyOf(files.keySet())) {
            files.put("io/crossload/" + name, files.get(name));
        }
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {zip(files).toUri().toURL()}, null)) {
            Class<?> anchor = loader.loadClass("io.crossload.Anchor");
            for (String name : List.of("/models/mirror", "/models/mirror/", "models/mirror")) {
                try (Bundle bundle = Bundle.openResource(anchor, name, options)) {
                    assertThat(bundle.artifact().id()).isEqualTo("glass");
                    assertThat(engine.loaded).exists();
                }
                assertThat(engine.loaded.getParent()).doesNotExist();
            }
            assertThatThrownBy(() -> Bundle.openResource(anchor, "/models/miror", options))
                    .hasMessageStartingWith(
                            "the class path of io.crossload.Anchor has no models/miror/crossload.json; put the files there");
        }
    }

    @Test
    @DisplayName("is opened where it lies, if the class path has it in a folder")
    void fromClassPathFolder() throws Exception {
        try (InputStream anchor = Anchor.class.getResourceAsStream("Anchor.class")) {
            Path classes = Files.createDirectories(folder.resolve("io").resolve("crossload"));
            Files.write(classes.resolve("Anchor.class"), anchor.readAllBytes());
        }
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {folder.toUri().toURL()}, null)) {
            Bundle.openResource(loader.loadClass("io.crossload.Anchor"), "/bundle", options)
                    .close();
        }
        assertThat(folder.resolve("bundle").resolve("crossload.json")).exists();
    }

    @Test
    @DisplayName("is refused if the zip is cut off, has a changed byte or an entry that leads out, and leaves nothing")
    void damaged() throws IOException {
        List<Path> before = unpackedFolders();
        Path zip = zip(files);
        byte[] whole = Files.readAllBytes(zip);
        Files.write(zip, Arrays.copyOf(whole, whole.length / 2));
        assertThat(code(() -> Bundle.open(zip, options))).isEqualTo(Code.DATA_LOSS);
        byte[] changed = whole.clone();
        int name = new String(whole, StandardCharsets.ISO_8859_1).indexOf("glass.txt");
        changed[name + "glass.txt".length() + 1] ^= 1;
        Files.write(zip, changed);
        assertThat(code(() -> Bundle.open(zip, options))).isEqualTo(Code.DATA_LOSS);
        for (String outside : List.of("../outside", "models/../../outside", "/../outside")) {
            zip(Map.of(outside, new byte[1]));
            assertThat(code(() -> Bundle.open(zip, options))).as(outside).isEqualTo(Code.INVALID_ARGUMENT);
        }
        assertThat(unpackedFolders()).hasSameElementsAs(before);
    }

    @Test
    @DisplayName("is opened from a folder with a space, whose URL nobody encoded, and from the root of a class path")
    void oddPlaces() throws Exception {
        Path odd = Files.createDirectory(folder.resolve("odd + folder"));
        Mirror.write(odd);
        try (InputStream anchor = Anchor.class.getResourceAsStream("Anchor.class")) {
            Path classes = Files.createDirectories(odd.resolve("io").resolve("crossload"));
            Files.write(classes.resolve("Anchor.class"), anchor.readAllBytes());
        }
        URL raw = new URL("file:" + odd + "/");
        for (URL url : List.of(odd.toUri().toURL(), raw)) {
            try (URLClassLoader loader = new URLClassLoader(new URL[] {url}, null)) {
                Class<?> anchor = loader.loadClass("io.crossload.Anchor");
                Bundle.openResource(anchor, "/", options).close();
                assertThat(engine.loaded).isEqualTo(odd.resolve("glass.txt"));
            }
        }
    }

    @Test
    @DisplayName("names the zip in a failure, not the temporary folder that is gone")
    void namesTheZip() throws IOException {
        files.put("models/mirror/glass.txt", new byte[1]);
        Path zip = zip(files);
        assertThatThrownBy(() -> Bundle.open(zip, options))
                .hasMessageContaining(zip + "/models/mirror/glass.txt is not the file that was exported");
    }

    @Test
    @DisplayName("must be in the zip once")
    void ambiguous() throws IOException {
        assertThatThrownBy(() -> Bundle.open(zip(Map.of("readme", new byte[1])), options))
                .hasMessageEndingWith("models.jar holds no crossload.json");
        files.put("models/other/crossload.json", files.get("models/mirror/crossload.json"));
        CrossloadException error =
                catchThrowableOfType(CrossloadException.class, () -> Bundle.open(zip(files), options));
        assertThat(error).hasMessageContaining("holds more than one crossload.json: models/");
        assertThat(error.code()).isEqualTo(Code.INVALID_ARGUMENT);
    }

    private static Code code(ThrowingCallable call) {
        return catchThrowableOfType(CrossloadException.class, call).code();
    }
}
