"""Measure the effect of each technique on the error, one at a time, on four sets.

    python benchmarks/ablation.py                      # all sets, three seeds
    python benchmarks/ablation.py --sets "NN5 daily"   # one of them
    python benchmarks/ablation.py --sets               # no set: only the page

Only training parts are used. A quarter of the training engines is held out (another quarter per
seed) and scored as if cut at random cycles; of the forecast sets, the last horizon of the training
part is held out. The engines' net is the first of turbofan.py's recipe, the forecaster is the
default with one net; one parameter is changed at a time. Figures are saved to `ablation.json` as
soon as they are computed, and from it to docs/techniques.md.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from forecast_choices import SETS, forecast
from problems import mean_mase, read_series
from report import fill
from run import machine
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GroupShuffleSplit
from turbofan import SENSORS, cut_weights, find_folder, make_recipe, smooth
from turbofan_data import MAX_LIFE

from sklstm import SeriesEnsembleRegressor
from sklstm.datasets import load_turbofan

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "techniques.md"
SEEDS = 3
BASE = "as it is"
FORECASTS = {"M4 hourly": SETS[0], "NN5 daily": SETS[1]}
ENGINES = ("FD001", "FD002")
PIPE = "life__regressor__far0"  # windows and net of the engines' recipe

# Parameters of the net.
EVERYWHERE = {
    "attention": {"attention": True},
    "attention, 4 heads": {"attention": 4},
    "both directions": {"bidirectional": True},
    "2 layers": {"n_layers": 2},
    "dropout 0.2": {"dropout": 0.2},
    "recurrent dropout 0.2": {"recurrent_dropout": 0.2},
    "layer norm": {"layer_norm": True},
    "vectors of series, 4 numbers": {"series_embedding": 4},
    "every row counts": {"series_weight": None},
    "tempered weights, 0.5": {"series_weight": 0.5},
}
FIRST = [f"first_{name}" for name in SENSORS]


def smooth_beside_first(panel, halflife):
    """Smooth the sensors, and add each engine's first readings as constant columns."""
    first = panel.groupby("unit")[SENSORS].transform("first").set_axis(FIRST, axis=1)
    return smooth(panel, halflife).join(first)


FOR_ENGINES = {
    "first readings as features of each step": {f"{PIPE}__smooth__func": smooth_beside_first},
    "first readings as static features": {
        f"{PIPE}__smooth__func": smooth_beside_first,
        f"{PIPE}__net__static_features": FIRST,
    },
    "the last rows beside the state": {f"{PIPE}__net__skip": True},
    "masked padding": {f"{PIPE}__windows__padding": "nan"},
    "5 members, bootstrap": {"assign": "bootstrap"},
    "5 members, all": {"assign": "all"},
}
FOR_FORECASTS = {
    "the last rows not beside the state": {"net": {"skip": False}},
    "3 members": {"own": {"n_estimators": 3}},
}


def choices(case):
    """List the options of each technique on one set by name; the first has none."""
    if case in ENGINES:
        found = {
            name: {f"{PIPE}__net__{key}": value for key, value in options.items()}
            for name, options in EVERYWHERE.items()
        }
        return {BASE: {}} | found | FOR_ENGINES
    return {BASE: {}} | {name: {"net": net} for name, net in EVERYWHERE.items()} | FOR_FORECASTS


def engine_error(subset, seed, options):
    """Compute the RMSE of held-out training engines, as if cut at random cycles."""
    data = load_turbofan(subset, data_home=find_folder(subset))
    X, y = data.train, data.train_rul.clip(upper=MAX_LIFE)
    split = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    train, test = next(split.split(X, groups=X["unit"]))
    model = make_recipe(random_state=seed, views=("far",))
    options = dict(options)
    assign = options.pop("assign", None)
    if assign is not None:
        net = model.get_params()[f"{PIPE}__net"]
        members = SeriesEnsembleRegressor(net, assign=assign, random_state=seed)
        options[f"{PIPE}__net"] = members
    model.set_params(**options)
    predicted = model.fit(X.iloc[train], y.iloc[train]).predict(X.iloc[test])
    weights = cut_weights(X.iloc[test])
    return root_mean_squared_error(y.iloc[test], predicted, sample_weight=weights)


def forecast_error(folder, horizon, season, seed, options):
    """Compute the MASE of the last horizon of the training part."""
    series = read_series(folder, "train")
    past, held_out = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no row in the loss")
        found = forecast(past, horizon, season, seed, **options)
    return mean_mase(past, held_out, found, season)


def error_of(case, seed, options):
    if case in ENGINES:
        return engine_error(case, seed, options)
    return forecast_error(*FORECASTS[case], seed, options)


def change(errors, base):
    """Format the change in percent, mean and range over the seeds, each against its base."""
    changes = 100 * (np.asarray(errors) / np.asarray(base) - 1)
    return f"{changes.mean():+.1f} ({changes.min():+.1f} to {changes.max():+.1f})"


def table(results):
    """Tabulate the errors, and the change of each technique."""
    cases = [*ENGINES, *FORECASTS]
    names = list(dict.fromkeys(name for case in cases for name in choices(case)))
    lines = ["| | " + " | ".join(cases) + " |", "|---" * (1 + len(cases)) + "|"]
    for name in names:
        cells = []
        for case in cases:
            errors = results.get(case, {}).get(name)
            if errors is None:
                cells.append("")
            elif name == BASE:
                cells.append(f"{np.mean(errors):.3g} ({min(errors):.3g} to {max(errors):.3g})")
            else:
                cells.append(change(errors, results[case][BASE]))
        label = f"{BASE}: RMSE, MASE" if name == BASE else f"{name}: %"
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="*", default=[*ENGINES, *FORECASTS])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", help="only techniques whose names contain this")
    parser.add_argument("--output", type=Path, default=HERE / "ablation.json")
    options = parser.parse_args()
    for case in options.sets:
        for name, choice in choices(case).items():
            if options.only and options.only not in name:
                continue
            errors = [error_of(case, seed, choice) for seed in range(options.seeds)]
            print(case, name, np.round(errors, 3), flush=True)
            # Read again: another process may be measuring another set.
            results = json.loads(options.output.read_text()) if options.output.exists() else {}
            results.setdefault(case, {})[name] = errors
            results["machine"] = machine()
            options.output.write_text(json.dumps(results, indent=1) + "\n")
    results = json.loads(options.output.read_text())
    if PAGE.exists():
        PAGE.write_text(fill(PAGE.read_text(), {"ablation": table(results)}))
    print(table(results))


if __name__ == "__main__":
    main()
