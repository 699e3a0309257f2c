"""A grid search on two workers of a Dask cluster, beside one process.

    python benchmarks/cluster.py                # about twelve minutes on 2 cores
    python benchmarks/cluster.py --quick        # tiny, to see that it runs

The pipeline of the README on 30 engines, 12 candidates and three folds, 36 fits of 6 shapes. Two
worker processes of one thread each are started by their command line. Cold: the first search of
new processes, which import TensorFlow and compile; the workers are up, as they are on a cluster.
Warm: further searches, for which all take turns; medians. The workers run twice: with the default
settings, and with TUNED ones. CPU seconds are those of all threads of the process, or of both
workers. Before each search, the script waits for up to `--wait` seconds until other programs leave
the cores alone; `others` is the number of cores that they used during the search. In the last
search, one worker is killed after a third of the fits. All searches must give equal scores.

The second table has the bytes that each worker receives, for all engines. Prints tables.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from commit import commit
from local_cluster import bytes_received, kill_this_process, start_cluster
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    SeriesEnsembleRegressor,
    WindowTransformer,
    backtest,
)
from sklstm.cluster import on_dask
from sklstm.datasets import load_turbofan

IDS = {"series": "unit", "time": "cycle"}
GRID = {
    "perseriesscaler__statistics": ["expanding", "pooled"],
    "windowtransformer__window_length": [20, 40],
    "multiserieslstmregressor__hidden_units": [16, 32, 64],
}
N_FOLDS, N_FITS = 3, 36
# Threads of TensorFlow in each worker, and Dask's statistical profiler.
TUNED = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}


class FatalScorer:
    """Score like the estimator, and kill the worker that calculates the n-th score, once."""

    def __init__(self, folder, number):
        self.calls, self.killed, self.number = folder / "calls", folder / "killed", number

    def __call__(self, estimator, X, y):
        with self.calls.open("a") as file:
            file.write(".")
        if self.calls.stat().st_size >= self.number and not self.killed.exists():
            self.killed.touch()
            kill_this_process()
        return estimator.score(X, y)


def make_search(n_engines, epochs):
    """Return a function that runs the search."""
    X, y = read_engines(n_engines)
    net = MultiSeriesLSTMRegressor(segment_length=5, epochs=epochs, random_state=0)
    pipe = make_pipeline(PerSeriesScaler(**IDS), WindowTransformer(**IDS), net)

    def search(scoring=None):
        found = GridSearchCV(pipe, GRID, cv=GroupKFold(N_FOLDS), scoring=scoring, refit=False)
        return found.fit(X, y, groups=X["unit"]).cv_results_

    return search


def read_engines(n_engines):
    """Return the rows of some training engines, and their targets."""
    data = load_turbofan()
    X = data.train[data.train["unit"] <= n_engines]
    return X, data.train_rul[X.index].clip(upper=125)


def equal_scores(results, expected):
    """Compare all columns of two `cv_results_` but the times."""
    return results.keys() == expected.keys() and all(
        np.array_equal(np.asarray(results[name]), np.asarray(expected[name]))
        for name in expected
        if "time" not in name
    )


def busy_seconds():
    """Return the seconds that all programs have spent on all cores (Linux)."""
    user, nice, system, _, _, *interrupts = map(int, open("/proc/stat").readline().split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(seconds):
    """Wait until other programs use less than a tenth of the cores, but not for ever."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(2)
        if busy_seconds() - before < 0.2 * os.cpu_count():
            return


class Runner:
    """Run the search in one place, and note what it costs."""

    def __init__(self, search, client=None):
        self.search, self.client, self.runs = search, client, []

    def cpu_seconds(self):
        workers = {} if self.client is None else self.client.run(time.process_time)
        return sum(workers.values()), time.process_time()

    def run(self, scoring=None):
        """Run the search once and return its results."""
        before, busy, started = self.cpu_seconds(), busy_seconds(), time.perf_counter()
        with nullcontext() if self.client is None else on_dask(self.client):
            results = self.search(scoring)
        seconds, busy = time.perf_counter() - started, busy_seconds() - busy
        workers, own = np.subtract(self.cpu_seconds(), before)
        others = (busy - workers - own) / seconds
        self.runs.append([seconds, workers if self.client else own, max(0.0, others)])
        return results


def received(client, function):
    """Call a function and return the bytes that each worker receives meanwhile, in MB."""
    before = client.run(bytes_received)
    with on_dask(client):
        function()
    after = client.run(bytes_received)
    return [(after[worker] - before[worker]) / 1e6 for worker in after]


def measure_bytes(client, search):
    """Return the size of what is passed, and what each worker receives, by task."""
    X, y = read_engines(100)
    windows = WindowTransformer(40, **IDS).fit_transform(PerSeriesScaler(**IDS).fit_transform(X))
    net = MultiSeriesLSTMRegressor(16, epochs=1, steps_per_epoch=2, random_state=0)
    ensemble = SeriesEnsembleRegressor(net, 8, random_state=0)
    forecaster = MultiSeriesForecaster(
        5, target="sensor2", regressor=net, n_estimators=1, random_state=0, **IDS
    )
    panel = X.memory_usage().sum() / 1e6
    tasks = {
        "search, 36 fits": (panel + y.memory_usage() / 1e6, search),
        "backtest, 8 origins": (panel, lambda: backtest(forecaster, X, 8)),
        "ensemble of 8, fit": (windows.nbytes / 1e6, lambda: ensemble.fit(windows, y)),
        "ensemble of 8, predict": (windows.nbytes / 1e6, lambda: ensemble.predict(windows)),
    }
    return {name: (size, received(client, function)) for name, (size, function) in tasks.items()}


def kill_a_worker(runner, folder):
    """Run the search while a worker is killed; return its results and what happened."""
    pids = set(runner.client.run(os.getpid).values())
    scorer = FatalScorer(folder, N_FITS // 3)
    results = runner.run(scorer)
    runner.client.wait_for_workers(2, timeout=120)
    return results, {
        "seconds": runner.runs.pop()[0],
        "scores calculated": scorer.calls.stat().st_size,
        "workers lost": len(pids - set(runner.client.run(os.getpid).values())),
    }


def measure(options):
    """Run all searches in this process and on two pairs of workers."""
    search = make_search(options.engines, options.epochs)
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory())) for _ in range(2)]
        one = Runner(search)
        expected, equal = one.run(), []
        clients = [
            stack.enter_context(start_cluster(folder, **settings))
            for folder, settings in zip(folders, ({}, TUNED), strict=True)
        ]
        default, tuned = (Runner(search, client) for client in clients)
        for number in range(1 + options.rounds):
            for runner in (one, default, tuned) if number else (default, tuned):
                wait_until_quiet(options.wait if number else 0)
                equal.append(equal_scores(runner.run(), expected))
        crossed = measure_bytes(clients[0], make_search(100, 1))
        results, killed = kill_a_worker(default, folders[0])
        equal.append(equal_scores(results, expected))
    names = ("one process", "two workers", "two workers, tuned")
    runs = {name: each.runs for name, each in zip(names, (one, default, tuned), strict=True)}
    return {"runs": runs, "bytes": crossed, "killed": killed, "equal": equal}


def table(head, rows):
    """Format a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def report(repeats):
    """Print the tables of all repeats."""
    for part, chosen in (("cold", slice(0, 1)), ("warm", slice(1, None))):
        rows, one = [], None
        for name in repeats[0]["runs"]:
            runs = [run for each in repeats for run in each["runs"][name][chosen]]
            seconds, cpu, others = (median(column) for column in zip(*runs, strict=True))
            one = one or seconds
            spread = f"{min(run[0] for run in runs):.1f} to {max(run[0] for run in runs):.1f}"
            figures = [f"{seconds:.1f}", spread, f"{seconds / one:.2f}", f"{cpu:.1f}"]
            rows.append([name, *figures, f"{others:.2f}", len(runs)])
        head = [part, "seconds", "min to max", "ratio", "CPU seconds", "others, cores", "runs"]
        print(f"{table(head, rows)}\n")
    rows = [
        [name, f"{size:.2f}", " and ".join(f"{each:.2f}" for each in crossed)]
        for name, (size, crossed) in repeats[0]["bytes"].items()
    ]
    print(table(["task", "panel or windows, MB", "received by each worker, MB"], rows))
    print(f"\nEqual scores: {all(flag for each in repeats for flag in each['equal'])}")
    for each in repeats:
        print("A worker killed:", ", ".join(f"{k} {v:.3g}" for k, v in each["killed"].items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="new processes, for cold searches")
    parser.add_argument("--rounds", type=int, default=3, help="warm searches per repeat")
    parser.add_argument("--engines", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--wait", type=float, default=60, help="seconds, for other programs")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.repeats = options.rounds = options.epochs = 1
        options.engines, options.wait = 6, 0
    if options.measure:
        print(json.dumps(measure(options)))
        return
    names = ("rounds", "engines", "epochs", "wait")
    arguments = [f"--{name}={getattr(options, name)}" for name in names]
    repeats = []
    for _ in range(options.repeats):
        command = [sys.executable, __file__, "--measure", *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        repeats.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(repeats[-1]), file=sys.stderr, flush=True)
    report(repeats)
    cores = len(os.sched_getaffinity(0))
    print(f"\n{cores} cores of {platform.machine()}, commit {commit()}.")


if __name__ == "__main__":
    main()
