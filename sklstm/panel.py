"""Panels: where the ids are, which rows belong together, and in which order.

A panel is a long table with one row for each (series, time step). Everything else in
sklstm sees a panel through :class:`Panel`: features as one float array, a number for
each row's series, the time as plain numbers, and the permutation that sorts the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array
from sklearn.utils.validation import check_array, validate_data

FLOATS = [np.float64, np.float32]
# Rows to work on at once where whole columns of temporary numbers would fill the memory.
N_AT_ONCE = 2**16


# --------------------------------------------------------------------- reading a panel
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


@dataclass(frozen=True, eq=False)
class Panel(RowIds):
    """The rows of many series, in the order in which they came: ids and features.

    Attributes
    ----------
    positions : list of int
        Positions of the chosen features among the columns of X.
    values : ndarray of shape (n_rows, n_features)
        These features, float32 or float64.
    """

    positions: list[int]
    values: np.ndarray


def read_panel(
    X,
    *,
    columns=None,
    series=None,
    time=None,
    estimator=None,
    reset=True,
    ensure_all_finite="allow-nan",
) -> Panel:
    """Split `X` into features and ids, and find the order of its rows.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_columns)
    columns : list of str or int, default=None
        The features to read, by default every column but the ids and the time. The
        others are not looked at.
    series, time : str, int or None
        Column name, index level name or column position of the ids and of the time.
    estimator : estimator, default=None
        Its ``n_features_in_`` and ``feature_names_in_`` are set or checked.
    reset : bool, default=True
        Whether to set (in fit) or to check (afterwards).
    ensure_all_finite : bool or "allow-nan", default="allow-nan"
        As in :func:`sklearn.utils.check_array`, for the features.

    Returns
    -------
    Panel

    Raises
    ------
    ValueError
        Whatever the panel is unfit by: see the messages.
    """
    checked, name = estimator, None if estimator is None else type(estimator).__name__
    options: dict[str, Any] = {"dtype": FLOATS, "ensure_all_finite": ensure_all_finite}
    if not isinstance(X, pd.DataFrame):
        if columns is None and series is None and time is None and estimator is not None:
            # A plain table: scikit-learn's own validation, with its own messages.
            X = validate_data(estimator, X, reset=reset, **options)
            estimator = None
        else:
            X = as_table(X, name)
    if estimator is not None:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    if X.shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required"
            f"{'' if name is None else ' by ' + name}: the panel is empty."
        )
    rows = read_ids(X, series, time)
    positions = select_features(X, columns, series, time)
    values = check_array(_features(X, positions), estimator=name, input_name="X", **options)
    if checked is not None:
        check_time_kind(checked, rows.time_kind, reset)
    return Panel(**vars(rows), positions=positions, values=values)


def read_ids(X, series=None, time=None) -> RowIds:
    """Read which series each row of `X` belongs to, and the order of the rows.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
        Only its ids and times are looked at.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    RowIds
    """
    ids = None if series is None else id_values(X, series, "series")
    stamps = None if time is None else id_values(X, time, "time")
    if series is not None and time is not None and _same_column(X, series, time):
        raise ValueError(
            f"series={series!r} and time={time!r} name the same column; each needs its own."
        )
    codes, ids = encode_ids(ids, X.shape[0])
    numbers, kind = (None, None) if stamps is None else time_numbers(stamps)
    return RowIds(codes, ids, numbers, kind, _sorting_order(codes, numbers, ids))


def as_table(X, name=None):
    """X itself where it is a DataFrame, else an array of two dimensions."""
    if isinstance(X, pd.DataFrame):
        return X
    return check_array(X, dtype=None, ensure_all_finite=False, estimator=name, input_name="X")


def check_time_kind(estimator, kind, reset):
    """Remember the kind of the time (in fit), or refuse another one."""
    if reset:
        estimator._time_kind = kind
    elif kind != (before := getattr(estimator, "_time_kind", None)):
        raise ValueError(f"The time was {before} in fit and is {kind} now.")


def _same_column(X, series, time):
    position = column_position(X, series)
    return series == time or (position is not None and position == column_position(X, time))


def check_unchanged(estimator, names, *, reset):
    """Remember the parameters that `fit` relied on, or refuse to apply others.

    Parameters
    ----------
    estimator : estimator
    names : list of str
    reset : bool
        Whether to remember (in fit) or to check (afterwards).
    """
    now = {name: repr(getattr(estimator, name)) for name in names}
    if reset:
        estimator._fitted_with = now
        return
    changed = [name for name in names if now[name] != estimator._fitted_with[name]]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since fit, and what fit learned no longer suits it: "
            "fit again."
        )


def column_position(X, name) -> int | None:
    """Position of the column called `name`, or at position `name`; None if there is none."""
    if isinstance(X, pd.DataFrame):
        hits = np.flatnonzero([column == name for column in X.columns])
        if len(hits) > 1:
            raise ValueError(f"X has {len(hits)} columns named {name!r}; rename all but one.")
        if len(hits) == 1:
            return int(hits[0])
        if name in X.index.names:
            return None
    if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
        if -X.shape[1] <= name < X.shape[1]:
            return int(name) % X.shape[1]
    return None


def column_names(X, positions) -> list[str]:
    """Names of the columns at `positions`; ``x0``, ``x1``... where X has none."""
    if isinstance(X, pd.DataFrame) and all(isinstance(column, str) for column in X.columns):
        return [X.columns[position] for position in positions]
    return [f"x{position}" for position in positions]


def id_label(X, name, default):
    """Name under which a result shows the ids or the time; `default` where none is named."""
    if name is None:
        return default
    position = column_position(X, name)
    return name if position is None else X.columns[position]


def select_features(X, columns, series, time, parameter="columns") -> list[int]:
    """Positions of the features that `columns` names; None means every feature.

    `parameter` is what the messages call them. Raises ValueError for a name or position that
    is not there, one that is the id or the time, one named twice, and an empty list.
    """
    taken = {column_position(X, name) for name in (series, time) if name is not None}
    if columns is None:
        return [position for position in range(X.shape[1]) if position not in taken]
    found: list[int] = []
    for name in [columns] if isinstance(columns, (str, int, np.integer)) else columns:
        position = column_position(X, name)
        if position is None:
            raise ValueError(f"{parameter} names {name!r}, which is not in X ({_describe(X)}).")
        if position in taken:
            raise ValueError(f"{parameter} names {name!r}, which is the series id or the time.")
        if position in found:
            raise ValueError(f"{parameter} names {name!r} twice.")
        found.append(position)
    if not found:
        raise ValueError(f"{parameter} is empty: name at least one feature, or pass None for all.")
    return found


def _describe(X) -> str:
    if not isinstance(X, pd.DataFrame):
        return f"an array of {X.shape[1]} columns without names"
    levels = [level for level in X.index.names if level is not None]
    return f"columns: {list(X.columns)}; index levels: {levels}"


def id_values(X, name, parameter):
    """Values of the column or index level called `name`, a Series, Index or ndarray."""
    position = column_position(X, name)
    if position is not None:
        return X.iloc[:, position] if isinstance(X, pd.DataFrame) else X[:, position]
    if isinstance(X, pd.DataFrame) and name in X.index.names:
        return X.index.get_level_values(name)
    raise ValueError(
        f"{parameter}={name!r} is neither a column nor an index level of X ({_describe(X)}). "
        "An earlier step may have dropped it: a stock scikit-learn transformer returns a plain "
        "array unless set_output(transform='pandas') is on, and a ColumnTransformer puts the "
        "step's name before it unless verbose_feature_names_out=False."
    )


def _features(X, positions):
    """Feature block of X, or a clear error where there is none or a column is not numeric."""
    if not positions:
        raise ValueError(
            f"0 feature(s) (shape={X.shape}) while a minimum of 1 is required: X has no column "
            f"besides the ids ({_describe(X)})."
        )
    chosen = as_slice(positions)
    if not isinstance(X, pd.DataFrame):
        return X[:, chosen]
    features = X.iloc[:, chosen]
    other = [column for column in features.columns if not _is_numeric(features[column])]
    if other:
        raise ValueError(
            f"The feature columns {other} are not numeric. Encode or drop them before this step, "
            "or name them with series= or time= if they are ids."
        )
    return features


def as_slice(positions):
    """Positions of neighbouring columns as a slice, which NumPy and pandas need not copy."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if positions == list(range(first, last + 1)) else positions


def _is_numeric(column) -> bool:
    if isinstance(column, pd.DataFrame) or pd.api.types.is_numeric_dtype(column.dtype):
        return True  # (columns of one name come as a frame; check_array reads them)
    if not pd.api.types.is_object_dtype(column.dtype):
        return False
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return False
    return True


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


def time_numbers(values) -> tuple[np.ndarray, str]:
    """Time stamps as numbers that sort and subtract as the stamps do.

    Parameters
    ----------
    values : array-like of shape (n_rows,)
        Numbers, datetimes, periods or timedeltas.

    Returns
    -------
    numbers : ndarray of shape (n_rows,)
        int64 or float64; nanoseconds for datetimes and timedeltas, ordinals for periods.
    kind : str
        "number", "datetime", "datetime with time zone", "timedelta" or "period[freq]".
    """
    index = _time_index(values)
    if index.hasnans:
        missing = np.flatnonzero(np.asarray(index.isna()))
        raise ValueError(
            f"The time is missing in {len(missing)} of {len(index)} rows (the first is row "
            f"{missing[0]}). Fill it in or drop those rows."
        )
    if isinstance(index, pd.PeriodIndex):
        return index.asi8, str(index.dtype)
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        zoned = getattr(index, "tz", None) is not None
        kind = "timedelta" if isinstance(index, pd.TimedeltaIndex) else "datetime"
        return index.as_unit("ns").asi8, kind + (" with time zone" if zoned else "")
    if pd.api.types.is_bool_dtype(index.dtype) or not pd.api.types.is_any_real_numeric_dtype(
        index.dtype
    ):
        raise ValueError(
            f"The time must hold numbers, dates or periods, got dtype {index.dtype} (the first "
            f"value is {index[0]!r}). pandas.to_datetime reads dates from text."
        )
    numbers = index.to_numpy()
    if numbers.dtype.kind == "f":
        if not np.isfinite(numbers).all():
            raise ValueError("The time holds infinite values.")
        return numbers.astype(np.float64, copy=False), "number"
    return numbers.astype(np.int64, copy=False), "number"


def time_stamps(X, name):
    """Time stamps of the rows of a panel, as they are added to and shown.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
    name : str or int
        Where the time is.

    Returns
    -------
    pandas.Index of shape (n_rows,)
        Datetimes, timedeltas and periods as they are; numbers as int64 or float64.
    """
    index = _time_index(id_values(X, name, "time"))
    numbers, kind = time_numbers(index)
    return pd.Index(numbers) if kind == "number" else index.rename(None)


def _time_index(values):
    index = pd.Index(values)
    return index.infer_objects() if index.dtype == object else index


def gap_number(max_gap, kind: str | None) -> float | None:
    """`max_gap` in the unit of :func:`time_numbers`; dates take anything Timedelta does."""
    if max_gap is None:
        return None
    if kind is None:
        raise ValueError("max_gap needs the time of each row: name it with time=.")
    plain = isinstance(max_gap, Real) and not isinstance(max_gap, (bool, np.timedelta64))
    if kind.startswith(("datetime", "timedelta")):
        if plain:
            raise ValueError(
                f"max_gap={max_gap!r} is a plain number, but the time holds dates: "
                "pass a timedelta or a text such as '2h'."
            )
        try:
            gap = float(pd.Timedelta(max_gap).as_unit("ns").value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"max_gap={max_gap!r} is no length of time that pandas.Timedelta can read."
            ) from error
    elif plain:
        gap = float(max_gap)
    else:
        unit = "a number of periods" if kind.startswith("period") else "a number, as the time is"
        raise ValueError(f"max_gap={max_gap!r} must be {unit}.")
    if not gap > 0:
        raise ValueError(f"max_gap={max_gap!r} must be positive.")
    return gap


# ------------------------------------------------------------------------ order of rows
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


# ------------------------------------------------------------- lists of arrays <-> panel
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
    rows = read_ids(frame, series, time)
    values = frame.iloc[:, select_features(frame, None, series, time)].to_numpy()[rows.sorting]
    ends = np.cumsum(np.bincount(rows.codes, minlength=len(rows.ids)))[:-1]
    arrays = np.split(values[:, 0] if flat else values, ends)
    return dict(zip(rows.ids, arrays, strict=True)) if as_dict else arrays


# ------------------------------------------------------------------------------ targets
def make_targets(panel, horizon=1, columns=None, *, series=None, time=None):
    """Row-aligned targets: the next `horizon` rows' values of the same series.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
    horizon : int, default=1
        How many rows to look ahead.
    columns : list of str or int, default=None
        The columns to predict, by default every feature.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_columns * horizon)
        Rows as in `panel`, a DataFrame for a DataFrame. Target-major: all steps of the
        first column, then all steps of the second. NaN where the series has ended. Steps
        are rows: fill gaps in time first where a step must be a unit of time. Without
        `series` and `time`, id columns are taken for features.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_targets
    >>> panel = pd.DataFrame({"shop": ["a", "a", "a", "b"], "sales": [1.0, 2.0, 3.0, 9.0]})
    >>> make_targets(panel, horizon=2, series="shop")
       sales_lead1  sales_lead2
    0          2.0          3.0
    1          3.0          NaN
    2          NaN          NaN
    3          NaN          NaN
    """
    if not isinstance(horizon, (int, np.integer)) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(f"horizon={horizon!r} must be a positive integer.")
    table = read_panel(panel, columns=columns, series=series, time=time)
    order = table.sorting
    values, codes = table.values[order], table.codes[order]
    targets = np.full((*values.shape, horizon), np.nan, values.dtype)
    for step in range(1, min(horizon, len(values) - 1) + 1):
        same = codes[step:] == codes[:-step]
        targets[:-step, :, step - 1][same] = values[step:][same]
    out = np.empty_like(targets)
    out[order] = targets
    out = out.reshape(len(values), -1)
    if not isinstance(panel, pd.DataFrame):
        return out
    names = column_names(panel, table.positions)
    labels = [f"{name}_lead{step}" for name in names for step in range(1, horizon + 1)]
    return pd.DataFrame(out, index=panel.index, columns=labels)
