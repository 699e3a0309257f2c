"""Train on a panel in Parquet files that is larger than the memory allowed, and on one that fits.

    python benchmarks/larger_than_memory.py             # 1e8 rows: about 10 minutes on 2 cores
    python benchmarks/larger_than_memory.py --rows 1e7

The script makes a panel of series of 500 rows and 4 features. A process of its own reads it as a
PanelDataset: statistics of all rows, then one epoch over a tenth of the windows. Another process
trains in memory on as many windows of the first tenth of the series. Both print seconds, rows or
windows per second and the peak resident memory, TensorFlow included. The difference of the two fits
is the time of the steps: the first pass over the rows, which sums them by series, is in both.
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
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, PanelDataset, PerSeriesScaler, WindowTransformer

SERIES_ROWS, N_FEATURES, WINDOW, SERIES_PER_FILE = 500, 4, 30, 20_000
BATCH_SIZE, FRACTION = 1024, 0.1
SERIES = {"series": "unit"}


def make_panel(folder: Path, n_rows: int) -> None:
    """Write the panel, file by file."""
    rng = np.random.default_rng(0)
    n_series = n_rows // SERIES_ROWS
    for number, first in enumerate(range(0, n_series, SERIES_PER_FILE)):
        ids = np.arange(first, min(first + SERIES_PER_FILE, n_series), dtype=np.int32)
        frame = pd.DataFrame({"unit": ids.repeat(SERIES_ROWS)})
        frame["time"] = np.tile(np.arange(SERIES_ROWS, dtype=np.int32), len(ids))
        for name in (f"x{i}" for i in range(N_FEATURES)):
            level = rng.normal(size=len(ids)).repeat(SERIES_ROWS)
            frame[name] = (rng.normal(size=len(frame)) + level).astype(np.float32)
        frame["y"] = (frame["x0"] + frame["x1"].shift(3, fill_value=0)).astype(np.float32)
        frame.to_parquet(folder / f"{number:04d}.parquet", index=False, row_group_size=2**19)


def measure(folder: Path, in_memory: bool, n_rows: int) -> None:
    """Fit a pipeline, and print the cost of each part."""
    start = time.perf_counter()

    def report(name, n_done):
        nonlocal start
        now = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rate = n_done / (now - start)
        print(f"  {name}: {now - start:.1f} s, {rate:,.0f} per second, peak {peak:.2f} GB")
        start = time.perf_counter()

    n_windows = int(FRACTION * n_rows)
    if in_memory:
        n_series = n_windows // SERIES_ROWS
        panel = pd.read_parquet(folder, filters=[("unit", "<", n_series)])
        X, y = panel.drop(columns="y"), panel["y"]
    else:
        panel = PanelDataset(folder, **SERIES)
        X, y = panel.drop("y"), panel["y"]
    report("read the panel (a PanelDataset: its ids)", len(X))
    preparation = make_pipeline(PerSeriesScaler(**SERIES), WindowTransformer(WINDOW, **SERIES))
    windows = preparation.fit_transform(X)
    report("statistics of the rows", len(X))
    net = MultiSeriesLSTMRegressor(
        hidden_units=32,
        segment_length=5,
        epochs=1,
        batch_size=BATCH_SIZE,
        random_state=0,
    )
    clone(net).set_params(steps_per_epoch=1).fit(windows, y)
    report("a fit of one step: weights and targets of all rows, start of TensorFlow", len(X))
    clone(net).set_params(steps_per_epoch=n_windows // BATCH_SIZE).fit(windows, y)
    report(f"a fit of one epoch over {n_windows:,} windows", n_windows)


def main():
    """Make the panel, and measure each way in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=float, default=1e8)
    parser.add_argument("--measure", choices=["stream", "memory"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    n_rows = int(arguments.rows)
    if arguments.measure:
        measure(arguments.folder, arguments.measure == "memory", n_rows)
        return
    with TemporaryDirectory() as folder:
        make_panel(Path(folder), n_rows)
        print(f"{n_rows:,} rows of {n_rows // SERIES_ROWS:,} series, commit {commit()}")
        for way in ("stream", "memory"):
            print(f"{way}:", flush=True)
            command = [sys.executable, __file__, "--measure", way, "--folder", folder]
            subprocess.run([*command, "--rows", str(n_rows)], check=True)


if __name__ == "__main__":
    main()
