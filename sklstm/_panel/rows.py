"""Index the rows of a panel by series: codes, ids, time and order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

# Rows to work on at once where whole columns of temporary numbers would fill the memory.
N_AT_ONCE = 2**16


@dataclass(frozen=True, eq=False)
class RowIds:
    """Which series each row belongs to, when, and in which order.

    Attributes
    ----------
    codes : ndarray of shape (n_rows,)
        Number of each row's series: its position in `ids`.
    ids : pandas.Index of shape (n_series,)
        The ids in order of first appearance; a single 0 where no `series` was named.
    time : ndarray of shape (n_rows,), or None where no `time` was named
        Time as integers or floats (nanoseconds for dates, ordinals for periods).
    time_kind : str or None
        "number", "datetime", "datetime with time zone", "timedelta" or "period[freq]".
    order : ndarray of shape (n_rows,) or None
        Positions of the rows sorted by series and then by time; None where the rows
        stand so already.
    """

    codes: np.ndarray
    ids: pd.Index
    time: Any
    time_kind: str | None
    order: np.ndarray | None

    @property
    def sorting(self):
        """Positions of the rows sorted by series and time, spelt out if need be."""
        return np.arange(len(self.codes)) if self.order is None else self.order


def encode_ids(values, n_rows):
    """Return (codes, ids): ids in order of appearance, and each row's position among them."""
    if values is None:
        return np.zeros(n_rows, np.int32), pd.Index([0])
    keys = _comparable(values)
    first = None if keys is None else run_starts(keys)
    if first is not None and 4 * len(first) <= n_rows:
        # Rows of a series mostly stand together: one row of each run is looked up.
        codes, ids = _factorize(values.take(first))
        codes = np.repeat(codes.astype(np.int32), np.diff(first, append=n_rows))
    else:
        codes, ids = _factorize(values)
    if len(codes) and codes.min() < 0:
        missing = np.flatnonzero(codes < 0)
        raise ValueError(
            f"The series id is missing in {len(missing)} of {n_rows} rows (the first is row "
            f"{missing[0]}). Fill it in or drop those rows."
        )
    return codes.astype(np.int32, copy=False), ids


def _comparable(values):
    """Return ids as an array of plain numbers or dates, which compare fast; None for others."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.array.codes
    plain = isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufmM"
    return np.asarray(values) if plain else None


def _factorize(values):
    """Codes in order of appearance, -1 for a missing id, and the Index of the ids."""
    numbers = _comparable(values)
    if numbers is None or numbers.dtype.kind != "f" or np.isnan(numbers).any():
        codes, ids = pd.factorize(values)
        ids = pd.Index(np.asarray(ids) if isinstance(ids, pd.Categorical) else ids)
        return codes, ids.rename(None)
    # pandas hashes integers several times faster than floats. Adding 0 makes -0 a 0.
    bits = (numbers + numbers.dtype.type(0)).view(f"i{numbers.itemsize}")
    codes, ids = pd.factorize(bits)
    return codes, pd.Index(ids.view(numbers.dtype))


def position_dtype(n_rows):
    """Return the smaller type that can number so many rows."""
    return np.int32 if n_rows < 2**31 else np.int64


def group_order(codes) -> np.ndarray:
    """Positions that sort `codes`, equal ones in the order in which they stand.

    The same as ``np.argsort(codes, kind="stable")``, but counted and not compared: turning
    a sparse matrix of one entry a column into rows does just that.
    """
    n_rows = len(codes)
    entries = (
        np.ones(n_rows, bool),
        codes,
        np.arange(n_rows + 1, dtype=position_dtype(n_rows + 1)),
    )
    shape = (int(codes.max()) + 1, n_rows)
    return csc_array(entries, shape=shape).tocsr().indices


def _sorting_order(codes, time, ids):
    """Permutation that sorts rows by series, then time; None if they are sorted."""
    if _is_sorted(codes, time):
        return None
    order = group_order(codes)
    if time is None or _is_sorted(codes[order], time[order]):
        return order
    order = np.argsort(time, kind="stable")
    order = order[group_order(codes[order])]
    sorted_codes, sorted_time = codes[order], time[order]
    twice = (sorted_codes[1:] == sorted_codes[:-1]) & (sorted_time[1:] == sorted_time[:-1])
    if twice.any():
        first, second = np.sort(order[np.flatnonzero(twice)[0] : np.flatnonzero(twice)[0] + 2])
        name = ids.tolist()[codes[first]]
        raise ValueError(
            f"{int(twice.sum())} rows repeat a (series, time) pair; the first are rows {first} "
            f"and {second} of series {name!r}. Each series may have one row a time."
        )
    return order


def _is_sorted(codes, time) -> bool:
    """Whether rows stand by series, and in each series by strictly growing time."""
    starts = run_starts(codes)
    firsts = codes[starts]
    if (firsts[1:] < firsts[:-1]).any():
        return False
    if time is None:
        return True
    later = time[1:] > time[:-1]
    later[starts[1:] - 1] = True
    return bool(later.all())


def take_rows(values, at):
    """``values[at]`` for an array of positions, in the way that is fastest for the layout."""
    if values.flags.c_contiguous:
        return values.take(at, axis=0)
    if values.flags.f_contiguous and np.ndim(at) == 1:
        return values.T.take(at, axis=1).T
    return values[at]  # `take` would copy all rows first


def run_starts(codes, time=None, max_gap=None, also=None) -> np.ndarray:
    """Positions of the first row of each run of rows that belong together.

    A run ends where the code changes, where two rows are farther apart in time than
    `max_gap`, and where the mark `also` (an array, one value a row) changes.
    """
    n_rows = len(codes)
    starts = [np.arange(min(n_rows, 1))]
    for first in range(1, n_rows, N_AT_ONCE):
        row, before = slice(first, first + N_AT_ONCE), slice(first - 1, first + N_AT_ONCE - 1)
        new = codes[row] != codes[before][: n_rows - first]
        if max_gap is not None:
            new |= np.diff(time[before.start : row.stop]) > max_gap
        if also is not None:
            new |= also[row] != also[before][: n_rows - first]
        starts.append(np.flatnonzero(new) + first)
    return np.concatenate(starts)


def sorted_rows(values, order):
    """Rows of `values` at the positions `order`, C-contiguous."""
    out = np.empty((len(order), values.shape[1]), values.dtype)
    for start in range(0, len(order), N_AT_ONCE):
        part = slice(start, start + N_AT_ONCE)
        out[part] = take_rows(values, order[part])
    return out


def put_back(array, order):
    """Undo the sorting of an array: its element i goes to position ``order[i]``."""
    # In parts, since NumPy makes int64 of the positions that it is given.
    out = np.empty_like(array)
    for start in range(0, len(order), N_AT_ONCE):
        part = slice(start, start + N_AT_ONCE)
        out[order[part]] = array[part]
    return out
