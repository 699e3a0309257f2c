"""Convert time stamps and gaps in time to numbers."""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd


def time_numbers(values) -> tuple[np.ndarray, str]:
    """Time stamps as numbers that sort and subtract as the stamps do.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers, datetimes, periods or timedeltas.

    Returns
    -------
    numbers : ndarray of shape (n_rows,)
        int64 or float64; nanoseconds for datetimes and timedeltas, ordinals for periods.
    kind : str
        "number", "datetime", "datetime with time zone", "timedelta" or "period[freq]".
    """
    index = time_index(values)
    if index.hasnans:
        missing = np.flatnonzero(np.asarray(index.isna()))
        raise ValueError(
            f"The time is missing in {len(missing)} of {len(index)} rows (the first is row "
            f"{missing[0]}). Fill it in or drop those rows."
        )
    if isinstance(index, pd.PeriodIndex):
        return index.asi8, str(index.dtype)
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        zoned = getattr(index, "tz", None) is not None
        kind = "timedelta" if isinstance(index, pd.TimedeltaIndex) else "datetime"
        return index.as_unit("ns").asi8, kind + (" with time zone" if zoned else "")
    if pd.api.types.is_bool_dtype(index.dtype) or not pd.api.types.is_any_real_numeric_dtype(
        index.dtype
    ):
        raise ValueError(
            f"The time must hold numbers, dates or periods, got dtype {index.dtype} (the first "
            f"value is {index[0]!r}). pandas.to_datetime reads dates from text."
        )
    numbers = index.to_numpy()
    if numbers.dtype.kind == "f":
        if not np.isfinite(numbers).all():
            raise ValueError("The time holds infinite values.")
        return numbers.astype(np.float64, copy=False), "number"
    return numbers.astype(np.int64, copy=False), "number"


def time_index(values):
    index = pd.Index(values)
    return index.infer_objects() if index.dtype == object else index


def gap_number(max_gap, kind: str | None) -> float | None:
    """`max_gap` in the unit of :func:`time_numbers`; dates take anything Timedelta does."""
    if max_gap is None:
        return None
    if kind is None:
        raise ValueError("max_gap needs the time of each row: name it with time=.")
    plain = isinstance(max_gap, Real) and not isinstance(max_gap, (bool, np.timedelta64))
    if kind.startswith(("datetime", "timedelta")):
        if plain:
            raise ValueError(
                f"max_gap={max_gap!r} is a plain number, but the time holds dates: "
                "pass a timedelta or a text such as '2h'."
            )
        try:
            gap = float(pd.Timedelta(max_gap).as_unit("ns").value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"max_gap={max_gap!r} is no length of time that pandas.Timedelta can read."
            ) from error
    elif plain:
        gap = float(max_gap)
    else:
        unit = "a number of periods" if kind.startswith("period") else "a number, as the time is"
        raise ValueError(f"max_gap={max_gap!r} must be {unit}.")
    if not gap > 0:
        raise ValueError(f"max_gap={max_gap!r} must be positive.")
    return gap
