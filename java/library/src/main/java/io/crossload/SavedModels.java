package io.crossload;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Opens a SavedModel without a manifest, with the signatures of its SignatureDefs. Nothing was proven about it: there are no hashes and no
 * recorded answers, inputs have no defaults, signatures with handles (resources, variants) are left out, and of a sparse or composite tensor
 * {@code x} the parts are inputs of their own ({@code x/values}, {@code x/0}; TensorFlow Java 0.4 and newer refuse such a SavedModel). Where Python is at hand, {@code crossload export} makes a bundle.
 *
 * <pre>{@code
 * try (Bundle model = SavedModels.open(Path.of("exported/1"))) {
 *     Map<String, HostTensor> answer = model.signature("serving_default").call(Map.of("x", HostTensor.of(new float[] {1, 2}, 1, 2)));
 * }
 * }</pre>
 */
public final class SavedModels {
    /** The tag of a MetaGraph for inference: saved_model/tag_constants.py, SERVING. */
    public static final List<String> SERVE = List.of("serve");

    private static final String[] FILES = {"saved_model.pb", "saved_model.pbtxt"};

    private SavedModels() {}

    /**
     * Loads a MetaGraph with {@link Options#DEFAULTS}.
     *
     * @param path the folder that holds {@code saved_model.pb}, or a zip or jar with such a folder
     * @param tags the tags of the MetaGraph, all of them; none for {@code serve}
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException as {@link #open(Path, List, Options)}
     */
    public static Bundle open(Path path, String... tags) {
        return open(path, tags.length == 0 ? SERVE : List.of(tags), Options.DEFAULTS);
    }

    /**
     * Loads a MetaGraph of a SavedModel. Nothing runs before it is called, unless {@link Options#withZeros} says so.
     *
     * @param path the folder that holds {@code saved_model.pb}, or a zip or jar with such a folder, which is unpacked to a temporary folder
     *     until the bundle is closed
     * @param tags the tags of the MetaGraph, all of them; the message of a failure lists the tag sets that are there
     * @param options the engine, its configuration, whether to warm up from zeros; the others are of bundles
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException NOT_FOUND if the path does not exist, is no SavedModel, or has no MetaGraph of these tags; DATA_LOSS for a
     *     damaged zip; INVALID_ARGUMENT for a damaged SavedModel; FAILED_PRECONDITION if the class path has no engine or two; the engine's
     *     own code if loading fails
     */
    public static Bundle open(Path path, List<String> tags, Options options) {
        if (!Unpacked.isZip(path)) {
            return open(path, tags, options, null);
        }
        Unpacked files = Unpacked.zip(path);
        return Bundle.owning(files, () -> {
            Path model = files.only("SavedModel (" + FILES[0] + ")", folder -> List.of(FILES).stream()
                    .anyMatch(file -> Files.exists(folder.resolve(file))));
            return open(model, tags, options, files);
        });
    }

    /**
     * Loads a SavedModel from the class path, as {@link Bundle#openResource} does.
     *
     * @param anchor a class of the jar that holds it
     * @param folder the SavedModel's folder: absolute with a leading '/', else relative to the anchor's package
     * @param tags as for {@link #open(Path, List, Options)}
     * @param options as for {@link #open(Path, List, Options)}
     * @return the loaded artifact, as a bundle without vectors
     * @throws CrossloadException as {@link #open(Path, List, Options)} and {@link Bundle#openResource}
     */
    public static Bundle openResource(Class<?> anchor, String folder, List<String> tags, Options options) {
        Unpacked files = Unpacked.resource(anchor, folder, FILES);
        return Bundle.owning(files, () -> open(files.path(), tags, options, files));
    }

    private static Bundle open(Path path, List<String> tags, Options options, Unpacked files) {
        return Bundle.bare(Located.existing(path), "saved_model", List.copyOf(tags), null, null, options, files);
    }
}
