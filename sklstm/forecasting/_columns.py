"""Find the columns of a panel, and name those of its forecast."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.read import as_names, id_label, select_features
from sklstm._panel.show import did_you_mean


@dataclass(frozen=True)
class PanelColumns:
    """Hold the columns of a training panel by their role.

    Attributes
    ----------
    target, past, future : list of int
        Positions of targets, past covariates and columns known beforehand.
    names : list
        Names of all columns.
    series_name, time_name : str or int
        Names of the id and the time in a forecast; "series" and "time" where none is given.
    """

    target: list[int]
    past: list[int]
    future: list[int]
    names: list[Hashable]
    series_name: Hashable
    time_name: Hashable

    @classmethod
    def find(cls, table, *, target, known_future, series, time, categories=()):
        """Find the columns that the parameters of a forecaster name.

        `categories` are the positions of columns of categories, which cannot be forecast.
        """
        features = select_features(table, None, series, time)
        future: list[int] = []
        if known := as_names(known_future):
            future = select_features(table, known, series, time, "known_future")
        if target is None:
            chosen = [at for at in features if at not in future and at not in categories]
        else:
            wanted = list(target) if isinstance(target, (list, tuple)) else target
            chosen = select_features(table, wanted, series, time, "target")
        if shared := set(chosen) & set(future):
            raise ValueError(
                f"{[table.columns[i] for i in shared]} are both target and known_future. A target "
                "is not known beforehand: remove it from one of the two."
            )
        if shared := set(chosen) & set(categories):
            raise ValueError(
                f"The targets {[table.columns[i] for i in shared]} are categories, expected "
                "numbers. Convert them, or remove them from target or categorical_features."
            )
        if not chosen:
            raise ValueError(
                "No column is left to forecast: all columns are ids, categories or in "
                "known_future. Name the target, or remove a column from known_future."
            )
        past = [position for position in features if position not in chosen + future]
        labels = id_label(table, series, "series"), id_label(table, time, "time")
        return cls(chosen, past, future, list(table.columns), *labels)

    @property
    def target_names(self) -> list[Any]:
        """Names of the targets."""
        return [self.names[i] for i in self.target]

    @property
    def future_names(self) -> list[Hashable]:
        """Names of the columns known beforehand."""
        return [self.names[i] for i in self.future]

    @property
    def unknown_names(self) -> list[Hashable]:
        """Names of the columns that are not known beforehand: targets and past covariates."""
        return [self.names[i] for i in self.target + self.past]

    @property
    def positions(self) -> dict[str, list[int]]:
        """Positions by role."""
        return {"target": self.target, "past": self.past, "future": self.future}

    def check_panel(self, panel):
        """Raise ValueError if a table that is passed as panel is one of future rows."""
        given = set(getattr(panel, "columns", self.names))
        if given.issuperset(self.future_names) and given.isdisjoint(self.target_names):
            raise ValueError(
                f"The panel has {self.future_names} (from known_future) but not the targets "
                f"{self.target_names}. Did you mean forecast(future=...)? The panel holds "
                "histories; leave it out to forecast the series of fit."
            )

    def check_future(self, future):
        """Raise ValueError if a table of future rows lacks a column known beforehand."""
        if not self.future:
            raise ValueError(
                "future was passed, but known_future is empty. Pass future=None, or set "
                "known_future to the columns of future and fit again."
            )
        missing = [name for name in self.future_names if name not in future.columns]
        if missing:
            remedy = did_you_mean(missing[0], future.columns, "Add or rename the column.")
            raise ValueError(
                f"future lacks the columns {missing} (from known_future). Its columns are "
                f"{list(future.columns)}. {remedy}"
            )

    def place_ids(self, future, series, time):
        """Return a table of future rows with its ids where the panel has them.

        Parameters
        ----------
        future : DataFrame
        series, time : str, int or None
            Names of the ids and of the time.
        """
        ids = [name for name in (series, time) if name is not None]
        levels = [name for name in ids if name in future.index.names and name not in future]
        if levels:
            future = future.reset_index(levels)
        in_index = [name for name in ids if name not in self.names and name in future]
        return future.set_index(in_index) if in_index else future

    def check_result_names(self, quantile_names):
        """Raise ValueError if two columns of the forecast would have the same name."""
        names = [
            self.series_name,
            self.time_name,
            *["step", "target", "prediction", *quantile_names],
        ]
        if len(set(names)) < len(names):
            raise ValueError(
                f"The forecast would have two columns of one name: {names}, of which the first "
                "two are the id and the time. Rename these."
            )


def order_levels(table: pd.DataFrame, names: list[Any]) -> pd.DataFrame:
    """Return a table without other levels of the index than those of the ids, in this order.

    Tables are concatenated, and pandas puts levels below each other by their position.

    Parameters
    ----------
    table : DataFrame
    names : list of str, int or None
        Names of the ids and of the time. Those of columns are left out.
    """
    found = list(table.index.names)
    levels = [name for name in names if name is not None and name in found and name not in table]
    if not levels or levels == found:
        return table
    index = table.index.droplevel([at for at, name in enumerate(found) if name not in levels])
    return table.set_axis(index.reorder_levels(levels) if len(levels) > 1 else index, axis=0)


def quantile_names(quantiles) -> list[str]:
    """Name the columns of quantiles: ``q0.1`` for 0.1."""
    return [f"q{quantile:g}" for quantile in ([] if quantiles is None else quantiles)]


def forecast_table(columns: PanelColumns, ids, stamps, forecasts, quantiles) -> pd.DataFrame:
    """Arrange forecasts as a tidy table.

    Parameters
    ----------
    columns : PanelColumns
    ids : pandas.Index of shape (n_series,), or None
        None leaves the column of ids out.
    stamps : pandas.Index of shape (n_series * horizon,)
        Times of the forecast rows, one series after another.
    forecasts : ndarray of shape (n_series, n_targets, horizon, 1 + n_quantiles)
        Predictions, then quantiles.
    quantiles : sequence of float or None

    Returns
    -------
    DataFrame of shape (n_series * n_targets * horizon, ...)
    """
    n_series, n_targets, horizon, _ = forecasts.shape
    row = np.arange(n_series * horizon).reshape(n_series, 1, horizon)
    stamp_of_row = np.broadcast_to(row, forecasts.shape[:3]).ravel()
    table: dict[Hashable, Any] = {}
    if ids is not None:
        table[columns.series_name] = ids.repeat(horizon * n_targets)
    table[columns.time_name] = stamps.take(stamp_of_row)
    table["step"] = np.tile(np.arange(1, horizon + 1), n_series * n_targets)
    if n_targets > 1:
        names = pd.Index(columns.target_names, tupleize_cols=False)
        table["target"] = np.tile(names.repeat(horizon), n_series)
    for i, name in enumerate(["prediction", *quantile_names(quantiles)]):
        table[name] = forecasts[..., i].ravel()
    return pd.DataFrame(table)
