"""Predict the remaining life of turbofan engines that were never seen in training.

    python examples/turbofan_life.py      # the same as: python -m sklstm

A grid search with folds of engines chooses window length, hidden units and scaler statistics.
The best pipeline is refitted on all training engines, compared with baselines on the test
engines, and its predictions are drawn. The data (NASA C-MAPSS FD001) come with the package.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan
from sklstm.metrics import prognostic_score

MAX_LIFE = 125  # the usual cap: further from its end, an engine shows no wear
IDS = {"series": "unit", "time": "cycle"}
# The sensors that vary in FD001's single operating regime, and the age of the engine.
FEATURES = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)] + ["age"]
GRID = {
    "windowtransformer__window_length": [40, 80],
    "multiserieslstmregressor__hidden_units": [32, 64],
    "perseriesscaler__statistics": ["expanding", "pooled"],
}
TABLE, PICTURE = "turbofan.csv", "turbofan.png"
STARTED = time.perf_counter()


def report(text):
    """Print a line with the time since the start."""
    print(f"[{time.perf_counter() - STARTED:5.1f} s] {text}", flush=True)


def load():
    """Load the engines, with their age as an additional feature."""
    data = load_turbofan()
    for name in ("train", "test"):
        data[name] = data[name].assign(age=data[name]["cycle"].astype("float32"))
    return data


def make_net(**parameters):
    """Build the pipeline; `parameters` replace those of the net."""
    options = {
        "segment_length": 5,
        "min_observed": 20,
        "batch_size": 256,
        "epochs": 8,
        "learning_rate_decay": "cosine",
    }
    return make_pipeline(
        PerSeriesScaler(**IDS),
        WindowTransformer(80, columns=FEATURES, **IDS),
        MultiSeriesLSTMRegressor(**options | parameters),
    )


def search_parameters(net, data, y, folds, jobs):
    """Search the grid with folds of whole engines and print a line per candidate."""
    n_candidates = int(np.prod([len(values) for values in GRID.values()]))
    report(f"grid search: {n_candidates} candidates x {folds} folds of engines")
    search = GridSearchCV(
        net,
        GRID,
        cv=GroupKFold(folds),
        scoring="neg_root_mean_squared_error",
        n_jobs=jobs,
        refit=False,
        verbose=3,
    ).fit(data.train, y, groups=data.train["unit"])
    results = pd.DataFrame(search.cv_results_)
    for row in results.sort_values("mean_test_score", ascending=False).itertuples():
        values = ", ".join(f"{name.split('__')[1]}={value}" for name, value in row.params.items())
        print(f"    RMSE {-row.mean_test_score:6.2f} +- {row.std_test_score:.2f}   {values}")
    return search.best_params_


def evaluate(model, data):
    """Compute errors over the test engines, each predicted once, at its last known cycle."""
    last = ~data.test["unit"].duplicated(keep="last").to_numpy()
    true = data.test_rul[last].to_numpy()
    capped = np.minimum(true, MAX_LIFE)
    predicted = model.predict(data.test)[last]
    return {
        "RMSE, capped": root_mean_squared_error(capped, predicted),
        "RMSE, raw": root_mean_squared_error(true, predicted),
        "score, capped": prognostic_score(capped, predicted),
    }


def compare(net, best, data, y):
    """Fit the baselines and tabulate the test errors of all models."""
    one_scale = clone(net).set_params(perseriesscaler__statistics="pooled").fit(data.train, y)
    lags = make_pipeline(
        clone(best[0]), clone(best[1]).set_params(output="2d"), Ridge(alpha=10.0)
    ).fit(data.train, y)
    same = " (the best itself)" if best[0].statistics == "pooled" else ""
    models = {
        "LSTM, best of the search": best,
        f"the same net, one scale for all{same}": one_scale,
        "Ridge on the same windows": lags,
        "a constant": DummyRegressor().fit(data.train, y),
    }
    return pd.DataFrame({name: evaluate(model, data) for name, model in models.items()}).T.round(2)


def draw(model, data, path):
    """Save a picture of predicted and true lives; return False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    true = np.minimum(data.test_rul.to_numpy(), MAX_LIFE)
    predicted = model.predict(data.test)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_last_cycles(left, data, true, predicted)
    draw_lives(right, data, true, predicted)
    figure.savefig(path, dpi=120)
    return True


def draw_last_cycles(axes, data, true, predicted):
    """Plot predicted against true life at the last known cycle of each engine."""
    last = ~data.test["unit"].duplicated(keep="last").to_numpy()
    axes.plot([0, MAX_LIFE], [0, MAX_LIFE], color="0.6", lw=1)
    axes.scatter(true[last], predicted[last], s=16, color="tab:blue")
    axes.set(
        title="At the last known cycle of each test engine",
        xlabel=f"true remaining cycles (capped at {MAX_LIFE})",
        ylabel="predicted",
    )


def draw_lives(axes, data, true, predicted):
    """Plot predictions over the lives of the four longest records that end near failure."""
    lengths = data.test["unit"].value_counts().sort_index()
    last = ~data.test["unit"].duplicated(keep="last").to_numpy()
    near_failure = data.test_rul[last].to_numpy() < 40
    for colour, unit in enumerate(lengths[near_failure].nlargest(4).index):
        rows = (data.test["unit"] == unit).to_numpy()
        cycles = data.test.loc[rows, "cycle"]
        axes.plot(cycles, true[rows], color=f"C{colour}", lw=1, ls="--")
        axes.plot(cycles, predicted[rows], color=f"C{colour}", lw=1.2, label=f"engine {unit}")
    axes.set(title="Over the life of four engines (dashed: true)", xlabel="cycle")
    axes.legend(frameon=False, fontsize="small")


def check_output(output, force=False):
    """Create the folder `output`; raise OSError if the results cannot be written to it.

    Files of an earlier run are an error, unless `force`.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=output):
        pass
    existing = [path for path in (output / TABLE, output / PICTURE) if path.exists()]
    shown = " and ".join(map(str, existing))
    if existing and not force:
        raise FileExistsError(f"{shown} would be replaced: choose another --output, or add --force")
    for path in existing:
        path.open("a").close()
    if existing:
        report(f"this run replaces {shown}")


def save(table, best, data, output):
    """Print the table, and write it and the picture to the folder `output`."""
    output = Path(output)
    table.to_csv(output / TABLE, index_label="model")
    report(
        "test engines, each predicted once, at its last known cycle; truth capped at "
        f"{MAX_LIFE} and raw:"
    )
    print(table.to_string())
    if draw(best, data, output / PICTURE):
        report(f"wrote {output / PICTURE} and {output / TABLE}")
    else:
        report(f"wrote {output / TABLE}; install matplotlib for the picture")


def main(output="sklstm-output", force=False, seed=0, jobs=1, folds=3, epochs=8, search_epochs=3):
    """Search, refit, compare and draw."""
    try:
        check_output(output, force)  # before minutes of training
    except OSError as error:
        raise SystemExit(f"error: {error}") from error
    data = load()
    y = data.train_rul.clip(upper=MAX_LIFE)
    report(
        f"C-MAPSS FD001: {data.train['unit'].nunique()} training engines with {len(data.train)} "
        f"rows, {data.test['unit'].nunique()} test engines with {len(data.test)} rows"
    )
    net = make_net(epochs=search_epochs, random_state=seed)
    best_params = search_parameters(net, data, y, folds, jobs)
    report("refit on all training engines")
    net.set_params(**best_params, multiserieslstmregressor__epochs=epochs)
    best = clone(net).set_params(multiserieslstmregressor__verbose=2).fit(data.train, y)
    report("baselines")
    save(compare(net, best, data, y), best, data, output)


if __name__ == "__main__":
    main()
