"""Numbers of a forecast: what each window is measured in, and what the future is measured from.

All arrays hold rows sorted by series and time on a grid without missing steps; `starts` holds,
for each row, the position of its series' first row. Nothing at a row depends on a later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Rows of a typical series that every window's scale is mixed with, and the smallest scale as
# a part of the typical one: windows in which nothing happens still have a unit.
PRIOR_ROWS = 1
LEAST_SCALE = 0.01
LARGEST = np.finfo(float).max


@dataclass(frozen=True)
class ValueScale:
    """Scale on which values are compared: their logarithm, or as they are.

    Attributes
    ----------
    unit : float or None
        ``arcsinh(x / unit)``: the logarithm well above `unit`, a straight line around zero.
        None: values as they are.
    """

    unit: float | None

    @classmethod
    def of(cls, values):
        """Choose the scale by training values: logarithmic where none is negative.

        The unit is a small value of these data: the 5 % quantile of the positive ones.
        """
        known = values[~np.isnan(values)]
        positive = known[known > 0]
        if len(positive) == 0 or (known < 0).any():
            return cls(None)
        return cls(float(np.quantile(positive, 0.05)))

    def apply(self, values):
        """Convert from the user's units."""
        return values if self.unit is None else np.arcsinh(values / self.unit)

    def undo(self, values):
        """Convert to the user's units. What is too large for a float becomes the largest one."""
        if self.unit is not None:
            with np.errstate(over="ignore"):
                values = np.sinh(values) * self.unit
        return np.clip(values, -LARGEST, LARGEST)


def fill_missing(values, known, starts, season, window):
    """Put earlier values where values are missing.

    The last known value a whole number of seasons earlier, else the last known value; never
    from `window` rows back or farther.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    season, window : int

    Returns
    -------
    ndarray of shape (n_rows,)
        NaN where there is no such value.
    """
    if known.all():
        return values
    row = np.arange(len(values))
    source = np.maximum.accumulate(np.where(known, row, -1))
    source[(source < starts) | (source <= row - window)] = -1
    if season > 1:
        missing = np.flatnonzero(~known)
        for lag in range(season, window, season):
            missing = missing[missing - lag >= starts[missing]]
            found = known[missing - lag]
            source[missing[found]] = missing[found] - lag
            missing = missing[~found]
    return np.where(source < 0, np.nan, values[source])


def trailing_sums(values, known, starts, first):
    """Sum and number of the known values from row `first` up to each row.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    first : ndarray of shape (n_rows,)
        Not before `starts`. Later than the row itself, it gives 0 and 0.

    Returns
    -------
    total, count : ndarray of shape (n_rows,)
    """
    first = np.minimum(first, np.arange(1, len(values) + 1))

    def since_first(array):
        # Each series by itself: large values of one must not cost another one its digits.
        total = pd.Series(array).groupby(starts).cumsum().to_numpy()
        return total - np.where(first > starts, total[first - 1], 0)

    return since_first(np.where(known, values, 0.0)), since_first(known.astype(np.int64))


def seasonal_differences(values, known, starts, season):
    """Absolute difference of each row from the row a season earlier, and where it is known."""
    difference, both = np.zeros(len(values)), np.zeros(len(values), bool)
    row = np.arange(season, len(values))
    both[season:] = known[season:] & known[:-season] & (row - season >= starts[season:])
    difference[both] = np.abs(values[both] - values[np.flatnonzero(both) - season])
    return difference, both


def typical_scale(values, known, starts, season):
    """Scale of a typical series: the median over series of the mean seasonal difference.

    Where no series has a season and a row, neighbouring rows are compared instead; 1 where
    nothing varies.
    """
    for lag in (season, 1):
        difference, both = seasonal_differences(values, known, starts, lag)
        total = np.bincount(starts, weights=difference)
        count = np.bincount(starts, weights=both)
        means = total[count > 0] / count[count > 0]
        if (means > 0).any():
            return float(np.median(means[means > 0]))
    return 1.0


def window_units(values, known, starts, *, season, window, otherwise):
    """Units in which each row's window is given.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        In units of the scale of a typical series.
    known, starts : ndarray of shape (n_rows,)
    season, window : int
    otherwise : ndarray of shape (n_rows,)
        Center of a window that holds nothing known.

    Returns
    -------
    center : ndarray of shape (n_rows,)
        Mean of the last season.
    scale : ndarray of shape (n_rows,)
        Mean absolute difference of rows a season apart in the window, positive.
    """
    row = np.arange(len(values))
    center = otherwise
    for length in (window, season):
        first = np.maximum(starts, row - length + 1)
        total, count = trailing_sums(values, known, starts, first)
        center = np.where(count > 0, total / np.maximum(count, 1), center)
    difference, both = seasonal_differences(values, known, starts, season)
    first = np.maximum(starts, row - window + 1) + season
    total, count = trailing_sums(difference, both, starts, first)
    return center, np.maximum((total + PRIOR_ROWS) / (count + PRIOR_ROWS), LEAST_SCALE)


def seasonal_naive(filled, starts, rows, season, horizon):
    """Values a whole number of seasons before each of the next rows.

    Where the history is shorter than that, the last value.

    Parameters
    ----------
    filled, starts : ndarray of shape (n_rows,)
        Values, NaN where the history has not begun.
    rows : ndarray of shape (n_chosen,)
        Positions of the rows to forecast from.
    season, horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    rows = rows[:, np.newaxis]
    at = rows + 1 - season + np.arange(horizon) % season
    seasonal = filled[np.where(at >= starts[rows], at, rows)]
    return np.where(np.isnan(seasonal), filled[rows], seasonal)


def next_values(values, stops, rows, horizon):
    """Values of the next rows of the same series; NaN where it has ended.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    stops : ndarray of shape (n_rows,)
        One past the position of each row's series' last row.
    rows : ndarray of shape (n_chosen,)
    horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    at = rows[:, np.newaxis] + np.arange(1, horizon + 1)
    inside = at < stops[rows, np.newaxis]
    return np.where(inside, values[np.minimum(at, len(values) - 1)], np.nan)


def conformal_shifts(errors, levels):
    """Find what gives each quantile its share of held-out values below it when it is added.

    Parameters
    ----------
    errors : ndarray of shape (n_rows, n_outputs, n_quantiles)
        Held-out values minus their quantiles; NaN where they are missing.
    levels : ndarray of shape (n_quantiles,)

    Returns
    -------
    ndarray of shape (n_outputs, n_quantiles)
        0 for the median, and for outputs without a held-out value.

    References
    ----------
    Y. Romano, E. Patterson, E. Candes, "Conformalized quantile regression", NeurIPS 2019.
    """
    shifts = np.zeros(errors.shape[1:])
    for i, level in enumerate(levels):
        if level == 0.5:
            continue
        ordered = np.sort(errors[..., i], axis=0)  # NaN comes last
        count = (~np.isnan(ordered)).sum(axis=0)
        # The share of one more value, which is the one to come, rounded to the safe side.
        rank = np.ceil((count + 1) * level) if level > 0.5 else np.floor((count + 1) * level)
        at = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.intp)
        found = np.take_along_axis(ordered, at[np.newaxis], axis=0)[0]
        shifts[:, i] = np.where(count > 0, found, 0.0)
    return shifts
