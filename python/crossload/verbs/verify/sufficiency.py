"""Whether a signature's recorded answers suffice to call it proved."""

from __future__ import annotations

from collections.abc import Sequence

from crossload.contract.manifest import Vectors
from crossload.contract.outcomes import OUTCOMES
from crossload.contract.vectors import Vector

ACCEPT = "--accept-unproved"


def shortfall(signature: str, entry: Vectors | None, recorded: Sequence[Vector]) -> str | None:
    """Why the answers in `recorded` do not prove a signature; None if they do.

    They do not if there are none, if the reference answered fewer than half of the requests that were drawn, or only the zeros; a
    request of the user's own suffices.
    """
    if entry is None:
        return f"no vectors are recorded for {signature}; export the bundle again"
    if not recorded:
        return f"nothing is compared for {signature}: {why_empty(entry)}"
    asked = len(recorded) + len(entry.left_out)
    if any(v.id.startswith("user_") for v in recorded) or not entry.left_out:
        return None
    zeros = [v.id for v in recorded] == ["zeros"]
    if 2 * len(recorded) >= asked and not zeros:
        return None
    first = entry.left_out[0]
    which = "only the zeros" if zeros else f"only {len(recorded)}"
    return (
        f"{signature} is not proved: of {asked} requests {entry.reference.runtime} answered {which} ({first.id}: {first.reason}); "
        f"give real inputs with --input-file, or accept it with {ACCEPT}"
    )


def unanswered(entry: Vectors) -> bool:
    """Whether the reference answered no request of a signature; not so if its answers do not repeat."""
    return not entry.count and bool(entry.left_out) and entry.left_out[0].reason.partition(":")[0] in OUTCOMES


def without_answers(recorded: Sequence[Vectors]) -> dict[str, str]:
    """The signatures of whose requests the reference answers none, and why, beside others that it answers; else nothing."""
    found = {v.signature: why_empty(v) for v in recorded if unanswered(v)}
    return found if len(found) < len(recorded) else {}


def why_empty(entry: Vectors) -> str:
    """Why a signature has no recorded answers."""
    if not entry.left_out:
        return "no vectors are recorded"
    first = entry.left_out[0]
    if not unanswered(entry):
        return first.reason
    if first.id == "load":
        return f"{entry.reference.runtime} does not load it ({first.reason})"
    return (
        f"{entry.reference.runtime} answers none of its {len(entry.left_out)} requests ({first.id}: {first.reason}); "
        "give inputs that it takes with --input-file, or their shapes with --shape"
    )
