"""Ensemble of classifiers that are trained on different sets of series."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.shared_docs import with_parameters_of
from sklstm.lstm._labels import Labels, check_classes
from sklstm.meta._base_ensemble import BaseSeriesEnsemble
from sklstm.meta._combination import mean_squared_errors
from sklstm.meta._ensemble_regressor import SeriesEnsembleRegressor


def _predict_proba(classes, member, X):
    """Predict the probabilities of `classes`, of which the member may know some."""
    probability = np.zeros((X.shape[0], len(classes)))
    probability[:, np.searchsorted(classes, member.classes_)] = member.predict_proba(X)
    return probability


@with_parameters_of(SeriesEnsembleRegressor)
class SeriesEnsembleClassifier(ClassifierMixin, BaseSeriesEnsemble):
    """Fit clones of a classifier on different sets of series, and average their probabilities.

    It is the twin of :class:`SeriesEnsembleRegressor`, and similar to scikit-learn's
    `BaggingClassifier`, but it draws whole series instead of rows.

    Parameters
    ----------
    {parameters of the regressor}
    estimator : estimator
        A classifier with `predict_proba`, or a pipeline whose last step is one. Clones of it are
        fitted.
    combine : {"mean", "error"}, default="mean"
        How the probabilities of several members are combined per row. "error" computes a weighted
        mean, with weights inversely proportional to the mean squared error of the probabilities of
        each member (its Brier score). The error is computed on the series in fit that the member
        was not trained on. A member without such series is given the mean error of the other
        members. If no member has an error, as with "all", all have the same weight.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimators_ : list of estimator
        The members. A member whose series lack a class predicts the probability 0 for it.
    draws_ : DataFrame of shape (n_series, n_members)
        How often each member is trained on each series in fit; see
        :class:`SeriesEnsembleRegressor`.
    assignment_ : Series of shape (n_series,)
        The member of each series; with "bootstrap" and "all", a tuple of members.
    weights_ : ndarray of shape (n_members, 1)
        Weights with which the members are combined.
    errors_ : ndarray of shape (n_members, 1) or None
        With ``combine="error"``, the mean squared errors of the members, NaN where unknown.
    features_ : DataFrame of shape (n_series, 3 * n_columns) or None
        With "cluster", the features of the series in fit.
    clusterer_ : Pipeline or None
        With "cluster", the pipeline that assigns features to a member.
    n_features_in_ : int
        Number of columns seen in fit, including ids, if the members have it.
    feature_names_in_ : ndarray of str
        Names of these columns, if the members have them.

    See Also
    --------
    SeriesEnsembleRegressor : The same for numbers; its notes hold here too.
    MultiSeriesLSTMClassifier : Train one network for all series.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import (
    ...     MultiSeriesLSTMClassifier, PerSeriesScaler, SeriesEnsembleClassifier, WindowTransformer,
    ... )
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(random_state=0)
    >>> pipe = make_pipeline(
    ...     PerSeriesScaler(series="series", time="time"),
    ...     WindowTransformer(10, series="series", time="time"),
    ...     SeriesEnsembleClassifier(
    ...         MultiSeriesLSTMClassifier(8, epochs=2), n_estimators=2, random_state=0
    ...     ),
    ... )
    >>> pipe.fit(X, y > X["x0"]).predict_proba(X).shape == (len(X), 2)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = BaseSeriesEnsemble._parameter_constraints | {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "combine": [StrOptions({"mean", "error"})],
    }

    def predict_proba(self, X: Any, series_ids: Any = None) -> np.ndarray:
        """Predict the probability of each class, for every row.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        probability, _ = self._combine(X, series_ids, self._predict_values)
        return probability

    def predict(self, X: Any, series_ids: Any = None) -> np.ndarray:
        """Predict the label of every row: that of the most probable class.

        Parameters
        ----------
        X, series_ids
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        probability = self.predict_proba(X, series_ids)
        return self.classes_[probability.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None, series_ids: Any = None) -> float:
        """Compute the accuracy over the rows with a known label.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        y : array-like of shape (n_rows,)
            Label of each row; None or NaN where it is unknown.
        sample_weight : array-like of shape (n_rows,), default=None
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, if they were passed to `fit`.

        Returns
        -------
        float
        """
        predicted = self.predict(X, series_ids)
        labels = Labels.read(y, type(self).__name__, len(predicted))
        return labels.accuracy(predicted, sample_weight)

    # ---------------------------------------------------------------------------- targets

    def _read_targets(self, y, n_rows):
        labels = Labels.read(y, type(self).__name__, n_rows)
        self.classes_: np.ndarray = check_classes(np.unique(labels.values), type(self).__name__)
        return labels.given, labels.indicators(self.classes_)

    @property
    def _predict_values(self):
        return partial(_predict_proba, self.classes_)

    def _mean_errors(self, targets, predicted, weights):
        return mean_squared_errors(targets, predicted, weights).mean(keepdims=True)

    def __sklearn_tags__(self):
        return self._with_tags_of_members(super().__sklearn_tags__())
