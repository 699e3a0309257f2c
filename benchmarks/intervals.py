"""Measure the coverage of the regressor's intervals on engines that were not in training.

    python benchmarks/intervals.py --data FOLDER            # test engines: the reported figures
    python benchmarks/intervals.py --data FOLDER --choices  # training engines: compare the ways

The network is one of the recipe for remaining life (benchmarks/turbofan.py, "far"), with quantiles
in place of the mean, for capped lives, and half of its batches, since it is fitted six times. Each
seed is one fit on the training engines, whose intervals are read before and after calibration: the
two differ by the shifts alone. "Last cycle" is one row per test engine, "all cycles" every row from
the 16th on, with engines of equal weight. The width is the mean over all cycles, in cycles of life.

`--choices` reads the training engines alone: a third of them is held out, and the networks that
calibrate hold out a fifth of the rest (one fold), or each fifth in turn (five folds).
"""

import argparse
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline
from turbofan import find_folder, make_net, make_recipe
from turbofan_data import MAX_LIFE, last_rows

from sklstm import prediction_interval
from sklstm.datasets import load_turbofan
from sklstm.lstm import _held_out, _regressor

COVERAGES = (0.5, 0.8, 0.95)
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
MIN_CYCLES = 16  # of an engine before its rows are scored: those on which the network is trained


def make_model(random_state) -> Pipeline:
    """Build the pipeline from NASA's columns to quantiles of capped lives."""
    net = make_net("far", random_state)
    net.set_params(net__quantiles=LEVELS, net__calibration="series", net__steps_per_epoch=50)
    return Pipeline([*make_recipe().steps[:-1], *net.steps])


def measure(model, shifts, X, life):
    """Compute coverage and width of the intervals for each way to shift the quantiles.

    `shifts` are arrays by name; None leaves the quantiles as the network predicts them.
    """
    net, windows = model[-1], model[:-1].transform(X)
    last = last_rows(X)
    late = X["cycle"] >= MIN_CYCLES
    weights = (late / late.groupby(X["unit"]).transform("sum")).to_numpy()
    rows = []
    for name, net.shifts_ in shifts.items():
        for level in COVERAGES:
            low, high = prediction_interval(net, windows, level)
            inside = (low <= life) & (life <= high)
            width = np.clip(high, 0, MAX_LIFE) - np.clip(low, 0, MAX_LIFE)
            rows.append(
                {
                    "shifts": name,
                    "coverage": level,
                    "last cycle": 100 * inside[last].mean(),
                    "all cycles": 100 * np.average(inside, weights=weights),
                    "width": np.average(width, weights=weights),
                }
            )
    return rows


def report(rows):
    """Print mean and standard deviation over the seeds."""
    table = pd.DataFrame(rows).groupby(["shifts", "coverage"], sort=False)
    print(table.agg(["mean", "std"]).round(1).to_string(), flush=True)


def test(data, seeds):
    """Fit once per seed, and measure the test engines."""
    rows, life = [], data.test_rul.clip(upper=MAX_LIFE).to_numpy()
    for seed in range(seeds):
        started = time.perf_counter()
        model = make_model(seed).fit(data.train, data.train_rul.clip(upper=MAX_LIFE))
        seconds = time.perf_counter() - started
        ways = {"before": None, "after": model[-1].shifts_}
        rows += [row | {"fit s": seconds} for row in measure(model, ways, data.test, life)]
        print(f"seed {seed}: {seconds:.0f} s", flush=True)
    report(rows)


def compare(data, seeds):
    """Compare ways to compute the shifts on training engines."""
    rows, life, parts = [], data.train_rul.clip(upper=MAX_LIFE), []

    def spy(network, held_out, errors_of=_regressor.errors_of):
        parts.append(errors_of(network, held_out))
        return parts[-1]

    _regressor.errors_of, _held_out.ENOUGH_SERIES = spy, 10**9
    split = GroupShuffleSplit(seeds, test_size=1 / 3, random_state=0)
    for seed, (train, held_out) in enumerate(split.split(data.train, groups=data.train["unit"])):
        parts.clear()
        model = make_model(seed).fit(data.train.iloc[train], life.iloc[train])
        one, five = parts[0], _held_out.Errors.concatenate(parts)
        equal = replace(five, weights=np.ones(len(five.weights)))
        ways = {
            "none": None,
            "one fold": one.shifts("series", np.array(LEVELS)),
            "five folds": five.shifts("series", np.array(LEVELS)),
            "five folds, rows of equal weight": equal.shifts("series", np.array(LEVELS)),
            "five folds, rows as units": five.shifts("time", np.array(LEVELS)),
        }
        rows += measure(model, ways, data.train.iloc[held_out], life.to_numpy()[held_out])
        print(f"seed {seed}", flush=True)
    report(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--subsets", nargs="+", default=["FD001", "FD002"])
    parser.add_argument("--data", type=Path, default=None, help="folder of NASA's files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--choices", action="store_true", help="read the training engines alone")
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    for subset in options.subsets:
        data = load_turbofan(subset, data_home=options.data or find_folder(subset))
        print(subset, flush=True)
        (compare if options.choices else test)(data, options.seeds)


if __name__ == "__main__":
    main()
