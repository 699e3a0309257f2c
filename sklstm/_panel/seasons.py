"""Check the lengths of seasons, and find the rows one season before others."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from sklstm._panel.infer_frequency import infer_frequency
from sklstm._panel.read import as_table, time_stamps
from sklstm._panel.rows import SeriesRows, run_starts
from sklstm._panel.user_warnings import warn_user


def as_seasons(season_length) -> tuple[int, ...]:
    """Return the lengths of the seasons in ascending order.

    Parameters
    ----------
    season_length : int, sequence of int or None
        None: no season, which is one of a single row.

    Returns
    -------
    tuple of int
        At least one.
    """
    if season_length is None:
        return (1,)
    lengths = season_length if isinstance(season_length, (tuple, list)) else (season_length,)
    is_length = [
        isinstance(length, Integral) and not isinstance(length, bool) and int(length) >= 1
        for length in lengths
    ]
    if not lengths or not all(is_length):
        raise ValueError(
            f"season_length={season_length!r} must be a positive integer, or a tuple of them: the "
            "rows in a season, such as 24, or (24, 168) for a daily and a weekly pattern."
        )
    return tuple(sorted({int(length) for length in lengths}))


def number_steps(panel: Any, rows: SeriesRows, time: str | int | None, freq: Any) -> np.ndarray:
    """Count the steps in time of each series, or its rows if their times are irregular.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
    rows : SeriesRows
        Its index.
    time : str, int or None
        None: rows are counted.
    freq : number, str, pandas offset, timedelta or None
        The step; None: it is inferred.

    Returns
    -------
    ndarray of shape (n_rows,)
        Of the sorted rows; 0 at the first row of each series.
    """
    number_of_row = rows.sort(rows.rank)
    if time is None or number_of_row.max() == 0:
        return number_of_row
    stamps, starts = time_stamps(as_table(panel), time)[rows.sorting], rows.run_starts()
    frequency = infer_frequency(stamps, starts, freq)
    try:
        return frequency.numbers(stamps, starts)
    except ValueError as error:
        warn_user(f"A season is counted in rows, and not in time. {error}")
        return number_of_row


def one_season_earlier(codes: np.ndarray, steps: np.ndarray, season_length: int) -> np.ndarray:
    """Find the row one season before each row.

    Parameters
    ----------
    codes, steps : ndarray of shape (n_rows,)
        Series and number of the step of each row, sorted.
    season_length : int
        Number of steps.

    Returns
    -------
    ndarray of shape (n_rows,)
        Positions; -1 where there is no such row.
    """
    starts, season_length = run_starts(codes), min(season_length, steps.max() + 1)
    sizes = np.diff(starts, append=len(codes))
    # Numbers of all series, which leave out a season between one series and the next.
    lengths = steps[starts + sizes - 1] + 1 + season_length
    number = steps + np.repeat(np.cumsum(lengths) - lengths, sizes)
    earlier = np.searchsorted(number, number - season_length)
    return np.where(number[earlier] == number - season_length, earlier, -1)
