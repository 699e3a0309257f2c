"""Hold the frequency of series: the step in time from one row to the next."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.rows import run_starts
from sklstm._panel.show import show

# Largest size of the grid of `fill_gaps` per given row, and a size that any grid may have, since a
# single row may come long after the rows of fit. If it is larger, a time stamp or the step is
# probably wrong.
MAX_MISSING = 100
SMALL_GRID = 2**16
# Tolerance of time stamps, as a share of a step, since floats are rounded.
TOLERANCE = 1e-3
DAY = 86_400 * 10**9  # in nanoseconds


@dataclass(frozen=True)
class Frequency:
    """The step in time from one row of a series to the next.

    Attributes
    ----------
    step : number, Timedelta or pandas offset
        The step that is added to a time stamp. Days and weeks are counted on the calendar, from
        the first row of each series, so clock changes do not matter.
    """

    step: Any

    def numbers(self, stamps: pd.Index, starts: np.ndarray) -> np.ndarray:
        """Count the steps from the first row of each series.

        Parameters
        ----------
        stamps : pandas.Index of shape (n_rows,)
            Sorted by series and time.
        starts : ndarray of shape (n_series,)
            Positions of the first rows of the series.

        Returns
        -------
        ndarray of shape (n_rows,)
            int64; 0 at the first row of each series.

        Raises
        ------
        ValueError
            If a time stamp is not a whole number of steps after the first one of its series, or if
            two rows of a series have the same step.
        """
        ordinals, length = as_ordinals(stamps, self.step)
        first = np.repeat(ordinals[starts], np.diff(starts, append=len(ordinals)))
        position = (ordinals - first) / length
        rounded = np.rint(position)
        is_off = ~(np.abs(position - rounded) < TOLERANCE)  # also True for NaN
        if is_off.any():
            raise ValueError(
                f"The rows are not at regular times: {is_off.sum()} of them are not a whole number "
                f"of steps ({self._name}) after the first row of their series, such as that at "
                f"{show(stamps[np.flatnonzero(is_off)[0]])}. Round the times, such as with "
                ".dt.floor('D'), resample the series to regular steps, or pass the step as freq="
                f"{self._remedy(stamps)}."
            )
        counts: np.ndarray = rounded.astype(np.int64)
        self._check_one_row_per_step(counts, stamps, starts)
        return counts

    def _check_one_row_per_step(self, counts, stamps, starts) -> None:
        """Raise ValueError if successive rows of a series are closer than the tolerance."""
        has_step = np.append(True, counts[1:] > counts[:-1])
        has_step[starts] = True
        if not has_step.all():
            second = np.flatnonzero(~has_step)[0]
            raise ValueError(
                f"{(~has_step).sum()} of the rows are at the same step ({self._name}) as the row "
                f"before, such as that at {show(stamps[second])} after "
                f"{show(stamps[second - 1])}. Expected one row per series and step: remove one of "
                "them, average them, or pass a smaller step as freq=."
            )

    def _remedy(self, stamps: pd.Index) -> str:
        """Add what else may be wrong with dates that are not at regular times."""
        if _may_be_months(self.step):
            return ", such as pd.DateOffset(months=1), the same day of each month"
        if getattr(stamps, "tz", None) is not None and is_clock_time(self.step):
            return (
                ". If the steps are those of a clock that is set to summer time, drop the zone "
                "with .dt.tz_localize(None)"
            )
        return ""

    @property
    def _name(self) -> str:
        return str(getattr(self.step, "freqstr", show(self.step)))

    def after(self, stamps: pd.Index, horizon: int) -> pd.Index:
        """Return the next time stamps after each of `stamps`.

        Parameters
        ----------
        stamps : pandas.Index of shape (n_series,)
        horizon : int
            Number of time stamps after each of them.

        Returns
        -------
        pandas.Index of shape (n_series * horizon,)
            All time stamps of the first series, then those of the second, and so on.
        """
        step, days, zone = self.step, whole_days(self.step), None
        if isinstance(stamps, pd.DatetimeIndex) and not is_clock_time(step):
            stamps, zone = _wall_times(stamps), stamps.tz
            if days is not None:
                step = pd.DateOffset(days=days)  # pd.offsets.Week may move to another weekday
        with warnings.catch_warnings():
            # pandas adds some calendar offsets one by one; the time stamps are few.
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
            ahead = [stamps + k * step for k in range(1, horizon + 1)]
        order = np.arange(horizon * len(stamps)).reshape(horizon, len(stamps)).T.ravel()
        found = ahead[0].append(ahead[1:]).take(order)
        return found if zone is None else _localize(found, zone)


def fill_gaps(codes: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of rows on a grid without missing steps.

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
    if lengths.sum() > max(MAX_MISSING * len(codes), SMALL_GRID):
        raise ValueError(
            f"The {len(codes)} rows would have {lengths.sum() - len(codes)} missing steps between "
            "them. Check the time stamps, or pass the step as freq=."
        )
    offsets = np.cumsum(lengths) - lengths
    at = numbers + np.repeat(offsets, ends - starts + 1)
    return at, np.repeat(codes[starts], lengths)


def as_ordinals(stamps: pd.Index, step: Any) -> tuple[np.ndarray, Any]:
    """Convert time stamps to numbers, and return the length of a step in their unit."""
    if isinstance(stamps, pd.PeriodIndex):
        return stamps.asi8, step.n
    days = whole_days(step)
    if isinstance(stamps, pd.DatetimeIndex) and days is not None:
        return nanoseconds(_wall_times(stamps)), days * DAY
    if isinstance(stamps, pd.DatetimeIndex) and not is_clock_time(step):
        local = _wall_times(stamps)
        calendar = pd.date_range(local.min(), local.max(), freq=step.base)
        ordinals = calendar.get_indexer(local).astype(float)
        ordinals[ordinals < 0] = np.nan
        return ordinals, step.n
    if isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return nanoseconds(stamps), pd.Timedelta(step).value
    return stamps.to_numpy(), step


def _wall_times(stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the time on the clock, without zone.

    A clock change may skip the usual time of a day. It is set back from where `_localize` puts it.
    """
    wall = stamps.tz_localize(None)
    if stamps.tz is None:
        return wall
    days = wall.normalize()
    clock = wall - days
    meant = days + pd.Series(clock).mode()[0]
    moved = np.asarray(wall != meant)
    if moved.any():
        moved[moved] = _localize(meant[moved], stamps.tz) == stamps[moved]
    return wall.where(~moved, meant)


def _localize(wall: pd.DatetimeIndex, zone: Any) -> pd.DatetimeIndex:
    """Set a zone: a time that a clock change skips becomes the next, of two the first is meant."""
    first = np.ones(len(wall), bool)
    return wall.tz_localize(zone, nonexistent="shift_forward", ambiguous=first)


def nanoseconds(stamps: Any) -> np.ndarray:
    numbers: np.ndarray = stamps.as_unit("ns").asi8
    return numbers


def is_clock_time(step: Any) -> bool:
    # Before pandas 3, days are ticks of 24 hours.
    is_tick = isinstance(step, (pd.Timedelta, pd.tseries.offsets.Tick))
    return is_tick and not isinstance(step, pd.offsets.Day)


def _may_be_months(step: Any) -> bool:
    days = whole_days(step)
    if days is not None:
        return days >= 28
    return isinstance(step, pd.offsets.BaseOffset) and not is_clock_time(step)


def whole_days(step: Any) -> int | None:
    """Return the days in a step of days or weeks; None for other steps."""
    if isinstance(step, pd.offsets.Day):
        return int(step.n)
    if isinstance(step, pd.offsets.Week):
        return 7 * int(step.n)
    return None
