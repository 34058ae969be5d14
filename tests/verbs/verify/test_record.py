"""What recording says of requests that the reference did not answer."""

from __future__ import annotations

from crossload.contract.manifest import LeftOut, Reference, Vectors
from crossload.verbs.verify.record import left_out_requests


def recorded(*left_out: str) -> Vectors:
    reference = Reference(runtime="tensorflow", version="2.21.0", artifact="saved_model")
    reasons = [LeftOut(id=name, reason="run_error: indices[0,0] = 6 is not in [0, 2)") for name in left_out]
    return Vectors(
        signature="classify", path="vectors/classify.oip", count=2, sha256="0" * 64, seed=0, reference=reference, left_out=reasons
    )


def test_left_out_requests_are_counted_with_the_first_reason() -> None:
    said = (
        "3 of 5 requests of classify are left out: tensorflow does not answer them (single_0: run_error: indices[0,0] = 6 is not in [0, 2))"
    )
    assert left_out_requests([recorded("single_0", "batch_0", "extremes")]) == [f"{said}; give real inputs with --input-file"]


def test_nothing_is_said_where_every_request_is_answered() -> None:
    assert left_out_requests([recorded()]) == []
