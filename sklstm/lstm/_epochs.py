"""Report epochs to a progress bar, and as tasks of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklstm._bar import Progress
from sklstm._progress import Task


class ShownEpochs:
    """Move a progress bar with the epochs of one training.

    Parameters
    ----------
    progress : Progress
        The training, whose steps are the epochs.
    """

    def __init__(self, progress: Progress):
        self.progress = progress

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self.progress.is_shown

    def skip(self, n_epochs: int) -> None:
        """Count the epochs before an interruption."""
        self.progress.skip(n_epochs)

    def begin(self) -> None:
        """Report the begin of an epoch."""
        self.epoch = self.progress.part()

    def reach(self, fraction: float) -> None:
        """Report which fraction of the epoch is done."""
        self.epoch.reach(fraction)

    def end(self, model: Any, losses: dict[str, list[float]]) -> bool:
        """Report the end of an epoch, and return whether the training is to end."""
        self.progress.note(**{name: values[-1] for name, values in losses.items()})
        self.epoch.finish()
        return False


class EpochTasks(ShownEpochs):
    """Report the epochs of one training as the parts of a task as well.

    Parameters
    ----------
    fit : Task
    fitted_attributes : callable
        Called with the model in training and the losses by epoch; returns the attributes of an
        estimator that is fitted so far. It is called only if a callback asks for one.
    """

    def __init__(self, fit: Task, fitted_attributes: Callable[..., dict[str, Any]]):
        super().__init__(fit.progress)
        self.fit, self.fitted_attributes = fit, fitted_attributes

    def begin(self) -> None:
        """Report the begin of an epoch."""
        self.task = self.fit.subtask("epoch")
        self.epoch = self.task.progress
        self.task.begin()

    def end(self, model: Any, losses: dict[str, list[float]]) -> bool:
        """Report the end of an epoch, and return whether a callback asks to end the training."""
        super().end(model, losses)
        return self.task.call_end(lambda: self.fitted_attributes(model, losses))
