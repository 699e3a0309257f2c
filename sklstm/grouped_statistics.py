"""Statistics of many groups of rows at once: group-wise sums, no loop over groups.

Each class holds one kind of statistic for every group and feature, in float64 arrays of
shape (n_groups, n_features). It gives the pair (center, scale) that a scaler needs, and
its expanding form: the same pair at every row, over the rows of its group up to and
including that row. NaN is left out everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

EPS = np.finfo(np.float64).eps


# ----------------------------------------------------------------------- pure functions


def each_column(function, values):
    """Call `function` with each column as contiguous float64; stack the results last."""
    columns = (np.ascontiguousarray(values[:, j], np.float64) for j in range(values.shape[1]))
    return np.stack([function(column) for column in columns], axis=-1)


def group_count(column, codes, n_groups):
    """Count each group's known values."""
    known = ~np.isnan(column)
    codes = codes if known.all() else codes[known]
    return np.bincount(codes, minlength=n_groups).astype(np.float64)


def group_sum(column, codes, n_groups):
    """Add up each group's known values."""
    missing = np.isnan(column)
    known = np.where(missing, 0.0, column) if missing.any() else column
    return np.bincount(codes, weights=known, minlength=n_groups)


def group_quantiles(column, codes, n_groups, shares):
    """Quantiles of each group's known values by linear interpolation, NaN where none is.

    Returns an array of shape (len(shares), n_groups).
    """
    count = group_count(column, codes, n_groups)
    ordered = column[np.lexsort((column, codes))]  # NaN sorts last within its group
    size = np.bincount(codes, minlength=n_groups)
    # A group without rows may start behind the last row; its value is not used.
    start = np.minimum(np.cumsum(size) - size, len(column) - 1)
    last = np.maximum(count - 1, 0)
    result = []
    for share in shares:
        position = share * last
        below = np.floor(position)
        above = np.minimum(below + 1, last)
        low, high = ordered[start + below.astype(np.intp)], ordered[start + above.astype(np.intp)]
        result.append(np.where(count > 0, low + (high - low) * (position - below), np.nan))
    return np.stack(result)


def pick(array, groups, empty=0.0):
    """Rows of `array` by group, and for group -1 a row of `empty`."""
    return np.concatenate([array, np.full((1, array.shape[1]), empty)])[groups]


def zero_if_constant(variance, mean, count):
    """Set the variance of a constant feature to exactly 0, though rounding left a trace.

    The bound on the rounding error is that of scikit-learn's StandardScaler.
    """
    bound = count * EPS * variance + (count * mean * EPS) ** 2
    return np.where(variance <= bound, 0.0, variance)


def zero_if_tiny(scale):
    """Set ranges below the bound of scikit-learn's scalers to exactly 0."""
    return np.where(scale < 10 * EPS, 0.0, scale)


# ------------------------------------------------------------------ kinds of statistics


@dataclass(eq=False)
class Statistics:
    """Base of the kinds below: arrays by group, the first of them the count of values."""

    count: np.ndarray

    can_merge: ClassVar[bool] = True
    # What each field holds for a group without values.
    of_nothing: ClassVar[tuple[float, ...]] = (0.0,)

    def forget_rows(self):
        """Drop what only `expanding` needs to go on from these groups: here nothing."""
        return self

    def take(self, groups):
        """Statistics of the chosen groups; -1 stands for a group without values."""
        names = [field.name for field in fields(self)]
        pairs = zip(names, self.of_nothing, strict=True)
        return type(self)(*(pick(getattr(self, name), groups, empty) for name, empty in pairs))


@dataclass(eq=False)
class Moments(Statistics):
    """Mean and summed squared deviation: center is the mean, scale the deviation."""

    mean: np.ndarray
    squares: np.ndarray

    of_nothing = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, values, codes, n_groups):
        """Compute the statistics of the groups that `codes` numbers."""
        codes = codes.astype(np.intp, copy=False)  # else every bincount would convert them

        def one(column):
            count = group_count(column, codes, n_groups)
            divisor = np.maximum(count, 1)
            mean = group_sum(column, codes, n_groups) / divisor
            deviation = column - mean[codes]
            # The second pass takes out what rounding left in the mean and the squares.
            rest = group_sum(deviation, codes, n_groups)
            squares = group_sum(deviation**2, codes, n_groups) - rest**2 / divisor
            return np.stack([count, mean + rest / divisor, np.maximum(squares, 0.0)])

        return cls(*each_column(one, values))

    def merge(self, other):
        """Statistics of both sets of rows together, group by group."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        shift = other.mean - self.mean
        return Moments(
            count,
            self.mean + shift * share,
            self.squares + other.squares + shift**2 * self.count * share,
        )

    def pooled(self):
        """Statistics of all groups' rows as one group."""
        count = self.count.sum(axis=0, keepdims=True)
        mean = (self.count * self.mean).sum(axis=0, keepdims=True) / np.maximum(count, 1)
        between = self.count * (self.mean - mean) ** 2
        return Moments(count, mean, (self.squares + between).sum(axis=0, keepdims=True))

    def center_scale(self):
        """Return (center, scale); the scale of a constant feature is 0."""
        variance = self.squares / np.maximum(self.count, 1)
        return self.mean, np.sqrt(zero_if_constant(variance, self.mean, self.count))

    def expanding(self, column, codes, feature):
        """Return (count, center, scale) at each row of one feature.

        Parameters
        ----------
        column : ndarray of shape (n_rows,)
            Rows sorted by group and time; `self` is what each group has seen before them.
        codes : ndarray of shape (n_rows,)
            Each row's group.
        feature : int
            Which feature `column` is.
        """
        known = ~np.isnan(column)
        # Deviations are taken from a value of the group's own past: its remembered mean,
        # else its first value. Sums of squares then keep their digits at any level.
        shift = self.mean[:, feature].copy()
        rows = np.flatnonzero(known)
        first = rows[np.flatnonzero(np.diff(codes[rows], prepend=-1))]
        fresh = first[self.count[codes[first], feature] == 0]
        shift[codes[fresh]] = column[fresh]
        deviation = np.where(known, column - shift[codes], 0.0)
        table = np.stack([known, deviation, deviation**2], axis=1)
        sums = pd.DataFrame(table, copy=False).groupby(codes, sort=False).cumsum().to_numpy()
        count = self.count[codes, feature] + sums[:, 0]
        drift = sums[:, 1] / np.maximum(count, 1)
        squares = self.squares[codes, feature] + sums[:, 2] - sums[:, 1] * drift
        variance = np.maximum(squares, 0.0) / np.maximum(count, 1)
        # Rounding happened in the deviations, so their mean bounds it.
        return count, shift[codes] + drift, np.sqrt(zero_if_constant(variance, drift, count))


@dataclass(eq=False)
class Extremes(Statistics):
    """Smallest and largest value: center is the smallest, scale the range."""

    low: np.ndarray
    high: np.ndarray

    of_nothing = (0.0, np.inf, -np.inf)

    @classmethod
    def of(cls, values, codes, n_groups):
        """Compute the statistics of the groups that `codes` numbers."""

        def one(column):
            low, high = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
            np.fmin.at(low, codes, column)
            np.fmax.at(high, codes, column)
            return np.stack([group_count(column, codes, n_groups), low, high])

        return cls(*each_column(one, values))

    def merge(self, other):
        """Statistics of both sets of rows together, group by group."""
        return type(self)(
            self.count + other.count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def pooled(self):
        """Statistics of all groups' rows as one group."""
        return type(self)(
            self.count.sum(axis=0, keepdims=True),
            self.low.min(axis=0, keepdims=True),
            self.high.max(axis=0, keepdims=True),
        )

    def center_scale(self):
        """Return (center, scale); the scale of a constant feature is 0."""
        return self._center_scale(self.count, self.low, self.high)

    def expanding(self, column, codes, feature):
        """Return (count, center, scale) at each row of one feature, as in Moments."""
        known = ~np.isnan(column)
        low, high = np.where(known, column, np.inf), np.where(known, column, -np.inf)
        grouped = pd.DataFrame({"n": known.astype(float), "low": low, "high": high}).groupby(
            codes, sort=False
        )
        count = self.count[codes, feature] + grouped["n"].cumsum().to_numpy()
        low = np.minimum(self.low[codes, feature], grouped["low"].cummin().to_numpy())
        high = np.maximum(self.high[codes, feature], grouped["high"].cummax().to_numpy())
        return count, *self._center_scale(count, low, high)

    @staticmethod
    def _center_scale(count, low, high):
        low, high = np.where(count > 0, low, 0.0), np.where(count > 0, high, 0.0)
        return low, zero_if_tiny(high - low)


@dataclass(eq=False)
class LargestSize(Extremes):
    """Smallest and largest value: center is 0, scale the largest absolute value."""

    @staticmethod
    def _center_scale(count, low, high):
        size = np.where(count > 0, np.maximum(np.abs(low), np.abs(high)), 0.0)
        return np.zeros_like(size), zero_if_tiny(size)


@dataclass(eq=False)
class Quartiles(Statistics):
    """Median and quartiles: center is the median, scale the distance of the quartiles.

    Quantiles have no sums to go on from, so the rows themselves are remembered.
    """

    middle: np.ndarray
    spread: np.ndarray
    values: np.ndarray
    codes: np.ndarray

    can_merge = False
    shares = (0.25, 0.5, 0.75)

    @classmethod
    def of(cls, values, codes, n_groups):
        """Compute the statistics of the groups that `codes` numbers."""

        def one(column):
            low, middle, high = group_quantiles(column, codes, n_groups, cls.shares)
            count = group_count(column, codes, n_groups)
            return np.stack([count, np.nan_to_num(middle), np.nan_to_num(high - low)])

        count, middle, spread = each_column(one, values)
        return cls(count, middle, spread, values.copy(), codes)

    def take(self, groups):
        """Statistics of the chosen groups; -1 stands for a group without values."""
        count, middle, spread = (
            pick(array, groups) for array in (self.count, self.middle, self.spread)
        )
        new_code = np.full(len(self.count), -1)
        new_code[groups[groups >= 0]] = np.flatnonzero(groups >= 0)
        codes = new_code[self.codes]
        return Quartiles(count, middle, spread, self.values[codes >= 0], codes[codes >= 0])

    def forget_rows(self):
        """Drop what only :meth:`expanding` needs to go on from these groups."""
        self.values, self.codes = self.values[:0], self.codes[:0]
        return self

    def center_scale(self):
        """Return (center, scale); the scale of a constant feature is 0."""
        return self.middle, zero_if_tiny(self.spread)

    def expanding(self, column, codes, feature):
        """Return (count, center, scale) at each row of one feature, as in Moments."""
        n_past = len(self.codes)
        both = np.concatenate([self.values[:, feature].astype(np.float64), column])
        groups = np.concatenate([self.codes, codes])
        order = np.argsort(groups, kind="stable")
        sorted_series = pd.Series(both[order])
        grouped = sorted_series.groupby(groups[order])
        count = sorted_series.notna().astype(float).groupby(groups[order]).cumsum().to_numpy()
        growing = grouped.expanding(min_periods=1)
        low, middle, high = (growing.quantile(share).to_numpy() for share in self.shares)
        scale = zero_if_tiny(np.nan_to_num(high - low))
        result = []
        for array in (count, np.nan_to_num(middle), scale):
            back = np.empty_like(array)
            back[order] = array
            result.append(back[n_past:])
        return tuple(result)


KINDS: dict[str, Any] = {
    "standard": Moments,
    "minmax": Extremes,
    "maxabs": LargestSize,
    "robust": Quartiles,
}
