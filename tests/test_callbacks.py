"""scikit-learn's callbacks: progress, scores by epoch, early ends, and what a fit leaves behind."""

import importlib.util
import pickle
import sys
from collections import Counter

import joblib
import keras
import numpy as np
import pytest
from helpers import lstm, make_panel, slow_except
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    _progress,
    backtest,
)
from sklstm._network.fitted_network import FittedNetwork
from sklstm._network.program_cache import programs

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel((12, 14, 16, 18))
Y = (PANEL["p"] - PANEL["q"] / 2).to_numpy()
WINDOWS = WindowTransformer(3, **IDS).fit_transform(PANEL)
EPOCH = "MultiSeriesLSTMRegressor epoch"
FIT = "MultiSeriesLSTMRegressor fit"


class Recorder:
    """Count the tasks; as ProgressBar, it propagates to inner estimators at any depth."""

    max_propagation_depth = None

    def __init__(self):
        self.begun, self.ended, self.paths, self.managed = Counter(), Counter(), set(), Counter()

    def setup(self, estimator, context):
        self.managed["setup"] += 1

    def teardown(self, estimator, context):
        self.managed["teardown"] += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun[f"{context.estimator_name} {context.task_name}"] += 1
        path, place = [], context
        while place is not None:
            path.append(place.task_id)
            place = place.parent
        self.paths.add(tuple(path))

    def on_fit_task_end(self, estimator, context):
        self.ended[f"{context.estimator_name} {context.task_name}"] += 1


class OnEpoch(Recorder):
    """Call a function with the number of each finished epoch and the regressor so far."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        super().on_fit_task_end(estimator, context)
        if context.task_name == "epoch":
            return self.function(context.task_id + 1, fitted_estimator)


def pipeline(last=None):
    return make_pipeline(
        PerSeriesScaler(**IDS), WindowTransformer(3, **IDS), lstm() if last is None else last
    )


def search(n_jobs=None):
    grid = {"windowtransformer__window_length": [2, 3]}
    return GridSearchCV(pipeline(), grid, cv=GroupKFold(2), n_jobs=n_jobs)


def forecaster():
    return MultiSeriesForecaster(2, target="p", window_length=4, n_estimators=2, **IDS)


def weights_of(regressor):
    return regressor.model_.get_weights()


def assert_same_weights(one, other):
    for here, there in zip(weights_of(one), weights_of(other), strict=True):
        assert_array_equal(here, there)


# ---------------------------------------------------------------------------- the tasks
IN_PIPELINE = {"PerSeriesScaler fit": 1, "WindowTransformer fit": 1, FIT: 1, EPOCH: 2}
TREES = {
    "regressor": (lambda: lstm(), {FIT: 1, EPOCH: 2}),
    "pipeline": (pipeline, {"Pipeline fit": 1, **IN_PIPELINE}),
    "search": (
        search,
        {
            "GridSearchCV fit": 1,
            "GridSearchCV search": 1,
            "Pipeline fit": 5,
            **{name: 5 * count for name, count in IN_PIPELINE.items()},
        },
    ),
    "ensemble": (
        lambda: SeriesEnsembleRegressor(pipeline(), 3, n_jobs=2, random_state=0, **IDS),
        {
            "SeriesEnsembleRegressor fit": 1,
            "Pipeline fit": 3,
            **{name: 3 * count for name, count in IN_PIPELINE.items()},
        },
    ),
    "target regressor": (
        lambda: PerSeriesTargetRegressor(pipeline(), **IDS),
        {"PerSeriesTargetRegressor fit": 1, "Pipeline fit": 1, **IN_PIPELINE},
    ),
    "forecaster": (
        lambda: forecaster().set_params(regressor=lstm(min_observed=1)),
        {"MultiSeriesForecaster fit": 1, FIT: 2, EPOCH: 4},
    ),
    "default forecaster": (forecaster, {"MultiSeriesForecaster fit": 1, FIT: 2, EPOCH: 2}),
}


def fit(estimator):
    if isinstance(estimator, MultiSeriesForecaster):
        return estimator.fit(PANEL)
    if isinstance(estimator, MultiSeriesLSTMRegressor):
        return estimator.fit(WINDOWS, Y)
    groups = {"groups": PANEL["unit"]} if isinstance(estimator, GridSearchCV) else {}
    return estimator.fit(PANEL, Y, **groups)


def assert_complete(recorder, expected):
    """All tasks began and ended, each at a place of its own in one tree."""
    assert recorder.begun == recorder.ended == expected
    assert len(recorder.paths) == sum(expected.values())
    assert recorder.managed == {"setup": 1, "teardown": 1}


@pytest.mark.parametrize(("make", "expected"), TREES.values(), ids=TREES)
def test_tasks_of_every_level(make, expected):
    recorder = Recorder()
    expected = {name: n for name, n in expected.items() if name != "GridSearchCV search"}
    fit(make().set_callbacks(recorder))
    counted = {name: n for name, n in recorder.begun.items() if "search" not in name}
    assert counted == expected
    assert_complete(recorder, recorder.begun)


@pytest.mark.parametrize(
    ("options", "n_fits"), [({}, 3), ({"refit": False}, 1), ({"n_jobs": 2}, 3)], ids=str
)
def test_origins_of_a_backtest_are_one_tree(options, n_fits):
    recorder = Recorder()
    model = forecaster().set_params(regressor=Ridge(), random_state=0)
    before = backtest(model, PANEL, n_origins=3)
    with_callback = clone(model).set_callbacks(recorder)
    # Threads, so that the recorder need not cross processes.
    with joblib.parallel_config("threading"), pytest.warns(UserWarning, match="Ridge does not"):
        errors = backtest(with_callback, PANEL, n_origins=3, **options)
    if "refit" not in options:
        assert errors.equals(before)
    expected = {"Backtest fit": 1, "MultiSeriesForecaster fit": n_fits}
    expected["MultiSeriesForecaster fit-network"] = 2 * n_fits
    if options.get("refit") is False:
        expected["Backtest origin"] = 3
    assert_complete(recorder, expected)
    assert with_callback._skl_callbacks == [recorder]
    assert not hasattr(with_callback, "estimators_")


def test_partial_fit_is_a_fit_of_one_epoch():
    recorder = Recorder()
    net = lstm().set_callbacks(recorder)
    net.partial_fit(WINDOWS, Y).partial_fit(WINDOWS, Y)
    assert recorder.ended == {FIT: 2, EPOCH: 2}


# ----------------------------------------------------------------- networks by the epoch
SETTINGS = {
    "plain": ({}, 1),
    "tiny targets": ({}, 1e-9),
    "early stopping": ({"early_stopping": True}, 1),
    "quantiles and dropout": ({"quantiles": (0.1, 0.9), "dropout": 0.5}, 1),
}


@pytest.mark.parametrize(
    ("options", "size"), slow_except(SETTINGS, "plain", "tiny targets", "early stopping")
)
def test_scores_are_those_of_fits_of_fewer_epochs(options, size):
    monitor = callback.ScoringMonitor(scoring=["r2", "neg_mean_absolute_error"])
    net = lstm(epochs=3, **options).set_callbacks(monitor)
    net.fit(WINDOWS, Y * size)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    if "early_stopping" in options:  # then the last epoch is the best, whose weights are restored
        assert (np.diff(net.history_["val_loss"]) < 0).all()
    for number, row in enumerate(epochs.itertuples(), start=1):
        shorter = lstm(epochs=number, **options).fit(WINDOWS, Y * size)
        assert row.r2 == shorter.score(WINDOWS, Y * size)
        error = np.abs(Y * size - shorter.predict(WINDOWS)).mean()
        assert_allclose(-row.neg_mean_absolute_error, error, rtol=1e-6)
    assert number == 3
    assert log[log["task_name"] == "fit"]["r2"].item() == net.score(WINDOWS, Y * size)


def test_scores_are_weighted_as_in_fit():
    monitor = callback.ScoringMonitor(scoring="neg_mean_absolute_error")
    weights = np.linspace(0.1, 2, len(Y))
    net = lstm().set_callbacks(monitor).fit(WINDOWS, Y, weights)
    score = monitor.get_logs().data[-1]["neg_mean_absolute_error"]
    error = np.average(np.abs(Y - net.predict(WINDOWS)), weights=weights)
    assert_allclose(-score, error, rtol=1e-6)


def test_a_regressor_so_far_is_whole():
    seen = []
    net = lstm(epochs=3).set_callbacks(OnEpoch(lambda number, so_far: seen.append(so_far)))
    net.fit(WINDOWS, Y)
    for number, so_far in enumerate(seen, start=1):
        assert so_far.n_iter_ == number
        assert so_far.history_ == {"loss": net.history_["loss"][:number]}
    assert_same_weights(seen[-1], net)
    # It continues where it was, with the state of the optimizer.
    assert_same_weights(seen[1].set_callbacks().partial_fit(WINDOWS, Y), net)


def test_regressors_of_a_continued_fit_count_all_epochs():
    counts = []
    net = lstm(warm_start=True).fit(WINDOWS, Y)
    net.set_callbacks(OnEpoch(lambda number, so_far: counts.append(so_far.n_iter_)))
    net.fit(WINDOWS, Y)
    assert counts == [3, 4]


def test_a_regressor_so_far_can_be_saved(tmp_path):
    def save(number, so_far):
        sklstm.save(so_far, tmp_path / f"{number}.sklstm")

    net = lstm().set_callbacks(OnEpoch(save)).fit(WINDOWS, Y)
    assert_same_weights(sklstm.load(tmp_path / "2.sklstm"), net)


def test_no_network_is_copied_unless_a_callback_asks(monkeypatch):
    def fail(*args):
        raise AssertionError

    monkeypatch.setattr(FittedNetwork, "snapshot", fail)
    lstm().set_callbacks(Recorder()).fit(WINDOWS, Y)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "dropout": 0.5}], ids=str)
def test_callbacks_change_neither_weights_nor_program(options):
    plain = lstm(**options).fit(WINDOWS, Y)
    n_programs = len(programs)
    watched = lstm(**options).set_callbacks(Recorder()).fit(WINDOWS, Y)
    assert len(programs) == n_programs
    copied = lstm(**options).set_callbacks(OnEpoch(lambda *args: None)).fit(WINDOWS, Y)
    for net in (watched, copied):
        assert_same_weights(net, plain)
        assert net.history_ == plain.history_


# ------------------------------------------------------------------------------ the end
def stop_after(number):
    return OnEpoch(lambda finished, so_far: finished == number)


def test_a_callback_ends_the_training():
    net = lstm(epochs=5).set_callbacks(stop_after(2)).fit(WINDOWS, Y)
    assert net.n_iter_ == len(net.history_["loss"]) == 2
    assert_same_weights(net, lstm(epochs=2).fit(WINDOWS, Y))


def test_a_callback_ends_early_stopping_at_the_best_epoch():
    options = {"early_stopping": True, "learning_rate": 0.5, "epochs": 6}
    net = lstm(**options).set_callbacks(stop_after(3)).fit(WINDOWS, Y)
    losses = net.history_["val_loss"]
    assert len(losses) == 3
    best = int(np.argmin(losses)) + 1
    assert best < 3  # else the last weights are the best
    assert_same_weights(net, lstm(**options | {"epochs": best}).fit(WINDOWS, Y))


def test_a_checkpoint_holds_that_a_callback_ended_the_training(tmp_path):
    options = {"epochs": 4, "checkpoint": tmp_path}
    ended = lstm(**options).set_callbacks(stop_after(2)).fit(WINDOWS, Y)
    again = lstm(**options).fit(WINDOWS, Y)
    assert again.n_iter_ == 2
    assert_same_weights(again, ended)


def test_an_error_in_a_callback_leaves_the_earlier_fit():
    def fail(number, so_far):
        if number == 2:
            raise RuntimeError("in a callback")

    net = lstm(epochs=3).fit(WINDOWS, Y)
    before, predicted = vars(net).copy(), net.predict(WINDOWS)
    failing = OnEpoch(fail)
    with pytest.raises(RuntimeError, match="in a callback"):
        net.set_callbacks(failing).fit(WINDOWS, -Y)
    assert failing.managed == {"setup": 1, "teardown": 1}
    assert vars(net.set_callbacks()) == before
    assert_array_equal(net.predict(WINDOWS), predicted)


@pytest.mark.parametrize(
    "model", [forecaster(), PerSeriesScaler(**IDS), WindowTransformer(3, **IDS)], ids=repr
)
def test_a_failed_fit_tears_callbacks_down(model):
    recorder = Recorder()
    model = clone(model).set_callbacks(recorder)
    with pytest.raises(ValueError):
        model.fit(PANEL.iloc[:0])
    assert recorder.managed == {"setup": 1, "teardown": 1}
    assert set(vars(model)) & set(_progress.CALLBACK_ATTRIBUTES) == {"_skl_callbacks"}


# -------------------------------------------------------------------- state after a fit
def inner_estimators(estimator):
    """Yield an estimator and all those in its attributes."""
    yield estimator
    for value in vars(estimator).values():
        items = value if isinstance(value, list) else [value]
        for item in items:
            item = item[1] if isinstance(item, tuple) and len(item) == 2 else item
            if hasattr(item, "get_params"):
                yield from inner_estimators(item)


@pytest.mark.parametrize(
    "name",
    slow_except(
        ["pipeline", "ensemble", "target regressor", "forecaster"], "pipeline", "forecaster"
    ),
)
def test_nothing_of_the_callbacks_is_left(name, tmp_path):
    recorder = Recorder()
    fitted = fit(TREES[name][0]().set_callbacks(recorder))
    left = [
        set(vars(each)) & set(_progress.CALLBACK_ATTRIBUTES) for each in inner_estimators(fitted)
    ]
    assert left[0] == {"_skl_callbacks"}
    assert len(left) > 2
    assert not any(left[1:])
    predicted = fitted.predict(PANEL)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(PANEL), predicted)
    assert clone(fitted)._skl_callbacks == [recorder]
    # Files hold no callbacks.
    sklstm.save(fitted, tmp_path / "model.sklstm")
    loaded = sklstm.load(tmp_path / "model.sklstm")
    assert_array_equal(loaded.predict(PANEL), predicted)
    assert not hasattr(loaded, "_skl_callbacks")


def test_keras_callbacks_are_called_beside():
    seen = []
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    recorder = Recorder()
    lstm(callbacks=[own]).set_callbacks(recorder).fit(WINDOWS, Y)
    assert seen == [0, 1]
    assert recorder.ended == {FIT: 1, EPOCH: 2}


# ------------------------------------------------------------------------- progress bars
@pytest.mark.parametrize(
    "n_jobs",
    [1, pytest.param(2, marks=pytest.mark.slow)],  # each process imports TensorFlow
)
def test_progress_bar_of_a_search(n_jobs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    bar = callback.ProgressBar(max_propagation_depth=None)
    search(n_jobs).set_callbacks(bar).fit(PANEL, Y, groups=PANEL["unit"])
    lines = capsys.readouterr().out.splitlines()
    networks = [line for line in lines if "MultiSeriesLSTMRegressor - fit" in line]
    assert len(networks) == 5
    # The bars are drawn by a thread of scikit-learn: on a busy machine, a short fit in another
    # process ends before its bar has been drawn once with a percentage.
    assert n_jobs == 2 or all("%" in line for line in networks)


# ------------------------------------------------------------ scikit-learn before 1.9
def test_without_callbacks_in_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("before_1_9", _progress.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Estimator(module.CallbackSupportMixin):
        @module.with_callbacks
        def fit(self, inner):
            with module.fit_task(self, max_subtasks=2, X=[[0]]) as task:
                part = task.subtask("epoch")
                part.begin()
                stops = part.end(lambda: pytest.fail("nobody asks for it"))
                with task.subtask("fit-inner", 1).fitting(inner, X=[[1]]):
                    inner.fit([[1]], [1])
            return stops

    estimator, inner = Estimator(), Ridge()
    assert estimator.fit(inner) is False
    assert inner.predict([[1]]) == [1]
    module.move_callbacks(inner, estimator)
    assert vars(estimator) == {}
    assert not hasattr(estimator, "set_callbacks")


# ------------------------------------------------------------------------ documentation
@pytest.mark.parametrize(
    "estimator",
    [
        lstm(),
        forecaster(),
        PerSeriesScaler(),
        WindowTransformer(),
        PerSeriesTargetRegressor(Ridge()),
        SeriesEnsembleRegressor(Ridge()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_html_describes_every_parameter(estimator):
    html = estimator_html_repr(estimator)
    page = f"https://sklstm.github.io/sklstm/generated/sklstm.{type(estimator).__name__}.html"
    for name in estimator.get_params(deep=False):
        assert f'href="{page}#:~:text={name},' in html
    assert "olumn name, index level name or column position of the ids." in html


def test_html_of_a_subclass_elsewhere_has_no_link():
    class Own(PerSeriesScaler):
        """Scale."""

    assert Own()._get_doc_link() == ""


@pytest.mark.parametrize(
    ("callback", "remedy"),
    [
        (print, r"LambdaCallback\(on_epoch_end=function\)"),
        (keras.callbacks.TerminateOnNaN, r"Create an instance: TerminateOnNaN\(\.\.\.\)"),
        ("EarlyStopping", "an instance of a subclass of keras"),
        (callback.ProgressBar(), r"with set_callbacks\(\.\.\.\)"),
    ],
)
def test_other_objects_are_no_callbacks_of_keras(callback, remedy):
    with pytest.raises(TypeError, match=f"callbacks holds .*, expected .* Keras.*{remedy}"):
        lstm(callbacks=[callback]).fit(np.ones((6, 2, 1)), np.arange(6.0))
