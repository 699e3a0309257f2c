"""Tests of whole pipelines: scaler, windows and net inside scikit-learn's own tools."""

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    WindowTransformer,
    make_targets,
    stack_series,
    unstack_series,
)
from sklstm.datasets import load_turbofan

FEATURES = ["p", "q"]
# Four series of random walks, with names out of order, and a target per row.
PANEL = make_panel({7: 14, 3: 18, 5: 22, 9: 26})
PANEL[FEATURES] = PANEL[FEATURES].cumsum() + 10
Y = PANEL["p"].to_numpy() + PANEL["cycle"].to_numpy()
UNITS = PANEL["unit"].to_numpy()
IDS = {"series": "unit", "time": "cycle"}
# The same panel as people hold it, and where its ids are.
FORMS = {
    "columns": (PANEL, IDS),
    "index": (PANEL.set_index(["unit", "cycle"]), IDS),
    "array": (PANEL.to_numpy(), {"series": 0, "time": 1}),
}


def pipeline(ids=IDS, statistics="expanding", **options):
    """Make a small pipeline; equal shapes in all tests keep compiling rare."""
    return make_pipeline(
        PerSeriesScaler(statistics=statistics, **ids),
        WindowTransformer(3, **ids),
        lstm(**options),
    )


# ------------------------------------------------------------------- scikit-learn's tools
@pytest.fixture(scope="module")
def search():
    grid = {
        "windowtransformer__window_length": [3, 5],
        "multiserieslstmregressor__hidden_units": [2, 4],
    }
    return GridSearchCV(pipeline(), grid, cv=GroupKFold(2), error_score="raise")


@pytest.fixture(scope="module")
def searched(search):
    return clone(search).fit(PANEL, Y, groups=UNITS)


def test_search_over_windows_and_units(searched):
    scores = searched.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(np.unique(scores)) == 4
    best = searched.best_params_
    assert searched.best_estimator_[1].window_length == best["windowtransformer__window_length"]
    assert_array_equal(searched.predict(PANEL), searched.best_estimator_.predict(PANEL))
    # The score of a split is that of a pipeline fitted by hand.
    train, test = next(GroupKFold(2).split(PANEL, Y, UNITS))
    by_hand = clone(searched.estimator).set_params(**searched.cv_results_["params"][0])
    by_hand.fit(PANEL.iloc[train], Y[train])
    assert_allclose(
        searched.cv_results_["split0_test_score"][0],
        by_hand.score(PANEL.iloc[test], Y[test]),
        rtol=1e-5,
    )


@pytest.mark.slow
def test_parallel_search_finds_the_same(search, searched):
    # Each process imports TensorFlow and compiles: one size of net, and no refit.
    grid = {**search.param_grid, "multiserieslstmregressor__hidden_units": [4]}
    parallel = clone(search).set_params(n_jobs=2, refit=False, param_grid=grid)
    parallel.fit(PANEL, Y, groups=UNITS)
    same = [searched.cv_results_["params"].index(p) for p in parallel.cv_results_["params"]]
    for name in ("split0_test_score", "split1_test_score"):
        assert_allclose(parallel.cv_results_[name], searched.cv_results_[name][same], rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_cross_val_predict_is_the_same_for_every_form_of_panel(form, out_of_fold):
    X, ids = FORMS[form]
    predicted = cross_val_predict(pipeline(ids), X, Y, cv=GroupKFold(2), groups=UNITS)
    assert_allclose(predicted, out_of_fold, rtol=1e-5)


@pytest.fixture(scope="module")
def out_of_fold():
    """Predict every row from a fit on the other series, one series after the other."""
    predicted = np.full(len(Y), np.nan)
    for train, test in GroupKFold(2).split(PANEL, Y, UNITS):
        fitted = pipeline().fit(PANEL.iloc[train], Y[train])
        for unit in np.unique(UNITS[test]):
            rows = UNITS == unit
            predicted[rows] = fitted.predict(PANEL[rows])
    return predicted


@pytest.mark.parametrize("form", FORMS)
def test_predictions_follow_the_order_of_the_rows(form):
    X, ids = FORMS[form]
    fitted = pipeline(ids).fit(X, Y)
    order = np.random.default_rng(0).permutation(len(Y))
    shuffled = X[order] if isinstance(X, np.ndarray) else X.iloc[order]
    assert_allclose(fitted.predict(shuffled), fitted.predict(X)[order], rtol=1e-5)


def test_one_full_batch_learns_the_same_from_rows_in_any_order():
    order = np.random.default_rng(0).permutation(len(Y))
    options = {"batch_size": 128, "epochs": 3}
    one = pipeline(**options).fit(PANEL, Y)
    other = pipeline(**options).fit(PANEL.iloc[order], Y[order])
    assert_allclose(other.predict(PANEL), one.predict(PANEL), rtol=1e-4)


def test_stock_transformers_keep_the_ids_in_pandas():
    panel = PANEL.set_index(["unit", "cycle"])
    missing = panel.mask(np.random.default_rng(0).random(panel.shape) < 0.1)
    imputed = make_pipeline(SimpleImputer(), *pipeline().named_steps.values())
    imputed.set_output(transform="pandas")
    predicted = imputed.fit(missing, Y).predict(missing)
    by_hand = missing.fillna(missing.mean())
    assert_allclose(predicted, pipeline().fit(by_hand, Y).predict(by_hand), rtol=1e-5)
    with pytest.raises(ValueError, match="If an earlier step returned the array, call .set_output"):
        make_pipeline(SimpleImputer(), *pipeline().named_steps.values()).fit(missing, Y)


def test_sample_weight_reaches_the_net():
    out = np.arange(len(Y)) % 4 == 0
    weight = {"multiserieslstmregressor__sample_weight": np.where(out, 0.0, 1.0)}
    weighted = pipeline().fit(PANEL, np.where(out, 1e6, Y), **weight)
    unknown = pipeline().fit(PANEL, np.where(out, np.nan, Y))
    assert_array_equal(weighted.predict(PANEL), unknown.predict(PANEL))


# -------------------------------------------------------------------------- no look-ahead
@pytest.mark.parametrize("statistics", ["expanding", "pooled"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_later_rows_never_change_earlier_predictions(statistics, seen):
    train = np.isin(UNITS, [7, 3]) if not seen else np.full(len(Y), True)
    fitted = pipeline(statistics=statistics).fit(PANEL[train], Y[train])
    rows = PANEL[UNITS == 9]
    cut = 12
    changed = rows.copy()
    changed.loc[changed["cycle"] >= cut, FEATURES] += 1000
    before, after = fitted.predict(rows), fitted.predict(changed)
    assert_array_equal(before[:cut], after[:cut])
    assert (before[cut:] != after[cut:]).all()
    assert_allclose(fitted.predict(rows[:cut]), before[:cut], rtol=1e-5)


@pytest.mark.parametrize("statistics", ["expanding", "pooled", "fit"])
@pytest.mark.parametrize("form", FORMS)
def test_new_rows_alone_are_predicted_as_with_their_history(statistics, form):
    X, ids = FORMS[form]
    new = (PANEL["cycle"] >= 10).to_numpy()
    fitted = pipeline(ids, statistics).fit(X[~new], Y[~new])
    assert_allclose(fitted.predict(X[new]), fitted.predict(X)[new], rtol=1e-5)
    # The context matters: without it, the first new rows look padded.
    if form == "columns":
        torn = fitted.predict(PANEL.assign(unit=UNITS + 100)[new])
        first = (PANEL["cycle"][new] == 10).to_numpy()
        assert (torn[first] != fitted.predict(X[new])[first]).all()


# --------------------------------------------------------------------------- whole series
def test_one_target_a_series_from_its_whole_history():
    last = ~PANEL["unit"].duplicated(keep="last").to_numpy()
    y = np.where(last, PANEL.groupby("unit")["p"].transform("first"), np.nan)
    fitted = pipeline(epochs=3, min_observed=1).set_params(
        windowtransformer__window_length="longest", windowtransformer__padding="zero"
    )
    fitted.fit(PANEL, y)
    windows = fitted[:-1].transform(PANEL)
    assert windows.shape[1] == 26
    report = fitted[-1].series_report(windows, y)
    assert (report["windows"] == 1).all()
    # The first row of a series changes the prediction at its last one, even of a series unseen.
    rows = PANEL[UNITS == 9].assign(unit=100)
    changed = rows.copy()
    changed.iloc[0, 2:] += 10
    assert fitted.predict(rows)[-1] != fitted.predict(changed)[-1]


# ------------------------------------------------------------------ from arrays, real data
def test_from_a_list_of_arrays_and_back():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(length, 2)) for length in (9, 14, 11)]
    panel = stack_series(arrays)
    y = make_targets(panel, horizon=2, columns="x0", series="series", time="time")
    ids = {"series": "series", "time": "time"}
    fitted = pipeline(ids, embargo=2).fit(panel, y)
    predicted = pd.DataFrame(fitted.predict(panel), index=panel.index)
    back = unstack_series(predicted)
    assert [array.shape for array in back] == [(9, 2), (14, 2), (11, 2)]
    for array, prediction in zip(arrays, back, strict=True):
        # A series on its own, as one more list of arrays, gets the predictions it had.
        alone = fitted.predict(stack_series([array], names=["new"]))
        assert_allclose(alone, prediction, rtol=1e-4, atol=1e-5)
    by_lead = [
        r2_score(true.dropna(), predicted[lead][true.notna()])
        for lead, (_, true) in enumerate(y.items())
    ]
    assert_allclose(fitted.score(panel, y), np.mean(by_lead))
    with pytest.raises(ValueError, match="stack_series"):
        MultiSeriesLSTMRegressor().fit(arrays, y)


def test_turbofan_engines():
    data = load_turbofan()
    train = data.train[data.train["unit"] <= 2]
    target = data.train_rul[train.index]
    ids = {"series": "unit", "time": "cycle"}
    fitted = pipeline(ids, epochs=5, batch_size=64, min_observed=1).fit(train, target)
    assert fitted.score(train, target) > 0
    test = data.test[data.test["unit"].isin(data.test["unit"].unique()[:2])]
    report = fitted[-1].series_report(fitted[:-1].transform(train), target)
    assert_allclose(report["weight"], len(train) / 2)
    # What a sensor shows later says nothing about now.
    assert_allclose(fitted.predict(test[:20]), fitted.predict(test)[:20], rtol=1e-4)
