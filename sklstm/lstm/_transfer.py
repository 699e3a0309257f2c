"""Begin with the weights of a fitted regressor: which one, and what of it fits."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def frozen_source(init_from, kind):
    """Return the fitted regressor that `init_from` holds.

    Parameters
    ----------
    init_from : FrozenEstimator
        Around a fitted regressor, or a pipeline, a search or a regressor of scaled targets
        that holds one.
    kind : type
        What the regressor must be.

    Returns
    -------
    instance of kind
    """
    if not isinstance(init_from, FrozenEstimator):
        raise ValueError(
            f"init_from must be frozen, got {type(init_from).__name__}: pass "
            "sklearn.frozen.FrozenEstimator(fitted). A plain estimator would lose what it learned "
            "when a search clones it."
        )
    source = init_from.estimator
    while not isinstance(source, kind):
        if isinstance(source, Pipeline):
            source = source[-1]
        elif hasattr(source, "best_estimator_"):  # a search
            source = source.best_estimator_
        elif hasattr(source, "regressor_"):  # around scaled targets
            source = source.regressor_
        else:
            raise ValueError(
                f"init_from must hold a fitted {kind.__name__}, or a Pipeline, a search or a "
                f"regressor of scaled targets around one, got {type(source).__name__}."
            )
    check_is_fitted(source, "model_")
    return source


def copy_fitting(source, target, *, rows=None, head=True):
    """Copy the weights of a network that have the same name and shape in another one.

    Parameters
    ----------
    source, target : keras.Model
        `target` is changed.
    rows : ndarray of shape (n_target_rows,), default=None
        For each row of the target's table of series vectors, the row of the source's.
    head : bool, default=True
        Whether the outputs mean the same. If not, or if the head sees something else, it
        begins anew as a whole, with the scale of its outputs.

    Returns
    -------
    list of str
        Names of the target's weights that stay as they are, since the source has no such.
    """
    values = {weight.path: np.array(weight.value) for weight in source.variables}
    kernel = next(weight for weight in target.variables if weight.path == "head/kernel")
    head = head and values[kernel.path].shape == tuple(kernel.shape)
    remade = []
    for weight in target.variables:
        layer = weight.path.split("/")[0]
        if not weight.dtype.startswith(("float", "bfloat")):
            continue  # random states are the target's own
        found = values.get(weight.path)
        if layer == "embedding" and found is not None:
            found = found[rows]
        if layer in ("head", "target_scale") and not head:
            found = None
        if found is not None and found.shape == tuple(weight.shape):
            weight.assign(found)
        elif layer != "target_scale":  # it goes with the head
            remade.append(weight.path)
    return remade


def begin_with(source, model, network, numbers):
    """Copy what fits of a fitted regressor into a new network, and say what does not.

    Parameters
    ----------
    source : MultiSeriesLSTMRegressor
        Fitted; it stays as it is.
    model : keras.Model
        Changed.
    network : NetworkSpec
        Of `model`.
    numbers : ndarray of shape (n_series,)
        The numbers that the series of `model` have in the source, 0 for unseen ones.

    Returns
    -------
    list of str
        Names of the weights that are new.
    """
    there = source._network
    if (there.hidden_units, there.bidirectional) != (network.hidden_units, network.bidirectional):
        raise ValueError(
            f"init_from was fitted with hidden_units={there.hidden_units} and bidirectional="
            f"{there.bidirectional}, this regressor has {network.hidden_units} and "
            f"{network.bidirectional}: none of its LSTM's weights would fit. Set them alike."
        )
    rows = np.zeros(network.n_series + 1, np.intp)
    rows[1 : len(numbers) + 1] = numbers
    head = there.output_shape == network.output_shape and there.quantiles == network.quantiles
    remade = copy_fitting(source.model_, model, rows=rows, head=head)
    frozen = {weight.path for weight in model.non_trainable_variables}.intersection(remade)
    if frozen:
        raise ValueError(
            f"init_from has no weights that fit {sorted(frozen)}, and trainable would keep them as "
            "they were drawn: let training reach them, with trainable='all' or a larger number."
        )
    if remade:
        warnings.warn(
            f"init_from has no weights that fit {remade}: other numbers of features or outputs, "
            "other segments or layers. They begin anew; all others are copied.",
            UserWarning,
            stacklevel=5,
        )
    return remade
