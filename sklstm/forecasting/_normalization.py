"""Compute the normalisation of windows and the seasonal naive forecast.

All arrays hold rows on a regular grid: sorted by series and time, with no time step missing.
`starts` holds, for each row, the position of the first row of its series. No result depends on
later rows, except for `next_values`, which reads the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklstm._panel.run_statistics import blocks_of_runs

# Differences of the typical size that are added to the mean difference of every window, and the
# smallest scale as a fraction of the typical one. They keep the scale of flat windows positive.
N_PRIOR_DIFFERENCES = 1
MIN_SCALE = 0.01
MAX_FLOAT = np.finfo(float).max
# Values are clipped at this distance from a typical level, in typical scales. The squares of the
# regressor's inputs must not overflow float32.
MAX_DISTANCE = 1e15
# Rows of whole series to work on at once.
BLOCK_ROWS = 2**18


@dataclass(frozen=True)
class ValueScale:
    """Transform the values of one target: logarithmic or unchanged.

    Attributes
    ----------
    unit : float or None
        The transform is ``arcsinh(x / unit)``: a logarithm well above `unit`, linear around zero.
        None leaves the values unchanged.
    """

    unit: float | None

    @classmethod
    def learn(cls, values):
        """Choose the transform from training values: logarithmic if none is negative.

        The unit is the 5 % quantile of the positive values.
        """
        known = values[~np.isnan(values)]
        positive = known[known > 0]
        if len(positive) == 0 or (known < 0).any():
            return cls(None)
        return cls(float(np.quantile(positive, 0.05)))

    def transform(self, values):
        """Transform values given in the user's units."""
        return values if self.unit is None else np.arcsinh(values / self.unit)

    def inverse_transform(self, values):
        """Return values in the user's units, clipped to the range of floats."""
        if self.unit is not None:
            with np.errstate(over="ignore"):
                values = np.sinh(values) * self.unit
        return np.clip(values, -MAX_FLOAT, MAX_FLOAT)


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


def clip_distances(distances):
    """Clip distances from a typical level, given in typical scales."""
    return np.clip(distances, -MAX_DISTANCE, MAX_DISTANCE)


def fill_missing(values, known, starts, season_length, window_length):
    """Replace missing values by earlier values of the same series.

    The replacement is the latest known value a whole number of seasons earlier, or else the latest
    known value. Values `window_length` or more rows back are never used.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    season_length, window_length : int

    Returns
    -------
    ndarray of shape (n_rows,)
        NaN where there is no such value.
    """
    if known.all():
        return values
    row = np.arange(len(values))
    source = np.maximum.accumulate(np.where(known, row, -1))
    source[(source < starts) | (source <= row - window_length)] = -1
    if season_length > 1:
        missing = np.flatnonzero(~known)
        for lag in range(season_length, window_length, season_length):
            missing = missing[missing - lag >= starts[missing]]
            found = known[missing - lag]
            source[missing[found]] = missing[found] - lag
            missing = missing[~found]
    return np.where(source < 0, np.nan, values[source])


def sums_since(array, starts, first):
    """Sum the values of the rows from `first` up to each row.

    Parameters
    ----------
    array : ndarray of shape (n_rows,) or (n_rows, n_columns)
    starts : ndarray of shape (n_rows,)
    first : ndarray of shape (n_rows,)
        Not before `starts`. Where it is later than the row itself, the sum is 0.

    Returns
    -------
    ndarray of the shape of `array`
    """
    # Sums per series, so that large values of one series cost no digits in another.
    total = pd.DataFrame(array).groupby(starts).cumsum().to_numpy().reshape(array.shape)
    first = np.minimum(first, np.arange(1, len(array) + 1))
    earlier = total[first - 1]
    earlier[first == starts] = 0
    return total - earlier


def trailing_sums(values, known, starts, first):
    """Sum and count the known values from row `first` up to each row.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    first : ndarray of shape (n_rows,)
        As in `sums_since`.

    Returns
    -------
    total, count : ndarray of shape (n_rows,)
    """
    total = sums_since(np.where(known, values, 0.0), starts, first)
    return total, sums_since(known.astype(np.int64), starts, first)


def lag_differences(values, known, starts, lag):
    """Subtract from each row the one `lag` rows earlier.

    Returns
    -------
    difference : ndarray of shape (n_rows,)
        0 where either value is unknown.
    both_known : ndarray of shape (n_rows,)
    """
    difference, both = np.zeros(len(values)), np.zeros(len(values), bool)
    row = np.arange(lag, len(values))
    earlier = row - lag
    both[row] = known[row] & known[earlier] & (earlier >= starts[row])
    difference[both] = values[both] - values[np.flatnonzero(both) - lag]
    return difference, both


def seasonal_differences(values, known, starts, season_length):
    """Compute the absolute difference of each row from the row one season earlier.

    Returns
    -------
    difference, both_known : ndarray of shape (n_rows,)
        As in `lag_differences`.
    """
    difference, both = lag_differences(values, known, starts, season_length)
    return np.abs(difference), both


def blocks_of_series(starts):
    """Divide the rows of a grid into slices of whole series, of about `BLOCK_ROWS` rows."""
    first_rows = np.flatnonzero(np.diff(starts, prepend=-1))
    size = max(BLOCK_ROWS, np.diff(first_rows, append=len(starts)).max())
    return (block for block, _ in blocks_of_runs(first_rows, len(starts), size))


def typical_scale(values, known, starts, season_length):
    """Compute the median over series of the mean absolute seasonal difference.

    If no series is longer than a season, or no seasonal difference is positive, neighbouring rows
    are compared instead. The result is 1 if the values never vary.
    """
    for lag in (season_length, 1):
        means = mean_differences(values, known, starts, lag)
        if (means > 0).any():
            return float(np.median(means[means > 0]))
    return 1.0


def mean_differences(values, known, starts, season_length):
    """Compute the mean absolute seasonal difference of each series; NaN where none is known."""
    means = []
    for block in blocks_of_series(starts):
        own = starts[block] - block.start
        difference, both = seasonal_differences(values[block], known[block], own, season_length)
        first = np.flatnonzero(np.diff(own, prepend=-1))
        count, total = (np.add.reduceat(each, first, dtype=float) for each in (both, difference))
        means.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.concatenate(means)


def window_centers_and_scales(
    values, known, starts, *, season_length, window_length, default_center
):
    """Compute the center and the scale of the window that ends at each row.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Divided by the typical scale.
    known, starts : ndarray of shape (n_rows,)
    season_length, window_length : int
    default_center : ndarray of shape (n_rows,)
        Center of windows without known values.

    Returns
    -------
    center : ndarray of shape (n_rows,)
        Mean of the last season, or of the window if no value of the season is known.
    scale : ndarray of shape (n_rows,)
        Mean absolute seasonal difference in the window. Positive.
    """
    row = np.arange(len(values))
    center = default_center
    for length in (window_length, season_length):
        first = np.maximum(starts, row - length + 1)
        total, count = trailing_sums(values, known, starts, first)
        center = np.where(count > 0, total / np.maximum(count, 1), center)
    difference, both = seasonal_differences(values, known, starts, season_length)
    first = np.maximum(starts, row - window_length + 1) + season_length
    total, count = trailing_sums(difference, both, starts, first)
    scale = (total + N_PRIOR_DIFFERENCES) / (count + N_PRIOR_DIFFERENCES)
    return center, np.maximum(scale, MIN_SCALE)


def repeat_season(filled, starts, rows, season_length, horizon):
    """Repeat the last season; NaN where the history does not reach back one season.

    Parameters
    ----------
    filled : ndarray of shape (n_rows,)
        Values without gaps, NaN before the first known value of a series.
    starts, rows : ndarray of shape (n_chosen,)
        Positions of the rows to forecast from, and of the first rows of their series.
    season_length, horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    source = rows[:, np.newaxis] + 1 - season_length + np.arange(horizon) % season_length
    inside = source >= starts[:, np.newaxis]
    return np.where(inside, filled[np.where(inside, source, 0)], np.nan)


def seasonal_naive(filled, starts, rows, season_length, horizon):
    """Compute the seasonal naive forecast: the last season, repeated.

    Where the history does not reach back one season, the last value stands instead. Parameters and
    shape of the result are those of `repeat_season`.
    """
    seasonal = repeat_season(filled, starts, rows, season_length, horizon)
    return np.where(np.isnan(seasonal), filled[rows][:, np.newaxis], seasonal)


def next_values(values, stops, rows, horizon):
    """Return the next values of the same series; NaN after its end.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    stops, rows : ndarray of shape (n_chosen,)
        Positions of rows, and one past the position of the last row of their series.
    horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    position = rows[:, np.newaxis] + np.arange(1, horizon + 1)
    inside = position < stops[:, np.newaxis]
    return np.where(inside, values[np.minimum(position, len(values) - 1)], np.nan)
