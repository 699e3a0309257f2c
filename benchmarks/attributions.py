"""Measure how exact and how right attributions are.

    python benchmarks/attributions.py completeness   # turbofan engines, five seeds
    python benchmarks/attributions.py synthetic      # one lag of one feature matters, five panels
    python benchmarks/attributions.py save FOLDER    # a network and its attributions
    KERAS_BACKEND=jax python benchmarks/attributions.py compare FOLDER

`completeness`: the README's network, trained on FD001. All rows of the test engines are explained;
their targets are not read. Errors are differences of the sum of the attributions of a row from its
prediction less the baseline's, divided by the standard deviation of the predictions.

`synthetic`: eight features of white noise, of which one, at one lag, makes the target. Rows of
series that were not in training are explained. "first" is the share of rows in which this lag of
this feature has the largest attribution of all cells.

`compare`: the attributions of the saved network on another backend, divided likewise.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from turbofan_data import MAX_LIFE, load, make_net

import sklstm
from sklstm import MultiSeriesLSTMRegressor, WindowTransformer
from sklstm.inspection import integrated_gradients, permutation_importance

SEEDS = range(5)
FEATURES = [f"x{place}" for place in range(8)]
N_LAGS = 12
IDS = {"series": "series", "time": "time"}


def fit_turbofan(seed):
    data = load()
    net = make_net(random_state=seed)
    return net.fit(data.train, data.train_rul.clip(upper=MAX_LIFE)), data.test


def completeness():
    print("seed  rows   largest error  99 % below  seconds")
    for seed in SEEDS:
        net, panel = fit_turbofan(seed)
        integrated_gradients(net, panel, rows=slice(0, 200))  # compiles
        started = time.perf_counter()
        found = integrated_gradients(net, panel)
        seconds = time.perf_counter() - started
        errors = np.abs(found.errors) / found.predictions.std()
        high = np.quantile(errors, 0.99)
        print(f"{seed:4d}  {len(found)}  {errors.max():.1e}  {high:.1e}  {seconds:.1f}", flush=True)


def make_panel(rng, n_series, n_rows=100):
    """Make a panel of white noise."""
    panel = pd.DataFrame(rng.normal(size=(n_series * n_rows, len(FEATURES))), columns=FEATURES)
    panel["series"] = np.arange(len(panel)) // n_rows
    panel["time"] = np.arange(len(panel)) % n_rows
    return panel


def target_of(panel, feature, lag):
    return 50 + 20 * np.tanh(panel.groupby("series")[feature].shift(lag))


def synthetic():
    print("seed  true cell    R2     first  first by feature  first by lag  permutation")
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        feature, lag = FEATURES[rng.integers(len(FEATURES))], int(rng.integers(N_LAGS))
        train, test = make_panel(rng, 60), make_panel(rng, 20)
        y, y_test = (
            np.tanh(panel.groupby("series")[feature].shift(lag)) * 20 + 50
            for panel in (train, test)
        )
        options = {"epochs": 80, "learning_rate": 0.005, "learning_rate_decay": "cosine"}
        net = MultiSeriesLSTMRegressor(32, random_state=seed, **options)
        pipe = make_pipeline(WindowTransformer(N_LAGS, **IDS), net).fit(train, y)
        rows = np.flatnonzero(test["time"] >= N_LAGS - 1)
        found = integrated_gradients(pipe, test, rows=rows)
        sizes = np.abs(found.values).reshape(len(found), -1)
        true_cell = (N_LAGS - 1 - lag) * len(FEATURES) + FEATURES.index(feature)
        by_feature = found.by_feature().abs().idxmax(axis=1) == feature
        by_lag = found.by_lag().abs().idxmax(axis=1) == lag
        named = [
            result.names[result.importances_mean.argmax()]
            for by in ("feature", "lag")
            for result in [permutation_importance(pipe, test, y_test, by=by, random_state=0)]
        ]
        score = pipe.score(test, y_test)
        print(
            f"{seed:4d}  {feature}, lag {lag:2d}  {score:.3f}  "
            f"{(sizes.argmax(axis=1) == true_cell).mean():6.1%}  {by_feature.mean():6.1%}  "
            f"{by_lag.mean():6.1%}  {named}",
            flush=True,
        )


def explain(net, panel):
    return integrated_gradients(net, panel, rows=slice(0, 2000))


def save(folder):
    net, panel = fit_turbofan(0)
    found = explain(net, panel)
    sklstm.save(net, folder / "net.sklstm")
    np.savez(folder / "attributions.npz", values=found.values, predictions=found.predictions)
    print(f"saved the attributions of {len(found)} rows")


def compare(folder):
    net = sklstm.load(folder / "net.sklstm")
    found, saved = explain(net, load().test), np.load(folder / "attributions.npz")
    spread = saved["predictions"].std()
    cells = np.abs(found.values - saved["values"]).max() / spread
    sums = np.abs(found.predictions - saved["predictions"]).max() / spread
    print(f"largest difference of a cell {cells:.1e}, of a prediction {sums:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["completeness", "synthetic", "save", "compare"])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."))
    arguments = parser.parse_args()
    if arguments.what in ("save", "compare"):
        {"save": save, "compare": compare}[arguments.what](arguments.folder)
    else:
        {"completeness": completeness, "synthetic": synthetic}[arguments.what]()


if __name__ == "__main__":
    main()
