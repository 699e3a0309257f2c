"""Compute losses per row, without missing target elements."""

from __future__ import annotations

import math

import keras
import numpy as np

from sklstm._network.batches import known_fraction, with_censoring
from sklstm._network.keras_objects import get_loss
from sklstm._panel.rows import row_blocks

# Scale at which a loss with a constant of its own (a threshold, an epsilon) shows it.
PROBE = 2.0**20


@keras.saving.register_keras_serializable("sklstm")
class KnownElementsLoss(keras.losses.Loss):
    """Apply a Keras loss to the known target elements only.

    Missing (NaN) elements are replaced by the prediction itself, where every distance is zero,
    without a gradient on either side. The weights of :class:`sklstm._network.batches.Batches`
    correct for the smaller sum.

    A censored element, whose true value is only known to be larger, is replaced in the same way
    where the prediction is larger too: its target is ``max(y_true, y_pred)``. With the pinball
    loss, this is Powell's (1986) censored quantile regression.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    censored : bool, default=False
        Whether the last axis of the targets holds the target and whether it is censored.
    """

    def __init__(self, loss, censored=False, name="loss"):
        super().__init__(name=name)
        self.loss, self.censored = loss, censored
        loss = get_loss(loss)
        self.function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def call(self, y_true, y_pred):
        """Compute the loss per row."""
        y_true, *flags = keras.ops.unstack(y_true, 2, axis=-1) if self.censored else (y_true,)
        if len(y_pred.shape) > len(y_true.shape):  # broadcasts over the quantiles
            y_true, *flags = (keras.ops.expand_dims(part, -1) for part in (y_true, *flags))
        left_out, fixed = keras.ops.isnan(y_true), keras.ops.stop_gradient(y_pred)
        for is_censored in flags:
            left_out |= (is_censored > 0) & (fixed >= y_true)
        losses = self.function(
            keras.ops.where(left_out, fixed, y_true), keras.ops.where(left_out, fixed, y_pred)
        )
        if len(losses.shape) != 1:
            raise ValueError(
                f"The loss {self.loss!r} must return one number per row, so that rows can be "
                f"weighted; it returned an array of shape {tuple(losses.shape)} for targets of "
                f"shape {tuple(y_true.shape)}. Take the mean over the last axis only."
            )
        return losses

    def get_config(self):
        """Return the arguments from which Keras rebuilds the loss."""
        return {"loss": self.loss, "censored": self.censored, "name": self.name}


@keras.saving.register_keras_serializable("sklstm")
class PinballLoss(keras.losses.Loss):
    """Compute the mean pinball loss over outputs and quantiles.

    Parameters
    ----------
    quantiles : sequence of float
        Levels, in the order of the last axis of the predictions.
    """

    def __init__(self, quantiles, name="pinball"):
        super().__init__(name=name)
        self.quantiles = tuple(quantiles)

    def call(self, y_true, y_pred):
        """Compute the loss per row; both arrays broadcast to (n, n_outputs, n_quantiles)."""
        levels = keras.ops.convert_to_tensor(self.quantiles, y_pred.dtype)
        error = y_true - y_pred
        # Unlike that of a maximum, the gradient of relu is 0 where there is no error.
        losses = levels * keras.ops.relu(error) + (1 - levels) * keras.ops.relu(-error)
        return keras.ops.mean(losses, axis=(-2, -1))

    def get_config(self):
        """Return the arguments from which Keras rebuilds the loss."""
        return {"quantiles": self.quantiles, "name": self.name}


@keras.saving.register_keras_serializable("sklstm")
class ClassLoss(keras.losses.Loss):
    """Compute the weighted cross-entropy of classes.

    Parameters
    ----------
    class_weight : sequence of float
        Weight of each class.
    """

    def __init__(self, class_weight, name="cross_entropy"):
        super().__init__(name=name)
        self.class_weight = tuple(class_weight)

    def call(self, y_true, y_pred):
        """Compute the loss per row from indicators of the classes and their logits."""
        if y_pred.shape[-1] == 1:  # the first of two classes has log-odds of 0
            y_true = keras.ops.concatenate([1 - y_true, y_true], axis=-1)
            y_pred = keras.ops.concatenate([keras.ops.zeros_like(y_pred), y_pred], axis=-1)
        weight = keras.ops.convert_to_tensor(self.class_weight, y_pred.dtype)
        return -keras.ops.sum(weight * y_true * keras.ops.log_softmax(y_pred), axis=-1)

    def get_config(self):
        """Return the arguments from which Keras rebuilds the loss."""
        return {"class_weight": self.class_weight, "name": self.name}


def row_losses(loss, y_true, y_pred, censored=None):
    """Compute the loss per row: the mean over the row's known elements.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    y_true : ndarray of shape (n_rows, n_outputs)
    y_pred : ndarray of shape (n_rows, n_outputs) or (n_rows, n_outputs, n_quantiles)
    censored : ndarray of shape (n_rows, n_outputs), default=None
        Whether the true value is only known to be larger.

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    losses = KnownElementsLoss(loss, censored is not None).call(
        keras.ops.convert_to_tensor(with_censoring(y_true, censored), "float32"),
        keras.ops.convert_to_tensor(y_pred, "float32"),
    )
    return keras.ops.convert_to_numpy(losses) / np.maximum(known_fraction(y_true), 1e-9)


def degree_of_homogeneity(loss, n_outputs, output_shape):
    """Return the degree p for which scaling targets and predictions by c scales the loss by c^p.

    It is found by evaluating the loss on a few numbers at three scales.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    n_outputs : int
    output_shape : tuple of int
        Shape of the predictions per row: (n_outputs,) or (n_outputs, n_quantiles).

    Returns
    -------
    int or None
        None for a loss without such a degree, for instance Huber's, whose `delta` has a unit.
    """
    rng = np.random.default_rng(0)
    y, guess = rng.uniform(0.5, 2, (8, n_outputs)), rng.uniform(0.5, 2, (8, *output_shape))
    sizes = [row_losses(loss, c * y, c * guess) for c in (1.0, PROBE, 1 / PROBE)]
    for degree in (0, 1, 2):
        larger, smaller = sizes[0] * PROBE**degree, sizes[0] / PROBE**degree
        if np.allclose(sizes[1], larger, rtol=1e-5) and np.allclose(
            sizes[2], smaller, rtol=1e-5, atol=0.0
        ):
            return degree
    return None


def loss_unit(loss, y, weights, guess):
    """Return the typical size of the loss: that of a constant guess.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    y : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,)
    guess : ndarray of shape (n_outputs,) or (n_outputs, n_quantiles)

    Returns
    -------
    float
        Rounded to a power of two, so that multiplication is exact; 1 where the loss is 0.
    """
    losses = [
        row_losses(loss, y[block], np.broadcast_to(guess, (len(y[block]), *guess.shape)))
        for block in row_blocks(len(y))
    ]
    size = abs(float(np.mean(np.concatenate(losses) * weights)))
    return 2.0 ** round(math.log2(size)) if 0 < size < math.inf else 1.0


def check_outputs_may_be_unbounded(loss, n_outputs):
    """Raise an error for a loss of Keras that expects probabilities.

    Outside of 0 to 1, such a loss is constant, so that training stops there.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    n_outputs : int
    """
    if not isinstance(loss, (str, keras.losses.Loss)):
        return

    def is_flat(target, *outputs):
        y = np.full((1, n_outputs), target)
        first, second = (row_losses(loss, y, np.full_like(y, output)) for output in outputs)
        return bool((first == second).all())

    outside = all(is_flat(y, *ends) for y in (0.0, 1.0) for ends in ((2.0, 3.0), (-1.0, -2.0)))
    if outside and not is_flat(1.0, 0.25, 0.75):
        raise ValueError(
            f"loss={loss!r} expects probabilities, but the outputs of the network are not bounded, "
            "and outside of 0 to 1 the loss is constant. For targets of 0 and 1, use "
            "MultiSeriesLSTMClassifier, or choose loss='mse' (predictions estimate the probability "
            "of 1) or keras.losses.BinaryCrossentropy(from_logits=True) (predictions are its "
            "log-odds)."
        )


def check_missing_targets(loss, y):
    """Raise an error if targets are partly unknown and the loss cannot leave elements out.

    A loss can leave elements out if it is 0 for a perfect prediction.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    y : ndarray of shape (n_rows, n_outputs)
        NaN elements are missing or censored.
    """
    partly = np.isnan(y).any(axis=1)
    if not partly.any():
        return
    perfect = np.nan_to_num(y[partly], nan=1.0)  # losses of counts are 0 at 0
    if not np.allclose(row_losses(loss, perfect, perfect), 0.0, atol=1e-6):
        raise ValueError(
            f"{partly.sum()} rows have missing or censored target elements, and loss={loss!r} "
            "cannot leave elements out, since it is not 0 for a perfect prediction. Choose another "
            "loss, or drop or complete those rows."
        )
