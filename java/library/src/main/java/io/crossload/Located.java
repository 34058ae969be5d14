package io.crossload;

import io.crossload.contract.Manifest;
import io.crossload.contract.Manifest.Artifact;
import io.crossload.contract.ManifestException;
import io.crossload.contract.Text;
import io.crossload.worker.Code;
import io.crossload.worker.Worker.Metadata;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Where a bundle lies.
 *
 * @param root the folder that the manifest's paths are relative to
 * @param manifest what is there
 * @param wanted the path of the requested artifact; null for any
 */
record Located(Path root, Manifest manifest, String wanted) {

    /**
     * An absolute path.
     *
     * @throws CrossloadException NOT_FOUND if there is nothing
     */
    static Path existing(Path path) {
        if (path.getFileSystem() != FileSystems.getDefault()) {
            throw new CrossloadException(
                    Code.UNIMPLEMENTED,
                    path
                            + " is in no file system of this machine, and native TensorFlow reads only those; copy it to one");
        }
        Path absolute = path.toAbsolutePath();
        if (!Files.exists(absolute) || absolute.getNameCount() == 0) {
            throw new CrossloadException(Code.NOT_FOUND, absolute + ": there is no such file or folder");
        }
        try {
            // What '..' means after a link, only the file system knows.
            return absolute.equals(absolute.normalize()) ? absolute : absolute.toRealPath();
        } catch (IOException error) {
            throw new CrossloadException(Code.NOT_FOUND, absolute + " cannot be read: " + error.getMessage(), error);
        }
    }

    /**
     * Finds the manifest of a path.
     *
     * @param path a bundle's folder, or an artifact with its manifest beside it
     * @throws CrossloadException NOT_FOUND if there is nothing; DATA_LOSS if the manifest is damaged; FAILED_PRECONDITION if there is none
     */
    static Located of(Path path) {
        Path absolute = existing(path);
        Path root = absolute.getParent();
        Path name = absolute.getFileName();
        try {
            if (Files.isRegularFile(absolute.resolve(Manifest.FILE_NAME))) {
                return new Located(absolute, Manifest.read(absolute.resolve(Manifest.FILE_NAME)), null);
            }
            for (Path file : List.of(
                    absolute.resolveSibling(name + "." + Manifest.FILE_NAME), root.resolve(Manifest.FILE_NAME))) {
                if (Files.isRegularFile(file)) {
                    Manifest manifest = Manifest.read(file);
                    if (manifest.artifacts().stream().anyMatch(a -> a.path().equals(name.toString()))) {
                        return new Located(root, manifest, name.toString());
                    }
                }
            }
        } catch (ManifestException error) {
            throw new CrossloadException(Code.DATA_LOSS, error.getMessage(), error);
        }
        throw new CrossloadException(
                Code.FAILED_PRECONDITION,
                absolute + " has no manifest (no " + Manifest.FILE_NAME + " inside, no " + name + "."
                        + Manifest.FILE_NAME + " beside it); make one in Python: crossload export " + name
                        + " -o BUNDLE; or open it without: SavedModels.open, Graphs.open");
    }

    /**
     * The artifacts that the engine may load, in the manifest's order: at least one.
     *
     * @param id of the only one; null for all
     * @throws CrossloadException NOT_FOUND if there is none of this id; UNIMPLEMENTED if none has a format of the engine
     */
    List<Artifact> candidates(String id, Metadata metadata) {
        List<Artifact> all = manifest.artifacts().stream()
                .filter(a -> wanted == null || a.path().equals(wanted))
                .toList();
        if (id != null && all.stream().noneMatch(a -> a.id().equals(id))) {
            throw new CrossloadException(
                    Code.NOT_FOUND,
                    root + " has no artifact '" + id + "'"
                            + Text.near(id, all.stream().map(Artifact::id).toList()));
        }
        List<Artifact> named =
                all.stream().filter(a -> id == null || a.id().equals(id)).toList();
        List<Artifact> taken = named.stream()
                .filter(a -> metadata.formats().contains(a.format()))
                .toList();
        if (taken.isEmpty()) {
            throw new CrossloadException(
                    Code.UNIMPLEMENTED,
                    metadata.name() + " loads " + Text.listed(metadata.formats()) + ", and the artifacts of "
                            + root + " are "
                            + Text.listed(named.stream().map(Artifact::format).collect(Collectors.toSet()))
                            + "; convert one in Python: crossload convert");
        }
        return taken;
    }
}
