"""Describe how a network is trained. Imports no Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklstm._files.checkpoint import Checkpoint


@dataclass(frozen=True)
class TrainingPlan:
    """Describe how long a network is trained, and what follows its epochs.

    Attributes
    ----------
    epochs : int
    n_steps : int, default=None
        Batches per epoch. None: one pass over the rows.
    patience : int, default=None
        Epochs without a lower validation loss after which training stops; the best epoch's weights
        are then restored. None: no early stopping.
    decay : bool, default=False
        Whether the learning rate falls to 0 along half a cosine.
    seed : int, default=None
        Seed of the order of the rows. None: the order in which they are given.
    callbacks : sequence of keras.callbacks.Callback, default=()
        The user's callbacks. They see a plain Keras model and every single step, so with callbacks
        the compiled program is another one than without.
    verbose : int, default=0
        As in Keras, except that 1 prints nothing: a progress bar follows the epochs instead.
    checkpoint : Checkpoint, default=None
        Where the state is saved after each epoch.
    """

    epochs: int
    n_steps: int | None = None
    patience: int | None = None
    decay: bool = False
    seed: int | None = None
    callbacks: tuple[Any, ...] = ()
    verbose: int = 0
    checkpoint: Checkpoint | None = None

    @property
    def determines_weights(self) -> dict[str, Any]:
        """The fields on which the weights after training depend."""
        names = ("epochs", "n_steps", "patience", "decay", "seed")
        return {name: getattr(self, name) for name in names}
