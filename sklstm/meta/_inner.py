"""Check the estimator inside a meta-estimator."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier


def check_inner(name: str, inner: Any, *, is_regressor: bool) -> None:
    """Raise TypeError for a class in place of an instance, and for a classifier among regressors.

    Parameters
    ----------
    name : str
        Name of the meta-estimator.
    inner : estimator
    is_regressor : bool
        Whether the meta-estimator is a regressor.
    """
    if isinstance(inner, type):
        raise TypeError(
            f"{name} takes an estimator, got the class {inner.__name__}. Create an instance: "
            f"{inner.__name__}(...)."
        )
    if is_regressor and hasattr(inner, "__sklearn_tags__") and is_classifier(inner):
        raise TypeError(
            f"{name} predicts numbers, got a {type(inner).__name__} that predicts classes. Pass a "
            "regressor, or use SeriesEnsembleClassifier for classes."
        )
