"""Compile networks for training with SciKeras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from numbers import Real
from typing import Any

import keras
from scikeras.wrappers import BaseWrapper

from sklstm._network.architecture import build_network
from sklstm._network.batches import ON_TENSORFLOW, BatchReader
from sklstm._network.keras_objects import get_optimizer, has_complete_config
from sklstm._network.losses import KnownElementsLoss
from sklstm._network.sharded_model import JIT, ShardedModel
from sklstm._network.spec import NetworkSpec
from sklstm._network.variables import assign_arrays, copy_variables, to_arrays


@dataclass(frozen=True)
class TrainingSpec:
    """Describe how a network is compiled for training.

    Attributes
    ----------
    network : NetworkSpec
    batch_size : int
    loss, optimizer : str, object or callable
        As in Keras.
    learning_rate : float or keras LearningRateSchedule
        Of an optimizer given by name or class; an optimizer object has its own.
    censored : bool, default=False
        Whether the targets come with the mask of those that are censored.
    """

    network: NetworkSpec
    batch_size: int
    loss: Any
    optimizer: Any
    learning_rate: Any
    censored: bool = False

    @property
    def key(self):
        """Key that specs with the same compiled program share; None: it cannot be shared."""
        rate = self.learning_rate
        try:
            return (
                self.network,
                self.batch_size,
                self.censored,
                _fingerprint(self.loss),
                _fingerprint(self.optimizer),
                # A number is stored in a variable of the compiled optimizer.
                None if _is_number(rate) else _fingerprint(rate),
            )
        except (TypeError, ValueError):
            return None

    @property
    def optimizer_key(self):
        """Key that two specs must share for one to continue with the other's optimizer state."""
        try:
            return _fingerprint(self.optimizer)
        except (TypeError, ValueError):
            return repr(type(self.optimizer))


def _is_number(rate):
    return isinstance(rate, Real)


def _fingerprint(item):
    """Return a string that identifies an object with a name or a configuration in Keras.

    Raises TypeError for a user's own function, which may read variables that change.
    """
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        return json.dumps(item, sort_keys=True)
    if getattr(item, "__module__", "").startswith(("keras.", "sklstm.")):
        if not hasattr(item, "get_config") or isinstance(item, type):
            return f"{item.__module__}.{item.__qualname__}"
        if not has_complete_config(item):
            raise TypeError(f"{item!r} has arguments that its configuration does not show.")
        serialized = keras.saving.serialize_keras_object(item)
        # Keras numbers its objects: "adam_1" is the same optimizer as "adam".
        serialized["config"].pop("name", None)
        return json.dumps(serialized, sort_keys=True)
    raise TypeError(f"{item!r} has no name or configuration in Keras that identifies it.")


class CompiledTrainer(BaseWrapper):
    """Wrap one compiled network with SciKeras.

    SciKeras builds the model from routed parameters, creates and compiles the optimizer and the
    loss, and keeps the history. Two of its features are bypassed: its checks of X and y, which
    would turn the lazy windows into an array, and its seeding, which would turn on TensorFlow's
    determinism for the whole process. The regressor validates, and the layers have seeds.
    """

    @classmethod
    def make(cls, spec: TrainingSpec, model=None, sharded=ON_TENSORFLOW):
        """Compile a new network for `spec`, or `model` itself."""
        options = _optimizer_options(spec)
        if model is None:
            options |= {"model__spec": spec.network, "model__seed": 0}
            if sharded:
                options["model__kind"] = ShardedModel
        trainer = cls(
            model=build_network if model is None else model,
            loss=KnownElementsLoss(spec.loss, spec.censored),
            # A sharded model compiles the parts of its steps itself.
            compile__jit_compile=JIT and "model__kind" not in options,
            shuffle=False,
            **options,
        )
        trainer._random_state = None
        trainer.model_ = trainer._build_keras_model()
        trainer._ensure_compiled_model()
        if isinstance(trainer.model_, ShardedModel):
            trainer.model_.set_batch_size(spec.batch_size)
        trainer.model_.optimizer.build(trainer.model_.trainable_variables)
        trainer.initial_optimizer_state = trainer.optimizer_state()
        trainer.compiled_state = trainer.state_of_compilation()
        trainer.reader_, trainer.validation_reader_ = BatchReader(), BatchReader()
        return trainer

    def is_as_compiled(self):
        """Return whether no callback has changed what the compiled program contains."""
        return self.state_of_compilation() == self.compiled_state

    def state_of_compilation(self):
        """Return the optimizer, its options and the layers that are trained."""
        optimizer = self.model_.optimizer
        rate = type(getattr(optimizer, "_learning_rate", None))  # `load` sets its value
        options = optimizer.get_config() | {"learning_rate": rate}
        trained = [layer.trainable for layer in self.model_.layers]
        return id(optimizer), repr(options), trained

    def optimizer_state(self):
        """Copy the optimizer's variables."""
        return to_arrays(self.model_.optimizer.variables)

    def load(self, model, spec: TrainingSpec, optimizer_state=None):
        """Load the weights of `model`, and the given or initial optimizer state."""
        if self.model_ is not model:
            copy_variables(model, self.model_)
        optimizer = self.model_.optimizer
        state = self.initial_optimizer_state if optimizer_state is None else optimizer_state
        assign_arrays(optimizer.variables, state)
        if "optimizer__learning_rate" in self.get_params() and _is_number(spec.learning_rate):
            optimizer.learning_rate = float(spec.learning_rate)

    def train(self, batches, *, epochs, validation, callbacks, verbose, initial_epoch=0):
        """Train with Keras and return the history of the new epochs, a dict of lists."""
        self.set_params(verbose=verbose)
        self._fit_callbacks = callbacks
        readers = self.reader_.read(batches), self.validation_reader_.read(validation)
        with readers[0] as stream, readers[1] as validation_stream:
            self._fit_keras_model(
                stream,
                None,
                sample_weight=None,
                warm_start=False,
                epochs=epochs - initial_epoch,  # SciKeras adds them
                initial_epoch=initial_epoch,
                steps_per_epoch=batches.calls,
                validation_data=validation_stream,
                validation_steps=None if validation is None else validation.calls,
            )
        self._fit_callbacks = []
        return {name: [float(value) for value in values] for name, values in self.history_.items()}


def _optimizer_options(spec: TrainingSpec) -> dict[str, Any]:
    """Return SciKeras' parameters for the optimizer; an optimizer object is copied."""
    optimizer, rate = spec.optimizer, spec.learning_rate
    if isinstance(optimizer, str):
        get_optimizer(optimizer)  # raises an error for an unknown name
    if isinstance(optimizer, (str, type)):
        rate = float(rate) if _is_number(rate) else rate
        return {"optimizer": optimizer, "optimizer__learning_rate": rate}
    optimizer = get_optimizer(optimizer)
    return {"optimizer": type(optimizer).from_config(optimizer.get_config())}
