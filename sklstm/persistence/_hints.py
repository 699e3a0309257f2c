"""Check values against the type hints of a class."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

NUMBERS: dict[Any, type] = {int: Integral, float: Real}


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has the type of a hint.

    Parameters
    ----------
    value : object
    hint : type hint
        A class, Any, a union, Literal, or a list, tuple or dict of these.
    """
    if hint is Any:
        return True
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if kind is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if not isinstance(value, NUMBERS.get(kind, kind)):
        return False
    if kind in NUMBERS and isinstance(value, bool):
        return False
    if kind is dict and parts:
        return all(fits(key, parts[0]) and fits(item, parts[1]) for key, item in value.items())
    if kind in (list, tuple) and parts:
        return all(fits(item, parts[0]) for item in value)
    return True


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """Return the type hints of a class, Any for names that only type checkers import."""
    from sklstm._network.spec import NetworkSpec  # noqa: F401  (a name in hints)

    return get_type_hints(kind, localns={"FittedNetwork": Any, "keras": _AnyAttribute()})


class _AnyAttribute:
    def __getattr__(self, name: str) -> Any:
        return Any


def check_fields(
    kind: type, state: Mapping[str, Any], ignored: Collection[str] = frozenset()
) -> None:
    """Raise TypeError unless `state` holds the fields of a dataclass, each of its type."""
    names = {field.name for field in fields(kind)}
    if names != state.keys():
        raise TypeError(f"{kind.__qualname__} has the fields {sorted(names)}, not {sorted(state)}")
    check_hints(kind, {name: item for name, item in state.items() if name not in ignored})


def check_hints(kind: type, state: Mapping[str, Any]) -> None:
    """Raise TypeError if a value in `state` does not have the type of its hint."""
    hints = hints_of(kind)
    for name, item in state.items():
        if name in hints and not fits(item, hints[name]):
            raise TypeError(f"{kind.__qualname__}.{name} is of type {type(item).__qualname__}")
