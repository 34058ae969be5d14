"""Validates a node against the op that a release registers, as TensorFlow does when it loads a graph.

Sources: tensorflow/core/framework/node_def_util.cc (ValidateNodeDef, InOutTypesForNode), attr_value_util.cc (AttrValueHasType),
op_def_util.cc (ValidateAttrValue, CheckOpDeprecation), op_kernel.cc (FindKernelRegistration), kernel_def_util.cc (KernelAttrsMatch).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crossload.contract.datatypes import for_people, from_enum
from crossload.releases import add_ons
from crossload.releases.registrations import Kernel, Release, having

# Since 2.5 TensorFlow ignores an unknown attribute with a warning; before, it is an error.
_IGNORES_ATTRIBUTES_SINCE = (2, 5)
REFERENCE = 100  # types.proto: DT_FLOAT_REF is DT_FLOAT + 100
_MOST = 1 << 16  # only a hostile graph states more
_FIELDS = {
    "type": "type", "int": "i", "float": "f", "bool": "b", "string": "s", "shape": "shape", "tensor": "tensor", "func": "func",
}  # fmt: skip
_LISTS = {"type": "type", "int": "i", "float": "f", "bool": "b", "string": "s", "shape": "shape", "tensor": "tensor", "func": "func"}


@dataclass(frozen=True)
class Problem:
    """A problem of a node: `kind` is one of op, unknown_attr, missing_attr, value, inputs, deprecated, datatype."""

    kind: str
    sentence: str
    attr: str = ""


def ignores_attributes(release: Release) -> bool:
    """Whether this release only warns of an attribute that an op does not have."""
    return tuple(int(n) for n in release.tensorflow.split(".")[:2]) >= _IGNORES_ATTRIBUTES_SINCE


def problems(node: Any, release: Release, producer: int, functions: dict[str, Any]) -> Iterator[Problem]:
    """The problems of a node in this release; `functions` are the graph's own, by name (FunctionDefs)."""
    if node.op in functions:
        return
    op = release.op(node.op)
    if op is None:
        yield Problem("op", f"Op type not registered {node.op!r}: {_since(release, having(node.op)) or add_ons.sentence(node.op)}")
        return
    stated = {attr.name: attr for attr in op.attr}
    for name, value in node.attr.items():
        if name.startswith("_") or value.WhichOneof("value") == "placeholder":
            continue
        if name not in stated:
            if not ignores_attributes(release):
                yield Problem(
                    "unknown_attr",
                    f"{node.op} has no attribute {name!r}: {_since(release, having(node.op, name)) or 'in no release known here'}",
                    name,
                )
        else:
            yield from _value_problems(node, stated[name], value, release)
    for name, attr in stated.items():
        if name not in node.attr and not attr.HasField("default_value"):
            yield Problem("missing_attr", f"{node.op} needs the attribute {name!r}, which the node does not have", name)
            return
    wanted = _input_count(node, op)
    given = sum(not at.startswith("^") for at in node.input)
    if wanted is not None and wanted != given:
        yield Problem("inputs", f"{node.op} takes {wanted} inputs in TensorFlow {release.tensorflow}, and the node has {given}")
    if 0 < op.deprecation.version <= producer:
        why = f" ({op.deprecation.explanation.rstrip('.')})" if op.deprecation.explanation else ""
        yield Problem(
            "deprecated", f"{node.op} was removed in GraphDef version {op.deprecation.version}, and the graph has version {producer}{why}"
        )


def _since(release: Release, others: tuple[Release, ...]) -> str:
    """The releases that have a feature missing in this one; empty if none has it."""
    later = [r for r in others if r.number > release.number]
    if later:
        return f"first in TensorFlow {later[0].tensorflow} of the releases known here; yours is {release.tensorflow}"
    if others:
        return f"last in TensorFlow {others[-1].tensorflow} of the releases known here; yours is {release.tensorflow}"
    return ""


def _value_problems(node: Any, attr: Any, value: Any, release: Release) -> Iterator[Problem]:
    kind, is_list = attr.type.removeprefix("list(").removesuffix(")"), attr.type.startswith("list(")
    which = value.WhichOneof("value")
    if which != ("list" if is_list else _FIELDS.get(kind, which)):
        if which is not None:
            yield Problem("value", f"the attribute {attr.name!r} of {node.op} is a {attr.type}, but its value is not", attr.name)
        return
    values = list(getattr(value.list, _LISTS[kind])) if is_list else [getattr(value, _FIELDS[kind])] if kind in _FIELDS else []
    if kind == "type":
        for number in values:
            if number % 100 not in release.datatypes:
                yield Problem("datatype", f"TensorFlow {release.tensorflow} has no datatype {_people(number)}", attr.name)
                return
    allowed = getattr(attr.allowed_values.list, _LISTS.get(kind, "type")) if attr.HasField("allowed_values") else ()
    for one in values:
        if allowed and kind in ("type", "string") and one not in allowed:
            said = _people(one) if kind == "type" else repr(one.decode("utf-8", "backslashreplace"))
            yield Problem("value", f"{attr.name!r} of {node.op} may not be {said} in TensorFlow {release.tensorflow}", attr.name)
            return
    if attr.has_minimum:
        number = len(values) if is_list else value.i
        if number < attr.minimum:
            yield Problem("value", f"{attr.name!r} of {node.op} is {number}, and must be at least {attr.minimum}", attr.name)


def _people(number: int) -> str:
    return for_people(from_enum(number))


def _input_count(node: Any, op: Any) -> int | None:
    """The number of inputs of an op with this node's attributes; None if an attribute is unknown."""
    counts = [tensor_count(node, op, argument) for argument in op.input_arg]
    return None if None in counts else sum(filter(None, counts))


def tensor_count(node: Any, op: Any, argument: Any) -> int | None:
    """The number of tensors of an op's input or output (an ArgDef) in this node; None if an attribute is unknown."""
    if not argument.number_attr and not argument.type_list_attr:
        return 1
    value = attribute(node, op, argument.number_attr or argument.type_list_attr)
    if value is None or value.WhichOneof("value") == "placeholder":
        return None
    count: int = value.i if argument.number_attr else len(value.list.type)
    return count


def attribute(node: Any, op: Any, name: str) -> Any:
    """A node's attribute, or the op's default."""
    if name in node.attr:
        return node.attr[name]
    return next((a.default_value for a in op.attr if a.name == name and a.HasField("default_value")), None)


def output_types(node: Any, op: Any) -> list[int]:
    """The numbers (types.proto) of the datatypes of a node's outputs, 0 for an unknown one; a reference counts as its base type."""
    found: list[int] = []
    for argument in op.output_arg:
        if argument.type_list_attr:
            value = attribute(node, op, argument.type_list_attr)
            found += value.list.type if value is not None else ()
            continue
        value = attribute(node, op, argument.type_attr) if argument.type_attr else None
        number = value.type if value is not None else argument.type
        many = attribute(node, op, argument.number_attr) if argument.number_attr else None
        found += [number] * (many.i if many is not None else 1)
    return found


def output_datatypes(node: Any, op: Any) -> list[str]:
    """`output_types` as the contract's names, or `DT_<number>`."""
    return [from_enum(number) for number in output_types(node, op)]


def datatypes_of(node: Any, op: Any, arguments: Iterable[Any]) -> list[int] | None:
    """The datatypes (types.proto) of all tensors of these arguments of an op; None if an attribute leaves them open."""
    found: list[int] = []
    for argument in arguments:
        many = tensor_count(node, op, argument)
        named = argument.type_list_attr or argument.type_attr
        stated: Any = attribute(node, op, named) if named else None
        if many is None or many > _MOST or (named and (stated is None or stated.WhichOneof("value") == "placeholder")):
            return None
        number = argument.type if stated is None else stated.type
        number += REFERENCE if argument.is_ref and number < REFERENCE else 0
        found += stated.list.type if argument.type_list_attr else [number] * many
    return found


def kernel_problem(node: Any, release: Release, functions: dict[str, Any]) -> str | None:
    """Why no CPU kernel runs this node; None if one does (or if the op is unknown, which is a different problem)."""
    op = release.op(node.op)
    if op is None or node.op in functions:
        return None
    kernels = release.kernels(node.op)
    label = node.attr["_kernel"].s.decode("utf-8", "replace") if "_kernel" in node.attr else ""
    if any(kernel.label == label and _takes(kernel, node, op) for kernel in kernels):
        return None
    if not kernels:
        return f"{node.op} has no CPU kernel in TensorFlow {release.tensorflow}"
    types = {a.name: attribute(node, op, a.name) for a in op.attr if a.type in ("type", "list(type)")}
    said = ", ".join(f"{name} {' '.join(_people(n) for n in _numbers(value))}" for name, value in types.items() if value is not None)
    return f"{node.op} has no CPU kernel in TensorFlow {release.tensorflow} that takes {said or f'the label {label!r}'}"


def _takes(kernel: Kernel, node: Any, op: Any) -> bool:
    for name, allowed in kernel.constraints.items():
        value = attribute(node, op, name)
        if value is None or value.WhichOneof("value") == "placeholder":
            continue
        if any(number not in allowed for number in _numbers(value)):
            return False
    return True


def _numbers(value: Any) -> list[int]:
    return list(value.list.type) if value.WhichOneof("value") == "list" else [value.type]
