"""Express the scaling of targets as a center and a scale per row."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklstm.meta._target_regressor import PerSeriesTargetRegressor, panel_of_targets


def center_scale(estimator: PerSeriesTargetRegressor, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the center and scale that map scaled predictions of rows to the units of y.

    Parameters
    ----------
    estimator : PerSeriesTargetRegressor
        A fitted estimator.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        As in its `predict`.

    Returns
    -------
    center, scale : ndarray of shape (n_rows, n_outputs) or (n_rows, 1)

    Raises
    ------
    ValueError
        If the scaler is a transformer, whose map may be of another kind.
    """
    estimator._check_unchanged(reset=False)
    if not isinstance(estimator.scaler, str):
        raise ValueError(
            f"scaler={estimator.scaler!r} is a transformer, whose map may not be linear, so its "
            "scale per row is unknown. Pass the regressor_ of this "
            f"{type(estimator).__name__}, for results in scaled units."
        )
    scaler = estimator.scaler_
    if estimator.target is not None:
        return scaler.center_scale(X)
    ids, n_outputs = estimator._ids(X), scaler.n_features_in_
    levels = (panel_of_targets(np.full((len(ids), n_outputs), level), ids) for level in (0.0, 1.0))
    center, raised = (np.asarray(scaler.inverse_transform(level)) for level in levels)
    return center, raised - center
