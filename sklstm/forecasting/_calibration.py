"""Hold targets out of training, on which quantiles are calibrated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklstm._panel.rows import row_blocks
from sklstm.forecasting._estimators import predict_outputs
from sklstm.forecasting._normalized_windows import NormalizedWindows
from sklstm.lstm._conformal import series_folds

# Each estimator leaves out at most a fifth of the series, and predicts at most so many windows.
MIN_FOLDS = 5
MAX_CALIBRATION_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Mark the targets that an estimator leaves out of its training.

    Attributes
    ----------
    series : ndarray of shape (n_series,) or None
        Mask of the series whose targets are left out.
    n_last : int
        Number of rows at the end of each series that are left out as targets.
    """

    series: np.ndarray | None = None
    n_last: int = 0

    def __bool__(self) -> bool:
        return self.series is not None or self.n_last > 0

    def first_left_out(self, prepared: NormalizedWindows) -> np.ndarray:
        """Find the first grid position in each row's series that is left out as a target."""
        stops = prepared.stops
        if self.series is None:
            return stops - self.n_last
        return np.where(self.series[prepared.windows.codes], 0, stops)

    def training_rows(self, prepared: NormalizedWindows) -> np.ndarray | slice:
        """Find the rows with a step ahead that is not left out, known or not."""
        if not self:
            return slice(None)
        return np.flatnonzero(self.first_left_out(prepared) > prepared.rows + 1)

    def has_target(self, prepared: NormalizedWindows, *, held_out=False) -> np.ndarray:
        """Mark the rows with a known target for training, or with one that is held out."""
        n_known = prepared.n_known()
        found = np.zeros(len(prepared), bool)
        for at, block in zip(row_blocks(len(prepared)), prepared.blocks(), strict=True):
            cut, begin = self.first_left_out(block), block.rows + 1
            end = np.minimum(begin + block.horizon, block.stops)
            begin, end = (
                (np.maximum(begin, cut), end) if held_out else (begin, np.minimum(end, cut))
            )
            end = np.maximum(begin, end)
            found[at] = (n_known[:, end] > n_known[:, begin]).any(axis=0)
        return found

    def targets(self, prepared: NormalizedWindows, *, held_out=False) -> np.ndarray:
        """Compute the targets for training, or those that are held out; NaN for all others.

        Returns
        -------
        ndarray of shape (n_rows, n_targets * horizon)
            float32.
        """
        y = prepared.residuals()
        by_step = y.reshape(len(y), -1, prepared.horizon)
        n_used = self.first_left_out(prepared) - prepared.rows - 1
        for step in range(prepared.horizon):
            by_step[(step >= n_used) != held_out, :, step] = np.nan
        return y


def hold_out(calibration, codes, n_series, horizon, seeds) -> list[HeldOut]:
    """Choose the targets that each estimator leaves out of its training.

    Parameters
    ----------
    calibration : {"series", "time"} or None
        Hold out whole series, the last `horizon` rows of each series, or nothing.
    codes : ndarray of shape (n_rows,)
        Code of the series of each training row.
    n_series, horizon : int
    seeds : sequence of int
        One per estimator. The first one shuffles the series.
    """
    if calibration is None:
        return [HeldOut()] * len(seeds)
    if calibration == "time":
        return [HeldOut(n_last=horizon)] * len(seeds)
    n_folds = max(MIN_FOLDS, len(seeds))
    fold = series_folds(codes, n_series, n_folds, np.random.default_rng(seeds[0]))
    n_folds = fold.max() + 1
    return [HeldOut(fold == number % n_folds) for number in range(len(seeds))]


def held_out_errors(regressor, prepared: NormalizedWindows, held_out, quantiles, min_observed):
    """Subtract predicted quantiles from held-out targets.

    Parameters
    ----------
    regressor : fitted estimator
    prepared : NormalizedWindows
    held_out : HeldOut
    quantiles : sequence of float
    min_observed : int
        Observed rows that a window must have.

    Returns
    -------
    ndarray of shape (n_used, n_outputs, n_quantiles)
    """
    long_enough = prepared.windows.n_observed >= min_observed
    rows = np.flatnonzero(held_out.has_target(prepared, held_out=True) & long_enough)
    if len(rows) == 0:
        raise ValueError(
            f"No held-out window has a known target and at least {min_observed} observed rows: the "
            "quantiles cannot be calibrated. Choose another calibration, or pass longer series."
        )
    used = prepared[rows[:: -(-len(rows) // MAX_CALIBRATION_ROWS)]]
    y = held_out.targets(used, held_out=True)
    return y[:, :, np.newaxis] - predict_outputs(regressor, used.windows, quantiles)[..., 1:]
