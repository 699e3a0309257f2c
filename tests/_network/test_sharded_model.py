"""Tests of TensorFlow's training steps: shards and calls change the speed, not the result."""

import gc
import weakref

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklstm._network import batches, program_cache, sharded_model, trainer, training
from sklstm._network.architecture import build_network
from sklstm._network.batches import Batches
from sklstm._network.losses import KnownElementsLoss
from sklstm._network.plan import TrainingPlan
from sklstm._network.program_cache import ProgramCache
from sklstm._network.sharded_model import ShardedModel, number_of_shards
from sklstm._network.spec import NetworkSpec
from sklstm._network.trainer import TrainingSpec
from sklstm._network.variables import to_arrays
from sklstm._panel.weighted_windows import WeightedWindows
from sklstm._panel.windows import Windows

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends take Keras' own steps"
)

N, L, F = 150, 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, L, F)).astype("float32")
Y = np.c_[X[:, -1].sum(axis=1), X[:, 0].sum(axis=1)]
Y[::7, 1] = np.nan
WEIGHTS = RNG.uniform(0.5, 2, N)
EPOCHS = 3


@pytest.fixture(autouse=True)
def empty_program_cache(monkeypatch):
    monkeypatch.setattr(program_cache, "programs", ProgramCache(8))


def stream(batch_size=64, **options):
    samples = WeightedWindows(Windows.from_array(X), Y, WEIGHTS)
    return Batches(samples, batch_size, seed=1, **options)


def specify(dropout=0.0, batch_size=64):
    network = NetworkSpec(L, F, 2, 4, n_layers=1, segment_length=1, dropout=dropout)
    return TrainingSpec(network, batch_size, "mse", "sgd", 0.05)


def train(spec, batches, validation=None):
    model = build_network(spec.network, seed=0)
    history, _ = training.train(model, spec, batches, validation, TrainingPlan(EPOCHS))
    return np.concatenate([weight.ravel() for weight in model.get_weights()]), history


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 7])
def test_number_of_shards(cores, monkeypatch):
    monkeypatch.setattr(sharded_model.joblib, "cpu_count", lambda: cores)
    for batch_size in (1, 15, 16, 31, 32, 33, 48, 64, 100, 256, 1024):
        n = number_of_shards(batch_size)
        assert batch_size % n == 0 and 1 <= n <= cores
        assert n == 1 or batch_size // n >= sharded_model.MIN_SHARD_ROWS
    assert number_of_shards(2520) == cores


@pytest.mark.parametrize("n_shards", [1, 4])
def test_shards_train_like_the_steps_of_keras(n_shards, monkeypatch):
    spec, batches = specify(), stream()
    model = build_network(spec.network, seed=0)
    model.compile(keras.optimizers.SGD(0.05), KnownElementsLoss("mse"))
    losses = []
    for step in range(EPOCHS * batches.n_steps):
        x, y, weights = batches[step]  # one batch at a time
        losses.append(model.train_on_batch(x, y, sample_weight=weights))
        model.reset_metrics()
    monkeypatch.setattr(sharded_model, "number_of_shards", lambda batch_size: n_shards)
    weights, history = train(spec, stream())
    by_hand = np.concatenate([weight.ravel() for weight in model.get_weights()])
    assert_allclose(weights, by_hand, rtol=1e-4, atol=1e-5)
    assert_allclose(history["loss"], np.reshape(losses, (EPOCHS, -1)).mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("steps_per_call", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_number_of_steps_per_call_changes_nothing(steps_per_call, monkeypatch):
    usual = train(specify(), stream(n_steps=5), validation=stream())
    monkeypatch.setattr(batches, "STEPS_PER_CALL", steps_per_call)
    other = train(specify(), stream(n_steps=5), validation=stream())
    assert_array_equal(other[0], usual[0])
    for name in ("loss", "val_loss"):
        assert_allclose(other[1][name], usual[1][name], rtol=1e-6)


def test_calls_hold_fewer_large_batches():
    sizes = [1, 2**20, 2**20 + 1, 3 * 2**20, 2**22, 2**24, 2**25, 2**40]
    assert [batches.steps_per_call(n) for n in sizes] == [16, 16, 8, 4, 4, 1, 1, 1]


def test_dropout_differs_between_shards_and_steps():
    spec = specify(dropout=0.5)
    model = build_network(spec.network, 0, ShardedModel)
    model.compile("adam", KnownElementsLoss("mse"), jit_compile=False)
    model.set_batch_size(32)
    weights, states = sharded_model.values_of(model)
    shard = X[:16], np.nan_to_num(Y[:16]), np.ones(16, np.float32)

    def loss(states, number):
        values = sharded_model._states_of_shard(states, number)
        loss, _, after = model._compiled_gradient(weights, values, *shard)
        return float(loss), after

    (first, after), (second, _) = loss(states, 0), loss(states, 1)
    assert first != second
    assert loss(states, 0)[0] == first
    assert loss(after, 0)[0] not in (first, second)


def test_random_state_of_dropout_advances_per_step():
    spec = specify(dropout=0.5)
    model = build_network(spec.network, seed=0)
    before = to_arrays(model.non_trainable_variables)
    training.train(model, spec, stream(), None, TrainingPlan(2))
    after = to_arrays(model.non_trainable_variables)
    counters = [b[1] - a[1] for a, b in zip(before, after, strict=True) if a.dtype.kind in "iu"]
    assert max(counters) == 2 * stream().n_steps


def test_batches_are_released_after_training():
    batches = stream()
    alive = weakref.ref(batches)
    train(specify(), batches)
    del batches
    gc.collect()
    assert alive() is None


@pytest.mark.slow
def test_equal_optimizers_share_a_compiled_network():
    made = []

    class Counted(ShardedModel):
        def set_batch_size(self, batch_size):
            made.append(batch_size)
            super().set_batch_size(batch_size)

    def fit(optimizer):
        network = specify().network
        train(
            TrainingSpec(network, 64, keras.losses.MeanAbsoluteError(), optimizer, 0.01), stream()
        )
        return len(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "ShardedModel", Counted)
        assert fit(keras.optimizers.Adam(0.01)) == 1
        assert fit(keras.optimizers.Adam(0.01)) == 1
        assert fit(keras.optimizers.Adam(0.01, clipnorm=1.0)) == 2
        assert fit(keras.optimizers.SGD(0.01)) == 3
