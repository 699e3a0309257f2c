"""Convert forecasts and panels to the tables of `ForecastDisplay`."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from sklstm._panel.checks import check_type
from sklstm._panel.read import as_table, id_values, read_panel, select_features, time_stamps
from sklstm._panel.show import did_you_mean, show_ids
from sklstm._panel.time import time_index

RESULT = "Pass a result of MultiSeriesForecaster.forecast or of backtest."


def as_frame(panel: Any) -> pd.DataFrame:
    """Return a panel as a DataFrame."""
    panel = as_table(panel)
    return panel if isinstance(panel, pd.DataFrame) else pd.DataFrame(panel)


def find_targets(
    forecast: Any, panel: pd.DataFrame, target: Any, series: Any, time: Any
) -> list[Any]:
    """Return the names of the forecast columns of `panel`."""
    check_type(forecast, pd.DataFrame, "forecast", RESULT)
    columns = list(forecast.columns)
    if missing := [name for name in ("step", "prediction") if name not in columns]:
        raise ValueError(f"forecast has no column {missing}: its columns are {columns}. {RESULT}")
    if target is None and "target" in forecast:
        target = list(forecast["target"].unique())
    targets = list(panel.columns[select_features(panel, target, series, time, parameter="target")])
    if "target" in forecast:
        if missing := [name for name in targets if name not in set(forecast["target"])]:
            raise ValueError(
                f"forecast has no target {missing}: it has {list(forecast['target'].unique())}."
            )
    elif len(targets) != 1:
        raise ValueError(
            f"forecast has one target, but panel has {len(targets)} possible columns: "
            f"{targets[:10]}. Name it with target=."
        )
    return targets


def read_forecast(
    forecast: pd.DataFrame, targets: list[Any], series: Any, time: Any
) -> tuple[pd.DataFrame, float | None, tuple[Any, Any]]:
    """Convert a forecast to the table of the display.

    Returns
    -------
    table : DataFrame
        Columns ``series``, ``target``, ``time``, ``prediction`` and, if there are at least two
        quantiles, ``lower`` and ``upper``.
    interval : float or None
        Probability of the interval between the outermost quantiles.
    names : (object, object)
        Names of the ids and of the time.
    """
    columns = list(forecast.columns)
    series_name = None if series is None else _id_column(columns, series, 0, "series")
    # The column of the time is before the column of the step.
    time_name = _id_column(columns, time, columns.index("step") - 1, "time")
    table = pd.DataFrame(
        {
            "series": 0 if series is None else forecast[series_name],
            "target": forecast["target"]
            if "target" in columns
            else _repeat(targets[0], len(forecast)),
            "time": time_index(forecast[time_name]).array,
            "prediction": forecast["prediction"],
        }
    )
    levels = quantile_columns(columns)
    interval = None
    if len(levels) > 1:
        low, high = min(levels), max(levels)
        table["lower"], table["upper"] = forecast[levels[low]], forecast[levels[high]]
        interval = high - low
    table = table[table["target"].isin(targets)]
    if len(table) == 0:
        raise ValueError("forecast is empty: there is nothing to draw. Pass some rows of it.")
    repeated = table.duplicated(["series", "target", "time"])
    if repeated.any():
        raise ValueError(
            f"{repeated.sum()} rows of forecast repeat a series, target and time: name the ids "
            "with series=, and pass the rows of one origin if the forecast is from backtest."
        )
    return table, interval, (series_name, time_name)


def _id_column(columns: list[Any], name: Any, position: int, parameter: str) -> Any:
    if not isinstance(name, str):
        return columns[position]
    if name not in columns:
        raise ValueError(
            f"{parameter}={name!r} is not a column of forecast: its columns are {columns}. "
            f"{did_you_mean(name, columns, 'Choose one of these.')}"
        )
    return name


def quantile_columns(columns: list[Any]) -> dict[float, str]:
    """Return the columns of quantiles by level."""
    found = {}
    for name in columns:
        if isinstance(name, str) and re.fullmatch(r"q\d[\d.e-]*", name):
            found[float(name[1:])] = name
    return found


def read_observed(
    panel: pd.DataFrame, chosen: list[Any], targets: list[Any], series: Any, time: Any
) -> pd.DataFrame:
    """Convert the rows of the chosen series to the table of the display, sorted by time.

    Returns
    -------
    DataFrame
        Columns ``series``, ``target``, ``time`` and ``value``.
    """
    if series is not None:
        ids = pd.Index(id_values(panel, series, "series"))
        if missing := [name for name in chosen if name not in ids]:
            raise ValueError(
                f"panel has no rows of series [{show_ids(missing)}], which forecast contains."
            )
        panel = panel[ids.isin(chosen)]
    rows = read_panel(panel, columns=targets, series=series, time=time)
    codes, values = rows.sort(rows.codes), rows.sort(rows.values)
    if time is None:
        stamps = pd.Index(rows.sort(rows.rank))
    else:
        stamps = time_stamps(panel, time).take(rows.sorting)
    tables = [
        pd.DataFrame(
            {
                "series": rows.ids.take(codes),
                "target": _repeat(name, len(stamps)),
                "time": stamps,
                "value": values[:, position],
            }
        )
        for position, name in enumerate(targets)
    ]
    return pd.concat(tables, ignore_index=True)


def _repeat(name: Any, n_rows: int) -> pd.Index:
    """Repeat the name of a column, which is a tuple if columns have several levels."""
    return pd.Index([name], tupleize_cols=False).repeat(n_rows)


def by_series_and_target(table: pd.DataFrame) -> dict[tuple[Any, Any], pd.DataFrame]:
    """Return the rows of each series and target, in order of appearance."""
    return dict(list(table.groupby(["series", "target"], sort=False, observed=True)))


def rows_to_draw(observed: pd.DataFrame, ahead: pd.Series, n_history: int) -> pd.DataFrame:
    """Return the last rows before the times `ahead` of a forecast, and the rows at these times."""
    n_past = (observed["time"] < ahead.min()).sum()
    n_until = (observed["time"] <= ahead.max()).sum()
    return observed.iloc[max(n_past - n_history, 0) : n_until]
