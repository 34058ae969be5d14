package io.crossload.release;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/**
 * The files of a release have what a repository asks for: what Maven Central requires (central.sonatype.org, Requirements: coordinates,
 * name, description, address, licence, developers, source control, sources, Javadoc, checksums, signatures), and no more classes than a
 * user's class path can bear.
 */
@DisplayName("The files of a release")
class ReleasedFilesIT {
    private static final Path GROUP =
            Path.of(System.getProperty("release.repository")).resolve("io/crossload");
    private static final String VERSION = System.getProperty("release.version");
    private static final boolean SIGNED = Boolean.getBoolean("release.signed");
    private static final String BOM = "crossload-bom";
    private static final List<String> ENGINES =
            List.of("crossload-tensorflow-java", "crossload-tensorflow-java-0.x", "crossload-tensorflow-java-legacy");

    static List<String> published() {
        return List.of(
                BOM,
                "crossload-junit",
                "crossload-tensorflow-java",
                "crossload-tensorflow-java-0.x",
                "crossload-tensorflow-java-legacy",
                "crossload-tflite-java");
    }

    static List<String> jars() {
        return published().stream().filter(name -> !name.equals(BOM)).toList();
    }

    static List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(GROUP)) {
            List<Path> released = files.filter(file -> file.toString().matches(".*\\.(jar|pom)"))
                    .sorted()
                    .toList();
            assertThat(released).hasSize(jars().size() * 4 + 1);
            return released;
        }
    }

    @Test
    @DisplayName("are of this version, and of the modules that users add; no internal module is among them")
    void onlyWhatUsersAdd() throws IOException {
        try (Stream<Path> folders = Files.list(GROUP)) {
            assertThat(folders.map(folder -> folder.getFileName().toString())).hasSameElementsAs(published());
        }
        for (String name : published()) {
            try (Stream<Path> versions = Files.list(GROUP.resolve(name)).filter(Files::isDirectory)) {
                assertThat(versions.map(folder -> folder.getFileName().toString()))
                        .containsExactly(VERSION);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("published")
    @DisplayName("have a POM with all that Maven Central requires, without parent, build, dependency or property")
    void completePom(String name) throws Exception {
        Element pom = pom(name);
        assertThat(text(pom, "groupId")).isEqualTo("io.crossload");
        assertThat(text(pom, "artifactId")).isEqualTo(name);
        assertThat(text(pom, "version")).isEqualTo(VERSION);
        for (String required : List.of("name", "description", "url")) {
            assertThat(text(pom, required)).as(required).isNotBlank();
        }
        assertThat(text(pom, "licenses", "license", "name")).isEqualTo("Apache-2.0");
        assertThat(text(pom, "licenses", "license", "url")).startsWith("https://");
        assertThat(text(pom, "developers", "developer", "name")).isNotBlank();
        for (String required : List.of("connection", "developerConnection", "url")) {
            assertThat(text(pom, "scm", required)).as("scm " + required).isNotBlank();
        }
        for (String absent : List.of("parent", "build", "dependencies", "profiles", "repositories", "modules")) {
            assertThat(child(pom, absent)).as(absent).isNull();
        }
        assertThat(Files.readString(file(name, ".pom"))).doesNotContain("${");
    }

    @Test
    @DisplayName("have a BOM with exactly the published jars, in this version")
    void completeBom() throws Exception {
        Element managed = child(child(pom(BOM), "dependencyManagement"), "dependencies");
        List<Element> dependencies = children(managed);
        assertThat(dependencies.stream().map(each -> text(each, "artifactId"))).hasSameElementsAs(jars());
        assertThat(dependencies.stream().map(each -> text(each, "groupId"))).containsOnly("io.crossload");
        assertThat(dependencies.stream().map(each -> text(each, "version"))).containsOnly(VERSION);
    }

    @ParameterizedTest
    @MethodSource("files")
    @DisplayName("have checksums, and jars carry LICENSE and NOTICE")
    void checksumsAndLicence(Path file) throws IOException, GeneralSecurityException {
        byte[] content = Files.readAllBytes(file);
        for (String algorithm : List.of("MD5", "SHA-1")) {
            Path beside =
                    Path.of(file + "." + algorithm.toLowerCase(Locale.ROOT).replace("-", ""));
            assertThat(Files.readString(beside))
                    .isEqualTo(HexFormat.of()
                            .formatHex(MessageDigest.getInstance(algorithm).digest(content)));
        }
        if (file.toString().endsWith(".jar")) {
            try (JarFile jar = new JarFile(file.toFile())) {
                for (String name : List.of("LICENSE", "NOTICE")) {
                    assertThat(read(jar, "META-INF/" + name)).isEqualTo(Files.readString(Path.of("../..", name)));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("jars")
    @DisplayName("are jars whose classes are all below io.crossload, with a module name and engines that exist")
    void classes(String name) throws IOException {
        try (JarFile jar = new JarFile(file(name, ".jar").toFile())) {
            Set<String> entries = jar.stream().map(ZipEntry::getName).collect(Collectors.toCollection(HashSet::new));
            assertThat(entries.stream().filter(entry -> entry.endsWith(".class")))
                    .isNotEmpty()
                    .allMatch(entry -> entry.startsWith("io/crossload/"));
            String module = ENGINES.contains(name)
                    ? "io.crossload"
                    : name.equals("crossload-junit") ? "io.crossload.junit" : "io.crossload.tflite";
            assertThat(jar.getManifest().getMainAttributes().getValue("Automatic-Module-Name"))
                    .isEqualTo(module);
            assertThat(entries.contains("META-INF/services/io.crossload.worker.Worker"))
                    .isEqualTo(ENGINES.contains(name));
            for (String service : entries) {
                if (service.startsWith("META-INF/services/") && !service.endsWith("/")) {
                    for (String provider : read(jar, service).lines().toList()) {
                        assertThat(entries).contains(provider.replace('.', '/') + ".class");
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("jars")
    @DisplayName("have the source of each class of crossload")
    void sources(String name) throws IOException {
        try (JarFile jar = new JarFile(file(name, ".jar").toFile());
                JarFile sources = new JarFile(file(name, "-sources.jar").toFile())) {
            Set<String> classes = jar.stream()
                    .map(ZipEntry::getName)
                    .filter(entry -> entry.matches("io/crossload/(?!shaded/)[^$]*\\.class"))
                    .map(entry -> entry.replaceFirst("class$", "java"))
                    .collect(Collectors.toCollection(TreeSet::new));
            assertThat(sources.stream().map(ZipEntry::getName).collect(Collectors.toSet()))
                    .containsAll(classes);
        }
    }

    @ParameterizedTest
    @MethodSource("jars")
    @DisplayName("have a Javadoc page for what users call")
    void javadoc(String name) throws IOException {
        List<String> pages = ENGINES.contains(name)
                ? List.of("io/crossload/Bundle.html", "io/crossload/contract/Manifest.html")
                : name.equals("crossload-junit")
                        ? List.of("io/crossload/junit/ConformsTo.html")
                        : List.of("io/crossload/worker/Worker.html");
        try (JarFile jar = new JarFile(file(name, "-javadoc.jar").toFile())) {
            assertThat(jar.stream().map(ZipEntry::getName).toList())
                    .contains("index.html")
                    .containsAll(pages);
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    @DisplayName("are signed where that is asked for, and only there")
    void signed(Path file) {
        assertThat(Files.exists(Path.of(file + ".asc"))).isEqualTo(SIGNED);
    }

    private static Path file(String name, String suffix) {
        return GROUP.resolve(name).resolve(VERSION).resolve(name + "-" + VERSION + suffix);
    }

    private static String read(JarFile jar, String name) throws IOException {
        ZipEntry entry = jar.getEntry(name);
        assertThat(entry).as(jar.getName() + " " + name).isNotNull();
        try (InputStream content = jar.getInputStream(entry)) {
            return new String(content.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Element pom(String name) throws IOException, ParserConfigurationException, SAXException {
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(file(name, ".pom").toFile())
                .getDocumentElement();
    }

    private static List<Element> children(Element parent) {
        NodeList nodes = parent.getChildNodes();
        return IntStream.range(0, nodes.getLength())
                .mapToObj(nodes::item)
                .filter(node -> node.getNodeType() == Node.ELEMENT_NODE)
                .map(Element.class::cast)
                .toList();
    }

    private static Element child(Element parent, String name) {
        return children(parent).stream()
                .filter(each -> each.getTagName().equals(name))
                .findFirst()
                .orElse(null);
    }

    private static String text(Element parent, String... path) {
        Element at = parent;
        for (String name : path) {
            at = child(at, name);
            assertThat(at).as(String.join("/", path)).isNotNull();
        }
        return at.getTextContent().trim();
    }
}
