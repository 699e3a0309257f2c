"""Fits that are killed, interrupted or run out of space, and their continuation."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
from helpers import lstm, slow_except
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklstm import Checkpoint, MultiSeriesForecaster, SeriesEnsembleRegressor, load, save
from sklstm._files import atomic
from sklstm.datasets import make_series_panel

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4, 2))
Y = 1e9 * (X[:, -1, 0] + RNG.normal(0, 0.3, 96))
WAYS = {
    "plain": {},
    "dropout": {"dropout": 0.3, "recurrent_dropout": 0.2},
    "early stopping": {"early_stopping": True, "validation_by": "time", "n_iter_no_change": 1}
    | {"learning_rate": 0.3, "validation_fraction": 0.3, "epochs": 20},
    "decay": {"learning_rate_decay": "cosine"},
    "decay of a rate of its own": {"learning_rate_decay": "cosine"}
    | {"optimizer": keras.optimizers.Adam(0.05)},
    "steps": {"steps_per_epoch": 4},
    "momentum": {"optimizer": keras.optimizers.SGD(0.01, momentum=0.9)},
}


class Interrupt(keras.callbacks.Callback):
    """Interrupt the training in the middle of an epoch."""

    def __init__(self, epoch, action):
        super().__init__()
        self.at, self.action = epoch, action

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.at and batch == 1:
            self.action()


def raise_interrupt():
    raise KeyboardInterrupt


def net(**options):
    """A regressor that calls an empty callback: those with callbacks share a program."""
    options = {"callbacks": [keras.callbacks.Callback()], "epochs": 5} | options
    return lstm(**options)


def fit_interrupted(folder, epoch, **options):
    interrupted = net(
        checkpoint=folder, **options | {"callbacks": [Interrupt(epoch, raise_interrupt)]}
    )
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, Y)
    assert not hasattr(interrupted, "history_")


def assert_same_fit(found, expected):
    for now, then in zip(found.model_.get_weights(), expected.model_.get_weights(), strict=True):
        assert_array_equal(now, then)
    assert found.history_ == expected.history_ and found.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("options", slow_except(WAYS, "early stopping"))
def test_interrupted_fit_continues_to_the_same_weights(options, tmp_path):
    expected = net(**options).fit(X, Y)
    for epoch in (3,) if options else (0, 2):
        fit_interrupted(tmp_path, epoch, **options)
    resumed = net(checkpoint=tmp_path, **options).fit(X, Y)
    assert_same_fit(resumed, expected)
    # Further training gives the same weights, so the state of the optimizer is restored too.
    assert_same_fit(resumed.partial_fit(X, Y), expected.partial_fit(X, Y))
    # A finished fit is not trained again.
    seen = []
    again = net(checkpoint=tmp_path, **options)
    again.set_params(callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=seen.append)])
    again.fit(X, Y)
    assert seen == []
    assert_array_equal(again.predict(X), net(**options).fit(X, Y).predict(X))


@pytest.mark.slow
def test_schedule_of_the_same_arguments_continues(tmp_path):
    def schedule():
        return keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)

    fit_interrupted(tmp_path, 2, learning_rate=schedule())
    resumed = net(checkpoint=tmp_path, learning_rate=schedule()).fit(X, Y)
    assert_same_fit(resumed, net(learning_rate=schedule()).fit(X, Y))


@pytest.mark.slow
def test_second_interruption_leaves_the_earlier_fit(tmp_path):
    fitted = net().fit(X, Y)
    before = fitted.predict(X)
    fitted.set_params(warm_start=True, checkpoint=tmp_path)
    for epoch in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            fitted.set_params(callbacks=[Interrupt(epoch, raise_interrupt)]).fit(X, Y)
        assert_array_equal(fitted.predict(X), before)


OTHERS = {
    "parameters": ({"epochs": 6}, X, Y, None, "the parameters"),
    "units": ({"hidden_units": 5}, X, Y, None, "the parameters and the initial weights"),
    "seed": ({"random_state": 1}, X, Y, None, "the initial weights"),
    "targets": ({}, X, Y + 1, None, "the training data"),
    "features": ({}, X[:, ::-1], Y, None, "the training data"),
    "weights": ({}, X, Y, np.arange(96), "the training data"),
}


@pytest.mark.parametrize(
    ("options", "x", "y", "weight", "part"), slow_except(OTHERS, "units", "targets")
)
def test_folder_of_another_fit_raises(options, x, y, weight, part, tmp_path):
    fit_interrupted(tmp_path, 2)
    before = (tmp_path / "training.sklstm").read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint of another fit: .*{part}"):
        net(checkpoint=tmp_path, **options).fit(x, y, sample_weight=weight)
    assert (tmp_path / "training.sklstm").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"sklstm", b"\x80\x04N.", b"x" * 500])
def test_damaged_checkpoint_raises(content, tmp_path):
    (tmp_path / "training.sklstm").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read.*Delete the file"):
        net(checkpoint=tmp_path).fit(X, Y)


def test_seed_is_required(tmp_path):
    with pytest.raises(ValueError, match="needs an int as random_state, got None"):
        net(checkpoint=tmp_path, random_state=None).fit(X, Y)


# ------------------------------------------------------------------------------- signals
@pytest.mark.parametrize(
    "kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_stop_keeps_the_last_finished_epoch(kind, tmp_path):
    stop = [Interrupt(2, lambda: (os.kill(os.getpid(), kind), time.sleep(0.1)))]
    stopped = net(checkpoint=Checkpoint(tmp_path, "stop"), callbacks=stop)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.warns(UserWarning, match="weights after 2 of 5 epochs"):
        stopped.fit(X, Y)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert stopped.n_iter_ == len(stopped.history_["loss"]) == 2
    # The number of epochs does not change the first ones.
    assert_array_equal(stopped.predict(X), net(epochs=2).fit(X, Y).predict(X))
    resumed = clone(stopped).set_params(callbacks=[keras.callbacks.Callback()]).fit(X, Y)
    assert_same_fit(resumed, net().fit(X, Y))


def test_interruption_in_the_first_epoch_leaves_the_earlier_fit(tmp_path):
    stop = [Interrupt(0, raise_interrupt)]
    fitted = net().fit(X, Y)
    before = fitted.predict(X)
    fitted.set_params(checkpoint=Checkpoint(tmp_path, "stop"), callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X, -Y)
    assert_array_equal(fitted.predict(X), before)


@pytest.mark.slow
def test_interruption_of_the_calibration_ends_the_fit(tmp_path):
    options = {"quantiles": (0.2, 0.8), "calibration": "time", "validation_fraction": 0.3}
    stopped = net(checkpoint=Checkpoint(tmp_path, "stop"), **options)
    with pytest.raises(KeyboardInterrupt):
        stopped.set_params(callbacks=[Interrupt(2, raise_interrupt)]).fit(X, Y)
    assert not hasattr(stopped, "history_")
    stopped.set_params(callbacks=[keras.callbacks.Callback()]).fit(X, Y)
    expected = net(**options).fit(X, Y)
    assert_same_fit(stopped, expected)
    assert_array_equal(stopped.shifts_, expected.shifts_)


def test_interruption_of_a_member_ends_the_fit_of_all(tmp_path):
    epochs = []

    def interrupt_the_second():
        if len(epochs) == 5 + 2:
            raise KeyboardInterrupt

    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_, **logs: epochs.append(None),
        on_train_batch_end=lambda *_, **logs: interrupt_the_second(),
    )
    ids = np.repeat(["a", "b"], 48)

    def ensemble(callback):
        member = net(checkpoint=Checkpoint(tmp_path, "stop"), callbacks=[callback])
        return SeriesEnsembleRegressor(member, 2, assign="all", random_state=0)

    stopped = ensemble(count)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X, Y, series_ids=ids)
    assert not hasattr(stopped, "estimators_") and len(epochs) == 7
    resumed = ensemble(keras.callbacks.Callback()).fit(X, Y, series_ids=ids)
    member = net(epochs=5)
    expected = SeriesEnsembleRegressor(member, 2, assign="all", random_state=0)
    assert_array_equal(resumed.predict(X), expected.fit(X, Y, series_ids=ids).predict(X))


KILLED = """
    import sys
    import numpy as np
    from sklstm import MultiSeriesForecaster, MultiSeriesLSTMRegressor, SeriesEnsembleRegressor
    from sklstm.datasets import make_series_panel

    kind, folder = sys.argv[1:]
    X, y = make_series_panel(n_series=6, random_state=0)
    X["y"] = y
    ids = {"series": "series", "time": "time"}
    net = MultiSeriesLSTMRegressor(4, epochs=60, dropout=0.2, batch_size=16, random_state=0)
    if kind == "ensemble":
        net.set_params(**ids)
    if kind == "forecaster":
        options = {"n_estimators": 2, "window_length": 4, "target": "y", "regressor": net, **ids}
        model = MultiSeriesForecaster(2, checkpoint=folder, random_state=0, **options)
        arguments = (X,)
    else:
        net.set_params(checkpoint=folder)
        model, arguments = net, (X[["x0", "x1", "x2"]], y)
        if kind == "ensemble":
            model = SeriesEnsembleRegressor(net, 2, random_state=0, **ids)
            arguments = (X.drop(columns="y"), y)
    print("ready", flush=True)
    model.fit(*arguments)
    nets = getattr(model, "estimators_", [model])
    np.savez(folder + ".npz", *[w for net in nets for w in net.model_.get_weights()])
"""


def start(kind, folder):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), kind, str(folder)],
        stdout=subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["net", "ensemble", "forecaster"])
def test_killed_process_continues_to_the_same_weights(kind, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with start(kind, whole) as process:
        assert process.wait() == 0
    rng, n_killed = np.random.default_rng(0), 0
    for _ in range(4):
        with start(kind, killed) as process:
            process.stdout.readline()
            while not list(killed.rglob("*.sklstm")) and process.poll() is None:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 3))
            process.send_signal(signal.SIGKILL)
            n_killed += process.wait() == -signal.SIGKILL
    assert n_killed >= 1
    with start(kind, killed) as process:
        assert process.wait() == 0
    with np.load(f"{whole}.npz") as expected, np.load(f"{killed}.npz") as found:
        assert expected.files == found.files
        for name in expected.files:
            assert_array_equal(found[name], expected[name])


# ------------------------------------------------------------------------------- members
@pytest.mark.slow
def test_members_have_folders_of_their_own(tmp_path):
    panel, y = make_series_panel(n_series=4, random_state=0)
    ids = {"series": "series", "time": "time"}
    member = net(epochs=2, checkpoint=tmp_path / "ensemble", callbacks=None, **ids)
    model = SeriesEnsembleRegressor(member, 2, random_state=0, **ids)
    model.fit(panel, y)
    forecaster = MultiSeriesForecaster(
        1, n_estimators=2, window_length=3, target="y", series="series", time="time",
        regressor=lstm(random_state=None), checkpoint=tmp_path / "forecaster", random_state=0,
    ).fit(panel.assign(y=y))  # fmt: skip
    for name in ("ensemble", "forecaster"):
        files = sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*.*"))
        assert [str(file) for file in files] == [f"member-{n}/training.sklstm" for n in (0, 1)]
    before = model.predict(panel)
    assert_array_equal(clone(model).fit(panel, y).predict(panel), before)
    again = clone(forecaster).fit(panel.assign(y=y)).forecast()
    assert again.equals(forecaster.forecast())


# ---------------------------------------------------------------------------------- disk
def test_full_disk_ends_the_fit_and_keeps_the_last_epoch(tmp_path, monkeypatch):
    calls = []

    def fail_at_the_third(descriptor):
        calls.append(descriptor)
        if len(calls) == 5:  # the file and its folder, twice
            raise OSError(errno.ENOSPC, "No space left on device")

    fitted = net().fit(X, Y)
    before = fitted.predict(X)
    monkeypatch.setattr(atomic.os, "fsync", fail_at_the_third)
    with pytest.raises(OSError, match="checkpoint could not be written .No space left on device"):
        fitted.set_params(checkpoint=tmp_path).fit(X, Y)
    assert_array_equal(fitted.predict(X), before)
    assert [path.name for path in tmp_path.iterdir()] == ["training.sklstm"]
    monkeypatch.undo()
    assert_same_fit(net(checkpoint=tmp_path).fit(X, Y), net().fit(X, Y))


def test_folder_that_cannot_be_written_raises_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    seen = []
    watch = [keras.callbacks.LambdaCallback(on_epoch_begin=seen.append)]
    with pytest.raises(OSError, match="checkpoint could not be written"):
        net(checkpoint=tmp_path / "file" / "folder", callbacks=watch).fit(X, Y)
    assert seen == []


def test_checkpoint_is_kept_in_a_model_file(tmp_path):
    for number, folder in enumerate((tmp_path, str(tmp_path), Checkpoint(tmp_path, "stop"))):
        fitted = net(checkpoint=folder, callbacks=None).fit(X, Y)
        save(fitted, tmp_path / f"{number}.model")
        loaded = load(tmp_path / f"{number}.model")
        assert loaded.checkpoint == folder
        assert_array_equal(loaded.predict(X), fitted.predict(X))
