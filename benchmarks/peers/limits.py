"""Time the work that no implementation can avoid.

Matrix products of an LSTM in NumPy, one copy of a panel, training steps alone.
"""

import time

import numpy as np
from problems import make_blocks, make_search, materialise


def lstm_products(batch, steps, n_inputs, units, backward):
    """Make a function that computes the matrix products of one batch in an LSTM layer."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    x, h, gates = draw(steps * batch, n_inputs), draw(batch, units), draw(batch, 4 * units)
    W, U, all_gates = draw(n_inputs, 4 * units), draw(units, 4 * units), draw(len(x), 4 * units)

    def products():
        x @ W
        for _ in range(steps):
            h @ U
        if backward:
            for _ in range(steps):
                gates @ U.T
                h.T @ gates
            x.T @ all_gates

    products()
    return products


def epoch(n_windows, batch, steps, units):
    products = lstm_products(batch, steps, 1, units, backward=True)

    def run():
        for _ in range(n_windows // batch):
            products()

    return run


def predict(n_series, length, n_features, window, segment, units, sample):
    batch, n_rows = 1_000, n_series * length
    products = lstm_products(batch, window // segment, segment * n_features, units, backward=False)

    def run():
        for _ in range(n_rows // batch):
            products()
        return {"rows": n_rows}

    return run


def scale(n_series, length, n_features, **others):
    """Copy the panel once."""
    values = make_blocks(n_series, length, n_features)
    target = np.zeros_like(values)

    def run():
        np.copyto(target, values)
        return {"rows": n_series * length}

    run()
    return run


windows = scale


def search(n_series, length, windows, units, rates):
    """Run only the training steps of all fits, compiled, on prepared batches."""
    import keras
    import tensorflow as tf

    blocks, y = make_search(n_series - n_series // 3, length)
    n_steps = 2 * -(-len(y) // 64)  # of one fit, two epochs

    def make_step(window, n_units):
        X = materialise(blocks, window, pad=True)
        batch, target = tf.constant(X[:64]), tf.constant(y[:64, None])
        layers = [keras.layers.LSTM(n_units), keras.layers.Dense(1)]
        net = keras.Sequential([keras.Input(X.shape[1:]), *layers])
        optimizer = keras.optimizers.Adam()
        optimizer.build(net.trainable_variables)

        @tf.function(jit_compile=True)
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((net(batch, training=True) - target) ** 2)
            optimizer.apply(tape.gradient(loss, net.trainable_variables))
            return loss

        step()
        return step

    steps = [make_step(window, n_units) for window in windows for n_units in units]

    def run():
        for step in steps:
            for _ in range(3 * len(rates) * n_steps):
                loss = step()
        loss.numpy()

    return run


def machine(task):
    """Measure the bandwidth of a copy and the speed of a large matrix product."""
    values = np.ones((1 << 13, 1 << 13), np.float32)
    target = np.zeros_like(values)

    def run():
        started = time.perf_counter()
        if task == "copy":
            np.copyto(target, values)
            unit, count = "GB/s, read and written", 2 * values.nbytes
        else:
            np.matmul(values, values, out=target)
            unit, count = "GFLOP/s", 2 * len(values) ** 3
        return {unit: count / 1e9 / (time.perf_counter() - started)}

    run()
    return run
