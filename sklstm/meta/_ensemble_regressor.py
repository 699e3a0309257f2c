"""Ensemble of regressors that are trained on different sets of series."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from sklstm._panel.lives import separate_lives, with_times
from sklstm.lstm._targets import check_targets
from sklstm.meta._base_ensemble import BaseSeriesEnsemble
from sklstm.meta._combination import mean_squared_errors
from sklstm.meta._delegation import has_intervals, has_quantiles, score_known
from sklstm.meta._last_step import predict_quantiles, prediction_interval


def _predict(member, X):
    return member.predict(X)


def _bounds(member, X, coverage):
    return np.stack(prediction_interval(member, X, coverage), axis=-1)


def _first_member(ensemble):
    return getattr(ensemble, "estimators_", [ensemble.estimator])[0]


def _members_have_quantiles(ensemble):
    return has_quantiles(_first_member(ensemble))


def _members_have_intervals(ensemble):
    return has_intervals(_first_member(ensemble))


class SeriesEnsembleRegressor(RegressorMixin, BaseSeriesEnsemble):
    """Fit clones of a regressor on different sets of series, and combine their predictions.

    The ensemble is similar to scikit-learn's `BaggingRegressor`, but it draws whole series instead
    of rows. The differences between the members then reflect the differences between series, which
    is how new series differ from those seen in fit. With ``assign="cluster"`` or a dict, each
    member specialises in one kind of series.

    Parameters
    ----------
    estimator : estimator
        A regressor, or a pipeline whose last step is one. Clones of it are fitted.
    n_estimators : int, default=5
        Number of members. Ignored if `assign` is a dict, which determines the number.
    assign : {"bootstrap", "partition", "cluster", "all"}, dict or Series, default="bootstrap"
        The series on which each member is trained.

        - "bootstrap": as many series as there are in fit, drawn with replacement. Each row of a
          drawn series is passed once. Its `sample_weight` is multiplied by the number of times that
          the series was drawn, if the estimator's `fit` takes sample weights.
        - "partition": a random partition of the series into sets whose sizes differ by at most
          one, for members that are each trained on little data.
        - "cluster": the series of one of `n_estimators` clusters (k-means) of features of the
          series: mean, standard deviation and mean absolute change of each column.
        - "all": all series. Members differ by their seeds only (deep ensembles). This is often the
          best choice for few series, since a bootstrap sample contains 63% of them.
        - a dict or Series of labels by id: the series of one label. Every series in fit needs a
          label. Additional ids are allowed, since a fold contains only some of the series.
    combine : {"mean", "median", "error"}, default="mean"
        How the predictions of several members are combined per row. "error" computes a weighted
        mean, with weights inversely proportional to the mean squared error of each member, for each
        output separately. The error is computed on the series in fit that the member was not
        trained on. A member without such series, or without known targets in them, is given the
        mean error of the other members. If no member has an error, as with "all", all have the same
        weight.
    columns : list of str or int, default=None
        The features from which clusters are made, by default all.
    series : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the ids. `Windows` carry
        their ids.
    time : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the time. With None, the
        rows of each series must already be in time order. Only "cluster" needs the order.
    n_jobs : int, default=None
        Number of members that are fitted or applied at a time, in threads that share the data. None
        means 1 unless in a `joblib.parallel_config` context. One :class:`MultiSeriesLSTMRegressor`
        uses all cores by itself.
    random_state : int, RandomState instance or None, default=None
        Seed of the assignment of series, and of each parameter named ``random_state`` of each
        member.
    verbose : int, default=0
        1 shows one progress bar over the fits of all members.

    Attributes
    ----------
    estimators_ : list of estimator
        The members.
    draws_ : DataFrame of shape (n_series, n_members)
        How often each member is trained on each series in fit. Series without a known target of
        positive weight are left out. The columns are the numbers of the members, or the labels of
        the dict.
    assignment_ : Series of shape (n_series,)
        The member of each series; with "bootstrap" and "all", a tuple of members.
    weights_ : ndarray of shape (n_members, n_outputs)
        Weights with which the members are combined.
    errors_ : ndarray of shape (n_members, n_outputs) or None
        With ``combine="error"``, the mean squared errors of the members, NaN where unknown. None
        with "cluster", which does not combine members.
    features_ : DataFrame of shape (n_series, 3 * n_columns) or None
        With "cluster", the features of the series in fit: ``mean_``, ``deviation_`` and ``step_``
        (mean absolute change) of each column.
    clusterer_ : Pipeline or None
        With "cluster", the pipeline that assigns features to a member: mean imputation,
        `StandardScaler` and `KMeans`.
    n_features_in_ : int
        Number of columns seen in fit, including ids, if the members have it.
    feature_names_in_ : ndarray of str
        Names of these columns, if the members have them.

    See Also
    --------
    MultiSeriesLSTMRegressor : Train one network for all series.

    Notes
    -----
    **Prediction.** With "bootstrap" and "all", the predictions of all members are combined. With
    "partition", "cluster" and a dict, a series seen in fit is predicted by its own member. A new
    series is predicted by

    - all members together, with "partition";
    - the member of its label, or all members if it has no label, with a dict;
    - the member whose cluster contains the features of the series up to and including the row, with
      "cluster". The member may differ from row to row.

    **Features of clusters** are computed from the rows that are passed. In a table, these are the
    rows of the series up to and including the row. With `Windows` or a 3-D array, they are the rows
    in its own window and in earlier windows of its series. The features therefore cover at least
    one window length, and the last window of a series may be passed alone. Missing values are
    ignored. A feature that is not known yet is replaced by its mean over the series in fit. After
    scaling per series, the features no longer contain levels and scales of the series. To cluster
    by them, include the scaler in the estimator.

    **Tables.** Members that are pipelines receive whole series. A member that remembers the last
    rows of its series, as `WindowTransformer` does if `time` is known, remembers them only for the
    series on which it was trained. Therefore pass new rows with their history, or place scaler
    and windows before the ensemble. In the second case they are computed once, and members share
    their rows (if they are float32, the dtype of the net).

    **Weights.** Series in fit without a known target of positive weight are assigned to no member.
    With ``series_weight="balanced"``, the default, a :class:`MultiSeriesLSTMRegressor` weights all
    series equally, however often they were drawn. With ``series_weight=None``, a series drawn more
    often has more weight. Regressors without `sample_weight` are trained on every drawn series
    once.

    **Without ids** (no `series`, no `series_ids`, no `Windows`), every row is a series of its own,
    as in `BaggingRegressor`.

    References
    ----------
    L. Breiman, Bagging predictors, Machine Learning 24, 1996.
    B. Lakshminarayanan, A. Pritzel, C. Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017.
    K. Bandara, C. Bergmeir, S. Smyl, Forecasting across time series databases using recurrent
    neural networks on groups of similar series, Expert Systems with Applications 140, 2020.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import (
    ...     MultiSeriesLSTMRegressor, PerSeriesScaler, SeriesEnsembleRegressor, WindowTransformer,
    ... )
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(random_state=0)
    >>> pipe = make_pipeline(
    ...     PerSeriesScaler(series="series", time="time"),
    ...     WindowTransformer(10, series="series", time="time"),
    ...     SeriesEnsembleRegressor(
    ...         MultiSeriesLSTMRegressor(8, epochs=2), n_estimators=2, random_state=0
    ...     ),
    ... )
    >>> predicted, spread = pipe.fit(X, y).predict(X, return_std=True)
    >>> predicted.shape == spread.shape == (len(X),)
    True
    >>> pipe[-1].assignment_.loc[[0, 1, 2]].tolist()
    [(0, 1), (0, 1), ()]
    """

    # -------------------------------------------------------------------------- applying

    def predict(self, X: Any, return_std: bool = False, series_ids: Any = None) -> Any:
        """Predict the target of each row.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        return_std : bool, default=False
            Whether to also return the spread of the members. It measures how much the members
            disagree, not the distance between prediction and target.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        predicted : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X, and of the shape that the members predict.
        spread : ndarray of the same shape
            Only with `return_std`: standard deviation of the members' predictions around their
            mean, with the weights of the members. NaN for rows that a single member predicts.
        """
        predicted, spread = self._combine(X, series_ids, _predict)
        return (predicted, spread) if return_std else predicted

    @available_if(_members_have_quantiles)
    def predict_quantiles(self, X: Any, series_ids: Any = None) -> np.ndarray:
        """Predict quantiles of each row, combined over the members for each level.

        The method exists if the estimator, or the last step of a pipeline, has it.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            In the order of X.
        """
        return self._combine(X, series_ids, predict_quantiles)[0]

    @available_if(_members_have_intervals)
    def prediction_interval(
        self, X: Any, coverage: float = 0.8, series_ids: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict a central interval per row, whose bounds are combined over the members.

        The method exists if the estimator, or the last step of a pipeline, has it. If the members
        are calibrated, the share of targets in their combined interval is rather above `coverage`
        than below: their errors cancel in part.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        coverage : float, default=0.8
            Share of the targets in the interval.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        lower, upper : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X.
        """
        bounds = self._combine(X, series_ids, partial(_bounds, coverage=coverage))[0]
        return bounds[..., 0], bounds[..., 1]

    def score(self, X: Any, y: Any, sample_weight: Any = None, series_ids: Any = None) -> float:
        """Compute the coefficient of determination, ignoring missing target elements.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            NaN elements are ignored.
        sample_weight : array-like of shape (n_rows,), default=None
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        float
            Mean over the outputs with a known target.
        """
        predicted = self.predict(X, series_ids=series_ids)
        return score_known(predicted, y, sample_weight, type(self).__name__)

    # ---------------------------------------------------------------------------- targets

    def _read_targets(self, y, n_rows):
        times, _ = separate_lives(y)
        targets, one_dimensional = check_targets(times, n_rows, type(self).__name__)
        return with_times(y, targets[:, 0] if one_dimensional else targets), targets

    @property
    def _predict_values(self):
        return _predict

    def _mean_errors(self, targets, predicted, weights):
        return mean_squared_errors(targets, predicted, weights)

    def __sklearn_tags__(self):
        return self._with_tags_of_members(super().__sklearn_tags__())
