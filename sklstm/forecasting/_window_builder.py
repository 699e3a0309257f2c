"""Windows to forecast from: a panel on a grid without gaps, and what fit learns of its values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array

from sklstm._panel.frequency import fill_gaps
from sklstm._panel.rows import SeriesRows, run_starts
from sklstm._panel.windows import WindowNormalization, Windows
from sklstm.forecasting._normalization import (
    ValueScale,
    fill_missing,
    next_values,
    seasonal_naive,
    typical_scale,
    window_units,
)

# Farther from a typical level than so many typical scales, a value counts as being there:
# what the net gets must fit into float32, squared.
FARTHEST = 1e15


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows of many series, sorted by series and time, without missing steps.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_targets)
        Targets, NaN where they are missing.
    past, future : ndarray of shape (n_rows, n_columns)
        Covariates known up to now, and those known beforehand.
    starts, stops : ndarray of shape (n_rows,)
        Positions of each row's series' first row, and of one past its last.
    codes : ndarray of shape (n_rows,)
        Number of each row's series in `ids`.
    ids : pandas.Index
    at : ndarray of shape (n_given,)
        Position of each given row, in the order in which they were given.
    """

    values: np.ndarray
    past: np.ndarray
    future: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    codes: np.ndarray
    ids: pd.Index
    at: np.ndarray

    @classmethod
    def read(cls, table, rows: SeriesRows, *, target, past, future, stamps=None, step=None):
        """Sort the rows of a checked table, and make place for the missing ones.

        Parameters
        ----------
        table : DataFrame of shape (n_given, n_columns)
        rows : SeriesRows
            Of the table.
        target, past, future : list of int
            Positions of columns.
        stamps : pandas.Index of shape (n_given,), default=None
            Time of each row; None: no row is missing.
        step : Frequency, default=None
            Goes with `stamps`.
        """
        order = rows.sorting
        codes = rows.codes[order]
        if stamps is None:
            sorted_at = np.arange(len(codes))
        else:
            numbers = step.numbers(stamps[order], run_starts(codes))
            sorted_at, codes = fill_gaps(codes, numbers)
        at = np.empty(len(order), np.intp)
        at[order] = sorted_at

        def block(positions):
            out = np.full((len(codes), len(positions)), np.nan)
            if positions:
                out[at] = check_array(
                    table.iloc[:, positions],
                    dtype=np.float64,
                    ensure_all_finite="allow-nan",
                    input_name="X",
                )
            return out

        first = run_starts(codes)
        counts = np.diff(first, append=len(codes))
        return cls(
            block(target),
            block(past),
            block(future),
            np.repeat(first, counts),
            np.repeat(first + counts, counts),
            codes,
            rows.ids,
            at,
        )

    def last(self, given):
        """Position of each series' last row among some given ones; -1 where it has none.

        Parameters
        ----------
        given : slice or ndarray
            Chooses given rows.
        """
        last = np.full(len(self.ids), -1)
        np.maximum.at(last, self.codes[self.at[given]], self.at[given])
        return last

    def lacks_future(self, rows, horizon):
        """Whether what should be known beforehand is not, for the `horizon` rows after each row."""
        end = rows + horizon + 1
        lacks = end > self.stops[rows]
        missing = np.cumsum(np.isnan(self.future).any(axis=1))
        return lacks | (missing[np.minimum(end, self.stops[rows]) - 1] > missing[rows])


@dataclass(frozen=True, eq=False)
class WindowMaker:
    """Makes windows, and the targets of a net, from a grid.

    Attributes
    ----------
    horizon, season, window : int
    limit : float
        Values of a window, in its own units, bend towards this bound.
    scales : list of ValueScale
        Of each target, as all that follows.
    typical : list of float
        Scale of a typical series.
    level : list of float
        Median of all values, where nothing else is known.
    has_missing : bool
        Whether targets were missing in training rows.
    covariates : StandardScaler or None
        Mean and deviation of past covariates and of those known beforehand, if there are any.
    """

    horizon: int
    season: int
    window: int
    limit: float
    scales: list[ValueScale]
    typical: list[float]
    level: list[float]
    has_missing: bool
    covariates: StandardScaler | None

    @classmethod
    def learn(cls, grid, *, horizon, season, window, limit):
        """Learn the scales of a grid; each of its targets has a known value."""
        known = ~np.isnan(grid.values)
        scales = [ValueScale.of(values) for values in grid.values.T]
        values = [scale.apply(column) for scale, column in zip(scales, grid.values.T, strict=True)]
        scaler, covariates = None, _covariates(grid)
        if covariates.shape[1]:
            with np.errstate(invalid="ignore"):  # 0 / 0 in a column that is never known
                scaler = StandardScaler().fit(covariates)
        return cls(
            horizon,
            season,
            window,
            limit,
            scales,
            [
                typical_scale(column, is_known, grid.starts, season)
                for column, is_known in zip(values, known.T, strict=True)
            ],
            [float(np.nanmedian(column)) for column in values],
            not known.all(),
            scaler,
        )

    @property
    def reach(self):
        """How many rows the forecast from a row may depend on."""
        # A row of the window may be filled in from `window` rows back.
        return 2 * self.window + self.season

    def make(self, grid, rows):
        """Make the windows that end at `rows` of a grid.

        Returns
        -------
        windows : Windows
        scale : ndarray of shape (n_rows, n_targets)
            Unit of each window.
        naive : ndarray of shape (n_rows, n_targets, horizon)
            Seasonal naive forecast.
        """
        features, centers, units, naive = [], [], [], []
        reached = np.zeros(len(grid.values), bool)
        for scale, typical, level, column in zip(
            self.scales, self.typical, self.level, grid.values.T, strict=True
        ):
            values, known = scale.apply(column), ~np.isnan(column)
            filled = fill_missing(values, known, grid.starts, self.season, self.window)
            reached |= ~np.isnan(filled)
            seasonal = seasonal_naive(filled, grid.starts, rows, self.season, self.horizon)
            naive.append(np.where(np.isnan(seasonal), level, seasonal))
            # Differences from a near number keep their digits in the net's float32.
            near = pd.Series(values).groupby(grid.starts).transform("first").fillna(level)
            base = near.to_numpy()
            relative = _bounded((np.where(np.isnan(filled), level, filled) - base) / typical)
            center, unit = window_units(
                relative,
                known,
                grid.starts,
                season=self.season,
                window=self.window,
                otherwise=_bounded((level - base) / typical),
            )
            features.append(relative)
            centers.append(center[rows])
            units.append(unit[rows])
        features.extend(self._covariate_features(grid))
        if self.has_missing:
            features.extend(np.isnan(grid.values).T.astype(float))
        center, unit = np.stack(centers, axis=1), np.stack(units, axis=1)
        windows = Windows(
            np.stack(features, axis=1).astype(np.float32),
            rows,
            self._n_observed(reached, grid.starts, rows),
            self.window,
            padding="zero",
            codes=grid.codes[rows],
            ids=grid.ids,
            normalization=WindowNormalization(
                center.astype(np.float32), unit.astype(np.float32), self.limit
            ),
        )
        return windows, unit * self.typical, np.stack(naive, axis=1)

    def _covariate_features(self, grid):
        """Scaled covariates; those known beforehand come once more, `horizon` rows ahead."""
        if self.covariates is None:
            return []
        scaled = self.covariates.transform(_covariates(grid)).T
        filled = [
            np.nan_to_num(fill_missing(column, ~np.isnan(column), grid.starts, 1, self.window))
            for column in scaled
        ]
        ahead = np.minimum(np.arange(len(grid.codes)) + self.horizon, grid.stops - 1)
        return filled + [column[ahead] for column in filled[grid.past.shape[1] :]]

    def _n_observed(self, reached, starts, rows):
        """Rows of each window since its first known or filled one."""
        n_rows = len(reached)
        position = np.where(reached, np.arange(n_rows), n_rows)
        next_reached = np.minimum.accumulate(position[::-1])[::-1]
        begin = next_reached[np.maximum(starts[rows], rows - self.window + 1)]
        return np.maximum(rows - begin + 1, 1).astype(np.int32)

    def targets(self, grid, rows, scale, naive):
        """Take what a net is to learn, in the units of the windows that `make` made.

        Returns
        -------
        ndarray of shape (n_rows, n_targets * horizon)
            float32; NaN where the future is not known.
        """
        true = [
            next_values(value_scale.apply(values), grid.stops, rows, self.horizon)
            for value_scale, values in zip(self.scales, grid.values.T, strict=True)
        ]
        left = _bounded((np.stack(true, axis=1) - naive) / scale[:, :, np.newaxis])
        return left.reshape(len(rows), -1).astype(np.float32)

    def forecasts(self, outputs, scale, naive):
        """Turn outputs of a net, (n_rows, n_targets, horizon, n), into the user's units."""
        found = naive[..., np.newaxis] + outputs * scale[:, :, np.newaxis, np.newaxis]
        for i, value_scale in enumerate(self.scales):
            found[:, i] = value_scale.undo(found[:, i])
        return found


def _covariates(grid):
    return np.concatenate([grid.past, grid.future], axis=1)


def _bounded(relative):
    return np.clip(relative, -FARTHEST, FARTHEST)
