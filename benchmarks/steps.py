"""What makes a training step fast: XLA, shards, and a data pipeline without a generator.

    python benchmarks/steps.py

8,192 windows of one feature, whole fits of one epoch. The first three kinds of steps
alternate, after one run each that compiles. The last one is measured after them, since what a
generator of tf.data does to the memory of a process lasts. Medians of five, seconds.
"""

import time

import numpy as np
import tensorflow as tf

from sklstm import MultiSeriesLSTMRegressor
from sklstm._network import fit as training
from sklstm._network import sharded_model as sharding
from sklstm._network import trainer

N_WINDOWS = 8_192
KINDS = {"plain": (False, 1), "XLA": (True, 1), "XLA, shards": (True, None)}
shards_of_machine = sharding.number_of_shards
idle = {kind: trainer.IdleWorkers(8) for kind in KINDS}


def epoch(kind, windows, y, batch_size, units):
    sharding.JIT, n_shards = KINDS[kind]
    sharding.number_of_shards = (lambda _: n_shards) if n_shards else shards_of_machine
    training._idle = idle[kind]
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
