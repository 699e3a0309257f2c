"""Measure the peak memory of windows over a long panel: transform and one epoch of training.

    python benchmarks/memory.py

1,000,000 rows x 10 features in 1,000 series, windows of 100 rows, which would be 4 GB as one
float32 array. Prints the peak resident memory of the process, TensorFlow included.
"""

import resource
import time

import numpy as np

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer

N_ROWS, N_FEATURES, N_SERIES, WINDOW = 1_000_000, 10, 1_000, 100


def peak():
    """Read the peak resident memory in GB (Linux reports kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 1 + N_FEATURES)).astype(np.float32)
    X[:, 0] = np.repeat(np.arange(N_SERIES), N_ROWS // N_SERIES)
    y = X[:, 1].copy()
    print(f"panel made: {peak():.2f} GB")
    started = time.perf_counter()
    windows = WindowTransformer(WINDOW, series=0).fit_transform(X)
    print(f"{windows!r}: {time.perf_counter() - started:.2f} s, {peak():.2f} GB")
    started = time.perf_counter()
    net = MultiSeriesLSTMRegressor(segment_length=10, epochs=1, batch_size=1024, random_state=0)
    net.fit(windows, y)
    print(f"one epoch: {time.perf_counter() - started:.1f} s, {peak():.2f} GB")


if __name__ == "__main__":
    main()
