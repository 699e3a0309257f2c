"""Measure the time between successive rows of a series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sklstm._panel.rows import SeriesRows
from sklstm._panel.run_statistics import group_quantiles


def time_steps(rows: SeriesRows) -> np.ndarray:
    """Compute the time since the row before in the same series.

    Parameters
    ----------
    rows : SeriesRows
        With `time`.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64, in units of `time`; NaN for the first row of a series.
    """
    time = rows.sort(rows.time)
    steps = np.diff(time, prepend=time[:1]).astype(np.float64)
    steps[rows.run_starts()] = np.nan
    return rows.unsort(steps)


def typical_step(parts: Iterable[SeriesRows]) -> float:
    """Compute the median over series of the median step of each series.

    Parameters
    ----------
    parts : iterable of SeriesRows
        No series is in two of them.

    Returns
    -------
    float
        In units of `time`; NaN if no series has two rows.
    """
    medians = [
        group_quantiles(time_steps(rows), rows.codes, len(rows.ids), [0.5])[0] for rows in parts
    ]
    known = np.concatenate(medians)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else np.nan


def log_elapsed(rows: SeriesRows, unit: float) -> np.ndarray:
    """Compute ``log(1 + steps / unit)``, which is 0 for the first row of a series.

    Parameters
    ----------
    rows : SeriesRows
        With `time`.
    unit : float
        The typical step.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64.
    """
    return np.nan_to_num(np.log1p(time_steps(rows) / unit))
