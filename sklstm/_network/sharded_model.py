"""Train with TensorFlow on all cores or several devices, with several steps per call.

On CPUs, XLA runs a recurrent loop on one core. Each batch is therefore cut into one shard per core.
A compiled program computes the gradient of each shard, TensorFlow runs these programs in parallel,
and a second program applies the mean gradient. With a distribution, the shards are placed on its
devices in turn. Only this requires code for TensorFlow; other backends use Keras' own training
steps, which know distributions.
"""

from __future__ import annotations

import joblib
import keras
import tensorflow as tf

from sklstm._network.devices import active_devices

MIN_SHARD_ROWS = 16
ON_GPU = bool(tf.config.list_physical_devices("GPU"))
# Keras does not use XLA for LSTM layers on TensorFlow. On CPUs XLA is faster (docs/decisions.md);
# on GPUs Keras uses cuDNN's kernels, which XLA cannot.
JIT = not ON_GPU if keras.backend.backend() == "tensorflow" else keras.backend.backend() == "jax"


def number_of_shards(batch_size):
    """Return the number of equal shards on a device: at most one per core, none very small."""
    if ON_GPU:
        return 1
    most = max(1, min(joblib.cpu_count(), batch_size // MIN_SHARD_ROWS))
    return next(n for n in range(most, 0, -1) if batch_size % n == 0)


class ShardedModel(keras.Model):
    """Train on several batches per step, each of them in shards.

    What Keras passes as one batch is the concatenation of any number of batches of `batch_size`.
    """

    def set_batch_size(self, batch_size):
        """Set the batch size for which the programs are compiled, and their devices."""
        self.batch_size = batch_size
        self.devices = active_devices()
        self.n_shards = len(self.devices) * number_of_shards(batch_size // len(self.devices))
        self.mean_loss = keras.metrics.Mean(name="loss")
        self._compiled_gradient = tf.function(self._gradient, jit_compile=JIT)
        self._compiled_loss = tf.function(self._loss, jit_compile=JIT)
        self._compiled_update = tf.function(self._update, jit_compile=JIT)

    @property
    def metrics(self):
        """Metrics that Keras reports and resets per epoch: the mean loss."""
        return [self.mean_loss]

    def train_step(self, data):
        """Apply one step of the optimizer per batch."""

        def step(shards):
            weights, states = values_of(self)
            results = []
            for number, shard in enumerate(shards):
                with self._device_of(number):
                    states_of_shard = _states_of_shard(states, number)
                    results.append(self._compiled_gradient(weights, states_of_shard, *shard))
            self._compiled_update(*zip(*results, strict=True))

        return self._for_each_batch(step, data)

    def test_step(self, data):
        """Add the loss of each batch to the mean loss."""

        def step(shards):
            values = values_of(self)
            losses = []
            for number, shard in enumerate(shards):
                with self._device_of(number):
                    losses.append(self._compiled_loss(*values, *shard)[0])
            self.mean_loss.update_state(tf.add_n(losses) / self.n_shards)

        return self._for_each_batch(step, data)

    def _device_of(self, number):
        return tf.device(self.devices[number % len(self.devices)])

    def _for_each_batch(self, step, data):
        shape = (-1, self.n_shards, self.batch_size // self.n_shards)

        def in_shards(part):
            return tf.reshape(part, (*shape, *part.shape[1:]))

        parts = tf.nest.map_structure(in_shards, data)

        def shard(k, number):
            return tf.nest.map_structure(lambda part: part[k, number], parts)

        def body(k):
            step([shard(k, number) for number in range(self.n_shards)])
            return (k + 1,)

        n_batches = tf.shape(parts[-1])[0]
        tf.while_loop(lambda k: k < n_batches, body, (tf.constant(0),))
        return {"loss": self.mean_loss.result()}

    def _loss(self, weights, states, x, y, sample_weight, training=False):
        y_pred, states = self.stateless_call(weights, states, x, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight), states

    def _gradient(self, weights, states, x, y, sample_weight):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss, states = self._loss(weights, states, x, y, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, weights), states

    def _update(self, losses, gradients, states):
        means = [tf.add_n(parts) / self.n_shards for parts in zip(*gradients, strict=True)]
        self.optimizer.apply_gradients(zip(means, self.trainable_variables, strict=True))
        for variable, value in zip(self.non_trainable_variables, states[0], strict=True):
            if _is_random_state(value):
                variable.assign(value)
        self.mean_loss.update_state(tf.add_n(losses) / self.n_shards)


def values_of(model):
    """Copy the values of a model's variables: the trainable ones and the others.

    Programs that run in parallel use values, since only one of them could hold a variable.
    """
    return [
        [tf.identity(variable.value) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]


def _is_random_state(value):
    # All other non-trainable variables are floats, and constant.
    return value.dtype.is_integer


def _states_of_shard(states, number):
    """Return other random states, pairs (seed, counter), for each shard."""
    return [state + [number, 0] if _is_random_state(state) else state for state in states]
