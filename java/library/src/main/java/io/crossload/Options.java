package io.crossload;

import io.crossload.worker.Worker;

/**
 * How a bundle is opened; {@link #DEFAULTS} and what differs from them: {@code Options.DEFAULTS.withArtifact("frozen")}.
 *
 * @param artifact the id of the artifact to load, null for the first of the manifest that the engine loads
 * @param verifyHashes whether the artifact's and the vectors' files are checked against the manifest's hashes first
 * @param warmUp whether the first vector of each signature is run before {@link Bundle#open} returns
 * @param engine what loads and runs, null for the one that the class path brings
 */
public record Options(String artifact, boolean verifyHashes, boolean warmUp, Worker engine) {

    /** The first artifact that the engine loads, checked and warmed up. */
    public static final Options DEFAULTS = new Options(null, true, true, null);

    /** These options with the artifact of this id. */
    public Options withArtifact(String id) {
        return new Options(id, verifyHashes, warmUp, engine);
    }

    /** These options, with or without checking hashes: reading a large artifact twice takes time. */
    public Options withVerifyHashes(boolean verify) {
        return new Options(artifact, verify, warmUp, engine);
    }

    /** These options, with or without warming up: the first call then takes longer. */
    public Options withWarmUp(boolean warm) {
        return new Options(artifact, verifyHashes, warm, engine);
    }

    /** These options with this engine. */
    public Options withEngine(Worker worker) {
        return new Options(artifact, verifyHashes, warmUp, worker);
    }
}
