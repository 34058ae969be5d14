package io.crossload;

import io.crossload.contract.Text;
import io.crossload.worker.Code;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/** A model's files from a zip or the class path, in a temporary folder: native TensorFlow opens a model by its path. */
final class Unpacked implements AutoCloseable {
    // What a process that ends without close() deletes; a killed one leaves it.
    private static final Set<Path> LEFT = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> LEFT.forEach(Unpacked::delete)));
    }

    private static final byte[] LOCAL_HEADER = {'P', 'K', 3, 4};

    private final Path path;
    private final Path temporary; // null if the files lie in a folder already
    private final String origin;

    private Unpacked(Path path, Path temporary, String origin) {
        this.path = path;
        this.temporary = temporary;
        this.origin = origin;
    }

    /** Whether a file begins as a zip does. */
    static boolean isZip(Path file) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        try (InputStream stream = Files.newInputStream(file)) {
            return Arrays.equals(stream.readNBytes(LOCAL_HEADER.length), LOCAL_HEADER);
        } catch (IOException error) {
            return false;
        }
    }

    /**
     * Unpacks a zip or jar.
     *
     * @throws CrossloadException DATA_LOSS if it is damaged; INVALID_ARGUMENT if an entry leads out of it; RESOURCE_EXHAUSTED if it cannot be
     *     written
     */
    static Unpacked zip(Path file) {
        try (ZipFile zip = new ZipFile(file.toFile())) {
            return unpacked(zip, "", file.toString());
        } catch (IOException error) {
            throw damaged(file.toString(), error);
        }
    }

    /**
     * A file or folder of the class path, unpacked if it is in a jar, a jar within a jar included.
     *
     * @param anchor a class of the jar that holds it, as of {@link Class#getResource}
     * @param name absolute with a leading '/', else relative to the anchor's package
     * @param members files of the folder of which it has at least one; none if the name is that of a file
     * @throws CrossloadException NOT_FOUND if there is none; DATA_LOSS if the jar is damaged; UNIMPLEMENTED if a class loader of a kind of
     *     its own holds it; RESOURCE_EXHAUSTED if it cannot be written
     */
    static Unpacked resource(Class<?> anchor, String name, String... members) {
        String relativeTo = name.startsWith("/") ? "" : anchor.getPackageName().replace('.', '/');
        String wanted = (relativeTo + "/" + name).replaceAll("/+", "/").replaceAll("^/|/$", "");
        String within = wanted.isEmpty() ? "" : wanted + "/";
        Stream<String> files =
                members.length == 0 ? Stream.of(wanted) : Stream.of(members).map(m -> within + m);
        ClassLoader loader =
                anchor.getClassLoader() == null ? ClassLoader.getSystemClassLoader() : anchor.getClassLoader();
        URL found = files.map(loader::getResource)
                .filter(url -> url != null)
                .findFirst()
                .orElseThrow(() -> new CrossloadException(
                        Code.NOT_FOUND,
                        "the class path of " + anchor.getName() + " has no "
                                + (members.length == 0 ? wanted : within + members[0])
                                + "; put the files there, in a module under META-INF/, which every module may read"));
        String origin = "the resource " + wanted;
        try {
            if (found.getProtocol().equals("file")) {
                Path file = Path.of(new URI("file", null, decoded(found.getPath()), null));
                return new Unpacked(members.length == 0 ? file : file.getParent(), null, origin);
            }
            URLConnection connection = found.openConnection();
            if (!(connection instanceof JarURLConnection jar)) {
                throw new CrossloadException(
                        Code.UNIMPLEMENTED,
                        found + " is in no jar and no folder; copy the files to a folder and open that");
            }
            // Its own ZipFile: one of the URL handler's cache would be closed for everyone.
            connection.setUseCaches(false);
            try (ZipFile zip = jar.getJarFile()) {
                Unpacked made = unpacked(zip, wanted, origin);
                Path file = made.temporary.resolve(Path.of(wanted).getFileName());
                return members.length == 0 ? new Unpacked(file, made.temporary, origin) : made;
            }
        } catch (IOException | URISyntaxException error) {
            throw damaged(origin + " (" + found + ")", error);
        }
    }

    private static Unpacked unpacked(ZipFile zip, String prefix, String origin) {
        Unpacked made;
        try {
            Path folder = Files.createTempDirectory("crossload-").toRealPath();
            made = new Unpacked(folder, folder, origin);
        } catch (IOException error) {
            throw new CrossloadException(
                    Code.RESOURCE_EXHAUSTED,
                    origin + " cannot be unpacked to " + System.getProperty("java.io.tmpdir") + ": "
                            + error.getMessage() + "; name another folder with -Djava.io.tmpdir",
                    error);
        }
        LEFT.add(made.temporary);
        try {
            for (ZipEntry entry : zip.stream().map(ZipEntry.class::cast).toList()) {
                boolean within = prefix.isEmpty()
                        || entry.getName().equals(prefix)
                        || entry.getName().startsWith(prefix + "/");
                if (within && !entry.isDirectory()) {
                    made.write(zip, entry, entry.getName().substring(prefix.isEmpty() ? 0 : prefix.length()));
                }
            }
            return made;
        } catch (RuntimeException | Error error) {
            made.close();
            throw error;
        }
    }

    private void write(ZipFile zip, ZipEntry entry, String inside) {
        Path target = target(entry, inside);
        try (CheckedInputStream content = new CheckedInputStream(zip.getInputStream(entry), new CRC32())) {
            Files.createDirectories(target.getParent());
            Files.copy(content, target);
            if (content.getChecksum().getValue() != entry.getCrc()) {
                throw new ZipException("its entry " + entry.getName() + " has another checksum");
            }
        } catch (ZipException | EOFException error) {
            throw damaged(origin, error);
        } catch (FileAlreadyExistsException error) {
            throw new CrossloadException(
                    Code.INVALID_ARGUMENT,
                    origin + " has two entries for " + entry.getName() + "; pack it again",
                    error);
        } catch (IOException error) {
            throw new CrossloadException(
                    Code.RESOURCE_EXHAUSTED,
                    origin + " cannot be unpacked to " + System.getProperty("java.io.tmpdir") + ": "
                            + Text.sentence(error) + "; make room there, or name another folder with -Djava.io.tmpdir",
                    error);
        }
    }

    private Path target(ZipEntry entry, String inside) {
        try {
            Path file =
                    inside.isEmpty() ? Path.of(entry.getName()).getFileName() : Path.of(inside.replaceFirst("^/+", ""));
            Path target = temporary.resolve(file).normalize();
            if (target.startsWith(temporary) && !target.equals(temporary) && !inside.contains("\\")) {
                return target;
            }
        } catch (InvalidPathException error) {
            // A name that this system's files cannot have.
        }
        throw new CrossloadException(
                Code.INVALID_ARGUMENT,
                origin + " has an entry that is no file inside of it on this system: " + entry.getName());
    }

    private static String decoded(String path) {
        try {
            return URI.create(path).getPath();
        } catch (IllegalArgumentException error) {
            return path; // of a URL whose maker did not encode it
        }
    }

    private static CrossloadException damaged(String origin, Exception error) {
        return new CrossloadException(
                Code.DATA_LOSS, origin + " is damaged: " + error.getMessage() + "; copy or build it again", error);
    }

    /** The folder, or the file, if a file of the class path was asked for. */
    Path path() {
        return path;
    }

    /**
     * The only path, nearest to the top, that a zip's user means.
     *
     * @param what the sought, for the error
     * @throws CrossloadException NOT_FOUND if there is none; INVALID_ARGUMENT if there are several at the same depth
     */
    Path only(String what, Predicate<Path> wanted) {
        try (Stream<Path> walk = Files.walk(path)) {
            List<Path> found = walk.filter(wanted)
                    .sorted(Comparator.comparingInt(Path::getNameCount))
                    .toList();
            if (found.isEmpty()) {
                throw new CrossloadException(Code.NOT_FOUND, origin + " holds no " + what);
            }
            if (found.size() > 1 && found.get(0).getNameCount() == found.get(1).getNameCount()) {
                throw new CrossloadException(
                        Code.INVALID_ARGUMENT,
                        origin + " holds more than one " + what + ": " + path.relativize(found.get(0)) + ", "
                                + path.relativize(found.get(1)) + "; unpack it and open one of them");
            }
            return found.get(0);
        } catch (IOException error) {
            throw damaged(origin, error);
        }
    }

    /** A message with the name of the zip or resource instead of the temporary folder's, which is gone when it is read. */
    String told(String message) {
        return temporary == null ? message : message.replace(temporary.toString(), origin);
    }

    /** Deletes the temporary folder. A second call does nothing. */
    @Override
    public void close() {
        if (temporary != null && LEFT.remove(temporary)) {
            delete(temporary);
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path one : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(one);
            }
        } catch (IOException error) {
            System.getLogger(Unpacked.class.getName())
                    .log(System.Logger.Level.WARNING, "the temporary folder " + folder + " cannot be deleted", error);
        }
    }
}
