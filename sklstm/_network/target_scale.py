"""Choose the scale of a network's outputs and the unit in which it is trained."""

from __future__ import annotations

import math
from contextlib import contextmanager

import keras
import numpy as np
from scipy.special import logit

from sklstm._network.losses import degree_of_homogeneity, row_losses
from sklstm._network.variables import to_arrays

# Squares of targets in this range, and of their errors, are far from the limits of float32.
MIN_USUAL, MAX_USUAL = 2.0**-20, 2.0**20
# Of a class that no row with a loss belongs to.
MIN_FREQUENCY = 1e-6


def initialize_outputs(model, spec, mean, deviation):
    """Let the outputs start at the mean, in units of the deviation.

    A constant output starts, and with no error to learn from stays, at exactly its constant.

    Parameters
    ----------
    model : keras.Model
    spec : NetworkSpec
    mean, deviation : ndarray of shape (n_outputs,)
    """
    constant = deviation == 0
    deviation = np.where(constant, np.abs(mean), deviation)
    layer = model.get_layer("target_scale")
    layer.offset.assign(np.reshape(mean, layer.offset.shape))
    layer.scale.assign(np.reshape(np.where(deviation == 0, 1.0, deviation), layer.scale.shape))
    if constant.any():
        n_columns = math.prod(spec.output_shape)
        varies = np.repeat(~constant, n_columns // len(constant)).astype(np.float32)
        head = model.get_layer("head")
        head.kernel.assign(head.kernel * varies)
        head.bias.assign(head.bias * varies)


def initialize_logits(model, frequencies):
    """Let the outputs start at the logits of the frequencies of the classes.

    Parameters
    ----------
    model : keras.Model
    frequencies : ndarray of shape (n_outputs,)

    Returns
    -------
    ndarray of shape (n_outputs,)
        The logits.
    """
    frequencies = np.clip(frequencies, MIN_FREQUENCY, 1 - MIN_FREQUENCY)
    logits = logit(frequencies) if len(frequencies) == 1 else np.log(frequencies)
    model.get_layer("target_scale").offset.assign(logits)
    return logits


def unit_of_targets(loss, spec, mean, deviation):
    """Choose the unit of the targets in training.

    Targets of usual size are trained in the user's unit. Others are divided by a power of two,
    which changes no digit, if the loss has no unit of its own.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    spec : NetworkSpec
    mean, deviation : ndarray of shape (n_outputs,)

    Returns
    -------
    unit : float
    degree : int
        The loss is in this power of the unit.

    Raises
    ------
    ValueError
        If the loss has a unit of its own, and is 0 or infinite for targets of this size.
    """
    size = float(max(deviation.max(), np.finfo(np.float32).eps * np.abs(mean).max()))
    if size == 0 or MIN_USUAL <= size <= MAX_USUAL:
        return 1.0, 0
    degree = degree_of_homogeneity(loss, spec.n_outputs, spec.output_shape)
    if degree is None:
        y = np.atleast_2d(mean + deviation)
        loss_of_mean = row_losses(loss, y, np.broadcast_to(mean, (1, *spec.output_shape[::-1])).T)
        if not 0 < loss_of_mean[0] < math.inf:
            raise ValueError(
                f"The targets vary by about {size:.1g}. For targets of this size, loss={loss!r} is "
                f"{loss_of_mean[0]:g} in float32, and it cannot be computed in another unit. Use "
                "'mse' or 'mae', or divide y by a constant (TransformedTargetRegressor, "
                "PerSeriesTargetRegressor)."
            )
        return 1.0, 0
    return 2.0 ** round(math.log2(size)), degree


@contextmanager
def outputs_in_unit(model, unit):
    """Let a model's outputs be in this unit while the block runs."""
    multiply_outputs(model, 1 / unit)
    try:
        yield
    finally:
        multiply_outputs(model, unit)


def multiply_outputs(model, factor):
    """Multiply a model's outputs by a power of two."""
    if factor == 1:
        return
    layer = model.get_layer("target_scale")
    for variable in (layer.offset, layer.scale):
        variable.assign(variable * factor)


def output_map(model):
    """Return the mean and the deviation of the targets, to which a model maps its outputs.

    Returns
    -------
    offset, scale : ndarray of shape (n_outputs,)
        float64.
    """
    layer = model.get_layer("target_scale")
    offset, scale = (
        np.asarray(part, np.float64) for part in to_arrays([layer.offset, layer.scale])
    )
    return offset.ravel(), scale.ravel()


def values_in_deviations(model):
    """Copy the values of a model's variables, for outputs in deviations from the mean target.

    Returns
    -------
    trainable, non_trainable : list of tensors
    """
    layer = model.get_layer("target_scale")
    trainable, others = (
        [keras.ops.copy(variable) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    places = {variable.path: place for place, variable in enumerate(model.non_trainable_variables)}
    others[places[layer.offset.path]] = keras.ops.zeros_like(layer.offset.value)
    others[places[layer.scale.path]] = keras.ops.ones_like(layer.scale.value)
    return trainable, others
