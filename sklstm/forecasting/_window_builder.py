"""Build normalised windows from a regular grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from sklstm._panel.categories import CategoricalFeature
from sklstm._panel.windows import WindowNormalization, Windows
from sklstm.forecasting._grid import RegularGrid
from sklstm.forecasting._mixture import (
    n_shares,
    rows_beyond_window,
    season_errors,
    season_lags,
    season_shares,
)
from sklstm.forecasting._normalization import (
    TargetScale,
    blocks_of_series,
    clip_distances,
    fill_missing,
    window_centers_and_scales,
)
from sklstm.forecasting._normalized_windows import NormalizedWindows


def numbers_among(n_covariates, categories) -> list[int]:
    """Return the positions of the covariates that are no categories."""
    positions = {each.position for each in categories}
    return [position for position in range(n_covariates) if position not in positions]


@dataclass(frozen=True, eq=False)
class Normalized:
    """Hold the features of a grid, and the normalisation of the windows that end at chosen rows.

    Attributes
    ----------
    features : ndarray of shape (n_grid, n_features)
        float32. For each target, its values in typical scales from the first one of their series
        and, with several seasons, the errors of their mixture; covariates; indicators of missing
        values.
    filled : ndarray of shape (n_targets, n_grid)
        Transformed targets without gaps; NaN before the first known value of a series.
    center : ndarray of shape (n_chosen, n_targets * width)
        float32. That of errors is 0.
    scale : ndarray of shape (n_chosen, n_targets * width)
        In typical scales. That of errors is the one of their target.
    shares : ndarray of shape (n_chosen, n_targets, n_blocks, n_shares)
        float32. Shares of the seasons in the naive forecast: see `season_shares`.
    n_observed : ndarray of shape (n_chosen,)
        int32. Number of rows of the window from its first observed row on.
    """

    features: np.ndarray
    filled: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    shares: np.ndarray
    n_observed: np.ndarray

    @classmethod
    def empty(cls, n_grid, n_chosen, n_features, width, n_targets, of_shares):
        """Make arrays to be filled in."""
        return cls(
            np.empty((n_grid, n_features), np.float32),
            np.empty((n_targets, n_grid)),
            np.empty((n_chosen, n_targets * width), np.float32),
            np.empty((n_chosen, n_targets * width)),
            np.empty((n_chosen, n_targets, *of_shares), np.float32),
            np.empty(n_chosen, np.int32),
        )


@dataclass(frozen=True, eq=False)
class WindowBuilder:
    """Build normalised windows from a grid.

    Attributes
    ----------
    seasons : tuple of int
        In ascending order. The shortest one fills gaps and scales windows.
    step_weight : tuple of float
        Weight of each step of the horizon in the loss, with mean 1.
    window_length : int
    limit : float
        Soft bound of normalised values.
    targets : list of TargetScale
    has_missing : bool
        Whether target values were missing in the training rows.
    n_past, n_future : int
        Number of past covariates, and of columns known beforehand.
    covariate_scaler : StandardScaler or None
        Scaler of those of these columns that are numbers, if there are any.
    categories : tuple of CategoricalFeature
        Those of these columns that are categories, with positions among these columns.
    """

    seasons: tuple[int, ...]
    step_weight: tuple[float, ...]
    window_length: int
    limit: float
    targets: list[TargetScale]
    has_missing: bool
    n_past: int
    n_future: int
    covariate_scaler: StandardScaler | None
    categories: tuple[CategoricalFeature, ...] = ()

    @classmethod
    def learn(cls, grid: RegularGrid, *, seasons, step_weight, window_length, limit, categories=()):
        """Learn the scales of a grid; each of its targets must have a known value."""
        scaler, numbers = None, numbers_among(grid.covariates.shape[1], categories)
        if numbers:
            with np.errstate(invalid="ignore"):  # 0 / 0 in a column without known values
                # An array, whatever scikit-learn's configuration names.
                scaler = StandardScaler().set_output(transform="default")
                scaler.fit(grid.covariates[:, numbers])
        targets = [TargetScale.learn(values, grid.starts(), seasons[0]) for values in grid.values.T]
        has_missing = bool(np.isnan(grid.values).any())
        widths = grid.past.shape[1], grid.future.shape[1]
        lengths = seasons, step_weight, window_length
        return cls(*lengths, limit, targets, has_missing, *widths, scaler, categories)

    @property
    def horizon(self) -> int:
        """Number of steps ahead."""
        return len(self.step_weight)

    @property
    def reach(self) -> int:
        """Number of rows on which a forecast can depend."""
        # A row of the window may be filled with a value from `window_length` rows earlier.
        return 2 * self.window_length + rows_beyond_window(self.seasons)

    @property
    def n_features(self) -> int:
        """Number of features of a window."""
        n_indicators = len(self.targets) if self.has_missing else 0
        return self.n_normalized + n_indicators + self.n_past + 2 * self.n_future

    @property
    def width(self) -> int:
        """Number of normalised features per target: itself, and the error of several seasons."""
        return min(len(self.seasons), 2)

    @property
    def n_normalized(self) -> int:
        """Number of normalised features, which precede the covariates in a window."""
        return self.width * len(self.targets)

    def build(self, grid: RegularGrid, rows) -> NormalizedWindows:
        """Build the windows that end at chosen rows of a grid."""
        n_blocks = len(season_lags(self.seasons, self.horizon)[0])
        of_shares = n_blocks, n_shares(self.seasons)
        sizes = self.n_features, self.width, len(self.targets), of_shares
        out = Normalized.empty(len(grid), len(rows), *sizes)
        order = None if (rows[1:] > rows[:-1]).all() else np.argsort(rows)
        in_order = rows if order is None else rows[order]
        for block in blocks_of_series(grid.starts()):
            chosen = slice(*np.searchsorted(in_order, [block.start, block.stop]))
            at = chosen if order is None else order[chosen]
            self._normalize(grid, block, in_order[chosen] - block.start, at, out)
        is_all = len(rows) == len(grid) and order is None
        codes = grid.rows.codes if is_all else grid.rows.codes[rows]
        windows = Windows(
            out.features,
            rows,
            out.n_observed,
            self.window_length,
            padding="zero",
            codes=codes,
            ids=grid.rows.ids,
            normalization=WindowNormalization(out.center, out.scale, self.limit),
            categories=self._categories_in_window(),
        )
        known = ~np.isnan(grid.values.T)
        about = (self.targets, self.seasons, self.step_weight)
        values = out.filled, known, out.shares
        return NormalizedWindows(windows, rows, *values, grid.rows, *about)

    def _normalize(self, grid, block, chosen, at, out):
        """Fill in some series.

        Parameters
        ----------
        grid : RegularGrid
        block : slice
            The rows of the series.
        chosen : ndarray
            Positions in the block of the rows at which windows end.
        at : slice or ndarray
            Positions of these windows in `out`.
        out : Normalized
        """
        starts = grid.starts(block) - block.start
        observed = np.zeros(len(starts), bool)
        for i, target in enumerate(self.targets):
            filled, features, center, scale, shares = self._normalize_target(
                target, grid.values[block, i], starts, chosen
            )
            own = slice(i * self.width, (i + 1) * self.width)
            out.filled[i, block], out.features[block, own] = filled, features
            out.center[at, own], out.scale[at, own] = center, scale
            out.shares[at, i] = shares
            observed |= ~np.isnan(filled)
        others = self._covariate_features(grid, block, starts)
        if self.has_missing:
            others.extend(np.isnan(grid.values[block]).T)
        for position, feature in enumerate(others, self.n_normalized):
            out.features[block, position] = feature
        out.n_observed[at] = self._count_observed(observed, starts)[chosen]

    def _normalize_target(self, target, column, starts, chosen):
        """Normalise one target.

        Returns
        -------
        filled : ndarray of shape (n_rows,)
            Values without gaps.
        features : ndarray of shape (n_rows, width)
            The same in typical scales from the first value of their series; with several seasons,
            the errors of their mixture.
        center, scale : ndarray of shape (n_chosen, width) or (n_chosen, 1)
            Of the features in the windows that end at the chosen rows.
        shares : ndarray of shape (n_chosen, n_blocks, n_shares)
        """
        season_length, window_length = self.seasons[0], self.window_length
        known = ~np.isnan(column)
        values = target.transform.transform(column)
        filled = fill_missing(values, known, starts, season_length, window_length)
        # Values relative to a number of similar size keep their digits in float32.
        first = pd.Series(values).groupby(starts).transform("first").fillna(target.level)
        base = first.to_numpy()
        level_or_value = np.where(np.isnan(filled), target.level, filled)
        relative = clip_distances((level_or_value - base) / target.typical)
        center, scale = window_centers_and_scales(
            relative,
            known,
            starts,
            season_length=season_length,
            window_length=window_length,
            default_center=clip_distances((target.level - base) / target.typical),
        )
        lengths = {"seasons": self.seasons, "window_length": window_length}
        shares = season_shares(relative, known, starts, chosen, horizon=self.horizon, **lengths)
        features, centers = [relative], [center[chosen]]
        if self.width > 1:
            features.append(season_errors(relative, known, starts, **lengths))
            centers.append(np.zeros(len(chosen)))
        normalized = np.column_stack(features), np.column_stack(centers)
        return filled, *normalized, scale[chosen, np.newaxis], shares

    def _covariate_features(self, grid, block, starts):
        """Scale the covariates; append those known beforehand again, `horizon` rows ahead."""
        covariates = np.concatenate([grid.past[block], grid.future[block]], axis=1)
        if self.covariate_scaler is not None:
            numbers = numbers_among(covariates.shape[1], self.categories)
            covariates[:, numbers] = self.covariate_scaler.transform(covariates[:, numbers])
        # 0 is the mean of numbers, and the code of an unknown category.
        filled = [
            np.nan_to_num(fill_missing(column, ~np.isnan(column), starts, 1, self.window_length))
            for column in covariates.T
        ]
        stops = grid.stops(block) - block.start
        ahead = np.minimum(np.arange(len(starts)) + self.horizon, stops - 1)
        return filled + [column[ahead] for column in filled[self.n_past :]]

    def _categories_in_window(self):
        """Return the categories with their positions in a window, in the order of its features."""
        first = self.n_normalized
        here = [replace(each, position=first + each.position) for each in self.categories]
        ahead = [
            replace(each, position=first + self.n_future + each.position)
            for each in self.categories
            if each.position >= self.n_past
        ]
        return (*here, *ahead)

    def _count_observed(self, observed, starts):
        """Count the rows of the window that ends at each row, from its first observed row on."""
        row = np.arange(len(observed))
        position = np.where(observed, row, len(observed))
        next_observed = np.minimum.accumulate(position[::-1])[::-1]
        first = next_observed[np.maximum(starts, row - self.window_length + 1)]
        return np.maximum(row - first + 1, 1)
