"""Convert or reject arrays of kinds that pandas and scikit-learn do not read as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.show import show
from sklstm._panel.text_hints import text_remedy

CONVERT_TEXT = "Convert text that stands for numbers with pandas.to_numeric."
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
    is_object = values.dtype == object
    is_text = values.dtype.kind in "US" or (is_object and holds_text(values.ravel()))
    if is_text or holds_dates(values):
        what, remedy = describe_other_values(values.ravel())
        raise ValueError(
            f"X holds {what}, expected numbers. {remedy} Name ids with series=, and times with "
            "time=."
        )


def describe_other_values(values: Any) -> tuple[str, str]:
    """Describe values that are not numbers, and what to do about them.

    Parameters
    ----------
    values : Series, or ndarray of shape (n_rows,)

    Returns
    -------
    what : str
        What they are.
    remedy : str
        A sentence.
    """
    if _kind(values) in DATE_OBJECTS:
        return "dates", "Convert it to numbers, such as the day of the week, or drop it."
    first = _first_text(values)
    if first is None or isinstance(values.dtype, pd.CategoricalDtype):
        return f"values of dtype {values.dtype}", "Convert it to numbers, or drop it."
    otherwise = "Convert it with pandas.to_numeric."
    try:
        float(first)
    except ValueError:
        otherwise = "Convert it to categories with .astype('category'), or drop it."
    return _describe_text(first), text_remedy(first, otherwise)


def check_no_text(values: Any, name: str, remedy: str = CONVERT_TEXT) -> None:
    """Raise ValueError if an array holds text in place of numbers.

    Parameters
    ----------
    values : array-like
    name : str
        Its name in messages.
    remedy : str, optional
        What to do, to end the message.
    """
    flat = np.asarray(values).ravel()
    if flat.dtype.kind in "US" or (flat.dtype == object and holds_text(flat)):
        first = _first_text(flat)
        raise ValueError(
            f"{name} holds {_describe_text(first)}, expected numbers. {text_remedy(first, remedy)}"
        )


def _first_text(values: Any) -> Any:
    return next((value for value in values if isinstance(value, (str, bytes))), None)


def _describe_text(first: Any) -> str:
    return f"text (the first is {show(first)})"


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
