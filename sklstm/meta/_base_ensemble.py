"""Fit and apply the members of an ensemble, each trained on a set of the series."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    _check_method_params,
    check_array,
    check_consistent_length,
)

from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.frames import as_plain, is_foreign, take
from sklstm._panel.read import (
    check_unchanged,
    feature_names,
    read_panel,
    read_series_rows,
    select_features,
)
from sklstm._panel.rows import SeriesRows, encode_ids, group_order, id_index
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.windows import Windows
from sklstm.meta._assignment import (
    Assignment,
    assign_labels,
    check_n_series,
    draw_bootstrap,
    labels_by_id,
    one_member_each,
    partition_series,
)
from sklstm.meta._clusters import (
    SeriesHistory,
    cluster_rows,
    features_of_series,
    fit_clusterer,
    history_of_table,
    history_of_windows,
    name_features,
)
from sklstm.meta._combination import ALL_MEMBERS
from sklstm.meta._delegation import (
    inner_fit_params,
    route_fit,
    separate_checkpoints,
    set_seeds,
    takes_fit_parameter,
    weight_parameter,
)
from sklstm.meta._last_step import last_step


def select_rows(X, at):
    """Select rows of Windows, a DataFrame or an array; `at` holds each position once."""
    return X if len(at) == X.shape[0] else take(X, at)


def rows_to_pass(X, rows: SeriesRows, wanted) -> np.ndarray:
    """Find the rows to pass to a member for the prediction of wanted rows.

    Parameters
    ----------
    X : Windows, DataFrame or ndarray
    rows : SeriesRows
    wanted : ndarray of shape (n_rows,)
        A mask.

    Returns
    -------
    ndarray
        Positions of the wanted rows. In a table, the history of a row consists of other rows, so
        all rows of the same series are added.
    """
    if isinstance(X, Windows):
        return np.flatnonzero(wanted)
    series = np.bincount(rows.codes[wanted], minlength=len(rows.ids)) > 0
    return np.flatnonzero(series[rows.codes])


def _fit_member(member, X, y, codes, drawn, weights, name, task, /, **params):
    """Fit a member on the rows of its series.

    Arguments for all rows are the same objects for all members, so that a worker process receives
    them once. `drawn` is how often the member is trained on each series. `weights` are passed to
    `fit` as `name`; None: they are not.
    """
    at = np.flatnonzero(drawn[codes] > 0)
    params = _check_method_params(X, params, indices=at)
    X, y, metadata = select_rows(X, at), y[at], None
    if name is not None:
        params[name] = weights[at] * drawn[codes[at]]
        metadata = {"sample_weight": params[name]}
    with task.fitting(member, X=X, y=y, metadata=metadata):
        return member.fit(X, y, **params)


def _apply_member(method, member, X, at):
    return np.asarray(method(member, select_rows(X, at)))


class BaseSeriesEnsemble(PanelEstimator):
    """Share the assignment, training and application of members.

    Subclasses document the parameters, and combine the predictions of the members.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "assign": [
            StrOptions({"bootstrap", "partition", "cluster", "all"}),
            dict,
            pd.Series,
        ],
        "combine": [StrOptions({"mean", "median", "error"})],
        "columns": ["array-like", str, Integral, None],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    estimators_: list[Any]
    draws_: pd.DataFrame

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 5,
        *,
        assign: Any = "bootstrap",
        combine: str = "mean",
        columns: Any = None,
        series: str | int | None = None,
        time: str | int | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.assign = assign
        self.combine = combine
        self.columns = columns
        self.series = series
        self.time = time
        self.n_jobs = n_jobs
        self.random_state = random_state

    # ------------------------------------------------------------------- reading the input

    def _read(self, X, series_ids) -> tuple[Any, SeriesRows, bool]:
        """Check X and index its rows by series.

        Returns
        -------
        X : Windows, DataFrame or ndarray
        rows : SeriesRows
            Without ids, every row is a series of its own.
        has_ids : bool
        """
        name = type(self).__name__
        if not (isinstance(X, (Windows, pd.DataFrame)) or is_foreign(X)):
            X = check_array(
                as_plain(X),
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
        if isinstance(X, Windows) or (self.series is not None and len(X.shape) == 2):
            if series_ids is not None:
                raise ValueError("X carries its series ids already. Leave series_ids=None.")
            series = None if isinstance(X, Windows) else self.series
            return X, read_series_rows(X, series), True
        if series_ids is not None:
            check_consistent_length(X, series_ids)
            return X, SeriesRows(*encode_ids(id_index(series_ids), n_rows)), True
        if len(X.shape) == 2:
            self._check_no_ids_in_estimator()
        return X, SeriesRows(np.arange(n_rows), pd.RangeIndex(n_rows)), False

    def _check_no_ids_in_estimator(self):
        """Raise an error if the inner estimator names an id column and the ensemble does not."""
        named = [
            f"{parameter}={value!r}"
            for parameter, value in self.estimator.get_params().items()
            if parameter.split("__")[-1] == "series" and value is not None
        ]
        if named:
            raise ValueError(
                f"The estimator names the column of its ids ({named[0]}), but "
                f"{type(self).__name__} has series=None and would assign rows of one series to "
                "different members. Set its series too."
            )

    def _fit_params(self, sample_weight, series_ids, fit_params) -> dict[str, Any]:
        """Collect the parameters for the `fit` of the members, for all rows."""
        own = {"sample_weight": sample_weight, "series_ids": series_ids}
        if not get_config()["enable_metadata_routing"]:
            if sample_weight is not None and weight_parameter(self.estimator) is None:
                raise ValueError(
                    f"sample_weight was passed, but the fit of {last_step(self.estimator)!r} takes "
                    "no sample_weight. Leave sample_weight=None, or choose another estimator."
                )
            own = {k: v for k, v in own.items() if takes_fit_parameter(self.estimator, k)}
        return inner_fit_params(self, "estimator", own, fit_params)

    # ---------------------------------------------------------------------------- assigning

    @property
    def _kind(self) -> str:
        """The kind of assignment."""
        return self.assign if isinstance(self.assign, str) else "labels"

    def _assign(self, X, rows, has_ids, usable, random) -> Assignment:
        """Assign the usable series, given as a mask, to the members."""
        n_series, n_members = int(usable.sum()), int(self.n_estimators)
        if self._kind == "labels":
            if not has_ids:
                raise ValueError(
                    "assign holds labels by id, and X carries no ids. Name them with series=, or "
                    "pass series_ids."
                )
            return assign_labels(self.assign, rows.ids[usable])
        check_n_series(self._kind, n_series, n_members, len(rows))
        labels = pd.RangeIndex(n_members)
        if self._kind == "bootstrap":
            return Assignment(draw_bootstrap(n_series, n_members, random), labels)
        if self._kind == "all":
            return Assignment(np.ones((n_series, n_members), int), labels)
        if self._kind == "partition":
            member = partition_series(n_series, n_members, random)
            return Assignment(one_member_each(member, n_members), labels)
        history, names = self._history(X, rows)
        features = features_of_series(history)[usable]
        clusterer, member = fit_clusterer(features, n_members, random)
        named = name_features(features, rows.ids[usable], names)
        return Assignment(one_member_each(member, n_members), labels, named, clusterer)

    def _history(self, X, rows) -> tuple[SeriesHistory, list[str]]:
        """Return the history from which clusters are made, and the names of its features."""
        if len(X.shape) == 3:
            windows = X if isinstance(X, Windows) else Windows.from_array(np.ascontiguousarray(X))
            table = pd.DataFrame(columns=windows.names or range(windows.shape[2]))
            positions = select_features(table, self.columns, None, None)
            history = history_of_windows(windows.with_series(rows.codes, rows.ids), positions)
            check_array(history.values, ensure_all_finite="allow-nan", input_name="X")
            return history, feature_names(table.columns, positions)
        panel = read_panel(X, columns=self.columns, series=self.series, time=self.time)
        order = panel.order
        if self.series is None:  # the ids were passed beside X, or there are none
            order = panel.sorting[group_order(rows.codes[panel.sorting])]
        in_order = SeriesRows(rows.codes, rows.ids, order=order)
        return history_of_table(panel.values, in_order), panel.names

    @property
    def assignment_(self) -> pd.Series:
        """The member of each series seen in fit, or a tuple of its members."""
        drawn, labels = self.draws_.to_numpy() > 0, self.draws_.columns
        if self._kind in ("bootstrap", "all"):
            members = [tuple(labels[row].tolist()) for row in drawn]
            return pd.Series(members, self.draws_.index, dtype=object, name="member")
        return pd.Series(labels[drawn.argmax(axis=1)], self.draws_.index, name="member")

    # ------------------------------------------------------------------------ the members

    def _fit_members(self, X, y, rows, draws, weights, params, seeds, fit) -> list[Any]:
        """Fit a clone of the estimator for each column of `draws`.

        Parameters
        ----------
        X : Windows, DataFrame or ndarray
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        rows : SeriesRows
        draws : ndarray of shape (n_series, n_members)
            How often each member is trained on each series.
        weights : ndarray of shape (n_rows,) or None
            They are multiplied by the draws. None: members are fitted without weights.
        params : dict
            Further parameters of `fit`, for all rows.
        seeds : RandomState
        fit : Task
            The task that holds the fits of the members.
        """
        name = None if weights is None else weight_parameter(self.estimator)
        params = {key: value for key, value in params.items() if key != name}
        own_data = dict.fromkeys(("X", "y", "metadata"))  # set where the member is fitted

        def jobs():
            for number, drawn in enumerate(draws.T):
                member = clone(self.estimator)
                set_seeds(member, seeds)
                separate_checkpoints(member, number)
                task = fit.subtask("fit-member", number, **own_data)
                yield delayed(_fit_member)(
                    member, X, y, rows.codes, drawn, weights, name, task, **params
                )

        return self._parallel(jobs())

    def _apply_members(self, method, members, X, positions) -> list[np.ndarray]:
        """Apply a method to each member and the rows at its positions."""
        return self._parallel(
            delayed(_apply_member)(method, member, X, at)
            for member, at in zip(members, positions, strict=True)
        )

    def _apply_to_rows(
        self, method: Callable[..., Any], X, rows, member_of_row
    ) -> list[tuple[Any, ...]]:
        """Apply a method of the members to the rows that they predict.

        Returns
        -------
        list of (int, ndarray, ndarray)
            For each member in use its number, the rows passed to it, and its result.
        """
        members = range(len(self.estimators_))
        masks = [(member_of_row == n) | (member_of_row == ALL_MEMBERS) for n in members]
        used = [number for number in members if masks[number].any()]
        positions = [rows_to_pass(X, rows, masks[number]) for number in used]
        results = self._apply_members(method, [self.estimators_[n] for n in used], X, positions)
        return list(zip(used, positions, results, strict=True))

    def _member_of_row(self, X, rows, has_ids) -> np.ndarray:
        """Find the number of the member that predicts each row, or `ALL_MEMBERS`."""
        if self._kind in ("bootstrap", "all"):
            return np.full(len(rows), ALL_MEMBERS)
        if self._has_ids and not has_ids:
            raise ValueError(
                "The member that predicts a row depends on its series, but X carries no ids as it "
                "did in fit. Pass series_ids."
            )
        member = np.full(len(rows.ids), ALL_MEMBERS)
        if has_ids and self._has_ids:
            at = self.draws_.index.get_indexer(rows.ids)
            member = np.where(at < 0, ALL_MEMBERS, self.draws_.to_numpy().argmax(axis=1)[at])
        new = member == ALL_MEMBERS
        if self._kind == "labels" and has_ids:
            label = labels_by_id(self.assign).reindex(rows.ids[new])
            member[new] = self.draws_.columns.get_indexer(pd.Index(label))
        if self._kind == "cluster" and new[rows.codes].any():
            return np.where(new[rows.codes], self._cluster_rows(X, rows, new), member[rows.codes])
        return member[rows.codes]

    def _cluster_rows(self, X, rows, new) -> np.ndarray:
        """Find the cluster of each row of the new series, given as a mask."""
        n_columns = X.shape[-1]
        if n_columns != self._n_columns:
            raise ValueError(
                f"X has {n_columns} features, but {type(self).__name__} is expecting "
                f"{self._n_columns} features as input."
            )
        return cluster_rows(self.clusterer_, self._history(X, rows)[0], new)

    # --------------------------------------------------------------------------- plumbing

    def _parallel(self, jobs: Iterable[Any]) -> list[Any]:
        return Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)

    def _check_unchanged(self, reset):
        check_unchanged(self, ["assign", "combine", "columns", "series", "time"], reset=reset)

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in fit, including ids, if the members have it."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns seen in fit, if the members have them."""
        return self.estimators_[0].feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of the metadata of `fit` to the members.

        Returns
        -------
        MetadataRouter
        """
        return route_fit(self, estimator=self.estimator)
