"""Convert time stamps and gaps in time to numbers."""

from __future__ import annotations

from datetime import date
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.arrays import common_floats, without_mask
from sklstm._panel.show import describe_missing
from sklstm._panel.text_hints import date_hint

# Kinds of the time, in the words of messages; a period is named by its kind.
TIME_KINDS: dict[str | None, str] = {
    "number": "numbers",
    "datetime": "dates",
    "datetime with time zone": "dates with a time zone",
    "timedelta": "lengths of time",
}


def time_numbers(values: Any, column: Any = None) -> tuple[np.ndarray, str]:
    """Convert time stamps to numbers with the same order and differences.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers, dates, datetimes, periods or timedeltas, of NumPy, pandas or Arrow.
    column : object, default=None
        The column of a DataFrame that holds them, for messages.

    Returns
    -------
    numbers : ndarray of shape (n_rows,)
        int64 or float64; nanoseconds for datetimes and timedeltas, ordinals for periods.
    kind : str
        "number", "datetime", "datetime with time zone", "timedelta" or "period[freq]".

    Raises
    ------
    ValueError
        If a time stamp is missing or infinite, if an integer does not fit into int64 or a date
        into nanoseconds (1677-09-21 to 2262-04-11), or if the values are of another kind.
    """
    index = time_index(values)
    if index.hasnans:
        missing = np.flatnonzero(np.asarray(index.isna()))
        raise ValueError(describe_missing("time", missing, len(index), column))
    if isinstance(index, pd.PeriodIndex):
        return index.asi8, str(index.dtype)
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        has_zone = getattr(index, "tz", None) is not None
        kind = "timedelta" if isinstance(index, pd.TimedeltaIndex) else "datetime"
        return _nanoseconds(index), kind + (" with time zone" if has_zone else "")
    if pd.api.types.is_bool_dtype(index.dtype) or not pd.api.types.is_any_real_numeric_dtype(
        index.dtype
    ):
        raise ValueError(
            f"The time must hold numbers, dates or periods, got dtype {index.dtype} (the first "
            f"value is {index[0]!r}). Convert text to dates with pandas.to_datetime, dates of "
            "several time zones with utc=True, and other objects to int64 or float64."
            + date_hint(index[:1])
        )
    numbers = index.to_numpy()
    if numbers.dtype.kind == "f":
        if not np.isfinite(numbers).all():
            raise ValueError("The time holds infinite values.")
        return numbers.astype(np.float64, copy=False), "number"
    if numbers.dtype.kind == "u" and numbers.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(
            f"The time holds unsigned integers up to {numbers.max()}, expected at most 2**63 - 1. "
            "Subtract a constant from them, in fit and afterwards."
        )
    return numbers.astype(np.int64, copy=False), "number"


def time_index(values: Any) -> pd.Index:
    """Return time stamps as an Index of a NumPy or pandas dtype, which is inferred for objects."""
    index = pd.Index(common_floats(without_mask(values), "time"))
    if isinstance(index.dtype, pd.ArrowDtype):
        if index.dtype.kind in "mM":
            kind = pd.DatetimeIndex if index.dtype.kind == "M" else pd.TimedeltaIndex
            return kind(index)
        if index.dtype.type is date:
            index = index.astype(object)
    if index.dtype != object:
        return index
    if pd.api.types.infer_dtype(index, skipna=True) == "date":
        return pd.DatetimeIndex(index.where(index.notna(), None).to_numpy().astype("M8[s]"))
    return index.infer_objects()


def _nanoseconds(index: Any) -> np.ndarray:
    """Convert a DatetimeIndex or TimedeltaIndex to int64 nanoseconds."""
    try:
        numbers: np.ndarray = index.as_unit("ns").asi8
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta) as error:
        if isinstance(index, pd.TimedeltaIndex):
            limits, remedy = "at most 292 years", "the time to numbers"
        else:
            limits, remedy = "dates from 1677-09-21 to 2262-04-11", "dates to periods (to_period)"
        raise ValueError(
            f"The time ranges from {index.min()} to {index.max()}, expected {limits}, the range of "
            f"int64 nanoseconds. Convert {remedy}."
        ) from error
    return numbers


def gap_number(gap: Any, kind: str | None, name: str = "max_gap") -> float | None:
    """Convert a length of time to the unit of :func:`time_numbers`.

    Parameters
    ----------
    gap : number, timedelta, str or None
        For datetimes and timedeltas, anything that pandas.Timedelta takes.
    kind : str or None
        Kind of the time; None if the time is unknown.
    name : str, default="max_gap"
        Name of the parameter in messages.

    Returns
    -------
    float or None
        None if `gap` is None.
    """
    if gap is None:
        return None
    if kind is None:
        raise ValueError(
            f"{name}={gap!r} needs the time of each row, and time=None: name it with time=."
        )
    is_number = isinstance(gap, Real) and not isinstance(gap, (bool, np.timedelta64))
    if kind.startswith(("datetime", "timedelta")):
        if is_number:
            raise ValueError(
                f"{name}={gap!r} is a plain number, but the time holds dates: "
                "pass a timedelta or a string with a unit, such as '3D' or '2h'."
            )
        try:
            number = float(pd.Timedelta(gap).as_unit("ns").value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name}={gap!r} is not a length of time that pandas.Timedelta can read: pass a "
                "timedelta or a string such as '2h' or '3 days'."
            ) from error
    elif is_number:
        number = float(gap)
    else:
        expected = "number of periods" if kind.startswith("period") else "number, like the time"
        raise ValueError(f"{name}={gap!r} must be a {expected}.")
    if not number > 0:
        raise ValueError(f"{name}={gap!r} must be positive.")
    return number
