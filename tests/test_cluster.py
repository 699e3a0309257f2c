"""Searches, backtests and ensembles on a Dask cluster of two processes: docs/scaling.md."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesForecaster,
    PerSeriesScaler,
    SeriesEnsembleRegressor,
    WindowTransformer,
    backtest,
)
from sklstm._network.program_cache import programs
from sklstm.cluster import on_dask

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
local_cluster = pytest.importorskip("local_cluster")  # it needs Dask

pytestmark = pytest.mark.slow

IDS = {"series": "unit", "time": "cycle"}
X = make_panel((30, 24, 28, 20, 26, 22), seed=1)
UNITS = X["unit"]
Y = X["p"] + 0.1 * X["cycle"]
STEPS = [PerSeriesScaler(**IDS), WindowTransformer(4, **IDS)]
PIPELINE = make_pipeline(*STEPS, lstm(dropout=0.2))
ENSEMBLE = SeriesEnsembleRegressor(lstm(), 3, combine="error", random_state=0)
FORECASTER = MultiSeriesForecaster(
    3, window_length=4, season_length=2, regressor=lstm(min_observed=1), random_state=0, **IDS
)
RATE = "multiserieslstmregressor__learning_rate"
GRID = {
    "windowtransformer__window_length": [3, 4],
    "multiserieslstmregressor__learning_rate": [0.01, 0.03],
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    # The tests' own functions are imported by the workers.
    with local_cluster.start_cluster(tmp_path_factory.mktemp("dask"), paths=[HERE]) as client:
        yield client


def search(pipeline=PIPELINE, grid=GRID, X=X, Y=Y, **options):
    found = GridSearchCV(pipeline, grid, cv=GroupKFold(2), **options)
    return found.fit(X, Y, groups=X["unit"])


def scores(found):
    return {name: found.cv_results_[name] for name in found.cv_results_ if "time" not in name}


def assert_same_scores(found, expected):
    assert scores(found).keys() == scores(expected).keys()
    for name, column in scores(expected).items():
        assert_array_equal(np.asarray(scores(found)[name]), np.asarray(column), err_msg=name)


# ----------------------------------------------------------------- the results of one machine
def test_search_gives_the_results_of_one_machine(client):
    expected = search()
    with on_dask(client):
        found = search()
    assert_same_scores(found, expected)
    assert len(set(found.cv_results_["mean_test_score"])) == 4
    assert_array_equal(found.predict(X), expected.predict(X))


def test_search_over_an_ensemble_gives_the_results_of_one_machine(client):
    pipeline = make_pipeline(*STEPS, clone(ENSEMBLE).set_params(n_estimators=2, combine="mean"))
    grid = {"seriesensembleregressor__estimator__learning_rate": [0.01, 0.03]}
    expected = search(pipeline, grid)
    with on_dask(client):
        found = search(pipeline, grid)
    assert_same_scores(found, expected)


@pytest.mark.parametrize("kind", ["windows", "table"])
def test_ensemble_gives_the_results_of_one_machine(client, kind):
    if kind == "windows":
        data, ensemble = make_pipeline(*STEPS).fit_transform(X), ENSEMBLE
    else:
        data, ensemble = X, clone(ENSEMBLE).set_params(estimator=PIPELINE, series="unit")
    weights = np.linspace(0.5, 2, len(X))
    expected = clone(ensemble).fit(data, Y, sample_weight=weights)
    with on_dask(client):
        found = clone(ensemble).fit(data, Y, sample_weight=weights)
        predicted = found.predict(data)
    assert_array_equal(found.errors_, expected.errors_)
    assert_array_equal(predicted, expected.predict(data))


@pytest.mark.parametrize("refit", [True, False])
def test_backtest_gives_the_results_of_one_machine(client, refit):
    expected = backtest(FORECASTER, X, 3, refit=refit)
    with on_dask(client):
        found = backtest(FORECASTER, X, 3, refit=refit)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


# ------------------------------------------------------------------------- what crosses
LARGE = make_panel([2_000] * 8, features=[f"x{k}" for k in range(12)])
FAST = lstm(steps_per_epoch=1, epochs=1)


def large_search(panel=LARGE):
    pipeline = make_pipeline(*STEPS, FAST)
    search(pipeline, {RATE: np.linspace(0.01, 0.1, 4)}, panel, LARGE["x0"], refit=False)


def large_ensemble():
    windows = make_pipeline(*STEPS).fit_transform(LARGE)
    SeriesEnsembleRegressor(FAST, 8, random_state=0).fit(windows, LARGE["x0"])


def large_backtest():
    backtest(clone(FORECASTER).set_params(target="x0", regressor=FAST), LARGE, 8)


def bytes_per_worker(client, task, **options):
    before = client.run(local_cluster.bytes_received)
    with on_dask(client, **options):
        task()
    after = client.run(local_cluster.bytes_received)
    assert len(after) == 2
    return np.array([after[worker] - before[worker] for worker in after])


@pytest.mark.parametrize("task", [large_search, large_ensemble, large_backtest])
def test_panel_crosses_to_each_worker_once(client, task):
    size = LARGE.memory_usage().sum()
    received = bytes_per_worker(client, task)
    assert ((size < received) & (received < 2 * size)).all()


def test_panel_whose_size_dask_does_not_know_is_named(client):
    pl = pytest.importorskip("polars")
    panel = pl.from_pandas(LARGE)
    received = bytes_per_worker(client, lambda: large_search(panel), scatter=[panel])
    assert (received < 2 * LARGE.memory_usage().sum()).all()
    # If this fails, Dask knows the size, and `scatter` is no longer needed.
    assert bytes_per_worker(client, lambda: large_search(panel)).sum() > 2 * received.sum()


def test_panel_that_is_changed_between_searches_is_sent_again(client):
    panel, grid = X.copy(), {RATE: [0.01, 0.03]}
    with on_dask(client):
        before = search(grid=grid, X=panel)
        panel[["p", "q"]] *= np.linspace(0.1, 3, len(panel))[:, np.newaxis]
        found = search(grid=grid, X=panel)
    assert_same_scores(found, search(grid=grid, X=panel))
    assert (before.cv_results_["mean_test_score"] != found.cv_results_["mean_test_score"]).all()


# ------------------------------------------------------------------------- what workers keep
made = []


def watch_programs():
    """Note the programs that this worker compiles from now on."""
    borrow = programs.borrow

    def borrow_and_note(key, make, reusable=None):
        def make_and_note():
            made.append(key)
            return make()

        return borrow(key, make_and_note, reusable)

    programs.borrow = borrow_and_note


def programs_made():
    return len(made)


SEVEN_UNITS = make_pipeline(*STEPS, lstm(hidden_units=7))


def fit_once():
    SEVEN_UNITS.fit(X, Y).score(X, Y)


def test_workers_keep_compiled_programs(client):
    client.run(watch_programs)
    client.run(fit_once)
    compiled = client.run(programs_made)
    assert min(compiled.values()) >= 2  # one program trains and one predicts
    with on_dask(client):
        search(SEVEN_UNITS, {RATE: [0.01, 0.02, 0.03, 0.04]}, refit=False)
        search(SEVEN_UNITS, {RATE: [0.05, 0.06, 0.07, 0.08]}, refit=False)
    assert client.run(programs_made) == compiled


# ---------------------------------------------------------------------------- lost workers
class FatalScorer:
    """Kill the worker that calculates the fifth score of all, once."""

    def __init__(self, folder):
        self.calls, self.killed = folder / "calls", folder / "killed"

    def __call__(self, estimator, X, y):
        with self.calls.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if len(self.calls.read_text().splitlines()) >= 5 and not self.killed.exists():
            self.killed.touch()
            local_cluster.kill_this_process()
        return estimator.score(X, y)


def test_killed_worker_loses_no_result(client, tmp_path):
    scorer, grid = FatalScorer(tmp_path), {RATE: np.linspace(0.01, 0.1, 6)}
    before = client.run(os.getpid)
    with on_dask(client):
        found = search(grid=grid, scoring=scorer, refit=False)
    client.wait_for_workers(2, timeout=local_cluster.SECONDS_TO_START)
    assert len(set(before.values()) - set(client.run(os.getpid).values())) == 1
    assert len(scorer.calls.read_text().splitlines()) > 12  # some were calculated again
    assert_same_scores(found, search(grid=grid, refit=False))


def sum_at_second_try(array, tried):
    """Return a sum, or kill the worker after the next round of Dask's active memory manager."""
    if not tried.exists():
        tried.touch()
        time.sleep(5)
        local_cluster.kill_this_process()
    return array.sum()


def test_data_survive_the_worker_that_used_them(client, tmp_path):
    client.wait_for_workers(2, timeout=local_cluster.SECONDS_TO_START)
    array = np.arange(1_000.0)
    with on_dask(client):
        assert Parallel()([delayed(sum_at_second_try)(array, tmp_path / "ours")]) == [array.sum()]
    client.wait_for_workers(2, timeout=local_cluster.SECONDS_TO_START)
    # If this fails, joblib keeps the data itself, and `on_dask` is no longer needed.
    lost = pytest.importorskip("distributed.client").FutureCancelledError
    with parallel_config(backend="dask", client=client), pytest.raises(lost):
        Parallel()([delayed(sum_at_second_try)(array, tmp_path / "joblib")])
    client.wait_for_workers(2, timeout=local_cluster.SECONDS_TO_START)


# ------------------------------------------------------------------------------ the context
def test_settings_of_the_cluster_are_restored(client):
    assert client.amm.running()
    with pytest.raises(ZeroDivisionError), on_dask(client):
        assert not client.amm.running()
        raise ZeroDivisionError
    assert client.amm.running()
    client.amm.stop()
    with on_dask(client):
        pass
    assert not client.amm.running()
    client.amm.start()


# ------------------------------------------------------------------------------------- Ray
def test_search_on_ray_gives_the_results_of_one_machine():
    ray = pytest.importorskip("ray")
    backend = pytest.importorskip("ray.util.joblib")
    expected = search()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        backend.register_ray()
        with parallel_config(backend="ray", n_jobs=-1):
            found = search()
    finally:
        ray.shutdown()
    assert_same_scores(found, expected)
