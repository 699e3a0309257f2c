"""Check what a user passes, by the names that messages use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from sklstm._panel.frames import as_plain
from sklstm._panel.show import did_you_mean


def as_floats(values: Any, name: str) -> np.ndarray:
    """Convert an array-like of numbers to float64.

    Parameters
    ----------
    values : array-like
    name : str
        Its name in messages.

    Raises
    ------
    ValueError
        If it holds anything but numbers.
    """
    try:
        return np.asarray(as_plain(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is not numeric ({error}), expected numbers. Convert it, or pass another array."
        ) from error


def check_lengths(**parts: Any) -> None:
    """Raise ValueError unless all arrays have the same number of rows; None is left out.

    Parameters
    ----------
    **parts : array-like of shape (n_rows, ...) or None
        By the names that the message uses.
    """
    lengths = {name: _num_samples(part) for name, part in parts.items() if part is not None}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {length} rows" for name, length in lengths.items())
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {counts}. Pass the same "
            "rows in each."
        )


def check_type(value: Any, kind: type, name: str, remedy: str) -> None:
    """Raise TypeError unless a value is of a type; `remedy` ends the message."""
    if not isinstance(value, kind):
        raise TypeError(
            f"{name} is of type {type(value).__name__}, expected {kind.__name__}. {remedy}"
        )


def check_method(estimator: Any, method: str, remedy: str) -> None:
    """Raise AttributeError unless an estimator has a method; `remedy` ends the message."""
    if not hasattr(estimator, method):
        raise AttributeError(f"{type(estimator).__name__} has no {method}. {remedy}")


def check_exists(path: Any) -> str:
    """Return a path as text, or raise FileNotFoundError if nothing is there."""
    text = os.fspath(path)
    if os.path.exists(text):
        return text
    folder = Path(text).parent
    if not folder.is_dir():
        remedy = f"The folder {str(folder.absolute())!r} does not exist either. Check the path."
    else:
        names = [each.name for each in folder.iterdir()]
        otherwise = f"Check the path, which begins in {os.getcwd()!r}."
        if Path(text).is_absolute():
            otherwise = "Check the path."
        remedy = did_you_mean(Path(text).name, names, otherwise)
    raise FileNotFoundError(f"There is no file {text!r}. {remedy}")
