"""Find fitted parts of an estimator and their parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and the fitted estimators inside it, outer ones first.

    Parameters
    ----------
    estimator : estimator
        It may contain others: the steps of a pipeline, the best estimator of a search, the
        regressor of a meta-estimator, or the members of an ensemble.

    Yields
    ------
    estimator
    """
    yield estimator
    if isinstance(estimator, Pipeline):
        inner = [step for _, step in estimator.steps]
    else:
        names = ("best_estimator_", "regressor_")
        inner = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
        inner += list(getattr(estimator, "estimators_", ()))
    for part in inner:
        yield from parts_of(part)


def id_columns(estimator: Any, series: Any, time: Any) -> tuple[Any, Any]:
    """Return the names of the ids and of the time: each as given, or else that of an estimator.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator. The first part of it that names the ids of its rows is read.
    series, time : str, int or None
        The names that the user gave.

    Returns
    -------
    series, time : str, int or None
    """
    for part in parts_of(estimator):
        names = getattr(part, "series", None), getattr(part, "time", None)
        if names != (None, None):
            return names[0] if series is None else series, names[1] if time is None else time
    return series, time


def quantile_levels(estimator: Any) -> np.ndarray | None:
    """Return the levels of the quantiles that an estimator predicts; None if it predicts none."""
    for part in parts_of(estimator):
        levels = getattr(part, "quantiles_", None)
        if levels is not None:
            return np.asarray(levels, dtype=float)
    return None
