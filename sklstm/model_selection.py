"""Splits in time, scores by series and rolling origins over a panel."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_consistent_length

from sklstm.metrics import LOSSES, WEIGHTED_MEANS, check_pair, seasonal_scale
from sklstm.panel import (
    RowIds,
    id_label,
    id_values,
    read_ids,
    run_starts,
    select_features,
    time_numbers,
)
from sklstm.windows import Windows

# ----------------------------------------------------------------------- pure functions


def ranks(rows: RowIds):
    """Count, for each row, the earlier rows of its series.

    Returns
    -------
    rank : ndarray of shape (n_rows,)
        0 for the first row of a series.
    sizes : ndarray of shape (n_series,)
        Rows of each series.
    """
    sizes = np.bincount(rows.codes, minlength=len(rows.ids))
    rank = np.empty(len(rows.codes), np.intp)
    rank[rows.sorting] = np.arange(len(rank)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank, sizes


def read_rows(X, series, time) -> RowIds:
    """Read ids and order of the rows of anything that an estimator takes as X."""
    if len(X) == 0:
        raise ValueError("X has no rows: there is nothing to split or to score.")
    named = series is not None or time is not None
    if isinstance(X, Windows):
        if named:
            raise ValueError(
                f"X are Windows, which know their series and order themselves: leave out "
                f"series={series!r} and time={time!r}."
            )
        return RowIds(X.codes, X.ids, None, None, np.lexsort((X.ends, X.codes)))
    if not named:
        return read_ids(np.empty((len(X), 0)))
    if not isinstance(X, pd.DataFrame):
        X = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    return read_ids(X, series, time)


def check_cuts(cuts, ids, what, needed, remedy, stacklevel):
    """Warn of series without rows before some cuts; raise where no series has any.

    Parameters
    ----------
    cuts : ndarray of shape (n_cuts, n_series)
        Rows of each series that are its past, growing from cut to cut; below 1 for none.
    ids : pandas.Index of shape (n_series,)
    what : str
        What a cut makes: a fold, an origin.
    needed : str
        How many rows a series needs to take part in all cuts, in words.
    remedy : str
        The parameters to lower.
    stacklevel : int
        Of the warning, as seen from the caller.
    """
    first = cuts[0] > 0
    if not first.any():
        raise ValueError(
            f"No series is long enough for the first {what}: each needs {needed}. Lower {remedy}."
        )
    short, never = ids[~first], ids[(cuts < 1).all(axis=0)]
    if len(short):
        names = ", ".join(map(repr, short[:5].tolist())) + (", ..." if len(short) > 5 else "")
        warnings.warn(
            f"{len(short)} of {len(ids)} series ({names}) are too short for all {len(cuts)} "
            f"{what}s and stay out of those before which they have no rows; {len(never)} of them "
            f"take part in none. To take part in all, a series needs {needed}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


# ------------------------------------------------------------------------ splits in time


class PerSeriesTimeSplit(BaseCrossValidator):
    """Cut every series in time: its past to train, its next rows to test.

    Each series is split as :class:`~sklearn.model_selection.TimeSeriesSplit` splits it
    alone, counted from its own end; fold k joins the k-th folds of all series. The training
    rows of a series are always all rows before its test rows.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    test_size : int, default=None
        Test rows of each series in a fold. None: a series of n rows has
        ``n // (n_splits + 1)``, at least 1.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: rows of a series are in
        time order as given. Where X are :class:`~sklstm.Windows`, leave both out.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Whole series to test, with their ids as `groups`.

    Notes
    -----
    **Short series.** A series without rows before its test rows of a fold takes no part in
    that fold, neither in training nor in test. A warning counts such series.

    **No gap.** Where a target is the future of its row, set the regressor's `embargo` to
    the horizon: the last training rows then carry no loss, but the windows of the test rows
    still see them. Rows left out of the training part would tear those windows.

    **Dates.** Cuts are counted in rows of each series. Where series end at different dates,
    one may be trained on dates at which another one is tested.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import PerSeriesTimeSplit
    >>> X = pd.DataFrame({"shop": list("aaaabbb"), "day": [1, 2, 3, 4, 3, 2, 1], "x": 0.0})
    >>> for train, test in PerSeriesTimeSplit(2, series="shop", time="day").split(X):
    ...     print(train, test)
    [0 1 6] [2 5]
    [0 1 2 5 6] [3 4]
    """

    _parameter_constraints: dict = {
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Integral, 1, None, closed="left"), None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(self, n_splits=5, *, test_size=None, series=None, time=None):
        self.n_splits = n_splits
        self.test_size = test_size
        self.series = series
        self.time = time

    def split(self, X, y=None, groups=None):
        """Make the folds.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or Windows
            A panel. Only the ids and the time are read.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Only its length is checked.
        groups : array-like of shape (n_rows,), default=None
            Ignored, with a warning: the ids stand in X.

        Returns
        -------
        iterator of (train, test)
            Positions of rows in X, ascending.

        Raises
        ------
        ValueError
            If no series has rows before the first fold's test rows.
        """
        self._validate()
        if groups is not None:
            warnings.warn(
                f"{type(self).__name__} ignores groups: name the ids in X with series=.",
                UserWarning,
                stacklevel=2,
            )
        check_consistent_length(X, y)
        rows = read_rows(X, self.series, self.time)
        rank, sizes = ranks(rows)
        if self.test_size is None:
            n_test = np.maximum(sizes // (self.n_splits + 1), 1)
        else:
            n_test = np.full(len(sizes), self.test_size)
        cuts = sizes - n_test * np.arange(self.n_splits, 0, -1)[:, np.newaxis]
        # The windows of a fold keep the ids of the whole: series without rows are not there.
        there = sizes > 0
        needed = f"{self.n_splits * (self.test_size or 1) + 1} rows"
        check_cuts(cuts[:, there], rows.ids[there], "fold", needed, "n_splits or test_size", 2)
        return self._folds(rows.codes, rank, cuts, n_test)

    @staticmethod
    def _folds(codes, rank, cuts, n_test):
        for cut in cuts:
            after = rank - cut[codes]
            yield (
                np.flatnonzero(after < 0),
                np.flatnonzero((after >= 0) & (after < n_test[codes]) & (cut > 0)[codes]),
            )

    def get_n_splits(self, X=None, y=None, groups=None):
        """Tell the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        int
        """
        self._validate()
        return self.n_splits

    def _validate(self):
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )


# ---------------------------------------------------------------------- scores by series


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
        rows = read_rows(X, self._series, self._time)
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


# ----------------------------------------------------------------------- rolling origins
RESULT_COLUMNS = (
    "origin",
    "cutoff",
    "step",
    "target",
    "y_true",
    "prediction",
    "absolute_error",
    "scaled_error",
)


class _RollingPanel:
    """A panel that can be cut at any row of each series, read as a forecaster reads it."""

    def __init__(self, forecaster, panel):
        settings = forecaster.get_params(deep=False)
        self.panel = panel
        self.horizon = settings["horizon"]
        self.season_length = settings.get("season_length") or 1
        for name in ("horizon", "season_length"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name}={value!r} must be a positive integer.")
        self.series, self.time = settings.get("series"), settings.get("time")
        self.rows = read_ids(panel, self.series, self.time)
        self.rank, self.sizes = ranks(self.rows)
        known = settings.get("known_future") or None
        self.known = [] if known is None else self._positions(known)
        target = settings.get("target")
        positions = self._positions(target)
        if target is None:
            positions = [position for position in positions if position not in self.known]
            if not positions:
                raise ValueError("No column is left to forecast: all are ids or in known_future.")
        elif shared := set(positions) & set(self.known):
            raise ValueError(
                f"{list(panel.columns[list(shared)])} are both target and known_future: what is "
                "to be forecast is not known beforehand."
            )
        self.targets = list(panel.columns[positions])
        self.values = check_array(
            panel.iloc[:, positions], dtype=float, ensure_all_finite="allow-nan", input_name="panel"
        )
        self.stamps = None if self.time is None else pd.Index(id_values(panel, self.time, "time"))
        self.series_label = id_label(panel, self.series, "series")
        self.time_label = id_label(panel, self.time, "time")
        names = [self.series_label, self.time_label, *RESULT_COLUMNS]
        if len(set(names)) < len(names):
            raise ValueError(
                f"The result would have two columns of one name: {names}, of which the first two "
                "are the id and the time. Rename these."
            )

    def _positions(self, columns):
        return select_features(self.panel, columns, self.series, self.time)

    def history(self, cut):
        """Rows before the cut, in the order of the panel."""
        return self.panel[self.rank < cut[self.rows.codes]]

    def future(self, cut):
        """Ids, time and known columns of the rows after the cut; None without such columns."""
        if not self.known:
            return None
        codes = self.rows.codes
        after = self.rank - cut[codes]
        taken = (cut > 0)[codes] & (after >= 0) & (after < self.horizon)
        unknown = [position for position in self._positions(None) if position not in self.known]
        return self.panel[taken].drop(columns=self.panel.columns[unknown])

    def compare(self, origin, cut, forecast):
        """Put a forecast beside the true rows and the errors."""
        taken = np.flatnonzero(cut > 0)
        index = self._expected(taken)
        forecast = self._in_order(forecast, index)
        time = forecast.pop(self.time_label)
        shape = (len(taken), self.horizon, len(self.targets))

        def spread(values):
            """One value a series, or one a series and target, for all rows of the table."""
            return np.broadcast_to(values.reshape(len(taken), 1, -1), shape).ravel()

        # Positions among the sorted rows: of each series' cut, and of the rows after it.
        at_cut = (np.cumsum(self.sizes) - self.sizes + cut)[taken]
        order = self.rows.sorting
        if self.stamps is None:
            rows = order[at_cut[:, np.newaxis] + np.arange(self.horizon)]
            rows = rows.repeat(len(self.targets))
            cutoff, time = spread(cut[taken] - 1), self.rank[rows]
        else:
            rows = self._rows_at(spread(taken), time)
            cutoff, time = self.stamps.take(spread(order[at_cut - 1])), time.array
        column = np.arange(len(rows)) % len(self.targets)
        y_true = np.where(rows < 0, np.nan, self.values[rows, column])
        scale = seasonal_scale(
            self.history(cut),
            self.season_length,
            self.targets,
            series=self.series,
            time=self.time,
        )
        scale = spread(scale.reindex(self.rows.ids[taken]).to_numpy())
        keys = index.to_frame(index=False)
        table = {
            self.series_label: keys.pop(self.series_label),
            "origin": origin,
            "cutoff": cutoff,
            self.time_label: time,
            **keys,
            "y_true": y_true,
            **{name: forecast[name].to_numpy() for name in forecast.columns},
        }
        table["absolute_error"] = np.abs(y_true - table["prediction"])
        table["scaled_error"] = table["absolute_error"] / np.where(scale > 0, scale, np.nan)
        return pd.DataFrame(table)

    def _expected(self, taken):
        """Key of each row of the forecast of some series: id, step and perhaps target."""
        keys = {self.series_label: self.rows.ids[taken], "step": np.arange(1, self.horizon + 1)}
        if len(self.targets) > 1:
            keys["target"] = self.targets
        return pd.MultiIndex.from_product(keys.values(), names=keys.keys())

    def _rows_at(self, codes, time):
        """Rows of some series at some times; -1 where there is none."""
        numbers, kind = time_numbers(time)
        if kind != self.rows.time_kind:
            raise ValueError(
                f"The forecaster returned times of the kind {kind!r}; the panel has "
                f"{self.rows.time_kind!r}."
            )
        there = pd.MultiIndex.from_arrays([self.rows.codes, self.rows.time])
        return there.get_indexer(pd.MultiIndex.from_arrays([codes, numbers]))

    def _in_order(self, forecast, index):
        """Sort the rows of a forecast as `index` names them, and make sure that all came."""
        if self.series is None:
            forecast = forecast.assign(**{self.series_label: self.rows.ids[0]})
        forecast = forecast.set_index(list(index.names))
        if len(forecast) != len(index) or len(index.difference(forecast.index)):
            raise ValueError(
                f"The forecaster returned {len(forecast)} rows for {len(index)}: one for each of "
                f"{', '.join(map(repr, index.names))} was expected. The first that is missing is "
                f"{next(iter(index.difference(forecast.index)), None)}."
            )
        return forecast.reindex(index)


def _forecast(forecaster, history, future, refit):
    if refit:
        forecaster = clone(forecaster).fit(history)
    return forecaster.forecast(history, future=future)


@validate_params(
    {
        "forecaster": [BaseEstimator],
        "panel": "no_validation",
        "n_origins": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left"), None],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=False,
)
def backtest(forecaster, panel, n_origins=5, step=None, *, refit=True, n_jobs=None):
    """Forecast from several origins in the past, and compare with what came.

    An origin cuts each series in two: the forecaster sees the rows before the cut, and its
    forecasts are compared with the `horizon` rows after it. Origins are counted in rows
    from each series' own end: the last one has exactly `horizon` rows after it.

    Parameters
    ----------
    forecaster : estimator
        A :class:`~sklstm.MultiSeriesForecaster`, or an estimator with its ``fit(panel)``,
        ``forecast(panel, future)`` and its parameters `horizon`, `series` and `time`; those
        of `target`, `season_length` and `known_future` that it has are heeded too. It is
        cloned and stays as it is.
    panel : DataFrame of shape (n_rows, n_columns)
        With the ids and the time in columns or index levels. Rows may come in any order.
    n_origins : int, default=5
        Number of origins.
    step : int, default=None
        Rows between two origins, by default the horizon.
    refit : bool, default=True
        Whether to fit at each origin on all rows before it. False: fit once, on the rows
        before the first origin, and forecast from the rows before each.
    n_jobs : int, default=None
        Origins to work on at once, as in scikit-learn.

    Returns
    -------
    DataFrame
        A row for each origin, series, step (and target, where there are several), in this
        order. Columns:

        - the id and the time of the forecast row, under their names ("series" and "time"
          where they have none; without `time`, the row's number in its series);
        - ``origin``: 0 for the oldest; ``cutoff``: the time of the last row before the cut;
        - ``step``: 1 for the first row after the cut; ``target``: name of the target column;
        - ``y_true``, ``prediction``, and the forecast's quantile columns (``q0.1``, say);
        - ``absolute_error``: abs(y_true - prediction), NaN where the true value is missing;
        - ``scaled_error``: that divided by the :func:`~sklstm.metrics.seasonal_scale` of the
          rows before the cut, whose season is `season_length`, or 1 without; NaN where the
          scale is 0 or unknown.

    Raises
    ------
    ValueError
        If no series has a row before the first origin, or the forecaster returns other rows
        than were asked for.

    Warns
    -----
    UserWarning
        With the number of series that are too short for all origins. They are left out of
        those before which they have no rows.

    Notes
    -----
    Means over groups are the usual errors: ``result.groupby("step")["scaled_error"].mean()``
    is MASE by step; grouped by the id it is MASE by series. :func:`sklstm.metrics.coverage` and
    :func:`sklstm.metrics.pinball_loss` take the quantile columns.

    Origins are counted in rows, steps as the forecaster counts them: the true value is that of
    the row at the time of the forecast, NaN where the panel has a gap there. Without `time`,
    steps are rows.

    Columns in `known_future` are passed to the forecaster as `future` for the rows after the
    cut; of the other columns it never sees these rows.

    Examples
    --------
    >>> from sklstm import MultiSeriesForecaster, backtest
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(n_series=5, random_state=0)
    >>> forecaster = MultiSeriesForecaster(
    ...     horizon=4, target="x0", random_state=0, series="series", time="time"
    ... )
    >>> result = backtest(forecaster, X, n_origins=2)
    >>> result[["series", "origin", "cutoff", "time", "step"]].head(4)
       series  origin  cutoff  time  step
    0       0       0      75    76     1
    1       0       0      75    77     2
    2       0       0      75    78     3
    3       0       0      75    79     4
    >>> by_step = result.groupby("step")["scaled_error"].mean()
    """
    if not isinstance(panel, pd.DataFrame):
        raise TypeError(
            f"backtest takes a DataFrame, got {type(panel).__name__}. stack_series makes one of "
            "a list of arrays; pandas.DataFrame gives the columns of an array names."
        )
    rolling = _RollingPanel(forecaster, panel)
    step = rolling.horizon if step is None else step
    before_last = np.arange(n_origins - 1, -1, -1)[:, np.newaxis]
    cuts = rolling.sizes - rolling.horizon - step * before_last
    needed = f"{rolling.horizon + step * (n_origins - 1) + 1} rows"
    # 3: the decorator stands between the user and this line.
    check_cuts(cuts, rolling.rows.ids, "origin", needed, "n_origins, step or the horizon", 3)
    if not refit:
        forecaster = clone(forecaster).fit(rolling.history(cuts[0]))
    forecasts = Parallel(n_jobs=n_jobs)(
        delayed(_forecast)(forecaster, rolling.history(cut), rolling.future(cut), refit)
        for cut in cuts
    )
    tables = [
        rolling.compare(origin, cut, forecast)
        for origin, (cut, forecast) in enumerate(zip(cuts, forecasts, strict=True))
    ]
    return pd.concat(tables, ignore_index=True)
