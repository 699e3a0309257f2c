"""Scaling of each series by its own statistics, over all series at once."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.read import Panel, as_slice, check_unchanged, read_panel
from sklstm._panel.rows import run_starts
from sklstm._panel.statistics import KINDS, block_rows, expanding_blocks, look_up, read_block

# From version 3 on, pandas copies shared columns when they are written to.
COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3

# ----------------------------------------------------------------------- pure functions


def shrink(count, center, scale, pooled_center, pooled_scale, prior_rows):
    """Draw statistics of few rows towards the pooled ones, by ``n / (n + prior_rows)``."""
    own = count / np.maximum(count + prior_rows, 1e-300)
    return own * center + (1 - own) * pooled_center, own * scale + (1 - own) * pooled_scale


def no_zero(scale):
    """Let constant features keep their units: a scale of 0 becomes 1."""
    return scale + (scale == 0)


def _check_can_merge(scaler):
    """Raise where `partial_fit` has nothing to go on from."""
    if isinstance(scaler.scaler, str):
        can_merge = scaler.scaler not in KINDS or KINDS[scaler.scaler].can_merge
    else:
        can_merge = hasattr(scaler.scaler, "partial_fit")
    if can_merge:
        return True  # an unknown name too: fit has the better message for it
    raise ValueError(
        f"partial_fit cannot go on from the statistics of scaler={scaler.scaler!r}: they are no "
        "sums or extrema. Call fit with all rows."
    )


# ------------------------------------------------------------------------ the estimator


class PerSeriesScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each series by its own statistics.

    All series are scaled at once by group-wise sums. Ids and time stay in place, rows and
    columns keep their order. Fitted on a DataFrame, it gives a DataFrame for a DataFrame
    and an array for an array.

    Parameters
    ----------
    scaler : {"standard", "minmax", "maxabs", "robust"} or transformer, default="standard"
        What to scale by, as the scikit-learn scaler of that name with its default
        parameters. A scikit-learn transformer is cloned for every series; that takes
        ``statistics="fit"`` or "pooled".
    statistics : {"expanding", "fit", "pooled"}, default="expanding"
        Which rows the statistics are taken over.

        - "expanding": each row is scaled by its own series up to and including that row,
          in `fit_transform` and in `transform` alike, with center and scale shrunk to the
          pooled ones by ``n / (n + prior_rows)``. Nothing looks ahead, and series never
          seen before look as those of fit do.
        - "fit": all rows of the series in `fit`. Right for splits in time, *wrong* for
          held-out series: a z-score over a whole life knows when that life ends, and a new
          series has none. On the embedded engines (``benchmarks/scaling_statistics.py``:
          ridge on mean and slope of 30 rows) the RMSE on held-out engines is 28.7 with it
          and `unknown` "expanding", 20.3 with `unknown` "pooled", 15.4 with "expanding",
          16.0 with "pooled" and 41.9 for a constant.
        - "pooled": one set for all rows of all series, as scikit-learn's scaler does; the
          baseline that the other two must beat.
    unknown : {"pooled", "expanding", "error"}, default="pooled"
        With ``statistics="fit"``, what scales a series that was not in fit.
    prior_rows : float, default=30
        With expanding statistics, how many rows the pooled statistics count for.
    columns : list of str or int, default=None
        The features to scale, by default all. The others pass through as they are.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: rows of a series are in
        time order as given. `series` may name any column that groups the rows: an
        operating regime as well as a machine.

    Attributes
    ----------
    series_ids_ : pandas.Index of shape (n_series,)
        The series of fit.
    center_, scale_ : ndarray of shape (n_series, n_scaled)
        Statistics of each series over its rows in fit (built-in scalers).
    pooled_center_, pooled_scale_ : ndarray of shape (n_scaled,)
        Statistics of all rows of fit (built-in scalers).
    scalers_ : dict
        With a transformer as `scaler`: its fitted clone by id.
    pooled_scaler_ : transformer
        With a transformer as `scaler`: the clone for all rows.
    n_features_in_ : int
        Columns seen in fit, ids included.
    feature_names_in_ : ndarray of str
        Their names, where X had them.

    Notes
    -----
    NaN passes through and is left out of the statistics. Constant features are shifted
    and not divided.

    Where `time` is known, rows of a fitted series that are later than its last fitted row continue
    it: "expanding" statistics start from the remembered sums. All other rows start from the first
    row passed with them, as they did in fit.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import PerSeriesScaler
    >>> X = pd.DataFrame({"unit": ["a", "a", "b", "b"], "p": [1.0, 3.0, 100.0, 300.0]})
    >>> PerSeriesScaler(statistics="fit", series="unit").fit_transform(X)
      unit    p
    0    a -1.0
    1    a  1.0
    2    b -1.0
    3    b  1.0
    """

    _parameter_constraints: dict = {
        "scaler": [StrOptions(set(KINDS)), HasMethods(["fit", "transform"])],
        "statistics": [StrOptions({"expanding", "fit", "pooled"})],
        "unknown": [StrOptions({"pooled", "expanding", "error"})],
        "prior_rows": [Interval(Real, 0, None, closed="left")],
        "columns": ["array-like", str, Integral, None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        scaler="standard",
        *,
        statistics="expanding",
        unknown="pooled",
        prior_rows=30,
        columns=None,
        series=None,
        time=None,
    ):
        self.scaler = scaler
        self.statistics = statistics
        self.unknown = unknown
        self.prior_rows = prior_rows
        self.columns = columns
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(self, X, y=None):
        """Learn the statistics of each series and of all rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Learn the statistics and scale the same panel, which is read once.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)
            As `transform` returns it.
        """
        return self._scale(X, self._fit(X))

    def _fit(self, X):
        """Learn from a panel, and return it as read."""
        self._validate_params()
        self._check_combination()
        panel = self._read(X, reset=True)
        self.series_ids_ = panel.ids
        self._last_time: Any = None if panel.time is None else panel.last_times
        self._framed = isinstance(X, pd.DataFrame)
        self._labels = X.columns.to_numpy(dtype=object) if self._framed else None
        n_series = len(panel.ids)
        if isinstance(self.scaler, str):
            kind = KINDS[self.scaler]
            self._learned = kind.of(panel.values, panel.codes, n_series, panel.order)
            if kind.can_merge:
                pooled = self._learned.pooled()
            else:
                pooled = kind.of(panel.values, np.zeros(len(panel.codes), np.intp), 1)
            if self.statistics != "expanding" or self.time is None:
                self._learned.forget_rows()
            self._set_statistics(pooled)
        else:
            self.pooled_scaler_ = clone(self.scaler).fit(panel.values)
            self.scalers_ = {}
            if self.statistics == "fit":
                for number, rows in _rows_by_series(panel):
                    self.scalers_[panel.ids[number]] = clone(self.scaler).fit(panel.values[rows])
        return panel

    @available_if(_check_can_merge)
    def partial_fit(self, X, y=None):
        """Go on learning from more rows, of series known and new.

        Rows that come twice count twice.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel; with `time`, rows of known series may continue them.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the statistics cannot be merged: quartiles, or a transformer without
            `partial_fit`.
        """
        if not hasattr(self, "series_ids_"):
            return self.fit(X)
        panel = self._read(X, reset=False)
        known, self.series_ids_ = (
            self.series_ids_,
            self.series_ids_.append(panel.ids[self.series_ids_.get_indexer(panel.ids) < 0]),
        )
        before, now = known.get_indexer(self.series_ids_), panel.ids.get_indexer(self.series_ids_)
        if panel.time is not None:
            last = np.where(before >= 0, self._last_time[before], panel.time.min())
            latest = np.where(now >= 0, panel.last_times[now], last)
            self._last_time = np.maximum(last, latest)
        if isinstance(self.scaler, str):
            new = KINDS[self.scaler].of(panel.values, panel.codes, len(panel.ids), panel.order)
            self._learned = self._learned.take(before).merge(new.take(now))
            self._set_statistics(self._learned.pooled())
        else:
            self.pooled_scaler_.partial_fit(panel.values)
            if self.statistics == "fit":
                for number, rows in _rows_by_series(panel):
                    name = panel.ids[number]
                    own = self.scalers_.setdefault(name, clone(self.scaler))
                    own.partial_fit(panel.values[rows])
        return self

    # -------------------------------------------------------------------------- applying

    def transform(self, X):
        """Scale a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel with the columns of fit.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)
            As X, ids and other columns in place; a DataFrame for a DataFrame.
        """
        check_is_fitted(self)
        return self._scale(X, self._read(X, reset=False))

    def inverse_transform(self, X):
        """Undo the scaling where the statistics are stored.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel as `transform` returns it.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)

        Raises
        ------
        ValueError
            With expanding statistics: they are a row's own and are not kept.
        """
        check_is_fitted(self)
        panel = self._read(X, reset=False)
        if isinstance(self.scaler, str):
            if self._expanding_rows(panel).any():
                raise ValueError(
                    "inverse_transform needs stored statistics: statistics='fit' (and, for series "
                    "not seen in fit, unknown='pooled') or 'pooled'. Expanding ones are not kept."
                )
            values = self._apply_stored(panel, inverse=True)
        else:
            values = self._apply_clones(panel, "inverse_transform")
        return self._assemble(X, panel, values)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those of fit.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The columns of fit; only checked, but for a fit without names.

        Returns
        -------
        ndarray of object
            Column labels that are no strings stay as they are.
        """
        names = super().get_feature_names_out(input_features)
        return names if self._labels is None or input_features is not None else self._labels

    # ---------------------------------------------------------------------------- pieces

    def _read(self, X, reset):
        names = ["scaler", "statistics", "columns", "series", "time"]
        check_unchanged(self, names, reset=reset)
        return read_panel(
            X,
            columns=self.columns,
            series=self.series,
            time=self.time,
            estimator=self,
            reset=reset,
        )

    def _check_combination(self):
        if isinstance(self.scaler, str):
            return
        if self.statistics == "expanding" or (
            self.statistics == "fit" and self.unknown == "expanding"
        ):
            raise ValueError(
                f"A transformer as scaler ({self.scaler!r}) has no expanding statistics: choose "
                "statistics='fit' with unknown='pooled' or 'error', or statistics='pooled'."
            )

    def _set_statistics(self, pooled):
        self.center_, self.scale_ = self._learned.center_scale()
        pooled_center, pooled_scale = pooled.center_scale()
        self.pooled_center_, self.pooled_scale_ = pooled_center[0], pooled_scale[0]
        # A feature that a series never showed is scaled as in an unknown series.
        unseen = self._learned.count == 0
        self.center_ = np.where(unseen, self.pooled_center_, self.center_)
        self.scale_ = no_zero(np.where(unseen, self.pooled_scale_, self.scale_))

    def _series_numbers(self, panel: Panel):
        """Position of each panel series in `series_ids_`, -1 for one not seen in fit."""
        numbers = self.series_ids_.get_indexer(panel.ids)
        if self.statistics == "fit" and self.unknown == "error" and (numbers < 0).any():
            unseen = panel.ids[numbers < 0][:10].tolist()
            choice = "'pooled' or 'expanding'" if isinstance(self.scaler, str) else "'pooled'"
            raise ValueError(
                f"Series {unseen} were not seen in fit and unknown='error'. Fit on them, or choose "
                f"unknown={choice}."
            )
        return numbers

    def _expanding_rows(self, panel):
        if self.statistics == "expanding":
            return np.ones(len(panel.codes), bool)
        if self.statistics == "fit" and self.unknown == "expanding":
            return (self._series_numbers(panel) < 0)[panel.codes]
        return np.zeros(len(panel.codes), bool)

    def _scale(self, X, panel):
        """Scale a panel that has been read from X."""
        if not isinstance(self.scaler, str):
            return self._assemble(X, panel, self._apply_clones(panel, "transform"))
        expanding = self._expanding_rows(panel)
        if expanding.all():
            scaled = np.empty_like(panel.values)
        else:
            scaled = self._apply_stored(panel, inverse=False)
        if expanding.any():
            for at, block, center, scale in self._expand(panel, expanding):
                scaled[at] = ((block - center) / no_zero(scale)).T
        return self._assemble(X, panel, scaled)

    def _apply_stored(self, panel, inverse):
        center, scale = self.pooled_center_, no_zero(self.pooled_scale_)
        if self.statistics == "fit":
            # The pooled statistics stand last, where -1 finds them.
            numbers = self._series_numbers(panel)
            center = np.vstack([self.center_, center])[numbers]
            scale = np.vstack([self.scale_, scale])[numbers]
        out, size = np.empty_like(panel.values), block_rows(panel.values.shape[1])
        for start in range(0, len(out), size):
            at = slice(start, start + size)
            block = read_block(panel.values, at)
            if self.statistics == "fit":
                c, s = look_up(center, panel.codes[at]), look_up(scale, panel.codes[at])
            else:
                c, s = center[:, np.newaxis], scale[:, np.newaxis]
            out[at] = (block * s + c if inverse else (block - c) / s).T
        return out

    def _expand(self, panel, chosen):
        """Go through the chosen rows with the statistics of their own series so far.

        Yields
        ------
        at : slice or ndarray
            The rows of a block.
        block, center, scale : ndarray of shape (n_scaled, n_block)
            Their values, center and scale; the scale of a constant feature may be 0.
        """
        order, numbers = panel.order, self._series_numbers(panel)
        continues = panel.continues(self.series_ids_, self._last_time)
        if not chosen.all():
            order = panel.sorting[chosen[panel.sorting]]
        # Rows that continue a series are a run of their own, after the others of their series.
        codes = panel.codes + len(panel.ids) * continues
        codes = codes if order is None else codes[order]
        starts = run_starts(codes)
        series = codes[starts] % len(panel.ids)
        past = self._learned.take(np.where(codes[starts] >= len(panel.ids), numbers[series], -1))
        pooled = self.pooled_center_[:, np.newaxis], self.pooled_scale_[:, np.newaxis]
        for at, block, count, center, scale in expanding_blocks(past, panel.values, starts, order):
            center, scale = shrink(count, center, scale, *pooled, self.prior_rows)
            yield at, block, center, scale

    def _apply_clones(self, panel, method):
        if self.statistics == "pooled":
            parts = [(slice(None), self.pooled_scaler_)]
        else:
            self._series_numbers(panel)
            parts = [
                (rows, self.scalers_.get(panel.ids[number], self.pooled_scaler_))
                for number, rows in _rows_by_series(panel)
            ]
        out = np.empty(panel.values.shape, panel.values.dtype)
        for rows, scaler in parts:
            if not hasattr(scaler, method):
                raise ValueError(f"{scaler!r} has no {method}.")
            part = np.asarray(getattr(scaler, method)(panel.values[rows]))
            if part.shape != out[rows].shape:
                raise ValueError(
                    f"{scaler!r} turned {out[rows].shape[1]} columns into shape {part.shape}; a "
                    "scaler must keep rows and columns."
                )
            out[rows] = part
        return out

    def _assemble(self, X, panel, scaled):
        """Put scaled features in place of the raw ones."""
        if isinstance(X, pd.DataFrame) and self._framed:
            if len(panel.positions) == X.shape[1]:
                return pd.DataFrame(scaled, index=X.index, columns=X.columns)
            out = X.copy(deep=False)
            for j, position in enumerate(panel.positions):
                out.isetitem(position, scaled[:, j])
            if not COPY_ON_WRITE:
                for position in set(range(X.shape[1])) - set(panel.positions):
                    out.isetitem(position, X.iloc[:, position].copy())
            return out
        # A list may hold texts beside numbers.
        X = np.asarray(X, dtype=object) if isinstance(X, (list, tuple)) else np.asarray(X)
        if len(panel.positions) == X.shape[1]:
            return scaled
        dtype = X.dtype if X.dtype == object else np.result_type(X.dtype, scaled.dtype)
        out = np.empty(X.shape, dtype)
        ids = np.setdiff1d(np.arange(X.shape[1]), panel.positions)
        out[:, ids] = X[:, ids]
        if X.dtype.kind in "iu" and (out[:, ids].astype(X.dtype) != X[:, ids]).any():
            raise ValueError(
                f"X is an array of {X.dtype} whose ids are too large for {dtype}, in which the "
                "scaled array would hold them. Pass a DataFrame, or an array of dtype object."
            )
        out[:, as_slice(panel.positions)] = scaled
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _rows_by_series(panel):
    """Yield (series number, its rows in time order)."""
    yield from enumerate(np.split(panel.sorting, panel.bounds[1:-1]))
