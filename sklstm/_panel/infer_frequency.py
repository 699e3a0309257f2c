"""Infer the frequency of series from their time stamps, or read the one that a user passes."""

from __future__ import annotations

import warnings
from datetime import timedelta
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from sklstm._panel.frequency import (
    DAY,
    Frequency,
    as_ordinals,
    is_clock_time,
    nanoseconds,
    whole_days,
)
from sklstm._panel.rows import run_starts

# Number of runs of rows that pd.infer_freq is tried on.
MAX_INFERRED_RUNS = 10
# Days of the month that halve it, besides the first or the last one.
MIDDLE_DAYS = range(13, 18)


def infer_frequency(stamps: pd.Index, starts: np.ndarray, freq: Any = None) -> Frequency:
    """Infer the frequency of a panel.

    Parameters
    ----------
    stamps : pandas.Index of shape (n_rows,)
        Numbers, datetimes, periods or timedeltas, sorted by series and time.
    starts : ndarray of shape (n_series,)
        Positions of the first rows of the series.
    freq : number, str, pandas offset or timedelta, default=None
        The step, if the user passed it.

    Returns
    -------
    Frequency
        In this order of precedence:

        - `freq`;
        - the frequency of periods;
        - the calendar step (such as months or business days) that pandas infers from one of the
          longest series without gaps. Quarters and years are counted in months if those of the
          series start in different months;
        - months or half months, if all rows are at the start or end, and in the middle, of a month;
        - the most common difference of successive rows. One day becomes a business day if no row
          is on a weekend.

    Raises
    ------
    ValueError
        If `freq` does not match the time stamps, or if there is no series with two rows.
    """
    if freq is not None:
        return Frequency(_check_freq(stamps, freq))
    if isinstance(stamps, pd.PeriodIndex):
        return Frequency(stamps.freq)
    if isinstance(stamps, pd.DatetimeIndex):
        return Frequency(_infer_date_step(stamps, starts))
    if isinstance(stamps, pd.TimedeltaIndex):
        step = _most_common(_differences(nanoseconds(stamps), starts))
        return Frequency(_fixed_offset(step, stamps))
    differences = _differences(stamps.to_numpy(), starts)
    return Frequency(_most_common(differences).item() if len(differences) else 1)


def _infer_date_step(stamps: pd.DatetimeIndex, starts: np.ndarray) -> Any:
    """Infer the step of dates: a calendar offset, or the most common difference."""
    offset = _infer_offset(stamps, starts)
    if offset is not None:
        return offset
    numbers = nanoseconds(stamps)
    differences = _differences(numbers, starts)
    step = _most_common(differences)
    if step >= 28 * DAY:
        # Every series has gaps, but runs of rows without gaps may show months, quarters or years.
        codes = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(stamps)))
        offset = _infer_offset(stamps, run_starts(codes, numbers, max_gap=1.5 * step))
        if offset is not None:
            return offset
    if step == DAY and differences.max() > 2 * DAY and not _has_weekends(stamps):
        return pd.offsets.BusinessDay()
    is_irregular = (differences % step).any()
    offset = _infer_from_days_of_month(stamps, 27 * DAY < step < 32 * DAY, is_irregular)
    return _fixed_offset(step, stamps) if offset is None else offset


def _infer_from_days_of_month(
    stamps: pd.DatetimeIndex, may_be_months: bool, may_be_half_months: bool
) -> Any:
    """Infer months or half months from dates at the starts or ends of months, and in the middle."""
    for is_bound, month, half_month in (
        (stamps.day == 1, pd.offsets.MonthBegin, pd.offsets.SemiMonthBegin),
        (stamps.day == stamps.days_in_month, pd.offsets.MonthEnd, pd.offsets.SemiMonthEnd),
    ):
        other_days = stamps.day[~is_bound].unique()
        if may_be_months and len(other_days) == 0:
            return month()
        is_middle = len(other_days) == 1 and other_days[0] in MIDDLE_DAYS
        if may_be_half_months and is_middle and is_bound.any():
            return half_month(day_of_month=int(other_days[0]))
    return None


def _infer_offset(stamps: pd.DatetimeIndex, starts: np.ndarray) -> Any:
    """Infer a calendar offset from one of the longest runs of dates; None if there is none.

    Offsets of fixed length are not inferred here, since three rows are too few to decide whether
    weeks have seven days or five. The most common difference decides.
    """
    ends = np.append(starts[1:], len(stamps))
    longest = np.argsort(starts - ends, kind="stable")[:MAX_INFERRED_RUNS]
    for i in longest[(ends - starts)[longest] > 2]:
        with warnings.catch_warnings():
            # pandas 3.1 announces that a later version returns an offset; to_offset takes both.
            warnings.simplefilter("ignore")
            found = pd.infer_freq(stamps[starts[i] : ends[i]])
        step = None if found is None else to_offset(found)
        if step is None or is_clock_time(step) or whole_days(step) is not None:
            continue
        if isinstance(step, pd.offsets.BusinessDay) and _has_weekends(stamps):
            continue
        return _in_months(step, stamps)
    return None


def _has_weekends(stamps: pd.DatetimeIndex) -> bool:
    return bool((stamps.day_of_week >= 5).any())


def _in_months(step: Any, stamps: pd.DatetimeIndex) -> Any:
    """Convert quarters and years to months if those of the series start in different months."""
    kind = step.rule_code.split("-")[0]
    for letter, n_months in (("Q", 3), ("Y", 12)):
        if letter in kind and np.isnan(as_ordinals(stamps, step)[0]).any():
            return to_offset(kind.replace(letter, "M")) * (n_months * step.n)
    return step


def _differences(numbers: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the differences of successive rows of each series."""
    is_first = np.zeros(len(numbers), bool)
    is_first[starts] = True
    return np.diff(numbers)[~is_first[1:]]


def _most_common(differences: np.ndarray) -> Any:
    """Return the most common difference; of floats, averaged over all differences."""
    if len(differences) == 0:
        raise ValueError(
            "No series has two rows, so the step in time cannot be inferred: pass it as freq=."
        )
    values, counts = np.unique(differences, return_counts=True)
    step = values[np.argmax(counts)]
    if differences.dtype.kind == "f":
        # The mean is more precise than a single rounded difference.
        step = differences.sum() / np.rint(differences / step).sum()
    return step


def _fixed_offset(length: Any, stamps: Any) -> Any:
    return _offset(pd.Timedelta(length, "ns").as_unit(stamps.unit))


def _check_freq(stamps: pd.Index, freq: Any) -> Any:
    """Convert `freq` to a step, and check that it is positive and matches the time stamps."""
    if isinstance(stamps, pd.PeriodIndex):
        raise ValueError(
            f"freq={freq!r}, but the time holds periods, which have a frequency: leave freq=None."
        )
    is_number = isinstance(freq, Real) and not isinstance(freq, np.timedelta64)
    if isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        if is_number:
            raise ValueError(
                f"freq={freq!r} is a plain number, but the time holds dates: pass a pandas offset "
                "such as 'h' or 'MS'."
            )
        try:
            step = _offset(freq)
        except ValueError as error:
            raise ValueError(
                f"freq={freq!r} is not a step that pandas knows: pass an offset such as 'h', 'D', "
                "'W', 'MS' (month) or 'QS' (quarter)."
            ) from error
        if isinstance(stamps, pd.TimedeltaIndex):
            _check_fixed(step, freq)
        positive = step.n > 0 if isinstance(step, pd.offsets.BaseOffset) else step.value > 0
    elif not is_number:
        raise ValueError(f"freq={freq!r} must be a number, since the time holds numbers.")
    else:
        step, positive = freq, 0 < freq < np.inf
    if not positive:
        raise ValueError(f"freq={freq!r} must be positive and finite.")
    return step


def _check_fixed(step: Any, freq: Any) -> None:
    """Raise ValueError if a step has no fixed length."""
    try:
        pd.Timedelta(step)
    except ValueError as error:
        raise ValueError(
            f"freq={freq!r} has no fixed length, and the time holds lengths of time: pass an "
            "offset such as 'h' or '7D'."
        ) from error


def _offset(freq: Any) -> Any:
    """Convert `freq` to an offset or a Timedelta; whole days become calendar days."""
    if not isinstance(freq, (timedelta, np.timedelta64)):
        return to_offset(freq)
    step = pd.Timedelta(freq)
    is_whole = step.value and step.value % pd.Timedelta(days=1).value == 0
    return pd.offsets.Day(step.days) if is_whole else step
