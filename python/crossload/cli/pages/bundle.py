"""The text of `show` for a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crossload.cli.pages.page import Page, columns, datatype, strong, warning
from crossload.compare.tolerance import BOUND
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.contract.manifest import Artifact, Manifest, Vectors
    from crossload.verbs.show.bundle_summary import BundleSummary, HeldFile


def lines(found: BundleSummary, page: Page) -> Iterator[str]:
    """The page's lines."""
    manifest = found.manifest
    made_by = ", ".join(f"{k} {v}" for k, v in found.producer.items()) or "not stated"
    yield f"{strong('Bundle')}  {printable(str(found.path))}"
    yield f"  model {printable(manifest.model.name)}, version {printable(manifest.model.version)}; made by {printable(made_by)}"
    yield ""
    yield strong("Artifacts")
    yield from columns([_artifact(held) for held in found.artifacts])
    for left in manifest.left_out:
        yield warning(f"    left out: {printable(left.id)}: {printable(left.reason)}")
    yield ""
    for key, signature in manifest.signatures.items():
        yield from page.signature(key, signature)
    yield ""
    yield strong("Vectors")
    yield from columns([_vectors(held) for held in found.vectors]) if found.vectors else ("    none recorded",)
    for held in found.vectors:
        for left in held.entry.left_out:
            yield warning(f"    left out of {printable(held.entry.signature)}: {printable(left.id)}: {printable(left.reason)}")
    yield ""
    yield f"{strong('Tolerances')}  |answer - reference| <= atol + rtol * |reference|, or at most so many ULP"
    rows = [
        (
            printable(datatype(name)),
            f"rtol {t.rtol:g}",
            f"atol {t.atol:g}",
            f"ulp {t.ulp}",
            "" if name not in manifest.tolerance else "stated",
        )
        for name, t in found.tolerances.items()
    ]
    yield from columns(rows) if rows else ("    every output must be identical",)
    rounded = [
        (printable(f"{held.entry.signature}/{name}"), f"up to {r.largest:.2g}", f"by {r.origin}{_narrow(r.narrow)}")
        for held in found.vectors
        for name, r in held.entry.rounding.items()
    ]
    if rounded:
        yield ""
        yield f"{strong('Rounding')}  of the recorded answers; without a stated tolerance, {BOUND:g} times it is close"
        yield from columns(rounded)
    yield from _quantised(manifest)


def _quantised(manifest: Manifest) -> Iterator[str]:
    """How the outputs of quantised artifacts are judged, and how far they are from the float model."""
    steps = [
        (printable(f"{v.signature}/{name}"), f"scale {s.scale:.6g}", f"{s.allowed} allowed", printable(", ".join(s.ops)))
        for v in manifest.vectors
        for name, s in v.steps.items()
    ]
    if steps:
        yield ""
        yield f"{strong('Steps')}  of quantised outputs, in which every runtime is judged"
        yield from columns(steps)
    for artifact in (a for a in manifest.artifacts if a.quality):
        from crossload.compare import quality

        yield ""
        yield f"{strong('Quality')}  of {printable(artifact.id)} against the float model"
        yield from (f"    {printable(line)}" for line in quality.lines(artifact.quality))


def _narrow(ops: list[str]) -> str:
    return f" (in float32: {printable(', '.join(ops))})" if ops else ""


def _artifact(held: HeldFile[Artifact]) -> tuple[str, ...]:
    entry = held.entry
    notes = ([f"tags {', '.join(entry.tags)}"] if entry.tags else []) + ([f"from {entry.made.source}"] if entry.made else [])
    return printable(entry.id), printable(entry.format), printable(entry.path), *_file(held), printable(", ".join(notes))


def _vectors(held: HeldFile[Vectors]) -> tuple[str, ...]:
    entry = held.entry
    reference = entry.reference
    who = f"answered by {reference.runtime} {reference.version} on {reference.artifact}"
    return printable(entry.signature), f"{entry.count} vectors, seed {entry.seed}", printable(who), *_file(held)


def _file(held: HeldFile[Any]) -> tuple[str, str]:
    state = f"sha256 {held.entry.sha256[:12]}…" if held.state == "unchanged" else warning(f"{held.state}: export the bundle again")
    return f"{held.size_bytes:,} bytes", state
