"""Forecasts of many series by one net: the next values of every series, from its window."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from sklstm.forecast_units import (
    ValueScale,
    conformal_shifts,
    fill_missing,
    next_values,
    seasonal_naive,
    typical_scale,
    window_units,
)
from sklstm.metrics import mase, seasonal_scale
from sklstm.panel import (
    as_table,
    column_names,
    column_position,
    id_values,
    read_ids,
    read_panel,
    run_starts,
    select_features,
)
from sklstm.regressor import MultiSeriesLSTMRegressor, check_quantiles
from sklstm.time_steps import fill_gaps, learn_step
from sklstm.windows import OwnUnits, Windows

# The default recipe, chosen on the last horizon of training parts (benchmarks/accuracy.py).
SEASONS_IN_WINDOW = 14
HIDDEN_UNITS = 64
BATCH_SIZE = 256
# Training steps for each square root of the rows: more rows teach more, and take longer.
STEPS_PER_ROOT = 2.6
LEARNING_RATE = 1e-2
# Values of a window, in its own units, bend towards this bound.
LIMIT = 10.0
# Series are held out for calibration in so many parts at least, and so many rows suffice.
N_FOLDS = 5
MOST_CALIBRATION_ROWS = 20_000
# Forecasts from so many rows at once: their outputs are held in memory.
ROWS_AT_ONCE = 2**16


@dataclass(frozen=True, eq=False)
class _Grid:
    """Rows of many series, sorted by series and time, without missing steps.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_targets)
        Targets, NaN where they are missing.
    past, future : ndarray of shape (n_rows, n_columns)
        Covariates known up to now, and those known beforehand.
    starts, stops : ndarray of shape (n_rows,)
        Positions of each row's series' first row, and of one past its last.
    codes : ndarray of shape (n_rows,)
        Number of each row's series in `ids`.
    ids : pandas.Index
    at : ndarray of shape (n_given,)
        Position of each given row, in the order in which they were given.
    """

    values: np.ndarray
    past: np.ndarray
    future: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    codes: np.ndarray
    ids: pd.Index
    at: np.ndarray


@dataclass(frozen=True)
class _Learned:
    """What fit learns of the values, besides the net."""

    scales: list[ValueScale]
    typical: list[float]
    level: list[float]
    has_missing: bool
    center: np.ndarray
    deviation: np.ndarray


class MultiSeriesForecaster(BaseEstimator):
    """Forecast the next values of many series with one net.

    Every window is given in units of its own, and the net learns what is left of the future
    after the seasonal naive forecast, in the same units: so series of all levels teach the
    same net, and a series never seen before is forecast as well. All steps come at once.

    Parameters
    ----------
    horizon : int
        How many rows ahead to forecast.
    target : str, int or list of them, default=None
        The columns to forecast, by default all but the ids and `known_future`. Columns that
        are neither are past covariates.
    season_length : int, default=None
        Rows in a season (24 for hourly data with a daily pattern). None: no season; the
        forecast builds on the last value.
    window_length : int, default=None
        Rows of history that a forecast is made from. None: twice the horizon, at least 14
        seasons, in whole seasons.
    segment_length : int, default=None
        Rows that enter the LSTM at once; must divide the window length. None: a season, or
        for seasons shorter than 4 rows the largest divisor of the window up to 8.
    hidden_units : int, default=64
        Units of the LSTM layer.
    n_nets : int, default=3
        Nets with different seeds whose forecasts are averaged.
    known_future : list of str or int, default=()
        Columns that are known beforehand, such as the day of the week or a planned price.
        `forecast` takes their next values as `future`.
    regressor : estimator, default=None
        What learns, instead of the default :class:`MultiSeriesLSTMRegressor`. It is used as it
        is, but for `quantiles` and seeds. Regressors that take no 3-D input get each window
        as one row of numbers, and only rows whose targets are complete.
    quantiles : list of float, default=None
        Quantiles to forecast as well, such as (0.1, 0.5, 0.9).
    calibration : {"series", "time"} or None, default=None
        How to hold targets out of the training, on which the quantiles are then shifted so
        that each has its share of the values below it (conformal prediction): whole series (a
        fifth, other ones for each of `n_nets`; right for series never seen too), or the last
        `horizon` rows of each series. The median stays.
    early_stopping : bool, default=False
        Whether to hold out a tenth of the series (of the rows, if there is one series) and
        stop when their loss no longer falls.
    freq : number, str or pandas offset, default=None
        The step in time. None: found from the training rows.
    random_state : int, RandomState instance or None, default=None
        Seeds the nets.
    verbose : int, default=0
        As in :class:`MultiSeriesLSTMRegressor`.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: rows of a series are in
        time order as given.

    Attributes
    ----------
    regressors_ : list of estimators
        The fitted nets.
    window_length_, segment_length_ : int
        As used.
    shifts_ : ndarray of shape (n_targets * horizon, n_quantiles) or None
        What `calibration` adds to the quantiles, in units of a window.
    step_ : number, pandas offset or None
        The step in time; None without `time`.
    n_missing_ : int
        Rows that were missing between the training rows; they count as missing values.
    n_features_in_ : int
        Columns seen in fit, ids included.
    feature_names_in_ : ndarray of str
        Their names, where X had them.

    See Also
    --------
    backtest : Errors of a forecaster over rolling origins.
    MultiSeriesLSTMRegressor : The net.

    Notes
    -----
    *Values.* Targets that are never negative in the training rows are compared on a
    logarithmic scale, all others as they are. A window's level is the mean of its last
    season, its unit the mean absolute difference of rows a season apart. The loss is the
    mean absolute error in these units, each series counting the same.

    *Missing values* (NaN, and rows missing in time) are no targets. In windows, the value a
    season earlier stands for them, and the net sees which they are, if there were any in the
    training rows.

    *Short series.* What is missing at the start of a window is 0 in its units, and where a
    series is shorter than a season, the forecast builds on its last value.

    *Quantiles* are learnt by the pinball loss. Averaged and calibrated ones do not cross.

    *Covariates* are scaled by the mean and deviation of all training rows.

    *Context.* `predict` and `forecast` put the last rows of fit before rows that continue a
    series.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import MultiSeriesForecaster
    >>> day = pd.date_range("2024-01-01", periods=60, freq="D")
    >>> sales = pd.DataFrame({"shop": np.repeat(["a", "b"], 60), "day": day.append(day)})
    >>> sales["sold"] = np.tile([10.0, 12, 11, 13, 15, 20, 8], 18)[:120]
    >>> forecaster = MultiSeriesForecaster(
    ...     horizon=2, season_length=7, series="shop", time="day", random_state=0
    ... )
    >>> forecaster.fit(sales).forecast().round(1)
      shop        day  step  prediction
    0    a 2024-03-01     1        15.0
    1    a 2024-03-02     2        20.0
    2    b 2024-03-01     1        11.0
    3    b 2024-03-02     2        13.0
    """

    step_: Any

    _parameter_constraints: dict = {
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "target": [str, Integral, list, tuple, None],
        "season_length": [Interval(Integral, 1, None, closed="left"), None],
        "window_length": [Interval(Integral, 1, None, closed="left"), None],
        "segment_length": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "n_nets": [Interval(Integral, 1, None, closed="left")],
        "known_future": [list, tuple],
        "regressor": [HasMethods(["fit", "predict"]), None],
        "quantiles": ["array-like", None],
        "calibration": [StrOptions({"series", "time"}), None],
        "early_stopping": ["boolean"],
        "freq": [str, Real, pd.tseries.offsets.BaseOffset, pd.Timedelta, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        horizon,
        *,
        target=None,
        season_length=None,
        window_length=None,
        segment_length=None,
        hidden_units=HIDDEN_UNITS,
        n_nets=3,
        known_future=(),
        regressor=None,
        quantiles=None,
        calibration=None,
        early_stopping=False,
        freq=None,
        random_state=None,
        verbose=0,
        series=None,
        time=None,
    ):
        self.horizon = horizon
        self.target = target
        self.season_length = season_length
        self.window_length = window_length
        self.segment_length = segment_length
        self.hidden_units = hidden_units
        self.n_nets = n_nets
        self.known_future = known_future
        self.regressor = regressor
        self.quantiles = quantiles
        self.calibration = calibration
        self.early_stopping = early_stopping
        self.freq = freq
        self.random_state = random_state
        self.verbose = verbose
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(self, X, y=None):
        """Learn from a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel: ids, time, targets and covariates. Rows may come in any order.
        y : Ignored
            The targets are columns of X.

        Returns
        -------
        self
        """
        self._validate_params()
        if self.calibration is not None and self.quantiles is None:
            raise ValueError(
                f"calibration={self.calibration!r} shifts quantiles, but quantiles is None."
            )
        self._levels = None if self.quantiles is None else check_quantiles(self.quantiles)
        table = self._table(X, reset=True)
        self._season = self.season_length or 1
        self.window_length_ = self._choose_window()
        self.segment_length_ = self._choose_segment()
        self.step_ = None
        rows = read_ids(table, self.series, self.time)
        if self.time is not None:
            stamps = pd.Index(id_values(table, self.time, "time"))[rows.sorting]
            starts = run_starts(rows.codes[rows.sorting])
            self.step_ = learn_step(stamps, starts, self.freq)
        grid = self._grid(table)
        self.n_missing_ = len(grid.values) - len(table)
        self._learned = self._learn(grid)
        self._context = self._last_rows(table, rows)
        self._naive_scale = pd.DataFrame(
            seasonal_scale(
                table, self._season, self._target_names, series=self.series, time=self.time
            )
        )

        chosen = np.sort(grid.at)
        if self.known_future:
            # What is known of the future ends with the panel.
            chosen = chosen[chosen + self.horizon < grid.stops[chosen]]
        if len(chosen) == 0:
            raise ValueError(
                f"No row has {self.horizon} rows of its series after it, of which known_future "
                "needs all: choose a shorter horizon, or pass longer series."
            )
        windows, _, scale, naive = self._windows(grid, chosen)
        true = np.stack(
            [
                next_values(values, known, grid.stops, chosen, self.horizon)
                for values, known in self._scaled(grid)
            ],
            axis=1,
        )
        with np.errstate(invalid="ignore"):
            y = ((true - naive) / scale[:, :, np.newaxis]).astype(np.float32)
        y = y.reshape(len(chosen), -1)
        if np.isnan(y).all():
            raise ValueError(
                "No row has a known target in the rows after it: the series have one row each, or "
                "their values are all missing."
            )
        self._enough = self._choose_enough(windows, y)
        random = check_random_state(self.random_state)
        seeds = random.randint(np.iinfo(np.int32).max, size=self.n_nets)
        self.regressors_, errors = [], []
        for seed, held_out in zip(seeds, self._held_out(grid, chosen, y, seeds[0]), strict=True):
            net = self._fit_one(windows, np.where(held_out, np.nan, y), int(seed))
            self.regressors_.append(net)
            if held_out.any():
                errors.append(self._errors(net, windows, np.where(held_out, y, np.nan)))
        self.shifts_ = conformal_shifts(np.concatenate(errors), self._levels) if errors else None
        return self

    def _fit_one(self, windows, y, seed):
        rows = np.flatnonzero(~np.isnan(y).all(axis=1))
        windows, y = windows[rows], y[rows]
        if self.regressor is None:
            net = self._default_regressor(windows, y, seed)
        else:
            net = clone(self.regressor)
            own = net.get_params()
            if self.quantiles is not None:
                if "quantiles" not in own:
                    raise ValueError(
                        f"quantiles={self.quantiles!r} asks for more than {net!r} can do: it has "
                        "no parameter quantiles."
                    )
                net.set_params(quantiles=self.quantiles)
            if own.get("random_state", 0) is None:
                net.set_params(random_state=seed)
        if not _takes_windows(net):
            complete = ~np.isnan(y).any(axis=1)
            if not complete.any():
                raise ValueError(
                    f"No row has {self.horizon} known targets after it, and {net!r} takes no "
                    "missing ones."
                )
            return net.fit(_flat(windows[complete]), y[complete])
        return net.fit(windows, y)

    def _default_regressor(self, windows, y, seed):
        n_rows = (windows.n_observed >= self._enough).sum()
        batch_size = int(min(BATCH_SIZE, n_rows))
        n_steps = int(np.ceil(STEPS_PER_ROOT * np.sqrt(n_rows)))
        epochs = 10 if self.early_stopping and n_steps >= 10 else 1
        return MultiSeriesLSTMRegressor(
            self.hidden_units,
            segment_length=self.segment_length_,
            loss="mae",
            optimizer={
                "class_name": "Adam",
                "config": {"learning_rate": LEARNING_RATE, "clipnorm": 1.0},
            },
            learning_rate_decay="cosine",
            epochs=epochs,
            steps_per_epoch=n_steps // epochs,
            batch_size=batch_size,
            min_observed=self._enough,
            early_stopping=self.early_stopping,
            validation_by="series" if len(windows.ids) > 1 else "time",
            n_iter_no_change=3,
            quantiles=self.quantiles,
            random_state=seed,
            verbose=self.verbose,
        )

    def _choose_enough(self, windows, y):
        """Rows that a window must hold to teach: more than a season, where there are any such."""
        most = windows.n_observed[~np.isnan(y).all(axis=1)].max()
        return int(min(self._season + 1, self.window_length_, most))

    def _held_out(self, grid, chosen, y, seed):
        """Mark the elements of y that calibrate each net, and do not teach it."""
        if self.calibration is None:
            return [np.zeros((1, 1), bool)] * self.n_nets
        if self.calibration == "time":
            ahead = np.tile(np.arange(1, self.horizon + 1), y.shape[1] // self.horizon)
            at = chosen[:, np.newaxis] + ahead
            return [at >= grid.stops[chosen, np.newaxis] - self.horizon] * self.n_nets
        codes = grid.codes[chosen]
        present = np.unique(codes)
        if len(present) < 2:
            raise ValueError(
                "calibration='series' needs at least two series, got one: choose 'time'."
            )
        n_folds = min(max(N_FOLDS, self.n_nets), len(present))
        fold = np.empty(len(grid.ids), np.intp)
        fold[np.random.default_rng(seed).permutation(present)] = np.arange(len(present)) % n_folds
        return [(fold[codes] == i % n_folds)[:, np.newaxis] for i in range(self.n_nets)]

    def _errors(self, net, windows, y):
        """Held-out targets minus quantiles, (n_rows, n_outputs, n_quantiles)."""
        rows = np.flatnonzero(~np.isnan(y).all(axis=1) & (windows.n_observed >= self._enough))
        if len(rows) == 0:
            raise ValueError(
                f"calibration={self.calibration!r} finds no rows to calibrate on: choose another, "
                "or pass longer series."
            )
        rows = rows[:: -(-len(rows) // MOST_CALIBRATION_ROWS)]
        return y[rows, :, np.newaxis] - self._outputs(net, windows[rows])[..., 1:]

    def _choose_window(self):
        if self.window_length is not None:
            return int(self.window_length)
        rows = max(2 * self.horizon, SEASONS_IN_WINDOW * self._season)
        return -(-rows // self._season) * self._season

    def _choose_segment(self):
        window = self.window_length_
        if self.segment_length is not None:
            if window % self.segment_length:
                raise ValueError(
                    f"segment_length={self.segment_length} does not divide the window length "
                    f"{window}."
                )
            return int(self.segment_length)
        if self._season >= 4 and window % self._season == 0:
            return self._season
        return max(length for length in range(1, 9) if window % length == 0)

    def _learn(self, grid):
        known = ~np.isnan(grid.values)
        for position, name in enumerate(self._target_names):
            if not known[:, position].any():
                raise ValueError(f"The target {name!r} has no known value.")
        scales = [ValueScale.of(values) for values in grid.values.T]
        values = [scale.apply(column) for scale, column in zip(scales, grid.values.T, strict=True)]
        covariates = np.concatenate([grid.past, grid.future], axis=1)
        n_known = (~np.isnan(covariates)).sum(axis=0)
        center = np.nansum(covariates, axis=0) / np.maximum(n_known, 1)
        deviation = np.sqrt(np.nansum((covariates - center) ** 2, axis=0) / np.maximum(n_known, 1))
        return _Learned(
            scales,
            [
                typical_scale(column, is_known, grid.starts, self._season)
                for column, is_known in zip(values, known.T, strict=True)
            ],
            [float(np.nanmedian(column)) for column in values],
            not known.all(),
            center,
            np.where(deviation > 0, deviation, 1.0),
        )

    # ------------------------------------------------------------------------ forecasting

    def forecast(self, panel=None, future=None):
        """Forecast the rows after the last one of each series.

        Parameters
        ----------
        panel : DataFrame or array-like of shape (n_rows, n_columns), default=None
            Histories of series seen in fit or not, with the columns of fit. None: the series
            of fit.
        future : DataFrame or array-like, default=None
            With `known_future`: the next `horizon` rows of each series, with ids, time and
            those columns. Others are not looked at.

        Returns
        -------
        DataFrame of shape (n_series * n_targets * horizon, ...)
            The id and the time under their names ("series" and "time" where they have none;
            without `time`, the row's number in its series), ``step`` from 1, ``target`` where
            there are several, ``prediction``, and a column for each quantile (``q0.1``, say).
        """
        check_is_fitted(self, "regressors_")
        table = None if panel is None else self._table(panel, reset=False)
        table, first_number = self._with_context(table)
        n_rows = len(table)
        table = self._with_future(table, future)
        rows = read_ids(table, self.series, self.time)
        grid = self._grid(table)
        given = np.arange(len(table)) < n_rows
        last = np.full(len(rows.ids), -1)
        np.maximum.at(last, rows.codes[given], grid.at[given])
        self._check_future(grid, last)
        found = self._predict(grid, last)

        n_series, n_targets = found.shape[:2]
        steps = np.arange(1, self.horizon + 1)
        each = self.horizon * n_targets
        if self.time is None:
            count = last - grid.starts[last] + first_number.reindex(rows.ids).to_numpy()
            stamps = pd.Index((count[:, np.newaxis] + steps).ravel())
        else:
            # The last given row of each series: rows of a grid stand where rows were given.
            row_of = np.empty(len(grid.values), np.intp)
            row_of[grid.at] = np.arange(len(table))
            index = pd.Index(id_values(table, self.time, "time"))
            stamps = self.step_.after(index.take(row_of[last]), self.horizon)
        at = np.arange(n_series * self.horizon).reshape(n_series, 1, self.horizon)
        stamps = stamps.take(np.broadcast_to(at, found.shape[:3]).ravel())
        series_name, time_name = self._labels
        columns: dict[str, Any] = {}
        if self.series is not None:
            columns[series_name] = rows.ids.repeat(each)
        columns[time_name] = stamps
        columns["step"] = np.tile(steps, n_series * n_targets)
        if n_targets > 1:
            columns["target"] = np.tile(np.repeat(self._target_names, self.horizon), n_series)
        columns["prediction"] = found[..., 0].ravel()
        for i, quantile in enumerate(() if self._levels is None else self._levels):
            columns[f"q{quantile:g}"] = found[..., 1 + i].ravel()
        return pd.DataFrame(columns)

    def predict(self, X, future=None):
        """Forecast from every row of a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            With the columns of fit. The forecast at a row depends on that row and earlier rows
            of its series, and with `known_future` on those columns of the next rows.
        future : DataFrame or array-like, default=None
            With `known_future`: the `horizon` rows after the last row of each series.

        Returns
        -------
        ndarray of shape (n_rows, n_targets * horizon)
            Target-major, as :func:`make_targets` gives them.
        """
        return self._predict_rows(X, future)[..., 0].reshape(len(X), -1)

    def predict_quantiles(self, X, future=None):
        """Forecast `quantiles` from every row of a panel.

        Parameters
        ----------
        X, future
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_rows, n_targets * horizon, n_quantiles)
        """
        if self.quantiles is None:
            raise ValueError("quantiles is None: choose quantiles, and fit again.")
        found = self._predict_rows(X, future)[..., 1:]
        return found.reshape(len(X), -1, found.shape[-1])

    def score(self, X, y=None):
        """Compare the forecasts made at the end of fit with the rows that came then.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            The rows that follow those of fit, as in a test fold of
            :class:`PerSeriesTimeSplit`. Rows after the first `horizon` of a series are not
            looked at; fewer are fine.
        y : Ignored

        Returns
        -------
        float
            Minus the mean absolute scaled error over the series: larger is better. NaN where no
            series of X has a known value and a scale.
        """
        check_is_fitted(self, "regressors_")
        table = self._table(X, reset=False)
        ids = read_ids(table, self.series, self.time).ids
        past = read_ids(self._context, self.series, self.time)
        known = past.ids.isin(ids)
        if not known.any():
            raise ValueError("No series of X was seen in fit: forecast and compare with a metric.")
        history = self._context[known[past.codes]]
        joined = pd.concat([history, table])
        rows = read_ids(joined, self.series, self.time)
        grid = self._grid(joined)
        last = np.full(len(rows.ids), -1)
        np.maximum.at(last, rows.codes[: len(history)], grid.at[: len(history)])
        last = last[last >= 0]
        self._check_future(grid, last)
        found = self._predict(grid, last)[..., 0]
        errors = [
            mase(
                next_values(values, ~np.isnan(values), grid.stops, last, self.horizon),
                found[:, i],
                scale=self._naive_scale.iloc[:, i].loc[rows.ids[grid.codes[last]]].to_numpy(),
            )
            for i, values in enumerate(grid.values.T)
        ]
        return -float(np.mean(errors))

    def _predict_rows(self, X, future):
        check_is_fitted(self, "regressors_")
        table = self._table(X, reset=False)
        n_rows = len(table)
        joined, _ = self._with_context(table)
        n_context = len(joined) - n_rows
        grid = self._grid(self._with_future(joined, future))
        rows = grid.at[n_context : n_context + n_rows]
        self._check_future(grid, rows)
        return self._predict(grid, rows)

    def _predict(self, grid, rows):
        """Forecasts (n_rows, n_targets, horizon, 1 + n_quantiles), predictions first."""
        parts = [
            self._predict_part(grid, rows[start : start + ROWS_AT_ONCE])
            for start in range(0, len(rows), ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def _predict_part(self, grid, rows):
        windows, center, scale, naive = self._windows(grid, rows)
        outputs = np.mean([self._outputs(net, windows) for net in self.regressors_], axis=0)
        if self.shifts_ is not None:
            outputs[..., 1:] = np.sort(outputs[..., 1:] + self.shifts_, axis=-1)
        outputs = outputs.reshape(*naive.shape, -1)
        found = naive[..., np.newaxis] + outputs * scale[:, :, np.newaxis, np.newaxis]
        for i, value_scale in enumerate(self._learned.scales):
            found[:, i] = value_scale.undo(found[:, i])
        return found

    def _outputs(self, net, windows):
        """Compute the outputs of one net, of shape (n_rows, n_outputs, 1 + n_quantiles)."""
        X = windows if _takes_windows(net) else _flat(windows)
        median = np.reshape(net.predict(X), (len(windows), -1, 1))
        if self.quantiles is None:
            return median
        quantiles = np.reshape(net.predict_quantiles(X), (*median.shape[:2], -1))
        return np.concatenate([median, quantiles], axis=2)

    # ------------------------------------------------------------------- reading the input

    def _table(self, X, reset):
        """Check X, and make a DataFrame of it."""
        columns = None
        if isinstance(X, pd.DataFrame) or self.series is not None or self.time is not None:
            X = as_table(X)
            columns = self._columns(X)
        panel = read_panel(
            X, columns=columns, series=self.series, time=self.time, estimator=self, reset=reset
        )
        if isinstance(X, pd.DataFrame):
            table = X
        else:
            table = pd.DataFrame(panel.values if columns is None else X)
        if reset:
            self._positions = self._find(table)
            self._target_names = [table.columns[i] for i in self._positions["target"]]
            self._labels = (
                _label(table, self.series, "series"),
                _label(table, self.time, "time"),
            )
        return table

    def _columns(self, X):
        """Columns that are looked at: all but the ids."""
        return select_features(X, None, self.series, self.time)

    def _find(self, table):
        """Positions of targets, past covariates and columns known beforehand."""
        every = select_features(table, None, self.series, self.time)
        known = (
            select_features(table, list(self.known_future), self.series, self.time)
            if self.known_future
            else []
        )
        if self.target is None:
            target = [i for i in every if i not in known]
        else:
            named = list(self.target) if isinstance(self.target, (list, tuple)) else self.target
            target = select_features(table, named, self.series, self.time)
        if shared := set(target) & set(known):
            names = [table.columns[i] for i in shared]
            raise ValueError(
                f"{names} are both target and known_future: what is to be forecast is not known "
                "beforehand."
            )
        if not target:
            raise ValueError("No column is left to forecast: all are ids or in known_future.")
        past = [i for i in every if i not in target and i not in known]
        return {"target": target, "past": past, "future": known}

    def _grid(self, table):
        """Sort the rows of a checked table, and make place for the missing ones."""
        rows = read_ids(table, self.series, self.time)
        order = rows.sorting
        codes = rows.codes[order]
        if self.time is None:
            at = np.arange(len(codes))
        else:
            stamps = pd.Index(id_values(table, self.time, "time"))[order]
            at, codes = fill_gaps(codes, self.step_.numbers(stamps, run_starts(codes)))
        places = np.empty(len(at), np.intp)
        places[order] = at
        blocks = {}
        for name, positions in self._positions.items():
            block = np.full((len(codes), len(positions)), np.nan)
            if positions:
                block[places] = check_array(
                    table.iloc[:, positions],
                    dtype=np.float64,
                    ensure_all_finite="allow-nan",
                    input_name="X",
                )
            blocks[name] = block
        first = run_starts(codes)
        counts = np.diff(first, append=len(codes))
        return _Grid(
            blocks["target"],
            blocks["past"],
            blocks["future"],
            np.repeat(first, counts),
            np.repeat(first + counts, counts),
            codes,
            rows.ids,
            places,
        )

    def _scaled(self, grid):
        """Values of each target on its scale, and which are known."""
        for scale, values in zip(self._learned.scales, grid.values.T, strict=True):
            known = ~np.isnan(values)
            yield scale.apply(values), known

    def _windows(self, grid, rows):
        """Windows that end at `rows`, with center, scale and seasonal naive forecast.

        Shapes of the last three: (n_rows, n_targets), the same, (n_rows, n_targets, horizon).
        """
        window, season, learned = self.window_length_, self._season, self._learned
        features, centers, scales, naive = [], [], [], []
        all_known = np.zeros(len(grid.values), bool)
        for i, (values, known) in enumerate(self._scaled(grid)):
            all_known |= known
            filled = fill_missing(values, known, grid.starts, season, window, learned.level[i])
            # Differences from a near number keep their digits in the net's float32.
            base = filled[grid.starts]
            center, scale = window_units(
                filled - base,
                known,
                grid.starts,
                season=season,
                window=window,
                typical=learned.typical[i],
                otherwise=0.0,
            )
            features.append(filled - base)
            centers.append(center[rows])
            scales.append(scale[rows])
            naive.append(seasonal_naive(filled, grid.starts, rows, season, self.horizon))
        covariates = np.concatenate([grid.past, grid.future], axis=1)
        covariates = (covariates - learned.center) / learned.deviation
        ones = np.arange(len(grid.values))
        for column in covariates.T:
            features.append(fill_missing(column, ~np.isnan(column), grid.starts, 1, window, 0.0))
        for column in features[len(features) - grid.future.shape[1] :]:
            features.append(column[np.minimum(ones + self.horizon, grid.stops - 1)])
        if learned.has_missing:
            features.extend(np.isnan(grid.values).T.astype(float))
        center, scale = np.stack(centers, axis=1), np.stack(scales, axis=1)
        units = OwnUnits(center.astype(np.float32), scale.astype(np.float32), LIMIT)
        # History begins with the first known value.
        position = np.where(all_known, ones, len(ones))
        begin = np.minimum.reduceat(position, np.unique(grid.starts))
        begin = np.repeat(begin, np.diff(np.unique(grid.starts), append=len(ones)))[rows]
        windows = Windows(
            np.stack(features, axis=1).astype(np.float32),
            rows,
            np.clip(rows - begin + 1, 1, window).astype(np.int32),
            window,
            padding="zero",
            codes=grid.codes[rows],
            ids=grid.ids,
            units=units,
        )
        return windows, center, scale, np.stack(naive, axis=1)

    # ------------------------------------------------------------------ context and future

    def _last_rows(self, table, rows):
        """Take the rows of each series that later forecasts can depend on."""
        order, codes = rows.sorting, rows.codes[rows.sorting]
        starts = run_starts(codes)
        sizes = np.diff(starts, append=len(codes))
        from_end = np.repeat(starts + sizes, sizes) - np.arange(len(codes))
        most = 2 * self.window_length_ + self._season
        kept = from_end <= most
        self._n_dropped = pd.Series(np.maximum(sizes - most, 0), rows.ids)
        return table.iloc[order[kept]]

    def _with_context(self, table):
        """Put the last rows of fit before rows that continue their series.

        Returns the rows, and the number in its series of each series' first row.
        """
        if table is None:
            return self._context, self._n_dropped
        rows = read_ids(table, self.series, self.time)
        first_number = pd.Series(0, rows.ids)
        if self.time is None:
            return table, first_number
        past = read_ids(self._context, self.series, self.time)
        known = past.ids.get_indexer(rows.ids)
        last_time = pd.Series(past.time).groupby(past.codes).max().to_numpy()
        first = pd.Series(rows.time).groupby(rows.codes).min().to_numpy()
        continued = (known >= 0) & (first > last_time[known])
        wanted = np.zeros(len(past.ids), bool)
        wanted[known[continued]] = True
        return pd.concat([self._context[wanted[past.codes]], table]), first_number

    def _with_future(self, table, future):
        """Put rows of which just `known_future` is known after the table."""
        if not self.known_future:
            if future is not None:
                raise ValueError("future was passed, but known_future names no column.")
            return table
        if future is None:
            return table
        future = pd.DataFrame(future) if not isinstance(future, pd.DataFrame) else future
        read_ids(future, self.series, self.time)
        known = [table.columns[i] for i in self._positions["future"]]
        missing = [name for name in known if name not in future.columns]
        if missing:
            raise ValueError(f"future has no column {missing}, which known_future names.")
        others = [table.columns[i] for name in ("target", "past") for i in self._positions[name]]
        return pd.concat([table, future.drop(columns=others, errors="ignore")])

    def _check_future(self, grid, rows):
        """Make sure that all that is known beforehand is known for the rows to forecast."""
        if not self.known_future:
            return
        rows = np.asarray(rows)
        bad = rows + self.horizon >= grid.stops[rows]
        for column in grid.future.T:
            missing = np.concatenate([[0], np.cumsum(np.isnan(column))])
            end = np.minimum(rows + self.horizon + 1, grid.stops[rows])
            bad |= missing[end] > missing[rows + 1]
        if bad.any():
            series = grid.ids[grid.codes[rows[np.flatnonzero(bad)[0]]]]
            raise ValueError(
                f"The columns {list(self.known_future)} must be known for the {self.horizon} rows "
                f"after each row that is forecast from; they are not for {bad.sum()} rows, the "
                f"first of series {series!r}. Pass them as future=."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags


def _takes_windows(regressor):
    return get_tags(regressor).input_tags.three_d_array


def _flat(windows):
    return np.asarray(windows).reshape(len(windows), -1)


def _label(table, name, default):
    """Name of the id or time column in a forecast."""
    if name is None:
        return default
    position = column_position(table, name)
    if position is None:
        return name
    return column_names(table, [position])[0] if isinstance(table.columns[position], str) else name
