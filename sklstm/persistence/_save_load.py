"""Save an estimator to one file, and load it."""

from __future__ import annotations

import os
from textwrap import shorten
from typing import Any

from sklearn.base import BaseEstimator

from sklstm._files.container import ModelFileError, read_container, write_container
from sklstm._panel.checks import check_exists
from sklstm.persistence import _arrays, _networks, _objects, _plain, _tables
from sklstm.persistence._graph import Decoder, Encoder

KIND = "model"
CODECS = [
    codec for module in (_plain, _arrays, _tables, _objects, _networks) for codec in module.CODECS
]


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Save an estimator or a pipeline to one file that holds no code.

    Everything is kept that predictions and further training need: parameters, learnt tables and
    rows, the weights of networks and the state of their optimizers. The file is written completely
    or not at all; an existing file is replaced in one step.

    Parameters
    ----------
    estimator : estimator
        One of sklstm, or one of scikit-learn around them or beside them, such as a pipeline; fitted
        or not. ``docs/model_files.md`` lists scikit-learn's classes.
    path : path-like
        The name of the file, with any extension.

    Raises
    ------
    TypeError
        If a part cannot be saved, such as a function as loss or a callback. The message names the
        parameter or attribute, and nothing is written.
    OSError
        If the file cannot be written. An existing file is unchanged then.

    See Also
    --------
    load : Load the estimator.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import sklstm
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> scaler = sklstm.PerSeriesScaler(series=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "scaler.sklstm"
    ...     sklstm.save(scaler, path)
    ...     loaded = sklstm.load(path)
    >>> bool((loaded.transform(X) == scaler.transform(X)).all())
    True
    """
    encoder = Encoder(CODECS)
    if not isinstance(estimator, BaseEstimator):
        remedy = "Pass an instance of an estimator or a pipeline first."
        if isinstance(path, BaseEstimator):
            remedy = "Swap the two."
        raise TypeError(
            "save takes an estimator and a path, got "
            f"{shorten(repr(estimator), 60)} of type {type(estimator).__qualname__} and a "
            f"{type(path).__qualname__}. {remedy}"
        )
    root = encoder.value(estimator, ())
    write_container(path, KIND, {"objects": encoder.entries, "root": root}, encoder.arrays)


def load(path: str | os.PathLike[str]) -> Any:
    """Load an estimator from a file of `save`.

    The file is never unpickled, and no class, module or function is looked up by a name in the file
    except in fixed lists. Its sizes and its checksum are verified before anything is built. The
    checksum finds damage; it does not show who has written the file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    estimator
        It predicts the same numbers as the saved one, and can be trained further.

    Raises
    ------
    ModelFileError
        If the file is damaged, incomplete or not permitted. A subclass of ValueError.
    OSError
        If the file cannot be read.

    Warns
    -----
    InconsistentVersionWarning
        If another version of sklstm or of scikit-learn has saved the estimator.

    See Also
    --------
    save : Save an estimator.
    """
    document, arrays, _ = read_container(check_exists(path), KIND)
    try:
        loaded = Decoder(CODECS, arrays).decode(document["objects"], document["root"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} holds no valid estimator: {error}") from error
    if not isinstance(loaded, BaseEstimator):
        raise ModelFileError(f"{path} holds a {type(loaded).__qualname__}, expected an estimator.")
    return loaded
