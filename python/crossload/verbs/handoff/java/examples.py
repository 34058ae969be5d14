"""The tf.Examples that a model parses, as Java classes that make them: a setter for each feature, typed by the op that parses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.inputs import domains
from crossload.inputs.domains import Feature
from crossload.inputs.tf_example import described
from crossload.verbs.handoff.java import names

# An element in Java by the datatype of a feature; the ops that parse tf.Examples know no others (ops/parsing_ops.cc).
_ELEMENTS = {"FP32": ("float",), "INT64": ("long",), "BYTES": ("String", "byte[]")}


@dataclass(frozen=True)
class Part:
    """A feature: its name in the example and in Java, its types there, how many values it takes (None: any number), its Javadoc."""

    name: str
    java: str
    elements: tuple[str, ...]
    count: int | None
    description: str


@dataclass(frozen=True)
class Example:
    """A class of examples: its name, its features, and the names of those that an example must have."""

    type: str
    parts: tuple[Part, ...]
    required: tuple[str, ...]


def of_signatures(source: Bundle, artifact: Artifact, signatures: Mapping[str, Signature], model: str) -> dict[str, dict[str, Example]]:
    """By signature and input, the class of the examples that the artifact's graph parses there; inputs of equal features share one.

    `model` is the model's name as a Java type.
    """
    bound = {name: s.bound(artifact.bindings[name].inputs, artifact.bindings[name].outputs) for name, s in signatures.items()}
    made: dict[tuple[Feature, ...], Example] = {}
    found: dict[str, dict[str, Example]] = {}
    for name, domain in domains.of_artifact(source.path(artifact), artifact.format, artifact.tags, bound).items():
        for spec, features in domain.examples.items():
            if all(_is_text(f.name) for f in features):
                number = str(len(made) + 1) if made else ""
                found.setdefault(name, {})[spec] = made.setdefault(features, example_of(f"{model}Example{number}", features))
    return found


def example_of(java_type: str, features: tuple[Feature, ...]) -> Example:
    """The class of this name for examples of these features."""
    java = names.members(f.name for f in features)
    parts = tuple(Part(f.name, java[f.name], _ELEMENTS[f.datatype], _count(f), described(f)) for f in features)
    return Example(java_type, parts, tuple(f.name for f in features if f.shape is not None and f.default is None))


def _count(feature: Feature) -> int | None:
    size = -1 if feature.shape is None else prod(feature.shape)
    return None if size < 0 else size


def _is_text(name: str) -> bool:
    """Whether it is UTF-8, as the key of a feature must be."""
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in name)
