"""Draw forecasts beside the observed values."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import check_method
from sklstm._panel.frames import as_plain
from sklstm._panel.read import as_table, id_label, id_values
from sklstm._panel.time import TIME_KINDS, time_numbers
from sklstm.model_selection._backtest import select_columns
from sklstm.plotting._axes import (
    drawable_times,
    finish_axes,
    format_axes,
    make_axes,
    series_title,
    time_label,
    time_unit,
)
from sklstm.plotting._forecast_tables import (
    as_frame,
    by_series_and_target,
    find_targets,
    read_forecast,
    read_observed,
    rows_to_draw,
)
from sklstm.plotting._palette import BLUE, DARK, ORANGE
from sklstm.plotting._series_rows import choose_series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Rows of history to draw if `n_history` is None: so many horizons, but at least MIN_HISTORY.
HISTORY_HORIZONS, MIN_HISTORY = 4, 30


class ForecastDisplay:
    """Draw the forecasts and histories of several series, with one axes per series and target.

    Create a display with :meth:`from_forecast` or :meth:`from_estimator`.

    Parameters
    ----------
    forecast : DataFrame
        Columns ``series``, ``target``, ``time`` and ``prediction``, and ``lower`` and ``upper``
        if there is an interval.
    observed : DataFrame
        Columns ``series``, ``target``, ``time`` and ``value``: the history and, where they are
        known, the observed values at the times of the forecast.
    interval : float, default=None
        Probability of the interval; None if there is no interval.
    series_name, time_name : str, default=None
        Names of the ids and of the time. ``series_name=None``: one series without an id.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One axes per series and target. The targets of a series are side by side.
    figure_ : matplotlib Figure
        The figure of these axes.

    See Also
    --------
    sklstm.MultiSeriesForecaster : Forecast many series with one network.

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

    def __init__(
        self,
        forecast: pd.DataFrame,
        observed: pd.DataFrame,
        *,
        interval: float | None = None,
        series_name: Any = None,
        time_name: Any = None,
    ) -> None:
        self.forecast = forecast
        self.observed = observed
        self.interval = interval
        self.series_name = series_name
        self.time_name = time_name

    @classmethod
    def from_forecast(
        cls,
        forecast: pd.DataFrame,
        panel: ArrayLike | pd.DataFrame,
        *,
        target: Any = None,
        series_ids: Any = None,
        n_history: int | None = None,
        series: str | int | None = None,
        time: str | int | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw given forecasts.

        Parameters
        ----------
        forecast : DataFrame
            A result of :meth:`~sklstm.MultiSeriesForecaster.forecast`, or the rows of one origin of
            a result of :func:`~sklstm.backtest`.
        panel : DataFrame or array-like of shape (n_rows, n_columns)
            The observed rows. For each series, the rows before the forecast are its history. Rows
            at the times of the forecast are optional; they are drawn as points.
        target : str, int or list of them, default=None
            The forecast columns of `panel`. None: the targets in column ``target`` of `forecast`;
            without that column, the only column of `panel` besides the ids.
        series_ids : list, default=None
            The series to draw. None: the first six of `forecast`.
        n_history : int, default=None
            Number of history rows to draw. None: four times the horizon, but at least 30.
        series, time : str, int or None, default=None
            Column name, index level name or column position in `panel` of the ids and of
            the time, as passed to the forecaster.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ValueError
            If a series, a target or a column is missing, or if `forecast` has several values for
            one series, target and time.
        """
        check_matplotlib_support(f"{cls.__name__}.from_forecast")
        forecast, frame = as_plain(forecast), as_frame(panel)
        targets = find_targets(forecast, frame, target, series, time)
        ahead, interval, names = read_forecast(forecast, targets, series, time)
        chosen = choose_series(ahead["series"].unique(), series_ids, "forecast")
        observed = read_observed(frame, chosen, targets, series, time)
        kinds = [time_numbers(table["time"])[1] for table in (ahead, observed)]
        if kinds[0] != kinds[1]:
            ahead_kind, observed_kind = (TIME_KINDS.get(kind, kind) for kind in kinds)
            raise ValueError(
                f"The time is {ahead_kind} in forecast and {observed_kind} in panel. Pass a "
                f"panel whose times are {ahead_kind}."
            )
        ahead_of, observed_of = by_series_and_target(ahead), by_series_and_target(observed)
        pairs = [pair for pair in product(chosen, targets) if pair in ahead_of]
        if n_history is None:
            horizon = max(len(ahead_of[pair]) for pair in pairs)
            n_history = max(HISTORY_HORIZONS * horizon, MIN_HISTORY)
        check_scalar(n_history, "n_history", Integral, min_val=0)
        forecasts = [ahead_of[pair].sort_values("time") for pair in pairs]
        drawn = [
            rows_to_draw(observed_of[pair], ahead_of[pair]["time"], n_history) for pair in pairs
        ]
        display = cls(
            pd.concat(forecasts, ignore_index=True),
            pd.concat(drawn, ignore_index=True),
            interval=interval,
            series_name=names[0],
            time_name=names[1],
        )
        return display.plot(ax)

    @classmethod
    def from_estimator(
        cls,
        forecaster: Any,
        panel: ArrayLike | pd.DataFrame,
        future: ArrayLike | pd.DataFrame | None = None,
        *,
        series_ids: Any = None,
        n_history: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Forecast from the last rows of a panel, and draw the forecasts.

        Parameters
        ----------
        forecaster : MultiSeriesForecaster
            A fitted forecaster.
        panel : DataFrame or array-like of shape (n_rows, n_columns)
            Histories of fitted or new series, for example the panel of `fit`.
        future : DataFrame or array-like, default=None
            As in :meth:`~sklstm.MultiSeriesForecaster.forecast`.
        series_ids : list, default=None
            The series to forecast and draw. None: the first six of `panel`.
        n_history : int, default=None
            Number of history rows to draw. None: four times the horizon, but at least 30.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_method(forecaster, "forecast", "Pass a fitted MultiSeriesForecaster.")
        series, time = forecaster.series, forecaster.time
        table = as_table(panel)
        if series is not None:
            ids = pd.Index(id_values(table, series, "series"))
            series_ids = choose_series(ids.unique(), series_ids, "panel")
            table = _select_series(table, series, series_ids)
            if future is not None:  # its columns have their own order
                name = id_label(as_frame(panel), series, "series")
                future = _select_series(as_table(future), name, series_ids)
        return cls.from_forecast(
            forecaster.forecast(table, future=future),
            table,
            target=_target_columns(forecaster, table),
            series_ids=series_ids,
            n_history=n_history,
            series=series,
            time=time,
            ax=ax,
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per series and target. None: a new figure.

        Returns
        -------
        ForecastDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        parts = by_series_and_target(self.forecast)
        observed = by_series_and_target(self.observed)
        targets = self.forecast["target"].unique()
        unit = time_unit(pd.concat([self.observed["time"], self.forecast["time"]]))
        x_label = time_label(self.time_name, unit)
        self.axes_, self.figure_ = make_axes(ax, len(parts), len(targets))
        for axes, (pair, part) in zip(self.axes_, parts.items(), strict=True):
            self._draw(axes, part, observed.get(pair, self.observed.iloc[:0]), unit)
            title = [] if self.series_name is None else [series_title(self.series_name, pair[0])]
            title += [str(pair[1])] if len(targets) > 1 else []
            axes.set_title(", ".join(title), loc="left", size="medium")
        labels = [pair[1] for pair in parts]
        finish_axes(self.axes_, self.figure_, is_new=ax is None, x_label=x_label, y_labels=labels)
        return self

    def _draw(
        self, axes: Axes, forecast: pd.DataFrame, observed: pd.DataFrame, unit: str | None
    ) -> None:
        """Draw the history, interval, forecast and observed values of one series and target."""
        times, values = drawable_times(observed["time"], unit), observed["value"].to_numpy()
        ahead = drawable_times(forecast["time"], unit)
        is_past = (observed["time"] < forecast["time"].min()).to_numpy()
        marker = "o" if len(ahead) == 1 else None  # a single point is not visible as a line
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
            style: dict[str, Any] = {"color": ORANGE, "ls": "none", "marker": "o", "ms": 2.5}
            axes.plot(times[~is_past], values[~is_past], label="observed", **style)
        format_axes(axes, ahead.dtype)


def _select_series(table: Any, series: str | int, series_ids: list[Any]) -> Any:
    """Return the rows of some series of a DataFrame or array."""
    ids = pd.Index(id_values(table, series, "series"))
    return _safe_indexing(table, ids.isin(series_ids))


def _target_columns(forecaster: Any, table: Any) -> Any:
    """Return the names of the columns that a forecaster forecasts."""
    frame = as_frame(table)
    targets, *_ = select_columns(
        frame,
        forecaster.target,
        forecaster.known_future,
        getattr(forecaster, "categorical_features", None),
        forecaster.series,
        forecaster.time,
    )
    return list(frame.columns[targets])
