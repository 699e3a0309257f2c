"""Save the state of a training after each epoch, and resume it."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sklstm._files.checkpoint import Checkpoint
from sklstm._files.container import ModelFileError, read_container, write_container
from sklstm._network.callbacks import append_losses
from sklstm._network.variables import assign_arrays, to_arrays

FILE_NAME = "training.sklstm"
KIND = "checkpoint"


@dataclass
class TrainingState:
    """Everything from which a training continues exactly.

    Attributes
    ----------
    n_epochs : int
        Finished epochs of this fit.
    weights, optimizer : list of ndarray
        Values of the variables of the model (the states of its random generators included) and of
        the optimizer.
    losses : dict of list of float
        By epoch.
    finished : bool
        Whether the training has ended.
    stopper : dict
        Counters of early stopping; empty without.
    best : list of ndarray
        Weights of the best epoch so far; empty without early stopping.
    """

    n_epochs: int
    weights: list[np.ndarray]
    optimizer: list[np.ndarray] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    finished: bool = False
    stopper: dict[str, float] = field(default_factory=dict)
    best: list[np.ndarray] = field(default_factory=list)


class TrainingCheckpoint:
    """Read and write the state of one training in a folder.

    Parameters
    ----------
    options : Checkpoint
    fingerprint : dict of str
        Digests of the parts that determine the training, by their names.

    Attributes
    ----------
    state : TrainingState
        The last saved state. Before training, this is that of an interrupted fit, or the initial
        one, which is written to find out whether the folder can be written to.

    Raises
    ------
    ValueError
        If the folder holds the state of another training, or a damaged file.
    OSError
        If the folder cannot be read or written.
    """

    def __init__(self, options: Checkpoint, fingerprint: dict[str, str], model):
        self.stops = options.on_interrupt == "stop"
        self.path = Path(options.folder) / FILE_NAME
        self.fingerprint = fingerprint
        if self.path.exists():
            self.state = self._read()
        else:
            self.save(TrainingState(0, to_arrays(model.variables)))

    def save(self, state: TrainingState) -> None:
        """Write a state; the file holds the earlier or the new one, whatever happens."""
        groups = {"weights": state.weights, "optimizer": state.optimizer, "best": state.best}
        arrays = {
            f"{name}/{number}": np.asarray(values)
            for name, group in groups.items()
            for number, values in enumerate(group)
        }
        arrays |= {f"losses/{name}": np.array(values) for name, values in state.losses.items()}
        document = {
            "fingerprint": self.fingerprint,
            "n_epochs": state.n_epochs,
            "finished": state.finished,
            "stopper": state.stopper,
        }
        try:
            os.makedirs(self.path.parent, exist_ok=True)
            write_container(self.path, KIND, document, arrays)
        except OSError as error:
            raise OSError(
                error.errno,
                f"The checkpoint could not be written ({error.strerror}), so the training was "
                "ended. The file of the last saved epoch, if there is one, is unchanged",
                str(self.path),
            ) from error
        self.state = state

    def _read(self) -> TrainingState:
        try:
            container = read_container(self.path, KIND)
            document = container.document
            self._compare(document["fingerprint"])
            return TrainingState(
                int(document["n_epochs"]),
                _group(container.arrays, "weights"),
                _group(container.arrays, "optimizer"),
                {
                    name.removeprefix("losses/"): values.tolist()
                    for name, values in container.arrays.items()
                    if name.startswith("losses/")
                },
                bool(document["finished"]),
                document["stopper"],
                _group(container.arrays, "best"),
            )
        except (KeyError, TypeError, ModelFileError) as error:
            raise ValueError(
                f"The checkpoint {self.path} cannot be read: {error} Delete the file, and the "
                "training starts at its first epoch."
            ) from error

    def _compare(self, found: dict[str, str]) -> None:
        names = [name for name, digest in self.fingerprint.items() if found.get(name) != digest]
        if names:
            raise ValueError(
                f"The folder {str(self.path.parent)!r} holds the checkpoint of another fit: "
                f"{' and '.join(names)} differ. Use one folder per fit, delete it to start at the "
                "first epoch, or restore the parameters and the data."
            )


def _group(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    numbers = sorted(int(key.split("/")[1]) for key in arrays if key.startswith(f"{name}/"))
    return [arrays[f"{name}/{number}"] for number in numbers]


class SaveEpochs(keras.callbacks.Callback):
    """Save the state after each epoch. This callback must be the last one.

    Parameters
    ----------
    checkpoint : TrainingCheckpoint
    stopper : ResumableEarlyStopping or None
    """

    def __init__(self, checkpoint, stopper):
        super().__init__()
        self.checkpoint, self.stopper = checkpoint, stopper

    def on_epoch_end(self, epoch, logs=None):
        """Save the state, unless this was the last epoch: then `train` saves the final one."""
        if self.model.stop_training:
            return
        losses = append_losses(self.checkpoint.state.losses, logs or {})
        state = TrainingState(
            epoch + 1,
            to_arrays(self.model.variables),
            to_arrays(self.model.optimizer.variables),
            losses,
        )
        if self.stopper is not None:
            state.stopper = self.stopper.counters()
            state.best = [np.array(values) for values in self.stopper.best_weights or []]
        self.checkpoint.save(state)


class ResumableEarlyStopping(keras.callbacks.EarlyStopping):
    """Stop early, with counters that may continue those of an earlier training.

    Parameters
    ----------
    patience : int
    state : TrainingState or None
    """

    COUNTERS = ("wait", "best", "best_epoch")

    def __init__(self, patience, state=None):
        super().__init__(monitor="val_loss", patience=patience, restore_best_weights=True)
        self.state = state

    def on_train_begin(self, logs=None):
        """Initialise or restore the counters."""
        super().on_train_begin(logs)
        if self.state is not None and self.state.stopper:
            self.__dict__.update(self.state.stopper, best_weights=self.state.best)

    def counters(self):
        """Return the counters as plain numbers."""
        return {name: float(getattr(self, name)) for name in self.COUNTERS}


def keep_last_epoch(model, checkpoint: TrainingCheckpoint) -> TrainingState | None:
    """Assign the weights of the last finished epoch, or of the best one, after an interruption.

    Returns
    -------
    TrainingState or None
        None if no epoch was finished, or if the user has not asked for it.
    """
    state = checkpoint.state
    if not checkpoint.stops or not state.n_epochs:
        return None
    assign_arrays(model.variables, state.weights)
    if state.best:
        model.set_weights(state.best)
    return state


@contextmanager
def sigterm_interrupts(active):
    """Let SIGTERM raise KeyboardInterrupt in the block, if it has no handler yet."""
    main = threading.current_thread() is threading.main_thread()
    if not (active and main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL):
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


# ---------------------------------------------------------------------------- fingerprints
def fingerprint(network, settings, training, validation, options: dict[str, Any]):
    """Digest everything that determines the weights after training.

    Parameters
    ----------
    network : FittedNetwork
        Before training.
    settings : TrainingSpec
    training : Samples
    validation : Samples or None
    options : dict
        Further options of the training.

    Returns
    -------
    dict of str
        By the names that an error message shows.
    """
    parameters: list[Any] = [settings.network, settings.batch_size]
    named = (settings.learning_rate, settings.loss, settings.optimizer)
    parameters += [*map(_name, named), sorted(options.items())]
    return {
        "the parameters": _digest([repr(parameters).encode()]),
        "the initial weights": _digest(
            [*to_arrays(network.model.variables), *(network.optimizer_state or [])]
        ),
        "the training data": _digest(training.arrays()),
        "the validation data": _digest([] if validation is None else validation.arrays()),
    }


def _name(item) -> str:
    """Return a text that is the same in every process."""
    if hasattr(item, "get_config") and not isinstance(item, type):
        return f"{type(item).__qualname__}{item.get_config()}"
    return getattr(item, "__qualname__", None) or repr(item)


def _digest(parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            part = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
        digest.update(part)
    return digest.hexdigest()
