"""The schema for reading a report file (`verify --json`); it ignores keys that a newer crossload adds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from crossload.contract.outcomes import Agreement, Outcome


class ResultEntry(BaseModel):
    """One of `results`."""

    artifact: str
    runtime: str
    signature: str
    vector: str
    outcome: Outcome
    agreement: Agreement | None = None
    metrics: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, Agreement] = Field(default_factory=dict)
    error: str | None = None
    stderr: str | None = None
    note: str | None = None
    seconds: float | None = None
    reproduce: str | None = None


class ReportFile(BaseModel):
    """The whole file."""

    crossload: Literal[1]
    bundle: str
    arguments: list[str] = Field(default_factory=list)
    artifacts: list[str] = Field(default_factory=list)
    asked: list[str] = Field(default_factory=list)
    runtimes: list[dict[str, Any]] = Field(default_factory=list)
    results: list[ResultEntry]
    cautions: list[str] = Field(default_factory=list)
    uncompared: list[str] = Field(default_factory=list)
    interrupted: bool = False
    files: dict[str, str] = Field(default_factory=dict)
