"""Fit a regressor to windows and residuals, and query it."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from sklstm._files.checkpoint import as_checkpoint, member_checkpoint
from sklstm.meta._delegation import separate_checkpoints, set_seeds


def configure_regressor(regressor, quantiles, seed):
    """Clone the user's regressor; set its quantiles, and each seed that is None."""
    regressor = clone(regressor)
    if quantiles is not None:
        if "quantiles" not in regressor.get_params():
            raise ValueError(
                f"quantiles={quantiles!r} needs a regressor that predicts quantiles, but "
                f"{regressor!r} has no parameter quantiles. Choose another regressor, or pass "
                "quantiles=None."
            )
        regressor.set_params(quantiles=quantiles)
    set_seeds(regressor, np.random.RandomState(seed), replace=False)
    return regressor


def set_checkpoint(regressor, checkpoint, number):
    """Set the checkpoint of one of the regressors: a folder in the forecaster's."""
    checkpoint = as_checkpoint(checkpoint)
    if checkpoint is None:
        separate_checkpoints(regressor, number)
        return
    if "checkpoint" not in regressor.get_params():
        raise ValueError(
            f"checkpoint={checkpoint!r} needs a regressor that saves checkpoints, but "
            f"{regressor!r} has no parameter checkpoint. Pass checkpoint=None."
        )
    regressor.set_params(checkpoint=member_checkpoint(checkpoint, number))


def fit_regressor(regressor, windows, y, horizon):
    """Fit a regressor to windows, or to complete rows of a 2-D table if it takes no 3-D input.

    Parameters
    ----------
    regressor : estimator
    windows : Windows of n_rows windows
    y : ndarray of shape (n_rows, n_targets * horizon)
        NaN where the future is unknown.
    horizon : int
        For the message of the error.

    Returns
    -------
    estimator
        The regressor.
    """
    if takes_windows(regressor):
        return regressor.fit(windows, y)
    complete = ~np.isnan(y).any(axis=1)
    if not complete.any():
        raise ValueError(
            f"No row is followed by {horizon} known targets, and {regressor!r} accepts no missing "
            "targets. Choose a shorter horizon, or a regressor that takes windows, such as "
            "MultiSeriesLSTMRegressor."
        )
    return regressor.fit(_flatten(windows[complete]), y[complete])


def predict_outputs(regressor, windows, quantiles):
    """Predict the median and the quantiles of each output.

    Parameters
    ----------
    regressor : fitted estimator
    windows : Windows of n_rows windows
    quantiles : sequence of float or None

    Returns
    -------
    ndarray of shape (n_rows, n_outputs, 1 + n_quantiles)
    """
    X = windows if takes_windows(regressor) else _flatten(windows)
    median = np.reshape(regressor.predict(X), (len(windows), -1, 1))
    if quantiles is None:
        return median
    levels = np.reshape(regressor.predict_quantiles(X), (*median.shape[:2], -1))
    return np.concatenate([median, levels], axis=2)


def takes_windows(regressor):
    """Return whether a regressor accepts 3-D input."""
    return get_tags(regressor).input_tags.three_d_array


def _flatten(windows):
    return np.asarray(windows).reshape(len(windows), -1)
