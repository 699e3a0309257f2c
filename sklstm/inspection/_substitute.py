"""Predict from given windows, whatever X a scorer passes."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np
from sklearn.utils import Tags, get_tags

from sklstm._panel.windows import Windows
from sklstm.inspection._explained import Explained
from sklstm.meta._delegation import score_known

# Methods of estimators that return one value or vector per row.
RESPONSES = {
    *("predict", "predict_proba", "predict_log_proba", "decision_function", "predict_quantiles")
}


class Substitute:
    """Predict from given windows, whatever X is passed.

    A scorer then sees the user's rows, with their ids, and the predictions for other windows.

    Parameters
    ----------
    explained : Explained
    rows : ndarray of shape (n_rows,)
        Positions of the rows that are predicted.
    windows : Windows
        The windows to predict from, one per row.
    """

    def __init__(self, explained: Explained, rows: np.ndarray, windows: Windows) -> None:
        self.explained = explained
        self.rows = rows
        self.windows = windows

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.explained.network, name)
        if name not in RESPONSES:
            return method
        return wraps(method)(lambda X: self._respond(method))

    @property
    def _input(self) -> Any:
        """The windows in the form that the network receives."""
        is_lazy = isinstance(self.explained.X, Windows)
        return self.windows if is_lazy else np.asarray(self.windows)

    def _respond(self, method: Any) -> np.ndarray:
        """Return the response for the windows, in the units of the estimator."""
        found: np.ndarray = method(self._input)
        if self.explained.units is None:
            return found
        center, scale = (part[:, :, np.newaxis] for part in self.explained.units_of(self.rows))
        by_output = found.reshape(*center.shape[:2], -1)  # predictions or quantiles of each output
        return (by_output * scale + center).reshape(found.shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score of the estimator for the windows."""
        if self.explained.units is None:
            return self.explained.network.score(self._input, y, sample_weight)
        return score_known(self.predict(X), y, sample_weight, "PerSeriesTargetRegressor")

    def __sklearn_tags__(self) -> Tags:
        return get_tags(self.explained.network)
