"""One epoch with and without XLA, side by side.

    python benchmarks/compiler.py

8,192 windows, LSTM layers of Keras on the backend's CPU path; the runs alternate, after one
run that compiles. Prints medians of five and the time of the first run.
"""

import time

import numpy as np

from sklstm import MultiSeriesLSTMRegressor
from sklstm.quiet import load_training

N_WINDOWS = 8_192


def epoch(windows, y, batch_size, units):
    started = time.perf_counter()
    net = MultiSeriesLSTMRegressor(units, epochs=1, batch_size=batch_size, random_state=0)
    net.fit(windows, y)
    return time.perf_counter() - started


def main():
    training = load_training()
    print("batch steps units   plain s   XLA s   first plain   first XLA")
    for batch_size, n_steps, units in ((32, 24, 32), (256, 24, 64), (256, 96, 64)):
        rng = np.random.default_rng(0)
        windows = rng.normal(size=(N_WINDOWS, n_steps, 1)).astype(np.float32)
        y = windows[:, -1, 0]
        times = {False: [], True: []}
        for _ in range(6):
            for jit in times:
                # The workers of the other kind are set aside.
                training.JIT, training._idle = jit, idle.setdefault(jit, training.IdleWorkers(8))
                times[jit].append(epoch(windows, y, batch_size, units))
        plain, xla = (np.median(times[jit][1:]) for jit in (False, True))
        firsts = times[False][0], times[True][0]
        print(
            f"{batch_size:5d} {n_steps:5d} {units:5d} {plain:9.2f} {xla:7.2f}"
            f" {firsts[0]:13.1f} {firsts[1]:11.1f}",
            flush=True,
        )


idle: dict = {}

if __name__ == "__main__":
    main()
