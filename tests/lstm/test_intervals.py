"""Tests of calibrated quantiles and of intervals between quantiles."""

import pickle

import helpers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import (
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    prediction_interval,
)
from sklstm.lstm import _held_out, _regressor
from sklstm.lstm._conformal import central_interval, conformal_shifts, shift_quantiles

LEVELS = (0.25, 0.75)
IDS = {"series": "unit", "time": "cycle"}
PANEL = helpers.make_panel((8, 12, 9, 11, 10, 7), seed=3)
Y = (PANEL["p"] + 3 * PANEL["unit"].map("abcdef".index)).to_numpy()
FIXED = {"optimizer": "sgd", "learning_rate": 0.0}  # training changes nothing


def lstm(**options):
    """Make a small regressor of quantiles for tables, whose rows are windows of length one."""
    return helpers.lstm(**{"quantiles": LEVELS, "epochs": 1} | IDS | options)


def shift_by_hand(errors, weights, units, level):
    """Find the smallest shift with the share of smaller errors, by its definition."""
    if level < 0.5:
        return -shift_by_hand(-errors, weights, units, 1 - level)
    new = weights.sum() / len(set(units))
    for shift in np.sort(errors):
        below = weights[errors <= shift].sum() / (weights.sum() + new)
        if below >= level - 1e-9:
            return shift
    return errors.max()


# -------------------------------------------------------------------------------- shifts
@settings(max_examples=60, deadline=None)
@given(
    errors=hnp.arrays(float, st.integers(1, 30), elements=st.integers(-20, 20)),
    seed=st.integers(0, 99),
    level=st.sampled_from([0.025, 0.1, 0.3, 0.6, 0.9]),
    weighted=st.booleans(),
)
def test_shifts_equal_a_loop(errors, seed, level, weighted):
    rng = np.random.default_rng(seed)
    weights, units = np.ones(len(errors)), np.arange(len(errors))
    if weighted:
        weights, units = rng.integers(1, 5, len(errors)) / 4, rng.integers(0, 6, len(errors))
    expected = shift_by_hand(errors, weights, units, level)
    given = (weights, units) if weighted else ()
    missing = np.full((1, 1, 1), np.nan)
    padded = np.concatenate([errors[:, np.newaxis, np.newaxis], missing])
    given = [np.append(values, 7) for values in given]
    assert conformal_shifts(padded, np.array([level]), *given) == expected


def test_every_series_counts_the_same():
    # A long series with large errors is one of ten.
    errors = np.r_[np.full(500, 9.0), np.arange(9.0)]
    series = np.r_[np.zeros(500, int), 1 + np.arange(9)]
    weights = sklstm.series_weights(series)
    shifts = conformal_shifts(errors.reshape(-1, 1, 1), np.array([0.7]), weights, series)
    assert shifts == 7.0  # the eighth of eleven, of which one is the new series


def test_outputs_without_targets_and_medians_are_not_shifted():
    errors = np.arange(12.0).reshape(3, 2, 2)
    errors[:, 1] = np.nan
    shifts = conformal_shifts(errors, np.array([0.5, 0.75]))
    assert_array_equal(shifts, [[0, 9], [0, 0]])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**20))
def test_shifted_quantiles_never_cross(seed):
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.normal(size=(4, 2, 5)), axis=-1)
    shifted = shift_quantiles(quantiles, rng.normal(size=(2, 5)), 2)
    assert (np.diff(shifted, axis=-1) >= 0).all()
    assert_array_equal(shifted[..., 2], quantiles[..., 2])


# ----------------------------------------------------------------------------- intervals
@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 0.899), st.floats(-5, 5), st.floats(0.1, 10))
def test_intervals_of_normal_distributions_are_exact(coverage, mean, deviation):
    levels = np.array([0.05, 0.2, 0.5, 0.7, 0.95])
    quantiles = norm.ppf(levels, mean, deviation)[np.newaxis]
    interval = central_interval(quantiles, levels, coverage)[0]
    assert_allclose(interval, norm.interval(coverage, mean, deviation), rtol=1e-9, atol=1e-9)


def test_bounds_at_levels_are_the_quantiles():
    levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    quantiles = np.random.default_rng(0).normal(size=(3, 2, 5)).cumsum(axis=-1)
    assert_array_equal(central_interval(quantiles, levels, 0.8), quantiles[..., [0, 4]])
    assert_array_equal(central_interval(quantiles, levels, 0.5), quantiles[..., [1, 3]])


@pytest.mark.parametrize(
    ("levels", "coverage", "message"),
    [
        ((0.1, 0.5, 0.9), 0.9, r"cover at most 0.8.*quantiles=\(0.05, 0.5, 0.95\)"),
        ((0.1, 0.5, 0.7), 0.5, "cover at most 0.4"),
        ((0.5, 0.9), 0.1, "cover at most 0"),
        ((0.1, 0.9), 1.0, "coverage=1.0 must be a number between 0 and 1"),
        ((0.1, 0.9), 80, "coverage=80 must be .*For 80 percent, pass 0.8"),
        ((0.1, 0.9), "0.8", "coverage='0.8' must be a number"),
        ((0.1, 0.9), [0.5, 0.8], r"coverage=\[0.5, 0.8\] must be .*Pass one number"),
    ],
)
def test_intervals_beyond_the_levels(levels, coverage, message):
    with pytest.raises(ValueError, match=message):
        central_interval(np.zeros((1, len(levels))), np.array(levels), coverage)


# ------------------------------------------------------------------- held-out networks
@pytest.fixture(scope="module")
def fitted():
    return lstm(calibration="series").fit(PANEL, Y)


def test_series_are_held_out_once_and_errors_are_those_of_the_other_series(monkeypatch, fitted):
    held_out = []

    def spy(network, rows):
        held_out.append(set(rows.present_ids))
        return _held_out.errors_of(network, rows)

    monkeypatch.setattr(_regressor, "errors_of", spy)
    again = lstm(calibration="series").fit(PANEL, Y)
    assert_array_equal(again.shifts_, fitted.shifts_)
    assert sorted(map(len, held_out)) == [1, 1, 1, 1, 2]
    assert set.union(*held_out) == set("abcdef")
    # The same networks, by the plain regressor.
    errors, units = [], []
    for names in held_out:
        out = PANEL["unit"].isin(names).to_numpy()
        other = lstm().fit(PANEL[~out], Y[~out])
        errors.append(Y[out, np.newaxis] - other.predict_quantiles(PANEL[out]))
        units.append(PANEL["unit"][out])
    errors, units = np.concatenate(errors), np.concatenate(units)
    weights = sklstm.series_weights(units)
    low, high = (
        shift_by_hand(errors[:, i], weights, units, level) for i, level in enumerate(LEVELS)
    )
    assert_allclose(fitted.shifts_, [[low, 0, high]], rtol=1e-5)


def test_the_network_itself_is_trained_on_all_series(fitted):
    plain = lstm().fit(PANEL, Y)
    assert_array_equal(fitted.predict(PANEL), plain.predict(PANEL))
    assert fitted.history_ == plain.history_
    low, _, high = fitted.shifts_[0]
    quantiles = plain.predict_quantiles(PANEL) + [low, high]
    median = plain.predict(PANEL)
    expected = np.c_[np.minimum(quantiles[:, 0], median), np.maximum(quantiles[:, 1], median)]
    assert_allclose(fitted.predict_quantiles(PANEL), expected, rtol=1e-6)
    assert_array_equal(np.c_[fitted.prediction_interval(PANEL, 0.5)], expected)


def test_the_last_rows_are_held_out_in_time():
    options = {"validation_fraction": 0.25, "embargo": 1, "series_weight": None}
    fitted = lstm(calibration="time", **options).fit(PANEL, Y)
    from_end = PANEL.groupby("unit").cumcount(ascending=False) - options["embargo"]
    n_held_out = (PANEL.groupby("unit")["p"].transform("size") - 1) // 4
    earlier = (from_end >= n_held_out + options["embargo"]).to_numpy()
    later = ((from_end >= 0) & (from_end < n_held_out)).to_numpy()
    # Rows without a target are no rows of the loss.
    other = lstm(series_weight=None).fit(PANEL, np.where(earlier, Y, np.nan))
    errors = Y[later, np.newaxis] - other.predict_quantiles(PANEL[later])
    weights, units = np.ones(later.sum()), np.arange(later.sum())
    low, high = (
        shift_by_hand(errors[:, i], weights, units, level) for i, level in enumerate(LEVELS)
    )
    assert_allclose(fitted.shifts_, [[low, 0, high]], rtol=1e-5)


def test_many_series_need_fewer_networks(monkeypatch):
    monkeypatch.setattr(_held_out, "ENOUGH_SERIES", 3)
    n_held_out = []

    def spy(network, rows):
        n_held_out.append(len(rows.present_ids))
        return _held_out.errors_of(network, rows)

    monkeypatch.setattr(_regressor, "errors_of", spy)
    lstm(calibration="series").fit(PANEL, Y)
    assert n_held_out == [2, 1]


def test_rows_beyond_a_limit_are_thinned(monkeypatch, fitted):
    monkeypatch.setattr(_held_out, "MAX_ROWS", 4)
    thinned = lstm(calibration="series").fit(PANEL, Y)
    assert np.isfinite(thinned.shifts_).all()
    assert not np.array_equal(thinned.shifts_, fitted.shifts_)


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["series", "time"])
def test_shares_below_quantiles_of_new_series(calibration):
    # The level of a series is skewed and in no feature; quantiles begin as those of a normal
    # distribution, and training changes nothing.
    rng = np.random.default_rng(0)
    units = np.arange(3000).repeat(4)
    y = rng.exponential(size=3000).repeat(4) + 0.1 * rng.normal(size=len(units))
    X = np.c_[units, np.tile(np.arange(4), 3000), rng.normal(size=len(units))]
    options = {"quantiles": (0.1, 0.5, 0.9), "validation_fraction": 0.25, "epochs": 1}
    net = helpers.lstm(calibration=calibration, series=0, time=1, **FIXED, **options)
    old, new = units < 400, units >= 400
    net.fit(X[old], y[old])
    low, _, high = net.predict_quantiles(X[new]).T
    assert_allclose([(y[new] < low).mean(), (y[new] < high).mean()], [0.1, 0.9], atol=0.04)
    raw = net._predict_outputs(net._read(X[new]))[:, 0]
    assert (y[new] < raw[:, 0]).mean() < 0.03


# ---------------------------------------------------------------------------- interactions
@pytest.mark.parametrize("given", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_early_stopping_holds_out_further_series(given, monkeypatch):
    seen = []

    def spy(network, rows):
        seen.extend(rows.present_ids)
        return _held_out.errors_of(network, rows)

    monkeypatch.setattr(_regressor, "errors_of", spy)
    net = lstm(calibration="series", early_stopping=True, n_iter_no_change=1)
    net.fit(PANEL, Y, X_val=PANEL if given else None, y_val=Y if given else None)
    assert np.isfinite(net.shifts_).all()
    assert len(seen) == len(set(seen)) == (6 if given else 5)


def test_weights_of_zero_are_held_out_of_the_calibration_too():
    weight = (PANEL["unit"] != "a").astype(float)
    without = PANEL["unit"] != "a"
    net = lstm(calibration="series")
    with pytest.warns(UserWarning, match="no row in the loss"):
        net.fit(PANEL, Y, sample_weight=weight)
    other = lstm(calibration="series").fit(PANEL[without], Y[without])
    assert_allclose(net.shifts_, other.shifts_, rtol=1e-5)


@pytest.mark.slow
def test_several_outputs_have_shifts_of_their_own():
    outputs = np.c_[Y, 1000 + 10 * Y, np.where(PANEL["unit"] == "a", Y, np.nan)]
    net = lstm(calibration="series").fit(PANEL, outputs)
    assert net.shifts_.shape == (3, 3)
    low, high = net.prediction_interval(PANEL, 0.3)
    assert low.shape == high.shape == outputs.shape
    assert (low <= net.predict(PANEL)).all() and (net.predict(PANEL) <= high).all()


def test_censored_lives_are_left_out():
    lives = np.zeros(len(PANEL), [("event", bool), ("time", float)])
    lives["time"] = PANEL.groupby("unit").cumcount(ascending=False) + 1
    lives["event"] = ~PANEL["unit"].isin(["a", "d"])
    errors = lstm(calibration="series").fit(PANEL, lives).shifts_
    assert np.isfinite(errors).all() and errors[0, 0] <= 0 <= errors[0, 2]
    n_known, part = [], _held_out.Errors.shifts

    def spy(self, *options):
        n_known.append(np.isfinite(self.values).all(axis=(1, 2)).sum())
        return part(self, *options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_held_out.Errors, "shifts", spy)
        lstm(calibration="series").fit(PANEL, lives)
    assert n_known == [lives["event"].sum()]


def test_continued_fits_are_not_calibrated():
    net = lstm(calibration="series", warm_start=True).fit(PANEL, Y)
    assert net.shifts_ is not None
    with pytest.warns(UserWarning, match="calibration='series' has no effect in partial_fit"):
        net.partial_fit(PANEL, Y)
    assert net.shifts_ is None
    plain = lstm().partial_fit(PANEL, Y).partial_fit(PANEL, Y)
    assert_array_equal(net.predict_quantiles(PANEL), plain.predict_quantiles(PANEL))
    with pytest.warns(UserWarning, match="warm_start continues"):
        net.fit(PANEL, Y)
    assert net.shifts_ is None
    net.set_params(warm_start=False).fit(PANEL, Y)
    assert net.shifts_ is not None


def test_few_series_are_warned_of():
    few = PANEL["unit"].isin(["a", "b"])
    with pytest.warns(UserWarning, match=r"\[0.25, 0.75\] need at least 3 held-out series, got 2"):
        lstm(calibration="series").fit(PANEL[few], Y[few])


def test_calibration_needs_quantiles_and_series():
    with pytest.raises(ValueError, match="quantiles is None"):
        lstm(quantiles=None, calibration="time").fit(PANEL, Y)
    one = PANEL["unit"] == "a"
    with pytest.raises(ValueError, match="at least two series, got 1"):
        lstm(calibration="series").fit(PANEL[one], Y[one])


def test_series_too_short_to_hold_out_rows():
    with pytest.raises(ValueError, match="left 57 rows for training and 0 to calibrate on"):
        lstm(calibration="time", validation_fraction=0.01).fit(PANEL, Y)


def test_files_and_pickles(fitted, tmp_path):
    sklstm.save(fitted, tmp_path / "net.sklstm")
    expected = fitted.predict_quantiles(PANEL)
    for loaded in (sklstm.load(tmp_path / "net.sklstm"), pickle.loads(pickle.dumps(fitted))):
        assert_array_equal(loaded.predict_quantiles(PANEL), expected)
    del loaded.shifts_, loaded.calibration  # as in a pickle of an earlier version
    old = pickle.loads(pickle.dumps(loaded))
    assert_array_equal(old.predict_quantiles(PANEL), lstm().fit(PANEL, Y).predict_quantiles(PANEL))


def test_checkpoints_keep_all_networks(fitted, tmp_path):
    net = lstm(calibration="series", checkpoint=tmp_path).fit(PANEL, Y)
    assert_array_equal(net.shifts_, fitted.shifts_)
    again = lstm(calibration="series", checkpoint=tmp_path).fit(PANEL, Y)
    assert_array_equal(again.shifts_, fitted.shifts_)


# ----------------------------------------------------------------------- meta-estimators
def make_pipe(**options):
    net = lstm(min_observed=1, series=None, time=None, **options)
    return make_pipeline(WindowTransformer(3, **IDS), net)


def test_intervals_of_pipelines_and_searches():
    grid = {"multiserieslstmregressor__calibration": [None, "series"]}
    search = GridSearchCV(make_pipe(), grid, cv=GroupKFold(2))
    search.fit(PANEL, Y, groups=PANEL["unit"])
    best = search.best_estimator_
    expected = best[-1].prediction_interval(best[0].transform(PANEL), 0.3)
    assert_array_equal(prediction_interval(search, PANEL, 0.3), expected)
    assert_array_equal(prediction_interval(best, PANEL, coverage=0.3), expected)
    # The median does not depend on the calibration, so the scores are equal.
    assert np.ptp(search.cv_results_["mean_test_score"]) == 0


@pytest.mark.slow
def test_intervals_of_an_ensemble_are_those_of_its_members():
    ensemble = SeriesEnsembleRegressor(
        make_pipe(calibration="series"), 2, assign="all", random_state=0, **IDS
    ).fit(PANEL, Y)
    members = [prediction_interval(each, PANEL, 0.4) for each in ensemble.estimators_]
    found = ensemble.prediction_interval(PANEL, 0.4)
    assert_allclose(found, np.mean(members, axis=0), rtol=1e-6)


def test_intervals_of_scaled_targets_are_in_units_of_y():
    model = PerSeriesTargetRegressor(make_pipe(calibration="series"), series="unit").fit(PANEL, Y)
    low, high = model.prediction_interval(PANEL, 0.5)
    assert_array_equal(np.c_[low, high], model.predict_quantiles(PANEL))
    lower, upper = prediction_interval(model.regressor_, PANEL, 0.5)
    scale = PANEL.assign(y=Y).groupby("unit")["y"].transform("std", ddof=0)
    assert_allclose(high - low, (upper - lower) * scale, rtol=1e-5)


def test_intervals_need_a_regressor_that_has_them():
    for model in (PerSeriesTargetRegressor(Ridge()), SeriesEnsembleRegressor(Ridge())):
        assert not hasattr(model, "prediction_interval")
    with pytest.raises(AttributeError, match="Ridge has no prediction_interval"):
        prediction_interval(Ridge(), PANEL)
