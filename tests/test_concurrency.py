"""Threads, processes and clusters compute what one thread computes, and change nothing global."""

import logging
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from global_state import changed_names, keras_state, process_state
from helpers import lstm, make_panel
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMClassifier,
    MultiSeriesLSTMRegressor,
    PerSeriesImputer,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    PerSeriesTimeSplit,
    SeriesEnsembleClassifier,
    SeriesEnsembleRegressor,
    WindowTransformer,
    backtest,
)
from sklstm._network.lazy_import import load_network

ROOT = Path(__file__).parents[1]
IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel((30, 24, 28, 20, 26, 22, 31, 25), seed=1)
UNITS = PANEL["unit"].to_numpy()
Y = PANEL["p"].to_numpy() + 0.1 * PANEL["cycle"].to_numpy()
# Scaler and windows before a network: what a user runs in parallel.
PIPELINE = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(4, **IDS), lstm(dropout=0.2))
FORECASTER = MultiSeriesForecaster(
    3, window_length=4, season_length=2, regressor=lstm(min_observed=1), random_state=0, **IDS
)


@pytest.fixture(scope="module")
def fitted():
    return clone(PIPELINE).fit(PANEL, Y)


@pytest.fixture(scope="module")
def forecaster():
    return clone(FORECASTER).fit(PANEL)


def parts_of(panel, n_parts):
    """Return overlapping parts of a panel, of different sizes, without tearing series."""
    units = panel["unit"].unique()
    return [panel[panel["unit"].isin(np.roll(units, k)[: 1 + k % 4])] for k in range(n_parts)]


def in_threads(n_threads, function, tasks):
    """Call a function in threads that start at the same moment."""
    barrier = threading.Barrier(n_threads, timeout=60)

    def call(number, task):
        if number < n_threads:
            barrier.wait()
        return function(task)

    with ThreadPoolExecutor(n_threads) as threads:
        return list(threads.map(call, range(len(tasks)), tasks))


def seeds_and_data(n_fits):
    """Return estimators with different seeds and shapes, to be fitted at once."""
    name = "multiserieslstmregressor__"
    return [
        clone(PIPELINE).set_params(**{f"{name}random_state": k, f"{name}hidden_units": 3 + k % 2})
        for k in range(n_fits)
    ]


def fit_and_predict(estimator):
    return estimator.fit(PANEL, Y).predict(PANEL)


def assert_all_equal(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


# -------------------------------------------------------------------------------- threads
@pytest.mark.slow
def test_eight_threads_predict_with_one_fit(fitted):
    parts = parts_of(PANEL, 40)
    expected = [fitted.predict(part) for part in parts]
    assert len({len(part) for part in parts}) >= 8
    assert_all_equal(in_threads(8, fitted.predict, parts), expected)


@pytest.mark.slow
def test_eight_threads_forecast_with_one_fit(forecaster):
    parts = parts_of(PANEL, 24)
    expected = [forecaster.forecast(part) for part in parts]
    for one, other in zip(in_threads(8, forecaster.forecast, parts), expected, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.slow
def test_four_fits_at_once():
    expected = [fit_and_predict(estimator) for estimator in seeds_and_data(8)]
    assert_all_equal(in_threads(4, fit_and_predict, seeds_and_data(8)), expected)
    different = {array.tobytes() for array in expected}
    assert len(different) == 8  # the seeds matter, so the equality above says something


@pytest.mark.slow
def test_fits_beside_predictions(fitted):
    expected, other = fitted.predict(PANEL), fit_and_predict(clone(PIPELINE))

    def call(number):
        return fitted.predict(PANEL) if number % 2 else fit_and_predict(clone(PIPELINE))

    assert_all_equal(in_threads(4, call, list(range(8))), [other, expected] * 4)


# ------------------------------------------------------------------------------ processes
@pytest.mark.slow
def test_spawned_processes_fit_and_predict(fitted):
    parts = parts_of(PANEL, 4)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as processes:
        found = list(processes.map(fitted.predict, parts, timeout=300))
        fits = [processes.submit(estimator.fit, PANEL, Y) for estimator in seeds_and_data(4)]
        fits = [future.result(timeout=300) for future in fits]
    assert_all_equal(found, [fitted.predict(part) for part in parts])
    expected = [fit_and_predict(estimator) for estimator in seeds_and_data(4)]
    assert_all_equal([estimator.predict(PANEL) for estimator in fits], expected)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_jobs_equal_one(backend, fitted):
    def results(n_jobs):
        cv = GroupKFold(2)
        predicted = cross_val_predict(
            PIPELINE, PANEL, Y, groups=UNITS, cv=cv, method="predict", n_jobs=n_jobs
        )
        name = "multiserieslstmregressor__hidden_units"
        search = GridSearchCV(PIPELINE, {name: [3, 4]}, cv=cv, n_jobs=n_jobs)
        search.fit(PANEL, Y, groups=UNITS)
        ensemble = SeriesEnsembleRegressor(
            PIPELINE, 3, random_state=0, n_jobs=n_jobs, series="unit"
        )
        errors = backtest(FORECASTER, PANEL, 2, n_jobs=n_jobs)
        return [
            predicted,
            search.cv_results_["mean_test_score"],
            search.predict(PANEL),
            ensemble.fit(PANEL, Y).predict(PANEL),
            errors["prediction"],
            *Parallel(n_jobs)(delayed(fitted.predict)(part) for part in parts_of(PANEL, 4)),
        ]

    with parallel_config(backend=backend):
        assert_all_equal(results(2), results(1))


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_dask_schedulers(scheduler, fitted):
    dask = pytest.importorskip("dask")
    parts = parts_of(PANEL, 6)
    tasks = [dask.delayed(fitted.predict)(part) for part in parts]
    tasks += [dask.delayed(type(PIPELINE).fit)(model, PANEL, Y) for model in seeds_and_data(2)]
    *found, one, two = dask.compute(*tasks, scheduler=scheduler, num_workers=2)
    assert_all_equal(found, [fitted.predict(part) for part in parts])
    expected = [fit_and_predict(estimator) for estimator in seeds_and_data(2)]
    assert_all_equal([one.predict(PANEL), two.predict(PANEL)], expected)


@pytest.mark.slow
def test_a_search_on_a_dask_cluster():
    distributed = pytest.importorskip("distributed")
    name = "multiserieslstmregressor__hidden_units"
    search = GridSearchCV(PIPELINE, {name: [3, 4]}, cv=GroupKFold(2))
    expected = clone(search).fit(PANEL, Y, groups=UNITS)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        search.fit(PANEL, Y, groups=UNITS)
    scores = [model.cv_results_["mean_test_score"] for model in (search, expected)]
    assert_all_equal(scores[:1], scores[1:])
    assert_array_equal(search.predict(PANEL), expected.predict(PANEL))


ON_CORES = """
import os, pickle, sys
cores = sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]
os.sched_setaffinity(0, cores)
estimators, X, y = pickle.load(open(sys.argv[2], "rb"))
predicted = [estimator.fit(X, y).predict(X) for estimator in estimators]
assert len(os.sched_getaffinity(0)) == len(cores)
pickle.dump(predicted, open(sys.argv[3], "wb"))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_equals_two_up_to_rounding(tmp_path):
    # A batch is cut into one part per core: docs/speed.md.
    name = "multiserieslstmregressor__"
    options = {f"{name}batch_size": 64, f"{name}epochs": 10}
    estimators = [
        clone(PIPELINE).set_params(**options, **{f"{name}dropout": dropout})
        for dropout in (0.0, 0.2)
    ]
    (tmp_path / "task").write_bytes(pickle.dumps((estimators, PANEL, Y)))

    def fit_on(n_cores):
        paths = [tmp_path / "task", tmp_path / "out"]
        subprocess.run([sys.executable, "-c", ON_CORES, str(n_cores), *paths], check=True)
        return pickle.loads((tmp_path / "out").read_bytes())

    one, again, two = fit_on(1), fit_on(1), fit_on(2)
    assert_all_equal(one, again)
    assert np.abs(one[0] - two[0]).max() < 1e-4 * np.std(two[0])
    # With dropout, each part has masks of its own, and fits differ like those of two seeds.
    assert np.abs(one[1] - two[1]).max() < np.std(two[1])


# --------------------------------------------------------------------------- global state
TARGETS = {
    MultiSeriesForecaster: FORECASTER,
    MultiSeriesLSTMClassifier: MultiSeriesLSTMClassifier(4, epochs=1, random_state=0),
    MultiSeriesLSTMRegressor: lstm(dropout=0.2, early_stopping=True),
    PerSeriesImputer: PerSeriesImputer(**IDS),
    PerSeriesScaler: PerSeriesScaler(**IDS),
    PerSeriesTargetRegressor: PerSeriesTargetRegressor(PIPELINE, target="p", **IDS),
    PerSeriesTimeSplit: PerSeriesTimeSplit(2, **IDS),
    SeriesEnsembleClassifier: SeriesEnsembleClassifier(
        make_pipeline(
            PerSeriesScaler(**IDS), WindowTransformer(2, output="2d", **IDS), LogisticRegression()
        ),
        n_estimators=2,
        random_state=0,
        series="unit",
    ),
    SeriesEnsembleRegressor: SeriesEnsembleRegressor(PIPELINE, 2, random_state=0, series="unit"),
    WindowTransformer: WindowTransformer(3, **IDS),
}
# These train networks like those of others: alone, each is a slow test.
SIMILAR = {MultiSeriesLSTMClassifier, PerSeriesTargetRegressor}
PUBLIC = {
    value for name in sklstm.__all__
    if isinstance(value := getattr(sklstm, name), type)
    and (issubclass(value, BaseEstimator) or hasattr(value, "split"))
}  # fmt: skip


def use(instance):
    """Use an object as a program does: fit, results, pickle, load, results."""
    if isinstance(instance, PerSeriesTimeSplit):
        return list(instance.split(PANEL))
    X = WindowTransformer(3, **IDS).fit_transform(PANEL)
    is_network = isinstance(instance, (MultiSeriesLSTMClassifier, MultiSeriesLSTMRegressor))
    X = X if is_network else PANEL
    y = Y > np.median(Y) if is_classifier(instance) else Y
    instance = (
        instance.fit(X) if isinstance(instance, MultiSeriesForecaster) else instance.fit(X, y)
    )
    for _ in range(2):
        for method in ("transform", "predict", "forecast"):
            if hasattr(instance, method):
                getattr(instance, method)(X)
        instance = pickle.loads(pickle.dumps(instance))
    return instance


@pytest.mark.parametrize(
    "instance",
    [
        pytest.param(instance, id=cls.__name__, marks=[pytest.mark.slow] if cls in SIMILAR else [])
        for cls, instance in TARGETS.items()
    ],
)
@pytest.mark.filterwarnings("ignore:.*no row in the loss")
def test_nothing_global_changes(instance):
    load_network()  # the first import is tested in a process of its own
    random.seed(3)
    np.random.seed(3)
    before = process_state(), keras_state()
    use(clone(instance) if isinstance(instance, BaseEstimator) else instance)
    after = process_state(), keras_state()
    assert [changed_names(*states) for states in zip(before, after, strict=True)] == [[], []]


def test_every_public_class_is_tested_here():
    assert {type(instance) for instance in TARGETS.values()} == PUBLIC


CHANGES = {
    "numpy": lambda: np.random.seed(4),
    "environment": lambda: os.environ.update(SKLSTM_TEST="1"),
    "warnings": lambda: warnings.simplefilter("ignore", ResourceWarning),
    "logging": lambda: logging.getLogger("tensorflow").setLevel(41),
    "signals": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "floating point": lambda: np.seterr(under="warn"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed(name):
    logger, handler = logging.getLogger("tensorflow"), signal.getsignal(signal.SIGUSR1)
    level = logger.level
    with warnings.catch_warnings(), np.errstate():
        before = process_state()
        CHANGES[name]()
        after = process_state()
    logger.setLevel(level)
    signal.signal(signal.SIGUSR1, handler)
    os.environ.pop("SKLSTM_TEST", None)
    assert changed_names(before, after) == [name]


# ------------------------------------------------------------- a new process, and the network
# Python imports it at the start of every process, worker processes too.
NO_CONNECTIONS = """
import os, socket

def refuse(*address, **options):
    with open(os.environ["CONNECTIONS"], "a") as file:
        file.write(f"{address} {options}\\n")
    raise OSError("this process has no network")

def guarded(method):
    def connect(self, address):
        local = self.family == getattr(socket, "AF_UNIX", None)
        return method(self, address) if local else refuse(address)
    return connect

socket.socket.connect = guarded(socket.socket.connect)
socket.socket.connect_ex = guarded(socket.socket.connect_ex)
socket.getaddrinfo = socket.gethostbyname = refuse
"""
FIRST_USE = """
import pickle, sys
import joblib, sklstm, sklstm.datasets, sklstm.metrics, sklstm.plotting
from global_state import changed_names, process_state

before = process_state()
fitted, X, y = pickle.load(open(sys.argv[1], "rb"))
loaded = process_state()
predicted = fitted.predict(X), fitted.fit(X, y).predict(X)
after = process_state()
changed = changed_names(before, loaded), changed_names(loaded, after)
kept = [each for each in after["warnings"] if each in before["warnings"]] == before["warnings"]
pickle.dump((changed, kept, predicted), open(sys.argv[2], "wb"))
"""


@pytest.fixture
def run_without_network(tmp_path):
    """Return a function that runs Python without a network, and the connections it tried."""
    (tmp_path / "sitecustomize.py").write_text(NO_CONNECTIONS)
    connections = tmp_path / "connections"
    path = os.pathsep.join(map(str, (tmp_path, ROOT / "tests", ROOT)))
    environment = os.environ | {"PYTHONPATH": path, "CONNECTIONS": str(connections)}

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        return done, connections.read_text() if connections.exists() else ""

    return run


def test_connections_are_noticed(run_without_network):
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done, connections = run_without_network("-c", code)
    assert done.returncode == 1 and "127.0.0.1" in connections
    code = "import socket; socket.socket().connect(('127.0.0.1', 9))"
    done, connections = run_without_network("-c", code)
    assert "no network" in done.stderr and len(connections.splitlines()) == 2


@pytest.mark.slow
def test_first_load_and_fit_of_a_process(fitted, tmp_path, run_without_network):
    (tmp_path / "task").write_bytes(pickle.dumps((fitted, PANEL, Y)))
    done, connections = run_without_network("-c", FIRST_USE, tmp_path / "task", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert connections == ""
    (by_loading, by_fitting), kept, predicted = pickle.loads((tmp_path / "out").read_bytes())
    # Importing TensorFlow adds a handler to its own logger, and filters for urllib3's warnings.
    assert set(by_loading) <= {"logging", "warnings"} and kept
    assert by_fitting == []
    expected = fitted.predict(PANEL)
    assert_all_equal(predicted, [expected, expected])


@pytest.mark.slow
def test_the_main_job_needs_no_network(tmp_path, run_without_network):
    options = ["--folds", "2", "--epochs", "1", "--search-epochs", "1", "--jobs", "2"]
    done, connections = run_without_network("-m", "sklstm", "--output", tmp_path / "new", *options)
    assert done.returncode == 0, done.stderr
    assert connections == ""
    assert "16 fits" in done.stdout and "refit on all training engines" in done.stdout
    table = pd.read_csv(tmp_path / "new" / "turbofan.csv", index_col="model")
    names = ["LSTM, best", "the same net, one scale", "Ridge on the same", "a constant"]
    assert all(row.startswith(name) for row, name in zip(table.index, names, strict=True))
    errors = table["RMSE, capped"]
    assert errors["a constant"] == pytest.approx(41.94, abs=0.005)
    assert (errors.drop("a constant") < 0.6 * errors["a constant"]).all()
    assert (tmp_path / "new" / "turbofan.png").stat().st_size > 10_000
