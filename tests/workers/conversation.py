"""Talk to a worker over its pipes, frame by frame, and read its raw answers: codes, notes, bytes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.entries import artifacts_of
from crossload.contract import datatypes, frames
from crossload.runtimes.process import Launch


@dataclass
class Response:
    """An answer's header, and its outputs as arrays."""

    header: dict[str, Any]
    outputs: dict[str, np.ndarray]

    @property
    def code(self) -> str | None:
        """The google.rpc.Code name of an error."""
        return self.header.get("code")

    @property
    def error(self) -> str:
        """The error's sentence, empty when there is none."""
        return str(self.header.get("error", ""))

    @property
    def note(self) -> str:
        """The note beside the answer, empty when there is none."""
        return str(self.header.get("parameters", {}).get("note", ""))


class Conversation:
    """A worker's process."""

    def __init__(self, launch: Launch) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        environment = {**os.environ, **launch.environment}
        self.process = subprocess.Popen(
            list(launch.argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=environment
        )
        self._sent = 0

    def ask(self, rpc: str, inputs: Mapping[str, np.ndarray] | None = None, **fields: Any) -> Response:
        """Send a request and read its answer; raises EOFError when the process has died."""
        self._sent += 1
        header: dict[str, Any] = {"id": str(self._sent), "rpc": rpc, **fields}
        buffers = [datatypes.encode(a) for a in (inputs or {}).values()]
        if inputs is not None:
            named = zip(inputs.items(), buffers, strict=True)
            header["inputs"] = [frames.tensor_entry(n, datatypes.of_array(a), a.shape, len(b)) for (n, a), b in named]
        assert self.process.stdin and self.process.stdout
        try:
            frames.write(self.process.stdin, frames.Frame(header, buffers))
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise EOFError(self.stderr()) from error
        frame = frames.read(self.process.stdout.read)
        if frame is None:
            raise EOFError(self.stderr())
        assert frame.header["id"] == str(self._sent)
        return Response(frame.header, {n: datatypes.decode(*t) for n, t in frame.tensors("outputs").items()})

    def load(self, path: Path, tags: Sequence[str] | None = None, only: str | None = None, **options: Any) -> Response:
        """Load an artifact, bound as crossload itself reads it; `tags` chooses one of several, `only` one signature."""
        entries, _ = artifacts_of(path, path.name)
        entry = next(e for e in entries if tags is None or list(tags) == e.tags)
        signatures = {n: b.model_dump() for n, b in entry.bindings.items() if only in (None, n)}
        parameters = {"path": str(path), "format": entry.format, "signatures": signatures, **({"options": options} if options else {})}
        return self.ask("RepositoryModelLoad", model_name="m", parameters=parameters | ({} if entry.tags is None else {"tags": entry.tags}))

    def infer(self, signature: str = "serving_default", outputs: Sequence[str] = (), **inputs: np.ndarray) -> Response:
        """Run a signature of the loaded artifact; all outputs unless some are named."""
        wanted = [{"name": name} for name in outputs]
        return self.ask("ModelInfer", inputs, model_name="m", parameters={"signature_name": signature}, outputs=wanted)

    def end(self) -> int:
        """End its standard input; the exit status, negative where a signal ended it."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(30)

    def stderr(self) -> str:
        """All it has written to standard error."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")
