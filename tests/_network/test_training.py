"""Tests of training: losses computed by hand, optimizer state, seeds, output on stderr."""

import copy
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import lstm, slow_except
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tensorflow.python.framework.config import is_op_determinism_enabled

from sklstm import WindowTransformer, series_weights

N, L, F = 60, 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, L, F)).astype("float32")
Y = X[:, -1].sum(axis=1) * 3.0 + 1
PAIRS = np.c_[Y, Y[::-1]]
UNITS = np.array(["a"] * 5 + ["b"] * 15 + ["c"] * 40)
FIXED = {"optimizer": "sgd", "learning_rate": 0.0}  # training changes nothing
FULL_BATCH = {"batch_size": 64}


def weights_of(regressor):
    return np.concatenate([w.ravel() for w in regressor.model_.get_weights()])


def lstm_and_head(regressor):
    return np.concatenate(
        [ops.convert_to_numpy(w).ravel() for w in regressor.model_.trainable_variables]
    )


# ------------------------------------------------------------------------ the loss by hand
@pytest.mark.parametrize(
    "batch_size", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (16, 60)), 1000]
)
def test_weighted_loss_by_hand_for_any_batch_size(batch_size):
    own = RNG.uniform(0.1, 10, N)
    regressor = lstm(**FIXED, batch_size=batch_size, epochs=3)
    regressor.fit(X, Y, sample_weight=own, series_ids=UNITS)
    weight = series_weights(UNITS, sample_weight=own)
    loss = np.mean(weight * (Y - regressor.predict(X)) ** 2)
    assert_allclose(regressor.history_["loss"], [loss] * 3, rtol=1e-5)
    assert (regressor.n_iter_, list(regressor.history_)) == (3, ["loss"])


@pytest.mark.parametrize(
    "scheme", [None, 0.5, {"a": 1, "b": 0, "c": 5}, lambda sizes: 1 / sizes**2]
)
def test_weighted_loss_by_hand_for_any_scheme(scheme):
    regressor = lstm(**FIXED, series_weight=scheme, epochs=1).fit(X, Y, series_ids=UNITS)
    loss = np.mean(series_weights(UNITS, scheme) * (Y - regressor.predict(X)) ** 2)
    assert_allclose(regressor.history_["loss"], loss, rtol=1e-5)


def test_long_and_short_series_have_equal_weight():
    table = RNG.normal(size=(1010, F))
    ids = np.repeat(["long", "short"], [1000, 10])
    y = table.sum(axis=1) + 5 * (ids == "short")
    regressor = lstm(**FIXED, epochs=1).fit(table, y, series_ids=ids)
    report = regressor.series_report(table, y, series_ids=ids)
    assert_allclose(report["weight"], [505, 505])
    assert_allclose(regressor.history_["loss"], report["loss"].mean(), rtol=1e-5)
    plain = lstm(**FIXED, epochs=1, series_weight=None).fit(table, y, series_ids=ids)
    report = plain.series_report(table, y, series_ids=ids)
    assert_allclose(report["weight"], [1000, 10])
    assert_allclose(plain.history_["loss"], report["loss"] @ [1000, 10] / 1010, rtol=1e-5)


def test_validation_loss_by_hand_series_held_out():
    ids = np.repeat(list("abcdef"), [2, 4, 6, 10, 18, 20])
    own = RNG.uniform(0.1, 10, N)
    regressor = lstm(**FIXED, early_stopping=True, validation_fraction=0.33)
    regressor.fit(X, Y, sample_weight=own, series_ids=ids)
    squares = (Y - regressor.predict(X)) ** 2

    def loss(rows):
        return np.mean(series_weights(ids[rows], sample_weight=own[rows]) * squares[rows])

    # The seed chooses two validation series; the losses show which ones.
    splits = [np.isin(ids, held) for held in combinations("abcdef", 2)]
    hits = [h for h in splits if np.allclose(regressor.history_["val_loss"], loss(h), rtol=1e-5)]
    assert len(hits) == 1
    assert_allclose(regressor.history_["loss"], [loss(~hits[0])] * 2, rtol=1e-5)


def late_rows(fraction, before=0):
    """Mark the last fraction of each series, and a number of rows before it."""
    sizes = pd.Series(UNITS).groupby(UNITS).transform("size")
    from_end = sizes - 1 - pd.Series(UNITS).groupby(UNITS).cumcount()
    return (from_end < np.floor(fraction * sizes) + before).to_numpy()


def test_validation_loss_by_hand_last_rows_held_out():
    regressor = lstm(
        **FIXED, early_stopping=True, validation_by="time", validation_fraction=0.25, embargo=0
    ).fit(X, Y, series_ids=UNITS)
    late, squares = late_rows(0.25), (Y - regressor.predict(X)) ** 2
    assert late.sum() == 1 + 3 + 10
    for name, rows in (("loss", ~late), ("val_loss", late)):
        by_hand = np.mean(series_weights(UNITS[rows]) * squares[rows])
        assert_allclose(regressor.history_[name], [by_hand] * 2, rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_row_loss_is_the_mean_over_known_elements(loss):
    y = PAIRS.copy()
    y[::3, 0] = y[1::5, 1] = y[6, :] = np.nan
    regressor = lstm(**FIXED, loss=loss).fit(X, y, series_ids=UNITS)
    error = np.abs(y - regressor.predict(X)) ** (2 if loss == "mse" else 1)
    rows = ~np.isnan(y).all(axis=1)
    by_hand = np.nanmean(error[rows], axis=1) @ series_weights(UNITS[rows]) / rows.sum()
    assert_allclose(regressor.history_["loss"], [by_hand] * 2, rtol=1e-5)


def pinball(y_true, y_pred):
    error = y_true - y_pred
    return ops.mean(ops.maximum(0.9 * error, -0.1 * error), axis=-1)


class Pinball(keras.losses.Loss):
    """A user's loss class without get_config, as many are."""

    def __init__(self, level):
        super().__init__()
        self.level = level

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(self.level * error, (self.level - 1) * error), axis=-1)


@pytest.mark.parametrize("loss", ["mse", "mae", pinball])
def test_missing_elements_have_no_gradient_for_any_loss(loss):
    y = np.c_[np.abs(Y), np.full(N, np.nan)]

    def head_of_second_output(learning_rate):
        regressor = lstm(loss=loss, optimizer="sgd", learning_rate=learning_rate).fit(X, y)
        kernel, bias = regressor.model_.get_layer("head").get_weights()
        return np.append(kernel[:, 1], bias[1])

    assert_array_equal(head_of_second_output(0.01), head_of_second_output(0.0))


def test_loss_that_cannot_leave_elements_out_raises_if_some_are_missing():
    y = np.c_[np.abs(Y), np.abs(Y)]
    lstm(loss="poisson").fit(X, y)
    y[::2, 1] = np.nan
    with pytest.raises(ValueError, match="30 rows have missing or censored target elements"):
        lstm(loss="poisson").fit(X, y)


def numpy_pinball(level):
    return lambda error: np.maximum(level * error, (level - 1) * error)


def numpy_huber(error):
    return np.where(abs(error) < 0.5, error**2 / 2, abs(error) / 2 - 0.125)


LOSSES = {
    "name": ("mae", np.abs),
    "object": (keras.losses.MeanAbsoluteError(), np.abs),
    "function": (pinball, numpy_pinball(0.9)),
    "own class": (Pinball(0.2), numpy_pinball(0.2)),
    "own class again": (Pinball(0.8), numpy_pinball(0.8)),
    "parameters": (keras.losses.Huber(0.5), numpy_huber),
}


@pytest.mark.parametrize(
    ("loss", "by_hand"), slow_except(LOSSES, "own class", "own class again", "parameters")
)
def test_losses(loss, by_hand):
    regressor = lstm(**FIXED, loss=loss).fit(X, Y)
    expected = by_hand(Y - regressor.predict(X)).mean()
    assert_allclose(regressor.history_["loss"], [expected] * 2, rtol=1e-5)
    assert_allclose(regressor.series_report(X, Y)["loss"], expected, rtol=1e-5)


def test_loss_that_changes_between_fits_is_compiled_again():
    level = 0.1

    def quantile_loss(y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(level * error, (level - 1) * error), axis=-1)

    def first_loss():
        regressor = lstm(**FIXED, loss=quantile_loss).fit(X, Y)
        by_hand = numpy_pinball(level)(Y - regressor.predict(X)).mean()
        assert_allclose(regressor.history_["loss"][0], by_hand, rtol=1e-5)

    first_loss()
    level = 0.9
    first_loss()


def test_loss_over_the_whole_batch_raises():
    # A single number per batch allows neither weights nor missing elements.
    with pytest.raises(ValueError, match="one number per row"):
        lstm(loss=lambda y_true, y_pred: ops.mean((y_true - y_pred) ** 2)).fit(X, Y)


def test_unknown_names_raise():
    with pytest.raises(ValueError, match="loss.*nonsense"):
        lstm(loss="nonsense").fit(X, Y)
    with pytest.raises(ValueError, match="optimizer.*nonsense"):
        lstm(optimizer="nonsense").fit(X, Y)


# -------------------------------------------------------------------- weights as gradients
def test_weight_two_is_a_repeated_row():
    counts = np.r_[np.full(10, 3), np.full(20, 1)]
    rows = np.repeat(np.arange(30), counts)  # 50 rows: one batch of 64, as the 60 rows are
    options = {**FULL_BATCH, "optimizer": "sgd", "learning_rate": 0.01, "series_weight": None}
    repeated = lstm(**options, epochs=5).fit(X[rows], Y[rows])
    weighted = lstm(**options, epochs=5).fit(X[:30], Y[:30], sample_weight=counts)
    assert_allclose(weights_of(weighted), weights_of(repeated), rtol=1e-4, atol=1e-6)
    plain = lstm(**options, epochs=5).fit(X[:30], Y[:30])
    assert not np.allclose(weights_of(weighted), weights_of(plain), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("factor", [0.5, 100.0])
def test_only_the_ratios_of_weights_matter(factor):
    own = RNG.uniform(0.1, 10, N)
    one = lstm().fit(X, Y, sample_weight=own)
    other = lstm().fit(X, Y, sample_weight=factor * own)
    assert_allclose(weights_of(other), weights_of(one), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**10], ids=["tiny", "large"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_units_of_the_targets_do_not_matter(unit, optimizer):
    options = {**FULL_BATCH, "optimizer": optimizer, "epochs": 10}
    predicted = lstm(**options).fit(X, Y).predict(X)
    assert_allclose(lstm(**options).fit(X, Y * unit).predict(X) / unit, predicted, rtol=1e-3)


def test_constant_targets_are_predicted():
    predicted = lstm(learning_rate=0.001).fit(X, np.full(N, 7.0)).predict(X)
    assert_allclose(predicted, 7, atol=1.5)


# -------------------------------------------------------------------------- early stopping
@pytest.mark.parametrize("validation_by", ["time", "series"])
def test_early_stopping_restores_the_best_epoch(validation_by):
    ids = np.repeat(list("ab"), 30)
    noise = RNG.normal(size=N)  # nothing to learn: the validation loss soon rises
    regressor = lstm(
        epochs=60,
        learning_rate=0.1,
        early_stopping=True,
        validation_by=validation_by,
        validation_fraction=0.5,
        n_iter_no_change=4,
    ).fit(X, noise, series_ids=ids)
    losses = np.array(regressor.history_["val_loss"])
    assert regressor.n_iter_ == len(losses) == len(regressor.history_["loss"]) < 60
    assert regressor.n_iter_ == losses.argmin() + 1 + 4
    squares = (noise - regressor.predict(X)) ** 2
    halves = {
        "time": [np.arange(N) % 30 >= 15],
        "series": [ids == "a", ids == "b"],
    }[validation_by]
    assert any(np.isclose(squares[rows].mean(), losses.min(), rtol=1e-4) for rows in halves)
    assert losses.min() < losses[-1]


def test_embargo_also_applies_before_a_validation_cut_in_time():
    options = {"early_stopping": True, "validation_by": "time", "validation_fraction": 0.25}
    between = late_rows(0.25, before=2) & ~late_rows(0.25)

    def fit(y, embargo):
        return lstm(**options, embargo=embargo).fit(X, y, series_ids=UNITS)

    # Without an embargo, the rows before the cut are training rows.
    absurd = np.where(between, -1e3, Y)
    assert not np.array_equal(weights_of(fit(absurd, 0)), weights_of(fit(Y, 0)))
    sizes = pd.Series(UNITS).groupby(UNITS).transform("size")
    from_end = (sizes - 1 - pd.Series(UNITS).groupby(UNITS).cumcount()).to_numpy()
    held = np.floor(0.25 * (sizes - 2)).to_numpy()
    neither = (from_end < 2) | ((from_end >= 2 + held) & (from_end < 2 + held + 2))
    absurd = np.where(neither, -1e3, Y)
    one, other = fit(Y, 2), fit(absurd, 2)
    assert_array_equal(weights_of(one), weights_of(other))
    assert one.history_ == other.history_


def test_partial_fit_holds_nothing_out():
    plain = lstm().partial_fit(X, Y)
    assert_array_equal(weights_of(lstm(early_stopping=True).partial_fit(X, Y)), weights_of(plain))
    assert list(plain.history_) == ["loss"]


# ------------------------------------------------------------------------ continued fits
@pytest.mark.parametrize("options", [FULL_BATCH, {}], ids=["full batch", "shuffled batches"])
def test_partial_fits_are_epochs_of_one_fit(options):
    whole = lstm(**options, epochs=4).fit(X, Y)
    parts = lstm(**options)
    for epoch in range(1, 5):
        parts.partial_fit(X, Y)
        assert parts.n_iter_ == epoch
    assert_array_equal(weights_of(parts), weights_of(whole))
    assert parts.history_ == whole.history_


def test_empty_callback_changes_nothing():
    # With more steps than one call has, and so more than one learning rate per epoch.
    options = {"batch_size": 4, "epochs": 2, "steps_per_epoch": 40, "learning_rate_decay": "cosine"}
    plain = lstm(**options).fit(X, Y)
    called = lstm(**options, callbacks=[keras.callbacks.Callback()]).fit(X, Y)
    assert_allclose(called.predict(X), plain.predict(X), rtol=1e-5, atol=1e-6)
    constant = lstm(**options | {"learning_rate_decay": None}).fit(X, Y)
    assert np.abs(constant.predict(X) - plain.predict(X)).max() > 1e-3


@pytest.mark.slow
def test_custom_optimizers():
    class Mine(keras.optimizers.SGD):
        pass

    plain = lstm(optimizer=keras.optimizers.SGD(0.05)).fit(X, Y)
    for optimizer in (Mine(0.05), Mine):
        own = lstm(optimizer=optimizer, learning_rate=0.05).fit(X, Y)
        assert_allclose(own.predict(X), plain.predict(X), rtol=1e-5, atol=1e-6)

    def make_class(momentum):
        class Mine(keras.optimizers.SGD):
            def __init__(self, learning_rate=0.01):
                super().__init__(learning_rate, momentum)

        return Mine

    # Classes may share a name: each fit uses its own class.
    first, second = (lstm(optimizer=make_class(m)).fit(X, Y) for m in (0.0, 0.9))
    assert np.abs(first.predict(X) - second.predict(X)).max() > 1e-3


@pytest.mark.slow
def test_dtype_policy_of_fit_is_kept():
    plain = lstm().fit(X, Y).predict(X)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        mixed = lstm().fit(X, Y)
        rounded = mixed.predict(X)
    finally:
        keras.config.set_dtype_policy(before)
    assert np.abs(rounded - plain).max() > 1e-4
    assert_array_equal(mixed.predict(X), rounded)  # also under another policy
    assert_array_equal(lstm().fit(X, Y).predict(X), plain)


def test_failed_fit_leaves_the_regressor_unchanged():
    def broken(y_true, y_pred):
        raise RuntimeError("broken loss")

    regressor = lstm(loss=broken)
    with pytest.raises(RuntimeError, match="broken loss"):
        regressor.fit(X, Y)
    with pytest.raises(NotFittedError):
        regressor.predict(X)
    fitted = lstm().fit(X, Y)
    before = fitted.predict(X)
    with pytest.raises(RuntimeError, match="broken loss"):
        fitted.set_params(loss=broken).fit(X + 1, 2 * Y)
    assert_array_equal(fitted.predict(X), before)
    assert fitted.n_iter_ == 2


def test_failed_fit_keeps_the_attributes_of_the_earlier_one():
    table = pd.DataFrame(X[:, -1], columns=["p", "q"])
    fitted = lstm().fit(table, Y)
    before = vars(fitted).copy()
    attributes = {name for name in before if name.endswith("_")}
    assert {"n_features_in_", "feature_names_in_", "history_"} < attributes
    with pytest.raises(ValueError, match="No row is left for the loss"):
        fitted.set_params(embargo=N).fit(table.assign(r=0.0), Y)
    assert {name: vars(fitted)[name] for name in attributes} == {
        name: before[name] for name in attributes
    }
    fitted.predict(table)


def test_failed_warm_start_restores_the_weights():
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("on purpose")

    fitted = lstm(warm_start=True).fit(X, Y)
    before, state = weights_of(fitted), pickle.dumps(fitted)
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted.set_params(callbacks=[Fails()]).fit(X, -Y)
    assert_array_equal(weights_of(fitted), before)
    twin = pickle.loads(state).fit(X, Y)
    assert_array_equal(weights_of(fitted.set_params(callbacks=None).fit(X, Y)), weights_of(twin))


def test_warm_start_continues_and_a_cold_start_does_not():
    whole = lstm(**FULL_BATCH, epochs=5).fit(X, Y)
    warm = lstm(**FULL_BATCH, epochs=2, warm_start=True).fit(X, Y)
    model = warm.model_
    warm = pickle.loads(pickle.dumps(warm)).set_params(epochs=3).fit(X, Y)
    assert_array_equal(weights_of(warm), weights_of(whole))
    assert (warm.n_iter_, warm.history_) == (5, whole.history_)
    assert model is not warm.model_
    cold = lstm(**FULL_BATCH, epochs=3).fit(-X, -Y).set_params(epochs=5).fit(X, Y)
    assert_array_equal(weights_of(cold), weights_of(whole))
    assert (cold.n_iter_, cold.history_) == (5, whole.history_)


def test_continuing_needs_the_same_network_and_optimizer():
    regressor = lstm(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="same network"):
        copy.deepcopy(regressor).set_params(hidden_units=5).fit(X, Y)
    with pytest.raises(ValueError, match="same network"):
        copy.deepcopy(regressor).fit(X, PAIRS)
    with pytest.raises(ValueError, match="4 rows x 1 features"):
        copy.deepcopy(regressor).partial_fit(X[:, :, :1], Y)
    with pytest.raises(ValueError, match="optimizer"):
        copy.deepcopy(regressor).set_params(optimizer="sgd").fit(X, Y)
    # A learning rate may change from fit to fit.
    still = copy.deepcopy(regressor).set_params(learning_rate=0.0).fit(X, Y)
    assert_array_equal(lstm_and_head(still), lstm_and_head(regressor))


def test_steps_per_epoch_cut_one_stream_of_passes():
    # 60 rows are 4 batches of 15; two epochs of 2 steps are one pass.
    regressor = lstm(**FIXED, epochs=6, steps_per_epoch=2).fit(X, Y)
    losses = np.array(regressor.history_["loss"])
    by_hand = np.mean((Y - regressor.predict(X)) ** 2)
    assert_allclose(losses.reshape(3, 2).mean(axis=1), by_hand, rtol=1e-5)
    assert len(np.unique(losses)) == 6  # each pass is shuffled differently
    long = lstm(**FIXED, epochs=1, steps_per_epoch=12).fit(X, Y)
    assert_allclose(long.history_["loss"], by_hand, rtol=1e-5)
    # The same steps, in other epochs, train the same network.
    assert_array_equal(
        weights_of(lstm(epochs=4, steps_per_epoch=2).fit(X, Y)), weights_of(lstm().fit(X, Y))
    )


# ---------------------------------------------------------------------------- the network
def test_segments_are_concatenated_rows():
    by_hand = lstm().fit(X.reshape(N, 2, 2 * F), Y)
    segments = lstm(segment_length=2).fit(X, Y)
    assert_array_equal(weights_of(segments), weights_of(by_hand))
    assert_array_equal(segments.predict(X), by_hand.predict(X.reshape(N, 2, 2 * F)))


def test_layers():
    regressor = lstm(n_layers=2, epochs=1).fit(X, Y)
    recurrent = [layer for layer in regressor.model_.layers if isinstance(layer, keras.layers.LSTM)]
    assert [layer.units for layer in recurrent] == [4, 4]
    first, second = (layer.get_weights()[1] for layer in recurrent)
    assert not np.allclose(first, second)
    assert regressor.model_.output_shape == (None, 1)
    by_hand = ops.convert_to_numpy(regressor.model_(X))[:, 0]
    assert_allclose(by_hand, regressor.predict(X), atol=1e-5)


def test_dropout_is_active_in_training_only():
    first = lstm(dropout=0.5).fit(X, Y)
    assert not np.allclose(first.predict(X), lstm().fit(X, Y).predict(X), rtol=1e-3)
    assert_array_equal(first.predict(X), first.predict(X))
    assert_array_equal(lstm(dropout=0.5).fit(X, Y).predict(X), first.predict(X))
    untrained = lstm(**FIXED, dropout=0.5, epochs=4, **FULL_BATCH).fit(X, Y)
    assert len(set(untrained.history_["loss"])) == 4  # other units are dropped in each epoch


# ------------------------------------------------------------- optimizers and learning rate
@pytest.mark.slow
def test_kinds_of_optimizers():
    named = weights_of(lstm().fit(X, Y))
    adam = keras.optimizers.Adam(0.01)  # keeps its own rate
    for optimizer in (
        keras.optimizers.Adam,
        adam,
        {"class_name": "Adam", "config": {"learning_rate": 0.01}},
    ):
        rate = 0.01 if isinstance(optimizer, type) else 99.0
        fitted = lstm(optimizer=optimizer, learning_rate=rate).fit(X, Y)
        assert_allclose(weights_of(fitted), named, rtol=1e-5, atol=1e-7)
    assert not adam.built and int(adam.iterations) == 0


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adamax", 0), ("nadam", np.int64(1)), ("rmsprop", np.float32(0.01))]
)
@pytest.mark.slow
def test_any_real_number_is_a_learning_rate(optimizer, rate):
    # A different optimizer for each case: a compiled one accepts any rate.
    fitted = lstm(optimizer=optimizer, learning_rate=rate, epochs=1).fit(X, Y)
    same = lstm(optimizer=optimizer, learning_rate=float(rate), epochs=1).fit(X, Y)
    assert_array_equal(weights_of(fitted), weights_of(same))


def test_learning_rate_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.01, 0.0])
    decayed = lstm(**FULL_BATCH, learning_rate=schedule, epochs=6).fit(X, Y)
    assert_array_equal(lstm_and_head(decayed), lstm_and_head(lstm(**FULL_BATCH).fit(X, Y)))
    again = pickle.loads(pickle.dumps(clone(decayed))).fit(X, Y)
    assert_array_equal(weights_of(again), weights_of(decayed))


# ------------------------------------------------------------------------------- callbacks
class Recorder(keras.callbacks.Callback):
    """Record what Keras reports, and stop after three epochs."""

    def __init__(self):
        super().__init__()
        self.losses, self.batches, self.models = [], 0, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["loss"])
        self.models += isinstance(self.model.get_layer("head"), keras.layers.Dense)
        self.model.stop_training = len(self.losses) == 3


def test_callbacks():
    recorder = Recorder()
    regressor = lstm(callbacks=[recorder], epochs=9).fit(X, Y)
    assert regressor.n_iter_ == 3
    assert regressor.history_["loss"] == recorder.losses
    assert (recorder.batches, recorder.models) == (12, 3)
    plain = lstm(epochs=3).fit(X, Y)
    assert_allclose(regressor.predict(X), plain.predict(X), rtol=1e-3, atol=1e-5)
    for copied in (clone(regressor), copy.deepcopy(regressor)):
        assert copied.get_params()["callbacks"][0] is not recorder
    again = pickle.loads(pickle.dumps(regressor))
    assert_array_equal(again.predict(X), regressor.predict(X))
    assert again.callbacks[0].losses == recorder.losses


def test_callbacks_can_change_the_model_of_the_regressor():
    class Zero(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.get_layer("head").set_weights([np.zeros((4, 1)), np.zeros(1)])

    regressor = lstm(callbacks=[Zero()]).fit(X, Y)
    assert_allclose(regressor.predict(X), Y.mean(), rtol=1e-5)


def test_failing_callback_does_not_affect_later_fits():
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("on purpose")

    before = lstm().fit(X, Y).predict(X)
    failing = Fails()
    regressor = lstm(callbacks=[failing])
    with pytest.raises(RuntimeError, match="on purpose"):
        regressor.fit(X, Y)
    assert_array_equal(lstm().fit(X, Y).predict(X), before)
    assert_array_equal(clone(regressor).set_params(callbacks=None).fit(X, Y).predict(X), before)


# ------------------------------------------------------------------------ seeds and silence
def test_seeds():
    first = weights_of(lstm().fit(X, Y))
    assert_array_equal(weights_of(lstm().fit(X, Y)), first)
    assert not np.array_equal(weights_of(lstm(random_state=1).fit(X, Y)), first)
    generator = np.random.RandomState(5)
    one, two = (weights_of(lstm(random_state=generator).fit(X, Y)) for _ in range(2))
    assert not np.array_equal(one, two)
    assert_array_equal(weights_of(lstm(random_state=np.random.RandomState(5)).fit(X, Y)), one)
    assert not np.array_equal(*(weights_of(lstm(random_state=None).fit(X, Y)) for _ in range(2)))


def test_rows_are_shuffled_in_every_epoch():
    class FirstBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                losses.append(logs["loss"])

    losses = []
    regressor = lstm(**FIXED, epochs=3, callbacks=[FirstBatch()]).fit(X, Y)
    assert len(set(losses)) == 3
    assert_allclose(regressor.history_["loss"], regressor.history_["loss"][0], rtol=1e-5)
    regressor.fit(X, Y)
    assert losses[:3] == losses[3:]


def test_global_state_is_unchanged():
    lstm().fit(X, Y)  # Keras may have set things up on its first use
    random.seed(3)
    np.random.seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ)
    determinism = is_op_determinism_enabled()
    lstm(dropout=0.5).fit(X, Y).predict(X)
    lstm(early_stopping=True, epochs=1).fit(X, Y, series_ids=UNITS)
    assert (random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ)) == before
    assert is_op_determinism_enabled() == determinism is False
    keras.random.normal((2,))  # "Random ops require a seed" under TensorFlow's determinism


def test_parallel_fits_equal_sequential_fits():
    def fit(seed):
        return weights_of(lstm(random_state=seed).fit(X, Y))

    in_sequence = [fit(seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as threads:
        for one, other in zip(in_sequence, threads.map(fit, range(6)), strict=True):
            assert_array_equal(one, other)


def test_clearing_the_keras_session_changes_nothing():
    regressor = lstm().fit(X, Y)
    before = regressor.predict(X)
    keras.utils.clear_session()
    assert_array_equal(regressor.predict(X), before)
    assert_array_equal(lstm().fit(X, Y).predict(X), before)


FRESH = """
import os, pickle, sys
import numpy as np
before = dict(os.environ), np.random.get_state()[1].tolist()
regressors, X, y = pickle.load(open(sys.argv[1], "rb"))
predicted = [regressor.fit(X, y).predict(X) for regressor in regressors]
kept = {name: value for name, value in os.environ.items() if name in before[0]}
pickle.dump(
    {
        "predicted": predicted,
        "kept": (kept, np.random.get_state()[1].tolist()) == before,
        "new": sorted(set(os.environ) - set(before[0])),
    },
    open(sys.argv[2], "wb"),
)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Fit several networks in a new process, as a search does."""
    folder = tmp_path_factory.mktemp("fresh")
    regressors = [lstm().set_params(hidden_units=units) for units in (4, 1, 2, 3, 5)]
    (folder / "task").write_bytes(pickle.dumps((regressors, X, Y)))
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("TF_")}
    command = [sys.executable, "-c", FRESH, folder / "task", folder / "result"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done, pickle.loads((folder / "result").read_bytes())


@pytest.mark.slow
def test_verbose_0_prints_nothing(fresh):
    done, _ = fresh
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.slow
def test_two_processes_give_the_same_fit(fresh):
    assert_array_equal(fresh[1]["predicted"][0], lstm().fit(X, Y).predict(X))


@pytest.mark.slow
def test_environment_and_seeds_of_a_process_are_unchanged(fresh):
    assert fresh[1]["kept"]
    # TensorFlow itself sets these when it is imported, and Keras the last one for JAX.
    own = {"TF2_BEHAVIOR", "ENABLE_RUNTIME_UPTIME_TELEMETRY", "TF_FORCE_GPU_ALLOW_GROWTH"}
    assert set(fresh[1]["new"]) <= own


def test_verbose_2_prints_a_line_per_epoch(capfd):
    lstm(verbose=2).fit(X, Y)
    shown, errors = capfd.readouterr()
    assert "Epoch 1/2" in shown and "Epoch 2/2" in shown and "s/step" in shown
    assert errors == ""


# ------------------------------------------------------------------------ with transformers
def test_windows_and_arrays_train_the_same():
    panel = pd.DataFrame({"unit": UNITS, "p": X[:, 0, 0], "q": X[:, 0, 1]})
    windows = WindowTransformer(L, series="unit").fit_transform(panel)
    full = windows.n_observed == L
    lazy = lstm().fit(windows, Y)
    array = lstm().fit(np.asarray(windows)[full], Y[full], series_ids=UNITS[full])
    assert_array_equal(weights_of(lazy), weights_of(array))


@pytest.mark.slow
def test_losses_that_differ_in_an_argument_are_not_mixed_up():
    # The configuration of Keras' Huber loss does not show its `delta`.
    X = RNG.normal(size=(48, 3, 1))
    y = 10 * X[:, -1, 0]
    narrow = lstm(loss=keras.losses.Huber(0.1)).fit(X, y).history_["loss"]
    wide = lstm(loss=keras.losses.Huber(10.0)).fit(X, y).history_["loss"]
    again = lstm(loss=lambda t, p: keras.losses.huber(t, p, delta=10.0)).fit(X, y).history_["loss"]
    assert narrow[0] < wide[0] / 10
    assert_allclose(wide, again, rtol=1e-5)
