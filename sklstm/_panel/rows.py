"""Index the rows of a panel by series: codes, ids, time and order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from sklstm._panel.arrays import common_floats, without_mask
from sklstm._panel.frames import as_plain
from sklstm._panel.pickles import PlainIds
from sklstm._panel.show import describe_missing, show

# Rows to work on at once where whole columns of temporary numbers would fill the memory.
BLOCK_ROWS = 2**16


@dataclass(frozen=True, eq=False)
class SeriesRows(PlainIds):
    """Index the rows of many series: series, time and order of each row.

    Every part of the package that works per series uses this object. "Sorted" means sorted by
    series and then by time; the rows themselves stay in the order in which they were passed.

    Attributes
    ----------
    codes : ndarray of shape (n_rows,)
        Code of each row's series: its position in `ids`.
    ids : pandas.Index of shape (n_series,)
        The ids in order of first appearance; a single 0 if no `series` was given. Some ids may have
        no rows.
    time : ndarray of shape (n_rows,), or None where no `time` was named
        Time as integers or floats (nanoseconds for dates, ordinals for periods).
    time_kind : str or None
        "number", "datetime", "datetime with time zone", "timedelta" or "period[freq]".
    order : ndarray of shape (n_rows,) or None
        Positions of the sorted rows; None where the rows are sorted already.
    """

    codes: np.ndarray
    ids: pd.Index
    time: Any = None
    time_kind: str | None = None
    order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def sorting(self) -> np.ndarray:
        """Positions of the sorted rows, also where `order` is None."""
        return np.arange(len(self)) if self.order is None else self.order

    @cached_property
    def bounds(self) -> np.ndarray:
        """Positions in the sorted rows at which the series start and end, shape (n_series + 1,)."""
        return np.append(0, np.cumsum(np.bincount(self.codes, minlength=len(self.ids))))

    @property
    def sizes(self) -> np.ndarray:
        """Number of rows of each series, shape (n_series,)."""
        return np.diff(self.bounds)

    @property
    def rank(self) -> np.ndarray:
        """Number of earlier rows of the same series, for each row."""
        sizes = self.sizes
        return self.unsort(np.arange(len(self)) - np.repeat(self.bounds[:-1], sizes))

    @property
    def last_times(self) -> np.ndarray:
        """Time of the last row of each series; only for series that have rows."""
        last = self.bounds[1:] - 1
        return self.time[last if self.order is None else self.order[last]]

    def sort(self, values: np.ndarray) -> np.ndarray:
        """Sort values of rows by series and time.

        Parameters
        ----------
        values : ndarray of shape (n_rows, ...)

        Returns
        -------
        ndarray of shape (n_rows, ...)
            `values` itself where the rows are sorted already.
        """
        return values if self.order is None else take_blocks(values, self.order)

    def unsort(self, values: np.ndarray) -> np.ndarray:
        """Undo `sort`.

        Parameters
        ----------
        values : ndarray of shape (n_rows, ...)
            Values of the sorted rows.

        Returns
        -------
        ndarray of shape (n_rows, ...)
            `values` itself where the rows are sorted already.
        """
        if self.order is None:
            return values
        # In blocks, since NumPy converts the positions that it is given to int64.
        out = np.empty_like(values)
        for block in row_blocks(len(self.order)):
            out[self.order[block]] = values[block]
        return out

    def run_starts(self, max_gap: float | None = None) -> np.ndarray:
        """Find where runs of rows start in the sorted rows.

        Parameters
        ----------
        max_gap : number, default=None
            Largest distance in time between successive rows of a run. None: a run is a series.

        Returns
        -------
        ndarray of shape (n_runs,)
        """
        time = None if max_gap is None else self.sort(self.time)
        return run_starts(self.sort(self.codes), time, max_gap)

    def tail(self, n_rows: int) -> np.ndarray:
        """Find the last rows of each series.

        Parameters
        ----------
        n_rows : int
            Number of rows per series; shorter series contribute all of their rows.

        Returns
        -------
        ndarray
            Positions, sorted by series and time.
        """
        bounds = self.bounds
        n_kept = np.minimum(np.diff(bounds), n_rows)
        dtype = position_dtype(len(self))
        kept = (bounds[1:] - np.cumsum(n_kept)).astype(dtype).repeat(n_kept)
        kept += np.arange(len(kept), dtype=dtype)
        return kept if self.order is None else self.order[kept]

    def take(self, positions: np.ndarray) -> SeriesRows:
        """Index the chosen rows only.

        Parameters
        ----------
        positions : ndarray
            Sorted by series and time, as `tail` returns them.

        Returns
        -------
        SeriesRows
            With the same `ids`.
        """
        time = None if self.time is None else self.time[positions]
        return SeriesRows(self.codes[positions], self.ids, time, self.time_kind)

    def continues(self, ids: pd.Index, last_times: np.ndarray | None) -> np.ndarray:
        """Mark the rows that continue a fitted series.

        A row continues its series if the series was fitted, its time is known, and it is later
        than the last fitted row. Nothing else matters, neither the distance in time nor which other
        rows are passed. The scaler, the windows and the forecaster all follow this rule.

        Parameters
        ----------
        ids : pandas.Index of shape (n_fitted,)
            The fitted series.
        last_times : ndarray of shape (n_fitted,) or None
            Time of their last fitted row; None where it is not known.

        Returns
        -------
        ndarray of shape (n_rows,)
            A mask.
        """
        if last_times is None or self.time is None:
            return np.zeros(len(self), bool)
        numbers = ids.get_indexer(self.ids)
        later = self.time > last_times[numbers][self.codes]
        return later if (numbers >= 0).all() else later & (numbers >= 0)[self.codes]


def join_context(context: SeriesRows, rows: SeriesRows) -> tuple[SeriesRows, np.ndarray]:
    """Put remembered rows before the rows that continue their series.

    Parameters
    ----------
    context : SeriesRows
        The last rows of each fitted series, at least one per series, sorted.
    rows : SeriesRows
        Rows of fitted and other series.

    Returns
    -------
    joined : SeriesRows
        Index of the chosen rows of `context`, followed by `rows`. Rows that continue a series form
        a separate series together with its context. The code of this series is that of the original
        series in `rows` plus ``len(rows.ids)``. So these rows never see earlier rows passed along
        with them, and predictions are the same with and without the history.
    chosen : ndarray
        Positions of the rows of `context` that are used.
    """
    continues = rows.continues(context.ids, context.last_times)
    n_series = len(rows.ids)
    is_continued = np.zeros(n_series, bool)
    is_continued[rows.codes[continues]] = True
    continued = np.flatnonzero(is_continued)
    code = np.full(len(context.ids), -1, np.int32)
    code[context.ids.get_indexer(rows.ids[continued])] = continued + n_series
    chosen = np.flatnonzero(code[context.codes] >= 0)
    if len(chosen) == 0:
        return rows, chosen
    codes = np.where(continues, rows.codes + np.int32(n_series), rows.codes)
    codes = np.concatenate([code[context.codes[chosen]], codes], dtype=np.int32)
    time = np.concatenate([context.time[chosen], rows.time])
    joined = SeriesRows(
        codes,
        rows.ids.append(rows.ids),
        time,
        rows.time_kind,
        np.lexsort((time, codes)),
    )
    return joined, chosen


def id_index(ids: Any) -> pd.Index:
    """Return ids that were passed beside X, of any kind, as an Index."""
    return pd.Index(common_floats(as_plain(ids), "series id"))


def encode_ids(values: Any, n_rows: int, column: Any = None) -> tuple[np.ndarray, pd.Index]:
    """Return (codes, ids): ids in order of appearance, and each row's position among them.

    `column` is the column of a DataFrame that holds `values`, for messages.
    """
    if values is None:
        return np.zeros(n_rows, np.int32), pd.Index([0])
    values = common_floats(without_mask(values), "series id")
    keys = _comparable(values)
    first = None if keys is None else run_starts(keys)
    if first is not None and 4 * len(first) <= n_rows:
        # Rows of a series are mostly adjacent, so only one row of each run is looked up.
        codes, ids = _factorize(values.take(first))
        codes = np.repeat(codes.astype(np.int32), np.diff(first, append=n_rows))
    else:
        codes, ids = _factorize(values)
    if len(codes) and codes.min() < 0:
        raise ValueError(describe_missing("series id", np.flatnonzero(codes < 0), n_rows, column))
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


def position_dtype(n_rows: int) -> type[np.signedinteger]:
    """Return the smaller type that can number so many rows."""
    return np.int32 if n_rows < 2**31 else np.int64


def group_order(codes: np.ndarray) -> np.ndarray:
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


def sorting_order(codes, time, ids, names=("id", "time")):
    """Permutation that sorts rows by series, then time; None if they are sorted.

    `names` are those of the ids and the time in X, None for ids that are not in X.
    """
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
        rows = f"the first are rows {first} and {second}"
        raise ValueError(
            f"{int(twice.sum())} rows repeat a {_describe_repeated(rows, ids[codes[first]], names)}"
        )
    return order


def _describe_repeated(rows: str, series: Any, names: tuple[Any, Any]) -> str:
    """Describe rows of equal series and time, and what to do, to end a message."""
    keys = [name for name in names if name is not None]
    remedy = (
        f"remove repeated rows with X.drop_duplicates({keys}), or average them with "
        f"X.groupby({keys}, as_index=False).mean()."
    )
    if names[0] is None:
        return (
            f"time, expected one row per time; {rows}. series=None reads all rows as one series. "
            "If X holds several, name the column of their ids with series=. Only if X is really "
            f"one series, {remedy}"
        )
    return (
        f"(series, time) pair; {rows} of series {show(series)}. Expected one row per series and "
        f"time. Either {remedy}"
    )


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


def take_rows(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``values[at]`` for an array of positions, in the way that is fastest for the layout."""
    if values.flags.c_contiguous:
        return values.take(at, axis=0)
    if values.flags.f_contiguous and np.ndim(at) == 1:
        return values.T.take(at, axis=1).T
    return values[at]  # `take` would copy all rows first


def run_starts(codes, time=None, max_gap=None) -> np.ndarray:
    """Find the first row of each run of rows that belong together.

    A run ends where the code changes, and where two rows are farther apart in time than
    `max_gap`.
    """
    n_rows = len(codes)
    starts = [np.arange(min(n_rows, 1))]
    for first in range(1, n_rows, BLOCK_ROWS):
        row, before = slice(first, first + BLOCK_ROWS), slice(first - 1, first + BLOCK_ROWS - 1)
        new = codes[row] != codes[before][: n_rows - first]
        if max_gap is not None:
            new |= np.diff(time[before.start : row.stop]) > max_gap
        starts.append(np.flatnonzero(new) + first)
    return np.concatenate(starts)


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Divide rows into blocks that stay in the cache."""
    return (slice(start, start + BLOCK_ROWS) for start in range(0, n_rows, BLOCK_ROWS))


def take_blocks(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """``values[order]``, C-contiguous, in blocks that stay in the cache."""
    out = np.empty((len(order), *values.shape[1:]), values.dtype)
    for block in row_blocks(len(order)):
        out[block] = take_rows(values, order[block])
    return out
