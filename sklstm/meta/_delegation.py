"""Delegate to the estimator inside a meta-estimator: parameters, metadata, seeds, tags, methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils._metadata_requests import request_is_alias
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter

from sklstm._files.checkpoint import as_checkpoint, member_checkpoint
from sklstm._panel.last_step import last_step
from sklstm._panel.lives import without_censored
from sklstm.lstm._targets import check_targets, r2_score_known

# -------------------------------------------------------------------------- fit parameters


def fit_parameter(estimator, name: str) -> str:
    """Return the name of a parameter of the last step's `fit` in the `fit` of a pipeline."""
    if not isinstance(estimator, Pipeline):
        return name
    step, last = estimator.steps[-1]
    return f"{step}__{fit_parameter(last, name)}"


def takes_fit_parameter(estimator, name: str) -> bool:
    """Whether the `fit` of an estimator, or of a pipeline's last step, has a parameter."""
    return has_fit_parameter(last_step(estimator), name)


def weight_parameter(estimator) -> str | None:
    """Return the name of the `fit` parameter for sample weights; None if there is none.

    With metadata routing, it is the name that a pipeline requests, which may be an alias.
    """
    name = "sample_weight"
    if get_config()["enable_metadata_routing"]:
        if get_routing_for_object(estimator).consumes("fit", [name]):
            return name
        request = get_routing_for_object(last_step(estimator))
        alias = request.fit.requests.get(name) if hasattr(request, "fit") else None
        if not request_is_alias(alias):
            return None
        return alias if isinstance(estimator, Pipeline) else name
    return fit_parameter(estimator, name) if takes_fit_parameter(estimator, name) else None


def inner_fit_params(
    owner, inner: str, own: dict[str, Any], fit_params: dict[str, Any]
) -> dict[str, Any]:
    """Collect the parameters for the `fit` of the estimator inside a meta-estimator.

    Parameters
    ----------
    owner : estimator
        The meta-estimator.
    inner : str
        The parameter of `owner` that holds the inner estimator.
    own : dict
        Values of parameters of the owner's `fit` that the inner estimator receives too. With
        metadata routing, the requests decide instead. None values are not passed on.
    fit_params : dict
        Further parameters that were passed to the owner's `fit`.

    Returns
    -------
    dict
    """
    own = {name: value for name, value in own.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        return process_routing(owner, "fit", **own, **fit_params)[inner]["fit"]
    estimator = getattr(owner, inner)
    return fit_params | {fit_parameter(estimator, name): value for name, value in own.items()}


def check_no_validation_targets(name: str, params: dict[str, Any]) -> None:
    """Raise an error if the parameters of an inner `fit` hold targets that were not scaled."""
    if any(parameter.split("__")[-1] == "y_val" for parameter in params):
        raise ValueError(
            f"{name} scales y, but not the y_val of its regressor. Leave X_val and y_val out, and "
            "early stopping holds out a part of X (validation_fraction)."
        )


def route_fit(owner, **inner) -> MetadataRouter:
    """Route the metadata of the owner's `fit` to the `fit` of the inner estimator."""
    mapping = MethodMapping().add(caller="fit", callee="fit")
    return MetadataRouter(owner=owner).add_self_request(owner).add(**inner, method_mapping=mapping)


def set_seeds(estimator, random: np.random.RandomState, *, replace: bool = True) -> None:
    """Set each parameter named ``random_state`` of an estimator to a seed of its own.

    Parameters
    ----------
    estimator : estimator
        The parameters of nested estimators, such as the steps of a pipeline, are set too.
    random : RandomState
        It draws the seeds.
    replace : bool, default=True
        Whether to replace values that the user has set. False: only None is replaced.
    """
    seeds = {
        name: random.randint(np.iinfo(np.int32).max)
        for name, value in sorted(estimator.get_params().items())
        if name.split("__")[-1] == "random_state" and (replace or value is None)
    }
    if seeds:
        estimator.set_params(**seeds)


def separate_checkpoints(estimator, number: int) -> None:
    """Give the parameters named ``checkpoint`` of a member a folder of its own."""
    separate = {
        name: member_checkpoint(checkpoint, number)
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "checkpoint" and (checkpoint := as_checkpoint(value))
    }
    if separate:
        estimator.set_params(**separate)


# ------------------------------------------------------------------------ methods and tags


def has_quantiles(estimator) -> bool:
    """Whether an estimator predicts quantiles; raises its own AttributeError if not."""
    return callable(last_step(estimator).predict_quantiles)


def has_intervals(estimator) -> bool:
    """Whether an estimator predicts intervals; raises its own AttributeError if not."""
    return callable(last_step(estimator).prediction_interval)


def score_known(predicted, y, sample_weight, name: str) -> float:
    """Compute R2 of predictions, ignoring missing target elements.

    Parameters
    ----------
    predicted : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    sample_weight : array-like of shape (n_rows,) or None
    name : str
        Name of the estimator in error messages.

    Returns
    -------
    float
    """
    true, _ = check_targets(without_censored(y), len(predicted), name)
    predicted = predicted.reshape(len(predicted), -1)
    if predicted.shape != true.shape:
        raise ValueError(
            f"y has {true.shape[1]} outputs, {name} predicts {predicted.shape[1]}. Pass the "
            "outputs seen in fit."
        )
    return r2_score_known(true, predicted, sample_weight)


def copy_tags(tags, inner) -> None:
    """Copy the tags of the inner estimator that also hold for its meta-estimator."""
    tags.input_tags.allow_nan = inner.input_tags.allow_nan
    tags.target_tags.multi_output = inner.target_tags.multi_output
    kinds = [
        (tags.regressor_tags, inner.regressor_tags),
        (tags.classifier_tags, inner.classifier_tags),
    ]
    for own, others in kinds:
        if own is not None and others is not None:
            own.poor_score = others.poor_score
    tags.non_deterministic = inner.non_deterministic
