"""Arrange values of rows by series, and choose series to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar
from sklearn.utils import check_consistent_length

from sklstm._panel.frames import as_plain
from sklstm._panel.read import as_table, id_label, read_series_rows, time_stamps
from sklstm._panel.show import did_you_mean, show, show_ids
from sklstm._panel.windows import Windows

# Number of series to draw one by one if the user chooses none.
MAX_SERIES = 6


def rows_by_series(panel: Any, series: Any, time: Any, columns: dict[str, Any]) -> pd.DataFrame:
    """Make a table of values of the rows of a panel, sorted by series and time.

    Parameters
    ----------
    panel : Windows, DataFrame or array-like of shape (n_rows, ...)
        Only the ids and the time are read.
    series, time : str, int or None
        Column name, index level name or column position of the ids and of the time.
    columns : dict of ndarray of shape (n_rows,)
        The values, in the order of the rows of `panel`.

    Returns
    -------
    DataFrame
        Columns ``series``, ``time`` and those of `columns`. Without `time`, the time is the number
        of the row in its series.
    """
    panel = as_plain(panel)
    rows = read_series_rows(panel, series, time)
    check_consistent_length(rows.codes, *columns.values())
    stamps = pd.Index(rows.rank) if time is None else time_stamps(as_table(panel), time)
    table = pd.DataFrame(
        {"series": rows.ids.take(rows.codes), "time": stamps, **columns}, index=range(len(rows))
    )
    return table.iloc[rows.sorting].reset_index(drop=True)


def id_names(panel: Any, series: Any, time: Any) -> tuple[Any, Any]:
    """Return the names of the ids (None if there are none) and of the time, for labels."""
    panel = as_plain(panel)
    if isinstance(panel, Windows):
        return "series", "row of the series"
    table = panel if isinstance(panel, pd.DataFrame) else as_table(panel)
    series_name = None if series is None else id_label(table, series, "series")
    return series_name, id_label(table, time, "row of the series")


def choose_series(ids: Sequence[Any], series_ids: Any, where: str) -> list[Any]:
    """Return the series to draw, in the order of `series_ids`.

    Parameters
    ----------
    ids : sequence
        All ids.
    series_ids : list, scalar or None
        The ids to draw. None: the first `MAX_SERIES`.
    where : str
        Name of the table of the ids, for messages.

    Returns
    -------
    list
    """
    if series_ids is None:
        return list(ids[:MAX_SERIES])
    chosen = list(dict.fromkeys([series_ids] if is_scalar(series_ids) else series_ids))
    if not chosen:
        raise ValueError("series_ids is empty: name at least one series, or pass None.")
    if unknown := [name for name in chosen if name not in set(ids)]:
        raise ValueError(
            f"series_ids= contains {show(unknown[0])}, which is not a series of {where}: it has "
            f"{len(ids)} series, such as [{show_ids(ids)}]. "
            f"{did_you_mean(unknown[0], ids, 'Choose some of these.')}"
        )
    return chosen


def choose_kind(kind: str, kinds: Sequence[str]) -> str:
    """Return `kind` if it is "auto" or one of `kinds`, or else raise an error."""
    if kind not in ("auto", *kinds):
        raise ValueError(
            f"kind={kind!r} must be one of {', '.join(map(repr, kinds))}, or 'auto'. "
            f"{did_you_mean(kind, kinds)}"
        )
    return kind


def rank_in_series(table: pd.DataFrame) -> np.ndarray:
    """Return the number of earlier rows of the same series, for each row of a sorted table."""
    ranks: np.ndarray = table.groupby("series", sort=False, observed=True).cumcount().to_numpy()
    return ranks
