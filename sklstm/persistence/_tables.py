"""Codecs of pandas: indexes, frames, time stamps and offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.pack import TIME_ZONE, check_time_zone, pack_values, unpack_values
from sklstm.persistence._arrays import decode_array, encode_array
from sklstm.persistence._graph import Codec, Decoder, Encoder, Entry, Place, cannot_save
from sklstm.persistence._plain import check_id, of_type

INDEXES = (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex, pd.CategoricalIndex)
MISSING = {"NaT": pd.NaT, "NA": pd.NA}


# --------------------------------------------------------------------------------- values
def encode_values(values: Any, encoder: Encoder, place: Place) -> Entry:
    """Encode the values of an Index or a Series."""
    try:
        packed = pack_values(values)
    except TypeError as error:
        raise cannot_save(values, place, f"In files, {error}.") from error
    return _encode_packed(packed, encoder, place)


def _encode_packed(packed, encoder, place):
    """Encode the arrays of packed values."""
    entry = {}
    for name, part in packed.items():
        if isinstance(part, np.ndarray):
            entry[name] = encode_array(part, encoder, place)
        elif isinstance(part, dict):
            entry[name] = _encode_packed(part, encoder, place)
        else:
            entry[name] = encoder.value(part, place)
    return entry


def decode_values(entry: Entry, decoder: Decoder) -> Any:
    """Decode the values of an Index or a Series."""
    return unpack_values(_decode_packed(entry, decoder))


def _decode_packed(entry, decoder, depth=0):
    if depth > 1:
        raise ValueError("categories have no categories")
    packed = {}
    for name, part in entry.items():
        if not isinstance(part, dict) or "ref" in part:
            packed[name] = check_id(decoder.value(part))
        elif "kind" in part:
            packed[name] = _decode_packed(part, decoder, depth + 1)
        else:
            packed[name] = decode_array(part, decoder)
    return packed


# -------------------------------------------------------------------------------- indexes
def encode_index(value, encoder, place):
    """Encode an Index."""
    name = encoder.value(value.name, place)
    return {"values": encode_values(value, encoder, place), "name": name}


def decode_index(entry, decoder):
    """Decode an Index."""
    values, name = decode_values(entry["values"], decoder), check_id(decoder.value(entry["name"]))
    return pd.Index(values, dtype=values.dtype, name=name, copy=False)


def encode_range_index(value, encoder, place):
    """Encode a RangeIndex."""
    bounds = [value.start, value.stop, value.step]
    return {"bounds": bounds, "name": encoder.value(value.name, place)}


def decode_range_index(entry, decoder):
    """Decode a RangeIndex."""
    return pd.RangeIndex(*entry["bounds"], name=check_id(decoder.value(entry["name"])))


def encode_multi_index(value, encoder, place):
    """Encode a MultiIndex."""
    return {
        "levels": [encoder.value(level, place) for level in value.levels],
        "codes": [encode_array(np.asarray(codes), encoder, place) for codes in value.codes],
        "names": [encoder.value(name, place) for name in value.names],
    }


def decode_multi_index(entry, decoder):
    """Decode a MultiIndex; pandas checks its codes."""
    return pd.MultiIndex(
        [_of_class(decoder.value(level), pd.Index) for level in entry["levels"]],
        [decoder.entry({**codes, "type": "array"}) for codes in entry["codes"]],
        names=[check_id(decoder.value(name)) for name in entry["names"]],
    )


def _of_class(value, kind):
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__qualname__}, got {type(value).__qualname__}")
    return value


# --------------------------------------------------------------------------------- frames
def encode_frame(value, encoder, place):
    """Encode a DataFrame by columns."""
    columns = (value.iloc[:, number] for number in range(value.shape[1]))
    return {
        "index": encoder.value(value.index, place),
        "columns": encoder.value(value.columns, place),
        "values": [
            encode_values(column, encoder, (*place, f"column {column.name!r}"))
            for column in columns
        ],
    }


def decode_frame(entry, decoder):
    """Decode a DataFrame."""
    index, columns = (_of_class(decoder.value(entry[k]), pd.Index) for k in ("index", "columns"))
    values = [decode_values(column, decoder) for column in entry["values"]]
    if any(len(column) != len(index) for column in values) or len(values) != len(columns):
        raise ValueError("columns and index have other lengths")
    # By number first: names may occur twice.
    parts = {i: pd.Series(v, index, dtype=v.dtype) for i, v in enumerate(values)}
    frame = pd.DataFrame(parts, index=index)
    frame.columns = columns
    return frame


def encode_series(value, encoder, place):
    """Encode a Series."""
    return {**encode_index(value, encoder, place), "index": encoder.value(value.index, place)}


def decode_series(entry, decoder):
    """Decode a Series."""
    values, index = decode_values(entry["values"], decoder), decoder.value(entry["index"])
    if len(values) != len(_of_class(index, pd.Index)):
        raise ValueError("values and index have other lengths")
    name = check_id(decoder.value(entry["name"]))
    return pd.Series(values, index, dtype=values.dtype, name=name)


# ---------------------------------------------------------------------------------- times
def encode_stamp(value, encoder, place):
    """Encode a Timestamp or a Timedelta."""
    moment = value.asm8
    unit, _ = np.datetime_data(moment.dtype)
    zone = getattr(value, "tz", None)
    if zone is not None and not TIME_ZONE.fullmatch(str(zone)):
        raise cannot_save(value, place, "Use a time zone that has a name.")
    return {
        "value": int(moment.astype(np.int64)),
        "unit": unit,
        "zone": None if zone is None else str(zone),
    }


def decode_timestamp(entry, decoder):
    """Decode a Timestamp."""
    stamp = pd.Timestamp(np.datetime64(entry["value"], entry["unit"]))
    if entry["zone"] is None:
        return stamp
    return stamp.tz_localize("UTC").tz_convert(check_time_zone(entry["zone"]))


def encode_offset(value, encoder, place):
    """Encode an offset, such as "MS", by its name."""
    try:
        known = pd.tseries.frequencies.to_offset(value.freqstr) == value
    except ValueError:
        known = False
    if not known:
        raise cannot_save(value, place, "Use an offset that has a name, such as 'MS'.")
    return {"freq": value.freqstr}


CODECS = [
    Codec(
        "missing",
        lambda value: value is pd.NaT or value is pd.NA,
        lambda value, *_: {"name": str(value).strip("<>")},
        lambda entry, _: MISSING[entry["name"]],
    ),
    Codec("index", of_type(*INDEXES), encode_index, decode_index),
    Codec("range index", of_type(pd.RangeIndex), encode_range_index, decode_range_index),
    Codec("multi index", of_type(pd.MultiIndex), encode_multi_index, decode_multi_index),
    Codec("frame", of_type(pd.DataFrame), encode_frame, decode_frame),
    Codec("series", of_type(pd.Series), encode_series, decode_series),
    Codec("timestamp", of_type(pd.Timestamp), encode_stamp, decode_timestamp),
    Codec(
        "time distance",
        of_type(pd.Timedelta),
        encode_stamp,
        lambda entry, _: pd.Timedelta(np.timedelta64(entry["value"], entry["unit"])),
    ),
    Codec(
        "period",
        of_type(pd.Period),
        lambda value, *_: {"value": value.ordinal, "freq": value.freqstr},
        lambda entry, _: pd.Period(ordinal=entry["value"], freq=entry["freq"]),
    ),
    Codec(
        "offset",
        lambda value: isinstance(value, pd.offsets.BaseOffset),
        encode_offset,
        lambda entry, _: pd.tseries.frequencies.to_offset(entry["freq"]),
    ),
]
