"""Encode a graph of objects as a flat table of JSON entries, and decode it.

An object that other objects may share is an entry of the table, and its entry comes before those
that refer to it: ``{"ref": 3}`` is the object of entry 3. So shared objects are stored once,
decoding needs no recursion, and a file cannot hold a cycle. None, bool, int, str and finite floats
stand for themselves. Every other type needs a `Codec`; there is no fallback.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Entry = dict[str, Any]
Place = tuple[str, ...]
SCALARS = (type(None), bool, int, str)


class Codec(NamedTuple):
    """Encode and decode the objects of one type.

    Attributes
    ----------
    name : str
        The "type" of the entry.
    matches : callable
        Whether this codec encodes an object.
    encode : callable
        Called with the object, the `Encoder` and the object's place; returns the entry.
    decode : callable
        Called with the entry and the `Decoder`; returns the object.
    """

    name: str
    matches: Callable[[Any], bool]
    encode: Callable[[Any, Encoder, Place], Entry]
    decode: Callable[[Entry, Decoder], Any]


def is_scalar(value: Any) -> bool:
    """Whether JSON holds the value as it is."""
    return type(value) in SCALARS or (type(value) is float and math.isfinite(value))


class Encoder:
    """Collect the entries and arrays of one object graph.

    Parameters
    ----------
    codecs : sequence of Codec
        The first that matches an object encodes it.

    Attributes
    ----------
    entries : list of dict
    arrays : dict of str to ndarray
    """

    def __init__(self, codecs: Sequence[Codec]):
        self.entries: list[Entry] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._codecs = codecs
        self._numbers: dict[int, int] = {}
        self._open: set[int] = set()
        # An id is only valid while its object exists.
        self._kept: list[Any] = []

    def value(self, value: Any, place: Place) -> Any:
        """Encode a value that other objects may share.

        Parameters
        ----------
        value : object
        place : tuple of str
            Where the value was found, for messages.

        Returns
        -------
        JSON value
            The value itself, or a reference to its entry.
        """
        if is_scalar(value):
            return value
        key = id(value)
        if key not in self._numbers:
            if key in self._open:
                raise ValueError(f"{describe(place)} contains itself, so it cannot be saved.")
            self._open.add(key)
            entry = self.entry(value, place)
            self._open.remove(key)
            self._kept.append(value)
            self._numbers[key] = len(self.entries)
            self.entries.append(entry)
        return {"ref": self._numbers[key]}

    def entry(self, value: Any, place: Place) -> Entry:
        """Encode an object that no other one shares."""
        for codec in self._codecs:
            if codec.matches(value):
                return {"type": codec.name, **codec.encode(value, self, place)}
        raise cannot_save(value, place)

    def tensor(self, array: np.ndarray) -> str:
        """Store an array of a plain dtype, and return its name."""
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name


class Decoder:
    """Decode the entries of one file, which may be malformed in any way.

    Every array is used once, so memory is proportional to the size of the file.

    Parameters
    ----------
    codecs : sequence of Codec
    arrays : dict of str to ndarray
    """

    def __init__(self, codecs: Sequence[Codec], arrays: dict[str, np.ndarray]):
        self._codecs = {codec.name: codec for codec in codecs}
        self._arrays = dict(arrays)
        self._values: list[Any] = []

    def decode(self, entries: list[Entry], root: Any) -> Any:
        """Decode all entries, and return the value of `root`."""
        for number, entry in enumerate(entries):
            try:
                self._values.append(self.entry(entry))
            except Exception as error:  # of any type, since nothing is known about the entry
                raise ValueError(f"object {number} is not valid: {error!r}") from error
        return self.value(root)

    def value(self, node: Any) -> Any:
        """Return the value of a node: a scalar, or the object that it refers to."""
        if is_scalar(node):
            return node
        number = node["ref"]
        if type(number) is not int or not 0 <= number < len(self._values):
            raise ValueError(f"{number!r} is no reference to an earlier object")
        return self._values[number]

    def entry(self, entry: Entry) -> Any:
        """Decode one entry."""
        return self._codecs[entry["type"]].decode(entry, self)

    def tensor(self, name: str) -> np.ndarray:
        """Return an array by name, once."""
        return self._arrays.pop(name)


def describe(place: Place) -> str:
    """Return the place of a value for a message, such as "step 'ridge', parameter 'alpha'"."""
    return ", ".join(place) or "The object"


def cannot_save(value: Any, place: Place, hint: str = "") -> TypeError:
    """Return the error for a value of a type that files do not hold."""
    kind = type(value)
    if not hint:
        hint = "Remove it, or use pickle, which runs code when it loads."
        if hasattr(value, "best_estimator_"):
            hint = "Save its best_estimator_."
        elif place and place[-1] == "parameter 'loss'":
            hint = "Files hold data and no code. Use a named loss, such as 'mae', or use pickle."
        elif callable(value):
            hint = "Files hold data and no code: functions and classes are code. " + hint
    text = " ".join(repr(value).split())
    text = text if len(text) <= 80 else text[:77] + "..."
    return TypeError(
        f"{describe(place)}: {text} of type {kind.__module__}.{kind.__qualname__} cannot be saved. "
        + hint
    )
