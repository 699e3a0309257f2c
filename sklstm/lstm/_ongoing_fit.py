"""The state of an estimator while its network is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sklstm.lstm._history import TrainingHistory

if TYPE_CHECKING:
    from sklstm._network.fitted_network import FittedNetwork
    from sklstm._network.trainer import TrainingSpec
    from sklstm.lstm._base import BaseLSTM


@dataclass
class OngoingFit:
    """Hold everything from which the fitted attributes are made.

    Attributes
    ----------
    estimator : BaseLSTM
        It keeps its earlier attributes until the end of the fit.
    network : FittedNetwork
    settings : TrainingSpec
        How the network is compiled.
    past : TrainingHistory
        Losses of earlier fits, which this one continues.
    form : dict
        Attributes besides those of the network, such as the form of y.
    """

    estimator: BaseLSTM
    network: FittedNetwork
    settings: TrainingSpec
    past: TrainingHistory
    form: dict[str, Any]

    def attributes(self, losses: dict[str, list[float]] | None = None) -> dict[str, Any]:
        """Return the fitted attributes, with the losses by epoch of this fit."""
        history = self.past if losses is None else self.past.extend(losses)
        return self.estimator._fitted_attributes(self.network, history) | self.form

    def attributes_so_far(self, model: Any, losses: dict[str, list[float]]) -> dict[str, Any]:
        """Return the attributes after an epoch, with a copy of the model in training."""
        return replace(self, network=self.network.snapshot(model, self.settings)).attributes(losses)
