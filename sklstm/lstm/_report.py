"""Tabulate weights, losses and errors by series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklstm.lstm._samples import Samples


def report_weights(samples: Samples, rows, series_weight) -> np.ndarray:
    """Compute the weights of some rows; NaN for a series that a dict of weights lacks.

    Parameters
    ----------
    samples : Samples
    rows : ndarray
        Positions of the rows in the loss.
    series_weight : "balanced", float, dict, Series, callable or None

    Returns
    -------
    ndarray of shape (n_rows,)
        0 for rows that are not in the loss.
    """
    weights = np.zeros(len(samples))
    if isinstance(series_weight, (Mapping, pd.Series)):
        # Validation series may have no weight of their own.
        named = samples.windows.series.isin(pd.Series(series_weight, dtype=float).index)
        weights[~named] = np.nan
        rows = rows[named[rows]]
    if len(rows):
        weights[rows] = samples.select(rows).weighted(series_weight).weights
    return weights


def mean_by_series(samples: Samples, values: np.ndarray) -> np.ndarray:
    """Average values by series, without NaN.

    Parameters
    ----------
    samples : Samples
    values : ndarray of shape (n_rows, n)

    Returns
    -------
    ndarray of shape (n_series,)
        NaN for series without values.
    """
    known = ~np.isnan(values)
    sums = _total(samples, np.where(known, values, 0).sum(axis=1))
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
        return sums / _total(samples, known.sum(axis=1))


def report_by_series(samples: Samples, rows, losses, weights, error) -> pd.DataFrame:
    """Sum up weights and losses by series.

    Parameters
    ----------
    samples : Samples
    rows : ndarray
        Positions of the rows in the loss.
    losses, weights : ndarray of shape (n_rows,)
        0 for rows that are not in the loss.
    error : ndarray of shape (n_series,)
        Error of the predictions of each series.

    Returns
    -------
    DataFrame
        One row per series that has rows.
    """
    in_loss = np.zeros(len(samples))
    in_loss[rows] = 1
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, for series without such rows
        report = pd.DataFrame(
            {
                "rows": _total(samples).astype(int),
                "windows": _total(samples, in_loss).astype(int),
                "weight": _total(samples, weights),
                "loss": _total(samples, losses) / _total(samples, in_loss),
                "error": error,
            },
            index=samples.windows.ids.rename("series"),
        )
    return report[report["rows"] > 0]


def _total(samples, values=None) -> np.ndarray:
    """Sum values by series; None: count the rows."""
    return np.bincount(samples.codes, weights=values, minlength=len(samples.windows.ids))
