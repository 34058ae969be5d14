"""Answers that a device wrote, judged here as if a runtime had just given them: `verify BUNDLE --from device.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.compare.tolerance import Tolerances
from crossload.contract import device
from crossload.contract.bundle import Bundle
from crossload.contract.causes import Cause
from crossload.contract.manifest import Artifact
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError, FrameError
from crossload.report.results import Case, Result
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.run import judged

if TYPE_CHECKING:
    import numpy as np

    from crossload.compare.pairs import Answers

# The end of a delegate's name where it must compute in float32.
_FORCED = "-float32"


@dataclass(frozen=True)
class Device:
    """A device's answers beside the artifact that they are of; `name` is its column."""

    name: str
    file: device.DeviceFile
    artifact: Artifact
    source: Path

    def identity(self) -> dict[str, Any]:
        """What the report says of the device, as of a runtime."""
        return {"runtime": self.name, "version": self.file.runtime, "source": str(self.source)} | self.file.device

    def is_narrower_than(self, other: Device) -> bool:
        """Whether the other is the same delegate of the same device, made to compute in float32, and this one is not."""
        own, forced = self.file.device, other.file.device
        same = own.get("name") == forced.get("name") and own.get("soc") == forced.get("soc")
        delegate = own.get("delegate")
        return same and delegate is not None and forced.get("delegate") == f"{delegate}{_FORCED}"

    def results(self, recorded: Mapping[str, Sequence[Vector]], plan: Plan, tolerances: Tolerances) -> Iterator[Result]:
        """A result for every recorded vector of the artifact that the plan takes, mismatches with their cause where the answers show it."""
        answers = {(a.signature, a.vector): a for a in self.file.answers}
        for signature in self.artifact.bindings if plan.takes(self.artifact.id) else ():
            found, asked = [], []
            for vector in recorded.get(signature, ()) if plan.signatures is None or signature in plan.signatures else ():
                case = Case(self.artifact.id, self.name, signature, vector.id)
                if plan.takes_case(case):
                    result, outputs = self._result(case, vector, answers.get((signature, vector.id)), plan, tolerances)
                    if result.outcome != "ok":
                        one = {"artifacts": (case.artifact,), "signatures": (signature,), "vectors": (vector.id,)}
                        result.reproduce = replace(plan, only=None, **one).to_command()  # type: ignore[arg-type]
                    found.append(result)
                    if outputs is not None:
                        asked.append((vector.outputs, outputs, vector.rounding))
            _explain([r for r in found if r.outcome == "mismatch"], asked, tolerances)
            yield from found

    def _result(
        self, case: Case, vector: Vector, answer: device.DeviceAnswer | None, plan: Plan, tolerances: Tolerances
    ) -> tuple[Result, dict[str, np.ndarray] | None]:
        if answer is None:
            return Result(case, "not_run", error=f"{self.source} has no answer to it; run all vectors on the device"), None
        if answer.error is not None:
            return Result(case, "run_error", error=answer.error), None
        try:
            outputs = {t.name: t.array() for t in answer.outputs}
        except FrameError as error:
            return Result(case, "protocol_error", error=f"{self.source}: {error}"), None
        seconds = None if answer.nanoseconds is None else answer.nanoseconds / 1e9
        return judged(case, vector, outputs, plan, tolerances, seconds=seconds)[0], outputs


def results(
    devices: Sequence[Device], recorded: Mapping[str, Sequence[Vector]], plan: Plan, tolerances: Tolerances
) -> list[tuple[Device, list[Result]]]:
    """The results of each device. Where one delegate of a device agrees with float32 forced and not without, that is the cause."""
    found = [(one, list(one.results(recorded, plan, tolerances))) for one in devices]
    for one, own in found:
        for other, forced in found:
            if one.is_narrower_than(other):
                agreeing = {(r.case.artifact, r.case.signature, r.case.vector) for r in forced if r.outcome == "ok"}
                for result in own:
                    if result.outcome == "mismatch" and (result.case.artifact, result.case.signature, result.case.vector) in agreeing:
                        result.cause = _narrow(result.cause, other.name)
    return found


def _narrow(own: Cause | None, forced: str) -> Cause:
    """The cause of an answer that agrees where float32 is forced; one that has collapsed stays called that."""
    if own is not None and own.kind in ("zero", "constant", "nan", "infinite"):
        return replace(own, evidence=f"{own.evidence}; with float32 forced, {forced} agrees")
    text = "the delegate computes in half precision: it agrees with float32 forced, not without"
    return Cause(kind="narrower", text=text, evidence=f"{forced} agrees")


def _explain(differing: Sequence[Result], asked: Answers, tolerances: Tolerances) -> None:
    """Put the cause that the answers show beside the mismatches, such as an output that is zero in every answer."""
    if differing:
        from crossload.compare import causes  # loaded where something differs, not where all agrees

        cause = causes.explain(asked, tolerances)
        for result in differing:
            result.cause = cause if cause.kind != "unknown" else None


def found(bundle: Bundle, plan: Plan) -> list[Device]:
    """The devices of the plan; raises CrossloadError for a file that is none, or whose artifact or requests are not this bundle's."""
    devices: list[Device] = []
    for path in map(Path, plan.devices):
        file = device.read(path)
        same = [a for a in bundle.manifest.artifacts if a.sha256 == file.sha256]
        artifact = next((a for a in same if a.id == file.artifact), None) or next(iter(same), None)
        if artifact is None:
            ids = ", ".join(f"{a.id} {a.sha256[:12]}…" for a in bundle.manifest.artifacts)
            raise CrossloadError(
                f"{path} holds answers of another file than this bundle's: {file.artifact} with the sha256 {file.sha256[:12]}…, and the "
                f"bundle has {ids}; hand this bundle over and run it on the device again"
            )
        known = {v.signature: v.sha256 for v in bundle.manifest.vectors}
        if other := [name for name, sha256 in file.vectors.items() if known.get(name) != sha256]:
            raise CrossloadError(
                f"{path} holds answers to other requests of {other[0]} than the bundle's; "
                "hand this bundle over and run it on the device again"
            )
        word = file.device.get("name") or path.stem
        name = f"device:{word} {file.device.get('delegate', '')}".rstrip()
        devices.append(Device(name if name not in {d.name for d in devices} else f"{name} ({len(devices) + 1})", file, artifact, path))
    return devices
