"""Fit a regressor on targets that are scaled by series.

This module is long because of its docstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.frames import as_plain
from sklstm._panel.lives import separate_lives, with_times
from sklstm._panel.read import as_table, column_position, read_series_rows
from sklstm._panel.show import did_you_mean
from sklstm._panel.statistics import SCALER_STATISTICS
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.unchanged import check_unchanged
from sklstm._panel.weights import check_weights
from sklstm._panel.windows import Windows
from sklstm._progress import fit_task, with_callbacks
from sklstm.lstm._targets import check_targets
from sklstm.meta._delegation import (
    check_no_validation_targets,
    copy_tags,
    has_intervals,
    has_quantiles,
    inner_fit_params,
    route_fit,
    score_known,
    set_seeds,
)
from sklstm.meta._ids import warn_of_ids_as_features
from sklstm.meta._inner import check_inner
from sklstm.meta._last_step import predict_quantiles, prediction_interval
from sklstm.meta._target_scaler import TargetScaler
from sklstm.preprocessing._scaler import PerSeriesScaler


def _regressor_has_quantiles(estimator):
    return has_quantiles(getattr(estimator, "regressor_", estimator.regressor))


def _regressor_has_intervals(estimator):
    return has_intervals(getattr(estimator, "regressor_", estimator.regressor))


class PerSeriesTargetRegressor(RegressorMixin, PanelEstimator):
    """Fit a regressor on targets scaled by series, and predict in the units of the targets.

    The estimator is similar to scikit-learn's `TransformedTargetRegressor`, but each series has
    statistics of its own. The regressor then sees all series at a similar level and scale, and no
    series dominates the others because of its units. X is passed on to the regressor unchanged,
    including the ids.

    Parameters
    ----------
    regressor : estimator
        A regressor, or a pipeline whose last step is one. A clone of it is fitted.
    scaler : {"standard", "minmax", "maxabs", "robust"} or transformer, default="standard"
        The kind of scaling, as in :class:`PerSeriesScaler`. A scikit-learn transformer is cloned
        for each series; it requires ``target=None``.
    target : str or int, default=None
        The values by whose statistics y is scaled.

        - None: y itself, over the rows of the series in `fit`, for each output separately. This is
          right for splits in time. For series that were not seen in fit, see `unknown`.
        - A column of X whose future values are the targets: this column, over the rows of the
          series up to and including the row. Center and scale are shrunk towards the pooled ones
          (after n rows, those of the series have weight ``n / (n + prior_rows)``), and are the same
          for all outputs of a row. There is no look-ahead, and new series are scaled in the same
          way as fitted ones, so this is right for every split.
    unknown : {"pooled", "error"}, default="pooled"
        With ``target=None``, what to do with series that were not seen in fit: "pooled" scales by
        the statistics of all rows, and "error" raises an error.
    prior_rows : float, default=30
        With `target`, the weight of the pooled statistics, expressed as a number of rows. Use the
        same value as in the pipeline's :class:`PerSeriesScaler`. Otherwise, y and the column are
        scaled differently, and predictions are much worse. If series differ by orders of magnitude,
        try 0 for both.
    random_state : int, RandomState instance or None, default=None
        Seed of each parameter named ``random_state`` of the regressor that is None. None: the
        regressor is left as it is.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. With None, all rows are one
        series; `Windows` carry their ids.
    time : str, int or None, default=None
        Column name, index level name or column position of the time. With None, the rows of each
        series must already be in time order. Only `target` needs the order.

    Attributes
    ----------
    regressor_ : estimator
        The fitted clone. Its training losses are in scaled units.
    scaler_ : PerSeriesScaler
        The statistics: with ``target=None`` those of y by series, otherwise those of the column
        `target`.
    n_features_in_ : int
        Number of columns seen in fit, including ids, if the regressor has it.
    feature_names_in_ : ndarray of str
        Names of these columns, if the regressor has them.

    See Also
    --------
    PerSeriesScaler : Scale the features by series.
    make_targets : Make targets that are future values of a column.

    Notes
    -----
    Missing target elements are ignored in the statistics and passed on to the regressor, which must
    support them, as :class:`MultiSeriesLSTMRegressor` does. The statistics of y also ignore rows of
    weight 0.

    With ``target=None``, an output that is constant in a series is divided by the median scale of
    the series in which it varies. An output without known values in a series is scaled as in
    an unknown series. Set `target` if y holds the next values of one column and some series may be
    shorter than the number of these values.

    With `target`, rows that continue a fitted series include the fitted rows in their statistics if
    `time` is known, as in :class:`PerSeriesScaler`. Their earlier rows need not be passed again.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklstm import (
    ...     MultiSeriesLSTMRegressor, PerSeriesScaler, PerSeriesTargetRegressor,
    ...     WindowTransformer, make_targets,
    ... )
    >>> from sklstm.datasets import make_series_panel
    >>> X, _ = make_series_panel(random_state=0)
    >>> ids = {"series": "series", "time": "time"}
    >>> y = make_targets(X, horizon=3, columns="x0", **ids)
    >>> model = PerSeriesTargetRegressor(
    ...     make_pipeline(
    ...         PerSeriesScaler(**ids),
    ...         WindowTransformer(10, **ids),
    ...         MultiSeriesLSTMRegressor(8, epochs=2, random_state=0),
    ...     ),
    ...     target="x0",
    ...     **ids,
    ... )
    >>> grid = {"regressor__windowtransformer__window_length": [5, 10]}
    >>> search = GridSearchCV(model, grid, cv=GroupKFold(2))
    >>> search.fit(X, y, groups=X["series"]).predict(X).shape == y.shape
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "regressor": [HasMethods(["fit", "predict"])],
        "scaler": [
            StrOptions(set(SCALER_STATISTICS)),
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
        "target": [str, Integral, None],
        "unknown": [StrOptions({"pooled", "error"})],
        "prior_rows": PerSeriesScaler._parameter_constraints["prior_rows"],
        "random_state": ["random_state"],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        regressor: Any,
        *,
        scaler: Any = "standard",
        target: Any = None,
        unknown: str = "pooled",
        prior_rows: float = 30,
        random_state: int | np.random.RandomState | None = None,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.regressor = regressor
        self.scaler = scaler
        self.target = target
        self.unknown = unknown
        self.prior_rows = prior_rows
        self.random_state = random_state
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> Self:
        """Compute the statistics, and fit the regressor on scaled targets.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel; with ``target=None``, any input of the regressor.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Targets of the rows. NaN elements are missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. They are passed on to the regressor; in a pipeline, to its last
            step.
        **fit_params : dict
            Passed on to the regressor's `fit`. With metadata routing, the metadata requests
            determine what is passed on.

        Returns
        -------
        self
        """
        self._validate_params()
        check_inner(type(self).__name__, self.regressor, is_regressor=True)
        table = as_plain(X)  # the regressor receives X itself
        times, _ = separate_lives(y)
        targets, one_dimensional = check_targets(times, _num_samples(table), type(self).__name__)
        weights = check_weights(sample_weight, len(targets))
        warn_of_ids_as_features(self, self.regressor, table)
        if self.target is None:
            scaler, scaled = self._scale_by_targets(table, targets, weights)
        else:
            scaler, scaled = self._scale_by_column(table, targets)
        params = inner_fit_params(self, "regressor", {"sample_weight": sample_weight}, fit_params)
        check_no_validation_targets(type(self).__name__, params)
        regressor = clone(self.regressor)
        if self.random_state is not None:
            set_seeds(regressor, check_random_state(self.random_state), replace=False)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        with fit_task(self, max_subtasks=1, X=X, y=y, metadata=metadata) as task:
            scaled = with_times(y, scaled[:, 0] if one_dimensional else scaled)
            with task.subtask("fit-regressor").fitting(regressor, y=scaled):
                regressor.fit(X, scaled, **params)

            self._check_unchanged(reset=True)
            self.scaler_, self.regressor_, self._y_dtype = scaler, regressor, targets.dtype
        return self

    def _scale_by_targets(self, X, y, weights) -> tuple[TargetScaler, np.ndarray]:
        """Fit a scaler to y by series, and return it with the scaled targets."""
        scaler = TargetScaler(self.scaler, statistics="fit", unknown=self.unknown, series="series")
        scaler.set_output(transform="default")  # whatever scikit-learn's configuration names
        ids = self._ids(X)
        scaler.fit(panel_of_targets(np.where(weights[:, np.newaxis] > 0, y, np.nan), ids))
        return scaler, np.asarray(scaler.transform(panel_of_targets(y, ids)))

    def _scale_by_column(self, X, y) -> tuple[TargetScaler, np.ndarray]:
        """Fit a scaler to the column `target` of X, and return it with the scaled targets."""
        if not isinstance(self.scaler, str):
            raise ValueError(
                f"A transformer as scaler ({self.scaler!r}) has no expanding statistics: "
                f"choose one of {sorted(SCALER_STATISTICS)}, or target=None."
            )
        table = as_table(X)
        if table.shape[1] == 0:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={table.shape}) while a minimum of 1 is "
                f"required by {type(self).__name__}."
            )
        if column_position(table, self.target) is None:
            names = getattr(table, "columns", range(table.shape[1]))
            remedy = did_you_mean(
                self.target,
                names,
                "Name the column whose future values y holds, or choose target=None.",
            )
            raise ValueError(
                f"target={self.target!r} is not a column of X ({list(names)}). {remedy}"
            )
        scaler = TargetScaler(
            self.scaler,
            prior_rows=self.prior_rows,
            columns=[self.target],
            series=self.series,
            time=self.time,
        )
        center, scale = scaler.fit_center_scale(X)
        return scaler, ((y - center) / scale).astype(y.dtype, copy=False)

    # -------------------------------------------------------------------------- applying

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target of each row, in the units of y.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X, and of the shape that the regressor predicts.
        """
        check_is_fitted(self)
        unscale = self._unscaler(X)
        return unscale(self.regressor_.predict(X))

    @available_if(_regressor_has_quantiles)
    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Predict quantiles of each row, in the units of y.

        The method exists if the regressor, or the last step of a pipeline, has it.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            In the order of X.
        """
        check_is_fitted(self)
        unscale = self._unscaler(X)
        predicted = predict_quantiles(self.regressor_, X)
        levels = range(predicted.shape[-1])
        return np.stack([unscale(predicted[..., level]) for level in levels], axis=-1)

    @available_if(_regressor_has_intervals)
    def prediction_interval(self, X: Any, coverage: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
        """Predict a central interval per row, in the units of y.

        The method exists if the regressor, or the last step of a pipeline, has it. The regressor's
        `calibration` is that of scaled targets: intervals are shifted in units of the scale of each
        series.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.
        coverage : float, default=0.8
            Share of the targets in the interval.

        Returns
        -------
        lower, upper : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X.
        """
        check_is_fitted(self)
        unscale = self._unscaler(X)
        lower, upper = prediction_interval(self.regressor_, X, coverage)
        return unscale(lower), unscale(upper)

    def _unscaler(self, X) -> Callable[[Any], np.ndarray]:
        """Return a function that converts scaled predictions of the rows of X to units of y."""
        self._check_unchanged(reset=False)
        if self.target is None:
            ids = self._ids(X)

            def unscale(scaled):
                return np.asarray(self.scaler_.inverse_transform(panel_of_targets(scaled, ids)))
        else:
            center, scale = self.scaler_.center_scale(X)

            def unscale(scaled):
                return scaled * scale + center

        def in_units_of_y(predicted):
            # In the precision of y, which may be higher than that of the regressor.
            scaled = np.asarray(predicted, self._y_dtype).reshape(len(predicted), -1)
            return unscale(scaled).astype(self._y_dtype, copy=False).reshape(predicted.shape)

        return in_units_of_y

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the coefficient of determination, ignoring missing target elements.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Targets in their own units. NaN elements are ignored.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Mean over the outputs with a known target.
        """
        return score_known(self.predict(X), y, sample_weight, type(self).__name__)

    # --------------------------------------------------------------------------- plumbing

    def _ids(self, X) -> pd.Index:
        """Return the id of the series of each row."""
        rows = read_series_rows(X, None if isinstance(X, Windows) else self.series)
        return rows.ids.take(rows.codes)

    def _check_unchanged(self, reset):
        names = ["scaler", "target", "unknown", "prior_rows", "series", "time"]
        check_unchanged(self, names, reset=reset)

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in fit, including ids, if the regressor has it."""
        return self.regressor_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns seen in fit, if the regressor has them."""
        return self.regressor_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of the metadata of `fit` to the regressor.

        Returns
        -------
        MetadataRouter
        """
        return route_fit(self, regressor=self.regressor)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.regressor)
        plain = self.series is None and self.target is None
        copy_tags(tags, inner)
        tags.input_tags.sparse = plain and inner.input_tags.sparse
        tags.input_tags.three_d_array = plain and inner.input_tags.three_d_array
        return tags


def panel_of_targets(values, ids) -> pd.DataFrame:
    """Return targets as a panel with the ids in the index."""
    return pd.DataFrame(values, index=ids.rename("series"))
