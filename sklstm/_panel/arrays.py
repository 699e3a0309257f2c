"""Convert or reject arrays of kinds that pandas and scikit-learn do not read as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.show import show
from sklstm._panel.text_hints import number_hint

NUMERIC_OBJECTS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}
DATE_OBJECTS = {"date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period"}


def without_mask(values: Any) -> Any:
    """Replace the masked elements of a masked array by missing values.

    Parameters
    ----------
    values : object
        Anything. Only masked arrays (:mod:`numpy.ma`) are changed.

    Returns
    -------
    object
        An ndarray for a masked array: NaN (NaT for dates, None for text) where it is masked,
        integers as float64 if any element is masked. Everything else is returned unchanged.

    Raises
    ------
    ValueError
        If masked integers are too large for float64.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return np.asarray(values)
    kind = values.dtype.kind
    data: Any = np.array(values)
    missing: Any = np.nan
    if kind in "mM":
        missing = data.dtype.type("NaT")
    elif kind in "US":
        data, missing = data.astype(object), None
    elif kind in "iub":
        floats = data.astype(np.float64)
        if kind != "b" and (floats.astype(object) != data)[~mask].any():
            raise ValueError(
                f"A masked array of {values.dtype} holds numbers that are too large for float64, "
                "the dtype in which masked elements become NaN. Pass a DataFrame with nullable "
                "columns ('Int64')."
            )
        data = floats
    data[mask] = missing
    return data


def common_floats(values: Any, what: str) -> Any:
    """Convert float16 and longdouble to floats that pandas can index.

    Parameters
    ----------
    values : Series, Index, ndarray or ExtensionArray of shape (n_rows,)
    what : str
        "series id" or "time", for the message.

    Returns
    -------
    Series, Index, ndarray or ExtensionArray of shape (n_rows,)
        `values` themselves if they are of another dtype.

    Raises
    ------
    ValueError
        If float64 cannot hold all values exactly.
    """
    dtype: Any = getattr(values, "dtype", None)
    if isinstance(dtype, pd.ArrowDtype):
        dtype = dtype.numpy_dtype
    if not isinstance(dtype, np.dtype) or dtype.kind != "f" or dtype.itemsize in (4, 8):
        return values
    if dtype.itemsize == 2:
        return np.asarray(values, dtype=np.float32)
    wide = np.asarray(values)
    with np.errstate(over="ignore"):
        floats = wide.astype(np.float64)
    if ((floats != wide) & ~np.isnan(wide)).any():
        raise ValueError(
            f"The {what} holds numbers of dtype {dtype} that float64 cannot hold exactly. Convert "
            "them to integers or strings."
        )
    return floats


def check_numbers(values: Any) -> None:
    """Raise ValueError if an array of features holds text or dates, even if it reads as numbers.

    Parameters
    ----------
    values : ndarray, list or other array-like
        Lists that are no arrays are left to the validation of scikit-learn.
    """
    if isinstance(values, (list, tuple)):
        try:
            values = np.asarray(values)
        except ValueError:
            return
    if not isinstance(values, np.ndarray):
        return
    dates = holds_dates(values)
    is_object = values.dtype == object
    if dates or values.dtype.kind in "US" or (is_object and holds_text(values.ravel())):
        raise ValueError(
            f"The features hold {'dates' if dates else 'text'} (dtype {values.dtype}), "
            "expected numbers. Convert text with pandas.to_numeric, encode or drop the column, or "
            "name it with series= or time= if it is an id." + number_hint(values.ravel())
        )


def check_no_text(values: Any, name: str, remedy: str = "") -> None:
    """Raise ValueError if an array holds text in place of numbers.

    Parameters
    ----------
    values : array-like
    name : str
        Its name in messages.
    remedy : str, default=""
        What to do if text is meant, to end the message.
    """
    flat = np.asarray(values).ravel()
    if flat.dtype.kind in "US" or (flat.dtype == object and holds_text(flat)):
        first = next(value for value in flat if isinstance(value, (str, bytes)))
        raise ValueError(
            f"{name} holds text (the first is {show(first)}), expected numbers. Convert text that "
            f"stands for numbers with pandas.to_numeric.{' ' * bool(remedy)}{remedy}"
            + number_hint([first])
        )


def holds_dates(values: np.ndarray) -> bool:
    """Whether an array holds dates, times or periods."""
    if values.dtype == object:
        return _kind(values.ravel()) in DATE_OBJECTS
    return values.dtype.kind in "mM"


def holds_text(values: Any) -> bool:
    """Whether an array or column of objects holds strings or bytes."""
    if _kind(values) in NUMERIC_OBJECTS:
        return False
    return any(isinstance(value, (str, bytes)) for value in values)


def _kind(values: Any) -> str:
    return pd.api.types.infer_dtype(values, skipna=True)


def as_slice(positions: list[int]) -> slice | list[int]:
    """Return adjacent positions as a slice, with which NumPy and pandas make no copy."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if positions == list(range(first, last + 1)) else positions
