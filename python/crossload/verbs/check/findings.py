"""What stops a release: one finding, its place, and its effect on loading and running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The worst first: datatypes matter only after loading, running only if the datatypes are carried, and answers only if there are any.
SEVERITY = ("crash", "timeout", "load_error", "unsupported", "run_error", "mismatch")


@dataclass(frozen=True)
class Finding:
    """One obstacle: its outcome (one of SEVERITY), the sentence, the node (of which function), the op and the attribute.

    `signature` is the signature that it stops, None for all; `at_load`: it stops loading, whatever the outcome. `beyond_repair`: no
    conversion removes it, because what is missing is not in the artifact.
    """

    outcome: str
    sentence: str
    node: str = ""
    function: str = ""
    op: str = ""
    attr: str = ""
    signature: str | None = None
    at_load: bool = False
    beyond_repair: bool = False

    @property
    def place(self) -> str:
        """Its place, for people; empty if it concerns the whole artifact."""
        node = f"node {self.node!r}" if self.node else ""
        return f"{node} of the function {self.function!r}" if self.function else node

    def to_json(self) -> dict[str, Any]:
        """An element of `findings` in `check --json`, without empty fields."""
        return {key: value for key, value in vars(self).items() if value not in ("", None, False)}
