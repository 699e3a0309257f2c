"""Keras callbacks for the learning rate, the unit of the loss and divergence."""

from __future__ import annotations

import math

import keras

from sklstm._network.batches import STEPS_PER_CALL


class CosineDecay(keras.callbacks.Callback):
    """Lower the learning rate to 0 along half a cosine.

    This is a callback because a schedule object would be compiled into the program, which could
    then serve only one number of steps.
    """

    def __init__(self, batches, epochs):
        super().__init__()
        self.batches = batches
        self.steps_per_epoch, self.n_steps = batches.n_steps, epochs * batches.n_steps
        self.n_done = 0

    def on_train_begin(self, logs=None):
        """Store the initial learning rate."""
        self.initial_rate = float(self.model.optimizer.learning_rate)

    def on_epoch_begin(self, epoch, logs=None):
        """Count the steps of earlier epochs."""
        self.n_done = epoch * self.steps_per_epoch

    def on_train_batch_begin(self, batch, logs=None):
        """Set the learning rate of the next steps."""
        # Keras calls this per group of steps, or per step if the user has callbacks: the rate is
        # the same in both cases.
        # The number of batches per call is set after this callback has been made.
        step = batch * self.batches.at_once
        progress = (self.n_done + step - step % STEPS_PER_CALL) / self.n_steps
        rate = self.initial_rate * (1 + math.cos(math.pi * progress)) / 2
        self.model.optimizer.learning_rate = rate

    def on_epoch_end(self, epoch, logs=None):
        """Restore the initial learning rate, which a checkpoint saves."""
        self.model.optimizer.learning_rate = self.initial_rate


class LossInTargetUnits(keras.callbacks.Callback):
    """Convert logged losses to the units of the targets, before other callbacks read them."""

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


class StopOnDivergence(keras.callbacks.Callback):
    """Raise an error at the end of an epoch whose loss is not finite.

    Parameters
    ----------
    first_epoch : int
        Number of epochs in earlier fits of the network.
    """

    def __init__(self, first_epoch):
        super().__init__()
        self.first_epoch = first_epoch

    def on_epoch_end(self, epoch, logs=None):
        """Check the losses."""
        for name, kind in {"loss": "training", "val_loss": "validation"}.items():
            loss = (logs or {}).get(name, 0.0)
            if not math.isfinite(loss):
                raise divergence(self.first_epoch + epoch + 1, f"the {kind} loss is {loss}")


class ReportEpochs(keras.callbacks.Callback):
    """Report the epochs as tasks of a fit, and end the training if a task asks for it.

    Parameters
    ----------
    epochs : ShownEpochs
        Called at the begin and end of each epoch.
    losses : dict of list of float
        Of the epochs before the first one.
    """

    def __init__(self, epochs, losses):
        super().__init__()
        self.epochs, self.losses = epochs, losses

    def on_train_begin(self, logs=None):
        """Report the epochs before the first one."""
        self.epochs.skip(len(self.losses.get("loss", [])))

    def on_epoch_begin(self, epoch, logs=None):
        """Report the begin."""
        self.epochs.begin()

    def on_epoch_end(self, epoch, logs=None):
        """Report the end, and let the tasks read the current weights."""
        self.losses = append_losses(self.losses, logs or {})
        if self.epochs.end(self.model, self.losses):
            self.model.stop_training = True


class ReportSteps(keras.callbacks.Callback):
    """Report the progress within epochs.

    Parameters
    ----------
    epochs : ShownEpochs
    batches : Batches
        Those of the training.
    """

    def __init__(self, epochs, batches):
        super().__init__()
        self.epochs, self.batches = epochs, batches

    def on_train_batch_end(self, batch, logs=None):
        """Report the end of a call, which may contain several steps."""
        self.epochs.reach((batch + 1) / self.batches.calls)


def append_losses(earlier, logs) -> dict[str, list[float]]:
    """Append the losses of one epoch."""
    return {name: [*earlier.get(name, []), float(value)] for name, value in logs.items()}


def divergence(epoch, reason):
    """Return the error for a training that has diverged.

    Parameters
    ----------
    epoch : int
        From 1.
    reason : str
    """
    return ValueError(
        f"The training diverged in epoch {epoch}: {reason}. Lower learning_rate, limit the "
        "gradients (for instance optimizer=keras.optimizers.Adam(clipnorm=1.0)), scale the "
        "features (PerSeriesScaler), or check a loss function of your own for values that are "
        "not finite. The estimator keeps its earlier state."
    )
