"""Say where and how an interrupted training is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Checkpoint:
    """Options of the parameter `checkpoint`: a folder, and the effect of an interruption.

    Parameters
    ----------
    folder : path-like
        Folder for the state of the training after each epoch. It is created if necessary.
    on_interrupt : {"raise", "stop"}, default="raise"
        Effect of Ctrl-C: "raise" leaves the estimator as it was before `fit` and raises
        KeyboardInterrupt; "stop" ends `fit` with the state after the last finished epoch and warns.
        With "stop", a SIGTERM in the main thread has the same effect, unless the program has a
        handler of its own for it. While one of several networks trains (of an ensemble, of a
        forecaster, or for a `calibration`), the effect is that of "raise": without the other
        networks there is nothing to predict with. Fitting again continues with that network.

    Examples
    --------
    >>> from sklstm import Checkpoint, MultiSeriesLSTMRegressor
    >>> net = MultiSeriesLSTMRegressor(checkpoint=Checkpoint("run", on_interrupt="stop"))
    """

    folder: str | os.PathLike[str]
    on_interrupt: Literal["raise", "stop"] = "raise"

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", os.fspath(self.folder))
        if self.on_interrupt not in ("raise", "stop"):
            raise ValueError(f"on_interrupt must be 'raise' or 'stop', got {self.on_interrupt!r}.")


def as_checkpoint(value: str | os.PathLike[str] | Checkpoint | None) -> Checkpoint | None:
    """Convert the value of a parameter `checkpoint`."""
    return value if value is None or isinstance(value, Checkpoint) else Checkpoint(value)


def member_checkpoint(checkpoint: Checkpoint, number: int) -> Checkpoint:
    """Return the checkpoint of one of several networks: a folder in the one of all.

    An interruption of one ends the fit of all.
    """
    folder = os.path.join(checkpoint.folder, f"member-{number}")
    return Checkpoint(folder, on_interrupt="raise")
