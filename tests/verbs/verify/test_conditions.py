"""The conditions of an answer: the difference between the reference's and today's is said."""

from __future__ import annotations

from crossload.contract.manifest import Reference
from crossload.verbs.verify.conditions import differences, emulations

RECORDED = Reference(
    runtime="tensorflow", version="2.21.0", artifact="a", environment={"threads": 2, "onednn": False, "cpu": "avx2 fma", "api": "C"}
)


def now(**environment: object) -> dict[str, object]:
    return {"runtime": "tensorflow", "version": "2.21.0", **RECORDED.environment, **environment}


def test_what_may_change_the_last_bits_is_said_of_the_references_runtime_alone() -> None:
    assert list(differences([RECORDED], [now(), {**now(threads=8), "runtime": "tensorflow-java"}])) == []
    assert list(differences([RECORDED, RECORDED], [now(threads=8, onednn=True, api="Python")])) == [
        "tensorflow runs in another environment than the reference did, which may change last bits: "
        "threads: 8, recorded with 2; oneDNN: on, recorded with off"
    ]


def test_what_one_of_them_does_not_state_is_no_difference() -> None:
    old = Reference(runtime="tensorflow", version="2.21.0", artifact="a", environment={"threads": 2})
    assert list(differences([old], [now()])) == []


def test_runtimes_of_one_emulated_processor_share_a_sentence() -> None:
    arm = [{**now(), "runtime": name, "emulated": "cortex-a76 on x86_64"} for name in ("b", "a")]
    assert list(emulations([now(), *arm])) == [
        "a, b: the processor is emulated by qemu (cortex-a76 on x86_64); its answers count, its times do not"
    ]
