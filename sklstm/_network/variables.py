"""Copy the values of Keras variables."""

from __future__ import annotations

import keras


def to_arrays(variables):
    """Copy the values of Keras variables into NumPy arrays."""
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def assign_arrays(variables, arrays):
    """Set Keras variables to the values that `to_arrays` returned."""
    for variable, value in zip(variables, arrays, strict=True):
        variable.assign(value)


def copy_variables(source, target):
    """Copy all variables of a model, the random states of dropout included, to an equal model."""
    for there, here in zip(target.variables, source.variables, strict=True):
        # A copy, for backends in which assigning shares memory that training then reuses.
        there.assign(keras.ops.copy(here))
