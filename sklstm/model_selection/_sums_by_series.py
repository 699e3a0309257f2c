"""Compute metrics of all series at once that are functions of sums over the rows of a series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import r2_score, root_mean_squared_error

# Takes targets, predictions and weights of shape (n_rows, n_outputs) and the position of the first
# row of each series; returns an array of shape (n_series, n_outputs).
ScoreBySeries = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _root_mean_squared_errors(true, predicted, weights, starts):
    return np.sqrt(_weighted_means((true - predicted) ** 2, weights, starts))


def _r2_scores(true, predicted, weights, starts):
    """Compute R2 as `r2_score` does: 0, or 1 without errors, for constant targets."""
    sizes = np.diff(starts, append=len(true))
    counted = weights > 0
    mean = np.repeat(_weighted_means(true, weights, starts), sizes, axis=0)
    spread = _weighted_means((true - mean) ** 2, weights, starts)
    errors = _weighted_means((true - predicted) ** 2, weights, starts)
    # The mean of equal numbers may differ from them in its last digit.
    lowest = np.minimum.reduceat(np.where(counted, true, np.inf), starts)
    highest = np.maximum.reduceat(np.where(counted, true, -np.inf), starts)
    is_constant = lowest == highest
    scores = np.where(is_constant, errors == 0, 1 - errors / np.where(is_constant, 1, spread))
    # One row has no R2.
    return np.where(np.add.reduceat(counted, starts, dtype=int) > 1, scores, np.nan)


def _weighted_means(values, weights, starts):
    total = np.add.reduceat(weights, starts)
    sums = np.add.reduceat(values * weights, starts)
    return np.where(total > 0, sums / np.where(total > 0, total, 1), np.nan)


METRICS: dict[Any, ScoreBySeries] = {
    root_mean_squared_error: _root_mean_squared_errors,
    r2_score: _r2_scores,
}


def score_by_series(
    metric: Any, true: np.ndarray, predicted: np.ndarray, weights: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Score each series: the mean over its outputs of the score of the known elements.

    Parameters
    ----------
    metric : callable
        A key of `METRICS`.
    true, predicted : ndarray of shape (n_rows, n_outputs)
        Rows of a series are adjacent. Missing elements of `true` are NaN.
    weights : ndarray of shape (n_rows,)
        Positive.
    starts : ndarray of shape (n_series,)
        Position of the first row of each series.

    Returns
    -------
    ndarray of shape (n_series,)
        NaN for series without a score.
    """
    known = ~np.isnan(true)
    shares = np.where(known, weights[:, np.newaxis], 0.0)
    scores = METRICS[metric](np.where(known, true, 0.0), predicted, shares, starts)
    n_scores = (~np.isnan(scores)).sum(axis=1)
    total = np.nan_to_num(scores).sum(axis=1)
    return np.where(n_scores > 0, total / np.maximum(n_scores, 1), np.nan)
