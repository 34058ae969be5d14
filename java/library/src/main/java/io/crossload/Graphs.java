package io.crossload;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Opens a frozen GraphDef, binary or text, without a manifest, as a bundle with one signature, {@link #SIGNATURE}, whose inputs and outputs
 * have the names of the graph's tensors. Nothing was proven about it: there are no hashes and no recorded answers. A graph does not tell what
 * it is called with; {@code crossload show} explains its tensors.
 *
 * <pre>{@code
 * try (Bundle model = Graphs.open(Path.of("frozen.pb"), List.of("image"), List.of("softmax"), Options.DEFAULTS)) {
 *     Map<String, HostTensor> answer = model.signature(Graphs.SIGNATURE).call(Map.of("image", image));
 * }
 * }</pre>
 */
public final class Graphs {
    /** The key of the only signature. */
    public static final String SIGNATURE = "serving_default";

    private Graphs() {}

    /**
     * Imports a graph with its placeholders that have no default, and the operations of which no other takes a result, with
     * {@link Options#DEFAULTS}.
     *
     * @param path the GraphDef's file, or a zip or jar with one file that ends with .pb or .pbtxt and is no SavedModel's
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException as {@link #open(Path, List, List, Options)}
     */
    public static Bundle open(Path path) {
        return open(path, null, null, Options.DEFAULTS);
    }

    /**
     * Imports a graph.
     *
     * @param path the GraphDef's file, or a zip or jar with one file that ends with .pb or .pbtxt and is no SavedModel's, unpacked to a temporary folder until the
     *     bundle is closed
     * @param inputs the tensors to feed, {@code operation} or {@code operation:index}; null for the placeholders without a default
     * @param outputs the tensors to fetch; null for the operations of which no other takes a result
     * @param options the engine, its configuration, whether to warm up from zeros; the others are of bundles
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException NOT_FOUND if the path does not exist, or the graph has no such tensor (with near names); DATA_LOSS for a
     *     damaged zip; INVALID_ARGUMENT if the file is no GraphDef; FAILED_PRECONDITION if the class path has no engine or two; the engine's
     *     own code if the import fails
     */
    public static Bundle open(Path path, List<String> inputs, List<String> outputs, Options options) {
        if (!Unpacked.isZip(path)) {
            return open(path, inputs, outputs, options, null);
        }
        Unpacked files = Unpacked.zip(path);
        return Bundle.owning(files, () -> {
            Path graph = files.only(
                    "file of a GraphDef (*.pb, *.pbtxt)",
                    file -> Files.isRegularFile(file)
                            && file.getFileName().toString().matches("(?!saved_model\\.|fingerprint\\.).*\\.pb(txt)?"));
            return open(graph, inputs, outputs, options, files);
        });
    }

    /**
     * Imports a graph from the class path, as {@link Bundle#openResource} does.
     *
     * @param anchor a class of the jar that holds it
     * @param file the GraphDef's file: absolute with a leading '/', else relative to the anchor's package
     * @param inputs as for {@link #open(Path, List, List, Options)}
     * @param outputs as for {@link #open(Path, List, List, Options)}
     * @param options as for {@link #open(Path, List, List, Options)}
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException as {@link #open(Path, List, List, Options)} and {@link Bundle#openResource}
     */
    public static Bundle openResource(
            Class<?> anchor, String file, List<String> inputs, List<String> outputs, Options options) {
        Unpacked files = Unpacked.resource(anchor, file);
        return Bundle.owning(files, () -> open(files.path(), inputs, outputs, options, files));
    }

    private static Bundle open(Path path, List<String> inputs, List<String> outputs, Options options, Unpacked files) {
        return Bundle.bare(Located.existing(path), "graph_def", null, inputs, outputs, options, files);
    }
}
