"""What ensembles by series gain: several members, and specialists for kinds of series.

    python benchmarks/ensembles.py      # three to four minutes on one free core

Turbofan engines (FD001, embedded): half of the training engines train, the others are cut at
random cycles and predicted. Five members on the README's recipe, beside each of them alone.

Two families: series of one family move smoothly, those of the other one more roughly and
farther, and their targets are opposite functions of the same past. New series are predicted.
One net has to find the family out from a window of eight rows. With assign="cluster" each family
has a member, found from all that a new series has shown up to the row; members train on their own
half of the series, so that together they take as many steps as the one net. What one net would
need is the family as a feature, or (a part of it) more of the past in its window.
"""

import argparse
import platform
import time

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from turbofan import score_at_random_cycles
from turbofan_data import MAX_LIFE, load, make_net

from sklstm import (
    MultiSeriesLSTMRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
    stack_series,
)

IDS = {"series": "series", "time": "time"}
ROUGHER = 1.5  # times the deviation of a smooth series
EARLY = 20  # rows after which a new series has shown of which family it is
PAST = 5  # rows that the target looks back on


def table(rows, index):
    """Mean and spread over the seeds, as a markdown table."""
    numbers = pd.DataFrame(rows)
    lines = [f"| {index} | mean | std | min | max |", "|---|---|---|---|---|"]
    for name, column in numbers.items():
        figures = (column.mean(), column.std(), column.min(), column.max())
        lines.append(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")
    return "\n".join(lines)


# ------------------------------------------------------------------------- turbofan engines
def engines(data, seed):
    """RMSE on held-out engines: five members together, and each by itself."""
    units = data.train["unit"].unique()
    trained = np.random.default_rng(seed).permutation(units)[: len(units) // 2]
    train = data.train["unit"].isin(trained)
    y = data.train_rul.clip(upper=MAX_LIFE)
    *prepare, net = (step for _, step in make_net().steps)
    prepared = make_pipeline(*prepare)
    windows = prepared.fit_transform(data.train[train])
    held_out = data.train[~train]

    def error(model):
        return -score_at_random_cycles(make_pipeline(*prepared, model), held_out, y[~train])

    found = {}
    for assign in ("bootstrap", "all"):
        ensemble = SeriesEnsembleRegressor(net, 5, assign=assign, random_state=seed)
        ensemble.fit(windows, y[train])
        members = [error(member) for member in ensemble.estimators_]
        found |= {
            f"{assign}: five members together": error(ensemble),
            f"{assign}: a member alone, mean": np.mean(members),
            f"{assign}: the best member alone": np.min(members),
        }
    return found


# --------------------------------------------------------------------------- two families
def make_families(n_series, seed, kind):
    """Make a panel of two families: smooth series, and rough ones with the opposite target."""
    rng = np.random.default_rng(seed)
    arrays, targets, families = [], [], []
    for number in range(n_series):
        rough = number % 2
        persistence = rng.uniform(0.2, 0.6) if rough else rng.uniform(0.7, 0.95)
        shocks = rng.normal(size=rng.integers(100, 200)) * np.sqrt(1 - persistence**2)
        shocks[0] = rng.normal()
        x = lfilter([1], [1, -persistence], shocks)
        past = lfilter(np.full(PAST, 1 / PAST), [1], x)
        arrays.append((ROUGHER if rough else 1.0) * x[:, np.newaxis])
        targets.append((-1) ** rough * past / past.std() + 0.1 * rng.normal(size=len(x)))
        families.append(np.full(len(x), rough))
    names = [f"{kind} {number}" for number in range(n_series)]
    return (
        stack_series(arrays, names, columns=["x"]),
        np.concatenate(targets),
        np.concatenate(families),
    )


def families(seed):
    """RMSE on new series: one net, and two members by cluster and by chance."""
    X, y, family = make_families(40, seed, "old")
    X_new, y_new, new_family = make_families(40, seed + 1000, "new")
    later = X_new.index.get_level_values("time") >= EARLY
    net = MultiSeriesLSTMRegressor(
        16, epochs=15, learning_rate=5e-3, learning_rate_decay="cosine", random_state=seed
    )
    larger = clone(net).set_params(hidden_units=32, epochs=30)

    def predict(model, window_length=8, columns=("x",)):
        pipe = make_pipeline(WindowTransformer(window_length, columns=columns, **IDS), model)
        pipe.fit(X.assign(family=family), y)
        return pipe.predict(X_new.assign(family=new_family))

    def ensemble(assign):
        return SeriesEnsembleRegressor(net, 2, assign=assign, random_state=seed)

    found = {
        "one net": predict(net),
        'two members, assign="cluster"': predict(ensemble("cluster")),
        'two members, assign="partition"': predict(ensemble("partition")),
        "one net, twice the units and epochs": predict(larger),
        "one net, windows of 24 rows": predict(net, 24),
        "one net that is told the family": predict(net, columns=["x", "family"]),
    }
    return [
        {name: root_mean_squared_error(y_new[at], all_rows[at]) for name, all_rows in found.items()}
        for at in (np.ones(len(y_new), bool), later)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine-seeds", type=int, default=4)
    parser.add_argument("--family-seeds", type=int, default=5)
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    started = time.perf_counter()
    every, later = zip(*map(families, range(options.family_seeds)), strict=True)
    print(table(every, "RMSE on new series of two families"))
    print(f"\n{table(later, f'the same, from row {EARLY} of each series on')}", flush=True)
    data = load()
    rows = [engines(data, seed) for seed in range(options.engine_seeds)]
    print(f"\n{table(rows, 'RMSE on held-out engines, cycles')}")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
