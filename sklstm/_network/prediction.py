"""Apply networks with cached compiled programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import methodcaller

import joblib
import keras
import numpy as np
import tensorflow as tf

from sklstm._network import program_cache
from sklstm._network.architecture import build_network
from sklstm._network.batches import ON_TENSORFLOW, model_inputs
from sklstm._network.devices import active_devices, evenly_divided
from sklstm._network.sharded_model import JIT, values_of
from sklstm._network.spec import NetworkSpec
from sklstm._network.training import no_retracing_warning
from sklstm._network.variables import copy_variables
from sklstm._panel.windows import Windows

BATCH_SIZES = (32, 1024)


class Predictor:
    """Compile a network for prediction with the weights of any model of the same spec.

    Parameters
    ----------
    spec : NetworkSpec
    attention : bool, default=False
        Whether to return the attention weights, averaged over the heads, instead of predictions.
    """

    def __init__(self, spec: NetworkSpec, attention=False):
        self.devices = active_devices()
        self.twin = self.model = build_network(spec, seed=0)
        if attention:
            weights = self.twin.get_layer("attention").output
            self.model = keras.Model(self.twin.input, keras.ops.mean(weights, axis=-1))
        self.takes_values = ON_TENSORFLOW and not attention
        if self.takes_values:
            self.forward = tf.function(self._forward, jit_compile=JIT)
            # One thread more than cores: it gathers windows while the others compute.
            self.n_threads = joblib.cpu_count() + 1
        else:
            self.model.compile(jit_compile=JIT)
            self.n_threads = 1

    def _forward(self, values, batch):
        return self.model.stateless_call(*values, batch, training=False)[0]

    def with_weights_of(self, model):
        """Return a function that maps a batch to outputs, with the weights of `model`.

        Its arguments are the number of the batch and the inputs. TensorFlow's devices take batches
        in turn; other backends divide each batch.
        """
        if not self.takes_values:
            copy_variables(model, self.twin)
            return lambda number, batch: self.model.predict_on_batch(batch)
        values = values_of(model)

        def on_batch(number, batch):
            with tf.device(self.devices[number % len(self.devices)]):
                return self.forward(values, batch).numpy()

        return on_batch


def predict(model, spec: NetworkSpec, windows: Windows, embedding_indices=None):
    """Predict in batches of fixed size.

    Parameters
    ----------
    model : keras.Model
    spec : NetworkSpec
    windows : Windows
        float32.
    embedding_indices : ndarray of shape (n_rows,), default=None
        int32, for a network with series embedding.

    Returns
    -------
    ndarray of shape (n_rows, *spec.output_shape)
        float32.
    """
    make, bind = partial(Predictor, spec), methodcaller("with_weights_of", model)
    shape = spec.output_shape
    return apply_program(("predict", spec), make, bind, windows, embedding_indices, shape)


def attention_weights(model, spec: NetworkSpec, windows: Windows, embedding_indices=None):
    """Compute the attention weights, averaged over the heads.

    Parameters
    ----------
    model, spec, windows, embedding_indices
        As in `predict`.

    Returns
    -------
    ndarray of shape (n_rows, spec.n_segments)
        float32; the weights of each row sum to 1.
    """
    make = partial(Predictor, spec, attention=True)
    bind, shape = methodcaller("with_weights_of", model), (spec.n_segments,)
    return apply_program(("attention", spec), make, bind, windows, embedding_indices, shape)


def apply_program(key, make, bind, windows, embedding_indices, shape):
    """Collect the outputs of a compiled program for all windows.

    Parameters
    ----------
    key : tuple
        Key of the program in the cache.
    make : callable
        Returns a new program.
    bind : callable
        Maps the program to a function of the number of a batch and its inputs.
    windows : Windows, or an object with `gather` and a length
    embedding_indices : ndarray of shape (n_rows,) or None
    shape : tuple of int
        Shape of the outputs per window.

    Returns
    -------
    ndarray of shape (n_rows, *shape)
        float32.
    """
    n_rows = len(windows)
    size = next((size for size in BATCH_SIZES if size >= n_rows), BATCH_SIZES[-1])
    size = evenly_divided(size)
    out = np.empty((n_rows, *shape), np.float32)
    key = (*key, active_devices())
    with program_cache.programs.borrow(key, make) as program, no_retracing_warning():
        on_batch = bind(program)

        def fill(start):
            rows = np.arange(start, min(start + size, n_rows))
            batch = model_inputs(windows, embedding_indices, np.resize(rows, size))
            out[rows] = on_batch(start // size, batch)[: len(rows)]

        first, *others = range(0, n_rows, size)
        fill(first)  # compiles
        with ThreadPoolExecutor(program.n_threads) as threads:
            list(threads.map(fill, others))
    return out
