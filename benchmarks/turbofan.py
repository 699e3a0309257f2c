"""Predict the remaining life of turbofan engines: one recipe for all C-MAPSS subsets.

    python benchmarks/turbofan.py                                  # FD001, embedded
    python benchmarks/turbofan.py --subset FD002 --data FOLDER     # NASA's files
    python benchmarks/turbofan.py --search                         # compare candidates

Each seed is one fit on all training engines and one prediction per test engine, at its last known
cycle, scored against the truth capped at 125 cycles and raw. `--search` reads the training
engines alone: grouped cross-validation, in which held-out engines are scored at all cycles at
which a test engine may be cut, weighted as if they were cut at random.
"""

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from turbofan_data import FEATURES, IDS, MAX_LIFE, evaluate

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan

SENSORS = FEATURES[:-1]  # without the age
OWN = [f"own_{name}" for name in SENSORS]
VIEWS = ["far"] * 4 + ["near"] * 2
MIN_CYCLES = 31  # cycles after which a held-out engine is scored
CUTS = 10  # random cycles drawn per engine
FOLDER = "../shared/data/cmapss"  # NASA's files, relative to the repository

# ---------------------------------------------------------------------------- the recipe


def describe(panel):
    """Keep ids, age and sensors, and name the operating regime of each row.

    The settings vary slightly around the values of their regime; the rounded settings are its
    name. A subset with one regime has one name.
    """
    rounded = panel[["setting1", "setting2", "setting3"]].round({"setting2": 2}).round(2)
    rounded["setting1"] = rounded["setting1"].round()
    rounded = (100 * rounded).round().astype(int)  # integers have no -0
    regime = rounded.astype(str).agg("/".join, axis=1)
    age = panel["cycle"].astype("float32")
    return panel[["unit", "cycle", *SENSORS]].assign(regime=regime, age=age)


def smooth(panel, halflife):
    """Smooth the sensors of each engine by its own past, and add a copy of them.

    The copy is later scaled to deviations from the engine's own mean so far.
    """
    if halflife > 0:
        engines = panel.groupby("unit")[SENSORS]
        smoothed = engines.ewm(halflife=halflife).mean().droplevel(0)
        panel = panel.assign(**smoothed.astype("float32"))
    return panel.assign(**{f"own_{name}": panel[name] for name in SENSORS})


def cap(life):
    """Limit lives to the range from 0 to the usual cap."""
    return np.clip(life, 0, MAX_LIFE)


def make_net(view, random_state) -> Pipeline:
    """Build one net: from sensors scaled by regime to lives."""
    if view == "far":
        # For smoothed sensors, every fifth cycle is enough: 16 steps look back 76 cycles.
        halflife, windows, segment = 2, WindowTransformer(16, spacing=5, **IDS), 1
        observed = 4
    else:
        halflife, windows, segment = 0, WindowTransformer(80, **IDS), 5
        observed = 16
    net = MultiSeriesLSTMRegressor(
        segment_length=segment,
        min_observed=observed,  # train on short histories too, from 16 cycles on
        batch_size=256,
        # A fixed number of batches, so that larger subsets take no longer.
        epochs=8,
        steps_per_epoch=100,
        learning_rate=2e-3,
        learning_rate_decay="cosine",
        random_state=random_state,
    )
    return Pipeline(
        [
            ("smooth", FunctionTransformer(smooth, kw_args={"halflife": halflife})),
            ("own", PerSeriesScaler(columns=OWN, **IDS)),
            ("windows", windows),
            ("net", net),
        ]
    )


def make_recipe(random_state=0, views=VIEWS) -> Pipeline:
    """Build the recipe, from NASA's columns to capped lives, the same for all subsets.

    Parameters
    ----------
    random_state : int, default=0
        Recipes with different numbers share no net.
    views : sequence of {"far", "near"}
        The kind of each net; predictions are averaged.

    Returns
    -------
    Pipeline
    """
    encode = ColumnTransformer(
        [
            (
                "regime",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                ["regime"],
            ),
            ("age", StandardScaler(), ["age"]),
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    nets = [
        (f"{view}{i}", make_net(view, random_state * len(views) + i))
        for i, view in enumerate(views)
    ]
    return Pipeline(
        [
            ("describe", FunctionTransformer(describe)),
            ("regimes", PerSeriesScaler(statistics="fit", columns=SENSORS, series="regime")),
            ("encode", encode.set_output(transform="pandas")),
            (
                "life",
                TransformedTargetRegressor(
                    VotingRegressor(nets), func=cap, inverse_func=cap, check_inverse=False
                ),
            ),
        ]
    )


# -------------------------------------------------------------------------- the figures


def variants():
    """Make the candidates to compare: fewer nets, and single nets without one part."""
    far = "life__regressor__far0__"
    changes = {
        "one regime for all": {"regimes__statistics": "pooled"},
        "net not told the regime": {"encode__regime": "drop"},
        "no deviations from the own mean": {far + "own": "passthrough"},
        "no age": {"encode__age": "drop"},
        "not smoothed": {far + "smooth__kw_args": {"halflife": 0}},
        "smoothed twice as long": {far + "smooth__kw_args": {"halflife": 4}},
        "24 steps": {far + "windows__window_length": 24},
        "32 units": {far + "net__hidden_units": 32},
        "attention": {far + "net__attention": True},
        "half the batches": {far + "net__steps_per_epoch": 50},
        "twice the batches": {far + "net__steps_per_epoch": 200},
    }
    return {
        "the recipe": make_recipe(),
        "two nets that look far": make_recipe(views=["far", "far"]),
        "one net of each kind": make_recipe(views=["far", "near"]),
        "one that looks near": make_recipe(views=["near"]),
        "one that looks far": make_recipe(views=["far"]),
    } | {
        f"far, {name}": make_recipe(views=["far"]).set_params(**change)
        for name, change in changes.items()
    }


def cut_weights(panel):
    """Weight cycles so that their mean is the expectation over random cuts."""
    late = panel["cycle"] >= MIN_CYCLES
    return late / late.groupby(panel["unit"]).transform("sum")


def score_at_random_cycles(model, X, y):
    """Compute the negative RMSE at random cycles of each engine, the same in every call.

    This is the scorer of other benchmarks; a search calls it with the rows of a fold.
    """
    position = pd.Series(np.arange(len(X)), index=X["unit"].to_numpy())
    rows = np.concatenate(
        [
            np.random.default_rng(unit).choice(rows[MIN_CYCLES - 1 :], CUTS)
            for unit, rows in position.groupby(level=0).agg(np.asarray).items()
        ]
    )
    return -root_mean_squared_error(np.asarray(y)[rows], model.predict(X)[rows])


def search(data):
    """Compare candidates by cross-validation on the training engines."""
    X, y = data.train, data.train_rul.clip(upper=MAX_LIFE)
    folds = list(GroupKFold(5, shuffle=True, random_state=0).split(X, groups=X["unit"]))
    rows = []
    for name, candidate in variants().items():
        errors, seconds = [], []
        for train, held_out in folds:
            started = time.perf_counter()
            model = clone(candidate).fit(X.iloc[train], y.iloc[train])
            seconds.append(time.perf_counter() - started)
            predicted = model.predict(X.iloc[held_out])
            weights = cut_weights(X.iloc[held_out])
            error = root_mean_squared_error(y.iloc[held_out], predicted, sample_weight=weights)
            errors.append(error)
        rows.append({"RMSE": np.mean(errors), "least": min(errors), "most": max(errors)})
        rows[-1]["fit s"] = np.mean(seconds)
        print(f"{name}: {np.mean(errors):.2f}, {np.mean(seconds):.0f} s per fit", flush=True)
    table = pd.DataFrame(rows, index=list(variants()))
    print(table.sort_values("RMSE").round(2).to_string())


def test(data, seeds):
    """Fit and score the recipe once per seed."""
    y = data.train_rul.clip(upper=MAX_LIFE)
    rows = []
    for seed in range(seeds):
        started = time.perf_counter()
        model = make_recipe(random_state=seed).fit(data.train, y)
        rows.append({"fit s": time.perf_counter() - started} | evaluate(model, data))
        figures = ", ".join(f"{name} {value:.2f}" for name, value in rows[-1].items())
        print(f"seed {seed}: {figures}", flush=True)
    table = pd.DataFrame(rows)
    print(table.agg(["mean", "std", "min", "max"]).round(2).to_string())


def find_folder(subset):
    """Find the folder with NASA's files of a subset; None for the embedded one."""
    if subset == "FD001":
        return None
    folders = [Path(__file__).resolve().parent.parent / FOLDER]
    if "SKLSTM_DATA" in os.environ:
        folders.insert(0, Path(os.environ["SKLSTM_DATA"]) / "cmapss")
    return next((folder for folder in folders if folder.is_dir()), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--subset", default="FD001", help="FD001 (embedded) to FD004")
    parser.add_argument(
        "--data",
        type=Path,
        default=None,
        help="folder of NASA's files (default: cmapss in $SKLSTM_DATA or in ../shared/data)",
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--search", action="store_true", help="cross-validate candidates instead")
    options = parser.parse_args()
    data = load_turbofan(options.subset, data_home=options.data or find_folder(options.subset))
    print(f"{options.subset}, {platform.machine()}, Python {platform.python_version()}")
    if options.search:
        search(data)
    else:
        test(data, options.seeds)


if __name__ == "__main__":
    main()
