"""Two devices train and predict like one, and both of them work.

TensorFlow and JAX show a CPU as two virtual devices, if told so before they are first used. Hence
each backend runs in a process of its own.
"""

import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from helpers import lstm, slow_except
from numpy.testing import assert_allclose

from sklstm._network.devices import active_devices, evenly_divided

X = np.random.default_rng(0).normal(size=(40, 4, 1))
Y = X[:, -1, 0]
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends divide batches themselves"
)

# Each makes two devices, and notes in `used` the devices by the name of what is computed there.
TENSORFLOW = """
    import tensorflow as tf

    half = tf.config.LogicalDeviceConfiguration()
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [half, half])

    from sklstm._network.prediction import Predictor
    from sklstm._network.sharded_model import ShardedModel

    def note(kind, name):
        def noted(*arguments, **options):
            outputs = method(*arguments, **options)
            used.setdefault(name, set()).add(tf.nest.flatten(outputs)[0].device)
            return outputs

        method = getattr(kind, name)
        setattr(kind, name, noted)

    used = {}
    note(ShardedModel, "_gradient"), note(ShardedModel, "_loss"), note(Predictor, "_forward")

    def before_last_fit():
        tf.config.run_functions_eagerly(True)  # results name the device that has computed them
"""
WITHOUT_XLA = """
    from sklstm._network import prediction, sharded_model

    prediction.JIT = sharded_model.JIT = False
"""
JAX = """
    import os

    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    import jax

    def noted(*arguments):
        array = make(*arguments)
        for shard in array.addressable_shards:
            used.setdefault(str(array.shape), set()).add(f"{shard.device} {shard.index}")
        return array

    used = {}
    make = jax.make_array_from_process_local_data
    jax.make_array_from_process_local_data = noted

    def before_last_fit():
        pass
"""
FITS = """
    import json
    import keras
    import numpy as np
    from sklstm import MultiSeriesLSTMRegressor

    X = np.random.default_rng(0).normal(size=(300, 4, 2))
    y = X.sum(axis=(1, 2))

    def fit(epochs):
        options = {"early_stopping": True, "validation_by": "time", "random_state": 0}
        # Four batches of 63 rows, to which two devices add a row of weight 0.
        return MultiSeriesLSTMRegressor(4, epochs=epochs, batch_size=63, **options).fit(X, y)

    def results():
        net = fit(3)
        return net.history_ | {"predictions": net.predict(X).tolist()}

    one = results()
    with keras.distribution.DataParallel().scope():
        two = results()
    again = results()
    with keras.distribution.DataParallel().scope():
        used.clear()
        before_last_fit()
        fit(1).predict(np.tile(X, (4, 1, 1)))  # two batches
    print(json.dumps([one, two, again, {name: sorted(values) for name, values in used.items()}]))
"""
CASES = {
    "tensorflow": ("tensorflow", TENSORFLOW),
    "tensorflow-as-on-gpus": ("tensorflow", TENSORFLOW + WITHOUT_XLA),
    "jax": ("jax", JAX),
}


@pytest.mark.parametrize(("backend", "devices"), slow_except(CASES))
def test_two_devices_train_and_predict_like_one(backend, devices):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(devices) + textwrap.dedent(FITS)],
        capture_output=True,
        text=True,
        # One core, so that one device has one shard, as a GPU has.
        env=os.environ | {"KERAS_BACKEND": backend, "LOKY_MAX_CPU_COUNT": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    one, two, again, used = json.loads(done.stdout)
    for name, values in one.items():
        assert_allclose(two[name], values, atol=1e-5)
    assert again == one
    assert len(used) >= 3 and all(len(devices) == 2 for devices in used.values())


# ------------------------------------------------------------------------- one process
@pytest.fixture
def distribute():
    """Return a function that sets a distribution over the named devices."""

    def distribute(*devices):
        distribution = keras.distribution.DataParallel(devices=list(devices))
        keras.distribution.set_distribution(distribution)

    yield distribute
    keras.distribution.set_distribution(None)


@pytest.mark.slow
@on_tensorflow
def test_batches_are_divided_evenly(distribute):
    assert active_devices() == ("",) and evenly_divided(5) == 5
    distribute("cpu:0", "CPU:0", "cpu:0")  # the only one, three times
    assert active_devices() == ("cpu:0",) * 3
    assert [evenly_divided(n) for n in (1, 3, 4, 64)] == [3, 3, 6, 66]
    assert lstm(batch_size=1).fit(X, Y).predict(X).shape == (40,)


@on_tensorflow
def test_a_fit_that_ignores_the_distribution_warns(distribute):
    distribute("cpu:0", "cpu:0")
    with pytest.warns(UserWarning, match="2 devices, and this fit uses one of them") as warned:
        lstm(callbacks=[keras.callbacks.Callback()]).fit(X, Y)
    assert warned[0].filename == __file__
    distribute("cpu:0")
    lstm(callbacks=[keras.callbacks.Callback()]).fit(X, Y)  # a warning would be an error


@on_tensorflow
def test_unknown_devices_raise(distribute):
    distribute("cpu:0", "cpu:9", "gpu:9")
    with pytest.raises(ValueError, match="names cpu:9, gpu:9, and TensorFlow has cpu:0"):
        lstm().fit(X, Y)


def test_divided_weights_raise():
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), ["cpu:0"])
    layout = keras.distribution.LayoutMap(mesh)
    distribution = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    with distribution.scope(), pytest.raises(TypeError, match="is a ModelParallel"):
        lstm().fit(X, Y)
