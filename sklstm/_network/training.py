"""Train a network with a cached compiled program."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np

from sklstm._network import program_cache
from sklstm._network.batches import ON_TENSORFLOW, Batches, steps_per_call
from sklstm._network.callbacks import (
    CosineDecay,
    LossInTargetUnits,
    ReportEpochs,
    ReportSteps,
    StopOnDivergence,
    divergence,
)
from sklstm._network.checkpoints import (
    ResumableEarlyStopping,
    SaveEpochs,
    TrainingState,
    keep_last_epoch,
    sigterm_interrupts,
)
from sklstm._network.devices import active_devices
from sklstm._network.plan import TrainingPlan
from sklstm._network.trainer import CompiledTrainer, TrainingSpec
from sklstm._network.variables import assign_arrays, copy_variables, to_arrays
from sklstm._panel.user_warnings import warn_user

# Inputs and states are near 1: a weight of this size does not come from training.
MAX_WEIGHT = 1e10


def train(
    model,
    spec: TrainingSpec,
    batches: Batches,
    validation: Batches | None,
    plan: TrainingPlan,
    *,
    optimizer_state=None,
    checkpoint=None,
    reported=None,
):
    """Train `model` in place.

    Parameters
    ----------
    model : keras.Model
        From :func:`sklstm._network.architecture.build_network` for ``spec.network``.
    spec : TrainingSpec
    batches : Batches
        With the steps and the order of the plan.
    validation : Batches or None
    plan : TrainingPlan
    optimizer_state : list of ndarray, default=None
        State with which the optimizer starts.
    checkpoint : TrainingCheckpoint, default=None
        Where the state is saved after each epoch. A training that was interrupted there continues
        after its last finished epoch.
    reported : ShownEpochs, default=None
        Called at the begin and end of each epoch.

    Returns
    -------
    history : dict of list of float
    optimizer_state : list of ndarray

    Raises
    ------
    ValueError
        If the training diverges: a loss or a weight is no longer finite.
    """
    _warn_of_idle_devices(spec, plan.callbacks)
    run = _train if checkpoint is None else _resume
    with _restored_on_error(model):
        return run(model, spec, batches, validation, plan, optimizer_state, checkpoint, reported)


def _resume(model, spec, batches, validation, plan, optimizer_state, checkpoint, reported):
    """Train `model` in place, from the last state of the checkpoint."""
    if checkpoint.state.n_epochs:
        assign_arrays(model.variables, checkpoint.state.weights)
        optimizer_state = checkpoint.state.optimizer
    if checkpoint.state.finished:
        if reported is not None:
            reported.skip(checkpoint.state.n_epochs)
        return checkpoint.state.losses, optimizer_state
    try:
        with sigterm_interrupts(checkpoint.stops):
            return _train(
                model, spec, batches, validation, plan, optimizer_state, checkpoint, reported
            )
    except KeyboardInterrupt:
        state = keep_last_epoch(model, checkpoint)
        if state is None:
            raise
        warn_user(
            f"The training was interrupted: the network has the weights after {state.n_epochs} of "
            f"{plan.epochs} epochs. Fitting again with the same checkpoint, without warm_start, "
            "continues it."
        )
        return state.losses, state.optimizer


def _train(model, spec, batches, validation, plan, optimizer_state, checkpoint, reported):
    """Train `model` in place, from the first epoch or the one after the checkpoint's last."""
    state = TrainingState(0, []) if checkpoint is None else checkpoint.state
    earlier_epochs = batches.first_epoch
    batches.first_epoch += state.n_epochs
    own = _own_callbacks(batches, plan, checkpoint)
    # These come before those that save the state, which read whether the training has ended.
    reports = _reports(reported, batches, state.losses)
    first = [LossInTargetUnits(batches.logged_unit), StopOnDivergence(earlier_epochs)]
    with (
        _borrow_trainer(model, spec, batches, validation, plan.callbacks) as trainer,
        no_retracing_warning(),
    ):
        trainer.load(model, spec, optimizer_state)
        if state.n_epochs and not plan.decay:  # a callback may have changed the learning rate
            assign_arrays(trainer.model_.optimizer.variables, optimizer_state)
        history = trainer.train(
            batches,
            initial_epoch=state.n_epochs,
            epochs=plan.epochs,
            validation=validation,
            callbacks=[*first, *plan.callbacks, *reports, *own],
            verbose=0 if plan.verbose == 1 else plan.verbose,
        )
        if trainer.model_ is not model:
            copy_variables(trainer.model_, model)
        history = {name: state.losses.get(name, []) + values for name, values in history.items()}
        n_epochs = len(history["loss"])
        _check_weights(model, earlier_epochs + n_epochs)
        optimizer_state = trainer.optimizer_state()
        if checkpoint is not None:
            weights = to_arrays(model.variables)
            final = TrainingState(n_epochs, weights, optimizer_state, history, finished=True)
            checkpoint.save(final)
        return history, optimizer_state


def _takes_single_steps(spec: TrainingSpec, callbacks):
    """Return whether Keras' own steps train the network, one per call."""
    return bool(callbacks) or spec.key is None


def _warn_of_idle_devices(spec: TrainingSpec, callbacks):
    """Warn if a distribution is active, and Keras' own steps ignore it."""
    n_devices = len(active_devices())
    if ON_TENSORFLOW and n_devices > 1 and _takes_single_steps(spec, callbacks):
        warn_user(
            f"The active distribution of Keras has {n_devices} devices, and this fit uses one of "
            "them. On TensorFlow, Keras' own steps, which ignore distributions, run the fits with "
            "Keras callbacks and the fits with a loss, optimizer or schedule of your own. Fit "
            "without these to use all devices."
        )


@contextmanager
def _borrow_trainer(model, spec: TrainingSpec, batches, validation, callbacks):
    """Provide a compiled trainer: a cached one, or one of the model itself.

    The model itself is compiled for a spec that cannot be shared. A cached program that a callback
    has changed is not used again.
    """
    single_steps = _takes_single_steps(spec, callbacks)
    if ON_TENSORFLOW and not single_steps:
        set_steps_per_call(batches)
        set_steps_per_call(validation)
    try:
        if spec.key is None:
            yield CompiledTrainer.make(spec, model)
            return
        make = partial(CompiledTrainer.make, spec, sharded=ON_TENSORFLOW and not single_steps)
        key = ("train", spec.key, single_steps, active_devices())
        unchanged = CompiledTrainer.is_as_compiled
        with program_cache.programs.borrow(key, make, unchanged) as trainer:
            yield trainer
    finally:
        for callback in callbacks:
            callback._model = None  # otherwise copying the callback copies the network


def _reports(reported, batches, losses) -> list[keras.callbacks.Callback]:
    """Make the callbacks that report the epochs and, to a bar, the progress within them."""
    if reported is None:
        return []
    steps = [ReportSteps(reported, batches)] if reported.is_shown else []
    return [*steps, ReportEpochs(reported, losses)]


def _own_callbacks(batches, plan, checkpoint) -> list[keras.callbacks.Callback]:
    """Make the callbacks that follow those of the user."""
    own: list[keras.callbacks.Callback] = [CosineDecay(batches, plan.epochs)] if plan.decay else []
    stopper = None
    if plan.patience is not None:
        stopper = ResumableEarlyStopping(plan.patience, checkpoint and checkpoint.state)
        own.append(stopper)
    if checkpoint is not None:
        own.append(SaveEpochs(checkpoint, stopper))
    return own


@contextmanager
def _restored_on_error(model):
    """Restore the weights of a model, which an earlier fit may own, if training fails."""
    before = to_arrays(model.variables)
    try:
        yield
    except BaseException:
        assign_arrays(model.variables, before)
        raise


def _check_weights(model, epoch):
    """Raise an error if the last step has carried a weight away, which the loss does not show."""
    for values in to_arrays(model.trainable_variables):
        if not (np.abs(values) < MAX_WEIGHT).all():
            raise divergence(epoch, f"a weight is beyond {MAX_WEIGHT:g}")


def set_steps_per_call(batches):
    """Set the number of batches per call from the size of a batch."""
    if batches is None:
        return
    # Computed from the shape: gathering a batch to measure it would take time.
    row_bytes = np.dtype(np.float32).itemsize * math.prod(batches.window_shape)
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
