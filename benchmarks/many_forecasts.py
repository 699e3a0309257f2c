"""Forecast many series from Parquet files to Parquet files, with bounded memory.

    python benchmarks/many_forecasts.py                     # 1e4, 1e5 and 1e6 series
    python benchmarks/many_forecasts.py --series 10000

Series of 72 hourly rows; 24 steps ahead; one network, fitted on a sample of the panel. Each size
runs in a new process. Peak memory includes TensorFlow and its compiled programs (0.9 GB).
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from commit import commit

from sklstm import MultiSeriesForecaster, PanelDataset, write_predictions

N_ROWS, HORIZON, SERIES_PER_FILE = 72, 24, 100_000


def make_panel(folder: Path, n_series: int) -> None:
    """Write seasonal series at different levels, file by file."""
    rng = np.random.default_rng(0)
    row = np.arange(N_ROWS)
    for number, first in enumerate(range(0, n_series, SERIES_PER_FILE)):
        ids = np.arange(first, min(first + SERIES_PER_FILE, n_series))
        level = rng.lognormal(3, 1, size=(len(ids), 1))
        season = np.sin(2 * np.pi * row / 24 + rng.uniform(0, 6, size=(len(ids), 1)))
        values = level * (2 + season + rng.normal(0, 0.2, size=(len(ids), N_ROWS)))
        frame = pd.DataFrame({"series": ids.repeat(N_ROWS), "time": np.tile(row, len(ids))})
        frame["y"] = values.ravel()
        frame.to_parquet(folder / f"{number:03d}.parquet", index=False, row_group_size=2**19)


def measure(n_series: int) -> None:
    """Fit on a sample, write all forecasts, and print one line of a table."""
    with TemporaryDirectory() as folder:
        source, result = Path(folder) / "panel", Path(folder) / "forecasts"
        source.mkdir()
        make_panel(source, n_series)
        marks = [time.perf_counter()]
        panel = PanelDataset(source, series="series")
        ids = {"series": "series", "time": "time"}
        model = MultiSeriesForecaster(
            HORIZON, season_length=24, window_length=N_ROWS, n_estimators=1, random_state=0, **ids
        ).fit(panel)
        marks.append(time.perf_counter())
        write_predictions(model, panel, result, method="forecast")
        marks.append(time.perf_counter())
        fit, forecast = np.diff(marks)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        size = sum(path.stat().st_size for path in result.iterdir()) / 1e6
    rate = n_series * HORIZON / forecast
    print(f"| {n_series:,} | {fit:.1f} | {forecast:.1f} | {rate:,.0f} | {peak:.2f} | {size:.0f} |")


def main():
    """Print one line per number of series."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", type=int)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    print(f"commit {commit()}")
    print("| series | fit, s | forecast, s | steps per second | peak, GB | forecasts, MB |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for n_series in options.series:
        command = [sys.executable, __file__, "--measure", str(n_series)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
