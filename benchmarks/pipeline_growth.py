"""Time every step of the README's pipeline over the number of rows and of series.

    python benchmarks/pipeline_growth.py

The first table has 100 rows per series and up to 1e7 rows; the second has 1e6 rows in 1e2 to 1e6
series. Training runs 20 steps of 256 windows, whatever the size: "prepare and train" grows by what
surrounds them. Each line is a new process. The median of three runs, in milliseconds.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from commit import commit

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer, series_weights

N_FEATURES, WINDOW, N_RUNS = 4, 30, 3
BY_ROWS = [(10**power, 10 ** (power - 2)) for power in (4, 5, 6, 7)]
BY_SERIES = [(10**6, 10**power) for power in (2, 3, 4, 5, 6)]


def measure(n_rows: int, n_series: int) -> dict[str, float]:
    """Time the steps on one panel; milliseconds by step."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, N_FEATURES)), columns=list("abcd"))
    X.insert(0, "time", np.tile(np.arange(n_rows // n_series), n_series))
    X.insert(0, "unit", np.arange(n_series).repeat(n_rows // n_series))
    y = X["a"].to_numpy()
    ids = {"series": "unit", "time": "time"}
    net = MultiSeriesLSTMRegressor(
        8, segment_length=10, epochs=1, steps_per_epoch=20, min_observed=1, random_state=0
    )
    # The first fit starts TensorFlow and compiles the network.
    net.fit(WindowTransformer(WINDOW, **ids).fit_transform(X[:4000]), y[:4000])
    times: dict[str, list[float]] = {}

    def clock(name, function, *arguments):
        started = time.perf_counter()
        result = function(*arguments)
        times.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        return result

    for _ in range(N_RUNS):
        scaler, windows = PerSeriesScaler(**ids), WindowTransformer(WINDOW, **ids)
        scaled = clock("scaler fit_transform", scaler.fit_transform, X)
        clock("scaler transform", scaler.transform, X)
        made = clock("windows fit_transform", windows.fit_transform, scaled)
        clock("windows transform", windows.transform, scaled)
        clock("series weights", series_weights, X["unit"])
        clock("prepare and train", net.fit, made, y)
    return {name: float(np.median(values)) for name, values in times.items()}


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", type=int, nargs=2)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    print(f"commit {commit()}")
    for sizes in (BY_ROWS, BY_SERIES):
        for number, size in enumerate(sizes):
            command = [sys.executable, __file__, "--measure", *map(str, size)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            if number == 0:
                print(f"\n| rows | series | {' | '.join(found)} |\n|{' --- |' * (2 + len(found))}")
            cells = " | ".join(f"{value:,.0f}" for value in found.values())
            print(f"| {size[0]:,} | {size[1]:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
