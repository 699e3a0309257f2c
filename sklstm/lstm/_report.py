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


def report_by_series(samples: Samples, predicted, rows, losses, weights) -> pd.DataFrame:
    """Sum up weights, losses and errors by series.

    Parameters
    ----------
    samples : Samples
    predicted : ndarray of shape (n_rows, n_outputs)
    rows : ndarray
        Positions of the rows in the loss.
    losses, weights : ndarray of shape (n_rows,)
        0 for rows that are not in the loss.

    Returns
    -------
    DataFrame
        One row per series that has rows.
    """
    ids = samples.windows.ids

    def total(values):
        return np.bincount(samples.codes, weights=values, minlength=len(ids))

    in_loss = np.zeros(len(samples))
    in_loss[rows] = 1
    known = ~np.isnan(samples.targets)
    squares = np.where(known, (samples.targets - predicted) ** 2, 0).sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, for series without such rows
        report = pd.DataFrame(
            {
                "rows": total(None).astype(int),
                "windows": total(in_loss).astype(int),
                "weight": total(weights),
                "loss": total(losses) / total(in_loss),
                "error": np.sqrt(total(squares) / total(known.sum(axis=1))),
            },
            index=ids.rename("series"),
        )
    return report[report["rows"] > 0]
