"""Ids that are numbers in fit and text later, or the other way round."""

import warnings

import pandas as pd
import pytest
from helpers import lstm, make_panel
from sklearn.linear_model import LinearRegression

from sklstm import (
    MultiSeriesForecaster,
    PerSeriesImputer,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)
from sklstm._panel.retyped import warn_of_retyped_ids

IDS = {"series": "unit", "time": "cycle"}
RETYPED = "2 series of X count as new, .* '1' is of type str, and 1 of type int"


def panel():
    return make_panel({1: 9, 2: 8, 3: 9})


def with_text(X):
    """Return the later rows of two series, whose ids are text."""
    later = X[X["unit"] < 3].groupby("unit").tail(3)
    return later.assign(unit=later["unit"].astype(str), cycle=later["cycle"] + 9)


@pytest.mark.parametrize(
    "fitted, passed, warns",
    [
        ([1, 2], ["1", "2"], True),
        (["1", "2"], [1, 2], True),
        (["001", "002"], [1, 2], True),
        ([1, 2], ["1.0", "new"], True),
        ([1.0, 2.0], ["2"], True),
        ([1, 2], [1.0, 2.0], False),
        ([1, 2], [3, 4], False),
        ([1, 2], ["3", "new"], False),
        (["1", "2"], ["01"], False),
        (["a", "b"], ["b", "c"], False),
        ([1, 2], pd.Index([1, 2, "new"], dtype=object), False),
    ],
)
def test_ids_are_compared_by_spelling(fitted, passed, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_retyped_ids(pd.Index(fitted), pd.Index(passed))
    assert len(caught) == warns


@pytest.mark.parametrize(
    "transformer",
    [
        PerSeriesScaler(**IDS),
        PerSeriesScaler(statistics="expanding", **IDS),
        PerSeriesImputer(**IDS),
        WindowTransformer(4, **IDS),
    ],
    ids=["scaler", "expanding", "imputer", "windows"],
)
def test_transformers_warn(transformer):
    X = panel()
    transformer.fit(X)
    with pytest.warns(UserWarning, match=RETYPED):
        transformer.transform(with_text(X))


def test_target_regressor_warns():
    X = panel()
    model = PerSeriesTargetRegressor(LinearRegression(), series="unit", time="cycle")
    model.fit(X, X["p"])
    with pytest.warns(UserWarning, match=RETYPED):
        model.predict(with_text(X).astype({"unit": str}))


def test_ensemble_warns():
    X = panel()
    model = SeriesEnsembleRegressor(LinearRegression(), 2, assign="partition", series="unit")
    model.fit(X, X["p"])
    with pytest.warns(UserWarning, match=RETYPED):
        model.predict(with_text(X))


@pytest.mark.slow
def test_series_embedding_warns():
    X = panel()
    windows = WindowTransformer(4, series="unit").fit(X)
    model = lstm(series_embedding=2).fit(windows.transform(X), X["p"])
    with pytest.warns(UserWarning, match=RETYPED):
        model.predict(windows.transform(with_text(X)))


def test_forecaster_warns():
    X = panel()
    forecaster = MultiSeriesForecaster(2, window_length=4, regressor=LinearRegression(), **IDS)
    forecaster.fit(X[["unit", "cycle", "p"]])
    with pytest.warns(UserWarning, match=RETYPED):
        forecaster.forecast(with_text(X)[["unit", "cycle", "p"]])
