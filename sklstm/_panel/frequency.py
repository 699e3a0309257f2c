"""Infer the frequency of series: the step in time from one row to the next."""

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
from sklstm._panel.show import show

# Number of runs of rows that pd.infer_freq is tried on.
MAX_INFERRED_RUNS = 10
# Largest size of the grid of `fill_gaps` per given row, and a size that any grid may have, since a
# single row may come long after the rows of fit. If it is larger, a time stamp or the step is
# probably wrong.
MAX_MISSING = 100
SMALL_GRID = 2**16
# Tolerance of time stamps, as a share of a step, since floats are rounded.
TOLERANCE = 1e-3
DAY = 86_400 * 10**9  # in nanoseconds
# Days of the month that halve it, besides the first or the last one.
MIDDLE_DAYS = range(13, 18)


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
        ordinals, length = _ordinals(stamps, self.step)
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
        if getattr(stamps, "tz", None) is not None and _is_clock_time(self.step):
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
        step, days, zone = self.step, _whole_days(self.step), None
        if isinstance(stamps, pd.DatetimeIndex) and not _is_clock_time(step):
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
        - the most common difference of successive rows, unless all rows are at the start or end,
          and the middle of a month. One day becomes a business day if no row is on a weekend.

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
        step = _most_common(_differences(_nanoseconds(stamps), starts))
        return Frequency(_fixed_offset(step, stamps))
    differences = _differences(stamps.to_numpy(), starts)
    return Frequency(_most_common(differences).item() if len(differences) else 1)


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


def _ordinals(stamps: pd.Index, step: Any) -> tuple[np.ndarray, Any]:
    """Convert time stamps to numbers, and return the length of a step in their unit."""
    if isinstance(stamps, pd.PeriodIndex):
        return stamps.asi8, step.n
    days = _whole_days(step)
    if isinstance(stamps, pd.DatetimeIndex) and days is not None:
        return _nanoseconds(_wall_times(stamps)), days * DAY
    if isinstance(stamps, pd.DatetimeIndex) and not _is_clock_time(step):
        local = _wall_times(stamps)
        calendar = pd.date_range(local.min(), local.max(), freq=step.base)
        ordinals = calendar.get_indexer(local).astype(float)
        ordinals[ordinals < 0] = np.nan
        return ordinals, step.n
    if isinstance(stamps, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return _nanoseconds(stamps), pd.Timedelta(step).value
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


def _infer_date_step(stamps: pd.DatetimeIndex, starts: np.ndarray) -> Any:
    """Infer the step of dates: a calendar offset, or the most common difference."""
    offset = _infer_offset(stamps, starts)
    if offset is not None:
        return offset
    numbers = _nanoseconds(stamps)
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
    half_month = _infer_half_month(stamps) if (differences % step).any() else None
    return _fixed_offset(step, stamps) if half_month is None else half_month


def _infer_half_month(stamps: pd.DatetimeIndex) -> Any:
    """Infer that all dates are in the middle, and at the start or at the end of months, or None."""
    for is_bound, offset in (
        (stamps.day == 1, pd.offsets.SemiMonthBegin),
        (stamps.day == stamps.days_in_month, pd.offsets.SemiMonthEnd),
    ):
        middle = stamps.day[~is_bound].unique()
        if len(middle) == 1 and middle[0] in MIDDLE_DAYS and is_bound.any():
            return offset(day_of_month=int(middle[0]))
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
        if step is None or _is_clock_time(step) or _whole_days(step) is not None:
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
        if letter in kind and np.isnan(_ordinals(stamps, step)[0]).any():
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


def _fixed_offset(nanoseconds: Any, stamps: Any) -> Any:
    return _offset(pd.Timedelta(nanoseconds, "ns").as_unit(stamps.unit))


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


def _nanoseconds(stamps: Any) -> np.ndarray:
    numbers: np.ndarray = stamps.as_unit("ns").asi8
    return numbers


def _is_clock_time(step: Any) -> bool:
    return isinstance(step, (pd.Timedelta, pd.tseries.offsets.Tick))


def _may_be_months(step: Any) -> bool:
    is_calendar = isinstance(step, pd.offsets.BaseOffset) and not _is_clock_time(step)
    return is_calendar and (_whole_days(step) or 28) >= 28


def _whole_days(step: Any) -> int | None:
    """Return the days in a step of days or weeks; None for other steps."""
    if isinstance(step, pd.offsets.Day):
        return int(step.n)
    if isinstance(step, pd.offsets.Week):
        return 7 * int(step.n)
    return None
