"""Measure what the progress bar costs: fits with verbose=0 and verbose=1 in turn, in one process.

    python benchmarks/progress_bar_cost.py 2> bars.txt

It prints the median ratio of their CPU times.
"""

import time

import numpy as np
from callback_cost import CASES

from sklstm import MultiSeriesLSTMRegressor

ROUNDS = 24


def cpu_time(X, options, verbose):
    start = time.process_time()
    MultiSeriesLSTMRegressor(random_state=0, verbose=verbose, **options).fit(X, X[:, -1, 0])
    return time.process_time() - start


def main():
    for case, (shape, options) in CASES.items():
        X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        ratios = []
        for number in range(1 + ROUNDS):
            # The order changes, so that neither is always the second.
            order = (0, 1) if number % 2 else (1, 0)
            times = {verbose: cpu_time(X, options, verbose) for verbose in order}
            ratios.append(times[1] / times[0])
        print(f"{case}: {np.median(ratios[1:]):.3f}")  # the first round compiles


if __name__ == "__main__":
    main()
