"""Forecasts of many series by one net: the next values of every series, from its window."""

from __future__ import annotations

from datetime import timedelta
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.frequency import infer_frequency
from sklstm._panel.read import (
    as_table,
    check_time_kind,
    id_label,
    read_panel,
    read_series_rows,
    select_features,
    time_stamps,
)
from sklstm._panel.rows import run_starts
from sklstm.forecasting._normalization import conformal_shifts, next_values
from sklstm.forecasting._window_builder import Grid, WindowMaker
from sklstm.lstm._regressor import MultiSeriesLSTMRegressor
from sklstm.lstm._targets import check_quantiles
from sklstm.metrics import mase, seasonal_scale

# The default recipe, chosen on the last horizon of training parts (benchmarks/accuracy.py).
SEASONS_IN_WINDOW = 14
HIDDEN_UNITS = 64
BATCH_SIZE = 256
# Training steps for each square root of the rows, and of the series: more rows teach more, but
# those of few series tell much the same. Few rows are soon learnt by heart: so many passes.
STEPS_PER_ROOT = 4
STEPS_PER_ROOT_OF_SERIES = 80
PASSES = 4
LEAST_STEPS = 100
LEARNING_RATE = 1e-2
# Windows that teach as much as the seasonal naive forecast is trusted for: n of them move the
# forecast by n / (n + PRIOR_WINDOWS) of the way from it to the net's.
PRIOR_WINDOWS = 500
# Values of a window, in its own units, bend towards this bound.
LIMIT = 7.0
# Series are held out for calibration in so many parts at least, and so many rows suffice.
N_FOLDS = 5
MOST_CALIBRATION_ROWS = 20_000
# Forecasts from so many rows at once: their outputs are held in memory.
ROWS_AT_ONCE = 2**16


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
    freq : number, str, pandas offset or timedelta, default=None
        The step in time. None: found from the training rows; periods have their own.
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
    step_ : number, Timedelta, pandas offset or None
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

    *Few rows.* The forecast lies between the seasonal naive one and the net's, the nearer to
    the first the fewer windows have taught the net: half of the way at 500 windows, 99 % at
    50,000.

    *Missing values* (NaN, and rows missing in time) are no targets. In windows, the value a
    season earlier stands for them, and the net sees which they are, if there were any in the
    training rows.

    *Short series.* What is missing at the start of a window is 0 in its units, and where a
    series is shorter than a season, the forecast builds on its last value.

    *Quantiles* are learnt by the pinball loss. Averaged and calibrated ones do not cross.

    *Covariates* are scaled by the mean and deviation of all training rows.

    *Context.* Where `time` is known, `predict` and `forecast` put the last rows of fit before
    rows of a series that all come later; other rows see only rows passed with them.

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
    >>> forecaster.fit(sales).forecast().round({"prediction": 1})
      shop        day  step  prediction
    0    a 2024-03-01     1        15.0
    1    a 2024-03-02     2        20.0
    2    b 2024-03-01     1        12.0
    3    b 2024-03-02     2        11.0
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
        "freq": [str, Real, pd.offsets.BaseOffset, timedelta, None],
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
        table, rows = self._table(X, reset=True)
        self._season = self.season_length or 1
        self.window_length_ = self._choose_window()
        self.segment_length_ = self._choose_segment()
        self._step: Any = None
        if self.time is not None:
            stamps = time_stamps(table, self.time)[rows.sorting]
            self._step = infer_frequency(stamps, run_starts(rows.codes[rows.sorting]), self.freq)
        self.step_ = None if self._step is None else self._step.step
        grid = self._grid(table, rows)
        self.n_missing_ = len(grid.values) - len(table)
        for values, name in zip(grid.values.T, self._target_names, strict=True):
            if np.isnan(values).all():
                raise ValueError(f"The target {name!r} has no known value.")
        self._maker = WindowMaker.learn(
            grid,
            horizon=self.horizon,
            season=self._season,
            window=self.window_length_,
            limit=LIMIT,
        )
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
        windows, scale, naive = self._maker.make(grid, chosen)
        y = self._maker.targets(grid, chosen, scale, naive)
        if np.isnan(y).all(axis=0).any():
            raise ValueError(
                f"No row of X (n_samples={len(table)}) has a known target {self.horizon} steps "
                f"after it: the longest series has {(grid.stops - grid.starts).max()} steps. "
                "Choose a shorter horizon, or pass longer series."
            )
        self._enough = self._choose_enough(windows, y)
        n_taught = self._count_taught(windows, y)
        self._trust = n_taught / (n_taught + PRIOR_WINDOWS) if self.regressor is None else 1.0
        random = check_random_state(self.random_state)
        seeds = random.randint(np.iinfo(np.int32).max, size=self.n_nets)
        self.regressors_, errors = [], []
        for seed, held_out in zip(seeds, self._held_out(grid, chosen, y, seeds[0]), strict=True):
            rows = np.flatnonzero(np.broadcast_to(~held_out.all(axis=1), len(y)))
            taught = np.where(held_out, np.nan, y)[rows]
            net = self._fit_one(windows[rows], taught, int(seed))
            self.regressors_.append(net)
            if held_out.any():
                errors.append(self._errors(net, windows, np.where(held_out, y, np.nan)))
        self.shifts_ = conformal_shifts(np.concatenate(errors), self._levels) if errors else None
        return self

    def _fit_one(self, windows, y, seed):
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
        n_rows = self._count_taught(windows, y)
        n_series = len(np.unique(windows.codes))
        batch_size = int(np.clip(n_rows / 20, 1, BATCH_SIZE))
        n_steps = min(
            STEPS_PER_ROOT * np.sqrt(n_rows),
            STEPS_PER_ROOT_OF_SERIES * np.sqrt(n_series),
            PASSES * n_rows / batch_size,
        )
        n_steps = int(max(n_steps, LEAST_STEPS))
        epochs = 10 if self.early_stopping and n_steps >= 10 else 1
        return MultiSeriesLSTMRegressor(
            self.hidden_units,
            segment_length=self.segment_length_,
            skip=True,
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
        """Choose how many rows a window must hold to teach.

        Half of it, or more than a season where that would leave out more than a third of the
        windows; never so many that a step of the horizon has no target.
        """
        known = ~np.isnan(y)
        most = np.where(known, windows.n_observed[:, np.newaxis], 0).max(axis=0).min()
        half = self.window_length_ // 2
        many = np.mean(windows.n_observed[known.any(axis=1)] >= half) >= 2 / 3
        return int(np.clip(max(half, 1) if many else self._season + 1, 1, most))

    def _count_taught(self, windows, y):
        return np.sum(~np.isnan(y).all(axis=1) & (windows.n_observed >= self._enough))

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
            those columns. Other columns and other series are not looked at.

        Returns
        -------
        DataFrame of shape (n_series * n_targets * horizon, ...)
            The id and the time under their names ("series" and "time" where they have none;
            without `time`, the row's number in its series), ``step`` from 1, ``target`` where
            there are several, ``prediction``, and a column for each quantile (``q0.1``, say).
        """
        check_is_fitted(self, "regressors_")
        if panel is None:
            table, first_number = self._context, self._n_dropped
        else:
            given, rows = self._table(panel, reset=False)
            table, first_number = self._with_context(given, rows), pd.Series(0, rows.ids)
        n_rows = len(table)
        table, rows = self._with_future(table, future)
        grid = self._grid(table, rows)
        last = grid.last(slice(n_rows))
        found = self._predict(grid, last)

        n_series, n_targets = found.shape[:2]
        steps = np.arange(1, self.horizon + 1)
        each = self.horizon * n_targets
        if self.time is None:
            count = last - grid.starts[last] + first_number.loc[rows.ids].to_numpy()
            stamps = pd.Index((count[:, np.newaxis] + steps).ravel())
        else:
            row_of = np.empty(len(grid.values), np.intp)
            row_of[grid.at] = np.arange(len(table))
            last_stamps = time_stamps(table, self.time).take(row_of[last])
            stamps = self._step.after(last_stamps, self.horizon)
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
        for i, name in enumerate(self._quantile_names()):
            columns[name] = found[..., 1 + i].ravel()
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
        found = self._predict_rows(X, future)[..., 0]
        return found.reshape(len(found), -1)

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
        return found.reshape(len(found), -1, found.shape[-1])

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
        table, rows = self._table(X, reset=False)
        past = read_series_rows(self._context, self.series, self.time)
        known = past.ids.isin(rows.ids)
        if not known.any():
            raise ValueError("No series of X was seen in fit: forecast and compare with a metric.")
        if self.time is not None and (early := ~self._follow(rows, past)).any():
            raise ValueError(
                f"score takes rows that come after those of fit; {early.sum()} series of X have "
                f"earlier ones, the first is {rows.ids[early][0]!r}."
            )
        history = self._context[known[past.codes]]
        joined = pd.concat([history, table])
        rows = read_series_rows(joined, self.series, self.time)
        grid = self._grid(joined, rows)
        last = grid.last(slice(len(history)))
        last = last[last >= 0]
        found = self._predict(grid, last)[..., 0]
        scales = self._naive_scale.loc[rows.ids[grid.codes[last]]]
        errors = [
            mase(
                next_values(values, grid.stops, last, self.horizon),
                found[:, i],
                scale=scales.iloc[:, i].to_numpy(),
            )
            for i, values in enumerate(grid.values.T)
        ]
        return -float(pd.Series(errors).mean())

    def _predict_rows(self, X, future):
        check_is_fitted(self, "regressors_")
        table, rows = self._table(X, reset=False)
        n_rows = len(table)
        table, rows = self._with_future(self._with_context(table, rows), future)
        grid = self._grid(table, rows)
        return self._predict(grid, grid.at[:n_rows])

    def _predict(self, grid, rows):
        """Forecasts (n_rows, n_targets, horizon, 1 + n_quantiles), predictions first."""
        self._check_future(grid, rows)
        windows, scale, naive = self._maker.make(grid, rows)
        found = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            outputs = [self._outputs(net, windows[part]) for net in self.regressors_]
            outputs = np.mean(outputs, axis=0)
            if self.shifts_ is not None:
                outputs[..., 1:] = np.sort(outputs[..., 1:] + self.shifts_, axis=-1)
            outputs = outputs.reshape(*naive[part].shape, -1)
            # Quantiles move with the median, so that intervals keep their width.
            outputs -= (1 - self._trust) * outputs[..., :1]
            found.append(self._maker.forecasts(outputs, scale[part], naive[part]))
        return np.concatenate(found)

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
        """Check X, and make a DataFrame of it; read its ids."""
        panel = read_panel(X, series=self.series, time=self.time, estimator=self, reset=reset)
        if isinstance(X, pd.DataFrame):
            table = X
        elif self.series is None and self.time is None:
            table = pd.DataFrame(panel.values)
        else:
            table = pd.DataFrame(as_table(X))
        if reset:
            self._positions = self._find(table)
            self._target_names = [table.columns[i] for i in self._positions["target"]]
            self._labels = (
                id_label(table, self.series, "series"),
                id_label(table, self.time, "time"),
            )
            names = [*self._labels, "step", "target", "prediction", *self._quantile_names()]
            if len(set(names)) < len(names):
                raise ValueError(
                    f"The forecast would have two columns of one name: {names}, of which the first "
                    "two are the id and the time. Rename these."
                )
        return table, panel

    def _quantile_names(self):
        return [f"q{quantile:g}" for quantile in ([] if self.quantiles is None else self.quantiles)]

    def _find(self, table):
        """Positions of targets, past covariates and columns known beforehand."""
        every = select_features(table, None, self.series, self.time)
        known, target = [], self.target
        if self.known_future:
            known = select_features(
                table, list(self.known_future), self.series, self.time, "known_future"
            )
        if target is None:
            target = [i for i in every if i not in known]
        else:
            target = list(target) if isinstance(target, (list, tuple)) else target
            target = select_features(table, target, self.series, self.time, "target")
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

    def _grid(self, table, rows):
        stamps = None if self.time is None else time_stamps(table, self.time)
        return Grid.read(table, rows, stamps=stamps, step=self._step, **self._positions)

    # ------------------------------------------------------------------ context and future

    def _last_rows(self, table, rows):
        """Take the rows of each series that later forecasts can depend on."""
        order, codes = rows.sorting, rows.codes[rows.sorting]
        starts = run_starts(codes)
        sizes = np.diff(starts, append=len(codes))
        from_end = np.repeat(starts + sizes, sizes) - np.arange(len(codes))
        most = self._maker.reach
        kept = from_end <= most
        self._n_dropped = pd.Series(np.maximum(sizes - most, 0), rows.ids)
        return table.iloc[order[kept]]

    def _with_context(self, table, rows):
        """Put the last rows of fit after rows that continue their series; time tells the order."""
        if self.time is None:
            return table
        past = read_series_rows(self._context, self.series, self.time)
        continued = past.ids.isin(rows.ids[self._follow(rows, past)])
        return pd.concat([table, self._context[continued[past.codes]]])

    @staticmethod
    def _follow(rows, past):
        """Whether all rows of each series come later than its past, if it has one."""
        last = pd.Series(past.time).groupby(past.codes).max().set_axis(past.ids)
        first = pd.Series(rows.time).groupby(rows.codes).min()
        return ~(first.to_numpy() <= last.reindex(rows.ids).to_numpy())

    def _with_future(self, table, future):
        """Put rows of which just `known_future` is known after the table; read the ids."""
        if future is None:
            return table, read_series_rows(table, self.series, self.time)
        if not self.known_future:
            raise ValueError("future was passed, but known_future names no column.")
        future = future if isinstance(future, pd.DataFrame) else pd.DataFrame(as_table(future))
        rows = read_series_rows(future, self.series, self.time)
        check_time_kind(self, rows.time_kind, reset=False)
        known = [table.columns[i] for i in self._positions["future"]]
        missing = [name for name in known if name not in future.columns]
        if missing:
            raise ValueError(f"future has no column {missing}, which known_future names.")
        others = [table.columns[i] for name in ("target", "past") for i in self._positions[name]]
        ids = read_series_rows(table, self.series, self.time).ids
        future = future[rows.ids.isin(ids)[rows.codes]].drop(columns=others, errors="ignore")
        table = pd.concat([table, future])
        return table, read_series_rows(table, self.series, self.time)

    def _check_future(self, grid, rows):
        """Make sure that all that is known beforehand is known for the rows to forecast."""
        if not self.known_future:
            return
        lacks = grid.lacks_future(rows, self.horizon)
        if lacks.any():
            series = grid.ids[grid.codes[rows[lacks][0]]]
            raise ValueError(
                f"The columns {list(self.known_future)} must be known for the {self.horizon} steps "
                f"after each row that is forecast from; they are not for {lacks.sum()} rows, the "
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
