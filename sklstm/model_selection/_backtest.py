"""Compare the forecasts of rolling origins with the observed values."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import (
    Interval,
    validate_params,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array

from sklstm._panel.read import id_label, id_values, read_series_rows, select_features
from sklstm._panel.time import time_numbers
from sklstm.metrics import seasonal_scale
from sklstm.model_selection._cuts import check_cuts

RESULT_COLUMNS = (
    "origin",
    "cutoff",
    "step",
    "target",
    "y_true",
    "prediction",
    "absolute_error",
    "scaled_error",
)


class _RollingPanel:
    """A panel that can be cut at any row of each series, read as a forecaster reads it."""

    def __init__(self, forecaster, panel):
        settings = forecaster.get_params(deep=False)
        self.panel = panel
        self.horizon = settings["horizon"]
        self.season_length = settings.get("season_length") or 1
        for name in ("horizon", "season_length"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name}={value!r} must be a positive integer.")
        self.series, self.time = settings.get("series"), settings.get("time")
        self.rows = read_series_rows(panel, self.series, self.time)
        self.rank, self.sizes = self.rows.rank, self.rows.sizes
        known = settings.get("known_future") or None
        self.known = [] if known is None else self._positions(known)
        target = settings.get("target")
        positions = self._positions(target)
        if target is None:
            positions = [position for position in positions if position not in self.known]
            if not positions:
                raise ValueError("No column is left to forecast: all are ids or in known_future.")
        elif shared := set(positions) & set(self.known):
            raise ValueError(
                f"{list(panel.columns[list(shared)])} are both target and known_future: what is "
                "to be forecast is not known beforehand."
            )
        self.targets = list(panel.columns[positions])
        self.values = check_array(
            panel.iloc[:, positions], dtype=float, ensure_all_finite="allow-nan", input_name="panel"
        )
        self.stamps = None if self.time is None else pd.Index(id_values(panel, self.time, "time"))
        self.series_label = id_label(panel, self.series, "series")
        self.time_label = id_label(panel, self.time, "time")
        names = [self.series_label, self.time_label, *RESULT_COLUMNS]
        if len(set(names)) < len(names):
            raise ValueError(
                f"The result would have two columns of one name: {names}, of which the first two "
                "are the id and the time. Rename these."
            )

    def _positions(self, columns):
        return select_features(self.panel, columns, self.series, self.time)

    def history(self, cut):
        """Rows before the cut, in the order of the panel."""
        return self.panel[self.rank < cut[self.rows.codes]]

    def future(self, cut):
        """Ids, time and known columns of the rows after the cut; None without such columns."""
        if not self.known:
            return None
        codes = self.rows.codes
        after = self.rank - cut[codes]
        taken = (cut > 0)[codes] & (after >= 0) & (after < self.horizon)
        unknown = [position for position in self._positions(None) if position not in self.known]
        return self.panel[taken].drop(columns=self.panel.columns[unknown])

    def compare(self, origin, cut, forecast):
        """Put a forecast beside the true rows and the errors."""
        taken = np.flatnonzero(cut > 0)
        index = self._expected(taken)
        forecast = self._in_order(forecast, index)
        time = forecast.pop(self.time_label)
        shape = (len(taken), self.horizon, len(self.targets))

        def spread(values):
            """One value a series, or one a series and target, for all rows of the table."""
            return np.broadcast_to(values.reshape(len(taken), 1, -1), shape).ravel()

        # Positions among the sorted rows: of each series' cut, and of the rows after it.
        at_cut = (np.cumsum(self.sizes) - self.sizes + cut)[taken]
        order = self.rows.sorting
        if self.stamps is None:
            rows = order[at_cut[:, np.newaxis] + np.arange(self.horizon)]
            rows = rows.repeat(len(self.targets))
            cutoff, time = spread(cut[taken] - 1), self.rank[rows]
        else:
            rows = self._rows_at(spread(taken), time)
            cutoff, time = self.stamps.take(spread(order[at_cut - 1])), time.array
        column = np.arange(len(rows)) % len(self.targets)
        y_true = np.where(rows < 0, np.nan, self.values[rows, column])
        scale = seasonal_scale(
            self.history(cut),
            self.season_length,
            self.targets,
            series=self.series,
            time=self.time,
        )
        scale = spread(scale.reindex(self.rows.ids[taken]).to_numpy())
        keys = index.to_frame(index=False)
        table = {
            self.series_label: keys.pop(self.series_label),
            "origin": origin,
            "cutoff": cutoff,
            self.time_label: time,
            **keys,
            "y_true": y_true,
            **{name: forecast[name].to_numpy() for name in forecast.columns},
        }
        table["absolute_error"] = np.abs(y_true - table["prediction"])
        table["scaled_error"] = table["absolute_error"] / np.where(scale > 0, scale, np.nan)
        return pd.DataFrame(table)

    def _expected(self, taken):
        """Key of each row of the forecast of some series: id, step and perhaps target."""
        keys = {self.series_label: self.rows.ids[taken], "step": np.arange(1, self.horizon + 1)}
        if len(self.targets) > 1:
            keys["target"] = self.targets
        return pd.MultiIndex.from_product(keys.values(), names=keys.keys())

    def _rows_at(self, codes, time):
        """Rows of some series at some times; -1 where there is none."""
        numbers, kind = time_numbers(time)
        if kind != self.rows.time_kind:
            raise ValueError(
                f"The forecaster returned times of the kind {kind!r}; the panel has "
                f"{self.rows.time_kind!r}."
            )
        there = pd.MultiIndex.from_arrays([self.rows.codes, self.rows.time])
        return there.get_indexer(pd.MultiIndex.from_arrays([codes, numbers]))

    def _in_order(self, forecast, index):
        """Sort the rows of a forecast as `index` names them, and make sure that all came."""
        if self.series is None:
            forecast = forecast.assign(**{self.series_label: self.rows.ids[0]})
        forecast = forecast.set_index(list(index.names))
        if len(forecast) != len(index) or len(index.difference(forecast.index)):
            raise ValueError(
                f"The forecaster returned {len(forecast)} rows for {len(index)}: one for each of "
                f"{', '.join(map(repr, index.names))} was expected. The first that is missing is "
                f"{next(iter(index.difference(forecast.index)), None)}."
            )
        return forecast.reindex(index)


def _forecast(forecaster, history, future, refit):
    if refit:
        forecaster = clone(forecaster).fit(history)
    return forecaster.forecast(history, future=future)


@validate_params(
    {
        "forecaster": [BaseEstimator],
        "panel": "no_validation",
        "n_origins": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left"), None],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=False,
)
def backtest(forecaster, panel, n_origins=5, step=None, *, refit=True, n_jobs=None):
    """Forecast from several origins in the past, and compare with what came.

    An origin cuts each series in two: the forecaster sees the rows before the cut, and its
    forecasts are compared with the `horizon` rows after it. Origins are counted in rows
    from each series' own end: the last one has exactly `horizon` rows after it.

    Parameters
    ----------
    forecaster : estimator
        A :class:`~sklstm.MultiSeriesForecaster`, or an estimator with its ``fit(panel)``,
        ``forecast(panel, future)`` and its parameters `horizon`, `series` and `time`; those
        of `target`, `season_length` and `known_future` that it has are heeded too. It is
        cloned and stays as it is.
    panel : DataFrame of shape (n_rows, n_columns)
        With the ids and the time in columns or index levels. Rows may come in any order.
    n_origins : int, default=5
        Number of origins.
    step : int, default=None
        Rows between two origins, by default the horizon.
    refit : bool, default=True
        Whether to fit at each origin on all rows before it. False: fit once, on the rows
        before the first origin, and forecast from the rows before each.
    n_jobs : int, default=None
        Origins to work on at once, as in scikit-learn.

    Returns
    -------
    DataFrame
        A row for each origin, series, step (and target, where there are several), in this
        order. Columns:

        - the id and the time of the forecast row, under their names ("series" and "time"
          where they have none; without `time`, the row's number in its series);
        - ``origin``: 0 for the oldest; ``cutoff``: the time of the last row before the cut;
        - ``step``: 1 for the first row after the cut; ``target``: name of the target column;
        - ``y_true``, ``prediction``, and the forecast's quantile columns (``q0.1``, say);
        - ``absolute_error``: abs(y_true - prediction), NaN where the true value is missing;
        - ``scaled_error``: that divided by the :func:`~sklstm.metrics.seasonal_scale` of the
          rows before the cut, whose season is `season_length`, or 1 without; NaN where the
          scale is 0 or unknown.

    Raises
    ------
    ValueError
        If no series has a row before the first origin, or the forecaster returns other rows
        than were asked for.

    Warns
    -----
    UserWarning
        With the number of series that are too short for all origins. They are left out of
        those before which they have no rows.

    Notes
    -----
    Means over groups are the usual errors: ``result.groupby("step")["scaled_error"].mean()``
    is MASE by step; grouped by the id it is MASE by series. :func:`sklstm.metrics.coverage` and
    :func:`sklstm.metrics.pinball_loss` take the quantile columns.

    Origins are counted in rows, steps as the forecaster counts them: the true value is that of
    the row at the time of the forecast, NaN where the panel has a gap there. Without `time`,
    steps are rows.

    Columns in `known_future` are passed to the forecaster as `future` for the rows after the
    cut; of the other columns it never sees these rows.

    Examples
    --------
    >>> from sklstm import MultiSeriesForecaster, backtest
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(n_series=5, random_state=0)
    >>> forecaster = MultiSeriesForecaster(
    ...     horizon=4, target="x0", random_state=0, series="series", time="time"
    ... )
    >>> result = backtest(forecaster, X, n_origins=2)
    >>> result[["series", "origin", "cutoff", "time", "step"]].head(4)
       series  origin  cutoff  time  step
    0       0       0      75    76     1
    1       0       0      75    77     2
    2       0       0      75    78     3
    3       0       0      75    79     4
    >>> by_step = result.groupby("step")["scaled_error"].mean()
    """
    if not isinstance(panel, pd.DataFrame):
        raise TypeError(
            f"backtest takes a DataFrame, got {type(panel).__name__}. stack_series makes one of "
            "a list of arrays; pandas.DataFrame gives the columns of an array names."
        )
    rolling = _RollingPanel(forecaster, panel)
    step = rolling.horizon if step is None else step
    before_last = np.arange(n_origins - 1, -1, -1)[:, np.newaxis]
    cuts = rolling.sizes - rolling.horizon - step * before_last
    needed = f"{rolling.horizon + step * (n_origins - 1) + 1} rows"
    # 3: the decorator stands between the user and this line.
    check_cuts(cuts, rolling.rows.ids, "origin", needed, "n_origins, step or the horizon", 3)
    if not refit:
        forecaster = clone(forecaster).fit(rolling.history(cuts[0]))
    forecasts = Parallel(n_jobs=n_jobs)(
        delayed(_forecast)(forecaster, rolling.history(cut), rolling.future(cut), refit)
        for cut in cuts
    )
    tables = [
        rolling.compare(origin, cut, forecast)
        for origin, (cut, forecast) in enumerate(zip(cuts, forecasts, strict=True))
    ]
    return pd.concat(tables, ignore_index=True)
