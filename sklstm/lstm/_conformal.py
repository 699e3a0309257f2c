"""Calibrate predicted quantiles on held-out targets (conformal prediction)."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.special import ndtri

# The largest relative error of a sum of weights.
TOLERANCE = 1e-9


def check_calibration(calibration, quantiles) -> None:
    """Raise an error if there are no quantiles to calibrate."""
    if calibration is not None and quantiles is None:
        raise ValueError(
            f"calibration={calibration!r} shifts quantiles, but quantiles is None. Pass "
            "quantiles, or calibration=None."
        )


def series_folds(codes, n_series, n_folds, rng) -> np.ndarray:
    """Divide the series that have rows into folds at random.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Code of the series of each row.
    n_series : int
        Number of codes, also of series without rows.
    n_folds : int
        Number of folds if there are as many series.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_series,)
        Number of the fold of each series, -1 for a series without rows. The sizes of folds differ
        by at most one.
    """
    present = np.unique(codes)
    if len(present) < 2:
        raise ValueError(
            f"calibration='series' needs at least two series, got {len(present)}. Choose "
            "calibration='time', or pass more series and name their ids with series=."
        )
    fold = np.full(n_series, -1)
    fold[rng.permutation(present)] = np.arange(len(present)) % min(n_folds, len(present))
    return fold


def conformal_shifts(errors, levels, weights=None, units=None) -> np.ndarray:
    """Compute the shift of each quantile that gives it its share of smaller held-out values.

    Parameters
    ----------
    errors : ndarray of shape (n_rows, n_outputs, n_quantiles)
        Held-out values minus predicted quantiles; NaN where they are missing.
    levels : ndarray of shape (n_quantiles,)
    weights : ndarray of shape (n_rows,), default=None
        Weights of the rows. None: all are equal.
    units : ndarray of shape (n_rows,), default=None
        Code of what is exchangeable: the series of each row, if a new value belongs to a new
        series. None: the rows themselves.

    Returns
    -------
    ndarray of shape (n_outputs, n_quantiles)
        0 for the median, and for outputs without held-out values.

    Notes
    -----
    The new value counts as one more, of the mean weight of a unit, and may be beyond all held-out
    values. With series as units, this is hierarchical conformal prediction. Where no held-out error
    is large enough, the largest one is the shift.

    References
    ----------
    Y. Romano, E. Patterson, E. Candes, "Conformalized quantile regression", NeurIPS 2019.
    Y. Lee, R. F. Barber, R. Willett, "Distribution-free inference with hierarchical data", 2023.
    """
    n_rows, n_outputs, _ = errors.shape
    weights = np.ones(n_rows) if weights is None else weights
    units = np.arange(n_rows) if units is None else units
    shifts = np.zeros(errors.shape[1:])
    for output in range(n_outputs):
        known = np.flatnonzero(~np.isnan(errors[:, output, 0]) & (weights > 0))
        if len(known) == 0:
            continue
        new = weights[known].sum() / len(np.unique(units[known]))
        for i, level in enumerate(levels):
            sign = np.sign(level - 0.5)  # lower quantiles are shifted as upper ones of -errors
            if sign:
                values = sign * errors[known, output, i]
                bound = _upper_bound(values, weights[known], new, max(level, 1 - level))
                shifts[output, i] = sign * bound
    return shifts


def _upper_bound(values, weights, new, level) -> float:
    """Return the smallest value with at least a share `level` of all weight, `new` included."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    needed = level * (below[-1] + new) * (1 - TOLERANCE)
    return values[order[min(np.searchsorted(below, needed), len(order) - 1)]]


def widest_level(n_units) -> float:
    """Return the highest quantile level that so many units can calibrate; 1 less is the lowest."""
    return n_units / (n_units + 1)


def shift_quantiles(quantiles, shifts, median) -> np.ndarray:
    """Shift quantiles so that they neither cross each other nor the median.

    Parameters
    ----------
    quantiles : ndarray of shape (n_rows, n_outputs, n_quantiles)
        In ascending order.
    shifts : ndarray of shape (n_outputs, n_quantiles)
    median : int
        Position of the median, which stays as it is.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs, n_quantiles)
        In ascending order.
    """
    center = quantiles[..., median : median + 1]
    shifted = np.sort(quantiles + shifts, axis=-1)
    shifted[..., :median] = np.minimum(shifted[..., :median], center)
    shifted[..., median:] = np.maximum(shifted[..., median:], center)
    shifted[..., median : median + 1] = center
    return shifted


def check_coverage(coverage: Any) -> float:
    """Convert the coverage of an interval to a float, and check that it is in (0, 1)."""
    number = float(coverage) if isinstance(coverage, Real) else np.nan
    if 0 < number < 1:
        return number
    if 1 < number < 100:
        remedy = f"For {number:g} percent, pass {number / 100:g}."
    else:
        remedy = "Pass one number, such as 0.8, for each call."
    raise ValueError(f"coverage={coverage!r} must be a number between 0 and 1. {remedy}")


def central_interval(quantiles, levels, coverage) -> np.ndarray:
    """Interpolate the bounds of a central interval between quantiles.

    Parameters
    ----------
    quantiles : ndarray of shape (..., n_quantiles)
        In ascending order.
    levels : ndarray of shape (n_quantiles,)
    coverage : float
        Share of the values between the bounds; as many are below as above.

    Returns
    -------
    ndarray of shape (..., 2)
        Lower and upper bound.
    """
    coverage = check_coverage(coverage)
    bounds = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
    if bounds[0] < levels[0] - TOLERANCE or bounds[1] > levels[-1] + TOLERANCE:
        widest = max(1 - 2 * max(levels[0], 1 - levels[-1]), 0.0)
        low, high = (float(round(bound, 6)) for bound in bounds)
        raise ValueError(
            f"coverage={coverage!r} needs the quantiles {low} and {high}, but the network predicts "
            f"those from {levels[0]:g} to {levels[-1]:g}: intervals between them cover at most "
            f"{widest:g}. Lower the coverage, or fit with quantiles=({low}, 0.5, {high})."
        )
    above = np.clip(np.searchsorted(levels, bounds - TOLERANCE), 1, len(levels) - 1)
    # Quantiles of a normal distribution are linear in its z-score.
    scores, wanted = ndtri(levels), ndtri(bounds)
    share = (wanted - scores[above - 1]) / (scores[above] - scores[above - 1])
    share = np.where(np.isclose(bounds, levels[above], rtol=0, atol=TOLERANCE), 1.0, share)
    share = np.clip(share, 0.0, 1.0).astype(quantiles.dtype)
    low, high = quantiles[..., above - 1], quantiles[..., above]
    return np.where(share == 1, high, low + share * (high - low))
