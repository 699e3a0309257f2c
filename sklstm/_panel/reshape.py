"""Convert between a list of arrays and a panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._panel.frames import as_plain, frame_kind, in_kind
from sklstm._panel.read import read_series_rows, select_features


def stack_series(
    arrays: Iterable[ArrayLike] | Mapping[Any, ArrayLike],
    names: Iterable[Any] | None = None,
    columns: Sequence[str] | None = None,
) -> Any:
    """Stack arrays of unequal length into a panel.

    Parameters
    ----------
    arrays : list or dict of array-like of shape (n_steps_i, n_features) or (n_steps_i,)
        One array per series, oldest row first. The keys of a dict are the ids of the series.
    names : array-like of shape (n_series,), default=None
        Ids of the series. None: 0, 1, 2...
    columns : list of str, default=None
        Names of the features. None: those of the first array if it is a DataFrame, otherwise
        ``x0``, ``x1``...

    Returns
    -------
    DataFrame of shape (sum of n_steps_i, n_features)
        A panel with index levels ``series`` and ``time``. The time of a DataFrame or Series is
        its index, unless that is a default (range) index. The time of all other arrays is
        0, 1, 2... in each series. If the first array is a DataFrame or Series of another library
        than pandas, such as polars, so is the panel, and ``series`` and ``time`` are columns.

    Raises
    ------
    TypeError
        If `arrays` is a single table.
    ValueError
        If there are no arrays, if an array has no rows, if their features differ, or if names
        repeat.

    See Also
    --------
    unstack_series : Split a panel into arrays; the inverse.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import stack_series
    >>> stack_series([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0]])])
                  x0   x1
    series time
    0      0     1.0  2.0
           1     3.0  4.0
    1      0     5.0  6.0
    """
    given, ids = _check_arrays(as_plain(arrays), as_plain(names))
    tables = [as_plain(array) for array in given]
    if columns is None and isinstance(tables[0], pd.DataFrame):
        columns = list(tables[0].columns)
    blocks = _check_blocks(tables, ids)
    if columns is None:
        columns = [f"x{position}" for position in range(blocks[0].shape[1])]
    times = [_times(table) for table in tables]
    index = pd.MultiIndex.from_arrays(
        [
            pd.Index(ids).repeat([len(block) for block in blocks]),
            times[0].append(times[1:]),
        ],
        names=["series", "time"],
    )
    panel = pd.DataFrame(np.concatenate(blocks), index=index, columns=columns)
    if panel.dtypes.eq(object).any() and all(isinstance(table, pd.DataFrame) for table in tables):
        # Columns of several types, which no array has.
        panel = pd.concat(tables).set_axis(index).set_axis(columns, axis=1)
    return in_kind(frame_kind(given[0]), panel)


def _check_arrays(arrays: Any, names: Any) -> tuple[list[Any], Sequence[Any]]:
    """Return the arrays as a list, and their ids."""
    if isinstance(arrays, Mapping):
        if names is not None:
            raise ValueError("arrays is a dict, and its keys are the names: leave names=None.")
        names, arrays = list(arrays.keys()), list(arrays.values())
    elif isinstance(arrays, pd.DataFrame) or (isinstance(arrays, np.ndarray) and arrays.ndim == 2):
        raise TypeError(
            f"stack_series takes a list of arrays, got one table of shape {arrays.shape}. Put it "
            "in a list if it is one series. A long table with ids is a panel already."
        )
    else:
        arrays = list(arrays)
    if not arrays:
        raise ValueError("stack_series needs at least one array, got none.")
    names = range(len(arrays)) if names is None else list(names)
    if len(names) != len(arrays):
        raise ValueError(f"Got {len(names)} names for {len(arrays)} arrays; pass one per array.")
    if len(set(names)) < len(names):
        raise ValueError("names contains an id more than once; ids must be unique.")
    return arrays, names


def _check_blocks(tables: list[Any], ids: Sequence[Any]) -> list[np.ndarray]:
    """Return the values of the series, each of shape (n_steps, n_features)."""
    first = tables[0]
    blocks: list[np.ndarray] = []
    for name, table in zip(ids, tables, strict=True):
        if isinstance(table, pd.DataFrame) and isinstance(first, pd.DataFrame):
            if list(table.columns) != list(first.columns):
                raise ValueError(
                    f"Series {name!r} has columns {list(table.columns)}, the first series has "
                    f"{list(first.columns)}."
                )
        block = np.asarray(table)
        block = block[:, np.newaxis] if block.ndim == 1 else block
        if block.ndim != 2 or block.shape[0] == 0:
            raise ValueError(
                f"Series {name!r} has shape {np.shape(table)}; expected (n_steps, n_features) "
                "with at least one step."
            )
        if blocks and block.shape[1] != blocks[0].shape[1]:
            raise ValueError(
                f"Series {name!r} has {block.shape[1]} features, the first series has "
                f"{blocks[0].shape[1]}."
            )
        blocks.append(block)
    return blocks


def _times(table: Any) -> pd.Index:
    """Return the index of a DataFrame or Series, or 0, 1, 2... if that is a default index."""
    has_times = isinstance(table, (pd.DataFrame, pd.Series)) and not isinstance(
        table.index, pd.RangeIndex
    )
    return table.index if has_times else pd.RangeIndex(len(table))


def unstack_series(
    panel: Any,
    *,
    series: str | int = "series",
    time: str | int | None = "time",
    as_dict: bool = False,
) -> list[np.ndarray] | dict[Any, np.ndarray]:
    """Split a panel into one array per series; the inverse of :func:`stack_series`.

    Parameters
    ----------
    panel : DataFrame or Series of shape (n_rows, ...)
        A panel with the ids and the time in columns or index levels. A Series (for example of
        targets or predictions) has them in index levels.
    series, time : str or int, default="series" and "time"
        Column name, index level name or column position of the ids and of the time.
        ``time=None``: the rows of each series must already be in time order.
    as_dict : bool, default=False
        Whether to return a dict by id instead of a list.

    Returns
    -------
    list or dict of ndarray of shape (n_steps_i, n_features) or (n_steps_i,)
        The series in order of first appearance, oldest row first.

    Raises
    ------
    TypeError
        If `panel` is not a DataFrame or Series.
    ValueError
        If an id or a time is missing, or if a series has two rows at one time.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import stack_series, unstack_series
    >>> panel = stack_series({"a": np.zeros((3, 2)), "b": np.ones((1, 2))})
    >>> [array.shape for array in unstack_series(panel)]
    [(3, 2), (1, 2)]
    """
    panel = as_plain(panel)
    is_flat = isinstance(panel, pd.Series)
    frame = panel.to_frame("value") if is_flat else panel
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"panel must be a DataFrame or a Series, got {type(panel)!r}.")
    rows = read_series_rows(frame, series, time)
    features = frame.iloc[:, select_features(frame, None, series, time)]
    values = features.to_numpy()
    if values.dtype == object and all(map(pd.api.types.is_numeric_dtype, features.dtypes)):
        values = features.to_numpy(np.float64, na_value=np.nan)  # nullable beside plain numbers
    values = rows.sort(values)
    arrays = np.split(values[:, 0] if is_flat else values, rows.bounds[1:-1])
    return dict(zip(rows.ids, arrays, strict=True)) if as_dict else arrays
