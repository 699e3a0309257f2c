"""Read the ids, the time and the features of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples, check_array, validate_data

from sklstm._panel.arrays import as_slice, check_numbers
from sklstm._panel.categories import CategoricalFeature, encode_categories
from sklstm._panel.forgotten import warn_of_forgotten_ids
from sklstm._panel.frames import as_plain
from sklstm._panel.numeric_columns import check_numeric_columns
from sklstm._panel.rows import SeriesRows, encode_ids, sorting_order
from sklstm._panel.show import did_you_mean
from sklstm._panel.tables import (
    add_infinite_columns,
    check_is_table,
    check_table,
    check_unique_names,
    describe_columns,
    describe_lost_name,
    names_of,
)
from sklstm._panel.time import time_index, time_numbers
from sklstm._panel.unchanged import check_time_kind
from sklstm._panel.windows import Windows

FLOATS = [np.float64, np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel(SeriesRows):
    """Hold the ids, the time and the features of a panel, with its rows in their given order.

    Attributes
    ----------
    positions : list of int
        Positions of the selected features among the columns of X.
    values : ndarray of shape (n_rows, n_features)
        The selected features, float32 or float64.
    labels : pandas.Index of shape (n_columns,) or None
        Labels of all columns of X, if it has some.
    """

    positions: list[int]
    values: np.ndarray
    labels: pd.Index | None

    @property
    def names(self) -> list[str]:
        """Names of the selected features."""
        return feature_names(self.labels, self.positions)


def read_panel(
    X: Any,
    *,
    columns: Any = None,
    skipped: Sequence[int] = (),
    categories: Sequence[CategoricalFeature] = (),
    series: str | int | None = None,
    time: str | int | None = None,
    estimator: Any = None,
    reset: bool = True,
    ensure_all_finite: bool | str = "allow-nan",
) -> Panel:
    """Validate a panel, and separate its features from its ids.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    columns : list of str or int, default=None
        The features to read; other columns are not validated. None: every column but the ids and
        the time.
    skipped : sequence of int, default=()
        Positions of further columns that are no features.
    categories : sequence of CategoricalFeature, default=()
        Columns whose values are read as codes.
    series, time : str, int or None
        Column name, index level name or column position of the ids and of the time.
    estimator : estimator, default=None
        An estimator whose ``n_features_in_`` and ``feature_names_in_`` are set or checked.
    reset : bool, default=True
        Whether to set these attributes (in `fit`) or to check them (afterwards).
    ensure_all_finite : bool or "allow-nan", default="allow-nan"
        As in :func:`sklearn.utils.check_array`, for the features.

    Returns
    -------
    Panel

    Raises
    ------
    ValueError
        If X is empty or has no features, if features are not numeric or not finite, or if ids or
        time are not valid (see `read_series_rows`).
    """
    checked, name = estimator, None if estimator is None else type(estimator).__name__
    options: dict[str, Any] = {"dtype": FLOATS, "ensure_all_finite": ensure_all_finite}
    X = as_plain(X)
    check_table(X, name)
    if not isinstance(X, pd.DataFrame):
        encoded = len(categories) + len(skipped) > 0
        plain = columns is None and series is None and time is None and not encoded
        if plain and estimator is not None:
            # Without ids, scikit-learn's validation is sufficient, and its messages are familiar.
            check_numbers(X)
            X = validate_data(estimator, X, reset=reset, **options)
            estimator = None
        else:
            X = as_table(X, name)
    if estimator is not None:
        check_unique_names(X)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    if X.shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required"
            f"{'' if name is None else ' by ' + name}: the panel is empty. Pass rows, or check the "
            "filter before."
        )
    rows = read_series_rows(X, series, time)
    positions = select_features(X, columns, series, time)
    positions = [position for position in positions if position not in skipped]
    features = _features(encode_categories(X, categories), positions, series, time)
    try:
        values = check_array(features, estimator=name, input_name="X", **options)
    except ValueError as error:
        add_infinite_columns(error, features)
        raise
    if checked is not None:
        if reset:
            warn_of_forgotten_ids(X, positions if columns is None else [], checked)
        check_time_kind(checked, rows.time_kind, reset)
    index = (rows.codes, rows.ids, rows.time, rows.time_kind, rows.order)
    labels = X.columns if isinstance(X, pd.DataFrame) else None
    return Panel(*index, positions=positions, values=values, labels=labels)


def read_series_rows(
    X: Any, series: str | int | None = None, time: str | int | None = None
) -> SeriesRows:
    """Index the rows of any X by series: the one reader of ids.

    Parameters
    ----------
    X : Windows, DataFrame or array-like of shape (n_rows, ...)
        Only the ids and the time are read. `Windows` contain their ids.
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
    is_named = series is not None or time is not None
    if isinstance(X, Windows):
        if is_named:
            raise ValueError(
                f"X are Windows, which contain their series, got series={series!r} and "
                f"time={time!r}: leave both None."
            )
        return X.series_rows
    if not is_named:
        return SeriesRows(*encode_ids(None, _num_samples(X)))
    X = as_table(X)
    ids = None if series is None else id_values(X, series, "series")
    stamps = None if time is None else id_values(X, time, "time")
    if series is not None and time is not None and _is_same_column(X, series, time):
        raise ValueError(
            f"series={series!r} and time={time!r} are the same column, expected two. Set one of "
            f"them to another column of X ({describe_columns(X)})."
        )
    codes, ids = encode_ids(ids, X.shape[0], _column_label(X, series))
    numbers, kind = None, None
    if stamps is not None:
        numbers, kind = time_numbers(stamps, _column_label(X, time))
    return SeriesRows(codes, ids, numbers, kind, sorting_order(codes, numbers, ids, (series, time)))


def read_some_rows(panel: Any, series: str | int | None, time: str | int | None) -> SeriesRows:
    """Index the rows of a panel of which no column is read; raise if it is empty."""
    rows = read_series_rows(panel, series, time)
    if len(rows) == 0:
        raise ValueError("The panel is empty. Pass rows, or check the filter before.")
    return rows


def as_table(X: Any, name: str | None = None) -> Any:
    """Return X as a DataFrame of pandas if it is a DataFrame, otherwise a 2-D array of it.

    `name` is the name of the estimator, for messages.
    """
    X = as_plain(X)
    if isinstance(X, pd.DataFrame) or (isinstance(X, np.ndarray) and X.ndim == 2 and X.size):
        return X
    check_is_table(X)
    return check_array(X, dtype=None, ensure_all_finite=False, estimator=name, input_name="X")


def _is_same_column(X: Any, series: str | int, time: str | int) -> bool:
    position = column_position(X, series)
    return series == time or (position is not None and position == column_position(X, time))


def column_position(X: Any, name: str | int) -> int | None:
    """Return the position of a column, given by name or position; None if X has no such column."""
    if isinstance(X, pd.DataFrame):
        hits = np.flatnonzero([column == name for column in X.columns])
        if len(hits) > 1:
            raise ValueError(f"X has {len(hits)} columns named {name!r}; rename all but one.")
        if len(hits) == 1:
            return int(hits[0])
        if name in X.index.names:
            return None
    if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
        n_columns = int(X.shape[1])
        if -n_columns <= name < n_columns:
            return int(name) % n_columns
    return None


def _column_label(X: Any, name: str | int | None) -> Any:
    """Return the label of a column of a DataFrame; None for index levels and arrays."""
    if name is None or not isinstance(X, pd.DataFrame):
        return None
    position = column_position(X, name)
    return None if position is None else X.columns[position]


def feature_names(labels: pd.Index | None, positions: list[int]) -> list[str]:
    """Return the labels at `positions`; ``x0``, ``x1``... unless all labels are strings."""
    if labels is not None and all(isinstance(label, str) for label in labels):
        return [labels[position] for position in positions]
    return [f"x{position}" for position in positions]


def id_label(X: Any, name: str | int | None, default: str) -> Any:
    """Return the name of the ids or the time in results; `default` if `name` is None."""
    if name is None:
        return default
    position = column_position(X, name)
    return name if position is None else X.columns[position]


def select_features(
    X: Any,
    columns: Any,
    series: str | int | None,
    time: str | int | None,
    parameter: str = "columns",
) -> list[int]:
    """Return the positions of the features that `columns` names.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
        A panel.
    columns : str, int, list of them or None
        None: every column but the ids and the time.
    series, time : str, int or None
        Column name, index level name or column position of the ids and of the time.
    parameter : str, default="columns"
        Name of `columns` in messages.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If a column is not in X, is the id or the time, or is named twice, or if `columns` is
        empty.
    """
    ids = {column_position(X, name) for name in (series, time) if name is not None}
    if columns is None:
        return [position for position in range(X.shape[1]) if position not in ids]
    found: list[int] = []
    for name in as_names(columns):
        position = column_position(X, name)
        given = f"{parameter}= contains {name!r}, which"
        if isinstance(columns, (str, int, np.integer)):
            given = f"{parameter}={name!r}"
        if position is None:
            remedy = did_you_mean(name, names_of(X), "Choose columns of X.")
            raise ValueError(f"{given} is not a column of X ({describe_columns(X)}). {remedy}")
        if position in ids:
            raise ValueError(
                f"{given} is the series id or the time. Expected features: remove it from "
                f"{parameter}=."
            )
        if position in found:
            raise ValueError(f"{parameter}= contains {name!r} twice. Name it once.")
        found.append(position)
    if not found:
        raise ValueError(f"{parameter} is empty: name at least one feature, or pass None for all.")
    return found


def as_names(columns: Any) -> list[Any]:
    """Return a list of names: of one column, or of several."""
    return [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)


def id_values(X: Any, name: str | int, parameter: str) -> Any:
    """Return the values of the column or index level `name`: a Series, Index or ndarray.

    `parameter` is the name of the parameter in messages, "series" or "time".
    """
    position = column_position(X, name)
    if position is not None:
        return X.iloc[:, position] if isinstance(X, pd.DataFrame) else X[:, position]
    if isinstance(X, pd.DataFrame) and name in X.index.names:
        return X.index.get_level_values(name)
    raise ValueError(
        f"{parameter}={name!r} is neither a column nor an index level of X "
        f"({describe_columns(X)}). {describe_lost_name(X, name)}"
    )


def _features(X: Any, positions: list[int], series: Any, time: Any) -> Any:
    """Return the feature columns of X; raise if there are none or if some are not numeric."""
    if not positions:
        raise ValueError(
            f"0 feature(s) (shape={X.shape}) while a minimum of 1 is required: X has no column "
            f"besides the ids ({describe_columns(X)}). Add a numeric column."
        )
    selected = as_slice(positions)
    if not isinstance(X, pd.DataFrame):
        check_numbers(X[:, selected])
        return X[:, selected]
    features = X.iloc[:, selected]
    check_numeric_columns(features, series, time)
    return features


def time_stamps(X: Any, name: str | int) -> pd.Index:
    """Return the time stamps of a panel for arithmetic and results.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
        A panel.
    name : str or int
        Column name, index level name or column position of the time.

    Returns
    -------
    pandas.Index of shape (n_rows,)
        Datetimes, timedeltas and periods are unchanged; numbers are int64 or float64.
    """
    index = time_index(id_values(X, name, "time"))
    numbers, kind = time_numbers(index)
    return pd.Index(numbers) if kind == "number" else index.rename(None)
