"""Compute sums, moments and extremes of runs of rows.

A run is a stretch of neighbouring rows that belong to one group. A block is a part of the rows
that fits into the processor's cache. It is a float64 array of shape (n_features, n_rows), so the
values of one feature are neighbours in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.rows import run_starts, take_rows

EPS = np.finfo(np.float64).eps
# Number of values in a block: few enough for the cache to hold all temporary arrays, and enough to
# outweigh the overhead of a call.
BLOCK_VALUES = 2**16

# -------------------------------------------------------------------------------- blocks


def block_rows(n_features: int) -> int:
    """Return the number of rows in a block."""
    return max(1, BLOCK_VALUES // n_features)


def read_block(values, at) -> np.ndarray:
    """Read chosen rows as a block.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
    at : slice or ndarray of int
        The rows to read.

    Returns
    -------
    ndarray of shape (n_features, n_block), float64
    """
    rows = values[at] if isinstance(at, slice) else take_rows(values, at)
    return np.ascontiguousarray(rows.T, np.float64)


def repeat_by_code(table, codes) -> np.ndarray:
    """Return ``table[codes]`` as a block.

    Parameters
    ----------
    table : ndarray of shape (n_groups, n_features)
    codes : ndarray of shape (n_rows,)
        Group of each row.

    Returns
    -------
    ndarray of shape (n_features, n_rows)
    """
    starts = run_starts(codes)
    if 4 * len(starts) > len(codes):
        return table.T.take(codes, axis=1)
    return table[codes[starts]].T.repeat(np.diff(starts, append=len(codes)), axis=1)


def blocks_of_runs(starts, n_rows: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Divide rows into blocks that end where a run ends.

    A run of more than `size` rows is divided at multiples of `size` from its own start. The
    results for its rows therefore never depend on the rows of other runs.

    Parameters
    ----------
    starts : ndarray of shape (n_runs,)
        Position of the first row of each run.
    n_rows, size : int
        Number of rows, and the largest number of rows in a block.

    Yields
    ------
    rows, runs : slice
        The rows of a block, and the runs to which they belong.
    """
    ends = np.append(starts[1:], n_rows)
    row = 0
    while row < n_rows:
        run, after = np.searchsorted(ends, [row, row + size], side="right")
        end = ends[after - 1] if after > run else row + size
        yield slice(row, end), slice(run, max(after, run + 1))
        row = end


# ------------------------------------------------------------------------ sums over runs


def run_sums(block, starts) -> np.ndarray:
    """Sum each run of rows, shape (n_features, n_runs)."""
    return np.add.reduceat(block, starts, axis=1)


def run_cumsum(block, starts) -> np.ndarray:
    """Compute the cumulative sums of each run, without rounding errors of other runs."""
    lengths = np.diff(starts, append=block.shape[1])
    runs = np.arange(len(starts)).repeat(lengths)
    sums = pd.DataFrame(block.T, copy=False).groupby(runs, sort=False).cumsum()
    return np.array(sums.to_numpy().T, order="C")


def first_known(block, starts) -> np.ndarray:
    """Return the first value of each run that is not NaN, or 0 if there is none."""
    first = block[:, starts]
    if np.isnan(first).any():
        n_rows = block.shape[1]
        rows = np.where(np.isnan(block), n_rows, np.arange(n_rows))
        rows = np.minimum.reduceat(rows, starts, axis=1)
        first = np.take_along_axis(block, np.minimum(rows, n_rows - 1), axis=1)
        first[rows == n_rows] = 0
    return first


# --------------------------------------------------------------- moments and extremes


def run_moments(block, starts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute count, mean and sum of squared deviations of each run, ignoring NaN.

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
    # A second pass removes the rounding error of the mean and of the squares.
    rest = run_sums(deviation, starts)
    squares = run_sums(np.multiply(deviation, deviation, out=deviation), starts)
    squares -= rest**2 / divisor
    return count, mean + rest / divisor, np.maximum(squares, 0.0)


def join_moments(count, mean, squares, starts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Combine the moments of neighbouring parts, as returned by `run_moments`.

    Parameters
    ----------
    count, mean, squares : ndarray of shape (n_features, n_parts)
    starts : ndarray of shape (n_runs,)
        Position of the first part of each run.

    Returns
    -------
    count, mean, squares : ndarray of shape (n_features, n_runs)
    """
    total = run_sums(count, starts)
    divisor, lengths = np.maximum(total, 1), np.diff(starts, append=count.shape[1])
    joint = run_sums(count * mean, starts) / divisor
    deviation = mean - joint.repeat(lengths, axis=1)
    rest = run_sums(count * deviation, starts) / divisor
    between = run_sums(count * deviation**2, starts) - total * rest**2
    return total, joint + rest, run_sums(squares, starts) + np.maximum(between, 0.0)


def run_extremes(block, starts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute count, minimum and maximum of each run, ignoring NaN.

    A run without a known value has the minimum inf and the maximum -inf.
    """
    known = ~np.isnan(block)
    low, high = np.fmin.reduceat(block, starts, axis=1), np.fmax.reduceat(block, starts, axis=1)
    unknown = np.isnan(low)
    low[unknown], high[unknown] = np.inf, -np.inf
    return run_sums(known * 1.0, starts), low, high


def join_extremes(count, low, high, starts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Combine the extremes of neighbouring parts, as returned by `run_extremes`."""
    low, high = np.minimum.reduceat(low, starts, axis=1), np.maximum.reduceat(high, starts, axis=1)
    return run_sums(count, starts), low, high


# ---------------------------------------------------------------- one feature at a time


def each_column(function: Callable[..., Any], values) -> np.ndarray:
    """Apply a function to each column as contiguous float64, and stack the results last."""
    columns = (np.ascontiguousarray(values[:, j], np.float64) for j in range(values.shape[1]))
    return np.stack([function(column) for column in columns], axis=-1)


def group_count(column, codes, n_groups: int) -> np.ndarray:
    """Count the known values of each group."""
    known = ~np.isnan(column)
    codes = codes if known.all() else codes[known]
    return np.bincount(codes, minlength=n_groups).astype(np.float64)


def group_quantiles(column, codes, n_groups: int, levels: Sequence[float]) -> np.ndarray:
    """Compute quantiles of the known values of each group by linear interpolation.

    Parameters
    ----------
    column : ndarray of shape (n_rows,)
    codes : ndarray of shape (n_rows,)
        Group of each row.
    n_groups : int
    levels : sequence of float
        Quantile levels in [0, 1].

    Returns
    -------
    ndarray of shape (n_levels, n_groups)
        NaN for a group without a known value.
    """
    count = group_count(column, codes, n_groups)
    ordered = column[np.lexsort((column, codes))]  # NaN sorts last within its group
    size = np.bincount(codes, minlength=n_groups)
    # The start of a group without rows may lie beyond the last row. Its value is not used.
    start = np.minimum(np.cumsum(size) - size, len(column) - 1)
    last = np.maximum(count - 1, 0)
    result = []
    for level in levels:
        position = level * last
        below = np.floor(position)
        above = np.minimum(below + 1, last)
        low, high = ordered[start + below.astype(np.intp)], ordered[start + above.astype(np.intp)]
        result.append(np.where(count > 0, low + (high - low) * (position - below), np.nan))
    return np.stack(result)


# ---------------------------------------------------------------------- constant features


def zero_if_constant(variance, mean, count) -> np.ndarray:
    """Set the variance of a constant feature to exactly 0, despite rounding errors.

    The bound on the rounding error is that of scikit-learn's StandardScaler.
    """
    share = count * EPS
    bound = share * mean
    bound *= bound
    bound += share * variance
    return np.where(variance <= bound, 0.0, variance)


def zero_if_tiny(scale) -> np.ndarray:
    """Set ranges below the bound of scikit-learn's scalers to exactly 0."""
    return np.where(scale < 10 * EPS, 0.0, scale)
