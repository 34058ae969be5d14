"""How a signature's tensors cross to a runtime and back: with defaults fed, and through a bridge if it lacks a datatype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crossload.contract import bridge as table
from crossload.contract import datatypes, defaults
from crossload.contract.manifest import Binding, Bridge
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Tensors
from crossload.errors import FrameError, WorkerFailure

if TYPE_CHECKING:
    import numpy as np


def bridges(bindings: Mapping[str, Binding], signatures: Mapping[str, Signature], carried: Sequence[str] | None) -> dict[str, Bridge]:
    """The bridges to take, by signature name: for datatypes that the worker does not carry (None: it carries all)."""
    if carried is None:
        return {}
    there = {name: b.bridge for name, b in bindings.items() if b.bridge and name in signatures}
    return {name: bridge for name, bridge in there.items() if not bridge.carriers.keys() <= set(carried)}


def there(inputs: Tensors, signature: Signature | None, bridge: Bridge | None) -> dict[str, np.ndarray]:
    """The inputs to send: an omitted input gets its default, which not every runtime feeds itself."""
    sent = dict(inputs)
    for spec in signature.inputs if signature else ():
        if spec.name not in sent and spec.default is not None:
            sent[spec.name] = defaults.array(spec)
    if bridge is None:
        return sent
    return {n: table.to_carrier(a) if datatypes.of_array(a) in bridge.carriers else a for n, a in sent.items()}


def back(outputs: dict[str, np.ndarray], signature: Signature | None, bridge: Bridge | None) -> dict[str, np.ndarray]:
    """The outputs in the signature's own datatypes; raises WorkerFailure for an output that does not convert."""
    if bridge is None or signature is None:
        return outputs
    own = {t.name: t.datatype for t in signature.outputs if t.datatype in bridge.carriers}
    try:
        return {n: table.from_carrier(a, own[n]) if n in own else a for n, a in outputs.items()}
    except FrameError as error:
        raise WorkerFailure("run_error", "run", f"through the bridge: {error}") from error


def note(bridge: Bridge | None) -> str | None:
    """How the tensors crossed, for the report."""
    if bridge is None:
        return None
    people = datatypes.for_people
    return "through the bridge: " + ", ".join(f"{people(d)} as {people(c)}" for d, c in bridge.carriers.items())
