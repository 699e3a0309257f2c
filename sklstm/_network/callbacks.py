"""Keras callbacks of a fit: learning rate and units of the loss."""

from __future__ import annotations

import math

import keras

from sklstm._network.batches import STEPS_PER_CALL


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
