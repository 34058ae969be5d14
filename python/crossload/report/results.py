"""Results of a run: one outcome for each (artifact, runtime, signature, vector), their summary, written and read as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crossload.contract import typed
from crossload.contract.outcomes import COMPARED, HARMLESS, OUTCOMES, Agreement, Outcome
from crossload.errors import CrossloadError
from crossload.support.text import shortened

if TYPE_CHECKING:
    from crossload.contract.causes import Cause

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Case:
    """The subject of one comparison."""

    artifact: str
    runtime: str
    signature: str
    vector: str


@dataclass
class Result:
    """The outcome of a case. `metrics` come from compare.judge; `seconds` is the time of the runtime's own call."""

    case: Case
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

    def __post_init__(self) -> None:
        """A worker's names and words have any length."""
        self.error, self.note = (None if text is None else shortened(text) for text in (self.error, self.note))

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Result:
        """The result that `to_json` wrote."""
        names = [f.name for f in fields(Case)]
        more = {k: v for k, v in entry.items() if k not in names}
        if isinstance(more.get("cause"), dict):
            from crossload.contract.causes import Cause

            more["cause"] = Cause(**more["cause"])
        return cls(Case(**{n: entry[n] for n in names}), **more)

    @property
    def failed(self) -> bool:
        """Whether this result makes the run fail."""
        return self.outcome not in HARMLESS

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `results`."""
        content = {**asdict(self.case), **{k: v for k, v in asdict(self).items() if k != "case"}}
        return {k: v for k, v in content.items() if v not in (None, {})} | {"outcome": self.outcome, "agreement": self.agreement}


@dataclass
class Report:
    """A run: its `runtimes` (as the workers identify themselves), the results in order of arrival, and notes for the reader.

    `rows` and `columns` are the matrix: the chosen artifacts and runtimes, in their own order. `uncompared` has a sentence for each
    requested one without a comparison. `arguments` are those of the `crossload verify` command that repeats the run. `files` are the
    digests of the files of a run over many, by path.
    """

    bundle: str
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    runtimes: list[dict[str, Any]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)
    interrupted: bool = False
    arguments: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> Report:
        """The report in a file that `to_json` wrote (`crossload verify --json FILE`); raises CrossloadError for any other file."""
        try:
            return cls.parsed(Path(path).read_bytes())
        except OSError as error:
            raise CrossloadError(f"the report {path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise CrossloadError(f"{path} is not a report: {error}; `crossload verify BUNDLE --json FILE` writes one") from error

    @classmethod
    def parsed(cls, text: str | bytes) -> Report:
        """The report of a text that `to_json` made; raises ValueError for any other text."""
        from crossload.report.file import ReportFile

        try:
            content = typed.read(ReportFile, json.loads(text), ignore_unknown=True)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        results = [Result.of(entry.model_dump()) for entry in content.results]
        return cls(
            content.bundle,
            content.artifacts or list(dict.fromkeys(r.case.artifact for r in results)),
            content.asked or list(dict.fromkeys(r.case.runtime for r in results)),
            content.runtimes,
            results,
            content.cautions,
            content.uncompared,
            content.interrupted,
            content.arguments,
            content.files,
        )

    @classmethod
    def merged(cls, reports: Sequence[Report]) -> Report:
        """Reports of one bundle merged; a later result of a case replaces an earlier one. Raises CrossloadError for two bundles."""
        bundles = list(dict.fromkeys(r.bundle for r in reports))
        if len(bundles) != 1:
            raise CrossloadError(f"only reports of one bundle can be merged; these are of {len(bundles)}: {', '.join(bundles)}")

        def union(parts: Iterable[list[_Part]]) -> list[_Part]:
            found: list[_Part] = []
            for part in parts:
                found += [one for one in part if one not in found]
            return found

        results = {result.case: result for report in reports for result in report.results}
        return cls(
            bundles[0],
            union(r.rows for r in reports),
            union(r.columns for r in reports),
            union(r.runtimes for r in reports),
            list(results.values()),
            union(r.cautions for r in reports),
            union(r.uncompared for r in reports),
            any(r.interrupted for r in reports),
            reports[0].arguments,
            {path: digest for report in reports for path, digest in report.files.items()},
        )

    @property
    def exit_status(self) -> int:
        """0 all compared and agreed · 1 a mismatch or failure · 3 nothing was compared, or a requested artifact or runtime was not
        · 130 interrupted."""
        if self.interrupted:
            return 130
        if any(r.failed for r in self.results):
            return 1
        return 0 if any(r.outcome in COMPARED for r in self.results) and not self.uncompared else 3

    @property
    def first_failure(self) -> str:
        """The first failure, in one sentence, with the number of further ones."""
        failed = [r for r in self.results if r.failed]
        if not failed:
            return "; ".join(self.uncompared) or "nothing could be compared"
        case = failed[0].case
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        cause = f"; cause: {failed[0].cause}" if failed[0].cause and failed[0].cause.kind != "unknown" else ""
        return f"{case.artifact} on {case.runtime}, {case.signature}/{case.vector}: {failed[0].outcome}: {failed[0].error}{cause}{more}"

    def summary(self) -> dict[str, int]:
        """The number of results of each outcome, and the total."""
        counted = Counter(r.outcome for r in self.results)
        return {"total": len(self.results), **{o: counted[o] for o in OUTCOMES if counted[o]}}

    def to_json(self, indent: int | None = 1) -> str:
        """The report's file (`--json`); on one line without indent."""
        content = {
            "crossload": 1,
            "bundle": self.bundle,
            "arguments": self.arguments,
            "artifacts": self.rows,
            "asked": self.columns,
            "runtimes": self.runtimes,
            "results": [r.to_json() for r in self.results],
            "cautions": self.cautions,
            "uncompared": self.uncompared,
            "interrupted": self.interrupted,
            **({"files": self.files} if self.files else {}),
            "summary": self.summary(),
        }
        return json.dumps(content, indent=indent, ensure_ascii=False) + "\n"
