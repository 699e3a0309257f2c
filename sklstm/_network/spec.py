"""Describe the shape of a network. Imports no Keras."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

# A continued network may differ in these fields: they change no weight's shape.
MAY_CHANGE = ("trainable", "masked")


def category_vector_length(n_categories: int) -> int:
    """Return the length of the embedding vectors of categories, by the rule of fastai."""
    return min(math.ceil(1.6 * n_categories**0.56), 50)


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that fixes the shape of a network; equal specs build equal networks.

    Fields have the names of the regressor's parameters where there is one, since error messages
    show them.

    Attributes
    ----------
    window_length, n_features, n_outputs : int
        Shape of input and output.
    hidden_units : int
        Units of each LSTM layer, per direction.
    n_layers : int
        Number of stacked LSTM layers.
    segment_length : int
        Rows per recurrent step. Divides `window_length` unless padding is masked.
    dropout, recurrent_dropout : float
        Fraction of each LSTM layer's outputs, and of its recurrent states, dropped in training.
    skip : bool
        Whether the output layer also receives the window's last segment.
    attention : int
        Attention heads over the states of the last LSTM layer; 0: none.
    bidirectional : bool
        Whether each LSTM layer reads the window in both directions.
    layer_norm : bool
        Whether each LSTM layer's outputs are normalised.
    masked : bool
        Whether rows that hold NaN are padding, which the network skips.
    static_features : tuple of int
        Positions of the features that enter once instead of at each step.
    categories : tuple of (int, int)
        Of each feature whose values are codes of categories, its position and the number of
        categories that can have an embedding vector of their own.
    series_embedding, n_series : int
        Length of the series' embedding vectors (0: none), and the number of series that can have
        one of their own.
    trainable : int or None
        Number of top layers that training changes; None: all.
    dtype_policy : str
        Keras' dtype policy of the hidden layers; outputs are float32.
    quantiles : tuple of float or None
        Levels of the quantiles of each output, in ascending order; None: one number per output.
    logits : bool
        Whether the outputs are log-odds (one output) or unnormalised log-probabilities (several) of
        classes, and the targets are their indicators.
    """

    window_length: int
    n_features: int
    n_outputs: int
    hidden_units: int
    n_layers: int
    segment_length: int
    dropout: float
    recurrent_dropout: float = 0.0
    skip: bool = False
    attention: int = 0
    bidirectional: bool = False
    layer_norm: bool = False
    masked: bool = False
    static_features: tuple[int, ...] = ()
    categories: tuple[tuple[int, int], ...] = ()
    series_embedding: int = 0
    n_series: int = 0
    trainable: int | None = None
    dtype_policy: str = "float32"
    quantiles: tuple[float, ...] | None = None
    logits: bool = False

    @property
    def outputs(self) -> tuple[Any, ...]:
        """The fields that describe the outputs."""
        return self.n_outputs, self.quantiles, self.logits

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's output for one window."""
        outputs = (self.n_outputs,)
        return outputs if self.quantiles is None else (*outputs, len(self.quantiles))

    @property
    def n_segments(self) -> int:
        """Number of recurrent steps; where padding is masked, the oldest may hold fewer rows."""
        return -(-self.window_length // self.segment_length)

    def differences(self, other: NetworkSpec) -> dict[str, tuple[Any, Any]]:
        """Compare the fields that a continued network must share.

        Returns
        -------
        dict
            For each field that differs, its value here and in `other`.
        """
        here, there = asdict(self), asdict(other)
        return {
            name: (value, there[name])
            for name, value in here.items()
            if value != there[name] and name not in MAY_CHANGE
        }
