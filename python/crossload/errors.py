"""What goes wrong because of input, said in one sentence: the file, the cause, the next step."""


class CrossloadError(Exception):
    """A command that cannot be carried out as given; the CLI prints the sentence and exits with status 2."""

    exit_status = 2


class ArtifactError(CrossloadError):
    """A path that is no artifact, or an artifact that cannot be read."""


class ManifestError(CrossloadError):
    """A bundle whose manifest, files or hashes cannot be relied on."""


class FrameError(ValueError):
    """Bytes that are no frame of the contract (bindings/contract/README.md)."""
