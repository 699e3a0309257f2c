"""Statistics of many groups of rows at once: group-wise sums, no loop over groups.

Each class holds one kind of statistic for every group and feature, in float64 arrays of
shape (n_groups, n_features). It gives the pair (center, scale) that a scaler needs, and
its expanding form: the same pair at every row, over the rows of its group up to and
including that row. NaN is left out everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sklstm._panel.rows import group_order, run_starts, take_rows

EPS = np.finfo(np.float64).eps
# Values worked on at once: few enough for the processor's cache to hold what is made of
# them, enough to outweigh the cost of a call.
BLOCK_VALUES = 2**16


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
    picked = array[groups]
    picked[groups < 0] = empty
    return picked


def zero_if_constant(variance, mean, count):
    """Set the variance of a constant feature to exactly 0, though rounding left a trace.

    The bound on the rounding error is that of scikit-learn's StandardScaler.
    """
    share = count * EPS
    bound = share * mean
    bound *= bound
    bound += share * variance
    return np.where(variance <= bound, 0.0, variance)


def zero_if_tiny(scale):
    """Set ranges below the bound of scikit-learn's scalers to exactly 0."""
    return np.where(scale < 10 * EPS, 0.0, scale)


# ------------------------------------------------------------------------------- blocks
# A block is a part of the rows that fits into the processor's cache, as float64 of shape
# (n_features, n_rows): the values of a feature stand side by side.


def block_rows(n_features):
    """Rows in a block of so many features."""
    return max(1, BLOCK_VALUES // n_features)


def read_block(values, at):
    """Read rows `at` (a slice or positions) as a block."""
    rows = values[at] if isinstance(at, slice) else take_rows(values, at)
    return np.ascontiguousarray(rows.T, np.float64)


def look_up(table, codes):
    """Row ``table[code]`` for each code, as a block."""
    starts = run_starts(codes)
    if 4 * len(starts) > len(codes):
        return table.T.take(codes, axis=1)
    return table[codes[starts]].T.repeat(np.diff(starts, append=len(codes)), axis=1)


def run_sums(block, starts):
    """Add up runs of rows, each from one of `starts` to the next."""
    return np.add.reduceat(block, starts, axis=1)


def run_moments(block, starts):
    """Count, mean and summed squared deviation of each run of rows, NaN left out.

    Parameters
    ----------
    block : ndarray of shape (n_features, n_rows), float64
    starts : ndarray of shape (n_runs,)
        Position of the first row of each run.

    Returns
    -------
    count, mean, squares : ndarray of shape (n_features, n_runs)
    """
    lengths = np.diff(starts, append=block.shape[1])
    missing = np.isnan(block)
    some_missing = missing.any()
    if some_missing:
        block = np.where(missing, 0.0, block)
        count = run_sums(~missing * 1.0, starts)
    else:
        count = np.tile(lengths.astype(np.float64), (len(block), 1))
    divisor = np.maximum(count, 1)
    mean = run_sums(block, starts) / divisor
    deviation = block - mean.repeat(lengths, axis=1)
    if some_missing:
        deviation[missing] = 0
    # The second pass takes out what rounding left in the mean and the squares.
    rest = run_sums(deviation, starts)
    squares = run_sums(np.multiply(deviation, deviation, out=deviation), starts)
    squares -= rest**2 / divisor
    return count, mean + rest / divisor, np.maximum(squares, 0.0)


def join_moments(count, mean, squares, starts):
    """Moments of runs of parts, from the moments of the parts: see :func:`run_moments`."""
    total = run_sums(count, starts)
    divisor, lengths = np.maximum(total, 1), np.diff(starts, append=count.shape[1])
    joint = run_sums(count * mean, starts) / divisor
    deviation = mean - joint.repeat(lengths, axis=1)
    rest = run_sums(count * deviation, starts) / divisor
    between = run_sums(count * deviation**2, starts) - total * rest**2
    return total, joint + rest, run_sums(squares, starts) + np.maximum(between, 0.0)


def run_extremes(block, starts):
    """Count, smallest and largest value of each run of rows, NaN left out."""
    known = ~np.isnan(block)
    low, high = np.fmin.reduceat(block, starts, axis=1), np.fmax.reduceat(block, starts, axis=1)
    unknown = np.isnan(low)
    low[unknown], high[unknown] = np.inf, -np.inf
    return run_sums(known * 1.0, starts), low, high


def join_extremes(count, low, high, starts):
    """Extremes of runs of parts, from the extremes of the parts: see :func:`run_extremes`."""
    low, high = np.minimum.reduceat(low, starts, axis=1), np.maximum.reduceat(high, starts, axis=1)
    return run_sums(count, starts), low, high


def run_cumsum(block, starts):
    """Add up the rows of each run so far, each run by itself: no digits are lost to others."""
    lengths = np.diff(starts, append=block.shape[1])
    runs = np.arange(len(starts)).repeat(lengths)
    sums = pd.DataFrame(block.T, copy=False).groupby(runs, sort=False).cumsum()
    return np.array(sums.to_numpy().T, order="C")


def first_known(block, starts):
    """First value of each run of rows that is not missing, 0 where none is."""
    first = block[:, starts]
    if np.isnan(first).any():
        n_rows = block.shape[1]
        rows = np.where(np.isnan(block), n_rows, np.arange(n_rows))
        rows = np.minimum.reduceat(rows, starts, axis=1)
        first = np.take_along_axis(block, np.minimum(rows, n_rows - 1), axis=1)
        first[rows == n_rows] = 0
    return first


# ------------------------------------------------------------------ kinds of statistics


@dataclass(eq=False)
class Statistics:
    """Base of the kinds below: arrays by group, the first of them the count of values."""

    count: np.ndarray

    can_merge: ClassVar[bool] = True
    # What each field holds for a group without values.
    of_nothing: ClassVar[tuple[float, ...]] = (0.0,)

    # Statistics of runs of rows, and of runs of parts whose statistics are known.
    of_runs: ClassVar[Callable]
    join: ClassVar[Callable]

    @classmethod
    def of(cls, values, codes, n_groups, order=None):
        """Compute the statistics of the groups that `codes` numbers.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
        codes : ndarray of shape (n_rows,)
            Each row's group.
        n_groups : int
        order : ndarray of shape (n_rows,), default=None
            Positions that sort the rows by group, where they are known.
        """
        if order is None and (codes[1:] < codes[:-1]).any():
            order = group_order(codes)
        parts, groups, size = [], [], block_rows(values.shape[1])
        for start in range(0, len(codes), size):
            at = slice(start, start + size) if order is None else order[start : start + size]
            starts = run_starts(codes[at])
            parts.append(cls.of_runs(read_block(values, at), starts))
            groups.append(codes[at][starts])
        # The ends of a block may cut a group into parts.
        group = np.concatenate(groups)
        starts = run_starts(group)
        known = cls.join(*(np.hstack(part) for part in zip(*parts, strict=True)), starts)
        shape = (n_groups, values.shape[1])
        arrays = [np.full(shape, empty) for empty in cls.of_nothing]
        for array, own in zip(arrays, known, strict=True):
            array[group[starts]] = own.T
        return cls(*arrays)

    def pooled(self):
        """Statistics of all groups' rows as one group."""
        arrays = [getattr(self, field.name).T for field in fields(self)]
        return type(self)(*(array.T for array in self.join(*arrays, np.zeros(1, np.intp))))

    def add_block(self, block, group):
        """Learn more rows of one group."""
        new = (array.T for array in self.of_runs(block, np.zeros(1, np.intp)))
        joint = self.take(np.array([group])).merge(type(self)(*new))
        for field in fields(self):
            getattr(self, field.name)[group] = getattr(joint, field.name)[0]

    def forget_rows(self):
        """Drop what only `expanding` needs to go on from these groups: here nothing."""
        return self

    def take(self, groups):
        """Statistics of the chosen groups; -1 stands for a group without values."""
        names = [field.name for field in fields(self)]
        pairs = zip(names, self.of_nothing, strict=True)
        return type(self)(*(pick(getattr(self, name), groups, empty) for name, empty in pairs))

    def expanding(self, block, codes):
        """Return (count, center, scale) at each row.

        Parameters
        ----------
        block : ndarray of shape (n_features, n_rows), float64
            Rows sorted by group and time; `self` is what each group has seen before them.
        codes : ndarray of shape (n_rows,)
            Each row's group.

        Returns
        -------
        count : ndarray of shape (n_features, n_rows), or (n_rows,) where features are alike
        center, scale : ndarray of shape (n_features, n_rows)
        """
        columns = [self._expanding_column(column, codes, j) for j, column in enumerate(block)]
        return tuple(np.stack(columns, axis=1))

    def _expanding_column(self, column, codes, feature):
        raise NotImplementedError


@dataclass(eq=False)
class Moments(Statistics):
    """Mean and summed squared deviation: center is the mean, scale the deviation."""

    mean: np.ndarray
    squares: np.ndarray

    of_nothing = (0.0, 0.0, 0.0)

    of_runs = staticmethod(run_moments)
    join = staticmethod(join_moments)

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

    def center_scale(self):
        """Return (center, scale); the scale of a constant feature is 0."""
        variance = self.squares / np.maximum(self.count, 1)
        return self.mean, np.sqrt(zero_if_constant(variance, self.mean, self.count))

    def expanding(self, block, codes):
        """Return (count, center, scale) at each row, as in Statistics."""
        starts = run_starts(codes)
        lengths = np.diff(starts, append=len(codes))
        past = self.take(codes[starts])
        went_on = past.count.any()
        missing = np.isnan(block)
        some_missing = missing.any()
        # Deviations are taken from a value of the group's own past: its remembered mean,
        # else its first value. Sums of squares then keep their digits at any level.
        shift = np.where(past.count.T > 0, past.mean.T, first_known(block, starts))
        center = shift.repeat(lengths, axis=1)
        deviation = block - center
        if some_missing:
            deviation[missing] = 0
            count = run_cumsum(~missing * 1.0, starts)
        else:
            count = np.arange(1.0, len(codes) + 1) - starts.repeat(lengths)
        if went_on:
            count = count + past.count.T.repeat(lengths, axis=1)
        powers = np.stack([deviation, deviation * deviation]).reshape(-1, len(codes))
        sums, squares = run_cumsum(powers, starts).reshape(2, *block.shape)
        divisor = np.maximum(count, 1)
        drift = sums / divisor
        squares -= np.multiply(sums, drift, out=sums)
        if went_on:
            squares += past.squares.T.repeat(lengths, axis=1)
        variance = np.maximum(squares, 0.0, out=squares)
        variance /= divisor
        center += drift
        # Rounding happened in the deviations, so their mean bounds it.
        return count, center, np.sqrt(zero_if_constant(variance, drift, count))


@dataclass(eq=False)
class Extremes(Statistics):
    """Smallest and largest value: center is the smallest, scale the range."""

    low: np.ndarray
    high: np.ndarray

    of_nothing = (0.0, np.inf, -np.inf)

    of_runs = staticmethod(run_extremes)
    join = staticmethod(join_extremes)

    def merge(self, other):
        """Statistics of both sets of rows together, group by group."""
        return type(self)(
            self.count + other.count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def center_scale(self):
        """Return (center, scale); the scale of a constant feature is 0."""
        return self._center_scale(self.count, self.low, self.high)

    def _expanding_column(self, column, codes, feature):
        """Return (count, center, scale) at each row of one feature."""
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
    def of(cls, values, codes, n_groups, order=None):
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

    def _expanding_column(self, column, codes, feature):
        """Return (count, center, scale) at each row of one feature."""
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


# -------------------------------------------------------------- expanding over many rows


def blocks_of_runs(starts, n_rows, size):
    """Cut rows into blocks of at most `size` rows that end where a run of rows ends.

    A run longer than that is cut at multiples of `size` from its own start, so that
    what is made of its rows never depends on the rows of other runs.

    Yields
    ------
    rows, runs : slice
        The rows of a block, and which runs they belong to.
    """
    ends = np.append(starts[1:], n_rows)
    row = 0
    while row < n_rows:
        run, after = np.searchsorted(ends, [row, row + size], side="right")
        end = ends[after - 1] if after > run else row + size
        yield slice(row, end), slice(run, max(after, run + 1))
        row = end


def expanding_blocks(past, values, starts, order=None):
    """Go through many rows with the expanding statistics of each.

    Parameters
    ----------
    past : Statistics
        What each run of rows has seen before its first row.
    values : ndarray of shape (n_rows, n_features)
    starts : ndarray of shape (n_runs,)
        Where each run starts among the rows to go through.
    order : ndarray of int, default=None
        The rows to go through, sorted by run and time; all as they stand by default.

    Yields
    ------
    at : slice or ndarray
        The rows of a block.
    block : ndarray of shape (n_features, n_block), float64
        Their values.
    count, center, scale : ndarray
        The statistics at each of them: see :meth:`Statistics.expanding`.
    """
    n_rows = len(values) if order is None else len(order)
    size = block_rows(values.shape[1]) if past.can_merge else n_rows
    ends = np.append(starts[1:], n_rows)
    for rows, runs in blocks_of_runs(starts, n_rows, size):
        at = rows if order is None else order[rows]
        block = read_block(values, at)
        groups = np.arange(runs.start, runs.stop)
        sizes = np.minimum(ends[runs], rows.stop) - np.maximum(starts[runs], rows.start)
        yield at, block, *past.expanding(block, groups.repeat(sizes))
        if ends[runs.stop - 1] > rows.stop:
            past.add_block(block, runs.start)


KINDS: dict[str, Any] = {
    "standard": Moments,
    "minmax": Extremes,
    "maxabs": LargestSize,
    "robust": Quartiles,
}
