"""Let methods of estimators accept data that are read block by block."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np
from sklearn.utils._set_output import _auto_wrap_is_configured, _get_output_config
from sklearn.utils.validation import check_is_fitted

from sklstm._bar import follow
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.panel_dataset import PanelDataset

Method = TypeVar("Method", bound=Callable[..., Any])


def check_block_series(estimator: Any, X: Blocks) -> None:
    """Check that the series of an estimator are those that are whole in each block."""
    if isinstance(X, PanelDataset) and estimator.series != X.series:
        raise _other_series(type(estimator).__name__, estimator.series, X.series)


def check_series_of_parts(estimator: Any, X: PanelDataset) -> None:
    """Check each part of an estimator that names the ids, such as a step of a pipeline.

    It will receive one block after the other as a DataFrame. None is permitted, since parts that
    receive windows name no ids, and so is what is no name of a column.
    """
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    for name, value in parameters.items():
        *owners, last = name.split("__")
        if last != "series" or not isinstance(value, (str, int, np.integer)):
            continue
        n_columns = len(X.columns)
        is_position = isinstance(value, (int, np.integer)) and -n_columns <= value < n_columns
        if (X.columns[int(value)] if is_position else value) != X.series:
            raise _other_series(owners[-1] if owners else type(estimator).__name__, value, X.series)


def _other_series(name: str, found: Any, expected: str) -> ValueError:
    return ValueError(
        f"{name} has series={found!r}, and the blocks of the PanelDataset hold whole series of "
        f"{expected!r}. Set series={expected!r} in {name}."
    )


def transforms_blocks(method: Method) -> Method:
    """Let a transformation return Blocks for Blocks, each transformed when it is read.

    The estimator may be fitted again before that: a copy of its present state transforms.
    """

    def transform(self: Any, X: Blocks) -> Blocks:
        if method.__name__ == "transform":
            _check_output(self)
        return X.map(partial(getattr(type(self), method.__name__), copy(self)))

    return _for_blocks(method, transform)


def _check_output(transformer: Any) -> None:
    """Raise an error if scikit-learn would convert the transformed blocks to one DataFrame."""
    output = _get_output_config("transform", transformer)["dense"]
    if output != "default" and _auto_wrap_is_configured(transformer):
        raise ValueError(
            f"The output is set to {output!r} by set_output or in scikit-learn's configuration, "
            "but a PanelDataset is transformed block by block, and each block becomes a DataFrame "
            "of pandas. Call set_output(transform='default') on the "
            f"{type(transformer).__name__}."
        )


def concatenate_blocks(
    estimator: Any, X: Blocks, function: Callable[[Any], np.ndarray]
) -> np.ndarray:
    """Apply a function of an estimator to each block, and concatenate the arrays.

    With `verbose=1`, the estimator shows a progress bar.
    """
    with follow(X.n_blocks, "block", title="predict", show=estimator.verbose == 1) as progress:

        def apply(block: Any) -> np.ndarray:
            with progress.step():
                return function(block)

        return X.concatenate(apply)


def concatenates_blocks(method: Method) -> Method:
    """Let a method that returns an array per row accept Blocks: it is applied to each block."""

    def concatenate(self: Any, X: Blocks) -> np.ndarray:
        return concatenate_blocks(self, X, partial(method, self))

    return _for_blocks(method, concatenate)


def _for_blocks(method: Method, apply: Callable[[Any, Blocks], Any]) -> Method:
    """Call `apply` in place of a method of a fitted estimator if X is read block by block."""

    @wraps(method)
    def either(self: Any, X: Any) -> Any:
        if not isinstance(X, Blocks):
            return method(self, X)
        check_is_fitted(self)
        check_block_series(self, X)
        return apply(self, X)

    return either  # type: ignore[return-value]
