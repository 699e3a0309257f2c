"""Store the version of the package in the pickles of estimators."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from sklstm._version import __version__

_KEY = "_sklstm_version"


class VersionedPickle:
    """Mixin: a pickle holds the version of sklstm, and unpickling warns if it is another one.

    scikit-learn does the same for its own estimators only.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, _KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = dict(state)
        version = attributes.pop(_KEY, "unknown")
        if version != __version__:
            warnings.warn(_OtherVersion(type(self).__name__, version), stacklevel=2)
        super().__setstate__(attributes)  # type: ignore[misc]


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
