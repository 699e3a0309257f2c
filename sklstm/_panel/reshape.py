"""Convert between a list of arrays and a panel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklstm._panel.read import read_series_rows, select_features


def stack_series(arrays, names=None, columns=None) -> pd.DataFrame:
    """Stack arrays of unequal length into one panel.

    Parameters
    ----------
    arrays : list or dict of array-like of shape (n_steps_i, n_features) or (n_steps_i,)
        One array a series, oldest row first. The keys of a dict are the names. DataFrames
        and Series with an index of their own (dates, say) give the time by it.
    names : array-like of shape (n_series,), default=None
        Ids of the series, by default 0, 1, 2...
    columns : list of str, default=None
        Names of the features, by default those of the arrays where they are DataFrames,
        else ``x0``, ``x1``...

    Returns
    -------
    DataFrame of shape (sum of n_steps_i, n_features)
        With index levels ``series`` and ``time`` (the index of a DataFrame, or 0, 1, 2... in
        each series).

    Raises
    ------
    ValueError
        If there is no array, one has no rows, their features differ, or names repeat.

    See Also
    --------
    unstack_series : The way back.

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
    if isinstance(arrays, Mapping):
        if names is not None:
            raise ValueError("The keys of the dict are the names already: leave names=None.")
        names, arrays = list(arrays.keys()), list(arrays.values())
    elif isinstance(arrays, pd.DataFrame) or (isinstance(arrays, np.ndarray) and arrays.ndim == 2):
        raise TypeError(
            f"stack_series takes a list of arrays, got one table of shape {arrays.shape}. Put it "
            "in a list if it is one series; a long table with ids is a panel already."
        )
    else:
        arrays = list(arrays)
    if not arrays:
        raise ValueError("stack_series needs at least one array, got none.")
    names = range(len(arrays)) if names is None else list(names)
    if len(names) != len(arrays):
        raise ValueError(f"Got {len(names)} names for {len(arrays)} arrays.")
    if len(set(names)) < len(names):
        raise ValueError("names holds an id more than once; every series needs its own.")
    first = arrays[0]
    if columns is None and isinstance(first, pd.DataFrame):
        columns = list(first.columns)
    blocks: list[np.ndarray] = []
    for name, array in zip(names, arrays, strict=True):
        if isinstance(array, pd.DataFrame) and isinstance(first, pd.DataFrame):
            if list(array.columns) != list(first.columns):
                raise ValueError(
                    f"Series {name!r} has columns {list(array.columns)}, the first series has "
                    f"{list(first.columns)}."
                )
        block = np.asarray(array)
        block = block[:, np.newaxis] if block.ndim == 1 else block
        if block.ndim != 2 or block.shape[0] == 0:
            raise ValueError(
                f"Series {name!r} has shape {np.shape(array)}; expected (n_steps, n_features) "
                "with at least one step."
            )
        if blocks and block.shape[1] != blocks[0].shape[1]:
            raise ValueError(
                f"Series {name!r} has {block.shape[1]} features, the first series has "
                f"{blocks[0].shape[1]}."
            )
        blocks.append(block)
    if columns is None:
        columns = [f"x{position}" for position in range(blocks[0].shape[1])]
    lengths = [len(block) for block in blocks]
    index = pd.MultiIndex.from_arrays(
        [
            pd.Index(names).repeat(lengths),
            _concatenate([_steps_of(array) for array in arrays]),
        ],
        names=["series", "time"],
    )
    return pd.DataFrame(np.concatenate(blocks), index=index, columns=columns)


def _steps_of(array) -> pd.Index:
    """Time of the steps of one series: its own index where that says something."""
    own = isinstance(array, (pd.DataFrame, pd.Series)) and not isinstance(
        array.index, pd.RangeIndex
    )
    return array.index if own else pd.RangeIndex(len(array))


def _concatenate(indexes) -> pd.Index:
    return indexes[0].append(list(indexes[1:]))


def unstack_series(panel, *, series="series", time="time", as_dict=False):
    """Split a panel into one array a series, the way back from :func:`stack_series`.

    Parameters
    ----------
    panel : DataFrame or Series of shape (n_rows, ...)
        With the ids and the time in columns or index levels; a Series (of targets or
        predictions, say) in index levels.
    series, time : str or int, default="series" and "time"
        Where the ids and the time are. ``time=None``: rows are in time order as given.
    as_dict : bool, default=False
        Whether to return a dict by id and not a list.

    Returns
    -------
    list or dict of ndarray of shape (n_steps_i, n_features) or (n_steps_i,)
        In order of first appearance, oldest row first.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import stack_series, unstack_series
    >>> panel = stack_series({"a": np.zeros((3, 2)), "b": np.ones((1, 2))})
    >>> [array.shape for array in unstack_series(panel)]
    [(3, 2), (1, 2)]
    """
    flat = isinstance(panel, pd.Series)
    frame = panel.to_frame("value") if flat else panel
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"unstack_series takes a DataFrame or a Series, got {type(panel)!r}.")
    rows = read_series_rows(frame, series, time)
    values = frame.iloc[:, select_features(frame, None, series, time)].to_numpy()[rows.sorting]
    arrays = np.split(values[:, 0] if flat else values, rows.bounds[1:-1])
    return dict(zip(rows.ids, arrays, strict=True)) if as_dict else arrays
