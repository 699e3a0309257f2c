"""The main job on the embedded data: ``python -m sklstm``.

Search window length, hidden units and scaler statistics by grouped cross-validation on the
training engines, refit, predict the remaining life of the test engines, compare with
baselines, and draw the predictions.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer
from sklstm.datasets import load_turbofan
from sklstm.metrics import prognostic_score

LONGEST_LIFE = 125  # the usual cap: before, an engine shows no wear
IDS = {"series": "unit", "time": "cycle"}
# The sensors that are not constant over FD001's single operating condition, and the age.
FEATURES = [f"sensor{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)] + ["age"]


def make_net(**parameters) -> Pipeline:
    """Build the pipeline of the README."""
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


def load(subset="FD001", data_home=None):
    """Load the engines, with their age as one more feature."""
    data = load_turbofan(subset, data_home=data_home)
    for name in ("train", "test"):
        data[name] = data[name].assign(age=data[name]["cycle"].astype("float32"))
    return data


def last_rows(panel: pd.DataFrame) -> np.ndarray:
    """Mark the last row of each engine."""
    return ~panel["unit"].duplicated(keep="last").to_numpy()


def evaluate(model, data) -> dict:
    """Errors over the test engines, one prediction an engine at its last cycle."""
    last = last_rows(data.test)
    true = data.test_rul[last].to_numpy()
    predicted = model.predict(data.test)[last]
    capped = np.minimum(true, LONGEST_LIFE)
    return {
        "RMSE, capped": root_mean_squared_error(capped, predicted),
        "RMSE, raw": root_mean_squared_error(true, predicted),
        "score, capped": prognostic_score(capped, predicted),
    }


def draw(model, data, path: Path) -> bool:
    """Save predicted against true life; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    last = last_rows(data.test)
    true = np.minimum(data.test_rul.to_numpy(), LONGEST_LIFE)
    predicted = model.predict(data.test)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, LONGEST_LIFE], [0, LONGEST_LIFE], color="0.6", lw=1)
    left.scatter(true[last], predicted[last], s=16, color="tab:blue")
    left.set(
        title="At the last known cycle of each test engine",
        xlabel=f"true remaining cycles (capped at {LONGEST_LIFE})",
        ylabel="predicted",
    )
    lengths = data.test["unit"].value_counts().sort_index()
    short_lived = data.test_rul[last].to_numpy() < 40
    for colour, unit in enumerate(lengths[short_lived].nlargest(4).index):
        rows = (data.test["unit"] == unit).to_numpy()
        cycles = data.test.loc[rows, "cycle"]
        right.plot(cycles, true[rows], color=f"C{colour}", lw=1, ls="--")
        right.plot(cycles, predicted[rows], color=f"C{colour}", lw=1.2, label=f"engine {unit}")
    right.set(title="Over the life of four engines (dashed: true)", xlabel="cycle")
    right.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)
    return True


def main(arguments=None) -> None:
    """Run the job with the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m sklstm",
        description="Remaining life of turbofan engines (NASA C-MAPSS FD001, embedded): grouped "
        "grid search, refit, test, baselines, picture.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("sklstm-output"),
        metavar="DIR",
        help="folder for the picture and the table (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random state (default: 0)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="processes of the search (default: 1, fastest on few cores)",
    )
    parser.add_argument("--folds", type=int, default=3, help="folds of engines (default: 3)")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of a final fit (default: 8)")
    parser.add_argument(
        "--search-epochs", type=int, default=3, help="epochs of each fit of the search (default: 3)"
    )
    options = parser.parse_args(arguments)
    started = time.perf_counter()

    def say(text):
        print(f"[{time.perf_counter() - started:5.1f} s] {text}", flush=True)

    data = load()
    y = data.train_rul.clip(upper=LONGEST_LIFE)
    say(
        f"C-MAPSS FD001: {data.train['unit'].nunique()} training engines with {len(data.train)} "
        f"rows, {data.test['unit'].nunique()} test engines with {len(data.test)} rows"
    )

    grid: dict[str, list] = {
        "windowtransformer__window_length": [40, 80],
        "multiserieslstmregressor__hidden_units": [32, 64],
        "perseriesscaler__statistics": ["expanding", "pooled"],
    }
    net = make_net(epochs=options.search_epochs, random_state=options.seed)
    n_candidates = int(np.prod([len(values) for values in grid.values()]))
    say(f"grid search: {n_candidates} candidates x {options.folds} folds of engines")
    search = GridSearchCV(
        net,
        grid,
        cv=GroupKFold(options.folds),
        scoring="neg_root_mean_squared_error",
        n_jobs=options.jobs,
        refit=False,
        verbose=3,
    ).fit(data.train, y, groups=data.train["unit"])
    results = pd.DataFrame(search.cv_results_)
    for row in results.sort_values("mean_test_score", ascending=False).itertuples():
        values = ", ".join(f"{name.split('__')[1]}={value}" for name, value in row.params.items())
        print(f"    RMSE {-row.mean_test_score:6.2f} +- {row.std_test_score:.2f}   {values}")

    say("refit on all training engines")
    net.set_params(**search.best_params_, multiserieslstmregressor__epochs=options.epochs)
    best = clone(net).set_params(multiserieslstmregressor__verbose=2).fit(data.train, y)

    say("baselines")
    one_scale = clone(net).set_params(perseriesscaler__statistics="pooled").fit(data.train, y)
    lags = make_pipeline(
        clone(best[0]), clone(best[1]).set_params(output="2d"), Ridge(alpha=10.0)
    ).fit(data.train, y)
    same = " (the best itself)" if best[0].statistics == "pooled" else ""
    table = pd.DataFrame(
        {
            "LSTM, best of the search": evaluate(best, data),
            f"the same net, one scale for all{same}": evaluate(one_scale, data),
            "Ridge on the same windows": evaluate(lags, data),
            "a constant": evaluate(DummyRegressor().fit(data.train, y), data),
        }
    ).T.round(2)

    options.output.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.output / "turbofan.csv", index_label="model")
    say(
        "test engines, one prediction each at its last known cycle, truth capped at "
        f"{LONGEST_LIFE} and raw:"
    )
    print(table.to_string())
    picture = options.output / "turbofan.png"
    if draw(best, data, picture):
        say(f"wrote {picture} and {options.output / 'turbofan.csv'}")
    else:
        say(f"wrote {options.output / 'turbofan.csv'}; install matplotlib for the picture")


if __name__ == "__main__":
    main()
