"""Measure time and peak memory of a forecaster over the number of series.

    python benchmarks/forecaster_scale.py                  # 1,000, 10,000 and 100,000 series
    python benchmarks/forecaster_scale.py --series 10000

Series of 100 rows of one target, horizon and season of 12, one network. Each size runs in a new
process. Peak memory includes TensorFlow and its compiled programs (0.9 GB); the panel is counted
too. Prints a table.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

N_ROWS, SEASON = 100, 12


def make_panel(n_series):
    """Make seasonal series at different levels."""
    rng = np.random.default_rng(0)
    row = np.arange(N_ROWS)
    level = rng.lognormal(3, 1, size=(n_series, 1))
    season = np.sin(2 * np.pi * row / SEASON + rng.uniform(0, 6, size=(n_series, 1)))
    noise = rng.normal(0, 0.2, size=(n_series, N_ROWS))
    return pd.DataFrame(
        {
            "series": np.repeat(np.arange(n_series), N_ROWS),
            "time": np.tile(row, n_series),
            "y": (level * (2 + season + noise)).ravel(),
        }
    )


def peak():
    """Read the peak resident memory in GB (Linux reports kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(n_series):
    """Fit and forecast once; return seconds and gigabytes."""
    from sklstm import MultiSeriesForecaster

    panel = make_panel(n_series)
    result = {"panel, MB": panel.memory_usage().sum() / 1e6}
    model = MultiSeriesForecaster(
        12, season_length=SEASON, n_estimators=1, random_state=0, series="series", time="time"
    )
    for name, step in [("fit", model.fit), ("forecast", lambda _: model.forecast())]:
        started = time.perf_counter()
        found = step(panel)
        result[f"{name}, s"] = time.perf_counter() - started
        result[f"peak after {name}, GB"] = peak()
    result["checksum"] = float(found["prediction"].mean())
    return result


def main():
    """Print one line per number of series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    for number, n_series in enumerate(options.series):
        command = [sys.executable, __file__, "--measure", str(n_series)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout.splitlines()[-1])
        if number == 0:
            print(f"| series | {' | '.join(result)} |\n|{' --- |' * (1 + len(result))}")
        print(f"| {n_series:,} | {' | '.join(f'{value:.4g}' for value in result.values())} |")


if __name__ == "__main__":
    main()
