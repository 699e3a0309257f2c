"""Lives that may be censored: the loss by hand, scores, and everything that passes them on."""

from copy import copy

import helpers
import keras
import numpy as np
import pandas as pd
import pytest
from helpers import make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import (
    PanelDataset,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    make_remaining_life,
    make_series_scorer,
    series_report,
    series_weights,
)
from sklstm.metrics import concordance_index

N, L, F = 60, 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, L, F)).astype("float32")
T = X[:, -1].sum(axis=1, dtype=float) * 3.0 + 20
EVENT = RNG.random(N) < 0.5
UNITS = np.array(["a"] * 5 + ["b"] * 15 + ["c"] * 40)
IDS = {"series": "unit", "time": "cycle"}


def lstm(**options):
    """Make a small regressor, which by default keeps its initial weights.

    All have the same shape, so that they share their compiled programs.
    """
    defaults = {"optimizer": "sgd", "learning_rate": 0.0, "batch_size": 64}
    return helpers.lstm(**defaults | options)


def lives(event, time):
    """Make the structured array of scikit-survival; the names of its fields are free."""
    y = np.empty(np.shape(event), dtype=[("failed", bool), ("hours", np.asarray(time).dtype)])
    y["failed"], y["hours"] = event, time
    return y


Y = lives(EVENT, T)


def missed(predicted, event=EVENT, time=T):
    """Return what a prediction misses: nothing where it is beyond the time of a censored life."""
    return np.where(event, time - predicted, np.maximum(time - predicted, 0))


# ------------------------------------------------------------------------ the loss by hand
@pytest.mark.parametrize(
    ("loss", "of_error"),
    [
        ("mse", np.square),
        ("mae", np.abs),
        pytest.param(
            lambda y, f: keras.ops.mean(keras.ops.abs(y - f) ** 3, axis=-1),
            lambda e: np.abs(e) ** 3,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["mse", "mae", "own"],
)
def test_loss_of_censored_rows_by_hand(loss, of_error):
    own = RNG.uniform(0.1, 10, N)
    net = lstm(loss=loss).fit(X, Y, sample_weight=own, series_ids=UNITS)
    losses = of_error(missed(net.predict(X)))
    assert (missed(net.predict(X)) == 0).any()
    expected = np.mean(series_weights(UNITS, sample_weight=own) * losses)
    assert_allclose(net.history_["loss"], [expected] * 2, rtol=1e-5)
    report = net.series_report(X, Y, series_ids=UNITS)
    for unit in "abc":
        known = EVENT & (unit == UNITS)
        assert_allclose(report.loc[unit, "loss"], losses[unit == UNITS].mean(), rtol=1e-5)
        error = np.sqrt(np.mean((T - net.predict(X))[known] ** 2))
        assert_allclose(report.loc[unit, "error"], error, rtol=1e-5)


def test_loss_of_quantiles_by_hand():
    levels = np.array([0.1, 0.5, 0.9])
    net = lstm(quantiles=levels).fit(X, Y)
    predicted = net.predict_quantiles(X)
    error = missed(predicted, EVENT[:, np.newaxis], T[:, np.newaxis])
    expected = np.maximum(levels * error, (levels - 1) * error).mean()
    assert_allclose(net.history_["loss"], [expected] * 2, rtol=1e-5)
    assert_allclose(net.series_report(X, Y)["loss"], expected, rtol=1e-5)


def test_several_outputs_with_missing_elements():
    event, time = np.c_[EVENT, ~EVENT], np.c_[T, T[::-1]]
    time[::7, 0] = time[3] = np.nan
    net = lstm().fit(X, lives(event, time))
    squares = missed(net.predict(X), event, time) ** 2
    expected = np.nanmean(np.delete(squares, 3, axis=0), axis=1).mean()
    assert_allclose(net.history_["loss"], [expected] * 2, rtol=1e-5)
    scores = [
        r2_score(time[k, j], net.predict(X)[k, j])
        for j, k in enumerate((event & ~np.isnan(time)).T)
    ]
    assert_allclose(net.score(X, lives(event, time)), np.mean(scores))


def test_a_step_is_that_towards_the_larger_of_bound_and_prediction():
    start = lstm(warm_start=True, epochs=1).fit(X, T)
    replaced = np.where(EVENT, T, np.maximum(T, start.predict(X)))

    def predict_after_step(y):
        return copy(start).set_params(learning_rate=0.05).fit(X, y).predict(X)

    stepped = predict_after_step(Y)
    assert np.abs(stepped - start.predict(X)).max() > 0.1
    assert_allclose(stepped, predict_after_step(replaced), rtol=1e-5)


def test_missing_time_is_a_missing_target():
    time = np.where(np.arange(N) % 5 == 0, np.nan, T)
    known = ~np.isnan(time)
    one = lstm(learning_rate=0.01).fit(X, lives(EVENT, time))
    other = lstm(learning_rate=0.01).fit(X[known], Y[known])
    assert_allclose(one.predict(X), other.predict(X), rtol=1e-4)


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_units_of_the_lives_do_not_matter(unit):
    fitted, other = (lstm(learning_rate=0.01).fit(X, lives(EVENT, size * T)) for size in (1, unit))
    assert_allclose(other.predict(X), unit * fitted.predict(X), rtol=1e-3)


def test_events_alone_equal_plain_targets():
    plain, same = (lstm(learning_rate=0.01).fit(X, y) for y in (T, lives(EVENT | True, T)))
    assert_array_equal(same.predict(X), plain.predict(X))
    assert lstm().fit(X, lives(EVENT, T.astype("float32"))).predict(X).dtype == "float32"


def test_lives_after_plain_targets_and_back():
    """Fits share compiled programs, which depend on the form of y."""
    net = lstm(learning_rate=0.01, warm_start=True, epochs=1)
    losses = [net.fit(X, y).history_["loss"][-1] for y in (T, Y, T, Y)]
    again = lstm(learning_rate=0.01, epochs=1).fit(X, T)
    assert again.history_["loss"] == losses[:1]
    again.partial_fit(X, Y).partial_fit(X, T).partial_fit(X, lives(EVENT & False, T))
    assert_allclose(again.history_["loss"][:3], losses[:3], rtol=1e-6)


# ---------------------------------------------------------------------- scores and searches
def test_score_is_that_of_the_known_lives():
    net = lstm().fit(X, Y)
    expected = r2_score(T[EVENT], net.predict(X)[EVENT])
    assert_allclose(net.score(X, Y), expected)
    scorer = make_series_scorer("r2", average="micro")
    assert_allclose(scorer(net, X, Y), expected)


def make_lives_panel():
    """Make engines of which every second is cut before its failure."""
    panel = make_panel({unit: 8 + k for k, unit in enumerate("abcdefgh")}, scattered=True)
    ends = {unit: k % 2 == 0 for k, unit in enumerate("abcdefgh")}
    return panel, make_remaining_life(panel, ends, **IDS)


def test_search_by_concordance_in_a_pipeline():
    panel, y = make_lives_panel()
    pipe = make_pipeline(WindowTransformer(4, **IDS), lstm(learning_rate=0.01, min_observed=1))
    grid = {"multiserieslstmregressor__epochs": [1, 3]}
    folds = list(GroupKFold(2).split(panel, groups=panel["unit"]))
    scoring = make_scorer(concordance_index)
    search = GridSearchCV(pipe, grid, scoring=scoring, cv=folds).fit(panel, y)
    for number, (train, test) in enumerate(folds):
        fitted = clone(pipe).set_params(multiserieslstmregressor__epochs=3)
        predicted = fitted.fit(panel.iloc[train], y[train]).predict(panel.iloc[test])
        expected = concordance_index(y[test], predicted)
        assert_allclose(search.cv_results_[f"split{number}_test_score"][1], expected)
    report = series_report(search, panel, y)
    assert (report["error"].isna() == [unit in "bdfh" for unit in report.index]).all()


# ------------------------------------------------------------------------- what passes y on
class Recorder(RegressorMixin, BaseEstimator):
    """Keep the targets, and predict half of the known ones' mean."""

    def fit(self, X, y):
        self.y_ = y
        return self

    def predict(self, X):
        return np.full(len(X), 0.5)


def test_targets_are_scaled_and_keep_their_events():
    panel, y = make_lives_panel()
    model = PerSeriesTargetRegressor(Recorder(), **IDS).fit(panel, y)
    plain = PerSeriesTargetRegressor(Recorder(), **IDS).fit(panel, y["time"])
    assert_array_equal(model.regressor_.y_["time"], plain.regressor_.y_)
    assert_array_equal(model.regressor_.y_["event"], y["event"])
    assert_array_equal(model.predict(panel), plain.predict(panel))
    known = y["event"]
    expected = r2_score(y["time"][known], model.predict(panel)[known])
    assert_allclose(model.score(panel, y), expected)


def test_members_of_an_ensemble_receive_lives():
    panel, y = make_lives_panel()
    assign = {unit: unit in "abcd" for unit in "abcdefgh"}
    options = {"assign": assign, "combine": "error", **IDS}
    model = SeriesEnsembleRegressor(Recorder(), **options).fit(panel, y)
    for label, member in zip(model.draws_.columns, model.estimators_, strict=True):
        assert_array_equal(member.y_, y[panel["unit"].map(assign) == label])
    known = y["event"]
    others = [panel["unit"].map(assign) != label for label in model.draws_.columns]
    errors = [np.mean((y["time"][known & rows] - 0.5) ** 2) for rows in others]
    assert_allclose(model.errors_[:, 0], errors)
    expected = r2_score(y["time"][known], model.predict(panel)[known])
    assert_allclose(model.score(panel, y), expected)


def test_blocks_of_a_panel_that_is_larger_than_memory():
    panel, y = make_lives_panel()
    order = np.lexsort((panel["cycle"], panel["unit"]))
    panel, y = panel.iloc[order], y[order]
    stored = PanelDataset(panel, series="unit", block_rows=20)
    assert stored.n_blocks > 2
    one, other = (
        lstm(min_observed=1).fit(WindowTransformer(4, **IDS).fit_transform(rows), y)
        for rows in (stored, panel)
    )
    assert_allclose(one.history_["loss"], other.history_["loss"], rtol=1e-5)


# ------------------------------------------------------------------- validation and errors
def test_validation_loss_by_hand():
    net = lstm(early_stopping=True).fit(X, Y, X_val=X[::2], y_val=Y[::2])
    expected = np.mean(missed(net.predict(X))[::2] ** 2)
    assert_allclose(net.history_["val_loss"][0], expected, rtol=1e-5)


def test_validation_without_events_warns():
    y = lives(UNITS == "b", T)
    net = lstm(early_stopping=True, validation_fraction=0.33, epochs=1, random_state=0)
    with pytest.warns(UserWarning, match="All lives of the 1 validation series are censored"):
        net.fit(X, y, series_ids=UNITS)


def test_both_sets_have_one_form():
    for y, y_val in ((Y, T), (T, Y)):
        with pytest.raises(ValueError, match="Only one of y and y_val holds lives"):
            lstm(early_stopping=True).fit(X, y, X_val=X, y_val=y_val)


ERRORS = {
    "three fields": (np.zeros(N, [("a", bool), ("b", float), ("c", float)]), {}, "fields .* two"),
    "order": (
        np.zeros(N, [("time", float), ("event", bool)]),
        {},
        r"fields 'time' \(float64\), 'event' \(bool\), expected two in this order",
    ),
    "table": (
        pd.DataFrame(lives(EVENT, T)),
        {},
        r"y\[\['failed', 'hours'\]\].to_records\(",
    ),
    "no event": (lives(EVENT & False, T), {}, "None of the 60 lives"),
    "events of unknown time": (
        lives(EVENT, np.where(EVENT, np.nan, T)),
        {},
        "None of the 60 lives",
    ),
    "rows": (Y[1:], {}, "X has 60 rows, y has 59"),
    "infinite": (lives(EVENT, np.full(N, np.inf)), {}, "infinity"),
    "loss": (Y, {"loss": "poisson"}, "missing or censored .* not 0 for a perfect prediction"),
}


@pytest.mark.parametrize(("y", "options", "message"), ERRORS.values(), ids=ERRORS)
def test_bad_lives(y, options, message):
    with pytest.raises(ValueError, match=message):
        lstm(**options).fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("quantiles", [None, (0.2, 0.8)])
def test_censoring_is_nearer_to_the_truth_than_its_alternatives(quantiles):
    rng = np.random.default_rng(1)
    table = rng.uniform(0, 1, size=(3000, 2)).astype("float32")
    life = 10 + 20 * table[:, 0] + rng.normal(size=len(table))
    # Few rows have an event, in one corner only.
    limit = rng.uniform(0, 30, len(table)) + 5 * table[:, 1]
    event, time = life <= limit, np.minimum(life, limit)
    fits = {
        "censored": (table, lives(event, time)),
        "dropped": (table[event], time[event]),
        "as events": (table, time),
    }
    errors = {}
    for name, (rows, y) in fits.items():
        net = helpers.lstm(quantiles=quantiles, epochs=30, batch_size=64)
        predicted = net.fit(rows, y).predict(table)
        errors[name] = np.sqrt(np.mean((predicted - 10 - 20 * table[:, 0]) ** 2))
    assert errors["censored"] < errors["as events"]
    if quantiles is None:
        # Powell's quantiles need the times at which the rows with an event would have been cut,
        # which lives do not hold: here they are no better than those of the rows with an event.
        assert errors["censored"] < errors["dropped"]
