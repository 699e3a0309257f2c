"""The Keras network: layers and their builder. No data, no scikit-learn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True)
class NetworkSpec:
    """All that fixes the shape of a network; equal specs build equal networks.

    Attributes
    ----------
    window_length, n_features, n_outputs : int
        Shape of input and output.
    hidden_units : int
        Units of each LSTM layer.
    n_layers : int
        LSTM layers on top of one another.
    segment_length : int
        Rows that enter the LSTM at once; divides `window_length`.
    dropout : float
        Share of each LSTM layer's outputs that training drops.
    skip : bool
        Whether the head sees the last segment beside the LSTM's state.
    policy : str
        Keras' dtype policy of the hidden layers; outputs are float32.
    quantiles : tuple of float or None
        Levels of the quantiles of each output, rising; None: one number each.
    """

    window_length: int
    n_features: int
    n_outputs: int
    hidden_units: int
    n_layers: int
    segment_length: int
    dropout: float
    skip: bool = False
    policy: str = "float32"
    quantiles: tuple[float, ...] | None = None

    @property
    def output_shape(self):
        """Shape of what the network returns for one window."""
        outputs = (self.n_outputs,)
        return outputs if self.quantiles is None else (*outputs, len(self.quantiles))


@keras.saving.register_keras_serializable("sklstm")
class TargetScale(keras.layers.Layer):
    """Map the net's unit-size outputs to the units of the targets.

    ``offset + scale * x`` with one fixed pair an output, the same for all its quantiles: the
    net learns in numbers near 1 whatever the targets' units are, and losses are in these
    units all the same.
    """

    def build(self, input_shape):
        """Make the two fixed weights."""
        shape = (input_shape[1], *(1 for _ in input_shape[2:]))
        self.offset = self.add_weight(shape, "zeros", trainable=False, name="offset")
        self.scale = self.add_weight(shape, "ones", trainable=False, name="scale")

    def call(self, inputs):
        """Apply the map."""
        return self.offset + self.scale * inputs


@keras.saving.register_keras_serializable("sklstm")
class Sort(keras.layers.Layer):
    """Sort along the last axis: quantiles never cross.

    Being the last operation, it keeps its promise whatever rounding did before.
    """

    def call(self, inputs):
        """Sort."""
        return keras.ops.sort(inputs, axis=-1)


def first_guess(spec: NetworkSpec):
    """Where outputs start, in deviations from the mean of the targets: a normal's quantiles.

    Starting apart and in order, few of them cross early on and are sorted to another level.
    """
    if spec.quantiles is None:
        return 0.0
    return np.tile(ndtri(spec.quantiles), spec.n_outputs).tolist()


def build_network(spec: NetworkSpec, seed: int, kind=keras.Model) -> keras.Model:
    """Build a network of shape `spec`, with weights drawn from `seed` alone.

    Parameters
    ----------
    spec : NetworkSpec
    seed : int
        Every layer gets its own seed from it; no global random state is touched.
    kind : subclass of keras.Model, default=keras.Model

    Returns
    -------
    keras.Model
        From (n, window_length, n_features) to (n, *spec.output_shape), not compiled.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(5 * spec.n_layers + 1).tolist())

    def glorot():
        return keras.initializers.GlorotUniform(seed=next(seeds))

    segments = spec.window_length // spec.segment_length
    inputs = keras.Input((spec.window_length, spec.n_features), name="window")
    x = inputs
    if spec.segment_length > 1:
        x = keras.layers.Reshape((segments, spec.segment_length * spec.n_features))(x)
    last_segment = x[:, -1] if spec.skip else None
    for layer in range(spec.n_layers):
        x = keras.layers.LSTM(
            spec.hidden_units,
            return_sequences=layer < spec.n_layers - 1,
            kernel_initializer=glorot(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            seed=next(seeds),
            dtype=spec.policy,
        )(x)
        if spec.dropout > 0:
            x = keras.layers.Dropout(spec.dropout, seed=next(seeds), dtype=spec.policy)(x)
    if spec.skip:
        x = keras.layers.Concatenate(dtype=spec.policy)([x, last_segment])
    head = keras.layers.Dense(
        math.prod(spec.output_shape),
        kernel_initializer=glorot(),
        bias_initializer=keras.initializers.Constant(first_guess(spec)),
        dtype="float32",
        name="head",
    )
    x = head(x)
    if spec.quantiles is not None:
        x = keras.layers.Reshape(spec.output_shape, dtype="float32")(x)
    outputs = TargetScale(dtype="float32", name="target_scale")(x)
    if spec.quantiles is not None:
        outputs = Sort(dtype="float32")(outputs)
    return kind(inputs, outputs, name="sklstm")
