"""Everything of this package that estimators use; see :func:`.lazy_import.load_network`."""

import keras

from sklstm._network.devices import evenly_divided
from sklstm._network.fitted_network import FittedNetwork
from sklstm._network.losses import (
    ClassLoss,
    PinballLoss,
    check_missing_targets,
    check_outputs_may_be_unbounded,
    row_losses,
)
from sklstm._network.trainer import TrainingSpec

__all__ = [
    "ClassLoss",
    "FittedNetwork",
    "PinballLoss",
    "TrainingSpec",
    "check_missing_targets",
    "check_outputs_may_be_unbounded",
    "dtype_policy",
    "evenly_divided",
    "row_losses",
]


def dtype_policy() -> str:
    """Return the name of Keras' global dtype policy."""
    return keras.config.dtype_policy().name
