"""Regress on targets that are scaled by series."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklstm._panel.read import as_table, check_unchanged, column_position, id_values
from sklstm._panel.statistics import SCALER_STATISTICS
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
from sklstm.preprocessing._scaler import PerSeriesScaler
from sklstm.preprocessing._scaling import one_if_zero


def typical_scale(scale, otherwise):
    """Median over the series of each output's scales that are not 0.

    Parameters
    ----------
    scale : ndarray of shape (n_series, n_outputs)
    otherwise : ndarray of shape (n_outputs,)
        What stands in where all are 0.

    Returns
    -------
    ndarray of shape (n_outputs,)
    """
    return np.ma.filled(np.ma.median(np.ma.masked_equal(scale, 0), axis=0), otherwise)


def _has_quantiles(estimator):
    """Let the regressor say in its own words that it has no quantiles."""
    regressor = getattr(estimator, "regressor_", estimator.regressor)
    return callable(last_step(regressor).predict_quantiles)


class _TargetScaler(PerSeriesScaler):
    """PerSeriesScaler as predictions need it.

    Where y never varied it takes the scale of a typical series. 1 would mean something else
    in every unit: a prediction that is off by a tenth of a scale may be off by a thousand
    times the size of y.
    """

    def _set_statistics(self, by_series, pooled):
        super()._set_statistics(by_series, pooled)
        scale = self._statistics.center_scale()[1]
        constant = (scale == 0) & (self._statistics.count > 0)
        self._typical = typical_scale(scale, one_if_zero(self.pooled_scale_))
        self.scale_ = np.where(constant, self._typical, self.scale_)

    def fit_by_row(self, X):
        """Learn from X, and return what :meth:`by_row` does."""
        return self._by_row(self._fit(X))

    def by_row(self, X):
        """Center and scale at each row, of shape (n_rows, n_scaled) (expanding ones only)."""
        return self._by_row(self._read(X, reset=False))

    def _by_row(self, panel):
        center, scale = np.empty((2, *panel.values.shape))
        for at, _, *both in self._expand(panel, self._is_expanding(panel)):
            center[at], scale[at] = (part.T for part in both)
        return center, np.where(scale == 0, self._typical, scale)


class PerSeriesTargetRegressor(RegressorMixin, BaseEstimator):
    """Fit a regressor on targets scaled by series; predict in the units of the targets.

    As scikit-learn's `TransformedTargetRegressor`, but with statistics of each series' own:
    series at any level and of any size are the same problem to the regressor, and none
    outweighs the others by its units. X reaches the regressor untouched, ids included.

    Parameters
    ----------
    regressor : estimator
        A regressor or a pipeline that ends in one. A clone of it is fitted.
    scaler : {"standard", "minmax", "maxabs", "robust"} or transformer, default="standard"
        What to scale by, as in :class:`PerSeriesScaler`. A scikit-learn transformer is
        cloned for every series; that takes ``target=None``.
    target : str or int, default=None
        Whose statistics scale y.

        - None: those of y itself over the series' rows in `fit`, for each output by itself.
          Right for splits in time. A series that was not in fit gets what `unknown` says.
        - A column of X, of which y holds future values: its statistics in the series up to
          and including the row, drawn to the pooled ones by ``n / (n + prior_rows)``. One
          center and one scale serve all outputs of a row. They never look ahead, and series
          never seen before are scaled as those of fit are: right for every split.
    unknown : {"pooled", "error"}, default="pooled"
        With ``target=None``, how to predict a series that was not in fit: by the statistics
        of all rows, or not at all.
    prior_rows : float, default=30
        With `target`, how many rows the pooled statistics count for. Take the value of the
        pipeline's :class:`PerSeriesScaler`: with another one, y and that column are scaled
        differently, and much is lost. Try 0 in both where series differ by orders of magnitude.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series; `Windows` carry their ids. ``time=None``:
        rows of a series are in time order as given. Only `target` needs the order.

    Attributes
    ----------
    regressor_ : estimator
        The fitted clone. What it shows of its training, such as losses, is in scaled units.
    scaler_ : PerSeriesScaler
        The statistics: with ``target=None`` of y, by series, else of the column `target`.
    n_features_in_ : int
        Columns seen in fit, ids included, where the regressor tells.
    feature_names_in_ : ndarray of str
        Their names, where the regressor tells.

    See Also
    --------
    PerSeriesScaler : Scales the features by series.
    make_targets : Makes targets that are future values of a column.

    Notes
    -----
    Missing target elements are left out of the statistics and reach the regressor as they
    are, which must be able to leave them out too, as :class:`MultiSeriesLSTMRegressor` is.
    The statistics of y leave out rows of weight 0 as well.

    With ``target=None``, an output that never varied in a series takes the median scale of
    the series in which it did, and one that a series never showed is scaled as in an
    unknown series. Take `target` if y holds the next values of one column and series may
    be shorter than that.

    With `target`, rows that continue a series of fit go on from remembered sums where `time`
    is known, as in :class:`PerSeriesScaler`: their earlier rows need not be passed again.

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

    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit", "predict"])],
        "scaler": [
            StrOptions(set(SCALER_STATISTICS)),
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
        "target": [str, Integral, None],
        "unknown": [StrOptions({"pooled", "error"})],
        "prior_rows": PerSeriesScaler._parameter_constraints["prior_rows"],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        regressor,
        *,
        scaler="standard",
        target=None,
        unknown="pooled",
        prior_rows=30,
        series=None,
        time=None,
    ):
        self.regressor = regressor
        self.scaler = scaler
        self.target = target
        self.unknown = unknown
        self.prior_rows = prior_rows
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(self, X, y, sample_weight=None, **fit_params):
        """Learn the statistics, and fit the regressor on scaled targets.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel, or with ``target=None`` whatever the regressor takes.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Whatever belongs to each row. NaN elements are missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row, passed on to the regressor; in a pipeline, to its last step.
        **fit_params : dict
            Passed on to the regressor's `fit`, or with metadata routing to whom they belong.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_unchanged(reset=True)
        targets, one_dimensional = read_targets(y, _num_samples(X), type(self).__name__)
        scaled = self._fit_scaler(X, targets, check_weights(sample_weight, len(targets)))
        self._y_dtype = targets.dtype
        self.regressor_ = clone(self.regressor)
        self.regressor_.fit(
            X,
            scaled[:, 0] if one_dimensional else scaled,
            **self._fit_params(sample_weight, fit_params),
        )
        return self

    def _fit_scaler(self, X, y, weights):
        """Learn the statistics, and return y scaled."""
        if self.target is not None:
            if not isinstance(self.scaler, str):
                raise ValueError(
                    f"A transformer as scaler ({self.scaler!r}) has no expanding statistics: "
                    f"choose one of {sorted(SCALER_STATISTICS)}, or target=None."
                )
            if column_position(as_table(X), self.target) is None:
                raise ValueError(
                    f"target={self.target!r} is no column of X: name the column of which y holds "
                    "future values, or choose target=None."
                )
            self.scaler_ = _TargetScaler(
                self.scaler,
                prior_rows=self.prior_rows,
                columns=[self.target],
                series=self.series,
                time=self.time,
            )
            center, scale = self.scaler_.fit_by_row(X)
            return ((y - center) / scale).astype(y.dtype, copy=False)
        self.scaler_ = _TargetScaler(
            self.scaler, statistics="fit", unknown=self.unknown, series="series"
        )
        ids = self._ids(X, len(y))
        self.scaler_.fit(_by_id(np.where(weights[:, np.newaxis] > 0, y, np.nan), ids))
        return np.asarray(self.scaler_.transform(_by_id(y, ids)))

    def _fit_params(self, sample_weight, fit_params):
        """Return what goes to the regressor's `fit`."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **fit_params)
            return routed["regressor"]["fit"]
        if sample_weight is None:
            return fit_params
        return {**fit_params, fit_parameter(self.regressor, "sample_weight"): sample_weight}

    # -------------------------------------------------------------------------- applying

    def predict(self, X):
        """Predict every row, in the units of y.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            In the order of X and the shape that the regressor gives it.
        """
        check_is_fitted(self)
        unscale = self._way_back(X)
        return unscale(self.regressor_.predict(X))

    @available_if(_has_quantiles)
    def predict_quantiles(self, X):
        """Predict quantiles of every row, in the units of y.

        There is such a method where the regressor, or the last step of a pipeline, has it.

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
        unscale = self._way_back(X)
        predicted = predict_quantiles(self.regressor_, X)
        levels = range(predicted.shape[-1])
        return np.stack([unscale(predicted[..., level]) for level in levels], axis=-1)

    def _way_back(self, X):
        """Return the function from scaled predictions for the rows of X to the units of y."""
        self._check_unchanged(reset=False)
        if self.target is None:
            ids = self._ids(X, _num_samples(X))

            def unscale(scaled):
                return np.asarray(self.scaler_.inverse_transform(_by_id(scaled, ids)))
        else:
            center, scale = self.scaler_.by_row(X)

            def unscale(scaled):
                return scaled * scale + center

        def as_predicted(predicted):
            # In the precision of y, which may be more than that of the regressor.
            scaled = np.asarray(predicted, self._y_dtype).reshape(len(predicted), -1)
            return unscale(scaled).astype(self._y_dtype, copy=False).reshape(predicted.shape)

        return as_predicted

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination, missing target elements left out.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            As in `fit`.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            In its own units. NaN elements are skipped.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        float
            Plain mean over the outputs that have a known target.
        """
        return score_of_known(self.predict(X), y, sample_weight, type(self).__name__)

    # ---------------------------------------------------------------------------- pieces

    def _ids(self, X, n_rows):
        """Ids of the rows, as a pandas Index; 0 for all where they are one series."""
        if isinstance(X, Windows):
            return X.series
        if self.series is None:
            return pd.Index(np.zeros(n_rows, np.int32))
        return pd.Index(id_values(as_table(X), self.series, "series"), tupleize_cols=False)

    def _check_unchanged(self, reset):
        names = ["scaler", "target", "unknown", "prior_rows", "series", "time"]
        check_unchanged(self, names, reset=reset)

    # --------------------------------------------------------------------------- plumbing

    @property
    def n_features_in_(self):
        """Columns seen in fit, ids included, where the regressor tells."""
        return self.regressor_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns, where the regressor tells."""
        return self.regressor_.feature_names_in_

    def get_metadata_routing(self):
        """Say which metadata `fit` passes on: scikit-learn asks with routing enabled.

        Returns
        -------
        MetadataRouter
        """
        return route_fit(self, regressor=self.regressor)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.regressor)
        plain = self.series is None and self.target is None
        take_tags(tags, inner)
        tags.input_tags.sparse = plain and inner.input_tags.sparse
        tags.input_tags.three_d_array = plain and inner.input_tags.three_d_array
        return tags


def _by_id(values, ids):
    """Make a panel of targets, with the ids of their rows in the index."""
    return pd.DataFrame(values, index=ids.rename("series"))
