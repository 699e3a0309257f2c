"""Steps in time: what the next time stamps of a series are, and which are missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import timedelta
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from sklstm._panel.rows import run_starts

# pd.infer_freq is asked for so many series before the most common difference decides.
N_SERIES_ASKED = 10
# More missing rows a real one than this are a wrong time stamp or a wrong step.
MAX_MISSING = 100
# A time stamp may be off by this part of a step: floats are not exact.
TOLERANCE = 1e-3
DAY = 86_400 * 10**9  # in nanoseconds


@dataclass(frozen=True)
class Frequency:
    """The step from one row of a series to the next.

    Attributes
    ----------
    step : number, Timedelta or pandas offset
        What is added to a time stamp. Days and weeks are counted on the calendar, whatever
        the clock is set to in between, and from each series' own first row.
    """

    step: Any

    def numbers(self, stamps, starts):
        """Count each row's steps since its series' first row.

        Parameters
        ----------
        stamps : pandas.Index of shape (n_rows,)
            Sorted by series and time.
        starts : ndarray of shape (n_series,)
            Position of each series' first row.

        Returns
        -------
        ndarray of shape (n_rows,)
            int64; 0 at each series' first row.
        """
        days = _whole_days(self.step)
        if isinstance(stamps, pd.PeriodIndex):
            ordinals, length = stamps.asi8, self.step.n
        elif isinstance(stamps, pd.DatetimeIndex) and days is not None:
            ordinals, length = _nanoseconds(stamps.tz_localize(None)), days * DAY
        elif isinstance(stamps, pd.DatetimeIndex) and not _is_clock_time(self.step):
            wall = stamps.tz_localize(None)
            every = pd.date_range(wall.min(), wall.max(), freq=self.step.base)
            ordinals = every.get_indexer(wall).astype(float)
            ordinals[ordinals < 0] = np.nan
            length = self.step.n
        elif isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
            ordinals, length = _nanoseconds(stamps), pd.Timedelta(self.step).value
        else:
            ordinals, length = stamps.to_numpy(), self.step
        first = np.repeat(ordinals[starts], np.diff(starts, append=len(ordinals)))
        position = (ordinals - first) / length
        rounded = np.rint(position)
        off = ~(np.abs(position - rounded) < TOLERANCE)  # (NaN is off as well)
        if off.any():
            raise ValueError(
                f"{off.sum()} rows do not stand a whole number of steps ({self.step!r}) after "
                f"their series' first row; the first is {stamps[np.flatnonzero(off)[0]]}. Resample "
                "the series to regular steps, or name the step with freq=."
            )
        return rounded.astype(np.int64)

    def after(self, stamps, horizon):
        """Return the next `horizon` stamps after each of `stamps`, one after another."""
        step, days = self.step, _whole_days(self.step)
        if isinstance(stamps, pd.DatetimeIndex) and days is not None:
            step = pd.DateOffset(days=days)  # (pd.offsets.Week would go to its own weekday)
        with warnings.catch_warnings():
            # Some calendar offsets are added one by one; there are few stamps.
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
            ahead = [stamps + k * step for k in range(1, horizon + 1)]
        order = np.arange(horizon * len(stamps)).reshape(horizon, len(stamps)).T.ravel()
        return ahead[0].append(ahead[1:]).take(order)


def infer_frequency(stamps, starts, freq=None) -> Frequency:
    """Find the step in time of a panel.

    Parameters
    ----------
    stamps : pandas.Index of shape (n_rows,)
        Numbers, datetimes, periods or timedeltas, sorted by series and time.
    starts : ndarray of shape (n_series,)
        Position of each series' first row.
    freq : number, str, pandas offset or timedelta, default=None
        The step, where the user knows it.

    Returns
    -------
    Frequency
        A period's own; else what pandas infers from one of the longest series without gaps,
        if that is no fixed length of time (months, business days); else the most common
        difference between neighbouring rows, where days are business days if no row is on
        a weekend.

    Raises
    ------
    ValueError
        If `freq` does not go with the time stamps, or nothing tells the step.
    """
    if freq is not None:
        return Frequency(_check_freq(stamps, freq))
    if isinstance(stamps, pd.PeriodIndex):
        return Frequency(stamps.freq)
    dates = isinstance(stamps, pd.DatetimeIndex)
    if dates and (found := _infer(stamps, starts)) is not None:
        return Frequency(found)
    numeric = not (dates or isinstance(stamps, pd.TimedeltaIndex))
    numbers = stamps.to_numpy() if numeric else _nanoseconds(stamps)
    same = np.ones(len(numbers), bool)
    same[starts] = False
    if not same.any():
        # Series of one row each: nothing tells the step.
        if numeric:
            return Frequency(1)
        raise ValueError(
            "No series has two rows, so that the step in time is unknown: name it with freq=."
        )
    differences = np.diff(numbers)[same[1:]]
    each, counts = np.unique(differences, return_counts=True)
    step = each[np.argmax(counts)]
    if dates and step >= 28 * DAY:
        # Parts without gaps may show months, quarters or years.
        codes = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(stamps)))
        found = _infer(stamps, run_starts(codes, numbers, max_gap=1.5 * step))
        if found is not None:
            return Frequency(found)
    if numbers.dtype.kind == "f":
        # The mean over all differences has more digits than one of them.
        step = differences.sum() / np.rint(differences / step).sum()
    if dates and step == DAY and differences.max() > 2 * DAY and (stamps.day_of_week < 5).all():
        return Frequency(pd.offsets.BusinessDay())
    if numeric:
        return Frequency(step.item())
    return Frequency(_offset(pd.Timedelta(step, "ns").as_unit(stamps.unit)))


def fill_gaps(codes, numbers):
    """Places of rows on a grid on which no step is missing.

    Parameters
    ----------
    codes, numbers : ndarray of shape (n_rows,)
        Series and step number of each row, sorted.

    Returns
    -------
    at : ndarray of shape (n_rows,)
        Position of each row on the grid.
    grid_codes : ndarray of shape (n_grid,)
        Series of each position of the grid.
    """
    starts = run_starts(codes)
    ends = np.append(starts[1:], len(codes)) - 1
    lengths = numbers[ends] + 1
    if lengths.sum() > MAX_MISSING * len(codes):
        raise ValueError(
            f"The {len(codes)} rows would have {lengths.sum() - len(codes)} missing steps between "
            "them. Is a time stamp wrong, or the step? Name the step with freq=."
        )
    offsets = np.cumsum(lengths) - lengths
    at = numbers + np.repeat(offsets, ends - starts + 1)
    return at, np.repeat(codes[starts], lengths)


def _infer(stamps, starts):
    """Infer a calendar step from one of the longest runs of dates; None if pandas sees none.

    Steps of fixed length are left to the most common difference: three rows in a row say
    little of whether the week has seven days.
    """
    ends = np.append(starts[1:], len(stamps))
    longest = np.argsort(starts - ends, kind="stable")[:N_SERIES_ASKED]
    for i in longest[(ends - starts)[longest] > 2]:
        with warnings.catch_warnings():
            # pandas 3.1 tells that a later one will return an offset, which does as well.
            warnings.simplefilter("ignore")
            found = pd.infer_freq(stamps[starts[i] : ends[i]])
        step = None if found is None else to_offset(found)
        if step is not None and not _is_clock_time(step) and _whole_days(step) is None:
            return step
    return None


def _check_freq(stamps, freq):
    """Make the step of what the user says it is."""
    if isinstance(stamps, pd.PeriodIndex):
        raise ValueError(f"freq={freq!r}, but periods have a step of their own: leave freq=None.")
    plain = isinstance(freq, Real) and not isinstance(freq, np.timedelta64)
    if isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        if plain:
            raise ValueError(
                f"freq={freq!r} is a plain number, but the time holds dates: pass a pandas offset "
                "such as 'h' or 'MS'."
            )
        step = _offset(freq)
        positive = step.n > 0 if isinstance(step, pd.offsets.BaseOffset) else step.value > 0
    elif not plain:
        raise ValueError(f"freq={freq!r} must be a number, as the time is.")
    else:
        step, positive = freq, freq > 0
    if not positive:
        raise ValueError(f"freq={freq!r} must be positive.")
    return step


def _offset(freq):
    """Read an offset or a length of time; whole days are days of the calendar."""
    if not isinstance(freq, (timedelta, np.timedelta64)):
        return to_offset(freq)
    step = pd.Timedelta(freq)
    whole = step.value and step.value % pd.Timedelta(days=1).value == 0
    return pd.offsets.Day(step.days) if whole else step


def _nanoseconds(stamps):
    return stamps.as_unit("ns").asi8


def _is_clock_time(step):
    return isinstance(step, (pd.Timedelta, pd.tseries.offsets.Tick))


def _whole_days(step):
    """Days in a step of days or weeks; None for other steps."""
    if isinstance(step, pd.offsets.Day):
        return step.n
    if isinstance(step, pd.offsets.Week):
        return 7 * step.n
    return None
