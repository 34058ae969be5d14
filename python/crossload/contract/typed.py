"""Plain data, of JSON or TOML, as instances of data classes: nothing is converted silently.

An unknown or a missing key is an error, and so is a value of another type: text or a bool for a number, a number for text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Class = TypeVar("_Class")
_Self = TypeVar("_Self", bound="Part")
_NOUNS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "a table of keys",
    list: "a list",
    NoneType: "null",
}


class Misfit(ValueError):
    """Data that does not fit its class: at which `place` (`artifacts.0.path`), and the cause."""

    def __init__(self, place: str, cause: str) -> None:
        super().__init__(f"{place or 'the top level'}: {cause}")
        self.place, self.cause = place, cause


@dataclass(kw_only=True)
class Part:
    """A data class that copies itself with changes, and becomes plain data again."""

    def model_copy(self: _Self, *, update: Mapping[str, Any]) -> _Self:
        """A copy with other values of these fields."""
        return replace(self, **update)

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """The plain data; `exclude_none` leaves out fields that are None."""
        return {name: _plain(value, exclude_none) for name, value in vars(self).items() if not (exclude_none and value is None)}


def read(kind: type[_Class], value: Any, *, ignore_unknown: bool = False) -> _Class:
    """The instance of a data class that this data describes; raises Misfit naming the first key that is wrong."""
    made: _Class = _instance(kind, value, "", ignore_unknown)
    return made


def _plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, Part):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, dict):
        return {k: _plain(v, exclude_none) for k, v in value.items()}
    return [_plain(v, exclude_none) for v in value] if isinstance(value, list) else value


@cache
def _hints(kind: type) -> dict[str, tuple[Any, bool]]:
    """The type of each field, and whether it has to be given."""
    hints = get_type_hints(kind)
    return {f.name: (hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)}


def _instance(kind: Any, value: Any, place: str, lenient: bool) -> Any:
    if not isinstance(value, dict):
        raise _other(place, value, dict)
    known = _hints(kind)
    values = {}
    for key, one in value.items():
        if key in known:
            values[key] = _value(known[key][0], one, _inside(place, key), lenient)
        elif not lenient:
            raise Misfit(_inside(place, key), f"there is no such key; the keys are {', '.join(known)}")
    for key, (_, required) in known.items():
        if required and key not in values:
            raise Misfit(_inside(place, key), "field required")
    try:
        return kind(**values)
    except Misfit as misfit:  # of the class's own rules, for one of its keys
        raise Misfit(_inside(place, misfit.place), misfit.cause) from misfit


def _value(kind: Any, value: Any, place: str, lenient: bool) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return _one_of(arguments, value, place, lenient)
    if origin is Literal:
        if not any(type(value) is type(one) and value == one for one in arguments):
            raise Misfit(place, f"must be one of {', '.join(map(repr, arguments))}")
        return value
    if is_dataclass(kind):
        return _instance(kind, value, place, lenient)
    if origin is dict:
        if not isinstance(value, dict):
            raise _other(place, value, dict)
        return {k: _value(arguments[1], v, _inside(place, k), lenient) for k, v in value.items()}
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise _other(place, value, list)
        return origin(_value(arguments[0], v, _inside(place, at), lenient) for at, v in enumerate(value))
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise _other(place, value, kind)


def _one_of(kinds: tuple[Any, ...], value: Any, place: str, lenient: bool) -> Any:
    if value is None and NoneType in kinds:
        return None
    kinds = tuple(k for k in kinds if k is not NoneType)
    if len(kinds) == 1:
        return _value(kinds[0], value, place, lenient)
    if type(value) not in kinds:  # unions are of scalars only
        raise _other(place, value, *kinds)
    return value


def _inside(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _other(place: str, value: object, *kinds: type) -> Misfit:
    return Misfit(place, f"must be {' or '.join(_NOUNS[k] for k in kinds)}, not {_NOUNS.get(type(value), type(value).__name__)}")
