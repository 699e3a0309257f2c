"""Fill missing values of many series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklstm._panel.read import Panel
from sklstm._panel.rows import SeriesRows
from sklstm._panel.statistics import SCALER_STATISTICS, Statistics


def carry_forward(rows: SeriesRows, values, codes, initial) -> np.ndarray:
    """Replace missing values by the last known one before them in the same run.

    Parameters
    ----------
    rows : SeriesRows
        The rows, which are read in their order in time.
    values : ndarray of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows,)
        The run of each row.
    initial : ndarray of shape (n_runs, n_features)
        The values known before each run; NaN if there are none.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        NaN where nothing is known yet.
    """
    if not np.isnan(values).any():
        return values
    codes = rows.sort(codes)
    filled = pd.DataFrame(rows.sort(values)).groupby(codes, sort=False).ffill().to_numpy()
    unknown, features = np.nonzero(np.isnan(filled))
    filled = filled.astype(values.dtype)
    filled[unknown, features] = initial[codes[unknown], features]
    return rows.unsort(filled)


@dataclass(frozen=True, eq=False)
class KnownValues:
    """Hold what is kept of the known values of many series.

    Attributes
    ----------
    ids : pandas.Index of shape (n_series,)
    last_times : ndarray of shape (n_series,) or None
        Time of the last row of each series.
    last_values : ndarray of shape (n_series, n_features)
        Last known value of each series, NaN where it has none.
    statistics : Statistics of shape (n_series, n_features), or (1, n_features)
        Of the known values, by series or of all rows; their center replaces missing values.
    has_missing : ndarray of shape (n_features,)
        Whether there are missing values.
    """

    ids: pd.Index
    last_times: np.ndarray | None
    last_values: np.ndarray
    statistics: Statistics
    has_missing: np.ndarray

    @classmethod
    def of(cls, panel: Panel, center: str) -> KnownValues:
        """Read a panel; `center` is "mean" or "median"."""
        kind = SCALER_STATISTICS["robust" if center == "median" else "standard"]
        in_one = np.zeros(len(panel), np.intp)
        grouped = pd.DataFrame(panel.sort(panel.values)).groupby(panel.sort(panel.codes))
        return cls(
            panel.ids,
            None if panel.time is None else panel.last_times,
            grouped.last().to_numpy(panel.values.dtype),
            kind.compute(panel.values, in_one, 1).without_rows(),
            np.isnan(panel.values).any(axis=0),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[KnownValues]) -> KnownValues:
        """Put the series of several parts of a panel after one another."""
        first, *others = parts
        if not others:
            return first
        times = [part.last_times for part in parts if part.last_times is not None]
        return cls(
            first.ids.append([part.ids for part in others]),
            np.concatenate(times) if times else None,
            np.concatenate([part.last_values for part in parts]),
            Statistics.concatenate([part.statistics for part in parts]).pooled(),
            np.any([part.has_missing for part in parts], axis=0),
        )

    def centers(self) -> np.ndarray:
        """Return the mean or median of each feature, 0 where it has no known value."""
        return np.where(self.is_unknown(), 0.0, self.statistics.center_scale()[0][0])

    def is_unknown(self) -> np.ndarray:
        """Mark the features without a known value."""
        return self.statistics.count[0] == 0
