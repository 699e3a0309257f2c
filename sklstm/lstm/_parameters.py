"""The parameters of the estimators around one LSTM, and their constraints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklstm._files.checkpoint import Checkpoint
from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.tables import SERIES_NAME


@dataclass(eq=False, repr=False, kw_only=True)
class LSTMParameters(PanelEstimator):
    """Hold the parameters that all estimators share.

    They are fields of a dataclass, so that each subclass adds its own to the same constructor.
    :class:`sklstm.MultiSeriesLSTMRegressor` documents them.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "segment_length": [Interval(Integral, 1, None, closed="left")],
        "attention": ["boolean", Interval(Integral, 1, None, closed="left")],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left")],
        "layer_norm": ["boolean"],
        "skip": ["boolean"],
        "series_embedding": [Interval(Integral, 0, None, closed="left")],
        "static_features": ["array-like", str, Integral, None],
        "optimizer": "no_validation",
        "learning_rate": [Interval(Real, 0, None, closed="left"), HasMethods("get_config")],
        "learning_rate_decay": [StrOptions({"cosine"}), None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "steps_per_epoch": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "series_weight": "no_validation",
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "min_observed": [Interval(Integral, 1, None, closed="left"), None],
        "embargo": [Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_by": [StrOptions({"series", "time"})],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        # Not FrozenEstimator alone: fit has the better message for an estimator that is not frozen.
        "init_from": [HasMethods("fit"), None],
        "trainable": [StrOptions({"all", "head"}), Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, Checkpoint, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    hidden_units: int = field(default=64, kw_only=False)
    n_layers: int = 1
    segment_length: int = 1
    attention: bool | int = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    layer_norm: bool = False
    skip: bool = False
    series_embedding: int = 0
    static_features: Sequence[str | int] | str | int | None = None
    optimizer: Any = "adam"
    learning_rate: Any = 1e-3
    learning_rate_decay: Literal["cosine"] | None = None
    epochs: int = 30
    steps_per_epoch: int | None = None
    batch_size: int = 64
    series_weight: Any = "balanced"
    half_life: float | None = None
    min_observed: int | None = None
    embargo: int = 0
    early_stopping: bool = False
    validation_fraction: float = 0.1
    validation_by: Literal["series", "time"] = "series"
    n_iter_no_change: int = 10
    init_from: Any = None
    trainable: Literal["all", "head"] | int = "all"
    warm_start: bool = False
    callbacks: list[Any] | tuple[Any, ...] | None = None
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0
    series: str | int | None = None
    time: str | int | None = None


def check_callbacks(callbacks: Sequence[Any] | None) -> None:
    """Raise TypeError for callbacks that are none of Keras; Keras itself is not imported."""
    for callback in callbacks or ():
        if isinstance(callback, type) or not hasattr(callback, "set_model"):
            remedy = "Pass an instance of a subclass of keras.callbacks.Callback."
            if isinstance(callback, type):
                remedy = f"Create an instance: {callback.__name__}(...)."
            elif hasattr(callback, "on_fit_task_begin"):
                remedy = "Pass callbacks of scikit-learn with set_callbacks(...)."
            elif callable(callback):
                remedy = "Wrap a function: keras.callbacks.LambdaCallback(on_epoch_end=function)."
            raise TypeError(f"callbacks holds {callback!r}, expected callbacks of Keras. {remedy}")
