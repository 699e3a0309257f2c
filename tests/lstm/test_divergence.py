"""Training that diverges, targets of any unit, constant targets, outliers, interrupted fits."""

import warnings

import keras
import numpy as np
import pytest
from helpers import lstm, slow_except
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

from sklstm import PerSeriesTargetRegressor, SeriesEnsembleRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4, 2))
Y = X[:, -1, 0] + RNG.normal(0, 0.3, 64)


def nan_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.log(keras.ops.minimum(y_pred - y_true, 0.0)), axis=-1)


DIVERGING = {
    "rate": {"optimizer": "sgd", "learning_rate": 1e4, "epochs": 5},
    "loss": {"loss": nan_loss},
    "early stopping": {"optimizer": "sgd", "learning_rate": 1e4, "epochs": 5}
    | {"early_stopping": True, "validation_by": "time", "validation_fraction": 0.3},
    # One step: the loss is computed before the weights change.
    "last step": {"optimizer": "sgd", "learning_rate": 1e38, "epochs": 1, "batch_size": 64},
}


@pytest.mark.parametrize("options", slow_except(DIVERGING, "loss", "early stopping"))
def test_diverged_fit_raises_and_keeps_the_earlier_fit(options):
    net = lstm(epochs=3).fit(X, Y)
    before, history, state = net.predict(X), net.history_, set(vars(net))
    net.set_params(**options)
    with pytest.raises(ValueError, match=r"diverged in epoch \d.*learning_rate.*clipnorm"):
        net.fit(X, Y)
    assert_array_equal(net.predict(X), before)
    assert net.history_ == history and set(vars(net)) == state


def test_epoch_of_divergence_counts_the_epochs_of_earlier_fits():
    net = lstm(epochs=3, optimizer="sgd", learning_rate=0.01, warm_start=True).fit(X, Y)
    before = net.predict(X)
    net.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match=r"diverged in epoch [45]:"):
        net.fit(X, Y)
    assert_array_equal(net.predict(X), before)
    assert net.n_iter_ == 3


@pytest.mark.slow
def test_diverged_candidate_of_a_search_is_a_failed_fit():
    search = GridSearchCV(lstm(optimizer="sgd"), {"learning_rate": [1e30, 1e-3]}, cv=2)
    with pytest.warns(FitFailedWarning, match="2 fits failed"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert search.best_params_ == {"learning_rate": 1e-3}


# ------------------------------------------------------------------------------ any unit
LOSSES = {
    "mse": ({}, 2),
    "mae": ({"loss": "mae"}, 1),
    "quantiles": ({"quantiles": (0.1, 0.5, 0.9)}, 1),
    "own": ({"loss": lambda t, p: keras.ops.mean(keras.ops.square(t - p), axis=-1)}, 2),
}
BASE = {name: lstm(**options).fit(X, Y) for name, (options, _) in LOSSES.items()}


@pytest.mark.parametrize("exponent", [-100, 20, 100])
@pytest.mark.parametrize("name", slow_except(list(LOSSES), "mse", "mae", "quantiles"))
def test_training_is_the_same_in_any_unit(name, exponent):
    # 2 ** 100 is about 1e30. Powers of two, so that the targets have the same digits.
    (options, degree), unit = LOSSES[name], 2.0**exponent
    base, net = BASE[name], lstm(**options).fit(X, Y * unit)
    assert_array_equal(net.predict(X) / unit, base.predict(X))
    assert_allclose(net.history_["loss"], np.array(base.history_["loss"]) * unit**degree, rtol=1e-6)
    assert net.score(X, Y * unit) == pytest.approx(base.score(X, Y), rel=1e-9)
    if name == "quantiles":
        assert_array_equal(net.predict_quantiles(X) / unit, base.predict_quantiles(X))
        assert np.ptp(net.predict_quantiles(X), axis=-1).min() > 0


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_network_learns_in_any_unit(unit):
    net = lstm(epochs=60, learning_rate=0.03).fit(X, Y * unit)
    assert net.score(X, Y * unit) > 0.8


def test_training_continues_in_the_same_unit():
    unit = 2.0**80
    net = lstm(warm_start=True, epochs=1).fit(X, Y * unit).fit(X, Y * unit)
    again = lstm(warm_start=True, epochs=1).fit(X, Y).fit(X, Y)
    assert_array_equal(net.predict(X) / unit, again.predict(X))
    assert_array_equal(
        net.partial_fit(X, Y * unit).predict(X) / unit, again.partial_fit(X, Y).predict(X)
    )


def test_another_loss_continues_in_its_own_unit():
    """The history is in units of y, whichever loss the earlier fit had."""
    unit = 2.0**80
    net = lstm(warm_start=True, epochs=1).fit(X, Y * unit)
    base = lstm(warm_start=True, epochs=1).fit(X, Y)
    net.set_params(loss="mae").fit(X, Y * unit)
    base.set_params(loss="mae").fit(X, Y)
    assert net.history_["loss"][1] == pytest.approx(base.history_["loss"][1] * unit, rel=1e-6)
    before = net.predict(X)
    with pytest.raises(ValueError, match="loss='huber' has a unit of its own"):
        net.set_params(loss="huber").fit(X, Y * unit)
    assert_array_equal(net.predict(X), before)


def mixed_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred) + keras.ops.abs(y_true - y_pred), -1)


@pytest.mark.parametrize(("loss", "unit"), [("log_cosh", 1e-30), (mixed_loss, 1e30)])
def test_loss_with_a_unit_of_its_own_raises_where_float32_has_no_room(loss, unit):
    with pytest.raises(ValueError, match="is (0|inf) in float32.*divide y by a constant"):
        lstm(loss=loss).fit(X, Y * unit)


def test_threshold_of_a_loss_stays_in_the_unit_of_the_user():
    wide = lstm(loss="huber").fit(X, Y * 1e7).history_["loss"][0]
    assert wide == pytest.approx(lstm(loss="mae").fit(X, Y * 1e7).history_["loss"][0], rel=1e-3)


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("constant", [0.0, 1e-9, -1e5, 1e30])
def test_constant_target_is_predicted_exactly(constant, quantiles):
    net = lstm(quantiles=quantiles).fit(X, np.full(64, constant))
    assert_array_equal(net.predict(X), np.full(64, np.float32(constant), np.float64))
    if quantiles:
        assert np.ptp(net.predict_quantiles(X)) == 0
    # Later rows can still be learnt.
    net.set_params(warm_start=True, learning_rate=0.05, epochs=40)
    size = abs(constant) or 1.0
    assert net.fit(X, size * Y).score(X, size * Y) > 0.5


def test_one_constant_output_leaves_the_others_as_they_are():
    targets = np.column_stack([Y, np.full(64, 3.0)])
    net = lstm(epochs=60, learning_rate=0.03).fit(X, targets)
    assert_allclose(net.predict(X)[:, 1], 3.0, rtol=1e-6)
    assert np.corrcoef(net.predict(X)[:, 0], Y)[0, 1] > 0.9


# ------------------------------------------------------------------------------ outliers
@pytest.mark.parametrize("where", ["target", "feature"])
def test_outlier_is_warned_of(where):
    features, targets = X.copy(), Y.copy()
    (targets if where == "target" else features[:, -1, 1])[7] = 1e9
    remedy = "loss='mae'" if where == "target" else "PerSeriesScaler"
    with pytest.warns(UserWarning, match=f"A few .* are extreme.*1e\\+09.*{remedy}"):
        lstm(epochs=1).fit(features, targets)


def test_skewed_and_sparse_targets_are_no_outliers():
    sparse = np.where(np.arange(64) == 5, 100.0, 0.0)
    for targets in (sparse, np.exp(3 * RNG.normal(size=64)), np.where(Y > 1, 1e2, Y)):
        lstm(epochs=1).fit(X, targets)  # a warning would be an error


# ---------------------------------------------------------------------- all or nothing
class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("warm_start", [pytest.param(False, marks=pytest.mark.slow), True])
def test_interrupted_fit_keeps_the_earlier_fit(warm_start):
    net = lstm(epochs=3, warm_start=warm_start).fit(X, Y)
    before, weights = net.predict(X), net.model_.get_weights()
    history, n_iter = net.history_, net.n_iter_
    net.set_params(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, -Y)
    assert_array_equal(net.predict(X), before)
    for now, then in zip(net.model_.get_weights(), weights, strict=True):
        assert_array_equal(now, then)
    assert net.history_ == history and net.n_iter_ == n_iter
    # Refused data of another shape.
    with pytest.raises(KeyboardInterrupt):
        net.set_params(warm_start=False).fit(X[:, :, :1], Y)
    assert net.n_features_in_ == 2
    assert_array_equal(net.predict(X), before)


def test_first_fit_that_is_interrupted_leaves_an_unfitted_estimator():
    net = lstm(epochs=3, callbacks=[Interrupt()])
    parameters = set(vars(net))
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y)
    assert set(vars(net)) == parameters
    with pytest.raises(NotFittedError):
        net.predict(X)


@pytest.mark.parametrize("kind", ["ensemble", "target"])
def test_failed_refit_of_a_meta_estimator_keeps_the_earlier_fit(kind):
    table, ids = X[:, -1], np.repeat(np.arange(8.0), 8)
    table = np.column_stack([ids, table])
    member = LinearRegression()
    model = (
        SeriesEnsembleRegressor(member, 2, series=0, random_state=0)
        if kind == "ensemble"
        else PerSeriesTargetRegressor(member, series=0)
    ).fit(table, Y)
    before = model.predict(table)
    broken = lstm(epochs=1, optimizer="sgd", learning_rate=1e38, series=0)
    model.set_params(**{"estimator" if kind == "ensemble" else "regressor": broken})
    with pytest.raises(ValueError, match="diverged"):
        model.fit(table, Y)
    assert_array_equal(model.predict(table), before)
