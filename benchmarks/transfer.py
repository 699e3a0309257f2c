"""Compare fine-tuning from FD001 to a few engines of FD002 with training from scratch.

    python benchmarks/transfer.py              # five seeds
    python benchmarks/transfer.py --seeds 1    # a first look

The first net of turbofan.py's recipe (without the regime as a feature, so that both subsets have
the same features) is fitted on FD001's training engines, then fine-tuned on 5, 10 or 20 of FD002's
training engines. The other steps of the recipe (scales by regime and by engine) are fitted on the
same few engines. Errors are those of 60 other training engines of FD002, as if cut at random
cycles; test engines are not used. Each seed draws other engines and other initial weights.
"""

import argparse
import platform

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import root_mean_squared_error
from turbofan import cut_weights, find_folder, make_recipe
from turbofan_data import MAX_LIFE

from sklstm.datasets import load_turbofan

FEW = (5, 10, 20)
N_HELD_OUT = 60
NET = "life__regressor__far0__net__"

# Parameters of the net, apart from its initial weights.
WAYS = {
    "from scratch": {},
    "from scratch, a quarter of the steps": {"epochs": 2},
    "as fitted on FD001": {"learning_rate": 0.0, "epochs": 1, "steps_per_epoch": 1},
    "all layers, a quarter of the steps and rate": {"epochs": 2, "learning_rate": 5e-4},
    "the head, a quarter of the steps": {"trainable": "head", "epochs": 2},
}


def recipe(seed, source=None, **options):
    """Build one net of the recipe, initialised from `source` if given."""
    found = make_recipe(random_state=seed, views=("far",)).set_params(encode__regime="drop")
    if source is not None:
        options["init_from"] = FrozenEstimator(source)
    return found.set_params(**{NET + name: value for name, value in options.items()})


def training_part(subset):
    data = load_turbofan(subset, data_home=find_folder(subset))
    return data.train, data.train_rul.clip(upper=MAX_LIFE)


def curve(seed):
    """Yield the error of every way at every number of engines, for one seed."""
    X, y = training_part("FD002")
    source = recipe(seed).fit(*training_part("FD001"))[-1].regressor_.estimators_[0]
    units = np.random.default_rng(seed).permutation(X["unit"].unique())
    held_out = X["unit"].isin(units[-N_HELD_OUT:])
    for n_engines in FEW:
        rows = X["unit"].isin(units[:n_engines])
        for name, options in WAYS.items():
            model = recipe(seed, None if "scratch" in name else source, **options)
            predicted = model.fit(X[rows], y[rows]).predict(X[held_out])
            error = root_mean_squared_error(
                y[held_out], predicted, sample_weight=cut_weights(X[held_out])
            )
            yield {"seed": seed, "engines": n_engines, "way": name, "RMSE": error}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(f"FD001 to FD002, {platform.machine()}, {options.seeds} seeds, RMSE at random cycles")
    rows = []
    for seed in range(options.seeds):
        for row in curve(seed):
            rows.append(row)
            print("{seed} {engines:3d} {way:44s} {RMSE:.2f}".format(**row), flush=True)
    table = pd.DataFrame(rows).pivot_table(
        index="way", columns="engines", values="RMSE", sort=False
    )
    spread = pd.DataFrame(rows).pivot_table(
        index="way", columns="engines", values="RMSE", aggfunc="std", sort=False
    )
    print("| RMSE | " + " | ".join(f"{n} engines" for n in table) + " |")
    print("|---" * (1 + len(table.columns)) + "|")
    for way in table.index:
        cells = (f"{table.at[way, n]:.2f} ± {spread.at[way, n]:.2f}" for n in table)
        print(f"| {way} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
