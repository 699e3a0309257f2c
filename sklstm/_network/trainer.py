"""Compile networks for training, and keep idle ones by shape."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any

import keras
from scikeras.wrappers import BaseWrapper

from sklstm._network.architecture import NetworkSpec, build_network
from sklstm._network.batches import ON_TENSORFLOW, Pipeline
from sklstm._network.losses import KnownElementsLoss
from sklstm._network.sharded_model import JIT, ShardedModel

MAX_IDLE_WORKERS = 32


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


_idle = IdleWorkers(MAX_IDLE_WORKERS)
