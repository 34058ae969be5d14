"""What stands in a release's way: one finding, where it stands, and what it does to loading and running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The worst first: what is not loaded is not asked for datatypes, and what is not carried does not run.
SEVERITY = ("load_error", "unsupported", "run_error")


@dataclass(frozen=True)
class Finding:
    """One obstacle: its outcome (one of SEVERITY), the sentence, the node (of which function), the op and the attribute.

    `signature` is the one that it stops, None for all of them; `at_load`: it stops loading, whatever the outcome is called.
    """

    outcome: str
    sentence: str
    node: str = ""
    function: str = ""
    op: str = ""
    attr: str = ""
    signature: str | None = None
    at_load: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for people; empty where it is about the whole artifact."""
        node = f"node {self.node!r}" if self.node else ""
        return f"{node} of the function {self.function!r}" if self.function else node

    def to_json(self) -> dict[str, Any]:
        """An element of `findings` in `check --json`, without what is empty."""
        return {key: value for key, value in vars(self).items() if value not in ("", None, False)}
