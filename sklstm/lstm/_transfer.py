"""Copy the weights of a fitted network into a new one."""

from __future__ import annotations

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.user_warnings import warn_user


def frozen_source(init_from, kind):
    """Return the fitted regressor inside `init_from`.

    Parameters
    ----------
    init_from : FrozenEstimator
        Around a fitted regressor, or around a pipeline, a search or a regressor of scaled targets
        that contains one.
    kind : type
        Required type of the regressor.

    Returns
    -------
    instance of kind
    """
    if not isinstance(init_from, FrozenEstimator):
        raise ValueError(
            f"init_from must be frozen, got {type(init_from).__name__}: pass "
            "sklearn.frozen.FrozenEstimator(fitted). A search would clone an estimator that is not "
            "frozen, and a clone is not fitted."
        )
    source = init_from.estimator
    while not isinstance(source, kind):
        if isinstance(source, Pipeline):
            source = source[-1]
        elif hasattr(source, "best_estimator_"):  # a search
            source = source.best_estimator_
        elif hasattr(source, "regressor_"):  # a regressor of scaled targets
            source = source.regressor_
        else:
            raise ValueError(
                "init_from must hold a fitted MultiSeriesLSTMRegressor, or a Pipeline, a search or "
                f"a regressor of scaled targets around one, got {type(source).__name__}."
            )
    check_is_fitted(source, "model_")
    return source


def transfer_weights(source, target, same_outputs=True) -> None:
    """Copy the weights of a fitted network where name and shape agree.

    The names of the other weights are stored in ``target.reinitialized_weights``, and a warning
    lists them.

    Parameters
    ----------
    source : FittedNetwork
        Is not changed.
    target : FittedNetwork
        A new network, whose model is changed.
    same_outputs : bool, default=True
        Whether outputs of the same spec have the same meaning.

    Raises
    ------
    ValueError
        If no LSTM weights could be copied, the features have another order, or weights that
        training would not change could not be copied.
    """
    _check_compatible(source, target)
    here, there = target.spec, source.spec
    rows = embedding_rows(source, target) | category_rows(source, target)
    head = same_outputs and there.outputs == here.outputs
    new = copy_matching(source.model, target.model, rows=rows, head=head)
    frozen = {weight.path for weight in target.model.non_trainable_variables}.intersection(new)
    if frozen:
        raise ValueError(
            f"init_from has no weights for {sorted(frozen)}, and trainable={here.trainable} would "
            "keep their random initial values. Train these layers too: set trainable='all' or a "
            "larger number."
        )
    if new:
        warn_user(
            f"init_from has no weights for {new}: the number of features or outputs, the segment "
            "length or the layers differ. These weights are reinitialised; all others are copied. "
            "To copy all, use the same features, outputs and parameters."
        )
    target.reinitialized_weights = new


def embedding_rows(source, target) -> dict[str, np.ndarray]:
    """Match the embedding vectors of series by their ids; new series get that of unseen ones."""
    rows = np.zeros(target.spec.n_series + 1, np.intp)
    if target.embedded_ids is not None and source.embedded_ids is not None:
        warn_of_retyped_ids(source.embedded_ids, target.embedded_ids)
        found = source.embedded_ids.get_indexer(target.embedded_ids) + 1
        rows[1 : len(found) + 1] = found
    return {"embedding/embeddings": rows}


def category_rows(source, target) -> dict[str, np.ndarray]:
    """Match the embedding vectors of categories; new categories get that of unknown ones."""
    sizes, sources = (
        dict(target.spec.categories),
        {each.position: each for each in source.categories},
    )
    matched = {}
    for feature in target.categories:
        if feature.position in sources:
            rows = np.full(sizes[feature.position], -1)
            found = sources[feature.position].categories.get_indexer(feature.categories)
            rows[: len(found)] = found
            matched[f"category_{feature.position}/differences"] = rows
    return matched


def _check_compatible(source, target):
    """Raise an error if no LSTM weights fit, or if the features have another order."""
    here, there = target.feature_names, source.feature_names
    if here and there and here != there and sorted(here) == sorted(there):
        raise ValueError(
            f"init_from was fitted on the features {there}; X has the same in another order: "
            f"{here}. Put them into the same order."
        )
    new, old = target.spec, source.spec
    if (old.hidden_units, old.bidirectional) != (new.hidden_units, new.bidirectional):
        raise ValueError(
            f"init_from was fitted with hidden_units={old.hidden_units} and bidirectional="
            f"{old.bidirectional}, this regressor has {new.hidden_units} and {new.bidirectional}: "
            "none of its LSTM weights could be copied. Set both to the same values."
        )


def copy_matching(source, target, *, rows, head) -> list[str]:
    """Copy the weights of a model that have the same name and shape in another one.

    Parameters
    ----------
    source, target : keras.Model
        `target` is changed.
    rows : dict of ndarray of shape (n_target_rows,)
        By weight of an embedding: the row of the source's for each row of the target's, -1 for
        zeros.
    head : bool
        Whether the outputs have the same meaning. If not, or if the inputs of the output layer
        differ, the whole layer and the scale of its outputs are kept as they are.

    Returns
    -------
    list of str
        Names of the target's weights that were not copied.
    """
    values = {weight.path: np.array(weight.value) for weight in source.variables}
    kernel = next(weight for weight in target.variables if weight.path == "head/kernel")
    head = head and values[kernel.path].shape == tuple(kernel.shape)
    new = []
    for weight in target.variables:
        layer = weight.path.split("/")[0]
        if not weight.dtype.startswith(("float", "bfloat")):
            continue  # each network has its own random states
        found = values.get(weight.path)
        if weight.path in rows and found is not None:
            found = np.append(found, np.zeros_like(found[:1]), axis=0)[rows[weight.path]]
        if layer in ("head", "target_scale") and not head:
            found = None
        if found is not None and found.shape == tuple(weight.shape):
            weight.assign(found)
        elif layer != "target_scale":  # part of the head
            new.append(weight.path)
    return new
