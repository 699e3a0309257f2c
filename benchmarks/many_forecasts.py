"""Forecast many series from Parquet files to Parquet files, with bounded memory.

    python benchmarks/many_forecasts.py                     # 1e4, 1e5 and 1e6 series
    python benchmarks/many_forecasts.py --series 100000 --peers

Series of 72 hourly rows; 24 steps ahead; one network, fitted on a sample of the panel. Each size
runs in a new process. Peak memory includes the libraries and compiled programs (0.9 GB with
TensorFlow).

`--peers` forecasts the same files with neuralforecast's LSTM (as many units, a sample as large,
fewer training steps: its forecasts are timed here, not their errors) and with the seasonal naive
forecast of statsforecast, in their environments under `.envs/`, as in run.py.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from commit import commit
from problems import clock
from run import Process

from sklstm import MultiSeriesForecaster, PanelDataset, write_predictions

N_ROWS, HORIZON, SEASON, SERIES_PER_FILE = 72, 24, 24, 100_000
NETWORK = {"window": N_ROWS, "units": 64, "max_steps": 100, "n_fitted": 2_000_000 // N_ROWS}
PEERS = {
    "neuralforecast, LSTM": ("neuralforecast", NETWORK),
    "statsforecast, SeasonalNaive": (
        "statsforecast",
        {"model": "SeasonalNaive", "season": SEASON},
    ),
}


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


def line(name, n_series, steps, peak, result) -> str:
    """Make a line of the table; `steps` are the seconds and processor seconds of both steps."""
    (fit, fit_used), (forecast, used) = steps
    rate = n_series * HORIZON / forecast
    size = sum(path.stat().st_size for path in result.iterdir()) / 1e6
    return (
        f"| {name} | {n_series:,} | {fit:.1f} ({fit_used:.1f}) | {forecast:.1f} ({used:.1f}) "
        f"| {rate:,.0f} | {peak:.2f} "
        f"| {size:.0f} |"
    )


def measure(n_series: int) -> None:
    """Fit on a sample, write all forecasts, and print one line of a table."""
    with TemporaryDirectory() as folder:
        source, result = Path(folder) / "panel", Path(folder) / "forecasts"
        source.mkdir()
        make_panel(source, n_series)
        marks = [clock()]
        panel = PanelDataset(source, series="series")
        ids = {"series": "series", "time": "time"}
        model = MultiSeriesForecaster(
            HORIZON,
            season_length=SEASON,
            window_length=N_ROWS,
            n_estimators=1,
            random_state=0,
            **ids,
        ).fit(panel)
        marks.append(clock())
        write_predictions(model, panel, result, method="forecast")
        marks.append(clock())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(line("sklstm", n_series, np.diff(marks, axis=0), peak, result), flush=True)


def measure_peer(name: str, n_series: int) -> None:
    """Fit and forecast with a peer, and print one line of a table."""
    module, size = PEERS[name]
    with TemporaryDirectory() as folder:
        source, result = Path(folder) / "panel", Path(folder) / "forecasts"
        source.mkdir()
        result.mkdir()
        make_panel(source, n_series)
        paths = {"source": str(source), "result": str(result), "horizon": HORIZON}
        process = Process(module)
        answer = process.ask(do="prepare", problem="many_forecasts", size=size | paths)
        answer = answer or process.ask(do="run")
        process.stop()
        if "cannot" in answer:
            print(f"| {name} | {n_series:,} | {answer['cannot']} |")
        else:
            steps, peak = answer["figures"]["steps"], answer["peak_mb"] / 1e3
            print(line(name, n_series, steps, peak, result), flush=True)


def main():
    """Print one line per number of series."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--peers", action="store_true", help="run other libraries as well")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    print(f"commit {commit()}")
    print(
        "| library | series | fit, s (CPU) | forecast, s (CPU) | steps per second | peak, GB "
        "| files, MB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for n_series in options.series:
        command = [sys.executable, __file__, "--measure", str(n_series)]
        subprocess.run(command, check=True)
        for name in PEERS if options.peers else ():
            measure_peer(name, n_series)


if __name__ == "__main__":
    main()
