"""Remaining life of turbofan engines: the README's pipeline over several seeds.

    python benchmarks/turbofan.py                                  # FD001, embedded
    python benchmarks/turbofan.py --subset FD002 --data FOLDER     # NASA's files
    python benchmarks/turbofan.py --search                         # how the parameters were chosen

Each seed is one fit on all training engines and one prediction an engine at its last known
cycle, scored against the truth capped at 125 cycles and raw. `--search` looks at the training
engines alone: grouped cross-validation, held-out engines cut at random cycles as the test
engines are.
"""

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklstm.__main__ import FEATURES, LONGEST_LIFE, evaluate, load, make_net

CUTS = 10  # random cycles a held-out engine is scored at
SHORTEST = 31  # cycles of the shortest test history


def score_at_random_cycles(model, X, y):
    """Negative RMSE at random cycles of each engine, the same in every call."""
    position = pd.Series(np.arange(len(X)), index=X["unit"].to_numpy())
    rows = np.concatenate(
        [
            np.random.default_rng(unit).choice(rows[SHORTEST - 1 :], CUTS)
            for unit, rows in position.groupby(level=0).agg(np.asarray).items()
        ]
    )
    return -root_mean_squared_error(np.asarray(y)[rows], model.predict(X)[rows])


def search(data, seed, n_jobs):
    """Compare candidates by cross-validation on the training engines."""
    y = data.train_rul.clip(upper=LONGEST_LIFE)
    grid = {
        "windowtransformer__window_length": [40, 60, 80],
        "windowtransformer__columns": [FEATURES, FEATURES[:-1]],
        "perseriesscaler__statistics": ["expanding", "pooled"],
        "multiserieslstmregressor__epochs": [8, 12],
    }
    found = GridSearchCV(
        make_net(random_state=seed),
        grid,
        cv=GroupKFold(5, shuffle=True, random_state=seed),
        scoring=score_at_random_cycles,
        refit=False,
        n_jobs=n_jobs,
        verbose=1,
    ).fit(data.train, y, groups=data.train["unit"])
    results = pd.DataFrame(found.cv_results_)
    columns = results.pop("param_windowtransformer__columns")
    table = pd.DataFrame(
        {
            "age": ["age" in names for names in columns],
            "statistics": results["param_perseriesscaler__statistics"],
            "window": results["param_windowtransformer__window_length"],
            "epochs": results["param_multiserieslstmregressor__epochs"],
            "RMSE": -results["mean_test_score"],
            "std over folds": results["std_test_score"],
            "fit s": results["mean_fit_time"],
        }
    )
    print(table.sort_values("RMSE").round(2).to_string(index=False))


def test(data, seeds):
    """Fit and score the pipeline once for each seed."""
    y = data.train_rul.clip(upper=LONGEST_LIFE)
    rows = []
    for seed in range(seeds):
        started = time.perf_counter()
        model = make_net(random_state=seed).fit(data.train, y)
        rows.append({"fit s": time.perf_counter() - started} | evaluate(model, data))
        figures = ", ".join(f"{name} {value:.2f}" for name, value in rows[-1].items())
        print(f"seed {seed}: {figures}", flush=True)
    table = pd.DataFrame(rows)
    print(table.agg(["mean", "std", "min", "max"]).round(2).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--subset", default="FD001")
    parser.add_argument("--data", type=Path, default=None, help="folder of NASA's files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--search", action="store_true", help="cross-validate candidates instead")
    parser.add_argument("--jobs", type=int, default=1, help="processes of the search")
    options = parser.parse_args()
    data = load(options.subset, options.data)
    print(f"{options.subset}, {platform.machine()}, Python {platform.python_version()}")
    if options.search:
        search(data, seed=0, n_jobs=options.jobs)
    else:
        test(data, options.seeds)


if __name__ == "__main__":
    main()
