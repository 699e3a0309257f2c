"""Tests of quantiles: loss, order, coverage."""

import pickle

import helpers
import keras
import numpy as np
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

from sklstm import (
    PerSeriesScaler,
    WindowTransformer,
    series_weights,
)
from sklstm._network import program_cache

N, L, F = 60, 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, L, F)).astype("float32")
Y = X[:, -1].sum(axis=1, dtype=float) * 3.0 + 1
PAIRS = np.c_[Y, 1000 - Y]
UNITS = np.array(["a"] * 5 + ["b"] * 15 + ["c"] * 40)
LEVELS = (0.1, 0.5, 0.9)
FIXED = {"optimizer": "sgd", "learning_rate": 0.0}  # training changes nothing


def lstm(**options):
    """Make a small regressor of quantiles."""
    return helpers.lstm(**{"quantiles": LEVELS} | options)


def pinball(y_true, y_quantiles, levels=LEVELS, **options):
    """Compute the mean of scikit-learn's loss over the levels."""
    return np.mean(
        [
            mean_pinball_loss(y_true, y_quantiles[..., k], alpha=level, **options)
            for k, level in enumerate(levels)
        ]
    )


def assert_same_fit(one, other):
    """Assert that two fits are equal to the last bit."""
    assert one.history_ == other.history_
    assert_array_equal(one.predict_quantiles(X), other.predict_quantiles(X))


@pytest.fixture(scope="module")
def fitted():
    return lstm().fit(X, Y)


@pytest.fixture(scope="module")
def disordered():
    """Return a network of two outputs with random weights in the output layer."""
    regressor = lstm(epochs=1).fit(X, np.c_[Y, Y + 1e4])
    head = regressor.model_.get_layer("head")
    head.set_weights([RNG.normal(size=w.shape) for w in head.get_weights()])
    return regressor


# ------------------------------------------------------------------------- shapes, columns
def test_shapes_and_columns(fitted):
    quantiles = fitted.predict_quantiles(X)
    assert quantiles.shape == (N, 3) and quantiles.dtype == np.float64
    assert_array_equal(fitted.predict(X), quantiles[:, 1])
    assert_array_equal(fitted.quantiles_, LEVELS)
    column = lstm().fit(X, Y[:, np.newaxis].astype("float32"))
    assert column.predict(X).shape == (N, 1)
    assert column.predict_quantiles(X).shape == (N, 1, 3)
    assert column.predict_quantiles(X).dtype == np.float32


def test_outputs_are_in_the_order_of_y():
    regressor = lstm(epochs=1).fit(X, PAIRS)
    quantiles = regressor.predict_quantiles(X)
    assert quantiles.shape == (N, 2, 3)
    assert_array_equal(regressor.predict(X), quantiles[:, :, 1])
    assert_allclose(quantiles[:, :, 1].mean(axis=0), PAIRS.mean(axis=0), atol=3)
    assert (quantiles[:, 0].max() < 50) and (quantiles[:, 1].min() > 950)


def test_median_is_added():
    without, with_median = lstm(quantiles=[0.1, 0.9]).fit(X, Y), lstm().fit(X, Y)
    assert without.history_ == with_median.history_
    assert_array_equal(without.predict(X), with_median.predict(X))
    assert_array_equal(without.predict_quantiles(X), with_median.predict_quantiles(X)[:, [0, 2]])
    upper = lstm(quantiles=np.array([0.9])).fit(X, Y)
    assert upper.predict_quantiles(X).shape == (N, 1)
    assert (upper.predict(X) < upper.predict_quantiles(X)[:, 0]).all()


# -------------------------------------------------------------------------- never crossing
@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.just(L), st.just(F)),
        elements=st.floats(-(2.0**100), 2.0**100, width=32),
    )
)
def test_quantiles_never_cross(disordered, fitted, inputs):
    for regressor in (disordered, fitted):
        quantiles = regressor.predict_quantiles(inputs)
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_crossing_outputs_are_sorted(disordered):
    model = disordered.model_
    head = keras.Model(model.input, model.get_layer("head").output)(X)
    unordered = keras.ops.convert_to_numpy(head).reshape(N, 2, 3)
    assert (np.diff(unordered, axis=-1) < 0).any()
    scale = model.get_layer("target_scale")
    offset, factor = map(keras.ops.convert_to_numpy, (scale.offset, scale.scale))
    expected = np.sort(offset + factor * unordered, axis=-1)
    assert_allclose(disordered.predict_quantiles(X), expected, rtol=1e-4)


# -------------------------------------------------------------------------------- the loss
@pytest.mark.parametrize("levels", [LEVELS, (0.01, 0.2, 0.5, 0.6)])
def test_loss_equals_that_of_scikit_learn(levels):
    own = RNG.uniform(0.1, 10, N)
    regressor = lstm(**FIXED, quantiles=levels).fit(X, Y, sample_weight=own, series_ids=UNITS)
    quantiles = regressor.predict_quantiles(X)
    weight = series_weights(UNITS, sample_weight=own)
    expected = pinball(Y, quantiles, levels, sample_weight=weight)
    assert_allclose(regressor.history_["loss"], [expected] * 2, rtol=1e-5)
    report = regressor.series_report(X, Y, series_ids=UNITS)
    for unit in "abc":
        rows = UNITS == unit
        assert_allclose(report.loc[unit, "loss"], pinball(Y[rows], quantiles[rows], levels), 1e-5)
        error = np.sqrt(np.mean((Y - regressor.predict(X))[rows] ** 2))
        assert_allclose(report.loc[unit, "error"], error, 1e-5)


def test_row_loss_is_the_mean_over_known_elements():
    y = PAIRS.copy()
    y[::3, 0] = y[1::5, 1] = y[6, :] = np.nan
    # The parameter `loss` is not used with quantiles.
    regressor = lstm(**FIXED, loss="poisson").fit(X, y)
    predicted = regressor.predict_quantiles(X)
    rows = []
    for row in range(N):
        known = [
            pinball([y[row, j]], predicted[[row], j]) for j in (0, 1) if not np.isnan(y[row, j])
        ]
        if known:
            rows.append(np.mean(known))
    assert_allclose(regressor.history_["loss"], [np.mean(rows)] * 2, rtol=1e-5)
    assert_allclose(regressor.series_report(X, y)["loss"], np.mean(rows), rtol=1e-5)


def test_missing_elements_have_no_gradient():
    y = np.c_[Y, np.full(N, np.nan)]

    def head_of_second_output(learning_rate):
        regressor = lstm(optimizer="sgd", learning_rate=learning_rate).fit(X, y)
        kernel, bias = regressor.model_.get_layer("head").get_weights()
        return np.append(kernel[:, 3:], bias[3:])

    assert_array_equal(head_of_second_output(0.01), head_of_second_output(0.0))


def test_validation_loss_is_the_pinball_loss_of_the_held_out_rows():
    options = {"early_stopping": True, "validation_by": "time", "validation_fraction": 0.2}
    regressor = lstm(**FIXED, **options).fit(X, Y)
    held_out = slice(N - N // 5, None)
    expected = pinball(Y[held_out], regressor.predict_quantiles(X)[held_out])
    assert_allclose(regressor.history_["val_loss"][0], expected, rtol=1e-5)


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_units_of_the_targets_do_not_matter(unit, fitted):
    other = lstm().fit(X, unit * Y)
    assert_allclose(other.predict_quantiles(X), unit * fitted.predict_quantiles(X), rtol=1e-3)


# ------------------------------------------------------------------------------- coverage
@pytest.mark.slow
def test_share_of_targets_below_each_quantile():
    # One feature sets the level, the other the spread.
    rng = np.random.default_rng(0)
    table = rng.uniform(-1, 1, size=(6000, 2))
    y = table[:, 0] + np.exp(table[:, 1]) * rng.normal(size=len(table))
    train, test = slice(3000), slice(3000, None)
    regressor = lstm(epochs=20, batch_size=64, learning_rate_decay="cosine")
    quantiles = regressor.fit(table[train], y[train]).predict_quantiles(table[test])
    below = y[test, np.newaxis] <= quantiles
    wide = table[test, 1] > 0
    for rows in (wide, ~wide):
        assert_allclose(below[rows].mean(axis=0), LEVELS, atol=0.05)
    width = quantiles[:, 2] - quantiles[:, 0]
    assert width[wide].mean() > 1.7 * width[~wide].mean()


# --------------------------------------------------------------------- scikit-learn's tools
def test_seeds_clones_and_pickles(fitted):
    assert_same_fit(clone(fitted).fit(X, Y), fitted)
    assert_same_fit(pickle.loads(pickle.dumps(fitted)), fitted)
    assert not np.array_equal(lstm(random_state=1).fit(X, Y).predict(X), fitted.predict(X))


def test_partial_fits_are_epochs_of_one_fit(fitted):
    parts = lstm().partial_fit(X, Y).partial_fit(X, Y)
    assert_same_fit(parts, fitted)
    warm = lstm(epochs=1, warm_start=True).fit(X, Y)
    # The same network provides fewer levels; other levels need another network.
    warm.set_params(quantiles=(0.1, 0.9)).fit(X, Y)
    assert warm.history_ == fitted.history_
    assert_array_equal(warm.predict_quantiles(X), fitted.predict_quantiles(X)[:, [0, 2]])
    with pytest.raises(ValueError, match="same network"):
        warm.set_params(quantiles=(0.2, 0.8)).fit(X, Y)


def test_early_stopping_restores_the_best_epoch():
    options = {"early_stopping": True, "validation_by": "time", "n_iter_no_change": 2}
    regressor = lstm(**options, learning_rate=0.3, epochs=20, validation_fraction=0.2).fit(X, Y)
    assert regressor.n_iter_ < 20
    held_out = slice(N - N // 5, None)
    loss = pinball(Y[held_out], regressor.predict_quantiles(X)[held_out])
    assert_allclose(loss, min(regressor.history_["val_loss"]), rtol=1e-4)


def test_score_is_that_of_the_median(fitted):
    assert_allclose(fitted.score(X, Y), r2_score(Y, fitted.predict(X)))


@pytest.fixture(scope="module")
def unseen():
    return lstm(epochs=1, segment_length=3).fit(X[:, :3], Y)


@settings(max_examples=15, deadline=None)
@given(panels(), st.randoms(use_true_random=False))
def test_pipelines_of_any_panel(unseen, panel, random):
    # Series of one row, unequal lengths, NaN, rows in any order; all series are unseen.
    panel[["p", "q"]] = panel[["p", "q"]].fillna(0)
    windows = WindowTransformer(3, series="unit", time="cycle")
    quantiles = unseen.predict_quantiles(windows.fit_transform(panel))
    order = random.sample(range(len(panel)), len(panel))
    shuffled = unseen.predict_quantiles(windows.fit_transform(panel.iloc[order]))
    assert_array_equal(shuffled, quantiles[order])
    # Later rows change nothing.
    last = panel.groupby("unit")["cycle"].transform("max") == panel["cycle"]
    changed = panel.assign(p=panel["p"].where(~last, 1e6))
    after = unseen.predict_quantiles(windows.fit_transform(changed))
    assert_array_equal(after[~last], quantiles[~last])


def test_search_over_quantiles_in_a_pipeline():
    table = np.c_[np.repeat(range(6), 10), np.tile(range(10), 6), X[:, -1]]
    ids = {"series": 0, "time": 1}
    pipe = make_pipeline(
        PerSeriesScaler(**ids), WindowTransformer(L, **ids), lstm(epochs=1, min_observed=1)
    )
    grid = {"multiserieslstmregressor__quantiles": [None, LEVELS]}
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(table, Y, groups=table[:, 0])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # In a pipeline, the earlier steps make the windows.
    pipe.fit(table, Y)
    quantiles = pipe[-1].predict_quantiles(pipe[:-1].transform(table))
    assert_array_equal(quantiles[:, 1], pipe.predict(table))


@pytest.mark.slow
def test_equal_quantiles_share_a_compiled_network(monkeypatch):
    monkeypatch.setattr(program_cache, "programs", program_cache.ProgramCache(8))
    for levels in (LEVELS, list(LEVELS), (0.1, 0.9)):
        lstm(epochs=1, quantiles=levels).fit(X, Y)
    assert len(program_cache.programs) == 1


def test_the_model_can_be_saved_by_keras(fitted, tmp_path):
    fitted.model_.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras", compile=False)
    outputs = keras.ops.convert_to_numpy(loaded(X))[:, 0]
    assert_allclose(outputs, fitted.predict_quantiles(X), rtol=1e-4)


# ------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    "levels",
    [
        *[(0.9, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0), (0.5, np.nan), (10, 90)],
        *[(), [[0.1, 0.9]], [[0.1], [0.5, 0.9]], ["low", "high"], {"low": 0.1}],
    ],
    ids=repr,
)
def test_bad_levels(levels):
    with pytest.raises(ValueError, match="quantiles must be numbers between 0 and 1"):
        lstm(quantiles=levels).fit(X, Y)


@pytest.mark.parametrize("levels", [0.5, "median"])
def test_levels_must_be_a_sequence(levels):
    with pytest.raises(InvalidParameterError, match="'quantiles' parameter"):
        lstm(quantiles=levels).fit(X, Y)


def test_no_quantiles_to_predict():
    plain = lstm(quantiles=None, epochs=1).fit(X, Y)
    assert plain.quantiles_ is None
    with pytest.raises(ValueError, match="fitted without quantiles"):
        plain.set_params(quantiles=LEVELS).predict_quantiles(X)
    with pytest.raises(NotFittedError):
        lstm().predict_quantiles(X)


def test_weights_equal_repetitions_up_to_rounding():
    options = {"series_weight": None, "batch_size": 64}
    weight = np.arange(N) % 3
    weighted = lstm(**options).fit(X, Y, sample_weight=weight)
    repeated = lstm(**options).fit(X.repeat(weight, axis=0), Y.repeat(weight))
    assert_allclose(weighted.predict_quantiles(X), repeated.predict_quantiles(X), rtol=1e-5)
    equal = lstm(**options).fit(X, Y)
    assert not np.allclose(equal.predict_quantiles(X), weighted.predict_quantiles(X), rtol=1e-3)
