"""Evaluate forecasts from rolling origins against the observed values.

This module is long because of its docstrings.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_array

from sklstm._bar import ReportingParallel
from sklstm._panel.checks import check_method
from sklstm._panel.find_categories import find_categorical
from sklstm._panel.frames import as_plain, frame_kind, in_kind
from sklstm._panel.frequency import TOLERANCE
from sklstm._panel.infer_frequency import infer_frequency
from sklstm._panel.read import (
    as_names,
    id_label,
    read_series_rows,
    select_features,
    time_stamps,
)
from sklstm._panel.seasons import as_seasons
from sklstm._panel.show import show
from sklstm._panel.time import time_numbers
from sklstm._progress import (
    CallbackSupportMixin,
    Task,
    fit_task,
    move_callbacks,
    with_callbacks,
)
from sklstm.metrics import seasonal_scale
from sklstm.model_selection._cuts import CuttablePanel, check_cuts

if TYPE_CHECKING:
    from narwhals.stable.v2.typing import IntoDataFrameT

REMEDY = (
    "Pass a MultiSeriesForecaster. Evaluate regressors and pipelines with cross_val_score and "
    "PerSeriesTimeSplit."
)
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
    """Compare forecasts with the rows after the cuts of a panel.

    The columns are those that the forecaster's parameters name. The forecaster receives rows of the
    panel as it was given (`parts`), and all else is computed from `table`, the same panel as a
    DataFrame of pandas.
    """

    def __init__(self, forecaster: BaseEstimator, panel: Any, table: pd.DataFrame) -> None:
        check_method(forecaster, "forecast", REMEDY)
        settings = forecaster.get_params(deep=False)
        self.horizon = _positive_integer("horizon", settings.get("horizon"))
        self.season_length = as_seasons(settings.get("season_length"))[0]
        self.ids = {"series": settings.get("series"), "time": settings.get("time")}
        self.panel, self.table = panel, table
        self.rows = read_series_rows(table, **self.ids)
        self.rank = self.rows.rank
        targets, unknown, known = select_columns(
            table,
            settings.get("target"),
            settings.get("known_future"),
            settings.get("categorical_features"),
            **self.ids,
        )
        passed = [n for n in range(table.shape[1]) if n not in unknown] if known else []
        self.parts = CuttablePanel(panel, self.rows.codes, self.rank, self.horizon, passed)
        self.targets = list(table.columns[targets])
        self.values = check_array(
            table.iloc[:, targets], dtype=float, ensure_all_finite="allow-nan", input_name="panel"
        )
        time = self.ids["time"]
        self.stamps = None if time is None else time_stamps(table, time)
        self.freq = self._find_step(settings.get("freq"))
        self.series_label, self.time_label = _id_labels(table, **self.ids)

    def _find_step(self, freq: Any) -> Any:
        """Return the time step of the panel; None without `time`, and for periods."""
        if self.stamps is None or isinstance(self.stamps, pd.PeriodIndex):
            return None
        return infer_frequency(self.stamps[self.rows.sorting], self.rows.run_starts(), freq).step

    def in_kind_of_panel(self, result: pd.DataFrame) -> Any:
        """Convert a result to the kind of frame of the panel."""
        sources = {}
        if self.ids["series"] is not None:
            sources[self.series_label] = self.series_label
        if self.stamps is not None:
            sources |= {self.time_label: self.time_label, "cutoff": self.time_label}
        return in_kind(frame_kind(self.panel, sources), result)

    def compare(self, origin: int, cut: np.ndarray, forecast: Any) -> pd.DataFrame:
        """Return the forecast of one origin beside the observed values and the errors."""
        used = np.flatnonzero(cut > 0)
        keys = self._keys(used)
        forecast = self._align(as_plain(forecast), keys)
        rows, cutoff, time = self._match(cut, used, forecast.pop(self.time_label))
        column = np.arange(len(rows)) % len(self.targets)
        y_true = np.where(rows < 0, np.nan, self.values[rows, column])
        past = self.table.iloc[self.parts.before(cut)]
        options = {"freq": self.freq, **self.ids}
        scale = seasonal_scale(past, self.season_length, self.targets, **options)
        scale = self._spread(scale.reindex(self.rows.ids[used]).to_numpy())
        key_columns = keys.to_frame(index=False)
        table = {
            self.series_label: key_columns.pop(self.series_label),
            "origin": origin,
            "cutoff": cutoff,
            self.time_label: time,
            **key_columns,
            "y_true": y_true,
            **{name: forecast[name].to_numpy() for name in forecast.columns},
        }
        table["absolute_error"] = np.abs(y_true - table["prediction"])
        table["scaled_error"] = table["absolute_error"] / np.where(scale > 0, scale, np.nan)
        return pd.DataFrame(table)

    def _keys(self, used: np.ndarray) -> pd.MultiIndex:
        """Return the key of each row of the result: id, step and, if there are several, target."""
        keys = {self.series_label: self.rows.ids[used], "step": np.arange(1, self.horizon + 1)}
        if len(self.targets) > 1:
            keys["target"] = self.targets
        return pd.MultiIndex.from_product(keys.values(), names=keys.keys())

    def _align(self, forecast: pd.DataFrame, keys: pd.MultiIndex) -> pd.DataFrame:
        """Sort the rows of a forecast by `keys`; raise if they are not exactly these."""
        if self.ids["series"] is None:
            forecast = forecast.assign(**{self.series_label: self.rows.ids[0]})
        forecast = forecast.set_index(list(keys.names))
        missing = keys.difference(forecast.index)
        if len(forecast) != len(keys) or len(missing):
            raise ValueError(
                f"The forecaster returned {len(forecast)} rows, expected {len(keys)}: one row for "
                f"each combination of {', '.join(map(repr, keys.names))}. The first missing one "
                f"is {show(next(iter(missing), None))}."
            )
        return forecast.reindex(keys)

    def _match(
        self, cut: np.ndarray, used: np.ndarray, time: pd.Series
    ) -> tuple[np.ndarray, Any, Any]:
        """Find row (-1 if it is not in the panel), cutoff and time of each row of the result."""
        first = (self.rows.bounds[:-1] + cut)[used]  # positions in the sorted rows
        order = self.rows.sorting
        if self.stamps is None:
            rows = order[first[:, np.newaxis] + np.arange(self.horizon)]
            rows = rows.repeat(len(self.targets))
            return rows, self._spread(cut[used] - 1), self.rank[rows]
        rows = self._find(self._spread(used), time)
        return rows, self.stamps.take(self._spread(order[first - 1])), time.array

    def _find(self, codes: np.ndarray, time: pd.Series) -> np.ndarray:
        """Find the rows of some series at some times; -1 for times without a row."""
        numbers, kind = time_numbers(time)
        if kind != self.rows.time_kind:
            raise ValueError(
                f"The forecaster returned times of kind {kind!r}; expected "
                f"{self.rows.time_kind!r}, as in the panel."
            )
        if "f" in (numbers.dtype.kind, self.rows.time.dtype.kind):
            return self._find_nearest(codes, numbers)
        known = pd.MultiIndex.from_arrays([self.rows.codes, self.rows.time])
        found: np.ndarray = known.get_indexer(pd.MultiIndex.from_arrays([codes, numbers]))
        return found

    def _find_nearest(self, codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Find rows at times that are floats, whose last digits may differ."""

        def in_order_of_time(name: str, codes: np.ndarray, time: np.ndarray) -> pd.DataFrame:
            table = pd.DataFrame({"code": codes.astype(int), "time": time.astype(float)})
            return table.assign(**{name: np.arange(len(table))}).sort_values("time")

        all_codes, all_times = self.rows.sort(self.rows.codes), self.rows.sort(self.rows.time)
        shortest_step = np.diff(all_times)[all_codes[1:] == all_codes[:-1]].min()
        matched = pd.merge_asof(
            in_order_of_time("number", codes, numbers),
            in_order_of_time("row", self.rows.codes, self.rows.time),
            on="time",
            by="code",
            direction="nearest",
            tolerance=TOLERANCE * float(shortest_step),
        )
        found = np.full(len(codes), -1)
        found[matched["number"]] = matched["row"].fillna(-1)
        return found

    def _spread(self, values: np.ndarray) -> np.ndarray:
        """Repeat values per series, or per series and target, for all rows of the result."""
        shape = (len(values), self.horizon, len(self.targets))
        return np.broadcast_to(values.reshape(len(values), 1, -1), shape).ravel()


def _positive_integer(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r} must be a positive integer.")
    return int(value)


def select_columns(
    panel: pd.DataFrame, target: Any, known_future: Any, categories: Any, series: Any, time: Any
) -> tuple[list[int], list[int], list[int]]:
    """Return the positions of the targets, and of all columns with unknown and known future."""
    features = select_features(panel, None, series, time)
    known: list[int] = []
    if names := as_names(() if known_future is None else known_future):
        known = select_features(panel, names, series, time, parameter="known_future")
    unknown = [position for position in features if position not in known]
    if target is None:
        coded = find_categorical(panel, categories, series=series, time=time)
        targets = [position for position in unknown if position not in coded]
        if not targets:
            raise ValueError(
                "No column is left to forecast: every column is the id, the time or in "
                "known_future."
            )
        return targets, unknown, known
    targets = select_features(panel, target, series, time, parameter="target")
    if shared := set(targets) & set(known):
        raise ValueError(
            f"{list(panel.columns[list(shared)])} are both target and known_future. Remove them "
            "from known_future: future values of a target are not known beforehand."
        )
    return targets, unknown, known


def _id_labels(panel: pd.DataFrame, series: Any, time: Any) -> tuple[Any, Any]:
    """Return the names of the id and the time in the result."""
    labels = id_label(panel, series, "series"), id_label(panel, time, "time")
    if len({*labels, *RESULT_COLUMNS}) < 2 + len(RESULT_COLUMNS):
        raise ValueError(
            f"The result would have two columns of one name: the id is named {labels[0]!r} and the "
            f"time {labels[1]!r}, and the other columns are {list(RESULT_COLUMNS)}. Rename the id "
            "or the time in the panel."
        )
    return labels


class Backtest(CallbackSupportMixin):
    """Fit clones of a forecaster and collect their forecasts, as the tasks of one fit.

    The callbacks of the forecaster that propagate to inner estimators are set here, so that they
    see all origins as one run.
    """

    def __init__(self, forecaster: Any) -> None:
        self.forecaster = clone(forecaster)
        move_callbacks(self.forecaster, self)

    @with_callbacks
    def run(
        self, rolling: _RollingPanel, cuts: np.ndarray, refit: bool, n_jobs: int | None, show: bool
    ) -> list[Any]:
        """Return the forecast from each origin, refitting at each or only at the first."""
        n_origins = len(cuts)
        bar: dict[str, Any] = {
            "title": "backtest",
            "unit": "origin" if refit else "step",
            "show": show,
        }
        with fit_task(self, max_subtasks=n_origins + (not refit), parallel=True, **bar) as run:
            if not refit:
                history = rolling.parts.history(cuts[0])
                with run.subtask("fit", n_origins).fitting(self.forecaster, X=history):
                    self.forecaster.fit(history)
            tasks = [run.subtask("origin", number) for number in range(n_origins)]
            forecasts: list[Any] = ReportingParallel(run.progress, n_jobs=n_jobs)(
                delayed(_forecast)(self.forecaster, rolling.parts, cut, refit, task)
                for cut, task in zip(cuts, tasks, strict=True)
            )
        return forecasts


def _forecast(
    forecaster: Any, parts: CuttablePanel, cut: np.ndarray, refit: bool, task: Task
) -> Any:
    history = parts.history(cut)
    if refit:
        forecaster = clone(forecaster)
    with task.fitting(forecaster if refit else None, X=history):
        if refit:
            forecaster.fit(history)
        return forecaster.forecast(history, future=parts.future(cut))


@validate_params(
    {
        "forecaster": [BaseEstimator],
        "panel": "no_validation",
        "n_origins": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def backtest(
    forecaster: BaseEstimator,
    panel: IntoDataFrameT,
    n_origins: int = 5,
    stride: int | None = None,
    *,
    refit: bool = True,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> IntoDataFrameT:
    """Forecast from several past origins, and compare the forecasts with the observed values.

    An origin cuts each series in two. The forecaster receives the rows before the cut, and its
    forecasts are compared with the `horizon` rows after it. Origins are counted in rows, back from
    the end of each series: after the last origin, exactly `horizon` rows remain.

    Parameters
    ----------
    forecaster : estimator
        A :class:`~sklstm.MultiSeriesForecaster`, or an estimator with methods ``fit(panel)`` and
        ``forecast(panel, future)`` and parameters `horizon`, `series` and `time`. Its parameters
        `target`, `season_length`, `known_future` and `freq` are used if it has them. It is cloned,
        not changed.
    panel : DataFrame of shape (n_rows, n_columns)
        A panel with the ids and the time in columns or index levels. Rows may be in any order.
        The forecaster receives its rows as DataFrames of the same library.
    n_origins : int, default=5
        Number of origins.
    stride : int, default=None
        Number of rows between two origins. None: the horizon.
    refit : bool, default=True
        Whether to fit at each origin on all rows before it. False: fit once, on the rows before
        the first origin, and forecast from the rows before each origin.
    n_jobs : int, default=None
        Number of origins to evaluate in parallel, as in scikit-learn.
    verbose : int, default=0
        1 shows a progress bar, as does a forecaster with ``verbose=1``.

    Returns
    -------
    DataFrame
        Of the library of `panel`. One row per origin, series and step (and target, if there are
        several), sorted in this order, with the columns:

        - the id and the time of the forecast row. They keep their names; without names they are
          called "series" and "time". Without `time`, this is the number of the row in its series;
        - ``origin``: 0 for the oldest; ``cutoff``: time of the last row before the cut;
        - ``step``: number of the step ahead, 1 for the first row after the cut;
        - ``target``: name of the target column, if there are several;
        - ``y_true``, ``prediction``, and the quantile columns of the forecast, such as ``q0.1``;
        - ``absolute_error``: ``abs(y_true - prediction)``; NaN if `y_true` is missing;
        - ``scaled_error``: `absolute_error` divided by the :func:`~sklstm.metrics.seasonal_scale`
          of the rows before the cut, computed with the forecaster's `season_length` (the shortest
          one of several), or with 1 if it has none; NaN if the scale is 0 or unknown.

    Raises
    ------
    TypeError
        If `panel` is not a DataFrame.
    ValueError
        If no series has rows before the first origin, or if the forecaster does not return
        exactly the expected rows.

    Warns
    -----
    UserWarning
        If series are too short for all origins; the message counts them. A series is left out of
        the origins before which it has no rows.

    Notes
    -----
    **Errors by group.** Means over groups are the usual error measures. For example,
    ``result.groupby("step")["scaled_error"].mean()`` is the MASE by step, and grouping by the id
    gives the MASE by series. Pass the quantile columns to :func:`sklstm.metrics.coverage` and
    :func:`sklstm.metrics.pinball_loss`.

    **Dates.** If series end at different dates, the forecaster is trained on one series at dates
    after the cutoff of another.

    **Gaps.** Origins are counted in rows, but the forecaster counts steps in time. `y_true` is the
    value of the row at the time of the forecast. It is NaN if the panel has no row at that time.
    Without `time`, steps are rows.

    **Future values.** Columns in `known_future` are passed to ``forecast`` as `future`, for the
    `horizon` rows after the cut. No other column of these rows is passed to the forecaster. It
    fills the columns at missing time steps: see the notes of
    :class:`~sklstm.MultiSeriesForecaster`.

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
    table = as_plain(panel)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"panel must be a DataFrame, got {type(panel).__name__}. Convert a list of arrays with "
            "stack_series, and one array with pandas.DataFrame(array, columns=...)."
        )
    rolling = _RollingPanel(forecaster, panel, table)
    stride = rolling.horizon if stride is None else stride
    before_last = np.arange(n_origins - 1, -1, -1)[:, np.newaxis]
    cuts = rolling.rows.sizes - rolling.horizon - stride * before_last
    needed = f"{rolling.horizon + stride * (n_origins - 1) + 1} rows"
    which = cuts, rolling.rows.sizes, rolling.rows.ids
    check_cuts(*which, "origin", needed, "n_origins, stride or the horizon")
    show = verbose > 0 or getattr(forecaster, "verbose", 0) == 1
    forecasts = Backtest(forecaster).run(rolling, cuts, refit, n_jobs, show)
    tables = [
        rolling.compare(origin, cut, forecast)
        for origin, (cut, forecast) in enumerate(zip(cuts, forecasts, strict=True))
    ]
    return rolling.in_kind_of_panel(pd.concat(tables, ignore_index=True))
