"""Convert indexes and columns of pandas to plain arrays and strings, and back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

# Names of time zones, and fixed offsets. Other forms make pandas read files.
TIME_ZONE = re.compile(r"(?!dateutil)[A-Za-z][\w+-]*(/[A-Za-z0-9][\w+-]*)*|UTC[+-]\d\d:\d\d")
MASKED = (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)


def check_time_zone(name: Any) -> str:
    """Return the name of a time zone; raise ValueError for everything else."""
    if type(name) is not str or not TIME_ZONE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a time zone")
    return name


# --------------------------------------------------------------------------------- values
def pack_values(values: Any) -> dict[str, Any]:
    """Convert the values of an Index or a Series to plain arrays.

    Parameters
    ----------
    values : Index or Series

    Returns
    -------
    dict
        Of arrays, bools and strings, and a dict of this kind for categories.

    Raises
    ------
    TypeError
        For other dtypes: intervals, Arrow and those of other packages.
    """
    dtype = values.dtype
    array = values.array
    if isinstance(dtype, np.dtype):
        return {"kind": "numpy", "values": values.to_numpy()}
    if isinstance(dtype, pd.DatetimeTZDtype):
        name = str(dtype.tz)
        if TIME_ZONE.fullmatch(name) and pd.DatetimeTZDtype(dtype.unit, name) == dtype:
            utc = np.asarray(array.tz_convert("UTC").tz_localize(None))
            return {"kind": "time zone", "values": utc, "zone": name}
    if isinstance(dtype, pd.PeriodDtype):
        return {"kind": "period", "values": array.asi8, "freq": str(dtype)[len("period[") : -1]}
    if isinstance(dtype, pd.CategoricalDtype):
        categories, ordered = pack_index(dtype.categories), bool(dtype.ordered)
        codes = np.asarray(array.codes)
        return {"kind": "category", "values": codes, "categories": categories, "ordered": ordered}
    if isinstance(dtype, pd.StringDtype):
        missing = np.asarray(array.isna())
        texts = np.where(missing, "", array.to_numpy(object))
        is_nan = dtype.na_value is not pd.NA
        kind = {"kind": "string", "storage": dtype.storage, "nan": is_nan}
        return {**kind, "values": texts, "missing": missing}
    if isinstance(array, MASKED):
        missing = np.asarray(array.isna())
        numbers = array.to_numpy(array.dtype.numpy_dtype, na_value=array.dtype.type(0))
        return {"kind": "masked", "values": numbers, "missing": missing}
    raise TypeError(f"values of {dtype} have no plain form")


def unpack_values(packed: dict[str, Any]) -> Any:
    """Undo `pack_values`; the result is an array of NumPy or pandas.

    Raises
    ------
    TypeError, ValueError
        If the parts do not belong together.
    """
    kind, values = packed["kind"], packed["values"]
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise TypeError("the values of an index or a column are an array of one dimension")
    if kind == "numpy":
        return values
    if kind == "time zone":
        zone = check_time_zone(packed["zone"])
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone).array
    if kind == "period":
        return pd.PeriodIndex.from_ordinals(values, freq=packed["freq"]).array
    if kind == "category":
        categories = unpack_index(packed["categories"])
        return pd.Categorical.from_codes(values, categories, ordered=bool(packed["ordered"]))
    missing = packed["missing"]
    if missing.dtype != bool or missing.shape != values.shape:
        raise ValueError("the mask of missing values is not valid")
    if kind == "string":
        dtype = _string_dtype(packed["storage"], bool(packed["nan"]))
        return pd.array(np.where(missing, dtype.na_value, values), dtype=dtype)
    if kind == "masked":
        integers, floats, booleans = MASKED
        array = {"b": booleans, "f": floats, "i": integers, "u": integers}[values.dtype.kind]
        return array(values, missing)
    raise ValueError(f"{kind!r} is no kind of values")


def _string_dtype(storage, is_nan):
    """Return a dtype of strings, with Python's strings where Arrow is not installed."""
    options = {"na_value": np.nan} if is_nan else {}
    try:
        return pd.StringDtype(storage, **options)
    except ImportError:
        return pd.StringDtype("python", **options)


# -------------------------------------------------------------------------------- indexes
def pack_index(index: pd.Index) -> dict[str, Any]:
    """Convert an Index to plain arrays; raises TypeError as `pack_values` does."""
    if isinstance(index, pd.MultiIndex):
        raise TypeError("a MultiIndex has no plain form")
    return {**pack_values(index), "name": index.name}


def unpack_index(packed: dict[str, Any]) -> pd.Index:
    """Undo `pack_index`."""
    values = unpack_values(packed)
    return pd.Index(values, dtype=values.dtype, name=packed["name"], copy=False)
