"""Fit networks and apply them: the functions that the estimators call."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import joblib
import keras
import numpy as np
import tensorflow as tf

from sklstm._network.architecture import NetworkSpec, build_network
from sklstm._network.batches import (
    ON_TENSORFLOW,
    Batches,
    known_share,
    model_inputs,
    steps_per_call,
)
from sklstm._network.callbacks import CosineDecay, LossInUnits
from sklstm._network.losses import KnownElementsLoss, PinballLoss
from sklstm._network.sharded_model import JIT, values_of
from sklstm._network.trainer import (  # noqa: F401
    TrainingSpec,
    Worker,
    _idle,
    copy_weights,
    model_from,
    no_retracing_warning,
    to_arrays,
)
from sklstm._panel.windows import Windows

PREDICT_BATCHES = (32, 1024)


class Predictor:
    """A network that is compiled to predict with the weights of any twin of it.

    Parameters
    ----------
    network : NetworkSpec
    attention : bool, default=False
        Whether to return the attention's weights, the mean over its heads, in place of the
        predictions.
    """

    def __init__(self, network: NetworkSpec, attention=False):
        self.twin = self.model = build_network(network, seed=0)
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

    def of(self, model):
        """Return a function from a batch of windows to predictions with the weights of `model`."""
        if not self.takes_values:
            copy_weights(model, self.twin)
            return self.model.predict_on_batch
        values = values_of(model)
        return lambda batch: self.forward(values, batch).numpy()


def set_target_scale(model, offset, scale):
    """Set the fixed map from the net's outputs to the units of the targets."""
    layer = model.get_layer("target_scale")
    layer.offset.assign(np.reshape(offset, layer.offset.shape))
    layer.scale.assign(np.reshape(scale, layer.scale.shape))


def fit(
    model,
    spec: TrainingSpec,
    batches: Batches,
    *,
    epochs,
    validation=None,
    patience=None,
    decay=False,
    callbacks=(),
    verbose=0,
    optimizer_state=None,
):
    """Train `model` in place.

    Parameters
    ----------
    model : keras.Model
        From :func:`sklstm._network.architecture.build_network` for ``spec.network``.
    spec : TrainingSpec
    batches : Batches
    epochs : int
    validation : Batches, default=None
    patience : int, default=None
        Stop after so many epochs without a lower validation loss, and go back to the best.
    decay : bool, default=False
        Let the learning rate fall to 0 along half a cosine.
    callbacks : sequence of keras.callbacks.Callback, default=()
        They may do anything to the model, so with callbacks the model itself is compiled and
        trained, and no worker.
    verbose : int, default=0
        As in Keras.
    optimizer_state : list of ndarray, default=None
        State to go on from.

    Returns
    -------
    history : dict of list of float
    optimizer_state : list of ndarray
    """
    lent: AbstractContextManager[Worker]
    if callbacks or spec.key is None:
        lent = nullcontext(Worker.make(spec, model))
    else:
        lent = _idle.borrow(("fit", spec.key), lambda: Worker.make(spec))
        if ON_TENSORFLOW:
            # Worked out, not looked up: a look would gather a batch.
            row_bytes = np.dtype(np.float32).itemsize * math.prod(batches.windows.shape[1:])
            for stream in (batches, validation):
                if stream is not None:
                    stream.at_once = steps_per_call(stream.batch_size * row_bytes)
    own: list[keras.callbacks.Callback] = []
    if decay:
        own.append(CosineDecay(batches, epochs))
    if patience is not None:
        own.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=patience, restore_best_weights=True
            )
        )
    with lent as worker, no_retracing_warning():
        worker.take_over(model, spec, optimizer_state)
        try:
            history = worker.train(
                batches,
                epochs=epochs,
                validation=validation,
                callbacks=[LossInUnits(batches.loss_unit), *callbacks, *own],
                verbose=verbose,
            )
        finally:
            for callback in callbacks:
                callback._model = None  # else copying the callback would copy the network
        if worker.model_ is not model:
            copy_weights(worker.model_, model)
        return history, worker.optimizer_state()


def predict(model, network: NetworkSpec, windows: Windows, series=None):
    """Predict in batches of fixed size.

    Parameters
    ----------
    model : keras.Model
    network : NetworkSpec
    windows : Windows
        float32.
    series : ndarray of shape (n_rows,), default=None
        int32 numbers of the rows' series, for a network with vectors of series.

    Returns
    -------
    ndarray of shape (n_rows, *network.output_shape)
        float32.
    """
    shape = network.output_shape
    return _apply(("predict", network), lambda: Predictor(network), model, windows, series, shape)


def attention_weights(model, network: NetworkSpec, windows: Windows, series=None):
    """Return the attention's weights, the mean over its heads.

    Parameters
    ----------
    model, network, windows, series
        As in `predict`.

    Returns
    -------
    ndarray of shape (n_rows, network.n_segments)
        float32; the weights of a row sum to 1.
    """
    key, shape = ("attention", network), (network.n_segments,)
    return _apply(key, lambda: Predictor(network, attention=True), model, windows, series, shape)


def _apply(key, make, model, windows, series, shape):
    """Lend a predictor, and collect what it returns for all windows, arrays of `shape` a row."""
    n_rows = len(windows)
    size = next((size for size in PREDICT_BATCHES if size >= n_rows), PREDICT_BATCHES[-1])
    out = np.empty((n_rows, *shape), np.float32)
    with _idle.borrow(key, make) as predictor, no_retracing_warning():
        on_batch = predictor.of(model)

        def fill(start):
            rows = np.arange(start, min(start + size, n_rows))
            batch = model_inputs(windows, series, np.resize(rows, size))
            out[rows] = on_batch(batch)[: len(rows)]

        first, *others = range(0, n_rows, size)
        fill(first)  # compiles
        with ThreadPoolExecutor(predictor.n_threads) as threads:
            list(threads.map(fill, others))
    return out


def loss_of(network: NetworkSpec, loss):
    """Return the pinball loss for a network with quantiles, `loss` for any other."""
    return loss if network.quantiles is None else PinballLoss(network.quantiles)


def row_losses(loss, y_true, y_pred):
    """Loss of each row: the mean over its known elements.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    y_true : ndarray of shape (n_rows, n_outputs)
    y_pred : ndarray of shape (n_rows, n_outputs) or (n_rows, n_outputs, n_quantiles)

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    losses = KnownElementsLoss(loss).call(
        keras.ops.convert_to_tensor(y_true, "float32"),
        keras.ops.convert_to_tensor(y_pred, "float32"),
    )
    return keras.ops.convert_to_numpy(losses) / np.maximum(known_share(y_true), 1e-9)


def loss_unit(loss, y, weights, guess):
    """Loss of a constant guess, as a power of two (exact to multiply by); 1 where it is 0.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    y : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,)
    guess : ndarray of shape (n_outputs,) or (n_outputs, n_quantiles)

    Returns
    -------
    float
    """
    guesses = np.broadcast_to(guess, (len(y), *guess.shape))
    size = abs(float(np.mean(row_losses(loss, y, guesses) * weights)))
    return 2.0 ** round(math.log2(size)) if 0 < size < math.inf else 1.0


def leaves_out_missing(loss, y):
    """Whether a perfect prediction has no loss, as leaving out missing elements needs."""
    known = np.nan_to_num(y)
    return bool(np.allclose(row_losses(loss, known, known), 0.0, atol=1e-6))


def dtype_policy() -> str:
    """Name of Keras' global dtype policy."""
    return keras.config.dtype_policy().name


def write_first_lines():
    """Train something tiny: TensorFlow's first use of its parts writes lines to stderr."""
    network = NetworkSpec(1, 1, 1, hidden_units=1, n_layers=1, segment_length=1, dropout=0.0)
    spec = TrainingSpec(network, 1, "mse", "sgd", 0.0)
    zeros = np.zeros((1, 1), np.float32)
    batches = Batches(Windows.from_array(zeros[:, :, np.newaxis]), zeros, np.ones(1), 1)
    fit(build_network(network, seed=0), spec, batches, epochs=1)
