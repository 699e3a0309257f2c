"""Find the network inside an estimator, and its input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.windows import Windows
from sklstm.lstm._base import BaseLSTM
from sklstm.meta import PerSeriesTargetRegressor
from sklstm.meta._target_units import center_scale


@dataclass(frozen=True)
class Explained:
    """A fitted network of an estimator, with its input.

    Attributes
    ----------
    network : BaseLSTM
    X : Windows, ndarray of shape (n_rows, window_length, n_features) or 2-D table
        What the network receives.
    names : list of str or None
        Names of the features, if a transformer has them.
    units : tuple of two ndarray of shape (n_rows, n_outputs) or (n_rows, 1), or None
        Center and scale, which map the outputs of the network to the predictions of the estimator.
        None: they are the same.
    """

    network: BaseLSTM
    X: Any
    names: list[str] | None = None
    units: tuple[np.ndarray, np.ndarray] | None = None

    def units_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the center and scale of some rows, both of shape (n_rows, n_outputs)."""
        shape = (len(rows), self.network.n_outputs_)
        if self.units is None:
            return np.zeros(shape), np.ones(shape)
        center, scale = (np.broadcast_to(part[rows], shape) for part in self.units)
        return center, scale

    def feature_names(self, windows: Windows) -> list[str]:
        """Return the names of the features of windows; x0, x1 and so on if they have none."""
        n_features = windows.shape[2]
        for names in (windows.names, self.names, self.network._network.feature_names):
            if names and len(names) == n_features:
                return list(names)
        return [f"x{place}" for place in range(n_features)]


def find_network(estimator: Any, X: Any) -> Explained:
    """Find the network inside a fitted estimator, and transform X to its input.

    Parameters
    ----------
    estimator : estimator
        A :class:`~sklstm.MultiSeriesLSTMRegressor`, or a pipeline, search or
        :class:`~sklstm.PerSeriesTargetRegressor` around one.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``.

    Returns
    -------
    Explained

    Raises
    ------
    TypeError
        If the estimator holds no network, or several.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if isinstance(estimator, PerSeriesTargetRegressor):
        check_is_fitted(estimator)
        units = center_scale(estimator, X)
        return replace(find_network(estimator.regressor_, X), units=units)
    if isinstance(estimator, Pipeline):
        steps = estimator[:-1]
        found = find_network(estimator[-1], steps.transform(X) if len(steps) else X)
        return replace(found, names=found.names or _names_out(steps))
    if not isinstance(estimator, BaseLSTM):
        remedy = ""
        if hasattr(estimator, "forecast"):
            remedy = " Forecasters cannot be explained."
        elif hasattr(estimator, "estimators_"):
            remedy = " For an ensemble, pass its estimators_ one by one."
        raise TypeError(
            f"{type(estimator).__name__} is not a single network. Pass a fitted "
            "MultiSeriesLSTMRegressor, or a pipeline, search or PerSeriesTargetRegressor around "
            f"one.{remedy}"
        )
    check_is_fitted(estimator, "model_")
    return Explained(estimator, X)


def _names_out(steps: Pipeline) -> list[str] | None:
    """Return the names of the features that some steps return, or None if they have none."""
    try:
        return [str(name) for name in steps.get_feature_names_out()]
    except (AttributeError, ValueError):
        return None  # a step without names
