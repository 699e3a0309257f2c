"""Compare the ids that the steps inside a meta-estimator name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from sklstm._panel.forgotten import ROLES, describe_step, warn_of_id_as_feature
from sklstm._panel.read import as_table, column_position
from sklstm._panel.windows import Windows
from sklstm.preprocessing import PerSeriesScaler


def warn_of_ids_as_features(owner: Any, inner: Any, X: Any) -> None:
    """Warn if the id or time of one step enters as a feature in another.

    Parameters
    ----------
    owner : estimator
        The meta-estimator, with parameters `series` and `time`.
    inner : estimator
        The estimator inside. Of a pipeline, only the steps that receive the columns of X are
        compared: scalers of sklstm and the step after them.
    X : Windows, DataFrame or array-like
        The X of `fit`.
    """
    if isinstance(X, Windows) or issparse(X) or getattr(X, "ndim", 2) != 2:
        return
    X = as_table(X)
    readers = list(_readers(inner))
    named: dict[int, tuple[str, str]] = {}
    for step in (owner, *readers):
        for position, role in _id_positions(step, X).items():
            named.setdefault(position, (role, type(step).__name__))
    for number, step in enumerate(readers):
        known = set(_id_positions(step, X))
        if getattr(step, "columns", None) is not None:
            continue
        if hasattr(X, "columns"):
            # Steps compare the columns of a DataFrame with those of the scaler before them.
            known.update(*(_id_positions(each, X) for each in readers[:number]))
        for position in named.keys() - known:
            role, by = named[position]
            name = X.columns[position] if hasattr(X, "columns") else position
            warn_of_id_as_feature(name, role, by, describe_step(step))


def _readers(estimator: Any) -> Iterator[Any]:
    """Yield the steps with parameters `series` and `time` that receive the columns of X."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from _readers(step)
            if not isinstance(step, PerSeriesScaler):
                return
        return
    inner = getattr(estimator, "regressor", getattr(estimator, "estimator", None))
    if inner is not None:
        yield from _readers(inner)
    elif hasattr(estimator, "series") and hasattr(estimator, "time"):
        yield estimator


def _id_positions(step: Any, X: Any) -> dict[int, str]:
    """Return the positions of the columns that a step names as id or time."""
    names = {role: getattr(step, role) for role in ROLES}
    positions = {role: column_position(X, name) for role, name in names.items() if name is not None}
    return {position: role for role, position in positions.items() if position is not None}
