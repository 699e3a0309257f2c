"""Score predictions per series and average the scores.

This module is long because of its docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklstm._panel.frames import as_plain
from sklstm._panel.read import read_series_rows
from sklstm._panel.show import did_you_mean
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm.meta import predict_quantiles
from sklstm.metrics import LOSSES, WEIGHTED_MEANS, check_pair, coverage
from sklstm.model_selection._sums_by_series import METRICS, score_by_series

Metric = Callable[..., float]


class _GivenPredictions(RegressorMixin, BaseEstimator):
    """Return the input as predictions, so that scikit-learn's scorers can score them."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X


class _SeriesScorer:
    """Score an estimator per series; made by `make_series_scorer`.

    It is none of scikit-learn's own scorers: packages take those apart, and call the metric with y
    and predictions alone.
    """

    def __init__(
        self,
        metric: str | Metric,
        greater_is_better: bool | None,
        scorer: Metric,
        average: str | None,
        response_method: str,
        series: str | int | None,
        time: str | int | None,
    ) -> None:
        self._metric = metric
        self._greater_is_better = greater_is_better
        self._scorer = scorer
        self._average = average
        self._response_method = response_method
        self._series = series
        self._time = time
        self._weight_request: bool | str | None = None

    def __call__(
        self,
        estimator: Any,
        X: ArrayLike | pd.DataFrame | Windows,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float | pd.Series:
        """Score the predictions of `estimator` for X against y."""
        if y is None:
            raise ValueError(
                "y is None: there is nothing to compare the predictions with. Pass the targets, "
                "such as those of make_targets, or leave scoring=None: a MultiSeriesForecaster has "
                "a score of its own, which needs no y."
            )
        table = as_plain(X)
        if _num_samples(table) == 0:
            raise ValueError("X has no rows: there is nothing to score.")
        rows = read_series_rows(table, self._series, self._time)
        true, predicted = self._true_and_predicted(estimator, X, y)
        check_consistent_length(table, true)
        if sample_weight is not None:
            self._check_takes_weights()
        weights = check_weights(sample_weight, len(true))
        counted = rows.sort(weights) > 0
        sorted_parts = (rows.sort(part)[counted] for part in (true, predicted, rows.codes, weights))
        true, predicted, codes, weights = sorted_parts
        if np.isnan(true).all():
            raise ValueError("All values of y are missing: there is nothing to score.")
        name = self._series if isinstance(self._series, str) else "series"
        labels = rows.ids.take(codes).rename(name)
        if self._average == "micro":
            codes = np.zeros_like(codes)
        if self._average is not None and _is_weighted_mean(self._metric):
            return self._score_in_one_call(codes, labels, true, predicted, weights)
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        function, given = _unwrap(self._scorer._score_func)  # type: ignore[attr-defined]
        if not given and any(function is metric for metric in METRICS):
            sign = self._scorer._sign  # type: ignore[attr-defined]
            values = sign * score_by_series(function, true, predicted, weights, starts)
        else:
            options = {} if sample_weight is None else {"sample_weight": weights}
            values = [
                self._score_series(labels[part], true[part], predicted[part], _take(options, part))
                for part in map(slice, starts, [*starts[1:], len(codes)])
            ]
        scores = pd.Series(values, index=labels[starts], name="score")
        return scores if self._average is None else float(scores.mean())

    def _true_and_predicted(self, estimator: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the targets (n_rows, n_outputs) and the predictions, or quantiles of each."""
        if self._response_method == "predict":
            return check_pair(y, estimator.predict(X))
        quantiles = predict_quantiles(estimator, X)
        true, _ = check_pair(y, quantiles[..., 0], "predict_quantiles(X)")
        return true, quantiles.reshape(*true.shape, -1)

    def _check_takes_weights(self) -> None:
        if not self._accept_sample_weight():
            raise ValueError(
                f"metric={_metric_name(self._metric)} takes no sample_weight: leave the weights "
                "out, or choose a metric that takes them, such as 'neg_mean_absolute_error'."
            )

    def _score_series(
        self,
        labels: pd.Index,
        true: np.ndarray,
        predicted: np.ndarray,
        options: dict[str, np.ndarray],
    ) -> float:
        """Score the known targets of some rows; NaN if none is known."""
        known = ~np.isnan(true)

        def score(rows: Any, columns: Any) -> float:
            y_true = pd.DataFrame(true[rows, columns], index=labels[rows]).squeeze(axis=1)
            y_pred = predicted[rows, columns].reshape(y_true.shape + predicted.shape[2:])
            return self._call(y_true, y_pred, **_take(options, rows))

        if known.all():
            return score(slice(None), slice(None))
        by_output = [score(rows, j) for j, rows in enumerate(known.T) if rows.any()]
        return float(pd.Series(by_output, dtype=float).mean())

    def _score_in_one_call(
        self,
        codes: np.ndarray,
        labels: pd.Index,
        true: np.ndarray,
        predicted: np.ndarray,
        weights: np.ndarray,
    ) -> float:
        """Compute the mean of `_score_series` over the series, for metrics that are weighted means.

        The score of a series is a mean over outputs of means over rows, that is, one weighted mean
        of its elements. So one call scores all series. With many series, calls take most of the
        time.
        """
        known = ~np.isnan(true)
        totals = np.zeros((codes.max() + 1, true.shape[1]))
        np.add.at(totals, codes, known * weights[:, np.newaxis])
        n_outputs = (totals > 0).sum(axis=1, keepdims=True)
        rows = np.nonzero(known)[0]
        shares = weights[rows] / (totals * n_outputs)[codes][known]
        y_true = pd.Series(true[known], index=labels[rows])
        return self._call(y_true, predicted[known], sample_weight=shares)

    def _call(self, y_true: pd.Series | pd.DataFrame, y_pred: np.ndarray, **options: Any) -> float:
        score: Any = self._scorer(_GivenPredictions(), y_pred, y_true, **options)
        if np.ndim(score) > 0:
            raise TypeError(
                f"metric={_metric_name(self._metric)} returned a {type(score).__name__}, expected "
                "a number. Return the mean over the rows, or one of its elements."
            )
        return float(score)

    def _accept_sample_weight(self) -> bool:
        """Whether the metric takes weights; scikit-learn's searches ask for it by this name."""
        return "sample_weight" in signature(self._scorer._score_func).parameters  # type: ignore[attr-defined]

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request the weights, as scorers of scikit-learn do, where metadata routing is enabled.

        Parameters
        ----------
        sample_weight : bool, str or None
            Whether to pass the weights, or the name under which they are passed. None: weights that
            are passed raise an error.

        Returns
        -------
        self
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request needs metadata routing: enable it with "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        self._check_takes_weights()
        self._weight_request = sample_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the requested metadata: the weights, if the metric takes them."""
        requests = MetadataRequest(owner=self)
        if self._accept_sample_weight():
            requests.score.add_request(param="sample_weight", alias=self._weight_request)
        return requests

    def __repr__(self) -> str:
        options = {"average": self._average, "series": self._series, "time": self._time}
        if self._response_method != "predict":
            options["response_method"] = self._response_method
        if not isinstance(self._metric, str):
            options["greater_is_better"] = self._greater_is_better
        shown = ", ".join(f"{key}={value!r}" for key, value in options.items())
        return f"make_series_scorer({_metric_name(self._metric)}, {shown})"


def _take(per_row: dict[str, np.ndarray], rows: Any) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in per_row.items()}


def _unwrap(metric: Any) -> tuple[Any, dict[str, Any]]:
    """Return the function inside `functools.partial` objects, and their keyword arguments."""
    given: dict[str, Any] = {}
    while isinstance(metric, partial):
        metric, given = metric.func, {**metric.keywords, **given}
    return metric, given


def _metric_name(metric: str | Metric) -> str:
    if isinstance(metric, str):
        return repr(metric)
    function, given = _unwrap(metric)
    name = getattr(function, "__name__", repr(function))
    return f"partial({', '.join([name, *(f'{key}=...' for key in given)])})" if given else name


def _is_weighted_mean(metric: str | Metric) -> bool:
    """Whether a metric is known to be a mean over rows that takes weights."""
    if isinstance(metric, str):
        return metric.startswith("neg_mean_")
    function, given = _unwrap(metric)
    if "multioutput" in given:
        return False
    return function in WEIGHTED_MEANS or (
        _is_from_sklearn(function) and function.__name__.startswith("mean_")
    )


def _is_from_sklearn(function: Any) -> bool:
    # The module of a function that `exec` defines is None.
    return (getattr(function, "__module__", None) or "").startswith("sklearn.")


def _infer_greater_is_better(metric: Metric) -> bool:
    """Whether a metric is a score (True) or a loss (False); raise if it is unknown."""
    function, _ = _unwrap(metric)
    if function in LOSSES:
        return False
    if _is_from_sklearn(function):
        # scikit-learn documents these name endings.
        if function.__name__.endswith("_score"):
            return True
        if function.__name__.endswith(("_error", "_loss", "_deviance")):
            return False
    raise ValueError(
        f"It is unknown whether metric={_metric_name(metric)} is a score or a loss: pass "
        "greater_is_better=True for a score, False for a loss."
    )


def _check_arguments(metric: Metric) -> None:
    """Raise ValueError if a function needs more than the true and the predicted values."""
    try:
        parameters = list(signature(metric).parameters.values())
    except (TypeError, ValueError):  # a function that is not written in Python
        return
    needed = [
        each.name
        for number, each in enumerate(parameters)
        if each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and (number >= 2 or each.kind is each.KEYWORD_ONLY)
    ]
    if needed:
        name = getattr(metric, "__name__", "metric")
        raise ValueError(
            f"metric={_metric_name(metric)} needs the arguments {needed} besides y_true and "
            f"y_pred. Set them: functools.partial({name}, {needed[0]}=...)."
        )


def _check_no_values_per_row(metric: Metric) -> None:
    """Raise ValueError if a metric holds values of rows, which a scorer sorts and selects."""
    function, given = _unwrap(metric)
    names = ["sample_weight"]
    if function in (*LOSSES, coverage):
        names += ["scale", "lower", "upper"]
    for name in names:
        value: Any = given.get(name)
        if np.ndim(value) > 0 and not (name == "scale" and isinstance(value, pd.Series)):
            raise ValueError(
                f"metric={_metric_name(metric)} holds one {name} per row, and the scorer passes "
                "other rows in another order. Pass a scale as a Series by id, as seasonal_scale "
                "returns it, sample_weight to the scorer, and bounds as predictions, with "
                "response_method='predict_quantiles'."
            )


def _get_named_scorer(name: str) -> Metric:
    """Return scikit-learn's scorer of this name, if it needs predictions only."""
    if name not in (names := get_scorer_names()):
        remedy = did_you_mean(name, names, "See sklearn.metrics.get_scorer_names().")
        raise ValueError(f"metric={name!r} is not a scorer of scikit-learn. {remedy}")
    scorer: Metric = get_scorer(name)
    try:
        scorer(_GivenPredictions(), np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    except AttributeError as error:
        raise ValueError(
            f"The scorer {name!r} needs more than predictions; choose one that needs only "
            "predict, such as 'neg_mean_absolute_error'."
        ) from error
    return scorer


@validate_params(
    {
        "metric": [str, callable],
        "average": [StrOptions({"macro", "micro"}), None],
        "response_method": [StrOptions({"predict", "predict_quantiles"})],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
        "greater_is_better": ["boolean", None],
    },
    prefer_skip_nested_validation=True,
)
def make_series_scorer(
    metric: str | Callable[..., float],
    *,
    average: str | None = "macro",
    response_method: str = "predict",
    series: str | int | None = None,
    time: str | int | None = None,
    greater_is_better: bool | None = None,
) -> Callable[[Any, ArrayLike | pd.DataFrame | Windows, ArrayLike], float | pd.Series]:
    """Make a scorer that weights every series equally, whatever its length.

    Parameters
    ----------
    metric : str or callable
        Name of a scikit-learn scorer that needs predictions only, such as
        "neg_mean_absolute_error", or a function ``metric(y_true, y_pred)`` that returns a
        number.
    average : {"macro", "micro"} or None, default="macro"
        How the scores of the series are averaged.

        - "macro": the mean of the scores of the series;
        - "micro": one score over the rows of all series;
        - None: no average. The scorer returns a Series of scores by id. Use it to inspect the
          scores; searches need a single number.
    response_method : {"predict", "predict_quantiles"}, default="predict"
        The method of the estimator whose values `metric` receives. With "predict_quantiles",
        `metric` must be a function, such as
        ``partial(pinball_loss, quantiles=[0.1, 0.5, 0.9])``. The quantiles are those of the last
        step of a pipeline or search, as :func:`predict_quantiles` returns them.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time in the
        panel that is scored. ``series=None``: all rows are one series. With `time`, the metric
        receives the rows of a series in time order. Leave both out if X is a
        :class:`~sklstm.Windows` object.
    greater_is_better : bool, default=None
        Whether `metric` is a score (True) or a loss (False). The scorer negates losses. None:
        inferred for the metrics of scikit-learn and of `sklstm.metrics`; required for other
        functions.

    Returns
    -------
    callable
        A scorer ``(estimator, X, y, sample_weight=None)`` for searches and cross-validation;
        greater is better. With scikit-learn's metadata routing, ``set_score_request`` requests the
        weights.

    Raises
    ------
    ValueError
        If `metric` needs more than predictions or holds values per row, or if it is a
        function of another package and `greater_is_better` is None. When scoring, if y is None.

    Notes
    -----
    **Missing targets.** Missing elements of y are left out. If y has several outputs and all
    elements of a series are known, the metric receives the whole (n_rows, n_outputs) block of the
    series. If some elements are missing, the metric is computed per output, and the score of the
    series is the mean over its outputs. Series without a score (no known target, or NaN from the
    metric) are left out of the average.

    **Weights.** `sample_weight` holds one weight per row, for metrics that take weights. Rows of
    weight 0 are left out. With "macro", weights matter within a series: the scores of the series
    are averaged equally.

    **Values by id.** `y_true` is passed as a Series or DataFrame whose index holds the ids. The
    index has the name of `series`, or "series" if that is not a string. For example,
    ``partial(mase, scale=seasonal_scale(train, series="shop", time="day"))`` looks up the scale
    of each shop.

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
        if response_method != "predict":
            raise ValueError(
                f"The scorer {metric!r} scores predictions, and response_method is "
                f"{response_method!r}. Pass a function of y_true and the quantiles, such as "
                "partial(sklstm.metrics.pinball_loss, quantiles=[0.1, 0.9])."
            )
        if greater_is_better is not None:
            raise ValueError(
                f"greater_is_better={greater_is_better!r} applies to functions only; the scorer "
                f"{metric!r} has a fixed sign. Leave greater_is_better=None, or pass a function as "
                "metric."
            )
        scorer = _get_named_scorer(metric)
    else:
        _check_arguments(metric)
        _check_no_values_per_row(metric)
        if greater_is_better is None:
            greater_is_better = _infer_greater_is_better(metric)
        scorer = make_scorer(metric, greater_is_better=greater_is_better)
    return _SeriesScorer(metric, greater_is_better, scorer, average, response_method, series, time)
