"""The plan of a run: what to verify, how strictly, and the equivalent command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from crossload.contract.manifest import Tolerance
from crossload.contract.outcomes import Agreement
from crossload.inputs.requests import Requests
from crossload.report.results import Case
from crossload.runtimes import registry
from crossload.runtimes.environments import Wall
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits

Nan = Literal["same", "forbid"]
_Option = tuple[str, "str | None"]


@dataclass(frozen=True)
class Plan:
    """What to verify and how strictly; None for runtimes means the default ones, for artifacts, signatures or vectors all of them.

    `load_options` are those of `load`. `configuration` is the file that $CROSSLOAD_CONFIG names. `only` restricts the run to cases of
    an earlier one, which the command line does with `--from REPORT`. `fresh` is the number of new requests for a bundle, drawn with the
    seed of `requests`. Behind a `wall` are all workers, the reference's too. `accept_unproved` lets signatures pass whose recorded answers
    do not suffice (verbs.verify.sufficiency). `devices` are files of answers that devices wrote (contract.device).
    """

    path: str
    runtimes: tuple[str, ...] | None = None
    artifacts: tuple[str, ...] | None = None
    signatures: tuple[str, ...] | None = None
    vectors: tuple[str, ...] | None = None
    requests: Requests = field(default_factory=Requests)
    tolerance: Mapping[str, Tolerance] = field(default_factory=dict)
    agreement: Agreement = "close"
    nan: Nan = "same"
    limits: Limits = field(default_factory=Limits)
    load_options: Mapping[str, Any] = field(default_factory=dict)
    configuration: str | None = None
    only: frozenset[Case] | None = None
    fresh: int = 0
    wall: Wall | None = None
    accept_unproved: bool = False
    devices: tuple[str, ...] = ()

    def chosen(self) -> list[Runtime]:
        """The runtimes, behind the wall; raises CrossloadError as `registry.find` does."""
        found = registry.find(list(self.runtimes or ()))
        return [registry.behind(r, self.wall) for r in found] if self.wall else found

    def takes(self, artifact: str) -> bool:
        """Whether this artifact is verified."""
        return self.artifacts is None or artifact in self.artifacts

    def takes_case(self, case: Case) -> bool:
        """Whether a case of a chosen artifact and signature is verified."""
        return (self.vectors is None or case.vector in self.vectors) and (self.only is None or case in self.only)

    def to_command(self) -> str:
        """The shell command that repeats the run."""
        environment = [f"CROSSLOAD_CONFIG={shlex.quote(self.configuration)}"] if self.configuration else []
        return " ".join([*environment, shlex.join(["crossload", "verify", *self.to_arguments()])])

    def to_arguments(self) -> list[str]:
        """The arguments of `crossload verify` for this plan, without defaults and without inputs that have no file."""
        options = chain(self._selection(), self._strictness(), self._requests(), self._limits(), self._loading())
        path = f"./{self.path}" if self.path.startswith("-") else self.path
        return [path, *(word for option, value in options for word in _words(option, value))]

    def _selection(self) -> Iterator[_Option]:
        if self.runtimes is not None:
            for name in self.runtimes:
                yield "--runtime", name
        if self.wall:
            yield "--in", self.wall
        for file in self.devices:
            yield "--from", file
        for option, names in (("--artifact", self.artifacts), ("--signature", self.signatures), ("--vector", self.vectors)):
            for name in names or ():
                yield option, name

    def _strictness(self) -> Iterator[_Option]:
        if self.agreement != "close":
            yield "--agreement", self.agreement
        if self.nan != "same":
            yield "--nan", self.nan
        if self.accept_unproved:
            yield "--accept-unproved", None
        for name, tolerance in self.tolerance.items():
            yield "--tolerance", f"{name}:rtol={tolerance.rtol!r},atol={tolerance.atol!r},ulp={tolerance.ulp}"

    def _requests(self) -> Iterator[_Option]:
        usual = Requests()
        for option, number, default in (("--count", self.requests.count, usual.count), ("--seed", self.requests.seed, usual.seed)):
            if number != default:
                yield option, str(number)
        if self.fresh:
            yield "--fresh", str(self.fresh)
        for own in self.requests.inputs:
            if isinstance(own, Path):
                yield "--input-file", str(own)
        for name, shape in self.requests.shapes.items():
            yield "--shape", f"{name}={','.join(map(str, shape))}"

    def _limits(self) -> Iterator[_Option]:
        usual = Limits()
        for phase in ("start", "load", "run"):
            if (seconds := getattr(self.limits, phase)) != getattr(usual, phase):
                yield "--time-limit", f"{phase}={seconds!r}"
        if self.limits.memory is not None:
            yield "--memory-limit", str(self.limits.memory)

    def _loading(self) -> Iterator[_Option]:
        for option in ("loader", "custom_objects"):
            if value := self.load_options.get(option):
                yield f"--{option.replace('_', '-')}", str(value)
        if size := self.load_options.get("arena_bytes"):
            yield "--arena", str(size)
        if self.load_options.get("allow_code"):
            yield "--allow-code", None
        for library in self.load_options.get("op_libraries", ()):
            yield "--op-library", str(library)


def _words(option: str, value: str | None) -> list[str]:
    """An option as words of the command line; one word if the value begins with a dash, which would be parsed as an option."""
    if value is None:
        return [option]
    return [f"{option}={value}"] if value.startswith("-") else [option, value]
