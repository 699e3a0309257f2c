"""Suggest the seasons of a panel from its autocorrelations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params

from sklstm._panel.find_categories import FROM_DTYPE, find_categorical
from sklstm._panel.infer_frequency import infer_frequency
from sklstm._panel.read import as_table, read_panel, time_stamps
from sklstm._streaming.panel_dataset import PanelDataset
from sklstm.forecasting._autocorrelation import find_seasons
from sklstm.forecasting._columns import PanelColumns
from sklstm.forecasting._grid import RegularGrid

# Last rows of each series that are read.
MAX_ROWS = 20_000


@validate_params(
    {
        "target": [str, Integral, list, tuple, None],
        "max_series": [Interval(Integral, 1, None, closed="left")],
        "freq": [str, Real, pd.offsets.BaseOffset, timedelta, None],
    },
    prefer_skip_nested_validation=True,
)
def suggest_season_length(
    panel: ArrayLike | pd.DataFrame | PanelDataset,
    target: str | int | Sequence[str | int] | None = None,
    *,
    max_series: int = 500,
    freq: float | str | pd.offsets.BaseOffset | timedelta | None = None,
    series: str | int | None = None,
    time: str | int | None = None,
) -> tuple[int, ...]:
    """Suggest the `season_length` of a :class:`MultiSeriesForecaster`.

    A season is a lag at whose multiples the differences of neighbouring rows are correlated, on
    average over the series. A longer season is a multiple of the first one that still has such
    correlations after the first one has been removed.

    Parameters
    ----------
    panel : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
        Training rows.
    target : str, int or list of them, default=None
        The columns to examine. None: all but the ids and those of dtype "category".
    max_series : int, default=500
        Number of series that are examined. If there are more, they are spread evenly over the
        order of their ids in the panel, so that the result is always the same.
    freq : number, str, pandas offset or timedelta, default=None
        The time step. None: inferred from the rows.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    tuple of int
        Lengths in rows, in ascending order; (1,) if no season is found.

    Notes
    -----
    Differences are divided by the typical one of their series and clipped. A season must fit three
    times into a series of median length, and only the last 20,000 rows of a series are used.
    Missing values and time steps are left out. Seasons whose length is not a whole number of rows,
    such as a year of days, are found as the nearest multiple of the shorter one, if at all.

    The suggestion is a start. Compare it with others in a search or a :func:`backtest`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import stack_series, suggest_season_length
    >>> rng = np.random.default_rng(0)
    >>> week = [1, 1, 2, 1, 3, 5, 0]
    >>> panel = stack_series([np.resize(week, 70) + rng.normal(size=70) for _ in range(5)])
    >>> suggest_season_length(panel, series="series", time="time")
    (7,)
    """
    grid = _read_grid(panel, target, max_series, freq, series, time)
    by_series = np.split(grid.values, grid.rows.run_starts()[1:])
    columns = [column for values in by_series for column in values.T]
    return tuple(find_seasons(columns)) or (1,)


def _read_grid(panel, target, max_series, freq, series, time):
    """Place the last rows of at most `max_series` series on a regular grid."""
    if isinstance(panel, PanelDataset):
        panel = panel.take_series(_spread(len(panel.series_ids), max_series))
    table = pd.DataFrame(as_table(panel))
    ids = {"series": series, "time": time}
    categories = find_categorical(table, FROM_DTYPE, **ids)
    columns = PanelColumns.find(table, target=target, known_future=(), categories=categories, **ids)
    rows = read_panel(table, columns=columns.target_names, **ids)
    is_chosen = np.zeros(len(rows.ids), bool)
    is_chosen[_spread(len(rows.ids), max_series)] = True
    kept = rows.tail(MAX_ROWS)
    kept = kept[is_chosen[rows.codes[kept]]]
    table, last_rows = table.iloc[kept], rows.take(kept)
    stamps, frequency = None, None
    if time is not None:
        stamps = time_stamps(table, time)
        frequency = infer_frequency(stamps, last_rows.run_starts(), freq)
    about = {"target": columns.target, "past": [], "future": [], "frequency": frequency}
    return RegularGrid.read(table, last_rows, stamps=stamps, **about)


def _spread(n_series, max_series):
    """Choose series that are spread evenly over their positions."""
    return np.unique(np.linspace(0, n_series - 1, min(n_series, max_series)).astype(int))
