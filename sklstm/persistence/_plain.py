"""Codecs of Python's own types."""

from __future__ import annotations

import datetime
import math
import numbers
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from sklstm.persistence._graph import Codec, Decoder, Encoder, Entry, Place, cannot_save

# Types that are values of `dtype` parameters.
TYPES = {kind.__name__: kind for kind in (bool, float, int, object, str)}
IDS = (str, bytes, numbers.Number, datetime.date, datetime.timedelta)
PANDAS_IDS = (np.generic, pd.Timestamp, pd.Timedelta, pd.Period, type(pd.NaT), type(pd.NA))


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a series: a plain value, or a tuple of them.

    Tuples of tuples are excluded, since the time to hash them can be exponential in their depth.
    """
    items = value if type(value) is tuple else (value,)
    return all(item is None or isinstance(item, IDS + PANDAS_IDS) for item in items)


def check_id(value: Any) -> Any:
    """Return an id; raise TypeError for another value."""
    if not is_id(value):
        raise TypeError(f"{type(value).__qualname__} is no plain id")
    return value


# ----------------------------------------------------------------------------- containers
def is_step(value) -> bool:
    """Whether a tuple is a named estimator of a pipeline or the like."""
    return (
        type(value) is tuple
        and len(value) > 1
        and isinstance(value[0], str)
        and hasattr(value[1], "get_params")
    )


def encode_items(value, encoder: Encoder, place: Place) -> Entry:
    """Encode a list, tuple or set."""
    places = [(*place, f"item {number}") for number in range(len(value))]
    if is_step(value):
        places[1] = (*place[:-2], f"step {value[0]!r}")
    pairs = zip(value, places, strict=True)
    return {"items": [encoder.value(item, where) for item, where in pairs]}


def items_of(entry: Entry, decoder: Decoder) -> list[Any]:
    """Decode the items of a list, tuple or set."""
    return [decoder.value(node) for node in entry["items"]]


def encode_set(value, encoder, place):
    """Encode a set of plain values."""
    for item in value:
        if not is_id(item):
            raise cannot_save(item, (*place, "item"))
    return encode_items(list(value), encoder, place)


def encode_dict(value, encoder, place):
    """Encode a dict; its keys are plain values of any type."""
    pairs = []
    for key, item in value.items():
        if not is_id(key):
            raise cannot_save(key, (*place, "key"))
        where = (*place, f"key {key!r}")
        pairs.append([encoder.value(key, where), encoder.value(item, where)])
    return {"pairs": pairs}


def decode_dict(entry, decoder):
    """Decode a dict."""
    return {check_id(decoder.value(key)): decoder.value(item) for key, item in entry["pairs"]}


def encode_slice(value, encoder, place):
    """Encode a slice or a range."""
    return encode_items([value.start, value.stop, value.step], encoder, place)


def decode_slice(entry, decoder):
    """Decode a slice of ids."""
    start, stop, step = items_of(entry, decoder)
    return slice(check_id(start), check_id(stop), check_id(step))


def decode_range(entry, decoder):
    """Decode a range, of which no number is stored beside its bounds."""
    return range(*items_of(entry, decoder))


def decode_float(entry, decoder):
    """Decode NaN or an infinity."""
    number = float(entry["value"])
    if math.isfinite(number):
        raise ValueError(f"{entry['value']!r} stands for itself")
    return number


# ---------------------------------------------------------------------------------- times
def encode_timedelta(value, encoder, place):
    """Encode a timedelta."""
    return {"parts": [value.days, value.seconds, value.microseconds]}


def encode_datetime(value, encoder, place):
    """Encode a datetime without time zone."""
    if value.tzinfo is not None:
        raise cannot_save(value, place, "Use a pandas Timestamp, which names its time zone.")
    return {"value": value.isoformat()}


def of_type(*kinds):
    """Return a function that tests for exactly these types."""
    return lambda value: type(value) in kinds


CODECS = [
    Codec("list", of_type(list), encode_items, items_of),
    Codec("tuple", of_type(tuple), encode_items, lambda *parts: tuple(items_of(*parts))),
    Codec("set", of_type(set), encode_set, lambda *parts: set(map(check_id, items_of(*parts)))),
    Codec("dict", of_type(dict), encode_dict, decode_dict),
    Codec("slice", of_type(slice), encode_slice, decode_slice),
    Codec("range", of_type(range), encode_slice, decode_range),
    Codec("float", of_type(float), lambda value, *_: {"value": str(value)}, decode_float),
    Codec(
        "type",
        lambda value: isinstance(value, type) and value in TYPES.values(),
        lambda value, *_: {"name": value.__name__},
        lambda entry, _: TYPES[entry["name"]],
    ),
    Codec(
        "datetime",
        of_type(datetime.datetime),
        encode_datetime,
        lambda entry, _: datetime.datetime.fromisoformat(entry["value"]),
    ),
    Codec(
        "date",
        of_type(datetime.date),
        lambda value, *_: {"value": value.isoformat()},
        lambda entry, _: datetime.date.fromisoformat(entry["value"]),
    ),
    Codec(
        "timedelta",
        of_type(datetime.timedelta),
        encode_timedelta,
        lambda entry, _: datetime.timedelta(*entry["parts"]),
    ),
    Codec(
        "path",
        lambda value: isinstance(value, PurePath),
        lambda value, *_: {"value": str(value)},
        lambda entry, _: Path(entry["value"]),
    ),
]
