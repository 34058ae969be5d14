package io.crossload.contract;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** SHA-256 of files and folders (bindings/contract/README.md, section Manifest). */
public final class Hashes {
    private static final int CHUNK = 1 << 20;

    private Hashes() {}

    /**
     * The digest of a file's bytes; for a folder, of its files' lines {@code <sha256>  <path inside>\n} in the byte order of the paths.
     *
     * @param path a file or a folder
     * @return 64 hexadecimal digits
     * @throws IOException if a file cannot be read
     */
    public static String sha256(Path path) throws IOException {
        MessageDigest digest = sha256();
        if (Files.isDirectory(path)) {
            for (Path file : files(path)) {
                digest.update((sha256(file) + "  " + inside(path, file) + "\n").getBytes(StandardCharsets.UTF_8));
            }
        } else {
            byte[] chunk = new byte[CHUNK];
            try (InputStream stream = Files.newInputStream(path)) {
                for (int count = stream.read(chunk); count >= 0; count = stream.read(chunk)) {
                    digest.update(chunk, 0, count);
                }
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /**
     * Checks a file or folder of a bundle against the manifest's hash.
     *
     * @param root the bundle's folder
     * @param relative the path inside it, as in the manifest
     * @param expected the manifest's sha256
     * @throws ManifestException if it is missing, leads out of the bundle, contains a link to a folder or a special file, or has
     *     another hash
     * @throws IOException if a file cannot be read
     */
    public static void check(Path root, String relative, String expected) throws IOException {
        Path target = root.resolve(relative);
        if (!Files.exists(target)) {
            throw new ManifestException(root + " lacks " + relative
                    + ", which its manifest names; copy the whole bundle, or export it again");
        }
        List<Path> everything;
        try (Stream<Path> walk = Files.walk(target)) {
            everything = walk.toList();
        }
        for (Path path : everything) {
            if (!path.toRealPath().startsWith(root.toRealPath())) {
                throw new ManifestException(
                        path + " lies outside the bundle; copy the bundle with its links followed, or export it again");
            }
            if (Files.isSymbolicLink(path) && Files.isDirectory(path)) {
                throw new ManifestException(
                        path
                                + " is a symbolic link to a folder, whose files have no hash; copy the bundle with its links followed");
            }
            if (!Files.isRegularFile(path) && !Files.isDirectory(path)) {
                throw new ManifestException(path + " is neither a file nor a folder; export the bundle again");
            }
        }
        if (!sha256(target).equals(expected)) {
            throw new ManifestException(target + " is not the file that was exported (its sha256 differs from the"
                    + " manifest's); export the bundle again");
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        Comparator<Path> bytes = (one, other) -> Arrays.compareUnsigned(
                inside(folder, one).getBytes(StandardCharsets.UTF_8),
                inside(folder, other).getBytes(StandardCharsets.UTF_8));
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.filter(Files::isRegularFile).sorted(bytes).toList();
        }
    }

    private static String inside(Path folder, Path file) {
        return folder.relativize(file).toString().replace(file.getFileSystem().getSeparator(), "/");
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every JDK has it
        }
    }
}
