"""Compute center and scale of many groups of rows at once, without a loop over groups.

Each class holds one kind of statistics in float64 arrays of shape (n_groups, n_features). It
computes the center and the scale of each group. It also computes expanding statistics: the center
and the scale at each row, over the rows of its group up to and including that row. NaN is ignored
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sklstm._panel.rows import group_order, run_starts
from sklstm._panel.run_statistics import (
    block_rows,
    blocks_of_runs,
    each_column,
    first_known,
    group_count,
    group_quantiles,
    join_extremes,
    join_moments,
    read_block,
    run_cumsum,
    run_extremes,
    run_moments,
    zero_if_constant,
    zero_if_tiny,
)


@dataclass(eq=False)
class Statistics:
    """Define the interface of all kinds of statistics.

    Attributes
    ----------
    count : ndarray of shape (n_groups, n_features)
        Number of known values. Subclasses add arrays of the same shape.
    """

    count: np.ndarray

    can_merge: ClassVar[bool] = True
    # Value of each field for a group without known values.
    empty_values: ClassVar[tuple[float, ...]] = (0.0,)

    # Compute the fields from runs of rows, and from runs of parts with known fields.
    from_runs: ClassVar[Callable[..., Any]]
    join_runs: ClassVar[Callable[..., Any]]

    @classmethod
    def compute(cls, values, codes, n_groups: int, order=None):
        """Compute the statistics of each group.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
        codes : ndarray of shape (n_rows,)
            Group of each row.
        n_groups : int
        order : ndarray of shape (n_rows,), default=None
            Positions that sort the rows by group. They are computed if not given.

        Returns
        -------
        Statistics
        """
        if order is None and (codes[1:] < codes[:-1]).any():
            order = group_order(codes)
        parts, groups, size = [], [], block_rows(values.shape[1])
        for start in range(0, len(codes), size):
            at = slice(start, start + size) if order is None else order[start : start + size]
            starts = run_starts(codes[at])
            parts.append(cls.from_runs(read_block(values, at), starts))
            groups.append(codes[at][starts])
        # The end of a block may divide a group into parts.
        group = np.concatenate(groups)
        starts = run_starts(group)
        joined = cls.join_runs(*(np.hstack(part) for part in zip(*parts, strict=True)), starts)
        shape = (n_groups, values.shape[1])
        arrays = [np.full(shape, empty) for empty in cls.empty_values]
        for array, known in zip(arrays, joined, strict=True):
            array[group[starts]] = known.T
        return cls(*arrays)

    @staticmethod
    def concatenate(parts: Sequence[Any]) -> Any:
        """Put the groups of statistics of one kind after one another."""
        names = [field.name for field in fields(parts[0])]
        arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
        return type(parts[0])(*arrays)

    def pooled(self):
        """Compute the statistics of all rows of all groups, as one group."""
        arrays = [getattr(self, field.name).T for field in fields(self)]
        return type(self)(*(array.T for array in self.join_runs(*arrays, np.zeros(1, np.intp))))

    def add_block(self, block, group: int) -> None:
        """Update the statistics of one group by a block of its rows, in place."""
        new = (array.T for array in self.from_runs(block, np.zeros(1, np.intp)))
        joint = self.take(np.array([group])).merge(type(self)(*new))
        for field in fields(self):
            getattr(self, field.name)[group] = getattr(joint, field.name)[0]

    def merge(self, other):
        """Compute the statistics of the rows of `self` and `other` together, per group."""
        raise NotImplementedError

    def center_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Return center and scale of each group; the scale of a constant feature is 0."""
        raise NotImplementedError

    def without_rows(self):
        """Return the statistics without remembered rows, which only `expanding` uses."""
        return self

    def take(self, groups):
        """Select groups; -1 selects a group without known values."""
        names = [field.name for field in fields(self)]
        pairs = zip(names, self.empty_values, strict=True)
        return type(self)(
            *(_take_groups(getattr(self, name), groups, empty) for name, empty in pairs)
        )

    def expanding(self, block, codes) -> tuple[np.ndarray, ...]:
        """Compute count, center and scale at each row, continuing from `self`.

        Parameters
        ----------
        block : ndarray of shape (n_features, n_rows), float64
            Rows sorted by group and time. They follow the rows of `self`.
        codes : ndarray of shape (n_rows,)
            Group of each row.

        Returns
        -------
        count : ndarray of shape (n_features, n_rows), or (n_rows,) if equal for all features
        center, scale : ndarray of shape (n_features, n_rows)
        """
        columns = [self._expanding_column(column, codes, j) for j, column in enumerate(block)]
        return tuple(np.stack(columns, axis=1))

    def _expanding_column(self, column, codes, feature):
        raise NotImplementedError


@dataclass(eq=False)
class Moments(Statistics):
    """Hold mean and sum of squared deviations: the center is the mean, the scale the deviation."""

    mean: np.ndarray
    squares: np.ndarray

    empty_values = (0.0, 0.0, 0.0)

    from_runs = staticmethod(run_moments)
    join_runs = staticmethod(join_moments)

    def merge(self, other):
        """Compute the statistics of the rows of `self` and `other` together, per group."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        shift = other.mean - self.mean
        return Moments(
            count,
            self.mean + shift * share,
            self.squares + other.squares + shift**2 * self.count * share,
        )

    def center_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Return center and scale of each group; the scale of a constant feature is 0."""
        variance = self.squares / np.maximum(self.count, 1)
        return self.mean, np.sqrt(zero_if_constant(variance, self.mean, self.count))

    def expanding(self, block, codes) -> tuple[np.ndarray, ...]:
        """Compute count, center and scale at each row, continuing from `self`.

        See `Statistics.expanding` for parameters and returned values.
        """
        starts = run_starts(codes)
        lengths = np.diff(starts, append=len(codes))
        past = self.take(codes[starts])
        has_past = past.count.any()
        missing = np.isnan(block)
        some_missing = missing.any()
        # Deviations are taken from a value of the group's own past: its remembered mean, or else
        # its first value. Sums of squares then keep their digits at any level.
        shift = np.where(past.count.T > 0, past.mean.T, first_known(block, starts))
        center = shift.repeat(lengths, axis=1)
        deviation = block - center
        if some_missing:
            deviation[missing] = 0
            count = run_cumsum(~missing * 1.0, starts)
        else:
            count = np.arange(1.0, len(codes) + 1) - starts.repeat(lengths)
        if has_past:
            count = count + past.count.T.repeat(lengths, axis=1)
        powers = np.stack([deviation, deviation * deviation]).reshape(-1, len(codes))
        sums, squares = run_cumsum(powers, starts).reshape(2, *block.shape)
        divisor = np.maximum(count, 1)
        drift = sums / divisor
        squares -= np.multiply(sums, drift, out=sums)
        if has_past:
            squares += past.squares.T.repeat(lengths, axis=1)
        variance = np.maximum(squares, 0.0, out=squares)
        variance /= divisor
        center += drift
        # The deviations were rounded, so their mean bounds the rounding error.
        return count, center, np.sqrt(zero_if_constant(variance, drift, count))


@dataclass(eq=False)
class Extremes(Statistics):
    """Hold minimum and maximum: the center is the minimum, the scale the range."""

    low: np.ndarray
    high: np.ndarray

    empty_values = (0.0, np.inf, -np.inf)

    from_runs = staticmethod(run_extremes)
    join_runs = staticmethod(join_extremes)

    def merge(self, other):
        """Compute the statistics of the rows of `self` and `other` together, per group."""
        return type(self)(
            self.count + other.count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def center_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Return center and scale of each group; the scale of a constant feature is 0."""
        return self._center_scale(self.count, self.low, self.high)

    def _expanding_column(self, column, codes, feature):
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
class MaxAbs(Extremes):
    """Hold minimum and maximum: the center is 0, the scale the largest absolute value."""

    @staticmethod
    def _center_scale(count, low, high):
        size = np.where(count > 0, np.maximum(np.abs(low), np.abs(high)), 0.0)
        return np.zeros_like(size), zero_if_tiny(size)


@dataclass(eq=False)
class Quartiles(Statistics):
    """Hold median and interquartile range: the center and the scale.

    Quantiles cannot be updated from sums, so the rows themselves are remembered.
    """

    median: np.ndarray
    iqr: np.ndarray
    values: np.ndarray
    codes: np.ndarray

    can_merge = False
    levels = (0.25, 0.5, 0.75)

    @classmethod
    def compute(cls, values, codes, n_groups: int, order=None):
        """Compute the statistics of each group: see `Statistics.compute`."""

        def of_column(column):
            low, middle, high = group_quantiles(column, codes, n_groups, cls.levels)
            count = group_count(column, codes, n_groups)
            return np.stack([count, np.nan_to_num(middle), np.nan_to_num(high - low)])

        count, median, iqr = each_column(of_column, values)
        return cls(count, median, iqr, values.copy(), codes)

    def take(self, groups):
        """Select groups; -1 selects a group without known values."""
        count, median, iqr = (
            _take_groups(array, groups) for array in (self.count, self.median, self.iqr)
        )
        new_code = np.full(len(self.count), -1)
        new_code[groups[groups >= 0]] = np.flatnonzero(groups >= 0)
        codes = new_code[self.codes]
        return Quartiles(count, median, iqr, self.values[codes >= 0], codes[codes >= 0])

    def without_rows(self):
        """Return the statistics without remembered rows, which only `expanding` uses."""
        no_values, no_codes = self.values[:0].copy(), self.codes[:0].copy()
        return Quartiles(self.count, self.median, self.iqr, no_values, no_codes)

    def center_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Return center and scale of each group; the scale of a constant feature is 0."""
        return self.median, zero_if_tiny(self.iqr)

    def _expanding_column(self, column, codes, feature):
        n_past = len(self.codes)
        both = np.concatenate([self.values[:, feature].astype(np.float64), column])
        groups = np.concatenate([self.codes, codes])
        order = np.argsort(groups, kind="stable")
        sorted_values = pd.Series(both[order])
        grouped = sorted_values.groupby(groups[order])
        count = sorted_values.notna().astype(float).groupby(groups[order]).cumsum().to_numpy()
        expanding = grouped.expanding(min_periods=1)
        low, median, high = (expanding.quantile(level).to_numpy() for level in self.levels)
        scale = zero_if_tiny(np.nan_to_num(high - low))
        unsorted = np.empty((3, len(order)))
        unsorted[:, order] = count, np.nan_to_num(median), scale
        return tuple(unsorted[:, n_past:])


# Statistics of the built-in scalers by name.
SCALER_STATISTICS: dict[str, Any] = {
    "standard": Moments,
    "minmax": Extremes,
    "maxabs": MaxAbs,
    "robust": Quartiles,
}


def expanding_blocks(past: Statistics, values, starts, order=None) -> Iterator[tuple[Any, ...]]:
    """Compute the expanding statistics of many rows, block by block.

    Parameters
    ----------
    past : Statistics
        Statistics of the rows before the first row of each run. They are updated in place.
    values : ndarray of shape (n_rows, n_features)
    starts : ndarray of shape (n_runs,)
        Position of the first row of each run, among the rows in `order`.
    order : ndarray of int, default=None
        The rows to use, sorted by run and time. By default all rows, in the order of `values`.

    Yields
    ------
    at : slice or ndarray
        The rows of a block.
    block : ndarray of shape (n_features, n_block), float64
        Their values.
    count, center, scale : ndarray
        The statistics at each of these rows: see `Statistics.expanding`.
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


def _take_groups(array, groups, empty=0.0):
    """Select rows by group; group -1 selects a row of `empty`."""
    taken = array[groups]
    taken[groups < 0] = empty
    return taken
