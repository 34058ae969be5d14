"""A .tflite cut at inner tensors: which operators that leaves, and what proves it.

The reference is the source with those tensors as further outputs, all its operators in place: an edit of a few bytes, run in LiteRT. From
its answers come the requests and the answers of the cut file: an inner tensor that became an input gets the value that it had inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from crossload import artifacts
from crossload.artifacts.select import named_tensor
from crossload.artifacts.tflite import inner, tflite_file
from crossload.artifacts.tflite.inner import Inner, damage
from crossload.artifacts.tflite.tflite_file import TFLite
from crossload.contract import vectors
from crossload.contract.datatypes import DATATYPES
from crossload.contract.manifest import Artifact, Vectors
from crossload.contract.signatures import Signature
from crossload.edits import tflite_parts, tflite_strip, tflite_tree
from crossload.errors import ArtifactError, CrossloadError, NoReference
from crossload.support import files, temporary
from crossload.support.text import near, printable
from crossload.verbs.verify.prove import Recorded

Side = Literal["input", "output"]
# In the reference, the name of an output whose value becomes that of an input of this name.
_FED = "fed to "
# What the author says of inputs and outputs is by their positions (metadata_schema.fbs, SubGraphMetadata).
_BY_POSITION = "TFLITE_METADATA"


@dataclass(frozen=True)
class Cut:
    """The artifact to convert, with the tensors to name in it.

    `reads` are the inputs that a cut leaves, None where nothing is cut; `fed` are inner tensors that become inputs, by name; `lost` is
    the metadata that is about other inputs and outputs.
    """

    path: Path
    inputs: list[str] | None
    outputs: list[str] | None
    reads: frozenset[int] | None = None
    fed: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    def options(self, entry: Artifact, options: Mapping[str, Any]) -> dict[str, Any]:
        """These options, and those of the edge that cuts (edits.tflite_edits); `entry` is the reference. Raises CrossloadError."""
        options = {**options, "drop_metadata": [*options.get("drop_metadata", ()), *self.lost]} if self.lost else dict(options)
        if self.reads is None:
            return options
        ((key, binding),) = entry.bindings.items()
        inputs = {name: int(at) for name, at in binding.inputs.items() if at in self.reads}
        if clash := next((n for n in self.fed if n in inputs), None):
            raise CrossloadError(f"two inputs would be called {clash!r}; write --input-tensor OTHER=TENSOR")
        outputs = {n: int(at) for n, at in binding.outputs.items() if not n.startswith(_FED)}
        cut = {key: {"inputs": {**inputs, **self.fed}, "outputs": outputs}}
        return {**options, "cut": cut}

    def signatures(self, of_reference: Mapping[str, Signature]) -> dict[str, Signature]:
        """The signatures of the cut file."""
        if self.reads is None:
            return dict(of_reference)
        return {
            key: replace(
                s,
                inputs=(
                    *(t for t in s.inputs if t.tensor in self.reads or t.name in self.fed),
                    *(replace(t, name=t.name.removeprefix(_FED)) for t in s.outputs if t.name.startswith(_FED)),
                ),
                outputs=tuple(t for t in s.outputs if not t.name.startswith(_FED)),
            )
            for key, s in of_reference.items()
        }

    def of_answers(self, source: Recorded, made: Artifact) -> Recorded:
        """The requests and the answers of the cut file, by those of the reference."""
        if self.reads is None:
            return source
        manifest, room = source.manifest, source.room / "cut"
        bindings = {key: made.bindings[key] for key in source.source.bindings}
        kept = {key: set(b.outputs) for key, b in bindings.items()}
        entries = [self._sliced(v, source.room, room, list(bindings[v.signature].inputs), kept[v.signature]) for v in manifest.vectors]
        own = manifest.model_copy(update={"signatures": self.signatures(manifest.signatures), "vectors": entries})
        return replace(source, source=source.source.model_copy(update={"bindings": bindings}), manifest=own, room=room)

    @staticmethod
    def _sliced(entry: Vectors, source: Path, target: Path, inputs: Sequence[str], outputs: set[str]) -> Vectors:
        made = []
        for one in vectors.read(source / entry.path, entry.count):
            given = {**one.inputs, **{n.removeprefix(_FED): value for n, value in one.outputs.items() if n.startswith(_FED)}}
            answers = {n: value for n, value in one.outputs.items() if n in outputs}
            rounding, steps = {n: v for n, v in one.rounding.items() if n in outputs}, {n: v for n, v in one.steps.items() if n in outputs}
            made.append(replace(one, inputs={n: given[n] for n in inputs}, outputs=answers, rounding=rounding, steps=steps))
        vectors.write(target / entry.path, entry.signature, made)
        by_output = {side: {n: v for n, v in getattr(entry, side).items() if n in outputs} for side in ("rounding", "steps")}
        return entry.model_copy(update={**by_output, "sha256": files.sha256(target / entry.path)})


@contextmanager
def exposed(
    source: Path, inputs: Sequence[str] | None, outputs: Sequence[str] | None, target: str, options: Mapping[str, Any]
) -> Iterator[Cut]:
    """The source with the inner tensors that `inputs` and `outputs` name as outputs, in a temporary copy; without them, the source.

    Inner tensors of a .tflite are outputs of a new signature beside its own (`add_signature`), or the file is cut to them. Raises
    ArtifactError for a damaged file, and CrossloadError for tensors that it cannot be cut at.
    """
    given = Cut(source, list(inputs or ()) or None, list(outputs or ()) or None)
    if not (inputs or outputs) or artifacts.recognise(source) != "tflite":
        yield given
        return
    found, graph = tflite_file.read(source, ops=False), inner.read(source)
    taken, made = _named(found, graph, "input", inputs), _named(found, graph, "output", outputs)
    fed = {name: at for name, at in taken.items() if at not in graph.inputs}
    adding = "add_signature" in options
    if fed and (adding or target != "tflite"):
        raise CrossloadError(
            f"{source}: {_called(graph, next(iter(fed.values())))} can become an input of a .tflite that is cut to it: cut it without "
            "--add-signature, and go on with the result"
        )
    reads, lost = None, list[str]()
    if target == "tflite" and not adding and (fed or (made and {*made.values()} != {*graph.outputs})):
        reads = _reads(graph, source, taken, fed, made)
        lost = [m.name for m in found.metadata if m.name == _BY_POSITION]
    if made or not fed:
        named = {name: f"#{at}" for name, at in made.items()}
    else:
        named = {t.name: f"#{t.tensor}" for t in found.named({}, {}).outputs}
    with temporary.scratch() as room:
        more = [at for at in dict.fromkeys([*made.values(), *fed.values()]) if at not in graph.outputs]
        own = room / source.resolve().name if more else source
        if target == "tflite" and more:  # they live longer than the plan says
            lost += [m.name for m in found.metadata if m.name == tflite_strip.BY_TENSOR]
        if more:
            own.write_bytes(tflite_parts.with_more_outputs(graph, more))
        given = Cut(
            own,
            [f"{name}=#{at}" for name, at in taken.items() if name not in fed] or None,
            [f"{name}={tensor}" for name, tensor in {**named, **{f"{_FED}{n}": f"#{at}" for n, at in fed.items()}}.items()] or None,
            reads,
            fed,
            tuple(lost),
        )
        try:
            yield given
        except NoReference as error:  # about the copy, which the user does not know
            raise NoReference(source, error.failures) from error


def _named(found: TFLite, graph: Inner, side: Side, texts: Sequence[str] | None) -> dict[str, int]:
    named = [named_tensor(text) for text in texts or ()]
    if twice := next((n for at, (n, _) in enumerate(named) if n in dict(named[:at])), None):
        raise CrossloadError(f"{found.path}: two {side}s would be called {twice!r}; write --{side}-tensor OTHER=TENSOR")
    if reserved := next((n for n, _ in named if n.startswith(_FED)), None):
        raise CrossloadError(f"{found.path}: {reserved!r} is a name that crossload uses itself; choose another")
    indices = {name: _index(found, graph, side, text) for name, text in named}
    if twice := next((n for at, n in enumerate(indices) if indices[n] in [*indices.values()][:at]), None):
        raise CrossloadError(f"{found.path}: two {side}s, one of them {twice!r}, are {_called(graph, indices[twice])}; choose one name")
    return indices


def _index(found: TFLite, graph: Inner, side: Side, text: str) -> int:
    """The tensor that this text names: an input or output, or an inner tensor by its name or index. Raises CrossloadError."""
    try:
        return found.end(side, text)
    except ArtifactError:
        at = [t.index for t in graph.tensors if text and text in (t.name, t.name.removesuffix(":0"))]
        # The converter joins the names of fused operations by ";", in the names of a layer's constants, too.
        at = at or [t.index for t in graph.tensors if text in t.name.split(";") and t.extent is None]
    number = text.removeprefix("#")
    if not at and number.isdecimal() and int(number) < len(graph.tensors):
        at = [int(number)]
    if len(at) > 1:
        raise CrossloadError(f"{found.path} has {len(at)} tensors {text!r}: name one by its number ({', '.join(map(str, at[:8]))})")
    if not at:
        raise CrossloadError(_unknown(found.path, graph, side, text))
    _check(found.path, graph, side, at[0])
    return at[0]


def _unknown(path: Path, graph: Inner, side: Side, text: str) -> str:
    for other in inner.read_all(path):
        if other.subgraph != graph.subgraph and any(text == t.name for t in other.tensors):
            return (
                f"{path}: the tensor {text!r} is in subgraph {other.subgraph}, that of a loop, a branch or another signature; only "
                f"tensors of the first subgraph can be {side}s"
            )
    return (
        f"{path} has no {side} and no inner tensor {text!r}{near(text, [t.name for t in graph.tensors if t.extent is None])}; "
        f"`crossload show {path} --all` lists its tensors"
    )


def _check(path: Path, graph: Inner, side: Side, at: int) -> None:
    """Raise CrossloadError for a tensor that is no value inside the graph."""
    tensor = graph.tensors[at]
    if tensor.extent is not None:
        why = "is a constant of the file"
    elif tensor.variable:
        why = "is a variable, which keeps its value between calls"
    elif tensor.datatype not in DATATYPES:
        why = "is a handle to a variable or a table, which has no value that a caller could pass"
    elif at in graph.inputs:
        why = "is an input of the graph"
    elif at in graph.outputs:
        why = "is an output of the graph, which it cannot take"
    elif not any(at in o.outputs for o in graph.operators):
        why = "is made by no operator"
    else:
        return
    raise CrossloadError(f"{path}: {_called(graph, at)} {why}, so it cannot become an {side}; name a tensor that an operator makes")


def _reads(graph: Inner, path: Path, taken: Mapping[str, int], fed: Mapping[str, int], made: Mapping[str, int]) -> frozenset[int]:
    """The graph's own inputs that the cut file reads. Raises CrossloadError for inputs that it would not read, or could not."""
    outputs = [*made.values()] or [*graph.outputs]
    tree = tflite_tree.read(path, graph.data)
    with damage(path):
        kept, read = tflite_strip.needed(tree, graph.subgraph, [*graph.inputs, *fed.values()], outputs)
    for at in fed.values():
        if maker := next((graph.operators[n] for n in kept if at in graph.operators[n].outputs), None):
            others = ", ".join(_called(graph, n) for n in maker.outputs if n != at)
            raise CrossloadError(f"{path}: {_called(graph, at)} and {others} are made by one {maker.op}, and both are needed; feed both")
    if both := next((at for at in fed.values() if at in outputs), None):
        raise CrossloadError(f"{path}: {_called(graph, both)} would be an input and an output; leave one out")
    if unread := next((name for name, at in taken.items() if at not in read), None):
        raise CrossloadError(
            f"{path}: the outputs do not need {_called(graph, taken[unread])}; leave out --input-tensor {printable(unread)}"
        )
    return frozenset(read.intersection(graph.inputs))


def _called(graph: Inner, at: int) -> str:
    return f"the tensor {at} ({graph.tensors[at].name!r})"
