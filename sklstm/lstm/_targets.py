"""Check and score targets with missing elements."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from sklstm._panel.arrays import CONVERT_TEXT, check_no_text, holds_dates
from sklstm._panel.frames import as_plain
from sklstm._panel.read import FLOATS
from sklstm._panel.rows import row_blocks
from sklstm._panel.user_warnings import warn_user
from sklstm._panel.weights import check_weights


def check_targets(y, n_rows, name, *, allow_unknown=False) -> tuple[np.ndarray, bool]:
    """Convert y to a two-dimensional float array.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        NaN elements are missing.
    n_rows : int
        Number of rows of X.
    name : str
        Name of the estimator, for error messages.
    allow_unknown : bool, default=False
        Whether all elements may be missing.

    Returns
    -------
    targets : ndarray of shape (n_rows, n_outputs)
        float32 or float64.
    one_dimensional : bool
        Whether y had one dimension.
    """
    check_targets_passed(y, name)
    y = as_plain(y)
    _check_kind(y)
    values = np.asarray(y)
    if values.dtype == object:
        y = np.where(pd.isna(values), np.nan, values)
    options = {"dtype": FLOATS, "ensure_all_finite": "allow-nan", "input_name": "y"}
    try:
        y = check_array(y, ensure_2d=False, **options)
    except ValueError as error:
        if "infinity" in str(error):
            remedy = "Set infinite targets to NaN (unknown targets are left out), or clip them."
            error.args = (f"{error} {remedy}",)
        raise
    if y.ndim > 2:
        raise ValueError(
            f"y has shape {y.shape}; expected (n_rows,) or (n_rows, n_outputs). Reshape it."
        )
    check_n_targets(len(y), n_rows)
    if not allow_unknown and np.isnan(y).all():
        raise ValueError(
            f"All {y.size} targets are NaN, expected at least one that is known. Check how y was "
            "made: a failed merge, or a horizon that is too long, gives only NaN."
        )
    return y.reshape(n_rows, -1), y.ndim == 1


def check_targets_passed(y, name) -> None:
    """Raise an error for y=None; `name` is that of the estimator."""
    if y is None:
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None. Call fit(X, y) with one "
            "target per row."
        )


def check_n_targets(n_targets, n_rows) -> None:
    """Raise an error if there is not one target per row."""
    if n_targets != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, "
            f"y has {n_targets}. Pass one target per row of X, NaN where it is unknown."
        )


def _check_kind(y):
    """Raise an error for text and dates in y, and warn of true and false."""
    values = np.asarray(y)
    if values.dtype == bool:
        warn_user(
            "y is bool, expected numbers. False and true are used as 0 and 1, and the predictions "
            "are numbers: estimates of the probability of true. Use MultiSeriesLSTMClassifier, or "
            "pass y.astype(float) if this is intended."
        )
    if holds_dates(values):
        raise ValueError(
            f"y holds dates or lengths of time (dtype {values.dtype}), expected numbers. Convert "
            "lengths of time to a unit: y / pandas.Timedelta('1h'), for example."
        )
    check_no_text(values, "y", f"{CONVERT_TEXT} If y holds classes, use MultiSeriesLSTMClassifier.")


def target_moments(y, weights) -> tuple[np.ndarray, np.ndarray]:
    """Compute the weighted mean and standard deviation per output, without missing elements.

    The deviation of a constant output is 0.
    """

    def blocks():
        for block in row_blocks(len(y)):
            missing = np.isnan(y[block])
            w = np.where(missing, 0.0, weights[block, np.newaxis])
            yield np.where(missing, 0.0, y[block]), w

    total = sum(w.sum(axis=0) for _, w in blocks())
    total = np.where(total > 0, total, 1)
    mean = sum((values * w).sum(axis=0) for values, w in blocks()) / total
    squares = sum(((values - mean) ** 2 * w).sum(axis=0) for values, w in blocks())
    deviation = np.sqrt(squares / total)
    lowest = np.min([np.where(w > 0, y, np.inf).min(axis=0) for y, w in blocks()], axis=0)
    highest = np.max([np.where(w > 0, y, -np.inf).max(axis=0) for y, w in blocks()], axis=0)
    return exact_if_constant(mean, deviation, lowest, highest)


def exact_if_constant(mean, deviation, lowest, highest) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and deviation of outputs, without the rounding errors of constant ones."""
    # The mean of equal numbers may differ from them in its last digit.
    mean = np.where(lowest == highest, lowest, mean)
    return mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 0.0)


def r2_score_known(y_true, y_pred, sample_weight: npt.ArrayLike | None = None) -> float:
    """Compute the mean R2 over the outputs with known targets, without missing elements.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_rows, n_outputs)
    sample_weight : array-like of shape (n_rows,), default=None
    """
    weights = check_weights(sample_weight, len(y_true))
    y_true, y_pred = y_true.astype(np.float64), y_pred.astype(np.float64)  # squares overflow
    scores = [
        r2_score(y_true[known, j], y_pred[known, j], sample_weight=weights[known])
        for j, known in enumerate(~np.isnan(y_true).T)
        if known.any()
    ]
    return float(np.mean(scores))


def check_quantiles(quantiles) -> np.ndarray:
    """Convert quantile levels to floats and check that they ascend within (0, 1)."""
    try:
        levels = np.asarray(quantiles, dtype=float)
    except (TypeError, ValueError):
        levels = np.empty(0)
    if (
        levels.ndim != 1
        or len(levels) == 0
        or not ((levels > 0) & (levels < 1)).all()
        or not (np.diff(levels) > 0).all()
    ):
        raise ValueError(
            "quantiles must be numbers between 0 and 1, both excluded, in ascending order, such "
            f"as (0.1, 0.5, 0.9); got {quantiles!r}."
        )
    return levels
