"""Forecast many series with one network.

This module is long because of its docstrings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._bar import follow
from sklstm._files.checkpoint import Checkpoint
from sklstm._panel.categories import CategoricalFeature, encode_categories, in_window
from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.find_categories import CATEGORICAL_FEATURES, FROM_DTYPE, learn_categories
from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.frames import FrameKind, as_plain, frame_kind, in_kind
from sklstm._panel.infer_frequency import infer_frequency
from sklstm._panel.numeric_columns import check_numeric_columns
from sklstm._panel.read import (
    as_table,
    read_panel,
    read_series_rows,
    time_stamps,
)
from sklstm._panel.rows import SeriesRows
from sklstm._panel.seasons import as_seasons
from sklstm._panel.show import show
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.unchanged import check_time_kind, check_time_zone
from sklstm._panel.user_warnings import warn_user
from sklstm._progress import fit_task, with_callbacks
from sklstm._streaming.methods import check_block_series, concatenate_blocks
from sklstm._streaming.panel_dataset import PanelDataset
from sklstm.forecasting import _recipe as recipe
from sklstm.forecasting._calibration import HeldOut, held_out_errors, hold_out
from sklstm.forecasting._columns import (
    PanelColumns,
    forecast_table,
    order_levels,
    quantile_names,
)
from sklstm.forecasting._context import (
    FittedContext,
    JoinedRows,
    check_after,
    check_known_values,
    check_later,
    check_series,
)
from sklstm.forecasting._estimators import (
    configure_regressor,
    fit_regressor,
    predict_outputs,
    set_checkpoint,
)
from sklstm.forecasting._grid import RegularGrid
from sklstm.forecasting._normalization import mean_differences, next_values
from sklstm.forecasting._window_builder import WindowBuilder
from sklstm.lstm._conformal import check_calibration, conformal_shifts
from sklstm.lstm._targets import check_quantiles
from sklstm.metrics import mase

# Rows of a PanelDataset on which a forecaster is fitted.
MAX_ROWS = recipe.MAX_WINDOWS
# Rows from whose series one block of forecasts is made.
BLOCK_ROWS = 2**20


class MultiSeriesForecaster(PanelEstimator):
    """Forecast the next values of many series with one network.

    Each window is normalised by its own level and scale, and the network predicts the residual of
    the seasonal naive forecast. So one network learns from series of any level, and it forecasts
    series that were not among the training series. All steps of the horizon are predicted at once.

    Parameters
    ----------
    horizon : int
        Number of rows to forecast.
    target : str, int or list of them, default=None
        The columns to forecast. None: all but the ids, `known_future` and categories. The
        remaining columns are past covariates.
    season_length : int or tuple of int, default=None
        Rows in a season (24 for hourly data with a daily pattern), or in several seasons, such as
        (24, 168) for a daily and a weekly pattern; see *Several seasons* in the notes. None: no
        season; the naive forecast is the last value. :func:`suggest_season_length` finds seasons.
    window_length : int, default=None
        Rows of history that a forecast is based on. None: twice the horizon, at least 14 of the
        shortest and 3 of the longest of several seasons, rounded up to whole seasons. With
        `known_future`, choose at least the horizon: a window holds the values of its last
        `window_length` steps ahead, and a warning names the steps before.
    segment_length : int, default=None
        Rows that enter the LSTM per step; must divide the window length. None: a season, or, if a
        season is shorter than 4 rows or does not divide the window length, the largest divisor of
        the window length up to 8.
    hidden_units : int, default=64
        Units of the LSTM layer.
    n_estimators : int, default=3
        Number of networks, with different seeds, whose forecasts are averaged.
    known_future : str, int or list of them, default=()
        Columns that are known beforehand, such as the day of the week or a planned price.
        `forecast` and `predict` take their next values as `future`. See *Missing covariates* in
        the notes.
    categorical_features : "from_dtype", list of str or int, or None, default="from_dtype"
        Covariates that are categories, of any type. "from_dtype": the columns of dtype "category".
        See *Categories* in the notes.
    regressor : estimator, default=None
        Regressor to use in place of the default :class:`MultiSeriesLSTMRegressor`. One clone is
        fitted per seed; only its `quantiles` and, if unset, its `random_state` are changed.
        Regressors that do not accept 3-D input receive each window as one flat row, and only the
        rows whose targets are complete.
    quantiles : list of float, default=None
        Quantiles to forecast in addition to the point forecast, such as (0.1, 0.5, 0.9).
    calibration : {"series", "time"} or None, default=None
        Which targets to hold out of training in order to calibrate the quantiles on them
        (conformal prediction): each quantile is shifted so that the share of held-out values below
        it equals its level. "series" holds out a fifth of the series, different ones for each of
        the `n_estimators`. Choose it if you will also forecast new series. "time" holds out the
        last `horizon` rows of each series. The median is not shifted.
    step_weight : array-like of shape (horizon,), default=None
        Positive weight of each step ahead in the loss, for all targets. Only their ratios matter.
        None: all steps count the same. The network learns errors that are multiplied by these
        weights; the square of them weights the squared errors of a `regressor` of your own.
    early_stopping : bool, default=False
        Whether to hold out a tenth of the series (or of the rows, if there is only one series) and
        stop when their loss no longer falls.
    freq : number, str, pandas offset or timedelta, default=None
        The time step. None: inferred from the training rows. Periods define their own.
    random_state : int, RandomState instance or None, default=None
        Seeds the networks.
    checkpoint : path-like or :class:`sklstm.Checkpoint`, default=None
        Folder in which `fit` saves the state of each network after each epoch, as in
        :class:`MultiSeriesLSTMRegressor`; the same `fit` later continues where it was interrupted.
        It needs an integer `random_state`.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar in `fit`, `forecast` and `predict`, and 2 prints one
        line per epoch.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. None: all rows are one series.
    time : str, int or None, default=None
        Column name, index level name or column position of the time. None: rows of each series must
        already be in time order.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted regressors.
    window_length_ : int
        The window length in use.
    segment_length_ : int
        The segment length in use.
    shifts_ : ndarray of shape (n_targets * horizon, n_quantiles) or None
        Shifts that `calibration` adds to the quantiles, in units of the normalised window.
    freq_ : number, Timedelta, pandas offset or None
        The time step; None without `time`.
    n_missing_ : int
        Number of time steps missing between the training rows; they count as missing values.
    n_features_in_ : int
        Number of columns seen in fit, ids included.
    feature_names_in_ : ndarray of str
        Their names, if X has them.

    See Also
    --------
    backtest : Errors of a forecaster over rolling origins.
    MultiSeriesLSTMRegressor : The default regressor.

    Notes
    -----
    *Normalisation.* A target that is never negative in the training rows is transformed by a
    logarithm; other targets are not transformed. The level of a window is the mean of its last
    season, its scale is the mean absolute difference between rows one season apart. The loss is the
    mean absolute error of normalised values; series are weighted equally.

    *Several seasons.* The network then predicts the residual of a mixture of naive forecasts: the
    last one of the shortest season, and of each longer season the last one and the means of its
    last two and three. Their shares are fitted for each window to its own past, by regularised
    least squares: how well they would have forecast its rows. The past errors of the mixture, one
    season ahead, are a further feature of the windows. A season for which the history is too short
    has no share. Whatever else depends on a season uses the shortest one: the level, the scale, the
    replacement of missing values, and the scale of `score`.

    *Small training sets.* The forecast is a weighted mean of the seasonal naive forecast and the
    network's forecast. The weight of the network grows with the number of training windows: 50 % at
    500 windows, 99 % at 50,000. A regressor of your own has a weight of 100 %.

    *Missing values* (NaN, and missing time steps) are left out of the loss. In windows they are
    replaced by the value one season earlier. If any were missing in the training rows, the
    network gets an indicator of missing values as a further feature.

    *Missing covariates.* A time step without a row, between two rows of its series, has unknown
    covariates, as if the row were there with NaN. Training and forecasts replace them by the last
    known value of the series, or by the mean of the training rows if none of the last
    `window_length` steps has one. Where this happens at steps ahead of a row that is forecast from,
    a warning counts the steps. To use the true values of `known_future`, pass the rows with NaN as
    targets. Steps after the last row that is passed are not filled: rows of `future` are required
    up to the last step of the horizon, without NaN in those columns.

    *Short series.* Windows that reach back before the start of their series are padded with 0
    after normalisation. The naive forecast of a series shorter than a season is its last value.

    *Quantiles* are trained with the pinball loss. Averaged and calibrated quantiles do not cross.

    *Covariates* are standardised by their mean and standard deviation over all training rows.

    *Categories.* The network learns a vector for each category, and one for categories that were
    not seen in fit. A category that is constant within each series, such as a brand, enters the
    network once. If it is not in `known_future`, it needs no rows in `future`. Other regressors
    receive codes: 1 for the first category, and 0 for unknown ones.

    *Context.* Where `time` is known, `fit` remembers the last rows of each series. A row of a
    fitted series that is later than its last fitted row continues it: its forecast uses the
    remembered rows and the later rows that are passed with it. Passing earlier rows as well changes
    nothing. Forecasts at all other rows use only the rows passed with them.

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

    freq_: Any
    _categories: tuple[CategoricalFeature, ...] = ()
    _frame_kind: FrameKind | None

    _parameter_constraints: dict[str, Any] = {
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "target": [str, Integral, list, tuple, None],
        "season_length": "no_validation",  # fit has the better messages
        "window_length": [Interval(Integral, 1, None, closed="left"), None],
        "segment_length": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "known_future": [str, Integral, list, tuple],
        "categorical_features": CATEGORICAL_FEATURES,
        "regressor": [HasMethods(["fit", "predict"]), None],
        "quantiles": ["array-like", None],
        "calibration": [StrOptions({"series", "time"}), None],
        "step_weight": "no_validation",
        "early_stopping": ["boolean"],
        "freq": [str, Real, pd.offsets.BaseOffset, timedelta, None],
        "random_state": ["random_state"],
        "checkpoint": [str, os.PathLike, Checkpoint, None],
        "verbose": ["verbose"],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        horizon: int,
        *,
        target: str | int | Sequence[str | int] | None = None,
        season_length: int | Sequence[int] | None = None,
        window_length: int | None = None,
        segment_length: int | None = None,
        hidden_units: int = recipe.HIDDEN_UNITS,
        n_estimators: int = 3,
        known_future: str | int | Sequence[str | int] = (),
        categorical_features: Sequence[str | int] | str | None = FROM_DTYPE,
        regressor: Any = None,
        quantiles: ArrayLike | None = None,
        calibration: Literal["series", "time"] | None = None,
        step_weight: ArrayLike | None = None,
        early_stopping: bool = False,
        freq: float | str | pd.offsets.BaseOffset | timedelta | None = None,
        random_state: int | np.random.RandomState | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
        verbose: int = 0,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.horizon = horizon
        self.target = target
        self.season_length = season_length
        self.window_length = window_length
        self.segment_length = segment_length
        self.hidden_units = hidden_units
        self.n_estimators = n_estimators
        self.known_future = known_future
        self.categorical_features = categorical_features
        self.regressor = regressor
        self.quantiles = quantiles
        self.calibration = calibration
        self.step_weight = step_weight
        self.early_stopping = early_stopping
        self.freq = freq
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.series = series
        self.time = time

    @with_callbacks
    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Fit the forecaster to a panel.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
            A panel: ids, time, targets and covariates. Rows may be in any order. Of a PanelDataset
            with more than two million rows, series drawn at random are used, up to that number.
        y : None
            Ignored. The targets are columns of X.

        Returns
        -------
        self
        """
        self._validate_params()
        bar: dict[str, Any] = {"unit": "network", "show": self.verbose == 1}
        with fit_task(self, max_subtasks=self.n_estimators, **bar, X=X) as task:
            # A copy is fitted and published whole: a fit that fails leaves the earlier one usable.
            fitted = copy(self)
            if isinstance(X, PanelDataset):
                check_block_series(self, X)
                fitted._fit(self._sample(X), task)
                fitted._context = None
            else:
                fitted._fit(X, task)
            self.__dict__ = fitted.__dict__
        return self

    def _fit(self, X, task):
        self._levels = self._check_quantiles()
        self._categories = learn_categories(
            [X], self.categorical_features, series=self.series, time=self.time
        )
        table, rows = self._read(X, reset=True)
        self._columns = self._find_columns(table)
        self._frame_kind = self._result_kind(X)
        self.window_length_, self.segment_length_ = self._choose_lengths()
        self._warn_of_unread_steps()
        self._frequency = self._infer_frequency(table, rows)
        self.freq_ = None if self._frequency is None else self._frequency.step
        self._train(self._prepare(table, rows), len(table), task)

    def _prepare(self, table, rows):
        """Learn everything but the regressors, and prepare the windows of the given rows."""
        grid = self._grid(table, rows)
        self.n_missing_ = len(grid) - len(table)
        self._builder = self._learn_normalization(grid)
        self._context = FittedContext.keep(table, rows, self._builder.reach)
        self._naive_scale = self._seasonal_scale(grid)
        return self._builder.build(grid, self._training_origins(grid))

    def _check_quantiles(self):
        check_calibration(self.calibration, self.quantiles)
        return None if self.quantiles is None else check_quantiles(self.quantiles)

    def _check_step_weight(self):
        """Return the weight of each step, with mean 1."""
        if self.step_weight is None:
            return (1.0,) * self.horizon
        try:
            weight = np.asarray(self.step_weight, dtype=float)
        except (TypeError, ValueError):
            weight = np.empty(0)
        if weight.shape != (self.horizon,) or not ((weight > 0) & (weight < np.inf)).all():
            raise ValueError(
                f"step_weight={self.step_weight!r} must hold a positive weight for each of the "
                f"{self.horizon} steps of the horizon. Pass that many numbers, such as a small one "
                "for steps that hardly matter, or None."
            )
        return tuple((weight / weight.mean()).tolist())

    def _find_columns(self, table):
        columns = PanelColumns.find(
            table,
            target=self.target,
            known_future=self.known_future,
            series=self.series,
            time=self.time,
            categories=[each.position for each in self._categories],
        )
        columns.check_result_names(quantile_names(self.quantiles))
        return columns

    def _result_kind(self, X):
        """Describe the kind of frame of X, and the types of its ids, for the forecast."""
        labels = (self.series, self._columns.series_name), (self.time, self._columns.time_name)
        return frame_kind(X, {label: label for name, label in labels if name is not None})

    def _choose_lengths(self):
        """Choose the lengths of windows and segments."""
        window_length, segment_length = self.window_length, self.segment_length
        if window_length is None:
            window_length = recipe.choose_window_length(self.horizon, self._seasons)
        longest = self._seasons[-1]
        if len(self._seasons) > 1 and window_length <= longest:
            raise ValueError(
                f"window_length={window_length} is too short for the season {longest} in "
                f"season_length={self.season_length}. Choose a window of two or more seasons "
                f"({2 * longest} rows), or leave the season out."
            )
        if segment_length is None:
            segment_length = recipe.choose_segment_length(window_length, self._seasons[0])
        if window_length % segment_length:
            raise ValueError(
                f"segment_length={segment_length} does not divide the window length "
                f"{window_length}. Choose a divisor, or segment_length=None."
            )
        return int(window_length), int(segment_length)

    def _warn_of_unread_steps(self):
        """Warn if the windows are too short for the columns known beforehand."""
        n_unread = self.horizon - self.window_length_
        if n_unread > 0 and self._columns.future:
            warn_user(
                f"window_length={self.window_length_} is shorter than horizon={self.horizon}, so "
                f"the values of {self._columns.future_names} at the first {n_unread} steps ahead "
                f"are not used. Choose window_length={self.horizon} or more, or None."
            )

    def _infer_frequency(self, table, rows):
        if self.time is None:
            return None
        stamps = time_stamps(table, self.time)[rows.sorting]
        return infer_frequency(stamps, rows.run_starts(), self.freq)

    def _learn_normalization(self, grid):
        for values, name in zip(grid.values.T, self._columns.target_names, strict=True):
            if np.isnan(values).all():
                raise ValueError(
                    f"The target {name!r} has no known value. Remove it from the targets, or pass "
                    "rows in which it is known."
                )
        return WindowBuilder.learn(
            grid,
            seasons=self._seasons,
            step_weight=self._check_step_weight(),
            window_length=self.window_length_,
            limit=recipe.VALUE_LIMIT,
            categories=self._categories_among_covariates(),
        )

    def _categories_among_covariates(self):
        return in_window(self._categories, self._columns.past + self._columns.future)

    def _warn_of_long_season(self, longest):
        """Warn if no series has two rows one season apart; `longest` is the largest length."""
        fitting = [season for season in self._seasons if season < longest]
        if self.season_length is None or len(fitting) == len(self._seasons):
            return
        consequence = "no season can be learned, and the naive forecast is the last value"
        if fitting:
            consequence = (
                f"the season of {self._seasons[-1]} rows cannot be learned and is not used"
            )
        warn_user(
            f"season_length={self.season_length}, but the longest series has {longest} steps: "
            f"without two values one season apart, {consequence}. Choose a shorter season, such "
            "as 7 for daily values, or None."
        )

    def _training_origins(self, grid):
        """Find the grid positions to forecast from in training: those of the given rows."""
        origins = np.sort(grid.positions)
        if self._columns.future:
            # Columns known beforehand are unknown after the end of the panel.
            origins = origins[origins + self.horizon < grid.stops(origins)]
        return origins

    def _choose_min_observed(self, prepared, has_target, n_rows):
        """Choose how many observed rows a training window must have."""
        largest = prepared.largest_observed()
        if (largest == 0).any():
            longest, step = prepared.series_rows.sizes.max(), self.horizon
            why = f": the longest series has {longest} steps. Choose a shorter horizon, or pass"
            if longest > self.horizon:
                step = np.flatnonzero(largest == 0)[0] % self.horizon + 1
                why = (
                    f", although a series has {longest} steps: all of these values are missing. "
                    f"Check the time step (freq_={self.freq_}), or pass other or"
                )
            raise ValueError(
                f"No row of X (n_samples={n_rows}) has a known target {step} steps after it{why} "
                "longer series."
            )
        n_observed = prepared.windows.n_observed[has_target]
        lengths = self.window_length_, self._seasons[0]
        return recipe.choose_min_observed(n_observed, largest, *lengths)

    def _seasonal_scale(self, grid):
        """Compute the mean error of the seasonal naive forecast of each series and target."""
        known, starts = ~np.isnan(grid.values), grid.starts()
        columns = [
            mean_differences(*target, starts, self._seasons[0])
            for target in zip(grid.values.T, known.T, strict=True)
        ]
        return pd.DataFrame(np.column_stack(columns), grid.rows.ids)

    def _train(self, prepared, n_rows, task):
        """Fit the regressors; calibrate the quantiles on the targets that were held out."""
        has_target = HeldOut().has_target(prepared)
        min_observed = self._choose_min_observed(prepared, has_target, n_rows)
        self._warn_of_long_season(prepared.series_rows.sizes.max())
        usable = prepared.windows.n_observed >= min_observed
        self._network_share = 1.0
        if self.regressor is None:
            n_windows = np.sum(usable & has_target)
            self._network_share = recipe.network_share(n_windows)
        random = check_random_state(self.random_state)
        seeds = random.randint(np.iinfo(np.int32).max, size=self.n_estimators)
        windows = prepared.windows
        parts = hold_out(self.calibration, windows.codes, len(windows.ids), self.horizon, seeds)
        self.estimators_, errors = [], []
        for number, (seed, held_out) in enumerate(zip(seeds, parts, strict=True)):
            regressor, rows = self._prepare_regressor(prepared, held_out, min_observed, int(seed))
            set_checkpoint(regressor, self.checkpoint, number)
            training = prepared[rows]
            if not held_out and number == self.n_estimators - 1:
                del prepared  # the windows of all other rows
            y = held_out.targets(training)
            windows = training.windows
            del training
            with task.subtask("fit-network").fitting(regressor, X=windows, y=y):
                regressor = fit_regressor(regressor, windows, y, self.horizon)
            self.estimators_.append(regressor)
            if held_out:
                errors.append(
                    held_out_errors(regressor, prepared, held_out, self.quantiles, min_observed)
                )
        self.shifts_ = conformal_shifts(np.concatenate(errors), self._levels) if errors else None

    def _prepare_regressor(self, prepared, held_out, min_observed, seed):
        """Make a regressor, and choose the rows on which it is trained."""
        rows = held_out.training_rows(prepared)
        if self.regressor is not None:
            return configure_regressor(self.regressor, self.quantiles, seed), rows
        long_enough = prepared.windows.n_observed >= min_observed
        usable = np.flatnonzero(held_out.has_target(prepared) & long_enough)
        n_series = np.count_nonzero(np.bincount(prepared.windows.codes[usable]))
        effort = recipe.TrainingEffort.choose(len(usable), n_series)
        drawn = effort.draw(usable, seed)
        regressor = recipe.default_regressor(
            effort,
            n_series=n_series,
            min_observed=min_observed,
            early_stopping=self.early_stopping,
            hidden_units=self.hidden_units,
            segment_length=self.segment_length_,
            quantiles=self.quantiles,
            random_state=seed,
            verbose=self.verbose,
        )
        return regressor, rows if len(drawn) == len(usable) else drawn

    def forecast(self, panel: ArrayLike | None = None, future: ArrayLike | None = None) -> Any:
        """Forecast the rows after the last row of each series.

        Parameters
        ----------
        panel : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset, default=None
            Histories of fitted or new series, with the columns of fit. For a fitted series, the
            rows after those of fit suffice: see *Context* in the class notes. None: the fitted
            series. A PanelDataset is read block by block; it must be passed after a fit to one,
            which remembers no rows.
        future : DataFrame or array-like, default=None
            With `known_future`: the next `horizon` rows of each series, with ids, time and
            those columns. Other columns and other series are ignored. Time steps before its last
            row may be missing: see *Missing covariates* in the class notes.

        Returns
        -------
        DataFrame of shape (n_series * n_targets * horizon, ...)
            The id and the time under their names ("series" and "time" if they have none; without
            `time`, the number of the row in its series), ``step`` from 1, ``target`` if there are
            several, ``prediction``, and one column per quantile (such as ``q0.1``). Of the
            library of `panel`, or of the panel of fit.
        """
        check_is_fitted(self, "estimators_")
        if isinstance(panel, PanelDataset):
            check_block_series(self, panel)
            tables = []
            with self._follow(panel.n_blocks, "block", "forecast") as progress:
                for block in panel:
                    with progress.step():
                        tables.append(self.forecast(block, future))
            return pd.concat(tables, ignore_index=True)
        context = self._context
        if panel is None:
            remembered = self._remembered("forecast(panel)")
            table, rows, kind = remembered.table, remembered.rows, self._frame_kind
            context = None  # these rows are the context
        else:
            if future is None and self._columns.future:
                self._columns.check_panel(as_plain(panel))
            (table, rows), kind = self._read(panel, reset=False), self._result_kind(panel)
        joined = self._join(table, rows, context, future)
        forecasts = []
        with self._follow(len(joined.last_rows), "forecast", "forecast") as progress:
            for block_table, block_rows, last_rows in joined.blocks_to_forecast(BLOCK_ROWS):
                grid = self._grid(block_table, block_rows)
                forecasts.append(self._predict(grid, grid.positions[last_rows], progress))
        stamps = self._next_stamps(joined, self._context.n_dropped if panel is None else 0)
        ids = None if self.series is None else rows.ids
        forecast = np.concatenate(forecasts)
        table = forecast_table(self._columns, ids, stamps, forecast, self.quantiles)
        return in_kind(kind, table)

    def _next_stamps(self, joined, n_dropped):
        """Compute the times after each series' last row, or its row numbers without `time`."""
        if self.time is not None:
            last = time_stamps(joined.table.iloc[joined.last_rows], self.time)
            return self._frequency.after(last, self.horizon)
        last = joined.rows.rank[joined.last_rows] + n_dropped
        return pd.Index(np.add.outer(last, np.arange(1, self.horizon + 1)).ravel())

    def predict(self, X: ArrayLike, future: ArrayLike | None = None) -> NDArray[np.floating]:
        """Forecast from every row of a panel.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
            A panel with the columns of fit. The forecast at a row depends on that row and on
            earlier rows of its series, of which `fit` may have remembered some (see *Context* in
            the class notes); with `known_future`, also on those columns of the next rows.
        future : DataFrame or array-like, default=None
            With `known_future`: the `horizon` rows after the last row of each series.

        Returns
        -------
        ndarray of shape (n_rows, n_targets * horizon)
            Target-major, as :func:`make_targets` returns them.
        """
        forecasts = self._predict_rows(X, future)[..., 0]
        return forecasts.reshape(len(forecasts), -1)

    def predict_quantiles(
        self, X: ArrayLike, future: ArrayLike | None = None
    ) -> NDArray[np.floating]:
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
        forecasts = self._predict_rows(X, future)[..., 1:]
        return forecasts.reshape(len(forecasts), -1, forecasts.shape[-1])

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Compare the forecasts made at the end of fit with the observed values.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            The rows that follow those of fit, as in a test fold of
            :class:`PerSeriesTimeSplit`. Only the first `horizon` steps of each series count;
            there may be fewer, except with `known_future`: its columns are read from X up to the
            last of these steps.
        y : None
            Ignored.

        Returns
        -------
        float
            Negative mean absolute scaled error, averaged over series and targets: larger is better.
            NaN if no series of X has a known value and a scale.
        """
        check_is_fitted(self, "estimators_")
        remembered = self._remembered("predict(panel)")
        context = remembered.rows
        table, rows = self._read(X, reset=False)
        check_later(rows, context)
        scored = context.ids.isin(rows.ids)
        chosen = np.flatnonzero(scored[context.codes])
        joined = pd.concat([remembered.table.iloc[chosen], table])
        grid = self._grid(joined, read_series_rows(joined, self.series, self.time))
        last = grid.positions[context.take(chosen).bounds[1:][scored] - 1]
        forecasts = self._predict(grid, last)[..., 0]
        scales = self._naive_scale.reindex(context.ids[scored]).to_numpy()
        errors = [
            mase(next_values(values, grid.stops(last), last, self.horizon), prediction, scale=scale)
            for values, prediction, scale in zip(
                grid.values.T, forecasts.swapaxes(0, 1), scales.T, strict=True
            )
        ]
        return -float(pd.Series(errors).mean())

    def _sample(self, panel):
        """Read the rows of series drawn at random, up to `MAX_ROWS`."""
        order = check_random_state(self.random_state).permutation(len(panel.series_ids))
        n_series = np.searchsorted(np.cumsum(panel.series_sizes[order]), MAX_ROWS, side="right")
        return panel.take_series(np.sort(order[: max(int(n_series), 1)]))

    def _remembered(self, remedy):
        """Return the remembered rows of fit."""
        if self._context is None:
            raise ValueError(
                "This forecaster was fitted on a PanelDataset, of which it remembers no rows. Pass "
                f"the histories: {remedy}."
            )
        return self._context

    def _predict_rows(self, X, future):
        check_is_fitted(self, "estimators_")
        if isinstance(X, PanelDataset):
            check_block_series(self, X)
            return concatenate_blocks(self, X, partial(self._predict_rows, future=future))
        table, rows = self._read(X, reset=False)
        joined = self._join(table, rows, self._context, future)
        grid = self._grid(joined.table, joined.rows)
        rows = grid.positions[joined.given]
        with self._follow(len(rows), "forecast", "predict") as progress:
            return self._predict(grid, rows, progress)

    def _follow(self, n_steps, unit, title):
        """Follow a block as a task, with a bar if `verbose` is 1."""
        return follow(n_steps, unit, title=title, show=self.verbose == 1)

    def _predict(self, grid, rows, progress=None):
        """Forecast from chosen rows of a grid.

        `progress` counts them.

        Returns
        -------
        ndarray of shape (n_rows, n_targets, horizon, 1 + n_quantiles)
            Predictions, then quantiles.
        """
        if self._columns.future:
            grid.check_future(rows, self.horizon, self._columns.future_names)
            self._warn_of_unknown_steps(grid, grid.unknown_steps(rows, self.horizon))
        prepared = self._builder.build(grid, rows)
        forecasts = []
        for block in prepared.blocks():
            forecasts.append(block.forecasts(self._predict_residuals(block.windows)))
            if progress is not None:
                progress.count(progress.n_done + len(block))
        return np.concatenate(forecasts)

    def _warn_of_unknown_steps(self, grid, steps):
        """Warn of steps ahead at which a column known beforehand is filled."""
        if len(steps) == 0:
            return
        have, first = ("has", "") if len(steps) == 1 else ("have", "the first is ")
        series = show(grid.rows.ids[grid.rows.codes[steps[0]]])
        warn_user(
            f"{len(steps)} of the steps ahead {have} no known {self._columns.future_names}: "
            f"{first}series {series} at {grid.show_time(steps[0])}. The last known values are "
            "used. Add these rows to future, or check its dates. When scoring, add them to X."
        )

    def _predict_residuals(self, windows):
        """Average the estimators, shift the quantiles, and shrink the median towards zero."""
        outputs = [predict_outputs(each, windows, self.quantiles) for each in self.estimators_]
        residuals = np.mean(outputs, axis=0)
        if self.shifts_ is not None:
            residuals[..., 1:] = np.sort(residuals[..., 1:] + self.shifts_, axis=-1)
        # Quantiles move with the median, so that intervals keep their width.
        residuals -= (1 - self._network_share) * residuals[..., :1]
        return residuals

    @property
    def _seasons(self):
        return as_seasons(self.season_length)

    def _read(self, X, reset):
        """Check X and index its rows; return it as a DataFrame of pandas, with coded categories.

        Missing categories are NaN, and are filled like the missing values of other covariates.
        """
        X = as_plain(X)
        panel = read_panel(
            X,
            skipped=[each.position for each in self._categories],
            series=self.series,
            time=self.time,
            estimator=self,
            reset=reset,
        )
        # Without the values of the panel, which would stay in memory beside those of the table.
        rows = SeriesRows(panel.codes, panel.ids, panel.time, panel.time_kind, panel.order)
        if self.time is not None:
            check_time_zone(self, time_stamps(as_table(X), self.time), reset)
        if isinstance(X, pd.DataFrame):
            warn_of_unsorted_rows(X, rows)
            X = order_levels(X, [self.series, self.time])
            return encode_categories(X, self._categories, np.nan), rows
        plain = self.series is None and self.time is None and not self._categories
        if plain:
            return pd.DataFrame(panel.values), rows
        return pd.DataFrame(encode_categories(as_table(X), self._categories, np.nan)), rows

    def _read_future(self, future):
        """Index the rows of `future`; return it as a DataFrame of pandas, with coded categories.

        Its columns have their own order, so positions in the panel are no positions in it.
        """
        future = pd.DataFrame(as_table(future))
        self._columns.check_future(future)
        series = None if self.series is None else self._columns.series_name
        time = None if self.time is None else self._columns.time_name
        future = self._columns.place_ids(future, series, time)
        rows = read_series_rows(future, series, time)
        check_time_kind(self, rows.time_kind, reset=False)
        if time is not None:
            check_time_zone(self, time_stamps(future, time), reset=False)
        names, known = self._columns.names, self._columns.future
        categories = [
            replace(each, position=future.columns.get_loc(names[each.position]))
            for each in self._categories
            if each.position in known
        ]
        future = encode_categories(future, categories, np.nan)
        check_numeric_columns(future[self._columns.future_names], series, time)
        return future, rows

    def _grid(self, table, rows):
        stamps = None if self.time is None else time_stamps(table, self.time)
        positions = self._columns.positions
        return RegularGrid.read(table, rows, stamps=stamps, frequency=self._frequency, **positions)

    def _join(self, table, rows, context, future):
        """Join rows with the remembered rows of fit, if there are any, and with future rows."""
        joined = JoinedRows.join(table, rows, context)
        future_rows = None
        if future is not None:
            future, future_rows = self._read_future(future)
            stamps = None if self.time is None else time_stamps(future, self._columns.time_name)
            names = self._columns.future_names
            check_series(future_rows, rows.ids)
            check_after(joined, future_rows, stamps)
            check_known_values(future, future_rows, names, rows.ids, stamps)
        if not self._columns.future:
            return joined
        return joined.with_future(future, future_rows, self._columns.unknown_names)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags
