"""Losses of the network: one number for each row, missing target elements left out."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("sklstm")
class KnownElementsLoss(keras.losses.Loss):
    """A Keras loss that leaves out missing (NaN) target elements.

    They are replaced by the prediction itself, where every distance is zero, on both sides
    without a gradient. Weights make up for the smaller sum (see
    :class:`sklstm._network.batches.Batches`).
    """

    def __init__(self, loss, name="loss"):
        super().__init__(name=name)
        self.loss = loss
        loss = keras.losses.get(loss)
        self.function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def call(self, y_true, y_pred):
        """Loss of each row."""
        if len(y_pred.shape) > len(y_true.shape):
            y_true = keras.ops.expand_dims(y_true, -1)  # beside the quantiles of each output
        missing, still = keras.ops.isnan(y_true), keras.ops.stop_gradient(y_pred)
        losses = self.function(
            keras.ops.where(missing, still, y_true), keras.ops.where(missing, still, y_pred)
        )
        if len(losses.shape) != 1:
            raise ValueError(
                f"The loss {self.loss!r} must return one number for each row, so that rows can be "
                f"weighted; it returned an array of shape {tuple(losses.shape)} for a batch of "
                f"targets of shape {tuple(y_true.shape)}. Take the mean over the last axis only."
            )
        return losses

    def get_config(self):
        """Return what rebuilds the loss."""
        return {"loss": self.loss, "name": self.name}


@keras.saving.register_keras_serializable("sklstm")
class PinballLoss(keras.losses.Loss):
    """Mean pinball loss over outputs and quantiles.

    Parameters
    ----------
    quantiles : sequence of float
        Levels, in the order of the last axis of the predictions.
    """

    def __init__(self, quantiles, name="pinball"):
        super().__init__(name=name)
        self.quantiles = tuple(quantiles)

    def call(self, y_true, y_pred):
        """Loss of each row, both arrays of shape (n, n_outputs, n_quantiles) or alike."""
        levels = keras.ops.convert_to_tensor(self.quantiles, y_pred.dtype)
        error = y_true - y_pred
        losses = keras.ops.maximum(levels * error, (levels - 1) * error)
        return keras.ops.mean(losses, axis=(-2, -1))

    def get_config(self):
        """Return what rebuilds the loss."""
        return {"quantiles": self.quantiles, "name": self.name}
