"""Predict from given windows, whatever X a scorer passes."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import Tags, get_tags

from sklstm._panel.windows import Windows
from sklstm.inspection._explained import Explained
from sklstm.meta._delegation import score_known

# Methods of estimators that return one value or vector per row.
RESPONSES = {
    *("predict", "predict_proba", "predict_log_proba", "decision_function", "predict_quantiles")
}


class Responses:
    """Responses of an estimator to given windows, each computed once.

    Parameters
    ----------
    explained : Explained
    rows : ndarray of shape (n_rows,)
        Positions of the rows in the user's X.
    windows : Windows
        The windows to predict from, one per row.
    """

    def __init__(self, explained: Explained, rows: np.ndarray, windows: Windows) -> None:
        self.explained = explained
        self.rows = rows
        self.windows = windows
        self._known: dict[str, np.ndarray] = {}

    def input_of(self, chosen: np.ndarray) -> Any:
        """Return some of the windows in the form that the network receives."""
        windows = self.windows[chosen]
        return windows if isinstance(self.explained.X, Windows) else np.asarray(windows)

    def by_method(self, name: str) -> np.ndarray:
        """Return the response of a method to all windows, in the units of the estimator."""
        if name not in self._known:
            method = getattr(self.explained.network, name)
            self._known[name] = self._in_units(method(self.input_of(np.arange(len(self.rows)))))
        return self._known[name]

    def _in_units(self, found: np.ndarray) -> np.ndarray:
        if self.explained.units is None:
            return found
        center, scale = (part[:, :, np.newaxis] for part in self.explained.units_of(self.rows))
        by_output = found.reshape(*center.shape[:2], -1)  # predictions or quantiles of each output
        return (by_output * scale + center).reshape(found.shape)


class Substitute:
    """An estimator that gives known responses, whatever X is passed.

    A scorer then sees the user's rows, with their ids, and the predictions for other windows.

    Parameters
    ----------
    responses : Responses
    chosen : ndarray of shape (n_rows,)
        The rows of the responses that are scored.
    """

    def __init__(self, responses: Responses, chosen: np.ndarray) -> None:
        self._responses = responses
        self._chosen = chosen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._responses.explained.network, name)
        if name not in RESPONSES:
            return method
        return wraps(method)(lambda X: self._responses.by_method(name)[self._chosen])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score of the estimator for the chosen windows."""
        network = self._responses.explained.network
        if is_regressor(network):
            return score_known(self.predict(X), y, sample_weight, type(network).__name__)
        return network.score(self._responses.input_of(self._chosen), y, sample_weight)

    def __sklearn_tags__(self) -> Tags:
        return get_tags(self._responses.explained.network)
