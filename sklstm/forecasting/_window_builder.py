"""Build normalised windows and targets from a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from sklstm._panel.windows import WindowNormalization, Windows
from sklstm.forecasting._grid import RegularGrid
from sklstm.forecasting._normalization import (
    ValueScale,
    fill_missing,
    next_values,
    seasonal_naive,
    typical_scale,
    window_centers_and_scales,
)

# Values are clipped at this distance from a typical level, in typical scales. The squares of the
# regressor's inputs must not overflow float32.
MAX_DISTANCE = 1e15


@dataclass(frozen=True)
class TargetScale:
    """Hold the scale of one target over all training series.

    Attributes
    ----------
    transform : ValueScale
        The attributes below belong to transformed values.
    typical : float
        Scale of a typical series.
    level : float
        Median of all values. It stands where nothing else is known.
    """

    transform: ValueScale
    typical: float
    level: float

    @classmethod
    def learn(cls, values, starts, season_length):
        """Learn the scale of values on a grid; at least one must be known."""
        transform = ValueScale.learn(values)
        transformed = transform.transform(values)
        typical = typical_scale(transformed, ~np.isnan(values), starts, season_length)
        return cls(transform, typical, float(np.nanmedian(transformed)))


@dataclass(frozen=True, eq=False)
class NormalizedTarget:
    """Hold one target, normalised for the windows that end at chosen rows.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        Values on the grid, in typical scales from the first value of their series.
    observed : ndarray of shape (n_rows,)
        Mask of the rows whose value is known or filled in.
    center, scale : ndarray of shape (n_chosen,)
        Normalisation of each window.
    naive : ndarray of shape (n_chosen, horizon)
        Seasonal naive forecast of the transformed values.
    """

    values: np.ndarray
    observed: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    naive: np.ndarray


@dataclass(frozen=True, eq=False)
class WindowBuilder:
    """Build windows, and the targets of a regressor, from a grid.

    Attributes
    ----------
    horizon, season_length, window_length : int
    limit : float
        Soft bound of normalised values.
    targets : list of TargetScale
    has_missing : bool
        Whether target values were missing in the training rows.
    covariate_scaler : StandardScaler or None
        Scaler of past covariates and of columns known beforehand, if there are any.
    """

    horizon: int
    season_length: int
    window_length: int
    limit: float
    targets: list[TargetScale]
    has_missing: bool
    covariate_scaler: StandardScaler | None

    @classmethod
    def learn(cls, grid: RegularGrid, *, horizon, season_length, window_length, limit):
        """Learn the scales of a grid; each of its targets must have a known value."""
        scaler = None
        if grid.covariates.shape[1]:
            with np.errstate(invalid="ignore"):  # 0 / 0 in a column without known values
                # An array, whatever scikit-learn's configuration names.
                scaler = StandardScaler().set_output(transform="default").fit(grid.covariates)
        targets = [
            TargetScale.learn(values, grid.starts, season_length) for values in grid.values.T
        ]
        has_missing = bool(np.isnan(grid.values).any())
        return cls(horizon, season_length, window_length, limit, targets, has_missing, scaler)

    @property
    def reach(self) -> int:
        """Number of rows on which a forecast can depend."""
        # A row of the window may be filled with a value from `window_length` rows earlier.
        return 2 * self.window_length + self.season_length

    def build(self, grid: RegularGrid, rows):
        """Build the windows that end at chosen rows of a grid.

        Returns
        -------
        windows : Windows
        scale : ndarray of shape (n_chosen, n_targets)
            Scale of each window, in units of the transformed values.
        naive : ndarray of shape (n_chosen, n_targets, horizon)
            Seasonal naive forecast of the transformed values.
        """
        parts = [
            self._normalize(target, values, grid.starts, rows)
            for target, values in zip(self.targets, grid.values.T, strict=True)
        ]
        center = np.stack([part.center for part in parts], axis=1)
        scale = np.stack([part.scale for part in parts], axis=1)
        features = [part.values for part in parts] + self._covariate_features(grid)
        if self.has_missing:
            features.extend(np.isnan(grid.values).T.astype(float))
        observed = np.any([part.observed for part in parts], axis=0)
        windows = Windows(
            np.stack(features, axis=1).astype(np.float32),
            rows,
            self._count_observed(observed, grid.starts, rows),
            self.window_length,
            padding="zero",
            codes=grid.rows.codes[rows],
            ids=grid.rows.ids,
            normalization=WindowNormalization(
                center.astype(np.float32), scale.astype(np.float32), self.limit
            ),
        )
        typical = [target.typical for target in self.targets]
        return windows, scale * typical, np.stack([part.naive for part in parts], axis=1)

    def _normalize(self, target, column, starts, rows) -> NormalizedTarget:
        season_length, window_length = self.season_length, self.window_length
        known = ~np.isnan(column)
        values = target.transform.transform(column)
        filled = fill_missing(values, known, starts, season_length, window_length)
        observed = ~np.isnan(filled)
        naive = seasonal_naive(filled, starts, rows, season_length, self.horizon)
        # Values relative to a number of similar size keep their digits in float32.
        first = pd.Series(values).groupby(starts).transform("first").fillna(target.level)
        base = first.to_numpy()
        relative = _clip((np.where(observed, filled, target.level) - base) / target.typical)
        center, scale = window_centers_and_scales(
            relative,
            known,
            starts,
            season_length=season_length,
            window_length=window_length,
            default_center=_clip((target.level - base) / target.typical),
        )
        naive = np.where(np.isnan(naive), target.level, naive)
        return NormalizedTarget(relative, observed, center[rows], scale[rows], naive)

    def _covariate_features(self, grid):
        """Scale the covariates; append those known beforehand again, `horizon` rows ahead."""
        if self.covariate_scaler is None:
            return []
        scaled = self.covariate_scaler.transform(grid.covariates).T
        filled = [
            np.nan_to_num(
                fill_missing(column, ~np.isnan(column), grid.starts, 1, self.window_length)
            )
            for column in scaled
        ]
        ahead = np.minimum(np.arange(len(grid)) + self.horizon, grid.stops - 1)
        return filled + [column[ahead] for column in filled[grid.past.shape[1] :]]

    def _count_observed(self, observed, starts, rows):
        """Count the rows of each window from its first observed row on."""
        n_rows = len(observed)
        position = np.where(observed, np.arange(n_rows), n_rows)
        next_observed = np.minimum.accumulate(position[::-1])[::-1]
        first = next_observed[np.maximum(starts[rows], rows - self.window_length + 1)]
        return np.maximum(rows - first + 1, 1).astype(np.int32)

    def residuals(self, grid: RegularGrid, rows, scale, naive):
        """Compute the targets of a regressor: normalised residuals of the naive forecast.

        Parameters
        ----------
        grid : RegularGrid
        rows : ndarray of shape (n_chosen,)
        scale, naive : ndarray
            As `build` returns them.

        Returns
        -------
        ndarray of shape (n_chosen, n_targets * horizon)
            float32; NaN where the future is unknown.
        """
        future = [
            next_values(target.transform.transform(values), grid.stops, rows, self.horizon)
            for target, values in zip(self.targets, grid.values.T, strict=True)
        ]
        residuals = _clip((np.stack(future, axis=1) - naive) / scale[:, :, np.newaxis])
        return residuals.reshape(len(rows), -1).astype(np.float32)

    def forecasts(self, residuals, scale, naive):
        """Convert predicted residuals to forecasts in the user's units.

        Parameters
        ----------
        residuals : ndarray of shape (n_chosen, n_targets, horizon, n_outputs)
        scale, naive : ndarray
            As `build` returns them.

        Returns
        -------
        ndarray of shape (n_chosen, n_targets, horizon, n_outputs)
        """
        forecasts = naive[..., np.newaxis] + residuals * scale[:, :, np.newaxis, np.newaxis]
        for i, target in enumerate(self.targets):
            forecasts[:, i] = target.transform.inverse_transform(forecasts[:, i])
        return forecasts


def _clip(relative):
    return np.clip(relative, -MAX_DISTANCE, MAX_DISTANCE)
