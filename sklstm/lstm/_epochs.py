"""Report epochs as tasks of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklstm._progress import Task


class EpochTasks:
    """Report the epochs of one training as the parts of a task.

    Parameters
    ----------
    fit : Task
    fitted_attributes : callable
        Called with the model in training and the losses by epoch; returns the attributes of an
        estimator that is fitted so far. It is called only if a callback asks for one.
    """

    def __init__(self, fit: Task, fitted_attributes: Callable[..., dict[str, Any]]):
        self.fit, self.fitted_attributes = fit, fitted_attributes

    def begin(self) -> None:
        """Report the begin of an epoch."""
        self.epoch = self.fit.subtask("epoch")
        self.epoch.begin()

    def end(self, model: Any, losses: dict[str, list[float]]) -> bool:
        """Report the end of an epoch, and return whether a callback asks to end the training."""
        return self.epoch.end(lambda: self.fitted_attributes(model, losses))
