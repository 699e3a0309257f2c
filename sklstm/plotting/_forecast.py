"""Draw forecasts beside the observed values."""

from __future__ import annotations

import re
from itertools import product
from numbers import Integral

import pandas as pd
from pandas.api.types import is_scalar
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.read import as_table, id_values, read_panel, select_features
from sklstm._panel.time import time_numbers
from sklstm.plotting._axes import (
    BLUE,
    DARK,
    ORANGE,
    UNITS_OF_TIME,
    _described,
    _drawable,
    _make_axes,
    _tidy,
    _unit_of_time,
)

# Series that are drawn where none are named.
MOST_SERIES = 6


# History that is drawn where its length is not named: in horizons, and at least so many rows.
HORIZONS_OF_HISTORY, LEAST_HISTORY = 4, 30


class ForecastDisplay:
    """Forecasts of some series beside their history, one axes for each series and target.

    Make one with :meth:`from_forecast` or :meth:`from_estimator`.

    Parameters
    ----------
    forecast : DataFrame
        Columns ``series``, ``target``, ``time``, ``prediction``, and ``lower`` and ``upper``
        where there is an interval.
    observed : DataFrame
        Columns ``series``, ``target``, ``time`` and ``value``: the history, and what came in
        the time of the forecast as far as it is known.
    interval : float, default=None
        Probability of the interval; None where there is none.
    series_name, time_name : str, default=None
        Names of the ids and of the time. ``series_name=None``: one series without an id.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for each series and target, targets of a series side by side.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    MultiSeriesForecaster : Makes the forecasts.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.plotting import ForecastDisplay
    >>> sales = pd.DataFrame({"shop": "a", "week": range(1, 9), "sold": [3.0, 5, 4, 6, 5, 7, 6, 8]})
    >>> forecast = pd.DataFrame({
    ...     "shop": "a", "week": [9, 10], "step": [1, 2],
    ...     "prediction": [7.0, 9.0], "q0.1": [6.0, 7.0], "q0.9": [8.0, 11.0],
    ... })
    >>> display = ForecastDisplay.from_forecast(forecast, sales, series="shop", time="week")
    >>> [line.get_label() for line in display.axes_[0].lines]
    ['history', 'forecast']
    >>> display.figure_.savefig("forecast.png")  # doctest: +SKIP
    """

    def __init__(self, forecast, observed, *, interval=None, series_name=None, time_name=None):
        self.forecast = forecast
        self.observed = observed
        self.interval = interval
        self.series_name = series_name
        self.time_name = time_name

    @classmethod
    def from_forecast(
        cls,
        forecast,
        panel,
        *,
        target=None,
        series_ids=None,
        n_history=None,
        series=None,
        time=None,
        ax=None,
    ):
        """Draw forecasts that have been made.

        Parameters
        ----------
        forecast : DataFrame
            As :meth:`MultiSeriesForecaster.forecast` gives it, or the rows of one origin of
            :func:`~sklstm.backtest`.
        panel : DataFrame or array-like of shape (n_rows, n_columns)
            The rows that were observed. Rows before the forecast of a series are its history;
            rows in the time of the forecast, if there are any, are drawn beside it.
        target : str, int or list of them, default=None
            The columns of `panel` that were forecast. None: what `forecast` names in its
            column ``target``, or else the only column of `panel` besides the ids.
        series_ids : list, default=None
            The series to draw. None: the first six of `forecast`.
        n_history : int, default=None
            Rows of history to draw. None: four times the horizon, at least 30.
        series, time : str, int or None, default=None
            Column name, index level name or column position in `panel` of the ids and of
            the time, as they were named to the forecaster.
        ax : matplotlib Axes or array of them, default=None
            Where to draw: one for each series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            If a series, a target or a column is not there, or `forecast` holds several
            values for one series, target and step.
        """
        check_matplotlib_support(f"{cls.__name__}.from_forecast")
        panel = _as_frame(panel)
        targets = _targets(forecast, panel, target, series, time)
        ahead, interval, names = _read_forecast(forecast, targets, series, time)
        chosen = _choose(ahead["series"].unique(), series_ids, "forecast")
        observed = _read_observed(panel, chosen, targets, series, time)
        kinds = [time_numbers(table["time"])[1] for table in (ahead, observed)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"The time is {kinds[0]} in forecast and {kinds[1]} in panel; both must be alike."
            )
        ahead_of, observed_of = _by_pair(ahead), _by_pair(observed)
        pairs = [pair for pair in product(chosen, targets) if pair in ahead_of]
        if n_history is None:
            horizon = max(len(ahead_of[pair]) for pair in pairs)
            n_history = max(HORIZONS_OF_HISTORY * horizon, LEAST_HISTORY)
        check_scalar(n_history, "n_history", Integral, min_val=0)
        display = cls(
            pd.concat([ahead_of[pair].sort_values("time") for pair in pairs], ignore_index=True),
            pd.concat(
                [_near(observed_of[pair], ahead_of[pair]["time"], n_history) for pair in pairs],
                ignore_index=True,
            ),
            interval=interval,
            series_name=names[0],
            time_name=names[1],
        )
        return display.plot(ax)

    @classmethod
    def from_estimator(
        cls, forecaster, panel, future=None, *, series_ids=None, n_history=None, ax=None
    ):
        """Forecast from the last rows of a panel, and draw.

        Parameters
        ----------
        forecaster : MultiSeriesForecaster
            Fitted.
        panel : DataFrame or array-like of shape (n_rows, n_columns)
            Histories of series seen in fit or not, such as the panel of fit.
        future : DataFrame or array-like, default=None
            As in :meth:`MultiSeriesForecaster.forecast`.
        series_ids : list, default=None
            The series to forecast and draw. None: the first six of `panel`.
        n_history : int, default=None
            Rows of history to draw. None: four times the horizon, at least 30.
        ax : matplotlib Axes or array of them, default=None
            Where to draw: one for each series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        series, time = forecaster.series, forecaster.time
        panel = as_table(panel)
        if series is not None:
            ids = pd.Index(id_values(panel, series, "series"))
            series_ids = _choose(ids.unique(), series_ids, "panel")
            panel = _safe_indexing(panel, ids.isin(series_ids))
            if future is not None:
                future = as_table(future)
                ids = pd.Index(id_values(future, series, "series"))
                future = _safe_indexing(future, ids.isin(series_ids))
        target = forecaster.target
        if target is None:
            target = select_features(panel, None, series, time)
            if len(forecaster.known_future):
                known = select_features(panel, list(forecaster.known_future), series, time)
                target = [position for position in target if position not in known]
            target = list(_as_frame(panel).columns[target])
        return cls.from_forecast(
            forecaster.forecast(panel, future=future),
            panel,
            target=target,
            series_ids=series_ids,
            n_history=n_history,
            series=series,
            time=time,
            ax=ax,
        )

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Where to draw: one for each series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay
            Itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        parts, observed = _by_pair(self.forecast), _by_pair(self.observed)
        targets = self.forecast["target"].unique()
        unit = _unit_of_time(pd.concat([self.observed["time"], self.forecast["time"]]))
        time_label = str(self.time_name) + ("" if unit is None else f" ({UNITS_OF_TIME[unit]})")
        self.axes_, self.figure_ = _make_axes(ax, len(parts), len(targets))
        for axes, (pair, part) in zip(self.axes_, parts.items(), strict=True):
            self._draw(axes, part, observed.get(pair, self.observed.iloc[:0]), unit)
            title = [] if self.series_name is None else [_described(self.series_name, pair[0])]
            title += [str(pair[1])] if len(targets) > 1 else []
            axes.set_title(", ".join(title), loc="left", size="medium")
            if ax is not None:
                axes.set(xlabel=time_label, ylabel=pair[1])
        handles: dict = {}
        for axes in self.axes_:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        if ax is not None:
            self.axes_[0].legend(handles.values(), handles.keys(), frameon=False)
            return self
        self.figure_.supxlabel(time_label, size="medium")
        if len(targets) == 1:
            self.figure_.supylabel(targets[0], size="medium")
        self.figure_.legend(
            handles.values(),
            handles.keys(),
            loc="outside upper center",
            ncols=len(handles),
            frameon=False,
        )
        return self

    def _draw(self, axes, forecast, observed, unit):
        """Draw one series: history, interval, forecast, and what came."""
        times, values = _drawable(observed["time"], unit), observed["value"].to_numpy()
        ahead = _drawable(forecast["time"], unit)
        is_past = (observed["time"] < forecast["time"].min()).to_numpy()
        marker = "o" if len(ahead) == 1 else None  # one point makes no line
        axes.plot(times[is_past], values[is_past], color=DARK, lw=1, label="history")
        if self.interval is not None:
            axes.fill_between(
                ahead,
                forecast["lower"].to_numpy(),
                forecast["upper"].to_numpy(),
                color=BLUE,
                alpha=0.25,
                lw=0,
                label=f"{100 * self.interval:.3g}% interval",
            )
        prediction = forecast["prediction"].to_numpy()
        axes.plot(ahead, prediction, color=BLUE, lw=1.5, marker=marker, ms=4, label="forecast")
        if not is_past.all():
            came = {"color": ORANGE, "ls": "none", "marker": "o", "ms": 2.5, "label": "what came"}
            axes.plot(times[~is_past], values[~is_past], **came)
        _tidy(axes, ahead.dtype)


def _as_frame(panel):
    panel = as_table(panel)
    return panel if isinstance(panel, pd.DataFrame) else pd.DataFrame(panel)


def _targets(forecast, panel, target, series, time):
    """Names of the columns to draw."""
    if not isinstance(forecast, pd.DataFrame):
        raise TypeError(f"forecast must be a DataFrame, got {type(forecast).__name__}.")
    if target is None and "target" in forecast:
        target = list(forecast["target"].unique())
    targets = list(panel.columns[select_features(panel, target, series, time)])
    if "target" in forecast:
        if missing := [name for name in targets if name not in set(forecast["target"])]:
            raise ValueError(
                f"forecast holds no target {missing}: it has {list(forecast['target'].unique())}."
            )
    elif len(targets) != 1:
        raise ValueError(
            f"forecast is of one target, but {len(targets)} columns of panel may be meant: "
            f"{targets[:10]}. Name it with target=."
        )
    return targets


def _read_forecast(forecast, targets, series, time):
    """Bring a forecast into the form that the display keeps.

    Returns the table, the probability of its interval, and the names of ids and time.
    """
    columns = list(forecast.columns)
    if missing := [name for name in ("step", "prediction") if name not in columns]:
        raise ValueError(f"forecast has no column {missing}: its columns are {columns}.")
    series_name = None if series is None else _id_column(columns, series, 0, "series")
    # The time stands before the step, under the name that it had in the panel.
    time_name = _id_column(columns, time, columns.index("step") - 1, "time")
    table = pd.DataFrame(
        {
            "series": 0 if series is None else forecast[series_name],
            "target": forecast["target"] if "target" in columns else targets[0],
            "time": forecast[time_name],
            "prediction": forecast["prediction"],
        }
    )
    levels = _quantile_columns(columns)
    interval = None
    if len(levels) > 1:
        low, high = min(levels), max(levels)
        table["lower"], table["upper"] = forecast[levels[low]], forecast[levels[high]]
        interval = high - low
    table = table[table["target"].isin(targets)]
    if len(table) == 0:
        raise ValueError("forecast is empty.")
    twice = table.duplicated(["series", "target", "time"])
    if twice.any():
        raise ValueError(
            f"forecast holds {twice.sum()} rows whose series, target and time came before: name "
            "the ids with series=, and of a backtest pass the rows of one origin."
        )
    return table, interval, (series_name, time_name)


def _id_column(columns, name, position, parameter):
    if not isinstance(name, str):
        return columns[position]
    if name not in columns:
        raise ValueError(
            f"{parameter}={name!r} is no column of forecast: its columns are {columns}."
        )
    return name


def _quantile_columns(columns):
    """Find the columns of quantiles, by their levels."""
    found = {}
    for name in columns:
        if isinstance(name, str) and re.fullmatch(r"q\d[\d.e-]*", name):
            found[float(name[1:])] = name
    return found


def _read_observed(panel, chosen, targets, series, time):
    """Bring the observed rows of some series into the form that the display keeps."""
    if series is not None:
        ids = pd.Index(id_values(panel, series, "series"))
        if missing := [name for name in chosen if name not in ids]:
            raise ValueError(f"panel holds no row of series {missing[:10]}, which was forecast.")
        panel = panel[ids.isin(chosen)]
    rows = read_panel(panel, columns=targets, series=series, time=time)
    order = rows.sorting
    codes = rows.codes[order]
    if time is None:
        stamps = pd.Index(pd.Series(codes).groupby(codes).cumcount())
    else:
        stamps = pd.Index(id_values(panel, time, "time")).infer_objects().take(order)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "series": rows.ids.take(codes),
                    "target": name,
                    "time": stamps,
                    "value": rows.values[order, position],
                }
            )
            for position, name in enumerate(targets)
        ],
        ignore_index=True,
    )


def _choose(ids, series_ids, where):
    """Choose the series to draw, in the order in which they were named."""
    if series_ids is None:
        return list(ids[:MOST_SERIES])
    chosen = list(dict.fromkeys([series_ids] if is_scalar(series_ids) else series_ids))
    if not chosen:
        raise ValueError("series_ids is empty: name at least one series, or pass None.")
    if unknown := [name for name in chosen if name not in set(ids)]:
        raise ValueError(
            f"series_ids names {unknown[:10]}, which {where} does not hold: it has {len(ids)} "
            f"series, such as {list(ids[:5])}."
        )
    return chosen


def _by_pair(table):
    """Rows of each series and target, in order of appearance."""
    return dict(list(table.groupby(["series", "target"], sort=False, observed=True)))


def _near(observed, ahead, n_history):
    """Take the rows of one series shortly before its forecast, and those in its time."""
    n_past = (observed["time"] < ahead.min()).sum()
    n_until = (observed["time"] <= ahead.max()).sum()
    return observed.iloc[max(n_past - n_history, 0) : n_until]
