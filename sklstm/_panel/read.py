"""Read a panel: find its ids, its time and its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, validate_data

from sklstm._panel.rows import SeriesRows, encode_ids, sorting_order
from sklstm._panel.time import time_index, time_numbers
from sklstm._panel.windows import Windows

FLOATS = [np.float64, np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel(SeriesRows):
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
    rows = read_series_rows(X, series, time)
    positions = select_features(X, columns, series, time)
    values = check_array(_features(X, positions), estimator=name, input_name="X", **options)
    if checked is not None:
        check_time_kind(checked, rows.time_kind, reset)
    return Panel(**vars(rows), positions=positions, values=values)


def read_series_rows(X, series=None, time=None) -> SeriesRows:
    """Index the rows of any X by series: the one reader of ids.

    Parameters
    ----------
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        Only its ids and times are read. `Windows` carry theirs.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time. Leave both
        out for `Windows`. If both are None, all rows are one series, in the order given.

    Returns
    -------
    SeriesRows

    Raises
    ------
    ValueError
        If an id or a time is missing, a (series, time) pair repeats, or a name is not in X.
    """
    named = series is not None or time is not None
    if isinstance(X, Windows):
        if named:
            raise ValueError(
                f"X are Windows, which know their series and order themselves: leave out "
                f"series={series!r} and time={time!r}."
            )
        return X.series_rows
    if not named:
        return SeriesRows(*encode_ids(None, X.shape[0] if hasattr(X, "shape") else len(X)))
    X = as_table(X)
    ids = None if series is None else id_values(X, series, "series")
    stamps = None if time is None else id_values(X, time, "time")
    if series is not None and time is not None and _same_column(X, series, time):
        raise ValueError(
            f"series={series!r} and time={time!r} name the same column; each needs its own."
        )
    codes, ids = encode_ids(ids, X.shape[0])
    numbers, kind = (None, None) if stamps is None else time_numbers(stamps)
    return SeriesRows(codes, ids, numbers, kind, sorting_order(codes, numbers, ids))


def as_table(X, name=None):
    """X itself where it is a DataFrame, else an array of two dimensions."""
    if isinstance(X, pd.DataFrame) or (isinstance(X, np.ndarray) and X.ndim == 2):
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
    index = time_index(id_values(X, name, "time"))
    numbers, kind = time_numbers(index)
    return pd.Index(numbers) if kind == "number" else index.rename(None)
