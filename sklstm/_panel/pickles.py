"""Pickle estimators with the version of the package, and ids as plain arrays."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import pandas as pd
from sklearn.exceptions import InconsistentVersionWarning

from sklstm._panel.pack import pack_index, unpack_index
from sklstm._version import __version__

_KEY = "_sklstm_version"


class PlainIds:
    """Mixin: the state of an object holds plain arrays in place of its pandas indexes.

    A pandas Index cannot be stored by skops, and its pickles depend on the version of pandas.
    Indexes without a plain form, such as those of Arrow, stay as they are.
    """

    def __getstate__(self) -> dict[str, Any]:
        # An object without attributes has None as its state.
        state: Any = super().__getstate__() or {}
        return {name: _pack(value) for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({name: _unpack(value) for name, value in state.items()})


class VersionedPickle(PlainIds):
    """Mixin: a pickle also holds the version of sklstm; unpickling warns if it is another one.

    scikit-learn does the same for its own estimators only.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = dict(state)
        version = attributes.pop(_KEY, "unknown")
        if version != __version__:
            warnings.warn(_OtherVersion(type(self).__name__, version), stacklevel=2)
        super().__setstate__(attributes)


def _pack(value: Any) -> Any:
    if isinstance(value, pd.Index):
        with suppress(TypeError):
            return {"packed": "index", **pack_index(value)}
    return value


def _unpack(value: Any) -> Any:
    is_packed = isinstance(value, dict) and value.get("packed") == "index"
    return unpack_index(value) if is_packed else value


class _OtherVersion(InconsistentVersionWarning):
    """Warn of an estimator that another version of sklstm has stored."""

    def __init__(self, name: str, version: str):
        super().__init__(
            estimator_name=name,
            current_sklearn_version=__version__,
            original_sklearn_version=version,
        )

    def __str__(self) -> str:
        return (
            f"{self.estimator_name} was stored by sklstm {self.original_sklearn_version}, and is "
            f"loaded by {self.current_sklearn_version}. It may fail or predict other values: fit "
            "it again, or load it with the version that stored it."
        )
