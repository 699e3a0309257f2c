"""Calibrate quantiles on held-out targets (conformal prediction)."""

from __future__ import annotations

import numpy as np

from sklstm.forecasting._estimators import predict_outputs
from sklstm.forecasting._recipe import training_windows

# Each estimator leaves out at most a fifth of the series, and predicts at most so many windows.
MIN_FOLDS = 5
MAX_CALIBRATION_ROWS = 20_000


def hold_out(calibration, windows, n_outputs, steps_left, horizon, seeds):
    """Mark the targets that each estimator leaves out of its training.

    Parameters
    ----------
    calibration : {"series", "time"} or None
        Hold out whole series, the last `horizon` rows of each series, or nothing.
    windows : Windows of n_rows windows
    n_outputs : int
    steps_left : ndarray of shape (n_rows,)
        Number of rows of the same series after each window.
    horizon : int
    seeds : sequence of int
        One per estimator. The first one shuffles the series.

    Returns
    -------
    list of ndarray
        One mask per estimator, which broadcasts to (n_rows, n_outputs).
    """
    if calibration is None:
        return [np.zeros((1, 1), bool)] * len(seeds)
    if calibration == "series":
        return _hold_out_series(windows.codes, len(windows.ids), len(seeds), seeds[0])
    ahead = np.tile(np.arange(1, horizon + 1), n_outputs // horizon)
    return [ahead > steps_left[:, np.newaxis] - horizon] * len(seeds)


def _hold_out_series(codes, n_series, n_estimators, seed):
    present = np.unique(codes)
    if len(present) < 2:
        raise ValueError(
            f"calibration='series' needs at least two series, got {len(present)}. Choose "
            "calibration='time', or pass more series."
        )
    n_folds = min(max(MIN_FOLDS, n_estimators), len(present))
    fold = np.empty(n_series, np.intp)
    fold[np.random.default_rng(seed).permutation(present)] = np.arange(len(present)) % n_folds
    return [(fold[codes] == i % n_folds)[:, np.newaxis] for i in range(n_estimators)]


def held_out_errors(regressor, windows, y, quantiles, min_observed):
    """Subtract predicted quantiles from held-out targets.

    Parameters
    ----------
    regressor : fitted estimator
    windows : Windows of n_rows windows
    y : ndarray of shape (n_rows, n_outputs)
        NaN where a target is missing or was used for training.
    quantiles : sequence of float
    min_observed : int
        Observed rows that a window must have.

    Returns
    -------
    ndarray of shape (n_used, n_outputs, n_quantiles)
    """
    used = np.flatnonzero(training_windows(windows, y, min_observed))
    if len(used) == 0:
        raise ValueError(
            f"No held-out window has a known target and at least {min_observed} observed rows: the "
            "quantiles cannot be calibrated. Choose another calibration, or pass longer series."
        )
    used = used[:: -(-len(used) // MAX_CALIBRATION_ROWS)]
    return y[used, :, np.newaxis] - predict_outputs(regressor, windows[used], quantiles)[..., 1:]


def conformal_shifts(errors, levels):
    """Compute the shift of each quantile that gives it its share of smaller held-out values.

    Parameters
    ----------
    errors : ndarray of shape (n_rows, n_outputs, n_quantiles)
        Held-out values minus predicted quantiles; NaN where they are missing.
    levels : ndarray of shape (n_quantiles,)

    Returns
    -------
    ndarray of shape (n_outputs, n_quantiles)
        0 for the median, and for outputs without held-out values.

    References
    ----------
    Y. Romano, E. Patterson, E. Candes, "Conformalized quantile regression", NeurIPS 2019.
    """
    shifts = np.zeros(errors.shape[1:])
    for i, level in enumerate(levels):
        if level == 0.5:
            continue
        ordered = np.sort(errors[..., i], axis=0)  # NaN comes last
        count = (~np.isnan(ordered)).sum(axis=0)
        # The new value counts as one more. Ranks are rounded away from the median.
        rank = np.ceil((count + 1) * level) if level > 0.5 else np.floor((count + 1) * level)
        position = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.intp)
        found = np.take_along_axis(ordered, position[np.newaxis], axis=0)[0]
        shifts[:, i] = np.where(count > 0, found, 0.0)
    return shifts
