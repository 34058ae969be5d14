package io.crossload;

import io.crossload.worker.Worker;

/**
 * Options for {@link Bundle#open(java.nio.file.Path, Options)}, made from {@link #DEFAULTS}:
 * {@code Options.DEFAULTS.withArtifact("frozen")}.
 *
 * @param artifact the id of the artifact to load; null for the manifest's first one in a format of the engine
 * @param fallback whether another artifact is loaded where that first one does not run in the engine's release
 * @param verifyHashes whether to check the artifact and the vectors files against the manifest's hashes
 * @param warmUp whether to run the first vector of each signature before {@link Bundle#open} returns
 * @param zeros whether a signature without recorded vectors is warmed up with zeros
 * @param sessionConfig how TensorFlow's session is configured: a serialised tensorflow.ConfigProto; null for one that allows soft placement
 * @param engine the engine that loads and runs the artifact; null for the engine on the class path
 */
public record Options(
        String artifact,
        boolean fallback,
        boolean verifyHashes,
        boolean warmUp,
        boolean zeros,
        byte[] sessionConfig,
        Worker engine) {

    /** The first artifact that the engine runs, with checked hashes, warmed up, in the engine on the class path. */
    public static final Options DEFAULTS = new Options(null, true, true, true, false, null, null);

    /**
     * {@return these options with another artifact: its id, or null for the first that runs in the engine}
     *
     * @param id an artifact's id, or null
     */
    public Options withArtifact(String id) {
        return new Options(id, fallback, verifyHashes, warmUp, zeros, sessionConfig, engine);
    }

    /**
     * {@return these options with or without the next artifact of the manifest where the release does not run the first}
     *
     * @param fall whether the next artifact is taken
     */
    public Options withFallback(boolean fall) {
        return new Options(artifact, fall, verifyHashes, warmUp, zeros, sessionConfig, engine);
    }

    /**
     * {@return these options with or without the check of hashes, which reads the whole artifact once more}
     *
     * @param verify whether hashes are checked
     */
    public Options withVerifyHashes(boolean verify) {
        return new Options(artifact, fallback, verify, warmUp, zeros, sessionConfig, engine);
    }

    /**
     * {@return these options with or without the warm-up; without it the first call of each signature takes longer}
     *
     * @param warm whether a first vector of each signature runs
     */
    public Options withWarmUp(boolean warm) {
        return new Options(artifact, fallback, verifyHashes, warm, zeros, sessionConfig, engine);
    }

    /**
     * {@return these options with or without a warm-up from zeros (empty strings, 1 for a free dimension), for signatures without recorded
     * vectors} Only for a model that keeps no state and writes no files: every signature runs. Zeros that fail are passed over; native
     * TensorFlow does not survive every value.
     *
     * @param warm whether zeros run
     */
    public Options withZeros(boolean warm) {
        return new Options(artifact, fallback, verifyHashes, warmUp, warm, sessionConfig, engine);
    }

    /**
     * {@return these options with another configuration of TensorFlow's session: threads, devices, memory of a GPU} It replaces the
     * default, which only allows soft placement (an operation runs on another device if the model's own is not there).
     *
     * @param configProto a serialised tensorflow.ConfigProto, {@code ConfigProto.newBuilder()….build().toByteArray()}; null for the default
     */
    public Options withSessionConfig(byte[] configProto) {
        return new Options(artifact, fallback, verifyHashes, warmUp, zeros, configProto, engine);
    }

    /**
     * {@return these options with another engine, or null for the engine on the class path}
     *
     * @param worker the engine, or null
     */
    public Options withEngine(Worker worker) {
        return new Options(artifact, fallback, verifyHashes, warmUp, zeros, sessionConfig, worker);
    }
}
