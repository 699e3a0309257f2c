"""Scale each series of a panel by its own statistics.

This module is long because of its docstrings.
"""

from __future__ import annotations

from copy import copy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.read import Panel
from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.rows import run_starts
from sklstm._panel.statistics import SCALER_STATISTICS, Statistics, expanding_blocks
from sklstm._panel.tables import SERIES_NAME
from sklstm._progress import fit_task, with_callbacks
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.methods import check_block_series, transforms_blocks
from sklstm.preprocessing._columns import ChangesColumns
from sklstm.preprocessing._scaling import (
    apply_clones,
    fit_clones,
    latest_times,
    one_if_zero,
    partial_fit_clones,
    scale_rows,
    shrink,
)


def _can_merge(scaler):
    """Whether the statistics of some rows can be updated with further rows."""
    if not isinstance(scaler, str):
        return hasattr(scaler, "partial_fit")
    # For an unknown name, `fit` raises the better error.
    return scaler not in SCALER_STATISTICS or SCALER_STATISTICS[scaler].can_merge


def _check_can_merge(estimator):
    """Raise an error if the statistics cannot be updated by `partial_fit`."""
    scaler = estimator.scaler
    if not _can_merge(scaler):
        raise ValueError(
            f"partial_fit cannot update the statistics of scaler={scaler!r}, which need all rows "
            "at once. Call fit with all rows."
        )
    return True


class PerSeriesScaler(ChangesColumns):
    """Scale each series by its own statistics.

    All series are scaled at once, without a loop over series. Ids and time stay in place, and rows
    and columns keep their order. A scaler fitted on a DataFrame returns a DataFrame of the same
    library if it is given one, and an array if it is given an array.

    Parameters
    ----------
    scaler : {"standard", "minmax", "maxabs", "robust"} or transformer, default="standard"
        The kind of scaling. A name stands for the scikit-learn scaler of that name with its default
        parameters. A scikit-learn transformer is cloned for each series; it requires
        ``statistics="fit"`` or "pooled".
    statistics : {"expanding", "fit", "pooled"}, default="expanding"
        The rows over which the statistics are computed.

        - "expanding": each row is scaled by the statistics of its series up to and including that
          row, both in `fit_transform` and in `transform`. Center and scale are shrunk towards the
          pooled ones: after n rows, those of the series have weight ``n / (n + prior_rows)``. There
          is no look-ahead, and new series are scaled in the same way as fitted ones.
        - "fit": all rows of the series in `fit`. This is right for splits in time, but *wrong* for
          held-out series: statistics over the whole life of a machine reveal when it ends, and
          a new series has no statistics. On the included turbofan engines
          (``benchmarks/scaling_statistics.py``: ridge regression on mean and slope of 30 rows) the
          RMSE on held-out engines is 28.7 with "fit" and ``unknown="expanding"``, 20.3 with "fit"
          and ``unknown="pooled"``, 15.4 with "expanding", 16.0 with "pooled" and 41.9 for a
          constant prediction.
        - "pooled": all rows of all series, as in scikit-learn's scalers. This is the baseline for
          the other two options.
    unknown : {"pooled", "expanding", "error"}, default="pooled"
        With ``statistics="fit"``, the statistics by which series that were not seen in fit are
        scaled; "error" raises an error for such series.
    prior_rows : float, default=30
        With expanding statistics, the weight of the pooled statistics, expressed as a number of
        rows.
    columns : list of str or int, default=None
        The features to scale, by default all but those of dtype "category". The other columns are
        returned unchanged.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. With None, all rows are one
        series. It may be any column that groups the rows, such as a machine or an operating regime.
    time : str, int or None, default=None
        Column name, index level name or column position of the time. With None, the rows of each
        series must already be in time order.

    Attributes
    ----------
    series_ids_ : pandas.Index of shape (n_series,)
        Ids of the fitted series.
    center_ : ndarray of shape (n_series, n_scaled)
        Center of each series over its fitted rows (built-in scalers).
    scale_ : ndarray of shape (n_series, n_scaled)
        Scale of each series over its fitted rows (built-in scalers).
    pooled_center_ : ndarray of shape (n_scaled,)
        Center of all fitted rows (built-in scalers).
    pooled_scale_ : ndarray of shape (n_scaled,)
        Scale of all fitted rows (built-in scalers).
    scalers_ : dict
        Fitted clone by id (transformer as `scaler`).
    pooled_scaler_ : transformer
        The clone fitted to all rows (transformer as `scaler`).
    n_features_in_ : int
        Number of columns seen in fit, including ids.
    feature_names_in_ : ndarray of str
        Names of these columns, if X had names.

    Notes
    -----
    NaN is ignored in the statistics and remains NaN. Constant features are centered but not
    divided.

    If `time` is known, rows of a fitted series that are later than its last fitted row continue
    it: their "expanding" statistics include the fitted rows. For all other rows, the statistics
    start at the first row of the series that is passed, as in `fit`.

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

    _parameter_constraints: dict[str, list[Any]] = {
        "scaler": [StrOptions(set(SCALER_STATISTICS)), HasMethods(["fit", "transform"])],
        "statistics": [StrOptions({"expanding", "fit", "pooled"})],
        "unknown": [StrOptions({"pooled", "expanding", "error"})],
        "prior_rows": [Interval(Real, 0, None, closed="left")],
        "columns": ["array-like", str, Integral, None],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        scaler: Any = "standard",
        *,
        statistics: str = "expanding",
        unknown: str = "pooled",
        prior_rows: float = 30,
        columns: Any = None,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.scaler = scaler
        self.statistics = statistics
        self.unknown = unknown
        self.prior_rows = prior_rows
        self.columns = columns
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Compute the statistics of each series and of all rows.

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

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Compute the statistics and scale the same panel, which is read once.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)
            As returned by `transform`.
        """
        panel = self._fit(X)
        return self.transform(X) if panel is None else self._scale(X, panel)

    @with_callbacks
    def _fit(self, X) -> Panel | None:
        """Fit to a panel, and return the panel as read; None where it is read in blocks."""
        self._validate_params()
        self._check_combination()
        with fit_task(self, X=X):
            fitted = copy(self)  # an error leaves `self` unchanged
            if isinstance(X, Blocks):
                panel = None
                fitted._fit_blocks(X)
            else:
                panel = fitted._fit_panel(X)
            self.__dict__ = fitted.__dict__
        return panel

    def _fit_panel(self, X) -> Panel:
        panel = self._read(X, reset=True)
        self.series_ids_ = panel.ids
        self._last_times = None if panel.time is None else panel.last_times
        if isinstance(self.scaler, str):
            self._set_statistics(*self._compute_statistics(panel))
        else:
            self.pooled_scaler_, self.scalers_ = fit_clones(
                self.scaler, panel, per_series=self.statistics == "fit"
            )
        return panel

    def _fit_blocks(self, blocks) -> None:
        """Fit to blocks, of which each holds other series."""
        if not _can_merge(self.scaler):
            raise ValueError(
                f"scaler={self.scaler!r} needs all rows at once, and a PanelDataset is read block "
                "by block. Choose 'standard', 'minmax' or 'maxabs', or a transformer that has "
                "partial_fit."
            )
        check_block_series(self, blocks)
        if not isinstance(self.scaler, str):
            for number, block in enumerate(blocks):
                self._fit_panel(block) if number == 0 else self._update(block)
            return
        parts = [copy(self) for _ in range(blocks.n_blocks)]
        for part, block in zip(parts, blocks, strict=True):
            part._fit_panel(block)
        self.__dict__ = parts[0].__dict__
        self.series_ids_ = parts[0].series_ids_.append([part.series_ids_ for part in parts[1:]])
        if self._last_times is not None:
            self._last_times = np.concatenate([part._last_times for part in parts])
        by_series = Statistics.concatenate([part._statistics for part in parts])
        self._set_statistics(by_series, by_series.pooled())

    def _compute_statistics(self, panel) -> tuple[Statistics, Statistics]:
        """Compute the statistics of each series and of all rows."""
        kind = SCALER_STATISTICS[self.scaler]
        by_series = kind.compute(panel.values, panel.codes, len(panel.ids), panel.order)
        if kind.can_merge:
            pooled = by_series.pooled()
        else:
            pooled = kind.compute(panel.values, np.zeros(len(panel), np.intp), 1)
        keeps_rows = self.statistics == "expanding" and self.time is not None
        return by_series if keeps_rows else by_series.without_rows(), pooled

    def _set_statistics(self, by_series, pooled):
        """Set the fitted attributes of a built-in scaler."""
        self._statistics = by_series
        center, scale = by_series.center_scale()
        (self.pooled_center_,), (self.pooled_scale_,) = pooled.center_scale()
        # A feature without a known value in a series is scaled as in an unknown series.
        unseen = by_series.count == 0
        self.center_ = np.where(unseen, self.pooled_center_, center)
        self.scale_ = one_if_zero(np.where(unseen, self.pooled_scale_, scale))

    @available_if(_check_can_merge)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Update the statistics with further rows of fitted and new series.

        Rows that are passed twice count twice.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
            A panel. If `time` is known, rows of fitted series may continue them.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the statistics cannot be updated: quartiles, or a transformer without
            `partial_fit`.
        """
        if not hasattr(self, "series_ids_"):
            return self.fit(X)
        fitted = copy(self)  # an error leaves `self` unchanged
        if isinstance(X, Blocks):
            check_block_series(self, X)
        for part in X if isinstance(X, Blocks) else [X]:
            fitted._update(part)
        self.__dict__ = fitted.__dict__
        return self

    def _update(self, X) -> None:
        """Update the statistics with the rows of a panel."""
        panel = self._read(X, reset=False)
        fitted_ids = self.series_ids_
        new_ids = panel.ids[fitted_ids.get_indexer(panel.ids) < 0]
        self.series_ids_ = fitted_ids.append(new_ids)
        before = fitted_ids.get_indexer(self.series_ids_)
        now = panel.ids.get_indexer(self.series_ids_)
        if panel.time is not None:
            self._last_times = latest_times(self._last_times, before, panel, now)
        if isinstance(self.scaler, str):
            added = SCALER_STATISTICS[self.scaler].compute(
                panel.values, panel.codes, len(panel.ids), panel.order
            )
            by_series = self._statistics.take(before).merge(added.take(now))
            self._set_statistics(by_series, by_series.pooled())
        else:
            self.pooled_scaler_, self.scalers_ = partial_fit_clones(
                self.scaler,
                self.pooled_scaler_,
                self.scalers_,
                panel,
                per_series=self.statistics == "fit",
            )

    # -------------------------------------------------------------------------- applying

    @transforms_blocks
    def transform(self, X: Any) -> Any:
        """Scale a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel with the columns seen in fit.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)
            X with scaled features; ids and other columns are unchanged. A DataFrame if X is one.
        """
        check_is_fitted(self)
        return self._scale(X, self._read(X, reset=False))

    @transforms_blocks
    def inverse_transform(self, X: Any) -> Any:
        """Undo the scaling, if the statistics are stored.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel as returned by `transform`.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns)
            X with the features in their original units.

        Raises
        ------
        ValueError
            With expanding statistics, which differ per row and are not stored.
        """
        check_is_fitted(self)
        panel = self._read(X, reset=False)
        if not isinstance(self.scaler, str):
            values = self._apply_clones(panel, "inverse_transform")
        elif self._is_expanding(panel).any():
            raise ValueError(
                "inverse_transform needs stored statistics, and expanding statistics are not "
                "stored. Choose statistics='fit' (with unknown='pooled' for series that were not "
                "seen in fit) or statistics='pooled'."
            )
        else:
            values = self._apply_stored(panel, inverse=True)
        return self._with_values(X, panel, values)

    # --------------------------------------------------------------------------- details

    def _read(self, X, reset) -> Panel:
        return self._read_columns(X, ["scaler", "statistics"], reset)

    def _check_combination(self):
        """Raise an error if a transformer is combined with expanding statistics."""
        expanding = self.statistics == "expanding" or (
            self.statistics == "fit" and self.unknown == "expanding"
        )
        if expanding and not isinstance(self.scaler, str):
            raise ValueError(
                f"A transformer as scaler ({self.scaler!r}) has no expanding statistics: choose "
                "statistics='fit' with unknown='pooled' or 'error', or statistics='pooled'."
            )

    def _positions_in_fit(self, panel) -> np.ndarray:
        """Find the position of each series of a panel in `series_ids_`; -1 if not fitted."""
        warn_of_retyped_ids(self.series_ids_, panel.ids)
        positions = self.series_ids_.get_indexer(panel.ids)
        if self.statistics == "fit" and self.unknown == "error" and (positions < 0).any():
            unseen = panel.ids[positions < 0][:10].tolist()
            raise ValueError(
                f"Series {unseen} were not seen in fit and unknown='error'. Fit on them, or choose "
                "unknown='pooled'."
            )
        return positions

    def _is_expanding(self, panel) -> np.ndarray:
        """Mark the rows that are scaled by expanding statistics."""
        if self.statistics == "fit" and self.unknown == "expanding":
            return (self._positions_in_fit(panel) < 0)[panel.codes]
        return np.full(len(panel), self.statistics == "expanding")

    def _scale(self, X, panel):
        """Scale a panel that was read from X."""
        if not isinstance(self.scaler, str):
            return self._with_values(X, panel, self._apply_clones(panel, "transform"))
        expanding = self._is_expanding(panel)
        if expanding.all():
            values = np.empty_like(panel.values)
        else:
            values = self._apply_stored(panel, inverse=False)
        if expanding.any():
            for at, block, center, scale in self._expand(panel, expanding):
                values[at] = ((block - center) / one_if_zero(scale)).T
        return self._with_values(X, panel, values)

    def _apply_stored(self, panel, inverse) -> np.ndarray:
        """Scale all rows of a panel by stored statistics, or undo the scaling."""
        center, scale = self.pooled_center_, one_if_zero(self.pooled_scale_)
        if self.statistics != "fit":
            return scale_rows(panel.values, center, scale, inverse=inverse)
        # The pooled statistics are the last row, which position -1 selects.
        positions = self._positions_in_fit(panel)
        center = np.vstack([self.center_, center])[positions]
        scale = np.vstack([self.scale_, scale])[positions]
        return scale_rows(panel.values, center, scale, panel.codes, inverse)

    def _apply_clones(self, panel, method) -> np.ndarray:
        per_series = self.statistics == "fit"
        if per_series:
            self._positions_in_fit(panel)  # raises an error if unknown series are not allowed
        return apply_clones(panel, self.pooled_scaler_, self.scalers_, per_series, method)

    def _expand(self, panel, chosen):
        """Compute the expanding statistics of chosen rows, block by block.

        Parameters
        ----------
        panel : Panel
        chosen : ndarray of shape (n_rows,)
            A mask.

        Yields
        ------
        at : slice or ndarray
            The rows of a block.
        block, center, scale : ndarray of shape (n_scaled, n_block)
            Their values, center and scale; the scale of a constant feature may be 0.
        """
        n_series, order = len(panel.ids), panel.order
        if not chosen.all():
            order = panel.sorting[chosen[panel.sorting]]
        # Rows that continue a series are a run of their own, after its other rows.
        codes = panel.codes + n_series * panel.continues(self.series_ids_, self._last_times)
        codes = codes if order is None else codes[order]
        starts = run_starts(codes)
        positions = self._positions_in_fit(panel)[codes[starts] % n_series]
        past = self._statistics.take(np.where(codes[starts] >= n_series, positions, -1))
        pooled = self.pooled_center_[:, np.newaxis], self.pooled_scale_[:, np.newaxis]
        for at, block, count, center, scale in expanding_blocks(past, panel.values, starts, order):
            center, scale = shrink(count, center, scale, *pooled, self.prior_rows)
            yield at, block, center, scale
