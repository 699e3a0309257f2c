"""Several regressors, each trained on a set of the series, that predict together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    _check_method_params,
    check_array,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
)

from sklstm._panel.read import (
    check_unchanged,
    column_names,
    read_panel,
    read_series_rows,
    select_features,
)
from sklstm._panel.rows import encode_ids, group_order
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm.lstm._targets import read_targets
from sklstm.meta._delegation import (
    fit_parameter,
    last_step,
    predict_quantiles,
    route_fit,
    score_of_known,
    take_tags,
)
from sklstm.meta._series_features import (
    cluster_so_far,
    course_of_table,
    course_of_windows,
    whole_features,
)

ALL = -1  # the number that stands for all members together

# ------------------------------------------------------------------- who gets which series


def draw_bootstrap(n_series, n_members, random):
    """Draw as many series as there are for each member, with replacement.

    Returns
    -------
    ndarray of shape (n_series, n_members)
        How often each member drew each series.
    """
    drawn = random.randint(n_series, size=(n_members, n_series))
    return np.stack([np.bincount(one, minlength=n_series) for one in drawn], axis=1)


def deal_out(n_series, n_members, random):
    """Deal the series out at random: the member of each, as many for each as can be."""
    member = np.empty(n_series, np.intp)
    member[random.permutation(n_series)] = np.arange(n_series) % n_members
    return member


def set_seeds(estimator, random):
    """Give every parameter of an estimator that is called ``random_state`` a seed of its own."""
    names = sorted(estimator.get_params())
    seeds = {
        name: random.randint(np.iinfo(np.int32).max)
        for name in names
        if name.split("__")[-1] == "random_state"
    }
    if seeds:
        estimator.set_params(**seeds)


# ---------------------------------------------------------------------- putting together


def mean_squared_errors(true, predicted, weights):
    """Weighted mean squared error of each output, over its known targets; NaN without any.

    Parameters
    ----------
    true, predicted : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,)

    Returns
    -------
    ndarray of shape (n_outputs,)
    """
    known = ~np.isnan(true)
    weights = known * weights[:, np.newaxis]
    squares = np.where(known, true - predicted, 0.0) ** 2
    with np.errstate(invalid="ignore"):  # 0 / 0 gives NaN
        return (weights * squares).sum(axis=0) / weights.sum(axis=0)


def inverse_weights(errors):
    """Weights inverse to errors, of sum 1 for each output.

    Parameters
    ----------
    errors : ndarray of shape (n_members, n_outputs)
        A member without an error (NaN) takes the mean of the others'; without any, all
        weigh the same. Members without error (0) share all the weight.

    Returns
    -------
    ndarray of shape (n_members, n_outputs)
    """
    known = ~np.isnan(errors)
    total = np.where(known, errors, 0.0).sum(axis=0)
    errors = np.where(known, errors, total / np.maximum(known.sum(axis=0), 1))
    least = errors.min(axis=0)
    inverse = np.where(least > 0, least / np.where(errors > 0, errors, 1.0), errors == 0)
    return inverse / inverse.sum(axis=0)


def combine_members(predictions, weights, median=False):
    """Combine the members' predictions row by row, and measure how far they lie apart.

    Parameters
    ----------
    predictions : ndarray of shape (n_members, n_rows) or (n_members, n_rows, n_outputs, ...)
    weights : ndarray of shape (n_members, n_outputs)
        Of sum 1 for each output.
    median : bool, default=False
        Whether to take the median in place of the weighted mean.

    Returns
    -------
    combined, spread : ndarray of shape predictions.shape[1:]
        `spread` is the weighted standard deviation around the weighted mean.
    """
    shape = predictions.shape[1:]
    by_output = predictions.reshape(*predictions.shape[:2], weights.shape[1], -1)
    weights = weights[:, np.newaxis, :, np.newaxis]
    mean = (weights * by_output).sum(axis=0)
    spread = np.sqrt((weights * (by_output - mean) ** 2).sum(axis=0))
    combined = np.median(by_output, axis=0) if median else mean
    dtype = predictions.dtype
    return combined.reshape(shape).astype(dtype), spread.reshape(shape).astype(dtype)


# ----------------------------------------------------------------------- pieces of work


@dataclass(frozen=True, eq=False)
class Rows:
    """Input, and which series each of its rows belongs to.

    Attributes
    ----------
    X : Windows, DataFrame or ndarray
    codes : ndarray of shape (n_rows,)
        Number of each row's series: its position in `ids`.
    ids : pandas.Index of shape (n_series,)
        Ids of the series; some may have no rows.
    known : bool
        Whether ids came with X; if not, each row is a series of its own.
    """

    X: Any
    codes: np.ndarray
    ids: pd.Index
    known: bool

    def take(self, rows):
        """Input of the chosen rows; windows go on sharing theirs."""
        if len(rows) == len(self.codes):
            return self.X
        return self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]

    def of_series(self, chosen):
        """Positions of the rows of the chosen series, a mask."""
        return np.flatnonzero(chosen[self.codes])

    def around(self, wanted):
        """Positions of the rows that predictions of the wanted rows, a mask, are made from."""
        if isinstance(self.X, Windows):
            return np.flatnonzero(wanted)
        # In a table, a row's history stands in the other rows of its series.
        return self.of_series(np.bincount(self.codes[wanted], minlength=len(self.ids)) > 0)


def _fit(member, rows, at, y, params):
    return member.fit(rows.take(at), y, **params)


def _apply(method, member, rows, at):
    return np.asarray(method(member, rows.take(at)))


def _predict(member, X):
    return member.predict(X)


def _has_quantiles(ensemble):
    """Let the members say in their own words that they have no quantiles."""
    member = getattr(ensemble, "estimators_", [ensemble.estimator])[0]
    return callable(last_step(member).predict_quantiles)


# ------------------------------------------------------------------------ the estimator


class SeriesEnsembleRegressor(RegressorMixin, BaseEstimator):
    """Fit clones of a regressor on different sets of series, and combine their predictions.

    As scikit-learn's `BaggingRegressor`, but what is drawn are whole series: members differ
    by the series they have seen, as the series of tomorrow differ from those of today. With
    "cluster" or a dict, members are specialists for kinds of series.

    Parameters
    ----------
    estimator : estimator
        A regressor or a pipeline that ends in one. Clones of it are fitted.
    n_estimators : int, default=5
        Number of members. With a dict, the dict tells.
    assign : {"bootstrap", "partition", "cluster", "all"}, dict or Series, default="bootstrap"
        Which series a member is trained on.

        - "bootstrap": as many as there are, drawn with replacement. Each row of a drawn
          series comes once; how often the series was drawn multiplies `sample_weight`,
          where the estimator's `fit` takes that.
        - "partition": the series dealt out at random, no series to two members, numbers
          that differ by one at most. For members that train on little data each.
        - "cluster": those of one of `n_estimators` clusters (k-means) of the series'
          features: mean, deviation and mean size of a step of each column.
        - "all": all of them; members differ by their seeds alone (deep ensembles). Often the
          best where series are few: a bootstrap shows a member 63% of them.
        - a dict or Series: those of one label, by id. Every series in fit needs a label; more
          ids are no error, since a fold holds only some of the series.
    combine : {"mean", "median", "error"}, default="mean"
        How predictions of several members become one, row by row. "error": a mean with
        weights inverse to each member's mean squared error on the series of fit that it was
        not trained on, for each output by itself. A member without such series, or without
        known targets there, counts as one of the mean error of the others; where none has
        any, as with "all", all members count the same.
    columns : list of str or int, default=None
        The features that clusters are made by, by default all.
    series, time : str, int or None, default=None
        For 2-D input: column name, index level name or column position of the ids and of the
        time. `Windows` carry their ids. ``time=None``: rows of a series are in time order as
        given; only "cluster" needs the order.
    n_jobs : int, default=None
        Members that are fitted or asked at a time, in threads that share the data. None is
        1 unless in a `joblib.parallel_config` context: a :class:`MultiSeriesLSTMRegressor`
        trains on all cores by itself.
    random_state : int, RandomState instance or None, default=None
        Seeds the choice of series, and every parameter called ``random_state`` of each member.

    Attributes
    ----------
    estimators_ : list of estimator
        The members.
    draws_ : DataFrame of shape (n_series, n_members)
        How often each member got each series of fit; series without a known target and a
        positive weight are none. Columns are the members: numbers, or the labels of the dict.
    assignment_ : Series of shape (n_series,)
        The member of each series; with "bootstrap" and "all", a tuple of them.
    weights_ : ndarray of shape (n_members, n_outputs)
        What members count for where they are combined.
    errors_ : ndarray of shape (n_members, n_outputs) or None
        With ``combine="error"``, the members' mean squared errors, NaN for none. "cluster", which
        combines nothing, has none.
    features_ : DataFrame of shape (n_series, 3 * n_columns) or None
        With "cluster", the features of the series in fit.
    clusterer_ : Pipeline or None
        With "cluster", what maps features to a member: their mean for missing ones,
        `StandardScaler`, `KMeans`.
    n_features_in_ : int
        Columns seen in fit, ids included, where the members tell.
    feature_names_in_ : ndarray of str
        Their names, where the members tell.

    See Also
    --------
    MultiSeriesLSTMRegressor : One net for all series.

    Notes
    -----
    **Who predicts.** With "bootstrap" and "all", all members together. With "partition",
    "cluster" and a dict, a series of fit is predicted by its own member. A new series is
    predicted by all members together after "partition"; after a dict by the member of its
    label, or by all where it has none; after "cluster" by the member of the cluster that its
    features up to and including the row fall into, which may change from row to row.

    **Features for clusters** come from the rows that are passed: in a table, those up to the
    row; with `Windows` or a 3-D array, those in the row's own window and in earlier windows
    of its series. A window's features look a window length back at least, so the last window
    of a series may come alone. Missing values are left out; a feature of which nothing is known
    yet counts as average. Scaled by each series' own statistics, levels and scales no longer tell
    series apart: to have clusters by them, let the estimator be the pipeline with the scaler.

    **Tables.** Members that are pipelines get whole series only. A member that keeps the last
    rows of its series, as `WindowTransformer` does where `time` is known, has them for the series
    that it was trained on. So pass new rows with their history, or put scaler and windows before
    the ensemble: they are then made once, and members share their rows (those of float32, the
    net's type).

    **Weights.** Series of fit that come with no known target or weight 0 throughout go to no
    member. With ``series_weight="balanced"``, the default, a :class:`MultiSeriesLSTMRegressor`
    lets every series count the same however often it was drawn; with ``series_weight=None``
    draws count. Regressors that take no `sample_weight` see every drawn series once.

    **Without ids** (no `series`, no `series_ids`, no `Windows`) every row is a series of its own,
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

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "assign": [
            StrOptions({"bootstrap", "partition", "cluster", "all"}),
            dict,
            pd.Series,
        ],
        "combine": [StrOptions({"mean", "median", "error"})],
        "columns": ["array-like", str, Integral, None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        n_estimators=5,
        *,
        assign="bootstrap",
        combine="mean",
        columns=None,
        series=None,
        time=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.assign = assign
        self.combine = combine
        self.columns = columns
        self.series = series
        self.time = time
        self.n_jobs = n_jobs
        self.random_state = random_state

    # --------------------------------------------------------------------------- fitting

    def fit(self, X, y, sample_weight=None, series_ids=None, **fit_params):
        """Choose each member's series, and fit the members.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            Whatever the estimator takes.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Whatever belongs to each row. NaN elements are missing, and reach the members as
            they are.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, passed on to the members; in a pipeline, to its last step.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for an array or a table that does not carry them. Passed on where
            the estimator's `fit` takes them.
        **fit_params : dict
            Passed on to the members' `fit` (arrays with one element a row: the elements of
            their rows), or with metadata routing to whom they belong.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_unchanged(reset=True)
        rows = self._read(X, series_ids)
        n_rows = len(rows.codes)
        y, one_dimensional = read_targets(y, n_rows, type(self).__name__)
        own_weight = check_weights(sample_weight, n_rows)
        params = self._fit_params(sample_weight, series_ids, fit_params)
        random = check_random_state(self.random_state)
        seed = random.randint(np.iinfo(np.int32).max)

        learnt = (own_weight > 0) & ~np.isnan(y).all(axis=1)
        learnt = np.bincount(rows.codes[learnt], minlength=len(rows.ids)) > 0
        self.clusterer_ = self.features_ = self.errors_ = None
        labels, chosen = self._draw(rows, learnt, random)
        draws = np.zeros((len(rows.ids), len(labels)), np.int32)
        draws[learnt] = chosen
        self.draws_ = pd.DataFrame(
            chosen.astype(np.int32), index=rows.ids[learnt].rename("series"), columns=labels
        )
        self._ids_known = rows.known

        weight_name = self._weight_name()
        weighted = weight_name is not None and (sample_weight is not None or (draws > 1).any())
        seeds = np.random.RandomState(seed)

        def jobs():
            for drawn in draws.T:
                member = clone(self.estimator)
                set_seeds(member, seeds)
                at = rows.of_series(drawn > 0)
                own = _check_method_params(rows.X, params, indices=at)
                if weighted:
                    own[weight_name] = own_weight[at] * drawn[rows.codes[at]]
                own_y = y[at, 0] if one_dimensional else y[at]
                yield delayed(_fit)(member, rows, at, own_y, own)

        self.estimators_ = self._parallel(jobs())
        if self.combine == "error" and self._kind() != "cluster":
            self.errors_ = self._held_out_errors(rows, draws, learnt, y, own_weight)
            self.weights_ = inverse_weights(self.errors_)
        else:
            self.weights_ = np.full((len(labels), y.shape[1]), 1 / len(labels))
        return self

    def _kind(self):
        """How series are assigned, in one word."""
        return self.assign if isinstance(self.assign, str) else "labels"

    def _draw(self, rows, learnt, random):
        """Return the members' labels, and how often each gets each series to learn from."""
        kind, n_series, n_members = self._kind(), int(learnt.sum()), int(self.n_estimators)
        if kind == "labels":
            if not rows.known:
                raise ValueError(
                    "assign holds labels by id, and X carries no ids: name them with series=, or "
                    "pass series_ids."
                )
            return self._draw_labels(rows.ids[learnt])
        if n_series < 2 and kind != "all":
            raise ValueError(
                f"assign={kind!r} needs at least two series with a known target, got {n_series} "
                f"(n_samples={len(rows.codes)}). Name the ids with series=, pass series_ids, or "
                "choose assign='all'."
            )
        if n_series < n_members and kind in ("partition", "cluster"):
            raise ValueError(
                f"assign={kind!r} gives every member series of its own, but there are "
                f"{n_series} series with a known target for n_estimators={n_members} (n_samples="
                f"{len(rows.codes)}). Take fewer members, or choose assign='bootstrap'."
            )
        labels = pd.RangeIndex(n_members)
        if kind == "bootstrap":
            return labels, draw_bootstrap(n_series, n_members, random)
        if kind == "all":
            return labels, np.ones((n_series, n_members), int)
        if kind == "partition":
            member = deal_out(n_series, n_members, random)
        else:
            member = self._cluster(rows, learnt, random)
        return labels, member[:, np.newaxis] == np.arange(n_members)

    def _draw_labels(self, ids):
        """Assign series as the dict of labels says."""
        found = self._labels().reindex(ids)
        unknown = list(ids[found.isna().to_numpy()])
        if unknown:
            unused = [name for name in self._labels().index if name not in ids]
            raise ValueError(
                f"assign holds no (or a missing) label for series {unknown[:10]}; it holds "
                f"{unused[:10]} that do not occur. Give every series a label."
            )
        codes, labels = pd.factorize(found)
        return pd.Index(labels), codes[:, np.newaxis] == np.arange(len(labels))

    def _labels(self):
        labels = pd.Series(self.assign)
        if not labels.index.is_unique:
            raise ValueError("assign holds an id more than once.")
        return labels

    def _cluster(self, rows, learnt, random):
        """Learn the clusters, and return that of each series to learn from."""
        from sklearn.cluster import KMeans  # a tenth of a second that other users need not wait

        course, names = self._course(rows, reset=True)
        features = whole_features(course, len(rows.ids))[learnt]
        n_clusters = int(self.n_estimators)
        self.clusterer_ = make_pipeline(
            SimpleImputer(keep_empty_features=True),
            StandardScaler(),
            KMeans(n_clusters, n_init=10, random_state=random),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # what it warns of raises below
            clusters = self.clusterer_.fit_predict(features)
        n_found = len(np.unique(clusters))
        if n_found < n_clusters:
            raise ValueError(
                f"The {len(features)} series make {n_found} distinct clusters, but n_estimators="
                f"{n_clusters}: too many are alike in the features. Take fewer members, or name "
                "other columns."
            )
        kinds = ("mean", "deviation", "step")
        self.features_ = pd.DataFrame(
            features,
            index=rows.ids[learnt].rename("series"),
            columns=[f"{kind}_{name}" for kind in kinds for name in names],
        )
        return clusters

    def _weight_name(self):
        """Name of the members' fit parameter for weights, None where they take none."""
        name = "sample_weight"
        if get_config()["enable_metadata_routing"]:
            return name if get_routing_for_object(self.estimator).consumes("fit", [name]) else None
        takes = has_fit_parameter(last_step(self.estimator), name)
        return fit_parameter(self.estimator, name) if takes else None

    def _fit_params(self, sample_weight, series_ids, fit_params):
        """Return what goes to the members' `fit`, for all rows."""
        own = {"sample_weight": sample_weight, "series_ids": series_ids}
        own = {name: value for name, value in own.items() if value is not None}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **own, **fit_params)
            return routed["estimator"]["fit"]
        if sample_weight is not None and self._weight_name() is None:
            raise ValueError(
                f"sample_weight was passed, but the fit of {last_step(self.estimator)!r} takes no "
                "sample_weight."
            )
        passed = {
            fit_parameter(self.estimator, name): value
            for name, value in own.items()
            if has_fit_parameter(last_step(self.estimator), name)
        }
        return fit_params | passed

    def _held_out_errors(self, rows, draws, learnt, y, own_weight):
        """Mean squared error of each member on the series that it was not trained on."""
        held_out = [rows.of_series((one == 0) & learnt) for one in draws.T]
        some = [number for number, at in enumerate(held_out) if len(at)]
        predicted = self._parallel(
            delayed(_apply)(_predict, self.estimators_[number], rows, held_out[number])
            for number in some
        )
        errors = np.full((len(held_out), y.shape[1]), np.nan)
        for number, values in zip(some, predicted, strict=True):
            at = held_out[number]
            errors[number] = mean_squared_errors(y[at], values.reshape(y[at].shape), own_weight[at])
        return errors

    # -------------------------------------------------------------------------- applying

    def predict(self, X, return_std=False, series_ids=None):
        """Predict every row.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        return_std : bool, default=False
            Whether to return the members' spread too. It tells how far the members are from
            agreeing, not how far the targets are from the prediction.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, where `fit` took them.

        Returns
        -------
        predicted : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X and the shape that the members give it.
        spread : ndarray of the same shape
            Only with `return_std`: standard deviation of the members' predictions around
            their mean, weighted as they are combined. NaN in rows that one member alone
            predicts.
        """
        predicted, spread = self._combined(X, series_ids, _predict)
        return (predicted, spread) if return_std else predicted

    @available_if(_has_quantiles)
    def predict_quantiles(self, X, series_ids=None):
        """Predict quantiles of every row: the members' quantiles, combined level by level.

        There is such a method where the estimator, or the last step of a pipeline, has it.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, where `fit` took them.

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            In the order of X.
        """
        return self._combined(X, series_ids, predict_quantiles)[0]

    def _combined(self, X, series_ids, method):
        """Apply a method of the members, and return combined values and their spread."""
        check_is_fitted(self)
        self._check_unchanged(reset=False)
        rows = self._read(X, series_ids)
        own = self._own_member(rows)
        wanted = [(own == number) | (own == ALL) for number in range(len(self.estimators_))]
        asked = [number for number, mask in enumerate(wanted) if mask.any()]
        around = [rows.around(wanted[number]) for number in asked]
        found = self._parallel(
            delayed(_apply)(method, self.estimators_[number], rows, at)
            for number, at in zip(asked, around, strict=True)
        )
        shape, dtype = (len(own), *found[0].shape[1:]), np.result_type(*found)
        predicted, spread = np.empty(shape, dtype), np.full(shape, np.nan, dtype)
        shared = own == ALL
        if shared.any():  # by all members: none of them was left out
            parts = [part[shared[at]] for part, at in zip(found, around, strict=True)]
            combined, apart = combine_members(
                np.stack(parts), self.weights_, median=self.combine == "median"
            )
            predicted[shared] = combined
            if len(parts) > 1:
                spread[shared] = apart
        for number, part, at in zip(asked, found, around, strict=True):
            alone = own[at] == number
            predicted[at[alone]] = part[alone]
        return predicted, spread

    def _own_member(self, rows):
        """Return the number of the member that predicts each row, `ALL` for all together."""
        kind = self._kind()
        if kind in ("bootstrap", "all"):
            return np.full(len(rows.codes), ALL)
        if self._ids_known and not rows.known:
            raise ValueError(
                "Which member predicts a row depends on its series, and X carries no ids as it did "
                "in fit: pass series_ids."
            )
        member = np.full(len(rows.ids), ALL)
        if rows.known and self._ids_known:
            at = self.draws_.index.get_indexer(rows.ids)
            member = np.where(at < 0, ALL, self.draws_.to_numpy().argmax(axis=1)[at])
        new = member == ALL
        if kind == "labels" and rows.known:
            label = self._labels().reindex(rows.ids[new])
            member[new] = self.draws_.columns.get_indexer(pd.Index(label))
        own = member[rows.codes]
        if kind == "cluster" and (own == ALL).any():
            own[own == ALL] = self._cluster_of_new(rows, new)
        return own

    def _cluster_of_new(self, rows, new):
        """Cluster at each row of the new series, a mask."""
        course, _ = self._course(rows, reset=False)
        chosen = new[course.codes]
        clusters = np.full(len(chosen), ALL)
        clusters[chosen] = cluster_so_far(
            self.clusterer_, course.values[chosen], course.codes[chosen]
        )
        return clusters[course.at[new[rows.codes]]]

    def score(self, X, y, sample_weight=None, series_ids=None):
        """Coefficient of determination, missing target elements left out.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            As in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            NaN elements are skipped.
        sample_weight : array-like of shape (n_rows,), default=None
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, where `fit` took them.

        Returns
        -------
        float
            Plain mean over the outputs that have a known target.
        """
        predicted = self.predict(X, series_ids=series_ids)
        return score_of_known(predicted, y, sample_weight, type(self).__name__)

    @property
    def assignment_(self):
        """The member of each series of fit, or a tuple of its members."""
        drawn, labels = self.draws_.to_numpy() > 0, self.draws_.columns
        if self._kind() in ("bootstrap", "all"):
            members = [tuple(labels[row].tolist()) for row in drawn]
            return pd.Series(members, self.draws_.index, dtype=object, name="member")
        return pd.Series(labels[drawn.argmax(axis=1)], self.draws_.index, name="member")

    # ------------------------------------------------------------------- reading the input

    def _read(self, X, series_ids):
        """Find out which series each row belongs to."""
        name = type(self).__name__
        if not isinstance(X, (Windows, pd.DataFrame)):
            X = check_array(
                X,
                dtype=None,
                allow_nd=True,
                ensure_all_finite=False,
                estimator=name,
                input_name="X",
            )
        n_rows = X.shape[0]
        if n_rows == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required "
                f"by {name}."
            )
        if isinstance(X, Windows) or (self.series is not None and X.ndim == 2):
            if series_ids is not None:
                raise ValueError("X carries its series ids already: leave series_ids=None.")
            if isinstance(X, Windows):
                return Rows(X, X.codes, X.ids, known=True)
            found = read_series_rows(X, self.series)
            return Rows(X, found.codes, found.ids, known=True)
        if series_ids is not None:
            check_consistent_length(X, series_ids)
            codes, ids = encode_ids(pd.Index(series_ids), n_rows)
            return Rows(X, codes, ids, known=True)
        named = X.ndim == 2 and [
            f"{parameter}={value!r}"
            for parameter, value in self.estimator.get_params().items()
            if parameter.split("__")[-1] == "series" and value is not None
        ]
        if named:
            raise ValueError(
                f"The estimator names the column of its ids ({named[0]}), {name} does not: set its "
                "series too, or rows of one series go to different members."
            )
        return Rows(X, np.arange(n_rows), pd.RangeIndex(n_rows), known=False)

    def _course(self, rows, reset):
        """Return what clusters are made by, and the names of the features."""
        X = rows.X
        if X.ndim == 3:
            windows = X if isinstance(X, Windows) else Windows.from_array(np.ascontiguousarray(X))
            table = pd.DataFrame(columns=windows.names or range(windows.shape[2]))
            positions = select_features(table, self.columns, None, None)
            self._check_columns(table, reset)
            course = course_of_windows(windows, rows.codes, positions)
            check_array(course.values, ensure_all_finite="allow-nan", input_name="X")
            return course, column_names(table, positions)
        self._check_columns(X, reset)
        panel = read_panel(X, columns=self.columns, series=self.series, time=self.time)
        order = panel.sorting
        if self.series is None:  # the ids came beside X, or there are none
            order = order[group_order(rows.codes[order])]
        course = course_of_table(panel.values, rows.codes, order)
        return course, column_names(X, panel.positions)

    def _check_columns(self, table, reset):
        """Remember the number of columns (in fit), or refuse another."""
        n_columns = table.shape[1]
        if reset:
            self._n_columns = n_columns
        elif n_columns != self._n_columns:
            raise ValueError(
                f"X has {n_columns} features, but {type(self).__name__} is expecting "
                f"{self._n_columns} features as input."
            )

    def _parallel(self, jobs):
        return Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)

    def _check_unchanged(self, reset):
        check_unchanged(self, ["assign", "combine", "columns", "series", "time"], reset=reset)

    # --------------------------------------------------------------------------- plumbing

    @property
    def n_features_in_(self):
        """Columns seen in fit, ids included, where the members tell."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns, where the members tell."""
        return self.estimators_[0].feature_names_in_

    def get_metadata_routing(self):
        """Say which metadata `fit` passes on: scikit-learn asks with routing enabled.

        Returns
        -------
        MetadataRouter
        """
        return route_fit(self, estimator=self.estimator)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        take_tags(tags, inner)
        tags.input_tags.three_d_array = self.series is None and inner.input_tags.three_d_array
        return tags
