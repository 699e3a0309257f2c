"""Compare the loss curves of one device and of two virtual ones, for the same batches.

    python benchmarks/devices.py
    KERAS_BACKEND=jax python benchmarks/devices.py

The CPU is shown to the backend as two devices, which share its cores: the figures are about the
results, and nothing about the speed of several GPUs. On TensorFlow, a third fit, on one device with
one shard per batch, shows how much the order of the sums alone changes.
"""

import os
from contextlib import contextmanager

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # for JAX

import keras
import numpy as np
import tensorflow as tf
from commit import commit

from sklstm import MultiSeriesLSTMRegressor
from sklstm._network import program_cache, sharded_model

N_WINDOWS, N_STEPS, N_FEATURES = 8_192, 24, 2
NETWORKS = {
    "one layer": {},
    "two layers both ways, attention": {"n_layers": 2, "bidirectional": True, "attention": True},
    "one layer, three quantiles": {"quantiles": (0.1, 0.5, 0.9)},
}


def make_virtual_devices():
    """Let TensorFlow see the CPU as two devices, as XLA_FLAGS lets JAX."""
    half = tf.config.LogicalDeviceConfiguration()
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [half, half])


def fit(X, y, options):
    """Fit and predict; return the losses by name, and the predictions as one more of them."""
    net = MultiSeriesLSTMRegressor(
        32,
        dropout=0.0,
        epochs=10,
        batch_size=256,
        early_stopping=True,
        validation_by="time",
        random_state=0,
        **options,
    ).fit(X, y)
    return net.history_ | {"predictions": net.predict(X)}


@contextmanager
def one_shard():
    """Let each batch be one shard on each device, in programs of their own."""
    before = sharded_model.number_of_shards, program_cache.programs
    sharded_model.number_of_shards = lambda batch_size: 1
    program_cache.programs = program_cache.ProgramCache(8)
    try:
        yield
    finally:
        sharded_model.number_of_shards, program_cache.programs = before


def report(name, one, other):
    """Print the training losses of a fit, and its largest differences from that on one device."""
    print(f"  {name:22} " + " ".join(f"{loss:.7f}" for loss in other["loss"]))
    if other is not one:
        differences = {key: np.abs(np.subtract(one[key], other[key])).max() for key in one}
        print(f"  {'differs by':22} " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()))


def main():
    make_virtual_devices()
    distribution = keras.distribution.DataParallel()
    devices = ", ".join(distribution.device_mesh.devices)
    print(f"{keras.backend.backend()} at {commit()}, devices {devices}, {N_WINDOWS:,} windows")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_WINDOWS, N_STEPS, N_FEATURES)).astype(np.float32)
    y = X[:, -1].sum(axis=1) + X[:, 0, 0] + 0.1 * rng.normal(size=N_WINDOWS)
    for network, options in NETWORKS.items():
        print(network)
        one = fit(X, y, options)
        report("one device", one, one)
        with distribution.scope():
            report("two devices", one, fit(X, y, options))
        if keras.backend.backend() == "tensorflow":
            with one_shard():
                report("one device, one shard", one, fit(X, y, options))


if __name__ == "__main__":
    main()
