"""Warn of ids and times that a user forgot to name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.rows import SeriesRows
from sklstm._panel.show import show
from sklstm._panel.user_warnings import warn_user

ROLES = {"series": "series id", "time": "time"}
# Key in the `attrs` of a DataFrame, which pandas keeps while rows and columns are selected.
KEY = "sklstm_ids"


def remember_ids(table: Any, positions: list[int], step: Any) -> Any:
    """Note in a DataFrame which of its columns a step read as ids, and which as features.

    Parameters
    ----------
    table : DataFrame or ndarray
        The output of the step. Arrays are returned unchanged.
    positions : list of int
        The columns of the features.
    step : estimator
        With parameters `series` and `time`.

    Returns
    -------
    DataFrame or ndarray
        `table` itself.
    """
    if isinstance(table, pd.DataFrame):
        # A new dict, since a shallow copy may share that of the user's table.
        table.attrs = {**table.attrs, KEY: _describe_columns(table, positions, step)}
    return table


def _describe_columns(table: pd.DataFrame, positions: list[int], step: Any) -> dict[str, Any]:
    columns = table.columns
    described = describe_step(step) | {"features": list(columns[positions])}
    for role in ROLES:
        name = described[role]
        if isinstance(name, Integral) and name not in columns and name not in table.index.names:
            described[role] = columns[name]
    return described


def describe_step(step: Any) -> dict[str, Any]:
    """Return the class and the names of the ids of a step."""
    return {"step": type(step).__name__, **{role: getattr(step, role) for role in ROLES}}


def warn_of_forgotten_ids(X: Any, positions: list[int], step: Any) -> None:
    """Warn if a column is the id or time of an earlier step and a feature now, or the reverse.

    Parameters
    ----------
    X : DataFrame or ndarray
    positions : list of int
        The columns of the features, except those that the user named.
    step : estimator
        The estimator that reads X, with parameters `series` and `time`.
    """
    before = getattr(X, "attrs", {}).get(KEY)
    if before is None:
        return
    now = _describe_columns(X, positions, step)
    for first, second in ((before, now), (now, before)):
        for role in ROLES:
            if first[role] in second["features"]:
                warn_of_id_as_feature(first[role], role, first["step"], second)


def warn_of_id_as_feature(name: Any, role: str, named_by: str, step: Mapping[str, Any]) -> None:
    """Warn that the id or time of one step is a feature of another.

    Parameters
    ----------
    name : str or int
        The column.
    role : {"series", "time"}
    named_by : str
        The class of the step that names it.
    step : mapping
        The other step, as `describe_step` describes it.
    """
    warn_user(
        f"The column {name!r} is the {ROLES[role]} of {named_by} and a feature of "
        f"{step['step']}, which has {role}={step[role]!r}. Set {role}={name!r} in {step['step']} "
        "too, or choose its features with columns=."
    )


def warn_of_unsorted_rows(X: Any, rows: SeriesRows) -> None:
    """Warn if no time is named and dates in X decrease within a series.

    Parameters
    ----------
    X : DataFrame or array-like
    rows : SeriesRows
        Index of the rows of X.
    """
    if rows.time is not None or not isinstance(X, pd.DataFrame):
        return
    codes = rows.sort(rows.codes)
    for name, dates in _dates(X):
        numbers = rows.sort(dates.asi8)
        decreases = (codes[1:] == codes[:-1]) & (numbers[1:] < numbers[:-1])
        found = np.unique(codes[1:][decreases])
        if len(found):
            several = ""
            if len(rows.ids) == 1:
                several = " If X holds several series, name their ids with series=."
            warn_user(
                f"time=None reads the rows of each series in the order given, but {name!r} "
                f"decreases in {len(found)} of {len(rows.ids)} series, the first is "
                f"{show(rows.ids[found[0]])}. Set time={name!r}, or sort the rows.{several}"
            )


def _dates(X: pd.DataFrame) -> Iterator[tuple[Any, Any]]:
    """Yield the name and the values of each index level and column of dates without gaps."""
    levels = [X.index.get_level_values(number) for number in range(X.index.nlevels)]
    columns = [pd.Index(X.iloc[:, at]) for at, dtype in enumerate(X.dtypes) if dtype.kind in "mMO"]
    for values in [*levels, *columns]:
        if isinstance(values, (pd.DatetimeIndex, pd.PeriodIndex)) and not values.hasnans:
            yield "the index" if values.name is None else values.name, values
