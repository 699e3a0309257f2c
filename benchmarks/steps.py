"""Measure the effect of XLA, shards and a generator-free data pipeline on training steps.

    python benchmarks/steps.py

8,192 windows of one feature, whole fits of one epoch; medians of five, in seconds. The first three
kinds of steps alternate, after one run each that compiles. The last one is measured after them,
since a generator in tf.data changes the memory allocation of the whole process for good.
"""

import time

import numpy as np
import tensorflow as tf

from sklstm import MultiSeriesLSTMRegressor
from sklstm._network import program_cache, sharded_model

N_WINDOWS = 8_192
KINDS = {"plain": (False, 1), "XLA": (True, 1), "XLA, shards": (True, None)}
default_number_of_shards = sharded_model.number_of_shards
programs = {kind: program_cache.ProgramCache(8) for kind in KINDS}


def epoch(kind, windows, y, batch_size, units):
    sharded_model.JIT, n_shards = KINDS[kind]
    sharded_model.number_of_shards = (lambda _: n_shards) if n_shards else default_number_of_shards
    program_cache.programs = programs[kind]
    started = time.perf_counter()
    net = MultiSeriesLSTMRegressor(units, epochs=1, batch_size=batch_size, random_state=0)
    net.fit(windows, y)
    return time.perf_counter() - started


def main():
    tasks = {}
    for batch_size, n_steps, units in ((32, 24, 32), (256, 24, 64), (256, 96, 64), (1024, 168, 64)):
        rng = np.random.default_rng(0)
        windows = rng.normal(size=(N_WINDOWS, n_steps, 1)).astype(np.float32)
        task = (windows, windows[:, -1, 0], batch_size, units)
        times = [[epoch(kind, *task) for kind in KINDS] for _ in range(6)]
        tasks[batch_size, n_steps, units] = task, np.median(times[1:], axis=0)
    for _ in tf.data.Dataset.from_generator(lambda: [0], output_signature=tf.TensorSpec(())):
        pass
    print("batch steps units  " + "  ".join([*KINDS, "after a generator"]))
    for shape, (task, medians) in tasks.items():
        after = np.median([epoch("XLA, shards", *task) for _ in range(5)])
        figures = "  ".join(f"{value:6.2f}" for value in (*medians, after))
        print(("{:5d} {:5d} {:5d}  " + figures).format(*shape), flush=True)


if __name__ == "__main__":
    main()
