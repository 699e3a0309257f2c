"""What is predicted: reading, moments and score of targets of which some are missing."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from sklstm._panel.read import FLOATS
from sklstm._panel.weights import check_weights


def target_moments(y, weights):
    """Weighted mean and deviation of each output, missing elements left out."""
    w = np.where(np.isnan(y), 0.0, weights[:, np.newaxis])
    total = w.sum(axis=0)
    mean = np.where(np.isnan(y), 0.0, y * w).sum(axis=0) / np.where(total > 0, total, 1)
    squares = np.where(np.isnan(y), 0.0, (y - mean) ** 2 * w).sum(axis=0)
    deviation = np.sqrt(squares / np.where(total > 0, total, 1))
    return mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0)


def read_targets(y, n_rows, name):
    """Return y as a float array of two dimensions, and whether it had one.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        NaN elements are missing.
    n_rows : int
        The rows of X.
    name : str
        Whose targets they are, for the messages.
    """
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    y = check_array(y, ensure_2d=False, dtype=FLOATS, ensure_all_finite="allow-nan", input_name="y")
    if y.ndim > 2:
        raise ValueError(f"y has shape {y.shape}; expected (n_rows,) or (n_rows, n_outputs).")
    if len(y) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, "
            f"y has {len(y)}."
        )
    if np.isnan(y).all():
        raise ValueError("Input y contains NaN only: there is no target to learn.")
    return y.reshape(n_rows, -1), y.ndim == 1


def r2_of_known(true, predicted, sample_weight=None):
    """Mean R2 over the outputs that have a known target, missing elements left out.

    Parameters
    ----------
    true, predicted : ndarray of shape (n_rows, n_outputs)
    sample_weight : array-like of shape (n_rows,), default=None
    """
    weights = check_weights(sample_weight, len(true))
    scores = [
        r2_score(true[known, j], predicted[known, j], sample_weight=weights[known])
        for j, known in enumerate(~np.isnan(true).T)
        if known.any()
    ]
    return float(np.mean(scores))


def check_quantiles(quantiles):
    """Return the levels as floats, refused unless they rise within (0, 1)."""
    try:
        levels = np.asarray(quantiles, dtype=float)
    except (TypeError, ValueError):
        levels = None
    if (
        levels is None
        or levels.ndim != 1
        or len(levels) == 0
        or not ((levels > 0) & (levels < 1)).all()
        or not (np.diff(levels) > 0).all()
    ):
        raise ValueError(
            "quantiles must be numbers between 0 and 1, both excluded, each larger than the one "
            f"before, such as (0.1, 0.5, 0.9); got {quantiles!r}."
        )
    return levels
