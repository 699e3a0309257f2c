"""Read the input of an ensemble, and assign series to its members."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
)

from sklstm._panel.by_id import series_by_id
from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.find_categories import FROM_DTYPE, find_categorical
from sklstm._panel.frames import as_plain, is_foreign
from sklstm._panel.read import (
    feature_names,
    read_panel,
    read_series_rows,
    select_features,
)
from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.rows import SeriesRows, encode_ids, group_order, id_index
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.unchanged import check_unchanged
from sklstm._panel.windows import Windows
from sklstm.meta._assignment import (
    Assignment,
    assign_labels,
    check_n_series,
    draw_bootstrap,
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


class AssignsSeries(PanelEstimator):
    """Hold the parameters of an ensemble, and assign series to its members."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
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
        "verbose": ["verbose"],
    }

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
        verbose: int = 0,
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
        self.verbose = verbose

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
                f"different members. Set its series too, such as {named[0].split('__')[-1]}."
            )

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
        history, names = self._history(X, rows, self.columns)
        features = features_of_series(history)[usable]
        clusterer, member = fit_clusterer(features, n_members, random)
        named = name_features(features, rows.ids[usable], names)
        return Assignment(one_member_each(member, n_members), labels, named, clusterer)

    def _history(self, X, rows, columns) -> tuple[SeriesHistory, list[str]]:
        """Return the history from which clusters are made, and the names of its features."""
        if len(X.shape) == 3:
            windows = X if isinstance(X, Windows) else Windows.from_array(np.ascontiguousarray(X))
            table = pd.DataFrame(columns=windows.names or range(windows.shape[2]))
            positions = select_features(table, columns, None, None)
            if columns is None:
                codes = {each.position for each in windows.categories}
                positions = [position for position in positions if position not in codes]
            history = history_of_windows(windows.with_series(rows.codes, rows.ids), positions)
            check_array(history.values, ensure_all_finite="allow-nan", input_name="X")
            return history, feature_names(table.columns, positions)
        X, series, time = as_plain(X), self.series, self.time
        by_dtype = FROM_DTYPE if columns is None else None
        skipped = find_categorical(X, by_dtype, series=series, time=time)
        panel = read_panel(X, columns=columns, skipped=skipped, series=series, time=time)
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
            warn_of_retyped_ids(self.draws_.index, rows.ids)
            at = self.draws_.index.get_indexer(rows.ids)
            member = np.where(at < 0, ALL_MEMBERS, self.draws_.to_numpy().argmax(axis=1)[at])
        new = member == ALL_MEMBERS
        if self._kind == "labels" and has_ids:
            label = series_by_id(self.assign, "assign").reindex(rows.ids[new])
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
        history, _ = self._history(X, rows, self._fitted_columns(X))
        return cluster_rows(self.clusterer_, history, new)

    def _fitted_columns(self, X) -> Any:
        """Return the features from which fit made clusters: by name, in whatever order X has them.

        If X or the X of fit has no names, they are at the same positions.
        """
        means = self.features_.columns[: self.features_.shape[1] // 3]
        fitted = [name.removeprefix("mean_") for name in means]
        names = X.names if isinstance(X, Windows) else getattr(as_plain(X), "columns", None)
        names = [] if names is None else list(names)
        missing = [name for name in fitted if name not in names]
        if len(missing) == len(fitted):
            return self.columns
        if missing:
            raise ValueError(
                f"X lacks the columns {missing}, from which clusters were made in fit: its columns "
                f"are {names}. Pass the columns of fit."
            )
        return fitted

    def _check_unchanged(self, reset):
        check_unchanged(self, ["assign", "combine", "columns", "series", "time"], reset=reset)
