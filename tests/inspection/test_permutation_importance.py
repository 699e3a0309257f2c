"""Tests of permutation importance: a plain loop, groups, series, scores, choices."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklstm import (
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    WindowTransformer,
    make_series_scorer,
)
from sklstm.inspection import permutation_importance
from sklstm.inspection._exchanged_windows import ExchangedWindows

IDS = {"series": "unit", "time": "cycle"}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4, 2)).astype("float32")
Y = np.tanh(2 * X[:, 1, 0]) - X[:, -1, 1] + 30
MAE = "neg_mean_absolute_error"
PANEL = make_panel((9, 7, 5), features=("size", "p", "q"), scattered=True)
PANEL_Y = PANEL["p"].where(PANEL.groupby("unit").cumcount() != 1)


@pytest.fixture(scope="module")
def net():
    return lstm(epochs=20).fit(X, Y)


@pytest.fixture(scope="module")
def pipe():
    net = lstm(min_observed=1, epochs=5, series_embedding=2)
    windows = WindowTransformer(4, padding="nan", **IDS)
    return make_pipeline(PerSeriesScaler(**IDS), windows, net).fit(PANEL, PANEL_Y)


def orders_of(seed, n_rows, n_repeats):
    random = np.random.RandomState(seed)
    return [random.permutation(n_rows) for _ in range(n_repeats)]


def falls_slowly(net, steps, features):
    """Exchange some cells of all windows, and compute the falls of the R2 score."""
    falls = []
    for order in orders_of(0, len(X), 3):
        changed = X.copy()
        for step in steps:
            for feature in features:
                changed[:, step, feature] = X[order, step, feature]
        falls.append(net.score(X, Y) - net.score(changed, Y))
    return falls


# ---------------------------------------------------------------------------- a plain loop
@pytest.mark.parametrize(("options", "expected"), [
    ({"by": "feature"}, {"x0": (range(4), [0]), "x1": (range(4), [1])}),
    ({"by": "lag"}, {lag: ([3 - lag], [0, 1]) for lag in range(4)}),
    ({"by": "lag", "lag_groups": 2}, {"0-1": ([2, 3], [0, 1]), "2-3": ([0, 1], [0, 1])}),
    ({"by": "lag", "lag_groups": [[3, 1], [0]]}, {"1-3": ([0, 2], [0, 1]), 0: ([3], [0, 1])}),
], ids=["feature", "lag", "two-groups", "given-groups"])  # fmt: skip
def test_importances_are_those_of_a_plain_loop(options, expected, net):
    found = permutation_importance(net, X, Y, n_repeats=3, random_state=0, **options)
    assert found.names == list(expected) and found.by == options["by"]
    falls = [falls_slowly(net, *cells) for cells in expected.values()]
    assert_allclose(found.importances, falls, rtol=1e-4, atol=1e-6)
    assert_array_equal(found.importances_mean, found.importances.mean(axis=1))
    assert_array_equal(found.importances_std, found.importances.std(axis=1))
    assert_allclose(found.baseline_score, net.score(X, Y))


def test_the_windows_of_each_series_are_exchanged(pipe):
    found = permutation_importance(
        pipe, PANEL, PANEL_Y, by="series", scoring=MAE, n_repeats=2, random_state=0
    )
    known = np.flatnonzero(PANEL_Y.notna())
    windows, true = pipe[:-1].transform(PANEL)[known], PANEL_Y.to_numpy()[known]
    errors = np.abs(pipe[-1].predict(windows) - true)
    cells = np.ones(windows.shape[1:], bool)
    others = [
        np.abs(pipe[-1].predict(ExchangedWindows.exchange(windows, cells, order)) - true)
        for order in orders_of(0, len(known), 2)
    ]
    assert sorted(found.names) == ["a", "b", "c"]
    for place, name in enumerate(found.names):
        mine = PANEL["unit"].to_numpy()[known] == name
        assert_allclose(found.baseline_score[place], -errors[mine].mean(), rtol=1e-5)
        falls = [other[mine].mean() - errors[mine].mean() for other in others]
        assert_allclose(found.importances[place], falls, rtol=1e-4)


def test_the_embedding_is_exchanged_too(pipe):
    found = permutation_importance(pipe, PANEL, PANEL_Y, n_repeats=2, random_state=0)
    assert found.names == ["size", "p", "q", "series embedding"]
    known = np.flatnonzero(PANEL_Y.notna())
    windows = pipe[:-1].transform(PANEL)[known]
    true = PANEL_Y.to_numpy()[known]
    falls = []
    for order in orders_of(0, len(known), 2):
        other_ids = windows.with_series(windows.codes[order], windows.ids)
        falls.append(pipe[-1].score(windows, true) - pipe[-1].score(other_ids, true))
    assert_allclose(found.importances[-1], falls, rtol=1e-5)
    assert_allclose(found.baseline_score, pipe[-1].score(windows, true))


def test_groups_with_the_same_first_and_last_lag_are_all_exchanged(net):
    groups = [[0, 3], [0, 1, 2, 3]]
    found = permutation_importance(
        net, X, Y, by="lag", lag_groups=groups, n_repeats=3, random_state=0
    )
    assert found.names == ["0-3", "0-3"]
    falls = [falls_slowly(net, steps, [0, 1]) for steps in ([0, 3], range(4))]
    assert_allclose(found.importances, falls, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------------------------- scores
@pytest.mark.parametrize(("scoring", "refit"), [
    (MAE, True),
    ({"one": "r2", "two": make_series_scorer(MAE, series="unit")}, "two"),
], ids=["one", "several"])  # fmt: skip
def test_the_default_score_of_a_search_is_its_own(scoring, refit, pipe):
    cv = PerSeriesTimeSplit(2, **IDS)
    grid = {"multiserieslstmregressor__epochs": [2]}
    search = GridSearchCV(pipe, grid, scoring=scoring, refit=refit, cv=cv)
    search.fit(PANEL, PANEL["p"])
    found = permutation_importance(search, PANEL, PANEL["p"], n_repeats=1, random_state=0)
    assert_allclose(found.baseline_score, search.score(PANEL, PANEL["p"]))


def test_scorers_see_the_rows_of_the_user(pipe):
    scorers = {
        "macro": make_series_scorer(MAE, series="unit"),
        "mae": MAE,
        "first": lambda estimator, X, y: float(X["cycle"].iloc[0]),
    }
    known = np.flatnonzero(PANEL_Y.notna())
    weights = np.arange(len(PANEL)) + 1.0
    found = permutation_importance(pipe, PANEL, PANEL_Y, scoring=scorers, n_repeats=2)
    assert list(found) == list(scorers)
    assert_allclose(found["macro"].baseline_score, scorers["macro"](pipe, PANEL, PANEL_Y))
    assert found["first"].baseline_score == PANEL["cycle"].iloc[known[0]]
    assert not found["first"].importances.any() and found["mae"].importances.any()
    weighted = permutation_importance(
        pipe, PANEL, PANEL_Y, scoring=MAE, n_repeats=1, sample_weight=weights
    )
    errors = np.abs(PANEL_Y - pipe.predict(PANEL))[PANEL_Y.notna()]
    assert_allclose(weighted.baseline_score, -np.average(errors, weights=weights[known]))


def test_frames_of_polars(pipe):
    options = {"n_repeats": 2, "random_state": 0, "by": "lag", "scoring": MAE}
    expected = permutation_importance(pipe, PANEL, PANEL_Y, **options)
    y = pl.Series(PANEL_Y.to_numpy()).fill_nan(None)
    found = permutation_importance(pipe, pl.from_pandas(PANEL), y, **options)
    assert_allclose(found.importances, expected.importances)


def test_lists(net):
    options = {"n_repeats": 2, "random_state": 0}
    expected = permutation_importance(net, X, Y, **options)
    found = permutation_importance(net, X.tolist(), Y.tolist(), **options)
    assert_allclose(found.importances, expected.importances, rtol=1e-5)


@pytest.mark.parametrize("target", [None, "p"])
def test_target_units(target, pipe):
    y = (PANEL["p"] + 5).to_numpy()
    model = PerSeriesTargetRegressor(FrozenEstimator(pipe), target=target, **IDS).fit(PANEL, y)
    model.regressor_ = pipe
    found = permutation_importance(model, PANEL, y, n_repeats=2, scoring=[MAE, "r2"])
    assert_allclose(found[MAE].baseline_score, -np.abs(model.predict(PANEL) - y).mean())
    own = permutation_importance(model, PANEL, y, n_repeats=2)
    assert_allclose(own.baseline_score, model.score(PANEL, y))


# --------------------------------------------------------------------------------- choices
def test_rows_are_chosen_and_sampled(net):
    rows = np.arange(10, 40)
    expected = net.score(X[rows], Y[rows])
    found = permutation_importance(net, X, Y, rows=rows, n_repeats=1)
    assert_allclose(found.baseline_score, expected)
    y = Y.copy()
    y[10:30] = np.nan
    found = permutation_importance(net, X, y, rows=slice(10, 40), n_repeats=1)
    assert_allclose(found.baseline_score, net.score(X[30:40], Y[30:40]))

    def count(estimator, X, y):
        assert len(X) == len(y) == len(estimator.predict(X))
        return len(X)

    for max_samples, n_rows in [(7, 7), (0.5, 15), (1.0, 30), (500, 30), (0.01, 1)]:
        found = permutation_importance(
            net, X, Y, rows=rows, max_samples=max_samples, scoring=count, n_repeats=1
        )
        assert found.baseline_score == n_rows


def test_lives_without_an_event_are_left_out_of_the_score(net):
    lives = np.array(list(zip(np.arange(80) % 3 > 0, Y, strict=True)), dtype="?, f8")
    found = permutation_importance(net, X, lives, n_repeats=1, random_state=0)
    assert_allclose(found.baseline_score, net.score(X, lives))


def test_results_are_reproducible(net):
    first, second = (permutation_importance(net, X, Y, random_state=3) for _ in range(2))
    assert_array_equal(first.importances, second.importances)
    other = permutation_importance(net, X, Y, random_state=4)
    assert not np.array_equal(first.importances, other.importances)


@pytest.mark.parametrize(("options", "message"), [
    ({"lag_groups": 2}, "by='feature': pass by='lag'"),
    ({"by": "lag", "lag_groups": [[4]]}, r"holds \[4\], but the lags .* 0 to 3 rows"),
    ({"by": "lag", "lag_groups": [["a"]]}, "but the lags of the windows"),
    ({"by": "row"}, "'by' parameter"),
    ({"sample_weight": np.ones(81)}, "81 weights for 80 rows"),
    ({"y": Y[:5]}, "y has 5 rows, and X has 80"),
    ({"y": np.full(80, np.nan)}, "No row has a known target"),
])  # fmt: skip
def test_wrong_choices_raise(options, message, net):
    with pytest.raises(ValueError, match=message):
        permutation_importance(net, X, **{"y": Y} | options)


def test_windows_of_one_row_in_a_table_raise(net):
    table = pd.DataFrame(X[:, -1], columns=["p", "q"])
    with pytest.raises(ValueError, match="use sklearn.inspection.permutation_importance"):
        permutation_importance(net, table, Y)
