"""Find the rows that one window holds, and the rows around it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklstm._panel.read import as_table, read_series_rows, time_stamps
from sklstm._panel.rows import SeriesRows
from sklstm._panel.show import did_you_mean
from sklstm._panel.windows import Windows
from sklstm.plotting._series_rows import id_names
from sklstm.preprocessing import WindowTransformer


@dataclass(frozen=True, eq=False)
class WindowRows:
    """The rows of one window, and the other rows of its series.

    Attributes
    ----------
    table : DataFrame
        Columns ``time``, ``value`` and ``role`` ("window", "remembered", "padding", "outside" or
        "later"), in the order of time.
    series : object
        Id of the series; None if there are no ids.
    row_time : object
        Time of the row to which the window belongs.
    names : tuple of (object, object, str)
        Names of the ids, of the time and of the feature.
    """

    table: pd.DataFrame
    series: Any
    row_time: Any
    names: tuple[Any, Any, str]


def find_transformer(estimator: Any, X: Any) -> tuple[WindowTransformer, Any]:
    """Find the WindowTransformer inside an estimator, and transform X to its input.

    Parameters
    ----------
    estimator : estimator
        A fitted WindowTransformer, or a pipeline, search or meta-estimator around one.
    X : DataFrame or array-like of shape (n_rows, n_columns)

    Returns
    -------
    transformer : WindowTransformer
    X : DataFrame or ndarray
    """
    if isinstance(estimator, WindowTransformer):
        return estimator, X
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return find_transformer(getattr(estimator, name), X)
    if isinstance(estimator, Pipeline):
        for place, (_, step) in enumerate(estimator.steps):
            if isinstance(step, (WindowTransformer, Pipeline)) or hasattr(step, "regressor_"):
                return find_transformer(step, estimator[:place].transform(X) if place else X)
    raise TypeError(
        f"{type(estimator).__name__} contains no WindowTransformer. Pass a fitted one, or a fitted "
        "pipeline, search or PerSeriesTargetRegressor around one."
    )


def trace_window(transformer: WindowTransformer, X: Any, row: int, feature: Any) -> WindowRows:
    """Find the rows that the window of one row holds.

    The result is read from the windows themselves: from the positions of their rows in memory.

    Parameters
    ----------
    transformer : WindowTransformer
        A fitted one.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        Its input.
    row : int
        Position of the row in X.
    feature : str, int or None
        Name or position of a feature of the windows. None: the first.

    Returns
    -------
    WindowRows
    """
    transformer = copy(transformer)
    transformer.output = "windows"
    windows: Windows = transformer.transform(X)
    X = as_table(X)
    rows = read_series_rows(X, transformer.series, transformer.time)
    column, feature_name = _find_feature(windows, feature)
    numbers = rows.rank if rows.time is None else rows.time
    in_window = windows.ends[row] - windows.spacing * np.arange(windows.n_observed[row])
    remembered = _remembered_rows(transformer, windows, rows, row, in_window, column)
    table = pd.concat([remembered, _passed_rows(windows, numbers, row, in_window, column)])
    # The history may have been passed again.
    table = table.drop_duplicates("time").sort_values("time")
    step = _typical_step(table, rows, numbers) * windows.spacing
    table = pd.concat([_padding_rows(windows, row, table, step, column), table])
    table = table.sort_values("time", kind="stable", ignore_index=True)
    row_time = numbers[row]
    if transformer.time is not None:
        stamps = time_stamps(X, transformer.time)
        table["time"] = _as_stamps(table["time"].to_numpy(), stamps)
        row_time = stamps[row]
    series = None if transformer.series is None else rows.ids[rows.codes[row]]
    names = (*id_names(X, transformer.series, transformer.time), feature_name)
    return WindowRows(table, series, row_time, names)


def _find_feature(windows: Windows, feature: Any) -> tuple[int, str]:
    """Return the position and the name of a feature of windows."""
    n_features = windows.shape[2]
    names = windows.names or [f"x{place}" for place in range(n_features)]
    if feature is None:
        return 0, names[0]
    if feature in names:
        return names.index(feature), feature
    if isinstance(feature, (int, np.integer)) and -n_features <= feature < n_features:
        return int(feature) % n_features, names[feature]
    raise ValueError(
        f"feature={feature!r} is not one of the features of the windows: {names[:10]}. "
        f"{did_you_mean(feature, names, 'Choose one of these.')}"
    )


def _remembered_rows(
    transformer: WindowTransformer,
    windows: Windows,
    rows: SeriesRows,
    row: int,
    in_window: np.ndarray,
    column: int,
) -> pd.DataFrame:
    """Return the rows remembered from `fit` that stand before a row that continues its series."""
    context = transformer.context_
    empty = pd.DataFrame({"time": [], "value": [], "role": []})
    if context is None or not rows.continues(context.ids, context.last_times)[row]:
        return empty
    of_series = context.codes == context.ids.get_loc(rows.ids[rows.codes[row]])
    times = context.time[of_series]
    is_new = rows.continues(context.ids, context.last_times) & (rows.codes == rows.codes[row])
    # They are stored just before the first row that continues the series.
    stored = windows.ends[is_new].min() - np.arange(len(times), 0, -1)
    role = np.where(np.isin(stored, in_window), "remembered", "outside")
    return pd.DataFrame({"time": times, "value": windows.rows[stored, column], "role": role})


def _passed_rows(
    windows: Windows, numbers: np.ndarray, row: int, in_window: np.ndarray, column: int
) -> pd.DataFrame:
    """Return the rows of X that are of the series of a row."""
    own = np.flatnonzero(windows.codes == windows.codes[row])
    stored, times = windows.ends[own], numbers[own]
    role = np.where(times > numbers[row], "later", "outside")
    role[np.isin(stored, in_window)] = "window"
    return pd.DataFrame({"time": times, "value": windows.rows[stored, column], "role": role})


def _padding_rows(
    windows: Windows, row: int, table: pd.DataFrame, step: float, column: int
) -> pd.DataFrame:
    """Return the padding of a window, placed before its first observed row."""
    n_missing = windows.window_length - windows.n_observed[row]
    first = table["time"][table["role"].isin(["window", "remembered"])].min()
    return pd.DataFrame(
        {
            "time": (first - step * np.arange(n_missing, 0, -1)).astype(table["time"].dtype),
            "value": windows[row][:n_missing, column],
            "role": "padding",
        }
    )


def _typical_step(table: pd.DataFrame, rows: SeriesRows, numbers: np.ndarray) -> float:
    """Return the median distance in time of two rows: of the series, or else of all."""
    steps = np.diff(table["time"].to_numpy())
    if len(steps) == 0:
        codes = rows.sort(rows.codes)
        steps = np.diff(rows.sort(numbers))[codes[1:] == codes[:-1]]
    return float(np.median(steps)) if len(steps) else 1.0


def _as_stamps(numbers: np.ndarray, stamps: pd.Index) -> pd.Index:
    """Convert numbers, as of `time_numbers`, to time stamps of the kind of others."""
    if isinstance(stamps, pd.PeriodIndex):
        return pd.PeriodIndex.from_ordinals(numbers.astype(np.int64), freq=stamps.freq)
    if isinstance(stamps, pd.TimedeltaIndex):
        return pd.TimedeltaIndex(numbers.astype("m8[ns]"))
    if isinstance(stamps, pd.DatetimeIndex):
        index = pd.DatetimeIndex(numbers.astype("M8[ns]"))
        return index if stamps.tz is None else index.tz_localize("UTC").tz_convert(stamps.tz)
    return pd.Index(numbers)
