"""The schema for reading a report file (`verify --json`); it ignores keys that a newer crossload adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from crossload.contract.causes import Cause
from crossload.contract.outcomes import Agreement, Outcome
from crossload.contract.typed import Part


@dataclass(kw_only=True)
class ResultEntry(Part):
    """One of `results`."""

    artifact: str
    runtime: str
    signature: str
    vector: str
    outcome: Outcome
    agreement: Agreement | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Agreement] = field(default_factory=dict)
    error: str | None = None
    stderr: str | None = None
    note: str | None = None
    seconds: float | None = None
    reproduce: str | None = None
    cause: Cause | None = None


@dataclass(kw_only=True)
class ReportFile(Part):
    """The whole file."""

    crossload: Literal[1]
    bundle: str
    arguments: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    runtimes: list[dict[str, Any]] = field(default_factory=list)
    results: list[ResultEntry]
    cautions: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)
    interrupted: bool = False
    files: dict[str, str] = field(default_factory=dict)
