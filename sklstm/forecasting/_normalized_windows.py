"""Convert between the outputs of a regressor and the values of a grid, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklstm._panel.rows import SeriesRows, position_dtype, row_blocks
from sklstm._panel.windows import Windows
from sklstm.forecasting._mixture import mixed_naive
from sklstm.forecasting._normalization import (
    TargetScale,
    clip_distances,
    next_values,
)


@dataclass(frozen=True, eq=False)
class NormalizedWindows:
    """Hold the windows that end at chosen rows of a grid.

    The seasonal naive forecast and the targets of a row are computed when they are needed. So
    memory grows with the number of rows, whatever the window length and the horizon.

    Attributes
    ----------
    windows : Windows of n_chosen windows
        float32.
    rows : ndarray of shape (n_chosen,)
        Grid position of the last row of each window.
    filled : ndarray of shape (n_targets, n_grid)
        Transformed targets without gaps; NaN before the first known value of a series.
    known : ndarray of shape (n_targets, n_grid)
        Mask of the values that are not filled in.
    shares : ndarray of shape (n_chosen, n_targets, n_blocks, n_shares)
        Shares of the seasons in the naive forecast: see `season_shares`.
    series_rows : SeriesRows
        Index of the rows of the grid.
    targets : list of TargetScale
    seasons : tuple of int
    step_weight : tuple of float
        Weight of each step of the horizon in the loss, with mean 1.
    """

    windows: Windows
    rows: np.ndarray
    filled: np.ndarray
    known: np.ndarray
    shares: np.ndarray
    series_rows: SeriesRows
    targets: list[TargetScale]
    seasons: tuple[int, ...]
    step_weight: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: np.ndarray | slice) -> NormalizedWindows:
        chosen = {"windows": self.windows[key], "rows": self.rows[key], "shares": self.shares[key]}
        return replace(self, **chosen)

    def blocks(self) -> Iterator[NormalizedWindows]:
        """Yield all rows, a block at a time."""
        return (self[block] for block in row_blocks(len(self)))

    @property
    def horizon(self) -> int:
        """Number of steps ahead."""
        return len(self.step_weight)

    @property
    def scale(self) -> np.ndarray:
        """Scale of each window, in units of the transformed values, (n_chosen, n_targets)."""
        normalization: Any = self.windows.normalization
        width = normalization.scale.shape[1] // len(self.targets)
        return normalization.scale[:, ::width] * [target.typical for target in self.targets]

    @property
    def unit(self) -> np.ndarray:
        """Unit of the residuals of each step, (n_chosen, n_targets, horizon).

        It is the scale, divided by the weight: a loss that grows with the error in this unit has
        the weights of the steps.
        """
        return self.scale[:, :, np.newaxis] / np.array(self.step_weight)

    @property
    def starts(self) -> np.ndarray:
        """Grid position of the first row of each row's series, shape (n_chosen,)."""
        return self.series_rows.bounds[self.windows.codes]

    @property
    def stops(self) -> np.ndarray:
        """One past the grid position of the last row of each row's series, shape (n_chosen,)."""
        return self.series_rows.bounds[self.windows.codes + 1]

    def n_known(self) -> np.ndarray:
        """Count the known values before each grid position.

        Returns
        -------
        ndarray of shape (n_targets, n_grid + 1)
        """
        n_targets, n_rows = self.known.shape
        counts = np.zeros((n_targets, n_rows + 1), position_dtype(n_rows))
        np.cumsum(self.known, axis=1, out=counts[:, 1:])
        return counts

    def largest_observed(self) -> np.ndarray:
        """Find the longest window with a known target, for each output.

        Returns
        -------
        ndarray of shape (n_targets * horizon,)
            Number of observed rows; 0 where no window has a known target.
        """
        largest = np.zeros((len(self.targets), self.horizon), np.int32)
        known = np.pad(self.known, [(0, 0), (0, self.horizon)])
        for block in self.blocks():
            rows, stops, n_observed = block.rows, block.stops, block.windows.n_observed
            for step in range(self.horizon):
                has_target = known[:, rows + step + 1] & (rows + step + 1 < stops)
                longest = np.where(has_target, n_observed, 0).max(axis=1)
                np.maximum(largest[:, step], longest, out=largest[:, step])
        return largest.ravel()

    def naive(self) -> np.ndarray:
        """Compute the naive forecast: the last season, repeated, or a mixture of several.

        Returns
        -------
        ndarray of shape (n_chosen, n_targets, horizon)
            Transformed values.
        """
        starts, lengths = self.starts, {"seasons": self.seasons, "horizon": self.horizon}
        forecasts = [
            mixed_naive(filled, starts, self.rows, shares, **lengths)
            for filled, shares in zip(self.filled, self.shares.swapaxes(0, 1), strict=True)
        ]
        levels = [target.level for target in self.targets]
        naive = np.stack(forecasts, axis=1)
        return np.where(np.isnan(naive), np.reshape(levels, (-1, 1)), naive)

    def residuals(self) -> np.ndarray:
        """Compute the targets of a regressor: residuals of the naive forecast, in their unit.

        Returns
        -------
        ndarray of shape (n_chosen, n_targets * horizon)
            float32; NaN where the future is unknown.
        """
        out = np.empty((len(self), len(self.targets) * self.horizon), np.float32)
        for at, block in zip(row_blocks(len(self)), self.blocks(), strict=True):
            out[at] = block._residuals()
        return out

    def _residuals(self):
        stops, future = self.stops, []
        for filled, known in zip(self.filled, self.known, strict=True):
            values = next_values(filled, stops, self.rows, self.horizon)
            is_known = next_values(known, stops, self.rows, self.horizon) == 1
            future.append(np.where(is_known, values, np.nan))
        distances = (np.stack(future, axis=1) - self.naive()) / self.unit
        return clip_distances(distances).reshape(len(self), -1)

    def forecasts(self, residuals: np.ndarray) -> np.ndarray:
        """Convert predicted residuals to forecasts in the user's units.

        Parameters
        ----------
        residuals : ndarray of shape (n_chosen, n_targets * horizon, n_outputs)

        Returns
        -------
        ndarray of shape (n_chosen, n_targets, horizon, n_outputs)
        """
        naive = self.naive()
        residuals = residuals.reshape(*naive.shape, -1)
        forecasts = naive[..., np.newaxis] + residuals * self.unit[..., np.newaxis]
        for i, target in enumerate(self.targets):
            forecasts[:, i] = target.transform.inverse_transform(forecasts[:, i])
        return forecasts
