"""Train a network with a cached compiled program."""

from __future__ import annotations

import logging
import math
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import keras
import numpy as np

from sklstm._network import program_cache
from sklstm._network.batches import ON_TENSORFLOW, Batches, steps_per_call
from sklstm._network.callbacks import CosineDecay, LossInTargetUnits
from sklstm._network.trainer import CompiledTrainer, TrainingSpec
from sklstm._network.variables import copy_variables


def train(
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
        Epochs without a lower validation loss after which training stops; the best epoch's weights
        are then restored. None: no early stopping.
    decay : bool, default=False
        Whether the learning rate falls to 0 along half a cosine.
    callbacks : sequence of keras.callbacks.Callback, default=()
        The user's callbacks. They may change the model in any way, so with callbacks `model` itself
        is compiled and trained, instead of a cached program.
    verbose : int, default=0
        As in Keras.
    optimizer_state : list of ndarray, default=None
        State with which the optimizer starts.

    Returns
    -------
    history : dict of list of float
    optimizer_state : list of ndarray
    """
    lent: AbstractContextManager[CompiledTrainer]
    if callbacks or spec.key is None:
        lent = nullcontext(CompiledTrainer.make(spec, model))
    else:
        lent = program_cache.programs.borrow(
            ("train", spec.key), partial(CompiledTrainer.make, spec)
        )
        if ON_TENSORFLOW:
            set_steps_per_call(batches)
            set_steps_per_call(validation)
    own: list[keras.callbacks.Callback] = [CosineDecay(batches, epochs)] if decay else []
    if patience is not None:
        own.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=patience, restore_best_weights=True
            )
        )
    with lent as trainer, no_retracing_warning():
        trainer.load(model, spec, optimizer_state)
        try:
            history = trainer.train(
                batches,
                epochs=epochs,
                validation=validation,
                callbacks=[LossInTargetUnits(batches.loss_unit), *callbacks, *own],
                verbose=verbose,
            )
        finally:
            for callback in callbacks:
                callback._model = None  # otherwise copying the callback copies the network
        if trainer.model_ is not model:
            copy_variables(trainer.model_, model)
        return history, trainer.optimizer_state()


def set_steps_per_call(batches):
    """Set the number of batches per call from the size of a batch."""
    if batches is None:
        return
    # Computed from the shape: gathering a batch to measure it would take time.
    row_bytes = np.dtype(np.float32).itemsize * math.prod(batches.windows.shape[1:])
    batches.at_once = steps_per_call(batches.batch_size * row_bytes)


@contextmanager
def no_retracing_warning():
    """Suppress TensorFlow's retracing warning: many networks are traced once each."""

    def is_wanted(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)
