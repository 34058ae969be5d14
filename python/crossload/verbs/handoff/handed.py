"""What a handoff wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossload.contract.manifest import Artifact


@dataclass(frozen=True)
class Handoff:
    """The written project: its folder, the client to call (a class or a header), the engine that it calls, its artifact, the numbers of
    signatures and of vectors that test it, the command that tests it, the signatures that are left out, with the reason, and what else the
    receiver should know, such as its size."""

    root: Path
    client: str
    engine: str
    artifact: Artifact
    signatures: int
    vectors: int
    test: str
    left_out: dict[str, str]
    notes: tuple[str, ...] = ()
