"""Losses by epoch, over one or more fits of a network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class TrainingHistory:
    """Losses by epoch.

    Attributes
    ----------
    losses : dict of list of float
        Each of length `n_epochs`.
    n_epochs : int
    """

    losses: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0

    def extend(self, losses: dict[str, list[float]]) -> TrainingHistory:
        """Append the losses of more epochs, NaN where a loss was not computed."""
        n_new = len(losses["loss"])
        joined = {
            name: self.losses.get(name, [np.nan] * self.n_epochs)
            + losses.get(name, [np.nan] * n_new)
            for name in self.losses | losses
        }
        return TrainingHistory(joined, self.n_epochs + n_new)
