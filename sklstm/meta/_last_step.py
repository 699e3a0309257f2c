"""Call methods of the last step of a fitted pipeline that `Pipeline` does not forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.last_step import input_of_last_step


def predict_quantiles(estimator: Any, X: Any) -> np.ndarray:
    """Predict quantiles by a regressor, a pipeline or a search.

    `Pipeline` and `GridSearchCV` forward `predict`, but no further methods of their last step. This
    function transforms X by the steps before, and calls ``predict_quantiles`` of the last step.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator with ``predict_quantiles``, a fitted pipeline whose last step is one, or
        a fitted search over either, of which the best estimator is used.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``.

    Returns
    -------
    ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
        In the order of X and of the `quantiles` of the last step.

    Raises
    ------
    AttributeError
        If the last step does not predict quantiles.

    See Also
    --------
    make_series_scorer : With ``response_method="predict_quantiles"``, score quantiles in a search.
    sklstm.metrics.pinball_loss : Loss of predicted quantiles.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import MultiSeriesLSTMRegressor, WindowTransformer, predict_quantiles
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(n_series=5, random_state=0)
    >>> pipe = make_pipeline(
    ...     WindowTransformer(4, series="series", time="time"),
    ...     MultiSeriesLSTMRegressor(8, epochs=2, quantiles=(0.1, 0.9), random_state=0),
    ... )
    >>> predict_quantiles(pipe.fit(X, y), X).shape == (len(X), 2)
    True
    """
    step, X = input_of_last_step(estimator, X, "predict_quantiles")
    quantiles: np.ndarray = step.predict_quantiles(X)
    return quantiles


def prediction_interval(
    estimator: Any, X: Any, coverage: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Predict a central interval per row by a regressor, a pipeline or a search.

    It transforms X by the steps before the last one, and calls its ``prediction_interval``, as
    :func:`predict_quantiles` does with the method of that name.

    Parameters
    ----------
    estimator : estimator
        As in :func:`predict_quantiles`.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``.
    coverage : float, default=0.8
        Share of the targets in the interval, within what the `quantiles` of the network span.

    Returns
    -------
    lower, upper : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        In the order of X.

    Raises
    ------
    AttributeError
        If the last step does not predict intervals.

    See Also
    --------
    MultiSeriesLSTMRegressor : Its `calibration` makes the share hold for series never seen.
    sklstm.metrics.coverage : Share of the targets in intervals.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import MultiSeriesLSTMRegressor, WindowTransformer, prediction_interval
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(n_series=5, random_state=0)
    >>> pipe = make_pipeline(
    ...     WindowTransformer(4, series="series", time="time"),
    ...     MultiSeriesLSTMRegressor(8, epochs=2, quantiles=(0.1, 0.9), random_state=0),
    ... )
    >>> lower, upper = prediction_interval(pipe.fit(X, y), X, coverage=0.5)
    >>> bool((lower <= upper).all())
    True
    """
    step, X = input_of_last_step(estimator, X, "prediction_interval")
    interval: tuple[np.ndarray, np.ndarray] = step.prediction_interval(X, coverage)
    return interval


def series_report(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None, series_ids: Any = None
) -> pd.DataFrame:
    """Report the weight of each series and the errors of its predictions.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`MultiSeriesLSTMRegressor`, a fitted pipeline whose last step is one, or a
        fitted search over either, of which the best estimator is used.
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        As in ``estimator.predict``.
    y, sample_weight, series_ids
        As in :meth:`MultiSeriesLSTMRegressor.fit`.

    Returns
    -------
    DataFrame
        As :meth:`MultiSeriesLSTMRegressor.series_report` returns it: one row per series.

    Raises
    ------
    AttributeError
        If the last step has no ``series_report``.
    """
    step, X = input_of_last_step(estimator, X, "series_report")
    report: pd.DataFrame = step.series_report(X, y, sample_weight, series_ids)
    return report
