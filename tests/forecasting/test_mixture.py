"""Compare the mixture of several seasons with a loop over windows, and use it in a forecaster."""

import numpy as np
import pandas as pd
import pytest
from helpers import slow_except
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from sklstm import (
    MultiSeriesForecaster,
    PerSeriesTimeSplit,
    backtest,
    make_targets,
    stack_series,
)
from sklstm._panel.read import read_series_rows
from sklstm.forecasting._grid import RegularGrid
from sklstm.forecasting._mixture import (
    MAX_SHARE,
    N_PRIOR_ROWS,
    mixed_naive,
    season_errors,
    season_lags,
    season_shares,
)
from sklstm.forecasting._normalization import MIN_SCALE
from sklstm.forecasting._window_builder import WindowBuilder
from sklstm.metrics import seasonal_scale

IDS = {"series": "series", "time": "time"}


class Zero(Ridge):
    """Predict zero residuals of the naive forecast."""

    def predict(self, X):
        return 0 * super().predict(X)


@st.composite
def many_series(draw):
    """Draw series with missing values, seasons, a window length and a horizon."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(1, 24), min_size=1, max_size=3))
    share = draw(st.sampled_from([0, 0.2, 0.7]))
    arrays = [rng.normal(size=n) for n in lengths]
    for array in arrays:
        array[rng.random(len(array)) < share] = np.nan
    seasons = draw(st.sets(st.integers(1, 6), min_size=1, max_size=3))
    return arrays, tuple(sorted(seasons)), draw(st.integers(2, 16)), draw(st.integers(1, 7))


def lags_of(step, seasons):
    """Find how far back the last whole seasons before a step begin, by counting."""
    lags = []
    for season in seasons:
        lag = season
        while lag < step:
            lag += season
        lags.append(lag)
    return lags


def longer_forecasts(series, row, lags, seasons):
    """Average the last one, two and three repetitions of each longer season, where known."""
    found = []
    for lag, season in zip(lags[1:], seasons[1:], strict=True):
        for n_repeats in (1, 2, 3):
            places = [row - lag - number * season for number in range(n_repeats)]
            values = [series[place] for place in places if place >= 0]
            values = [value for value in values if not np.isnan(value)]
            found.append(np.mean(values) if values else np.nan)
    return np.array(found)


def shares_loop(series, t, lags, seasons, window):
    """Fit the shares of the window that ends at t: rows of the window, and rows of the prior."""
    first = max(0, t - window + 1 + max(lags))
    X, y = [], []
    for row in range(first, t + 1):
        base = row - lags[0]
        if base < 0 or np.isnan(series[row]) or np.isnan(series[base]):
            continue
        X.append(longer_forecasts(series, row, lags, seasons) - series[base])
        y.append(series[row] - series[base])
    X = np.reshape(X, (len(X), 3 * (len(lags) - 1)))
    n_known = np.maximum((~np.isnan(X)).sum(axis=0), 1)
    X = np.nan_to_num(X)
    prior = np.sqrt(N_PRIOR_ROWS * ((X**2).sum(axis=0) / n_known + MIN_SCALE**2))
    X, y = np.vstack([X, np.diag(prior)]), np.append(y, np.zeros(len(prior)))
    return np.clip(np.linalg.lstsq(X, y, rcond=None)[0], -MAX_SHARE, MAX_SHARE)


@settings(deadline=None, max_examples=60)
@given(many_series())
def test_shares_and_mixture_equal_a_loop(drawn):
    arrays, seasons, window, horizon = drawn
    values = np.concatenate(arrays)
    lengths = [len(array) for array in arrays]
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = np.flatnonzero(np.random.default_rng(0).random(len(values)) < 0.7)
    lengths = {"seasons": seasons, "horizon": horizon}
    shares = season_shares(values, ~np.isnan(values), starts, rows, window_length=window, **lengths)
    lags, block = season_lags(seasons, horizon)
    assert shares.shape == (len(rows), len(lags), 3 * (len(seasons) - 1))
    mixed = mixed_naive(values, starts[rows], rows, shares, **lengths)
    for number, row in enumerate(rows):
        series = values[starts[row] : row + 1]
        for step in range(1, horizon + 1):
            own = lags_of(step, seasons)
            assert own == lags[block[step - 1]].tolist()
            expected = shares_loop(series, len(series) - 1, own, seasons, window)
            assert_allclose(shares[number, block[step - 1]], expected, atol=1e-5)
            ahead = len(series) - 1 + step
            repeated = series[ahead - own[0]] if ahead >= own[0] else np.nan
            shortest = series[-1] if np.isnan(repeated) else repeated
            others = np.nan_to_num(longer_forecasts(series, ahead, own, seasons) - shortest)
            assert_allclose(
                mixed[number, step - 1], shortest + shares[number, block[step - 1]] @ others
            )


@settings(deadline=None, max_examples=60)
@given(many_series())
def test_errors_are_those_of_the_mixture_one_season_before(drawn):
    arrays, seasons, window, _ = drawn
    seasons = (seasons[0], *(seasons[1:] or (7,)))
    values = np.concatenate(arrays)
    sizes = [len(array) for array in arrays]
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    known, rows = ~np.isnan(values), np.arange(len(values))
    found = season_errors(values, known, starts, seasons=seasons, window_length=window)
    lengths = {"seasons": seasons, "horizon": seasons[0]}
    shares = season_shares(values, known, starts, rows, window_length=window, **lengths)
    forecast = mixed_naive(values, starts, rows, shares, **lengths)[:, -1]
    for row in rows:
        origin = row - seasons[0]
        if origin >= starts[row] and known[row] and known[origin]:
            assert_allclose(found[row], values[row] - forecast[origin], atol=1e-6)
        else:
            assert found[row] == 0


def test_windows_hold_the_errors_in_the_scale_of_their_target():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.repeat(["a", "b"], [30, 11]), "y": rng.normal(size=41)})
    table["z"] = 100 * table["y"] + rng.normal(size=41)
    rows = read_series_rows(table, "id")
    grid = RegularGrid.read(table, rows, target=[1, 2], past=[], future=[])
    options = {"seasons": (2, 5), "step_weight": (1.0,), "window_length": 8, "limit": 1e9}
    builder = WindowBuilder.learn(grid, **options)
    prepared = builder.build(grid, np.arange(41))
    windows = np.asarray(prepared.windows)
    assert windows.shape == (41, 8, 4) and builder.n_features == 4
    for column, name in enumerate(["y", "z"]):
        typical = prepared.targets[column].typical
        values, known = table[name].to_numpy() / typical, np.ones(41, bool)
        lengths = {"seasons": (2, 5), "window_length": 8}
        errors = typical * season_errors(values, known, grid.starts(), **lengths)
        for row in (29, 35, 40):
            n = min(8, row + 1 - grid.starts()[row])
            expected = errors[row + 1 - n : row + 1] / prepared.scale[row, column]
            assert_allclose(windows[row, 8 - n :, 2 * column + 1], expected, rtol=1e-4, atol=1e-5)
            assert (windows[row, : 8 - n] == 0).all()


# ------------------------------------------------------------------------- in a forecaster
def make_panel(n_weeks=12, n_series=4, noise=0.1, slope=0.0, weekend=0.2, seed=0):
    """Make series with a pattern of 4 rows, weaker in the last of 5 such patterns."""
    rng = np.random.default_rng(seed)
    day = np.array([0.0, 2, 3, 1])
    week = np.concatenate([day, day, day, day, weekend * day])
    parts = []
    for number in range(n_series):
        level = 8 + noise * rng.normal(size=20 * n_weeks)
        level += slope * np.arange(20 * n_weeks)
        parts.append(10.0**number * np.exp(0.1 * (level + np.tile(week, n_weeks))))
    return stack_series(parts, columns=["y"]).reset_index()


def make_forecaster(season_length=(4, 20), **parameters):
    parameters = {"regressor": Zero(), "n_estimators": 1, "window_length": 60, **parameters}
    return MultiSeriesForecaster(4, season_length=season_length, **parameters, **IDS)


def split(panel, n_last=4):
    last = panel.groupby("series")["time"].transform("max")
    later = panel["time"] > last - n_last
    return panel[~later], panel[later]


def test_a_mixture_beats_each_season():
    # The difference of the two seasons extrapolates a trend.
    panel = make_panel(slope=0.1, weekend=1)
    true = make_targets(panel, 4, "y", **IDS).to_numpy()
    late = (panel["time"] >= 200).to_numpy()
    errors = {}
    for season in (4, 20, (4, 20)):
        found = make_forecaster(season).fit(panel[~late]).predict(panel)
        errors[season] = np.nanmean(np.abs(np.log(found / true)[late]))
    assert errors[4, 20] < 0.5 * min(errors[4], errors[20]), errors


def test_shares_follow_the_pattern():
    # Repeats after 20 rows exactly: the three forecasts of the longer season are the same. Each has
    # the 40 rows of the window on its side, and they share the 10 of the prior.
    past, _ = split(make_panel(noise=0))
    windows = make_forecaster().fit(past)
    longer, shorter = (make_forecaster(season).fit(past).forecast() for season in (20, 4))
    mixed = windows.forecast()["prediction"]
    far = np.abs(longer["prediction"] - shorter["prediction"]) > 1e-6 * mixed
    log = [np.log(table[far]) for table in (mixed, longer["prediction"], shorter["prediction"])]
    assert far.any()
    assert_allclose((log[0] - log[2]) / (log[1] - log[2]), 120 / 130, rtol=0.01)


def test_a_series_shorter_than_a_season_uses_the_others():
    model = make_forecaster((4, 20)).fit(make_panel())
    short = make_panel(n_weeks=1).groupby("series").head(13)
    alone = make_forecaster(4).fit(make_panel())
    assert_allclose(model.forecast(short)["prediction"], alone.forecast(short)["prediction"])


def test_remembered_rows_are_enough():
    panel = make_panel(n_weeks=30)
    model = make_forecaster(regressor=Ridge()).fit(panel)
    assert_allclose(model.forecast()["prediction"], model.forecast(panel)["prediction"], rtol=1e-6)


@pytest.mark.parametrize("regressor", slow_except({"ridge": Ridge(), "network": None}, "ridge"))
def test_one_season_in_a_tuple_is_that_season(regressor):
    panel = make_panel(n_weeks=3)
    panel.loc[[5, 6, 30], "y"] = np.nan
    found = [
        make_forecaster(season, regressor=regressor, hidden_units=4, random_state=0)
        .fit(panel)
        .predict(panel)
        for season in (4, (4,), [4, 4])
    ]
    assert_array_equal(found[1], found[0])
    assert_array_equal(found[2], found[0])


def test_the_order_of_seasons_does_not_matter():
    panel = make_panel()
    found = [make_forecaster(s).fit(panel).predict(panel) for s in ((4, 20), [20, 4, 20])]
    assert_array_equal(found[0], found[1])


def test_search_backtest_and_score_with_several_seasons():
    panel = make_panel(n_weeks=8)
    search = GridSearchCV(
        make_forecaster(regressor=Ridge()),
        {"season_length": [4, (4, 20)], "n_estimators": [1]},
        cv=PerSeriesTimeSplit(2, test_size=4, **IDS),
        error_score="raise",
    )
    assert search.fit(panel).best_params_["season_length"] in (4, (4, 20))
    past, later = split(panel)
    model = clone(search.best_estimator_).set_params(season_length=(4, 20)).fit(past)
    assert model.get_params()["season_length"] == (4, 20)
    # Errors are scaled by the shortest season.
    scale = seasonal_scale(past, 4, "y", **IDS).to_numpy()
    error = np.abs(later["y"].to_numpy() - model.forecast()["prediction"]).to_numpy()
    expected = error.reshape(4, 4).mean(axis=1) / scale
    assert model.score(later) == pytest.approx(-expected.mean())
    table = backtest(model, panel, 1)
    assert_allclose(table.groupby("series")["scaled_error"].mean(), expected, rtol=1e-4)


def test_default_lengths_of_several_seasons():
    panel = make_panel(n_weeks=12)
    model = MultiSeriesForecaster(4, season_length=(4, 20), regressor=Zero(), **IDS).fit(panel)
    assert (model.window_length_, model.segment_length_) == (60, 4)
    model = MultiSeriesForecaster(4, season_length=(4, 7), regressor=Zero(), **IDS).fit(panel)
    assert (model.window_length_, model.segment_length_) == (56, 4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"season_length": ()}, r"season_length=\(\) must be a positive integer, or a tuple"),
        ({"season_length": (4, 0)}, r"season_length=\(4, 0\) must be a positive integer"),
        ({"season_length": (4, 7.5)}, "must be a positive integer"),
        ({"season_length": (True, 4)}, "must be a positive integer"),
        ({"season_length": 0}, "season_length=0 must be a positive integer"),
        ({"season_length": "7D"}, "season_length='7D' must be .* the rows in a season"),
        ({"window_length": 20}, "window_length=20 is too short for the season 20"),
    ],
)
def test_bad_seasons(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_forecaster(**parameters).fit(make_panel())


def test_a_season_that_no_series_holds():
    panel = make_panel(n_weeks=1)
    with pytest.warns(UserWarning, match="the season of 20 rows cannot be learned and is not used"):
        make_forecaster().fit(panel)
