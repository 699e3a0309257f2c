"""Compute the gradients of a network's outputs with respect to its windows."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from operator import methodcaller

import joblib
import keras
import numpy as np
import tensorflow as tf

from sklstm._network.architecture import build_network
from sklstm._network.batches import ON_TENSORFLOW
from sklstm._network.devices import active_devices
from sklstm._network.prediction import apply_program
from sklstm._network.sharded_model import JIT
from sklstm._network.spec import NetworkSpec
from sklstm._network.target_scale import values_in_deviations


def output_gradients(model, spec: NetworkSpec, windows, embedding_indices, weights):
    """Compute a weighted sum of the outputs per window, and its gradient by the window.

    Parameters
    ----------
    model : keras.Model
    spec : NetworkSpec
    windows : Windows, or an object with `gather` and a length
        float32.
    embedding_indices : ndarray of shape (n_rows,) or None
        int32, for a network with series embedding.
    weights : ndarray of shape spec.output_shape
        float32.

    Returns
    -------
    sums : ndarray of shape (n_rows,)
        float32, in deviations from the mean of the training targets: the precision does not depend
        on the level of the targets.
    gradients : ndarray of shape (n_rows, window_length, n_features)
        float32; 0 for masked rows.
    """
    spec = replace(spec, dtype_policy=precise_policy(spec.dtype_policy))
    window_shape = (spec.window_length, spec.n_features)
    found = apply_program(
        ("gradients", spec),
        partial(GradientProgram, spec),
        methodcaller("with_weights_of", model, weights),
        windows,
        embedding_indices,
        (1 + math.prod(window_shape),),
    )
    return found[:, 0], found[:, 1:].reshape(-1, *window_shape)


def precise_policy(dtype_policy):
    """Return the dtype policy for gradients: that of the weights, where layers compute in less."""
    return "float32" if dtype_policy.startswith("mixed_") else dtype_policy


class GradientProgram:
    """Compile the gradient of a network's outputs, with the weights of any model of its spec.

    Parameters
    ----------
    spec : NetworkSpec
    """

    def __init__(self, spec: NetworkSpec):
        self.devices = active_devices()
        self.twin = build_network(spec, seed=0)
        # One thread more than cores: it gathers windows while the others compute.
        self.n_threads = joblib.cpu_count() + 1 if ON_TENSORFLOW else 1
        self.output_and_gradient = compiled_with_gradient(self._weighted_sum)

    def _weighted_sum(self, window, others, values, weights):
        """Compute the weighted sum of the outputs of each window."""
        inputs = {"window": window, **others} if others else window
        outputs, _ = self.twin.stateless_call(*values, inputs, training=False)
        outputs = keras.ops.reshape(outputs * weights, (-1, math.prod(weights.shape)))
        return keras.ops.sum(outputs, axis=1)

    def with_weights_of(self, model, weights):
        """Return a function that maps a batch to sums and gradients, with the weights of `model`.

        Its arguments are the number of the batch and the inputs. Its result has one row per
        window: the sum of the outputs, weighted by `weights`, then the gradient.
        """
        values = values_in_deviations(model)

        def on_batch(number, batch):
            others = dict(batch) if isinstance(batch, dict) else {}
            window = others.pop("window", batch)
            device = self.devices[number % len(self.devices)]
            with tf.device(device) if ON_TENSORFLOW else nullcontext():
                output, gradient = self.output_and_gradient(window, others, values, weights)
            rows = (np.asarray(output)[:, np.newaxis], np.reshape(gradient, (len(window), -1)))
            return np.concatenate(rows, axis=1)

        return on_batch


def compiled_with_gradient(function):
    """Compile a function of a batch, and its gradient, with the backend of Keras."""
    backend = keras.backend.backend()
    if backend not in COMPILED:
        raise NotImplementedError(
            f"Gradients by windows are computed on {' and '.join(COMPILED)}, and Keras runs on "
            f"{backend}. Save the estimator (sklstm.save), and load it in a process with "
            "KERAS_BACKEND=tensorflow."
        )
    return COMPILED[backend](function)


def compiled_by_tensorflow(function):
    """Compile a function of a batch, and its gradient with respect to the first argument."""

    def output_and_gradient(window, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(window)
            output = function(window, *arguments)
        return output, tape.gradient(output, window, unconnected_gradients="zero")

    return tf.function(output_and_gradient, jit_compile=JIT)


def compiled_by_jax(function):
    """Compile a function of a batch, and its gradient with respect to the first argument."""
    import jax

    def total(*arguments):
        output = function(*arguments)
        return output.sum(), output

    def output_and_gradient(*arguments):
        gradient, output = jax.grad(total, has_aux=True)(*arguments)
        return output, gradient

    return jax.jit(output_and_gradient)


COMPILED = {"tensorflow": compiled_by_tensorflow, "jax": compiled_by_jax}
