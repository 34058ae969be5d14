"""What goes wrong because of input, said in one sentence: the file, the cause, the next step."""

from crossload.support.text import printable


class CrossloadError(Exception):
    """A command that cannot be carried out as given; the CLI prints the sentence and exits with status 2.

    Whatever a message quotes (a path, a name in a model, a worker's words) is escaped here: it stays one line and cannot steer a terminal.
    """

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ArtifactError(CrossloadError):
    """A path that is no artifact, or an artifact that cannot be read."""


class ManifestError(CrossloadError):
    """A bundle whose manifest, files or hashes cannot be relied on."""


class FrameError(ValueError):
    """Bytes that are no frame of the contract (bindings/contract/README.md)."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
