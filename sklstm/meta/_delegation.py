"""Delegate to the estimator inside a meta-estimator."""

from __future__ import annotations

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklstm.lstm._targets import r2_of_known, read_targets


def fit_parameter(regressor, name):
    """Name under which the fit parameter `name` reaches the last step of pipelines."""
    if not isinstance(regressor, Pipeline):
        return name
    step, last = regressor.steps[-1]
    return f"{step}__{fit_parameter(last, name)}"


def last_step(regressor):
    """Return the last step of a pipeline, and anything else as it is."""
    return last_step(regressor[-1]) if isinstance(regressor, Pipeline) else regressor


def predict_quantiles(regressor, X):
    """Quantiles of a regressor, or of a pipeline whose last step has them."""
    if not isinstance(regressor, Pipeline):
        return regressor.predict_quantiles(X)
    if len(regressor) > 1:
        X = regressor[:-1].transform(X)
    return predict_quantiles(regressor[-1], X)


def score_of_known(predicted, y, sample_weight, name):
    """Score predictions by R2, missing target elements left out.

    Parameters
    ----------
    predicted : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    sample_weight : array-like of shape (n_rows,) or None
    name : str
        Who predicts, for the messages.

    Returns
    -------
    float
    """
    true, _ = read_targets(y, len(predicted), name)
    predicted = predicted.reshape(len(predicted), -1)
    if predicted.shape != true.shape:
        raise ValueError(f"y has {true.shape[1]} outputs, {name} predicts {predicted.shape[1]}.")
    return r2_of_known(true, predicted, sample_weight)


def route_fit(owner, **inner):
    """Route the metadata of `fit` to the `fit` of the estimator within."""
    mapping = MethodMapping().add(caller="fit", callee="fit")
    return MetadataRouter(owner=owner).add_self_request(owner).add(**inner, method_mapping=mapping)


def take_tags(tags, inner):
    """Let a meta-estimator promise what the regressor within does."""
    tags.input_tags.allow_nan = inner.input_tags.allow_nan
    tags.target_tags.multi_output = inner.target_tags.multi_output
    if inner.regressor_tags is not None:
        tags.regressor_tags.poor_score = inner.regressor_tags.poor_score
    tags.non_deterministic = inner.non_deterministic
