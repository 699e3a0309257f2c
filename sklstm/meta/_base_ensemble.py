"""Fit and apply the members of an ensemble, each trained on a set of the series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import RegressorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    _check_method_params,
    check_is_fitted,
)

from sklstm._bar import ReportingParallel
from sklstm._panel.frames import take
from sklstm._panel.last_step import last_step
from sklstm._panel.lives import hide_censored
from sklstm._panel.rows import SeriesRows
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm._progress import fit_task, with_callbacks
from sklstm.lstm._state import restored_on_error
from sklstm.meta._assignment import (
    usable_series,
)
from sklstm.meta._combination import ALL_MEMBERS, combine_rows, inverse_weights
from sklstm.meta._delegation import (
    copy_tags,
    inner_fit_params,
    route_fit,
    separate_checkpoints,
    set_seeds,
    takes_fit_parameter,
    weight_parameter,
)
from sklstm.meta._ids import warn_of_ids_as_features
from sklstm.meta._inner import check_inner
from sklstm.meta._series_assigner import AssignsSeries


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


class BaseSeriesEnsemble(AssignsSeries):
    """Share the training and application of members.

    Subclasses document the parameters, and read the targets.
    """

    estimators_: list[Any]

    # --------------------------------------------------------------------------- fitting

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        series_ids: Any = None,
        **fit_params: Any,
    ) -> Self:
        """Assign series to the members, and fit the members.

        Parameters
        ----------
        X : Windows, DataFrame or array-like of shape (n_rows, ...)
            Any input of the estimator.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Targets or labels of the rows. NaN elements (and None labels) are unknown; they are
            passed on to the members.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. They are passed on to the members; in a pipeline, to its last step.
        series_ids : array-like of shape (n_rows,), default=None
            Ids of the series, for an array or a table without them. They are passed on if the
            estimator's `fit` takes them.
        **fit_params : dict
            Passed on to the `fit` of the members. If an array has one element per row, each member
            receives the elements of its own rows. With metadata routing, the metadata requests
            determine what is passed on.

        Returns
        -------
        self
        """
        self._validate_params()
        is_regressor = isinstance(self, RegressorMixin)
        check_inner(type(self).__name__, self.estimator, is_regressor=is_regressor)
        X, rows, has_ids = self._read(X, series_ids)
        with restored_on_error(self):
            y, targets = self._read_targets(y, len(rows))
            weights = check_weights(sample_weight, len(rows))
            warn_of_ids_as_features(self, self.estimator, X)
            params = self._fit_params(sample_weight, series_ids, fit_params)
            random = check_random_state(self.random_state)
            seeds = np.random.RandomState(random.randint(np.iinfo(np.int32).max))

            usable = usable_series(rows, targets, weights)
            assignment = self._assign(X, rows, has_ids, usable, random)
            draws = np.zeros((len(rows.ids), len(assignment.labels)), np.int32)
            draws[usable] = assignment.draws
            has_weights = sample_weight is not None or (draws > 1).any()
            given = weights if has_weights else None
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            data = {"X": X, "y": y, "metadata": metadata}
            bar: dict[str, Any] = {"unit": "member", "show": self.verbose > 0}
            with fit_task(self, max_subtasks=draws.shape[1], parallel=True, **bar, **data) as task:
                members = self._fit_members(X, y, rows, draws, given, params, seeds, task)
                errors = None
                if self.combine == "error" and self._kind != "cluster":
                    held_out = (draws == 0) & usable[:, np.newaxis]
                    known = hide_censored(targets, y)
                    errors = self._held_out_errors(members, X, rows, held_out, known, weights)
                draws = pd.DataFrame(
                    draws[usable], rows.ids[usable].rename("series"), assignment.labels
                )
                self._publish(X, has_ids, assignment, draws, members, errors, targets)
        return self

    def _publish(self, X, has_ids, assignment, draws, members, errors, targets):
        """Set the attributes of a fit."""
        self._check_unchanged(reset=True)
        self._has_ids, self._n_columns = has_ids, X.shape[-1]
        self.features_, self.clusterer_ = assignment.features, assignment.clusterer
        self.draws_, self.estimators_, self.errors_ = draws, members, errors
        if errors is None:
            shape = (len(members), len(self._unknown_errors(targets)))
            self.weights_ = np.full(shape, 1 / len(members))
        else:
            self.weights_ = inverse_weights(errors)

    def _held_out_errors(self, members, X, rows, held_out, targets, weights) -> np.ndarray:
        """Compute the mean squared error of each member on its held-out series.

        Parameters
        ----------
        members : list of estimator
        X : Windows, DataFrame or ndarray
        rows : SeriesRows
        held_out : ndarray of shape (n_series, n_members)
            A mask.
        targets : ndarray of shape (n_rows, n_values)
        weights : ndarray of shape (n_rows,)

        Returns
        -------
        ndarray of shape (n_members, n_outputs)
            NaN for a member without held-out series.
        """
        positions = [np.flatnonzero(series[rows.codes]) for series in held_out.T]
        tested = [number for number, at in enumerate(positions) if len(at)]
        predicted = self._apply_members(
            self._predict_values, [members[n] for n in tested], X, [positions[n] for n in tested]
        )
        errors = [self._unknown_errors(targets)] * len(members)
        for number, values in zip(tested, predicted, strict=True):
            true, at = targets[positions[number]], positions[number]
            errors[number] = self._mean_errors(true, values.reshape(true.shape), weights[at])
        return np.stack(errors)

    # ------------------------------------------------------- targets, by subclass

    def _read_targets(self, y, n_rows) -> tuple[np.ndarray, np.ndarray]:
        """Check y.

        Returns
        -------
        y : ndarray
            As the members receive it.
        targets : ndarray of shape (n_rows, n_values)
            The numbers that `_predict_values` estimates, NaN where unknown. Those of censored lives
            are their times.
        """
        raise NotImplementedError

    @property
    def _predict_values(self) -> Callable[[Any, Any], np.ndarray]:
        """The function that applies a member to X, and returns what is combined."""
        raise NotImplementedError

    def _mean_errors(self, targets, predicted, weights) -> np.ndarray:
        """Compute mean errors of a member, one for each of its weights; NaN without rows."""
        raise NotImplementedError

    def _unknown_errors(self, targets) -> np.ndarray:
        """Return the errors of a member without held-out rows: NaN for each of its weights."""
        return self._mean_errors(targets[:0], targets[:0], np.empty(0))

    # ------------------------------------------------------------------------ the members

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
            Further parameters of `fit`, for all rows. If they hold weights, these are multiplied.
        seeds : RandomState
        fit : Task
            The task that holds the fits of the members.
        """
        name = None if weights is None else weight_parameter(self.estimator)
        if name in params:
            params = dict(params)
            weights = check_weights(params.pop(name), len(rows))
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

        return ReportingParallel(fit.progress, **self._parallel_options)(jobs())

    def _apply_members(self, method, members, X, positions) -> list[np.ndarray]:
        """Apply a method to each member and the rows at its positions."""
        return Parallel(**self._parallel_options)(
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

    # -------------------------------------------------------------------------- applying

    def _combine(self, X, series_ids, method) -> tuple[np.ndarray, np.ndarray]:
        """Apply a method of the members, and return the combined values and their spread."""
        check_is_fitted(self)
        self._check_unchanged(reset=False)
        X, rows, has_ids = self._read(X, series_ids)
        member = self._member_of_row(X, rows, has_ids)
        parts = self._apply_to_rows(method, X, rows, member)
        return combine_rows(member, parts, self.weights_, median=self.combine == "median")

    # --------------------------------------------------------------------------- plumbing

    @property
    def _parallel_options(self) -> dict[str, Any]:
        return {"n_jobs": self.n_jobs, "prefer": "threads"}

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

    def _with_tags_of_members(self, tags):
        """Copy the tags of the members into those of this ensemble, and return them."""
        inner = get_tags(self.estimator)
        copy_tags(tags, inner)
        tags.input_tags.three_d_array = self.series is None and inner.input_tags.three_d_array
        return tags
