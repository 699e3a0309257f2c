"""Warn where the id or time of one step enters as a feature in another."""

import warnings

import pytest
from helpers import make_panel
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sklstm import (
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)

IDS = {"series": 0, "time": 1}


def windows(**names):
    return WindowTransformer(3, output="2d", **names)


def fit(pipeline, **names):
    X = make_panel({0: 12, 1: 15, 2: 9}, starts=(0, 100, 200))
    model = PerSeriesTargetRegressor(pipeline, target="p", **names)
    return model.fit(X, X["p"].to_numpy())


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([windows(series="unit")], "'cycle' is the time of PerS.* a feature of WindowTransformer"),
        ([windows(time="cycle")], "'unit' is the series id of PerS.* which has series=None"),
        ([PerSeriesScaler(series="unit"), windows(**IDS)], "a feature of PerSeriesScaler"),
        ([PerSeriesScaler(**IDS), windows(series="unit")], "a feature of WindowTransformer"),
    ],
)
def test_a_step_without_the_time_or_the_id_warns(steps, message):
    with pytest.warns(UserWarning, match=message):
        fit(make_pipeline(*steps, LinearRegression()), series="unit", time="cycle")


def test_the_message_says_how_to_mend_it():
    with pytest.warns(UserWarning, match=r"Set time='cycle' in .* too, or choose .* columns=\.$"):
        fit(make_pipeline(windows(series="unit"), LinearRegression()), series=0, time=1)


def test_an_ensemble_warns():
    X = make_panel({0: 12, 1: 15, 2: 9})
    inner = make_pipeline(windows(series="unit"), LinearRegression())
    ensemble = SeriesEnsembleRegressor(inner, n_estimators=2, series="unit", time="cycle")
    with pytest.warns(UserWarning, match="'cycle' is the time of SeriesEnsembleRegressor"):
        ensemble.fit(X, X["p"].to_numpy())


@pytest.mark.parametrize(
    "steps",
    [
        [PerSeriesScaler(**IDS), windows(**IDS)],
        [PerSeriesScaler(series="unit", columns=["p", "q"]), windows(**IDS)],
        [windows(series="unit", columns=["p", "cycle"])],
        [make_column_transformer(("passthrough", ["unit", "p"])), windows(series=0)],
        [],
    ],
    ids=["same", "columns", "columns of windows", "columns dropped", "no step of sklstm"],
)
def test_no_false_alarms(steps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(make_pipeline(*steps, LinearRegression()), **IDS)
