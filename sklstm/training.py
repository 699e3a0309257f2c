"""Feed windows to Keras through SciKeras. Imported inside fit: it loads TensorFlow.

Building, tracing and compiling a network costs seconds, training often less. So a
compiled network is kept for each distinct shape (a *worker*) and lent to one fit at a
time: it takes over the weights of the estimator's own model, trains, and gives the weights
back. Estimators never share state, whichever worker served them.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from numbers import Real
from typing import Any

import joblib
import keras
import numpy as np
import tensorflow as tf
from scikeras.wrappers import BaseWrapper

from sklstm.losses import KnownElementsLoss, PinballLoss
from sklstm.network import NetworkSpec, build_network
from sklstm.sharding import JIT, ShardedModel, values_of
from sklstm.windows import Windows

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
STEPS_PER_CALL = 16
BYTES_PER_CALL = 2**24  # more than that is no longer in the cache when its step comes
PREDICT_BATCHES = (32, 1024)
MAX_IDLE_WORKERS = 32


# ------------------------------------------------------------------------ feeding batches


def model_inputs(windows, series, rows):
    """Gather the windows at some positions, with what else a network is fed.

    Parameters
    ----------
    windows : Windows
    series : ndarray of shape (n_rows,) or None
        Numbers of the windows' series, for a network with vectors of series.
    rows : ndarray
        Positions.
    """
    batch = windows.gather(rows)
    return batch if series is None else {"window": batch, "series": series[rows]}


class Batches(keras.utils.PyDataset):
    """An endless stream of batches of one fixed size, gathered when they are needed.

    A pass over the rows is cut into `n_parts` batches of nearly equal numbers of rows, each
    filled up with rows of weight 0: one compiled shape serves all. Weights are scaled by
    slots per row, so that Keras, which divides by the batch size, arrives at the mean over
    the real rows: in every step up to rounding, and over a whole pass exactly.

    A batch depends on its number in the stream alone, so threads that read ahead do no harm.

    Parameters
    ----------
    windows : Windows
        float32.
    y : ndarray of shape (n_rows, n_outputs)
        float32; missing elements are NaN.
    weights : ndarray of shape (n_rows,)
        Mean 1.
    batch_size : int
    loss_unit : float, default=1.0
        What a loss of usual size is: the optimizer sees losses in this unit, so that its
        constants (Adam's epsilon, a clipping norm) mean the same for targets of any size.
    n_steps : int, default=None
        Batches an epoch, by default one pass. Passes go on across epochs.
    seed : int, default=None
        Rows are shuffled anew for each pass; None keeps their order.
    first_epoch : int, default=0
        Where in the stream to begin.
    series : ndarray of shape (n_rows,), default=None
        int32 numbers of the rows' series, for a network with vectors of series.

    Attributes
    ----------
    at_once : int
        Batches of an epoch that are handed over at a time, their rows one after another.
    """

    at_once = 1
    num_batches = None  # as Keras asks of an endless stream

    def __init__(
        self,
        windows,
        y,
        weights,
        batch_size,
        *,
        loss_unit=1.0,
        n_steps=None,
        seed=None,
        first_epoch=0,
        series=None,
    ):
        super().__init__()
        self.windows, self.y, self.series = windows, y, series
        self.batch_size, self.seed = batch_size, seed
        self.n_parts = -(-len(windows) // batch_size)
        self.n_steps = n_steps or self.n_parts
        self.first_epoch = first_epoch
        self.loss_unit = loss_unit
        self.weights = weights * (self.n_parts * batch_size / len(windows) / loss_unit)
        # Where elements of a row are missing, its loss is the mean over the others.
        self.weights = (self.weights / np.maximum(known_share(y), 1e-9)).astype(np.float32)
        self._order = (None, np.arange(len(windows)))

    @property
    def calls(self):
        """Calls of an epoch, each with up to `at_once` batches."""
        return -(-self.n_steps // self.at_once)

    def __getitem__(self, index):
        epoch, call = divmod(index, self.calls)
        first = call * self.at_once
        steps = np.arange(first, min(first + self.at_once, self.n_steps))
        steps += (self.first_epoch + epoch) * self.n_steps
        rows, weights = map(np.concatenate, zip(*map(self._rows, steps), strict=True))
        return model_inputs(self.windows, self.series, rows), self.y[rows], weights

    def _rows(self, step):
        """Rows of a batch of the stream, and their weights."""
        number, part = divmod(step, self.n_parts)
        n_rows = len(self.windows)
        bounds = part * n_rows // self.n_parts, (part + 1) * n_rows // self.n_parts
        rows = self._order_of(number)[slice(*bounds)]
        weights = np.zeros(self.batch_size, np.float32)
        weights[: len(rows)] = self.weights[rows]
        return np.resize(rows, self.batch_size), weights

    def _order_of(self, number):
        """Order of the rows in one pass."""
        if self.seed is None:
            return self._order[1]
        known, order = self._order
        if known != number:
            order = np.random.default_rng([self.seed, number]).permutation(len(self.windows))
            self._order = (number, order)
        return order


class Pipeline:
    """What Keras reads batches from, for one stream after another.

    TensorFlow reads through a tf.data pipeline. That takes as long to make as a short fit to
    train, so one serves all streams with batches of one shape. It has no generator in it,
    which Keras would put there: TensorFlow then has every larger piece of memory given
    back to the system at once, and steps take up to twice as long (docs/decisions.md).
    """

    def __init__(self):
        self.dataset = None

    @contextmanager
    def of(self, batches):
        """Lend what Keras reads `batches` from; None for None."""
        if batches is None or not ON_TENSORFLOW:
            yield batches
            return
        self.batches = batches
        if self.dataset is None:
            self.dataset = self._make(batches[0])
        yield self.dataset
        self.batches = None

    def _make(self, sample):
        nothing = [np.empty((0, *part.shape[1:]), part.dtype) for part in tf.nest.flatten(sample)]

        def read(index):
            batches = self.batches
            # TensorFlow reads ahead: the last call may come when the stream is gone.
            return nothing if batches is None else tf.nest.flatten(batches[int(index)])

        def element(index):
            parts = tf.numpy_function(read, [index], [part.dtype for part in nothing])
            for part, empty in zip(parts, nothing, strict=True):
                part.set_shape((None, *empty.shape[1:]))
            return tf.nest.pack_sequence_as(sample, parts)

        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = 1
        return tf.data.Dataset.counter().map(element).prefetch(1).with_options(options)


def steps_per_call(batch_bytes):
    """Say how many steps share a call: a power of two, fewer where batches are large."""
    fitting = max(1, BYTES_PER_CALL // batch_bytes)
    return min(STEPS_PER_CALL, 1 << (fitting.bit_length() - 1))


def known_share(y):
    """Share of each row's elements that are not missing."""
    return (~np.isnan(y)).mean(axis=1)


# --------------------------------------------------------------------- compiled networks


@dataclass(frozen=True)
class TrainingSpec:
    """How a network is compiled for training.

    Attributes
    ----------
    network : NetworkSpec
    batch_size : int
    loss, optimizer : str, object or callable
        As Keras takes them.
    learning_rate : float or keras LearningRateSchedule
        Of an optimizer given by name or class; an optimizer object has its own.
    """

    network: NetworkSpec
    batch_size: int
    loss: Any
    optimizer: Any
    learning_rate: Any

    @property
    def key(self):
        """What two specs must share to use one compiled worker; None: not to be shared."""
        rate = self.learning_rate
        try:
            return (
                self.network,
                self.batch_size,
                _fingerprint(self.loss),
                _fingerprint(self.optimizer),
                # A plain rate is a variable of the compiled optimizer.
                None if _is_rate(rate) else _fingerprint(rate),
            )
        except (TypeError, ValueError):
            return None

    @property
    def optimizer_key(self):
        """What two specs must share for the one to go on from the other's optimizer."""
        try:
            return _fingerprint(self.optimizer)
        except (TypeError, ValueError):
            return repr(type(self.optimizer))


def _is_rate(rate):
    return isinstance(rate, Real)


def _fingerprint(item):
    """Return a text for what has a name in Keras or that Keras can write down.

    A function of the user's own may read variables that change: it raises TypeError.
    """
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        return json.dumps(item, sort_keys=True)
    if getattr(item, "__module__", "").startswith(("keras.", "sklstm.")):
        if not hasattr(item, "get_config") or isinstance(item, type):
            return f"{item.__module__}.{item.__qualname__}"
        written = keras.saving.serialize_keras_object(item)
        # Keras numbers its objects: "adam_1" is no other optimizer than "adam".
        written["config"].pop("name", None)
        return json.dumps(written, sort_keys=True)
    raise TypeError(f"{item!r} cannot be told from others like it")


class Worker(BaseWrapper):
    """A SciKeras wrapper around one compiled network.

    SciKeras builds the model from routed parameters, makes and compiles the optimizer and
    the loss, and keeps the history. Its checks of X and y, which would make an array of the
    windows, and its seeding, which turns TensorFlow's determinism on for the whole process,
    are not passed through: the regressor validates, the network's layers are seeded.
    """

    @classmethod
    def make(cls, spec: TrainingSpec, model=None):
        """Compile a network for `spec`: a new one, or `model` itself."""
        options: dict[str, Any] = {}
        optimizer = spec.optimizer
        if isinstance(optimizer, (str, type)):
            rate = spec.learning_rate
            options["optimizer__learning_rate"] = float(rate) if _is_rate(rate) else rate
        else:
            optimizer = keras.optimizers.get(optimizer)
            optimizer = type(optimizer).from_config(optimizer.get_config())
        if model is None:
            options |= {"model__spec": spec.network, "model__seed": 0}
            if ON_TENSORFLOW:
                options["model__kind"] = ShardedModel
        worker = cls(
            model=build_network if model is None else model,
            optimizer=optimizer,
            loss=KnownElementsLoss(spec.loss),
            # A sharded model compiles the parts of its steps itself.
            compile__jit_compile=JIT and "model__kind" not in options,
            shuffle=False,
            **options,
        )
        worker._random_state = None
        worker.model_ = worker._build_keras_model()
        worker._ensure_compiled_model()
        if isinstance(worker.model_, ShardedModel):
            worker.model_.set_batch_size(spec.batch_size)
        worker.model_.optimizer.build(worker.model_.trainable_variables)
        worker.fresh_optimizer = worker.optimizer_state()
        worker.pipeline_, worker.validation_ = Pipeline(), Pipeline()
        return worker

    def optimizer_state(self):
        """Copy the optimizer's variables."""
        return to_arrays(self.model_.optimizer.variables)

    def take_over(self, model, spec: TrainingSpec, optimizer_state=None):
        """Start from the weights of `model` and from a fresh or given optimizer."""
        if self.model_ is not model:
            copy_weights(model, self.model_)
        optimizer = self.model_.optimizer
        state = self.fresh_optimizer if optimizer_state is None else optimizer_state
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)
        if "optimizer__learning_rate" in self.get_params() and _is_rate(spec.learning_rate):
            optimizer.learning_rate = float(spec.learning_rate)

    def train(self, batches, *, epochs, validation, callbacks, verbose):
        """Run Keras' fit and return its history, a dict of lists."""
        self.set_params(verbose=verbose)
        self._fit_callbacks = callbacks
        with self.pipeline_.of(batches) as stream, self.validation_.of(validation) as held_out:
            self._fit_keras_model(
                stream,
                None,
                sample_weight=None,
                warm_start=False,
                epochs=epochs,
                initial_epoch=0,
                steps_per_epoch=batches.calls,
                validation_data=held_out,
                validation_steps=None if validation is None else validation.calls,
            )
        self._fit_callbacks = []
        return {name: [float(value) for value in values] for name, values in self.history_.items()}


class CosineDecay(keras.callbacks.Callback):
    """Lower the learning rate to 0 along half a cosine.

    A callback and no schedule object, since a schedule is compiled into the program and
    would tie the worker to one number of steps.
    """

    def __init__(self, batches, epochs):
        super().__init__()
        self.at_once = batches.at_once
        self.n_epoch, self.n_steps = batches.n_steps, epochs * batches.n_steps
        self.done = 0

    def on_train_begin(self, logs=None):
        """Remember where to start from."""
        self.start = float(self.model.optimizer.learning_rate)

    def on_epoch_begin(self, epoch, logs=None):
        """Count the steps of the epochs before."""
        self.done = epoch * self.n_epoch

    def on_train_batch_begin(self, batch, logs=None):
        """Set the rate of the steps that come."""
        # Keras calls before several steps, or before every step where there are callbacks of the
        # user's: the same rate in both cases.
        step = batch * self.at_once
        share = (self.done + step - step % STEPS_PER_CALL) / self.n_steps
        self.model.optimizer.learning_rate = self.start * (1 + math.cos(math.pi * share)) / 2

    def on_train_end(self, logs=None):
        """Leave the optimizer as it was."""
        self.model.optimizer.learning_rate = self.start


class LossInUnits(keras.callbacks.Callback):
    """Write losses in units of the targets, before other callbacks see them."""

    def __init__(self, unit):
        super().__init__()
        self.unit = unit

    def _convert(self, logs):
        for name in ("loss", "val_loss"):
            if logs and name in logs:
                logs[name] = float(logs[name]) * self.unit

    def on_train_batch_end(self, batch, logs=None):
        """Convert the loss so far."""
        self._convert(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Convert training and validation loss."""
        self._convert(logs)


class IdleWorkers:
    """Workers that wait, by key; the least recently used go when there are too many."""

    def __init__(self, most):
        self.most = most
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Any, list] = OrderedDict()

    @contextmanager
    def borrow(self, key, make):
        """Lend an idle worker of this key, or a newly made one, to one user at a time."""
        with self._lock:
            waiting = self._waiting.get(key)
            worker = waiting.pop() if waiting else None
        worker = make() if worker is None else worker
        # A worker whose use failed is in an unknown state: it does not come back.
        yield worker
        with self._lock:
            self._waiting.setdefault(key, []).append(worker)
            self._waiting.move_to_end(key)
            while sum(map(len, self._waiting.values())) > self.most:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest][0]
                if not self._waiting[oldest]:
                    del self._waiting[oldest]


_idle = IdleWorkers(MAX_IDLE_WORKERS)


# ------------------------------------------------------------------- weights of a model


def to_arrays(variables):
    """Copy the values of Keras variables."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def copy_weights(source, target):
    """Copy all variables of a model, random states of dropout included, to its twin."""
    for there, here in zip(target.variables, source.variables, strict=True):
        # A copy, for backends in which assigning shares memory that training then reuses.
        there.assign(keras.ops.copy(here))


@contextmanager
def no_retracing_warning():
    """Keep TensorFlow from taking the first traces of many networks for one traced again."""

    def wanted(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def model_from(network: NetworkSpec, weights):
    """Build a network with the given values of its twin's variables."""
    model = build_network(network, seed=0)
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)
    return model


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


# ------------------------------------------------------------------- fitting, predicting


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
        From :func:`sklstm.network.build_network` for ``spec.network``.
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
