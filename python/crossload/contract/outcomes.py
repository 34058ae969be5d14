"""The closed words of a run: what happened to a case, how close an answer is, in which phase a worker was (bindings/contract/README.md)."""

from __future__ import annotations

from typing import Literal, get_args

Outcome = Literal["ok", "mismatch", "unsupported", "refused", "load_error", "run_error", "crash", "timeout", "protocol_error", "not_run"]
# From the closest to the most distant.
Agreement = Literal["identical", "ulp", "close", "decision", "different"]
Phase = Literal["start", "load", "run", "memory"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
AGREEMENTS: tuple[Agreement, ...] = get_args(Agreement)
# `unsupported` is not a failure of the model; every other outcome except `ok` is one, including `not_run`:
# nothing passes by being absent.
HARMLESS: tuple[Outcome, ...] = ("ok", "unsupported")
COMPARED: tuple[Outcome, ...] = ("ok", "mismatch")
