"""Scores in which every series counts the same."""

from __future__ import annotations

from functools import partial
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, make_scorer
from sklearn.utils._param_validation import (
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import check_consistent_length

from sklstm._panel.read import read_series_rows
from sklstm._panel.rows import run_starts
from sklstm.metrics import LOSSES, WEIGHTED_MEANS, check_pair


class _GivenPredictions(RegressorMixin, BaseEstimator):
    """Predicts its input: a scorer's way to predictions that are there already."""

    def predict(self, X):
        return X


class _SeriesScorer:
    """What `make_series_scorer` returns."""

    def __init__(self, metric, greater_is_better, scorer, average, series, time):
        self._metric = metric
        self._greater_is_better = greater_is_better
        self._scorer = scorer
        self._average = average
        self._series = series
        self._time = time

    def __call__(self, estimator, X, y):
        """Score the predictions of `estimator` for X against y."""
        if len(X) == 0:
            raise ValueError("X has no rows: there is nothing to score.")
        rows = read_series_rows(X, self._series, self._time)
        true, predicted = check_pair(y, estimator.predict(X))
        check_consistent_length(X, true)
        if np.isnan(true).all():
            raise ValueError("y holds missing values only: there is nothing to score.")
        name = self._series if isinstance(self._series, str) else "series"
        order = rows.sorting
        true, predicted, codes = true[order], predicted[order], rows.codes[order]
        labels = rows.ids.take(codes).rename(name)
        if self._average == "micro":
            codes = np.zeros_like(codes)
        if self._average is not None and _is_weighted_mean(self._metric):
            return _score_at_once(self._scorer, codes, labels, true, predicted)
        starts = run_starts(codes)
        scores = [
            _score_known(self._scorer, labels[at], true[at], predicted[at])
            for at in map(slice, starts, [*starts[1:], len(codes)])
        ]
        scores = pd.Series(scores, index=labels[starts], name="score")
        return scores if self._average is None else float(scores.mean())

    def __repr__(self):
        options = {"average": self._average, "series": self._series, "time": self._time}
        if not isinstance(self._metric, str):
            options["greater_is_better"] = self._greater_is_better
        shown = [_name(self._metric), *(f"{key}={value!r}" for key, value in options.items())]
        return f"make_series_scorer({', '.join(shown)})"


def _score_known(scorer, labels, true, predicted) -> float:
    """Score the known elements of some rows; NaN where none is known."""
    known = ~np.isnan(true)

    def score(rows, columns):
        y_true = pd.DataFrame(true[rows, columns], index=labels[rows]).squeeze(axis=1)
        return scorer(_GivenPredictions(), predicted[rows, columns].reshape(y_true.shape), y_true)

    if known.all():
        return float(score(slice(None), slice(None)))
    by_output = [score(rows, j) for j, rows in enumerate(known.T) if rows.any()]
    return float(pd.Series(by_output, dtype=float).mean())


def _score_at_once(scorer, codes, labels, true, predicted) -> float:
    """Mean of `_score_known` over the series, for metrics that are weighted means.

    A series' mean over outputs of means over rows is one weighted mean over its elements,
    so one call does for all series: with many series, calls are what takes time.
    """
    known = ~np.isnan(true)
    counts = np.zeros((codes.max() + 1, true.shape[1]))
    np.add.at(counts, codes, known)
    n_outputs = (counts > 0).sum(axis=1, keepdims=True)
    weights = 1 / (counts * n_outputs)[codes][known]
    y_true = pd.Series(true[known], index=labels[np.nonzero(known)[0]])
    return float(scorer(_GivenPredictions(), predicted[known], y_true, sample_weight=weights))


def _function(metric):
    """Return the function behind a metric, and the arguments that are given already."""
    given: dict = {}
    while isinstance(metric, partial):
        metric, given = metric.func, {**metric.keywords, **given}
    return metric, given


def _name(metric) -> str:
    if isinstance(metric, str):
        return repr(metric)
    function, given = _function(metric)
    name = getattr(function, "__name__", repr(function))
    return f"partial({', '.join([name, *(f'{key}=...' for key in given)])})" if given else name


def _is_weighted_mean(metric) -> bool:
    """Whether a metric is known to be a mean over rows that takes weights."""
    if isinstance(metric, str):
        return metric.startswith("neg_mean_")
    function, given = _function(metric)
    if "multioutput" in given:
        return False
    return function in WEIGHTED_MEANS or (
        _of_scikit_learn(function) and function.__name__.startswith("mean_")
    )


def _of_scikit_learn(function) -> bool:
    return getattr(function, "__module__", "").startswith("sklearn.")


def _greater_is_better(metric) -> bool:
    """Whether a metric is a score, as far as it is known."""
    function, _ = _function(metric)
    if function in LOSSES:
        return False
    if _of_scikit_learn(function):
        # What scikit-learn promises of the names of its metrics.
        if function.__name__.endswith("_score"):
            return True
        if function.__name__.endswith(("_error", "_loss", "_deviance")):
            return False
    raise ValueError(f"Is {_name(metric)} a score or a loss? Say greater_is_better=True or False.")


@validate_params(
    {
        "metric": [str, callable],
        "average": [StrOptions({"macro", "micro"}), None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
        "greater_is_better": ["boolean", None],
    },
    prefer_skip_nested_validation=True,
)
def make_series_scorer(metric, *, average="macro", series=None, time=None, greater_is_better=None):
    """Make a scorer in which every series counts the same, however long it is.

    Parameters
    ----------
    metric : str or callable
        Name of a scikit-learn scorer that needs predictions only, such as
        "neg_mean_absolute_error", or a function ``metric(y_true, y_pred)`` that returns one
        number.
    average : {"macro", "micro"} or None, default="macro"
        "macro": the plain mean of the scores of the series. "micro": one score over the rows
        of all series. None: no average but a Series of scores by id, for a look; searches
        need a number.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time in the
        panel that is scored. ``series=None``: all rows are one series. With `time`, the
        metric gets the rows of a series in time order. Where X are
        :class:`~sklstm.Windows`, leave both out.
    greater_is_better : bool, default=None
        Whether `metric` is a score or a loss, whose sign the scorer turns. None: known for
        scikit-learn's metrics and for those of :mod:`sklstm.metrics`; any other function
        needs it.

    Returns
    -------
    callable
        A scorer ``(estimator, X, y)`` for searches and cross-validation; greater is better.

    Raises
    ------
    ValueError
        If `metric` needs more than predictions, or nobody knows whether it is a loss.

    Notes
    -----
    **Missing targets.** Missing elements of y are left out. With several outputs the metric
    gets the whole (n_rows, n_outputs) block of a series where all its elements are known;
    else it gets one output after the other, and each output counts the same. A series
    without a score (no known target, or NaN from the metric) does not enter the average.

    **What is known by id.** `y_true` comes as a Series or DataFrame whose index holds the ids
    and has the name of `series` ("series" where that is no text). So
    ``partial(mase, scale=seasonal_scale(train, series="shop", time="day"))`` finds the
    scale of each shop.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklstm import make_series_scorer
    >>> X = pd.DataFrame({"shop": ["a", "a", "a", "b"], "x": 0.0})
    >>> y = [1.0, 1.0, float("nan"), 4.0]
    >>> zero = DummyRegressor(strategy="constant", constant=0.0).fit(X, [0.0] * 4)
    >>> make_series_scorer("neg_mean_absolute_error", series="shop")(zero, X, y)
    -2.5
    >>> make_series_scorer("neg_mean_absolute_error", average="micro", series="shop")(zero, X, y)
    -2.0
    """
    if isinstance(metric, str):
        if greater_is_better is not None:
            raise ValueError(
                f"The scorer {metric!r} knows its sign: leave out greater_is_better, or pass a "
                "function as metric."
            )
        scorer = get_scorer(metric)
        try:
            scorer(_GivenPredictions(), np.array([1.0, 2.0]), np.array([1.0, 2.0]))
        except AttributeError as error:
            raise ValueError(
                f"The scorer {metric!r} needs more than predictions; choose one that needs only "
                "predict, such as 'neg_mean_absolute_error'."
            ) from error
    else:
        if greater_is_better is None:
            greater_is_better = _greater_is_better(metric)
        scorer = make_scorer(metric, greater_is_better=greater_is_better)
    return _SeriesScorer(metric, greater_is_better, scorer, average, series, time)
