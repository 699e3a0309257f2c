"""Find the last step of a pipeline, and what it receives."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from sklstm._panel.checks import check_method

REMEDY = (
    "Pass a fitted estimator that has it, such as MultiSeriesLSTMRegressor, or a pipeline or "
    "search that ends in one."
)


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself if it is no pipeline."""
    return last_step(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def input_of_last_step(estimator: Any, X: Any, method: str) -> tuple[Any, Any]:
    """Return the last step of a pipeline or search, and X as this step receives it.

    `method` is the method that the last step must have.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            X = estimator[:-1].transform(X)
        return input_of_last_step(estimator[-1], X, method)
    check_method(estimator, method, REMEDY)
    return estimator, X
