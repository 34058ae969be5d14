"""Whether a signature's recorded answers suffice to call it proved."""

from __future__ import annotations

from collections.abc import Sequence

from crossload.contract.manifest import Vectors
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
        reason = entry.left_out[0].reason if entry.left_out else "no vectors are recorded"
        return f"nothing is compared for {signature}: {reason}"
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
