"""Measure what callbacks cost: fits of two checkouts and with callbacks, in turn.

    python benchmarks/callback_cost.py OTHER_CHECKOUT

Each checkout runs in a process of its own, which stays warm. The fits of one round follow each
other, so that a busy machine slows all of them alike; the table has medians of the ratios to the
other checkout. CPU times vary less than times by the clock.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CASES = {
    "8 units, 30 epochs of 4 steps": ((256, 8, 2), {"hidden_units": 8, "epochs": 30}),
    "32 units, 3 epochs of 128 steps": ((8192, 24, 4), {"hidden_units": 32, "epochs": 3}),
}
CALLBACKS = ["none", "ProgressBar", "ScoringMonitor"]
ROUNDS = 12


def fit_on_request(checkout):
    """Fit the networks whose case and callback the standard input names, and print the times."""
    sys.path.insert(0, checkout)
    out, sys.stdout = sys.stdout, sys.stderr
    from sklearn.callback import ProgressBar, ScoringMonitor

    from sklstm import MultiSeriesLSTMRegressor

    for line in sys.stdin:
        case, callback = line.strip().split(";")
        shape, options = CASES[case]
        X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        net = MultiSeriesLSTMRegressor(random_state=0, **options)
        if callback == "ProgressBar":
            net.set_callbacks(ProgressBar())
        elif callback == "ScoringMonitor":
            net.set_callbacks(ScoringMonitor(scoring="r2"))
        start = time.perf_counter(), time.process_time()
        net.fit(X, X[:, -1, 0])
        print(time.perf_counter() - start[0], time.process_time() - start[1], file=out, flush=True)


def start_process(checkout):
    command = [sys.executable, __file__, "--fit", checkout]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def measure(process, case, callback):
    """Return the time of one fit by the clock, and its CPU time."""
    process.stdin.write(f"{case};{callback}\n")
    process.stdin.flush()
    return [float(part) for part in process.stdout.readline().split()]


def main(other):
    here = start_process(str(Path(__file__).resolve().parent.parent))
    there = start_process(str(Path(other).resolve()))
    for case, (_, options) in CASES.items():
        variants = [(there, "none"), *((here, callback) for callback in CALLBACKS)]
        times = [
            [measure(process, case, callback) for process, callback in variants]
            for _ in range(1 + ROUNDS)
        ]
        times = np.array(times[1:])  # the first round compiles
        for number, callback in enumerate(CALLBACKS, start=1):
            ratio = np.median(times[:, number] / times[:, 0], axis=0)
            extra = np.median(times[:, number] - times[:, 0], axis=0)[1] / options["epochs"]
            print(
                f"{case}, {callback}: {ratio[0]:.2f} times by the clock, {ratio[1]:.2f} times the "
                f"CPU time; {1000 * extra:.1f} ms of it more per epoch"
            )


if __name__ == "__main__":
    if sys.argv[1] == "--fit":
        fit_on_request(sys.argv[2])
    else:
        main(sys.argv[1])
