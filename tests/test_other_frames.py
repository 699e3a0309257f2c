"""polars and pyarrow at every public entry: the results of the same panel through pandas."""

import pickle
import re
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import lstm, make_panel, make_random_walks, panels
from hypothesis import given, settings
from pandas.testing import assert_frame_equal
from sklearn import config_context
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    SeriesEnsembleRegressor,
    WindowTransformer,
    backtest,
    make_series_scorer,
    make_targets,
    series_weights,
    stack_series,
    unstack_series,
)
from sklstm.metrics import coverage, mase, pinball_loss, prognostic_score, seasonal_scale, smape
from sklstm.plotting import (
    ClassesOverTimeDisplay,
    CoverageDisplay,
    ForecastDisplay,
    RemainingLifeDisplay,
    SeriesReportDisplay,
    WindowDisplay,
)

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel([20, 25, 30, 22], scattered=True).reset_index(drop=True)
PANEL["p"] = PANEL["p"].where(PANEL.index % 9 > 0)  # some missing values
FULL = PANEL.fillna(0.5)
LATER = make_panel([4, 5, 2, 3], starts=[20, 25, 30, 22], seed=1)
Y = FULL["p"] * 2 + 1
TARGETS = pd.DataFrame({"one": Y.where(Y < 3), "two": Y * FULL["q"]})
WEIGHTS = pd.Series(np.random.default_rng(0).uniform(0.5, 2, len(PANEL)))
PROMO = FULL.assign(promo=(FULL["cycle"] % 3).astype(float))
FUTURE = pd.DataFrame(
    [
        {"unit": unit, "cycle": cycle, "promo": float(cycle % 3)}
        for unit, n in zip("abcd", [20, 25, 30, 22], strict=True)
        for cycle in range(n, n + 2)
    ]
)


@dataclass(frozen=True)
class Library:
    """Convert frames and series of pandas to those of a library."""

    name: str

    def frame(self, table):
        if self.name == "pandas":
            return table
        if self.name == "polars":
            return pl.from_pandas(table)
        return pa.Table.from_pandas(table, preserve_index=False)

    def column(self, values):
        values = pd.Series(np.asarray(values))
        if self.name == "pandas":
            return values
        table = self.frame(values.to_frame("values"))
        return table["values"]

    def owns(self, frame):
        return type(frame).__module__.split(".")[0] == self.name


PANDAS = Library("pandas")
OTHERS = [Library("polars"), Library("pyarrow")]
library = pytest.mark.parametrize("library", OTHERS, ids=lambda library: library.name)


def table_of(result):
    """Return a frame of any library as a DataFrame of pandas with a default index."""
    table = result if isinstance(result, pd.DataFrame) else result.to_pandas()
    return table.reset_index(drop=True)


def assert_same(result, expected):
    """Compare a result with that of the same panel through pandas, bit for bit."""
    if isinstance(expected, (list, tuple)):
        assert len(result) == len(expected)
        for one, other in zip(result, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, pd.DataFrame):
        assert_frame_equal(table_of(result), table_of(expected), check_exact=True)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(result, expected, check_exact=True)
    else:
        assert type(result) is type(expected)
        np.testing.assert_array_equal(result, expected)


# ------------------------------------------------------------------------ public entries
def scale(to):
    expanding = PerSeriesScaler(**IDS)
    fitted = PerSeriesScaler(statistics="fit", columns=["q"], **IDS)
    scaled = fitted.fit_transform(to.frame(PANEL))
    partial = PerSeriesScaler(**IDS).fit(to.frame(PANEL)).partial_fit(to.frame(LATER))
    return [
        expanding.fit_transform(to.frame(PANEL)),
        expanding.transform(to.frame(LATER)),
        scaled,
        fitted.inverse_transform(scaled),
        partial.transform(to.frame(LATER)),
    ]


def make_windows(to):
    transformer = WindowTransformer(3, padding="zero", output="2d", **IDS)
    windows = WindowTransformer("longest", **IDS).fit_transform(to.frame(PANEL))
    return [
        transformer.fit_transform(to.frame(PANEL)),
        transformer.transform(to.frame(LATER)),
        transformer.get_feature_names_out(),
        np.asarray(windows),
        windows.names,
    ]


def fit_regressor(to):
    net = lstm(**IDS).fit(to.frame(FULL), to.column(Y), sample_weight=to.column(WEIGHTS))
    X = to.frame(FULL)
    return [
        net.predict(X),
        net.score(X, to.column(Y), to.column(WEIGHTS)),
        net.series_report(X, to.column(Y)),
        net.feature_names_in_,
    ]


def fit_with_ids_beside_x(to):
    X = FULL[["p", "q"]].to_numpy()[:, np.newaxis]
    net = lstm().fit(X, to.column(Y), series_ids=to.column(FULL["unit"]))
    return [net.predict(X), net.partial_fit(X, to.column(Y)).predict(X)]


def make_net_pipeline(**options):
    return make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(4, **IDS), lstm(**options))


def fit_pipeline(to):
    weights = {"multiserieslstmregressor__sample_weight": to.column(WEIGHTS)}
    pipe = make_net_pipeline().fit(to.frame(FULL), to.frame(TARGETS), **weights)
    return [pipe.predict(to.frame(FULL)), pipe.predict(to.frame(LATER))]


def make_ridge_pipeline():
    windows = WindowTransformer(3, output="2d", **IDS)
    return make_pipeline(PerSeriesScaler(**IDS), windows, Ridge())


def fit_target_regressor(to):
    by_targets = PerSeriesTargetRegressor(make_ridge_pipeline(), **IDS)
    by_targets.fit(to.frame(FULL), to.column(Y), sample_weight=to.column(WEIGHTS))
    by_column = PerSeriesTargetRegressor(make_ridge_pipeline(), target="q", **IDS)
    by_column.fit(to.frame(FULL), to.column(Y))
    return [
        by_targets.predict(to.frame(FULL)),
        by_targets.score(to.frame(FULL), to.column(Y), to.column(WEIGHTS)),
        by_column.predict(to.frame(LATER)),
    ]


def fit_ensemble(to):
    X, y = to.frame(FULL), to.column(Y)
    results = []
    for assign in ("bootstrap", "cluster", {"a": 0, "b": 1, "c": 0, "d": 1}):
        options = {"assign": assign, "n_estimators": 2, "random_state": 0}
        ensemble = SeriesEnsembleRegressor(make_ridge_pipeline(), **options, **IDS)
        results += [ensemble.fit(X, y).predict(X), ensemble.predict(to.frame(LATER))]
    lags = make_pipeline(WindowTransformer(1, output="2d"), Ridge())
    beside = SeriesEnsembleRegressor(lags, 2, random_state=0)
    features, ids = to.frame(FULL[["p", "q"]]), to.column(FULL["unit"])
    beside.fit(features, y, sample_weight=to.column(WEIGHTS), series_ids=ids)
    return [*results, beside.assignment_, beside.predict(features, series_ids=ids)]


def make_forecaster(**options):
    options = {"n_estimators": 1, "window_length": 6, "random_state": 0, **options}
    return MultiSeriesForecaster(2, regressor=LinearRegression(), **options, **IDS)


def forecast(to):
    forecaster = make_forecaster(target="q", known_future=["promo"]).fit(to.frame(PROMO))
    X, future = to.frame(PROMO), to.frame(FUTURE)
    plain = make_forecaster().fit(to.frame(FULL))
    return [
        forecaster.forecast(future=future),
        forecaster.forecast(X, future),
        forecaster.predict(X, future),
        plain.forecast(to.frame(LATER)),
        plain.predict(to.frame(FULL)),
        plain.score(to.frame(LATER)),
    ]


def shape_panels(to):
    parts = {unit: rows[["p", "q"]].reset_index(drop=True) for unit, rows in LATER.groupby("unit")}
    stacked = stack_series({unit: to.frame(part) for unit, part in parts.items()})
    named = stack_series([to.column(part["p"]) for part in parts.values()], to.column(list(parts)))
    expected = stacked.reset_index() if to is PANDAS else stacked
    return [
        make_targets(to.frame(PANEL), 2, **IDS),
        make_targets(to.frame(PANEL), columns="q", **IDS),
        expected,
        named.reset_index() if to is PANDAS else named,
        unstack_series(expected),
    ]


def split_and_score(to):
    X, y = to.frame(FULL), to.column(Y)
    scaled = make_pipeline(WindowTransformer(2, output="2d", **IDS), Ridge()).fit(X, y)
    scorers = [make_series_scorer("r2", average=mean, **IDS) for mean in ("macro", "micro", None)]
    return [
        list(PerSeriesTimeSplit(3, **IDS).split(X, y)),
        *(scorer(scaled, X, y) for scorer in scorers),
    ]


def run_backtest(to):
    forecaster = make_forecaster(target="q", known_future=["promo"])
    return [
        backtest(forecaster, to.frame(PROMO), 2),
        backtest(make_forecaster(), to.frame(FULL), 2, refit=False),
    ]


def measure(to):
    true, predicted = to.column(TARGETS["one"]), to.column(Y)
    # A Series of pandas would be looked up by id.
    scale = (np.abs(Y) + 1).to_numpy() if to is PANDAS else to.column(np.abs(Y) + 1)
    low, high = to.column(Y - 1), to.column(Y + 0.5)
    return [
        seasonal_scale(to.frame(PANEL), 2, **IDS),
        seasonal_scale(to.frame(PANEL), columns="p", **IDS),
        mase(true, predicted, scale=scale, sample_weight=to.column(WEIGHTS)),
        smape(to.frame(TARGETS), to.frame(TARGETS.fillna(1.0))),
        pinball_loss(true, to.frame(TARGETS.fillna(1.0)), to.column([0.1, 0.9]), scale=scale),
        coverage(true, low, high),
        prognostic_score(true, predicted),
        series_weights(to.column(PANEL["unit"]), 0.5, to.column(WEIGHTS)),
    ]


def draw(to):
    forecaster = make_forecaster().fit(to.frame(FULL))
    options = {"target": ["p", "q"], **IDS}
    drawn = [
        ForecastDisplay.from_forecast(forecaster.forecast(), to.frame(FULL), **options),
        ForecastDisplay.from_estimator(forecaster, to.frame(FULL), series_ids=["b"]),
    ]
    report = SeriesReportDisplay.from_estimator(fitted_net(), to.frame(FULL), to.column(Y))
    full, quantiles = to.frame(FULL), to.frame(pd.DataFrame({"low": Y - 1, "high": Y + 0.5}))
    lives = RemainingLifeDisplay.from_predictions(to.column(Y), to.column(Y + 1), full, **IDS)
    shares = {"panel": full, "series": "unit"}
    coverages = CoverageDisplay.from_predictions(to.column(Y), quantiles, [0.1, 0.9], **shares)
    windows = WindowTransformer(3, **IDS).fit(full)
    seen = WindowDisplay.from_estimator(windows, full, 2)
    risk = to.frame(pd.DataFrame({"low": 1 - WEIGHTS / 9, "high": WEIGHTS / 9}))
    labels = to.column((Y > 1).astype(int))
    risks = ClassesOverTimeDisplay.from_predictions(labels, risk, full, classes=[0, 1], **IDS)
    plt.close("all")
    tables = [part for one in drawn for part in (one.forecast, one.observed)] + [report.report]
    return [*tables, lives.lives, coverages.by_series, seen.rows, risks.rows]


@cache
def fitted_net():
    return lstm(**IDS).fit(FULL, Y)


ENTRIES = [
    scale,
    make_windows,
    fit_regressor,
    fit_with_ids_beside_x,
    fit_pipeline,
    fit_target_regressor,
    fit_ensemble,
    forecast,
    shape_panels,
    split_and_score,
    run_backtest,
    measure,
    draw,
]


@cache
def results_of_pandas(entry):
    return entry(PANDAS)


@library
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_results_are_those_of_pandas(entry, library):
    assert_same(entry(library), results_of_pandas(entry))


@library
@pytest.mark.parametrize("entry", [scale, forecast, shape_panels, run_backtest])
def test_frames_come_back_in_the_kind_that_was_given(entry, library):
    frames = [result for result in entry(library) if not isinstance(result, (np.ndarray, float))]
    assert all(library.owns(result) for result in frames if not isinstance(result, list))
    assert len(frames) >= 2


@given(panel=panels())
@settings(max_examples=30, deadline=None)
def test_random_panels_give_the_results_of_pandas(panel):
    panel = panel.reset_index(drop=True)
    frame = pl.from_pandas(panel)
    for transformer in (PerSeriesScaler(**IDS), WindowTransformer(3, output="2d", **IDS)):
        assert_same(transformer.fit_transform(frame), transformer.fit_transform(panel))
    assert_same(make_targets(frame, 2, **IDS), make_targets(panel, 2, **IDS))
    assert_same(seasonal_scale(frame, freq=1, **IDS), seasonal_scale(panel, freq=1, **IDS))


# ------------------------------------------------------------------------- types of data
N_DAYS = 12
DAYS = pd.date_range("2024-02-25", periods=N_DAYS)
SERIES_TYPES = [
    *(pl.Int64, pl.UInt8, pl.Float32, pl.String, pl.Categorical, pl.Enum(["7", "3", "5"])),
    *(pl.Date, pl.Datetime("us"), pl.Duration("ms")),
]
TIME_TYPES = [
    *(pl.Int32, pl.Float64, pl.Date, pl.Datetime("ms"), pl.Datetime("us", "Europe/Berlin")),
    *(pl.Datetime("ns"), pl.Duration("us")),
]


def typed_panel(series_type=pl.String, time_type=pl.Date):
    """Make three series of 12 days, with ids and times of given types."""
    ids = pl.Series(np.repeat([7, 3, 5], N_DAYS))
    is_text = series_type in (pl.String, pl.Categorical) or isinstance(series_type, pl.Enum)
    ids = ids.cast(pl.String) if is_text else ids
    numbers = pl.Series(np.tile(np.arange(N_DAYS), 3))
    if isinstance(time_type, pl.Datetime) or time_type == pl.Date:
        days = pl.Series(np.tile(DAYS.to_numpy(), 3)).cast(pl.Datetime("us"))
        zone = getattr(time_type, "time_zone", None)
        days = days.dt.replace_time_zone(zone) if zone else days
        numbers = days
    elif time_type == pl.Duration:
        numbers = numbers * 3_600_000_000
    values = np.random.default_rng(0).normal(size=3 * N_DAYS)
    unit, cycle = ids.cast(series_type), numbers.cast(time_type)
    return pl.DataFrame({"unit": unit, "cycle": cycle, "sold": values})


@pytest.mark.parametrize(
    ("series_type", "time_type"),
    [(one, pl.Date) for one in SERIES_TYPES] + [(pl.String, one) for one in TIME_TYPES],
    ids=str,
)
def test_forecasts_can_be_joined_with_the_panel(series_type, time_type):
    panel = typed_panel(series_type, time_type)
    past, later = panel.filter(pl.int_range(pl.len()) % N_DAYS < N_DAYS - 2), panel
    forecaster = make_forecaster().fit(past)
    for result in (forecaster.forecast(), forecaster.forecast(past)):
        assert result.schema["unit"] == panel.schema["unit"]
        assert result.schema["cycle"] == panel.schema["cycle"]
        assert len(result.join(later, on=["unit", "cycle"])) == 6
    rows = backtest(make_forecaster(), panel, 2)
    assert [rows.schema[name] for name in ("unit", "cycle", "cutoff")] == [
        *panel.dtypes[:1],
        *panel.dtypes[1:2] * 2,
    ]
    assert len(rows.join(panel, on=["unit", "cycle"])) == 12
    expected = make_forecaster().fit(past.to_pandas()).forecast()
    np.testing.assert_array_equal(result["prediction"], expected["prediction"])


@library
def test_values_of_any_type_are_read(library):
    n_rows = len(FULL)
    table = FULL.assign(
        whole=pd.array([None, *range(1, n_rows)], dtype="Int64"),
        real=pd.array([None, *(np.arange(1, n_rows) / 3)], dtype="Float64"),
        flag=pd.array([None, *(np.arange(1, n_rows) % 2 == 0)], dtype="boolean"),
        small=np.arange(n_rows, dtype="f4"),
    )
    features = ["whole", "real", "flag", "small"]
    transformer = WindowTransformer(2, output="2d", columns=features, **IDS)
    result = transformer.fit_transform(library.frame(table))
    assert_same(result, transformer.fit_transform(table))
    small = transformer.set_params(columns="small").fit_transform(library.frame(table))
    assert small.dtype == np.float32


@pytest.mark.parametrize(
    ("column", "message"),
    [("unit", "series id.* is missing .* in 1 of"), ("cycle", "time.* is missing .* in 1 of")],
)
@pytest.mark.parametrize("type_", [None, pl.Int64, pl.Float64], ids=str)
def test_missing_ids_are_an_error(column, message, type_):
    frame = pl.from_pandas(FULL)
    if type_ is not None:
        frame = frame.with_columns(pl.int_range(pl.len()).cast(type_).alias(column))
    frame = frame.with_columns(pl.when(pl.int_range(pl.len()) != 5).then(pl.col(column)))
    with pytest.raises(ValueError, match=message):
        PerSeriesScaler(**IDS).fit(frame)


# ------------------------------------------------------------------------------ messages
LAZY = pl.from_pandas(FULL).lazy()


@pytest.mark.parametrize(
    "call",
    [
        lambda: PerSeriesScaler(**IDS).fit(LAZY),
        lambda: WindowTransformer(**IDS).fit(LAZY),
        lambda: lstm(**IDS).fit(LAZY, Y),
        lambda: make_net_pipeline().fit(LAZY, Y),
        lambda: PerSeriesTargetRegressor(Ridge(), **IDS).fit(LAZY, Y),
        lambda: SeriesEnsembleRegressor(Ridge(), **IDS).fit(LAZY, Y),
        lambda: make_forecaster().fit(LAZY),
        lambda: make_targets(LAZY, **IDS),
        lambda: stack_series([LAZY]),
        lambda: unstack_series(LAZY, **IDS),
        lambda: next(PerSeriesTimeSplit(**IDS).split(LAZY)),
        lambda: make_series_scorer("r2", **IDS)(Ridge(), LAZY, Y),
        lambda: backtest(make_forecaster(), LAZY),
        lambda: seasonal_scale(LAZY, **IDS),
        lambda: ForecastDisplay.from_forecast(FUTURE, LAZY, **IDS),
    ],
)
def test_lazy_frames_are_an_error_everywhere(call):
    with pytest.raises(TypeError, match=r"polars.LazyFrame.*\.collect\(\)"):
        call()


@library
def test_messages_name_the_columns(library):
    frame = library.frame(FULL)
    columns = re.escape("columns: ['unit', 'cycle', 'p', 'q']")
    with pytest.raises(ValueError, match=f"series='shop' is neither .*{columns}"):
        PerSeriesScaler(series="shop").fit(frame)
    with pytest.raises(ValueError, match=f"columns='sold' is not a column of X .*{columns}"):
        WindowTransformer(columns="sold", **IDS).fit(frame)
    with pytest.raises(ValueError, match="Feature 'unit' holds text"):
        WindowTransformer().fit(frame)
    with pytest.raises(ValueError, match="feature names"):
        PerSeriesScaler(**IDS).fit(frame).transform(library.frame(FULL[["unit", "cycle", "q"]]))
    with pytest.raises(TypeError, match="got one table of shape"):
        stack_series(frame)


# ---------------------------------------------------------------------------- set_output
@pytest.mark.parametrize("given_kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("wanted", ["pandas", "polars"])
@pytest.mark.parametrize("how", ["set_output", "set_config"])
def test_set_output_is_followed(given_kind, wanted, how):
    frame, wanted_type = Library(given_kind).frame(PANEL), Library(wanted)
    scaler, windows = PerSeriesScaler(**IDS), WindowTransformer(3, output="2d", **IDS)
    scaled, lags = scaler.fit_transform(PANEL), windows.fit_transform(PANEL)
    config = {}
    if how == "set_output":
        scaler.set_output(transform=wanted)
        windows.set_output(transform=wanted)
    else:
        config["transform_output"] = wanted
    with config_context(**config):
        for result in (scaler.fit_transform(frame), scaler.transform(frame)):
            assert wanted_type.owns(result)
            assert_same(result, scaled)
        table = windows.fit_transform(frame)
        assert wanted_type.owns(table)
        assert list(table.columns) == list(windows.get_feature_names_out())
        np.testing.assert_array_equal(table.to_numpy(), lags)


@pytest.mark.parametrize("wanted", ["pandas", "polars"])
@pytest.mark.parametrize("given_kind", ["pandas", "polars"])
def test_pipelines_predict_the_same_whatever_the_output(given_kind, wanted):
    X, expected = Library(given_kind).frame(FULL), results_of_pandas(fit_pipeline)[0]
    pipe = make_net_pipeline().set_output(transform=wanted)
    weights = {"multiserieslstmregressor__sample_weight": WEIGHTS}
    np.testing.assert_array_equal(pipe.fit(X, TARGETS, **weights).predict(X), expected)
    with config_context(transform_output=wanted):
        pipe = make_net_pipeline().fit(X, TARGETS, **weights)
        np.testing.assert_array_equal(pipe.predict(X), expected)


@pytest.mark.parametrize("wanted", ["pandas", "polars"])
def test_the_configuration_changes_no_result(wanted):
    with config_context(transform_output=wanted):
        assert_same(forecast(PANDAS), results_of_pandas(forecast))
        for entry in (fit_target_regressor, fit_ensemble):
            for result, expected in zip(entry(PANDAS), results_of_pandas(entry), strict=True):
                if not isinstance(expected, pd.Series):
                    # Ridge rounds differently if the columns of X are contiguous.
                    np.testing.assert_allclose(result, expected, rtol=1e-9)


# ------------------------------------------------------------------------- scikit-learn
def test_grid_search_slices_polars():
    def search(to):
        pipe = make_ridge_pipeline()
        grid = {"windowtransformer__window_length": [2, 4], "ridge__alpha": [0.1, 10]}
        scorer = make_series_scorer("neg_mean_absolute_error", **IDS)
        found = []
        for cv in (GroupKFold(2), PerSeriesTimeSplit(2, **IDS)):
            groups = to.column(FULL["unit"]) if isinstance(cv, GroupKFold) else None
            search = GridSearchCV(pipe, grid, cv=cv, scoring=scorer)
            search.fit(to.frame(FULL), to.column(Y), groups=groups)
            found += [search.cv_results_["mean_test_score"], search.predict(to.frame(LATER))]
        y, groups = to.frame(TARGETS.fillna(0)), to.column(FULL["unit"])
        by_cv = cross_val_predict(pipe, to.frame(FULL), y, cv=GroupKFold(2), groups=groups)
        return [*found, by_cv]

    assert_same(search(Library("polars")), search(PANDAS))


def test_inner_steps_receive_what_was_given():
    def double(frame):
        return frame.with_columns(pl.col("p") * 2)

    pipe = make_pipeline(
        FunctionTransformer(double), WindowTransformer(2, output="2d", **IDS), Ridge()
    )
    X, y = pl.from_pandas(FULL), pl.Series(Y)
    expected = pipe[1:].fit(FULL.assign(p=FULL["p"] * 2), Y).predict(FULL.assign(p=FULL["p"] * 2))
    ensemble = SeriesEnsembleRegressor(pipe, 1, assign="all", **IDS)
    for model in (ensemble, make_pipeline(*(step for _, step in pipe.steps))):
        np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)
    by_targets = PerSeriesTargetRegressor(pipe, **IDS)
    assert np.isfinite(by_targets.fit(X, y).predict(X)).all()


@library
def test_backtest_passes_rows_in_the_kind_that_was_given(library):
    seen = []

    class Recording(MultiSeriesForecaster):
        def forecast(self, panel=None, future=None):
            seen.append((panel, future))
            return super().forecast(panel, future)

    forecaster = Recording(**make_forecaster(target="q", known_future=["promo"]).get_params(False))
    backtest(forecaster, library.frame(PROMO), 2)
    assert len(seen) == 2
    for history, future in seen:
        assert library.owns(history) and library.owns(future)
        assert list(table_of(history)) == list(PROMO)
        assert list(table_of(future)) == ["unit", "cycle", "promo"]


# ----------------------------------------------------------------------------- storing
@library
def test_fitted_estimators_are_stored(library, tmp_path):
    frame = library.frame(make_random_walks())
    fitted = [
        make_forecaster().fit(frame),
        PerSeriesScaler(**IDS).fit(frame),
        WindowTransformer(3, output="2d", **IDS).fit(frame),
    ]
    for number, estimator in enumerate(fitted):
        path = tmp_path / f"{number}.sklstm"
        sklstm.save(estimator, path)
        for loaded in (pickle.loads(pickle.dumps(estimator)), sklstm.load(path)):
            apply = "forecast" if hasattr(estimator, "forecast") else "transform"
            arguments = () if apply == "forecast" else (frame,)
            result, expected = (getattr(one, apply)(*arguments) for one in (loaded, estimator))
            assert type(result) is type(expected)
            assert_same(
                result, expected if isinstance(expected, np.ndarray) else table_of(expected)
            )
            state = pickle.dumps(loaded)
            assert b"polars." not in state and b"narwhals" not in state


def test_a_panel_of_another_library_may_follow():
    forecaster = make_forecaster().fit(pl.from_pandas(FULL))
    for library in (PANDAS, *OTHERS):
        result = forecaster.forecast(library.frame(LATER))
        assert library.owns(result)
        assert_same(result, make_forecaster().fit(FULL).forecast(LATER))
