"""Steps in time: what the next time stamps of a series are, and which are missing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklstm.panel import run_starts

# pd.infer_freq is asked for so many series before the most common difference decides.
N_SERIES_ASKED = 10
# More missing rows a real one than this are a wrong time stamp or a wrong step.
MOST_MISSING = 100


@dataclass(frozen=True)
class TimeStep:
    """The step from one row of a series to the next.

    Attributes
    ----------
    step : number, pandas offset or Timedelta
        What is added to a time stamp.
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
        if isinstance(stamps, pd.DatetimeIndex) and _is_calendar(self.step):
            wall = stamps.tz_localize(None)
            fixed = _fixed_length(self.step)
            if fixed is None:
                grid = pd.date_range(wall.min(), wall.max(), freq=self.step)
                position = grid.get_indexer(wall).astype(float)
                position[position < 0] = np.nan
            else:
                position = wall.as_unit("ns").asi8 / fixed
        elif isinstance(stamps, pd.PeriodIndex):
            position = stamps.asi8 / self.step.n
        elif isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
            first = stamps.as_unit("ns").asi8  # integers: the difference is exact
            position = _since_first(first, starts) / pd.Timedelta(self.step).value
        else:
            position = _since_first(stamps.to_numpy(), starts) / self.step
        position = _since_first(position, starts)
        rounded = np.rint(position)
        off = ~(np.abs(position - rounded) < 1e-6)  # (NaN is off as well)
        if off.any():
            raise ValueError(
                f"{off.sum()} rows do not stand a whole number of steps ({self.step!r}) after "
                f"their series' first row; the first is {stamps[np.flatnonzero(off)[0]]}. Resample "
                "the series to regular steps, or name the step with freq=."
            )
        return rounded.astype(np.int64)

    def after(self, stamps, horizon):
        """Return the next `horizon` stamps after each of `stamps`, one after another."""
        with warnings.catch_warnings():
            # Some calendar offsets are added one by one; there are few stamps.
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
            ahead = [stamps + k * self.step for k in range(1, horizon + 1)]
        order = np.arange(horizon * len(stamps)).reshape(horizon, len(stamps)).T.ravel()
        return ahead[0].append(ahead[1:]).take(order)


def learn_step(stamps, starts, freq=None) -> TimeStep:
    """Find the step in time of a panel.

    Parameters
    ----------
    stamps : pandas.Index of shape (n_rows,)
        Numbers, datetimes, periods or timedeltas, sorted by series and time.
    starts : ndarray of shape (n_series,)
        Position of each series' first row.
    freq : number, str or pandas offset, default=None
        The step, where the user knows it.

    Returns
    -------
    TimeStep
        A period's own; else what pandas infers from a series without gaps; else the most
        common difference between neighbouring rows.
    """
    if isinstance(stamps, pd.PeriodIndex):
        return TimeStep(stamps.freq)
    dates = isinstance(stamps, pd.DatetimeIndex)
    if freq is not None:
        if dates or isinstance(stamps, pd.TimedeltaIndex):
            return TimeStep(pd.tseries.frequencies.to_offset(freq))
        return TimeStep(freq)
    if dates:
        ends = np.append(starts[1:], len(stamps))
        long = np.flatnonzero(ends - starts > 2)[:N_SERIES_ASKED]
        for i in long:
            found = pd.infer_freq(stamps[starts[i] : ends[i]])
            if found is not None:
                return TimeStep(pd.tseries.frequencies.to_offset(found))
    same = np.ones(len(stamps), bool)
    same[starts] = False
    numeric = not (dates or isinstance(stamps, pd.TimedeltaIndex))
    numbers = stamps.to_numpy() if numeric else stamps.as_unit("ns").asi8
    if not same.any():
        # Series of one row each: nothing tells the step.
        if numeric:
            return TimeStep(1)
        raise ValueError(
            "No series has two rows, so that the step in time is unknown: name it with freq=."
        )
    differences, counts = np.unique(np.diff(numbers)[same[1:]], return_counts=True)
    step = differences[np.argmax(counts)]
    return TimeStep(step.item() if numeric else pd.Timedelta(step, "ns"))


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
    if lengths.sum() > MOST_MISSING * len(codes):
        raise ValueError(
            f"The {len(codes)} rows would have {lengths.sum() - len(codes)} missing steps between "
            "them. Is a time stamp wrong, or the step? Name the step with freq=."
        )
    offsets = np.cumsum(lengths) - lengths
    at = numbers + np.repeat(offsets, ends - starts + 1)
    return at, np.repeat(codes[starts], lengths)


def _since_first(numbers, starts):
    return numbers - np.repeat(numbers[starts], np.diff(starts, append=len(numbers)))


def _is_calendar(step):
    """Whether a step is counted on the calendar (days and longer), not on the clock."""
    return not isinstance(step, (pd.Timedelta, pd.tseries.offsets.Tick)) or isinstance(
        step, pd.tseries.offsets.Day
    )


def _fixed_length(step):
    """Nanoseconds of a calendar step of always the same length; None for other steps."""
    if isinstance(step, pd.tseries.offsets.Day):
        return step.n * 86_400 * 10**9
    if isinstance(step, pd.tseries.offsets.Week):
        return step.n * 7 * 86_400 * 10**9
    return None
