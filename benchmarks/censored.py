"""Predict remaining life where most training engines have not failed yet.

    python benchmarks/censored.py              # five seeds
    python benchmarks/censored.py --search     # compare candidates on the training engines

Each seed cuts 70 % of the training engines of C-MAPSS FD001 at random cycles, so that their failure
is not seen. The same pipeline is then fitted without the cut engines, with their last cycle taken
for their failure, with censored lives, and a second time with the ends that the fit with censored
lives predicts for the cut engines, with rows weighted by age. Two limits show what there is to
gain: the true lives at the rows before the cuts, and those of engines that were never cut. Test
engines are predicted once, at their last known cycle, and scored against the truth capped at 125
cycles.

`--search` reads the training engines alone: a fifth of them is held out whole, and is scored at all
cycles at which a test engine may be cut, weighted as if they were cut at random.
"""

import argparse
import platform
import time

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from turbofan import MIN_CYCLES, OWN, cut_weights, make_recipe, smooth
from turbofan_data import IDS, MAX_LIFE, last_rows

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    SeriesEnsembleRegressor,
    WindowTransformer,
    make_remaining_life,
    predict_quantiles,
)
from sklstm.datasets import load_turbofan
from sklstm.metrics import concordance_index

SHARE_CUT = 0.7
# The nets are too sure of themselves on engines that they have not seen. On held-out training
# engines, 80 % of the lives lie between these levels, not between 0.1 and 0.9.
QUANTILES = (0.075, 0.5, 0.925)
TREATMENTS = (
    "dropped",
    "dropped, twice the batches",
    "end taken for failure",
    "censored",
    "ends predicted",
    "ends predicted twice",
    "true lives",
    "never cut",
)
TWICE = {"steps_per_epoch": 80}
LAST_ROWS = 10  # of a cut engine, whose predictions are averaged to its end
LEAST_SHARE = 0.1  # of the engines: no row has more than the inverse as its weight


def make_pipeline(random_state=0, n_nets=2, **parameters) -> Pipeline:
    """Build the inputs of `turbofan.make_recipe`, and nets that predict quantiles of lives."""
    options = {
        "quantiles": QUANTILES,
        "min_observed": 4,
        "batch_size": 256,
        "epochs": 5,
        "steps_per_epoch": 40,
        "dropout": 0.3,
        "learning_rate": 2e-3,
        "learning_rate_decay": "cosine",
    }
    net = MultiSeriesLSTMRegressor(**options | parameters)
    return Pipeline(
        [
            *make_recipe().steps[:-1],
            ("smooth", FunctionTransformer(smooth, kw_args={"halflife": 2})),
            ("own", PerSeriesScaler(columns=OWN, **IDS)),
            ("windows", WindowTransformer(16, spacing=5, **IDS)),
            ("nets", SeriesEnsembleRegressor(net, n_nets, assign="all", random_state=random_state)),
        ]
    )


def cut_engines(panel, rng):
    """Cut engines at random cycles, and return their rows before, and which have failed, by id."""
    life = panel.groupby("unit")["cycle"].max()
    cut = rng.permutation(life.index)[: round(SHARE_CUT * len(life))]
    last = life.copy()
    last[cut] = rng.integers(MIN_CYCLES, life[cut])
    failed = pd.Series(~life.index.isin(cut), life.index)
    return panel[panel["cycle"] <= panel["unit"].map(last)], failed


def make_training(treatment, panel, rng):
    """Return the rows and the lives of one treatment of the engines that are cut."""
    rows, failed = cut_engines(panel, rng)
    if treatment == "dropped":
        rows = rows[rows["unit"].map(failed)]
    if treatment in ("censored", "end taken for failure"):
        ends = failed if treatment == "censored" else True
        return rows, make_remaining_life(rows, ends, cap=MAX_LIFE, **IDS)
    if treatment == "never cut":
        rows = panel
    truth = make_remaining_life(panel, cap=MAX_LIFE, **IDS)
    return rows, truth[panel.index.isin(rows.index)]


def fit(treatment, panel, seed, rng, **parameters):
    """Fit the pipeline in the way of one treatment."""
    if treatment.startswith("ends predicted"):
        n_times = 2 if treatment.endswith("twice") else 1
        return fit_predicted_ends(panel, seed, rng, n_times, **parameters)
    if treatment == "dropped, twice the batches":
        treatment, parameters = "dropped", parameters | TWICE
    return make_pipeline(seed, **parameters).fit(*make_training(treatment, panel, rng))


def fit_predicted_ends(panel, seed, rng, n_times, **parameters):
    """Fit with censored lives, predict the ends of the cut engines, and fit again with them.

    From the second time on, the ends are the means over the fits so far. The last fit has the most
    to learn from, and twice the batches.
    """
    rows, failed = cut_engines(panel, rng)
    weights = weigh_by_age(rows, failed)

    def fit_lives(lives, **changes):
        model = make_pipeline(seed, series_weight=None, **parameters | changes)
        return model.fit(rows, lives, nets__sample_weight=weights)

    lives = make_remaining_life(rows, failed, cap=MAX_LIFE, **IDS)
    filled, predicted = lives, []
    for _ in range(n_times):
        predicted.append(fit_lives(filled).predict(rows))
        filled = fill_in_ends(lives, rows, np.mean(predicted, axis=0))
    return fit_lives(filled, **TWICE)


def weigh_by_age(rows, failed):
    """Weight rows by the inverse of the share of engines that are not cut before their age.

    Old engines are rarer among the rows than they would be without cuts. The share is the estimate
    of Kaplan and Meier, in which a failure censors the cut.
    """
    last = rows.groupby("unit")["cycle"].max()
    ages = np.arange(1, last.max() + 1)
    at_risk = (last.to_numpy()[:, None] >= ages).sum(axis=0)
    cuts = np.bincount(last[~failed], minlength=len(ages) + 1)[1:]
    shares = np.cumprod(1 - cuts / at_risk)
    before = np.concatenate([[1.0], shares])[rows["cycle"] - 1]
    return 1 / np.maximum(before, LEAST_SHARE)


def fill_in_ends(lives, rows, predicted):
    """Replace censored lives by the time to the end that the last rows of an engine predict."""
    ends = (rows["cycle"] + predicted).groupby(rows["unit"])
    end = ends.transform(lambda values: values.tail(LAST_ROWS).mean())
    time = np.minimum(end - rows["cycle"], MAX_LIFE).to_numpy()
    return np.where(lives["event"], lives["time"], np.maximum(lives["time"], time))


def evaluate(model, panel, life, weights):
    """Compute errors and coverage at the rows of positive weight.

    Lives are whole cycles, so the bounds of the intervals are rounded outwards.
    """
    chosen = weights > 0
    low, median, high = np.clip(predict_quantiles(model, panel)[chosen], 0, MAX_LIFE).T
    true, weights = np.minimum(life[chosen], MAX_LIFE), weights[chosen]
    inside = (np.floor(low) <= true) & (true <= np.ceil(high))
    return {
        "RMSE": np.sqrt(np.average((median - true) ** 2, weights=weights)),
        "bias": np.average(median - true, weights=weights),
        "coverage": np.average(inside, weights=weights),
        "width": np.average(high - low, weights=weights),
    }


def candidates():
    """Make the candidates of the search: parameters of the nets."""
    return {
        "the chosen one": {},
        "half the batches": {"steps_per_epoch": 20},
        "twice the batches": {"steps_per_epoch": 80},
        "no dropout": {"dropout": 0.0},
    }


def search(data, draws):
    """Compare candidates on held-out training engines."""
    for name, parameters in candidates().items():
        for treatment in ("dropped", "censored", "ends predicted", "true lives"):
            rows = []
            for draw in range(draws):
                rng = np.random.default_rng(draw)
                units = rng.permutation(data.train["unit"].unique())
                is_held = data.train["unit"].isin(units[: len(units) // 5])
                held, rest = data.train[is_held], data.train[~is_held]
                model = fit(treatment, rest, draw, rng, **parameters)
                life = data.train_rul[is_held].to_numpy()
                rows.append(evaluate(model, held, life, cut_weights(held).to_numpy()))
            print(f"{name}, {treatment}: {describe(rows)}", flush=True)


def test(data, seeds, treatments):
    """Fit each treatment once per seed, and score the test engines."""
    last = last_rows(data.test)
    life = data.test_rul.to_numpy()
    for treatment in treatments:
        rows = []
        for seed in range(seeds):
            started = time.perf_counter()
            model = fit(treatment, data.train, seed, np.random.default_rng(seed))
            seconds = time.perf_counter() - started
            row = evaluate(model, data.test, life, last.astype(float))
            predicted = model.predict(data.test)[last]
            row["concordance"] = concordance_index(np.minimum(life[last], MAX_LIFE), predicted)
            rows.append(row | {"fit s": seconds})
            print(f"seed {seed}, {treatment}: {describe(rows[-1:])}", flush=True)
        print(f"{treatment}: {describe(rows)}", flush=True)


def describe(rows):
    """Show mean, standard deviation and range of each figure."""
    table = pd.DataFrame(rows)
    if len(rows) == 1:
        return ", ".join(f"{name} {value:.2f}" for name, value in rows[0].items())
    table = table.agg(["mean", "std", "min", "max"])
    return ", ".join(
        "{} {:.2f} ± {:.2f} ({:.2f} to {:.2f})".format(name, *figures)
        for name, figures in table.items()
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--treatments", nargs="+", choices=TREATMENTS, default=TREATMENTS)
    parser.add_argument("--search", action="store_true", help="compare candidates instead")
    options = parser.parse_args()
    data = load_turbofan()
    print(f"FD001, {platform.machine()}, Python {platform.python_version()}")
    if options.search:
        search(data, options.seeds)
    else:
        test(data, options.seeds, options.treatments)


if __name__ == "__main__":
    main()
