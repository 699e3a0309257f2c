"""Build the Keras network from its spec. No data, no scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from scipy.special import ndtri

from sklstm._network.layers import (
    CategoryEmbedding,
    DenseGradientEmbedding,
    SeriesDropout,
    Sort,
    TargetScale,
)
from sklstm._network.spec import NetworkSpec, category_vector_length

# Fraction of the training rows that train the embedding vector of unseen series.
SERIES_DROPOUT = 0.2
# The same for unknown categories.
CATEGORY_DROPOUT = 0.1


def build_network(spec: NetworkSpec, seed: int, kind=keras.Model) -> keras.Model:
    """Build a network of shape `spec`, with weights drawn from `seed` alone.

    Parameters
    ----------
    spec : NetworkSpec
    seed : int
        Every layer gets a seed of its own, derived from this one. No global random state is used.
    kind : subclass of keras.Model, default=keras.Model

    Returns
    -------
    keras.Model
        Not compiled; maps (n, window_length, n_features) to (n, *spec.output_shape). With
        `series_embedding`, the input is a dict: "window" holds the windows and "series" the
        embedding index per window, 1 for the first series and 0 for unseen ones.
    """
    make = LayerMaker(spec, seed)
    window = keras.Input((spec.window_length, spec.n_features), name="window")
    inputs: Any = window
    x, mask = find_padding(window, spec) if spec.masked else (window, None)
    constants = []  # per window, not per step
    if spec.static_features:
        constants.append(make.features(x[:, -1], spec.static_features))
    if spec.static_features or spec.categories:
        moving = [place for place in range(spec.n_features) if place not in spec.static_features]
        x = make.features(x, moving)
    if spec.series_embedding:
        inputs = {"window": window, "series": keras.Input((), dtype="int32", name="series")}
        constants.append(make.embedding(inputs["series"]))
    constant = concatenate(constants, spec)
    x, mask = make.segments(x, mask)
    last_segment = x[:, -1]
    for number in range(1, spec.n_layers + 1):
        x = make.lstm(x, mask, number, constant if number == 1 else None)
    if spec.attention:
        x = make.attention(x, mask)
    skipped = [last_segment] if spec.skip else []
    x = concatenate([x, *skipped, *constants], spec)
    model = kind(inputs, make.outputs(x), name="sklstm")
    if spec.trainable is not None:
        for layer in frozen_layers(model, spec):
            layer.trainable = False
    return model


class LayerMaker:
    """Create the layers of one network, each with its own seed and a fixed name."""

    def __init__(self, spec: NetworkSpec, seed: int):
        self.spec = spec
        # Enough seeds for the largest network; a longer list starts with the same seeds.
        self.seeds = iter(
            np.random.SeedSequence(seed)
            .generate_state(9 * spec.n_layers + 16 + 2 * len(spec.categories))
            .tolist()
        )

    def glorot(self):
        """Create the initializer of input weights."""
        return keras.initializers.GlorotUniform(seed=next(self.seeds))

    def dense(self, units, name, **options):
        """Create a dense layer."""
        options = {"dtype": self.spec.dtype_policy, **options}
        return keras.layers.Dense(units, kernel_initializer=self.glorot(), name=name, **options)

    def features(self, x, places):
        """Select features, with embedding vectors in place of the codes of categories."""
        sizes = dict(self.spec.categories)
        numbers = [place for place in places if place not in sizes]
        parts = [keras.ops.take(x, numbers, axis=-1)] if numbers else []
        for place in places:
            if place in sizes:
                codes = keras.ops.cast(keras.ops.take(x, place, axis=-1), "int32")
                parts.append(self.category(codes, place, sizes[place]))
        return concatenate(parts, self.spec)

    def category(self, codes, place, n_categories):
        """Look up the embedding vector of each category of the feature at `place`."""
        codes = SeriesDropout(CATEGORY_DROPOUT, next(self.seeds), name=f"drop_category_{place}")(
            codes
        )
        return CategoryEmbedding(
            n_categories,
            category_vector_length(n_categories),
            next(self.seeds),
            dtype=self.spec.dtype_policy,
            name=f"category_{place}",
        )(codes)

    def embedding(self, indices):
        """Look up the embedding vector of each series; the first vector is for unseen series."""
        indices = SeriesDropout(SERIES_DROPOUT, next(self.seeds), name="drop_ids")(indices)
        return DenseGradientEmbedding(
            self.spec.n_series + 1,
            self.spec.series_embedding,
            embeddings_initializer=keras.initializers.RandomUniform(seed=next(self.seeds)),
            dtype=self.spec.dtype_policy,
            name="embedding",
        )(indices)

    def segments(self, x, mask):
        """Concatenate the rows of each segment; a segment is masked if all its rows are."""
        spec = self.spec
        if spec.segment_length == 1:
            return x, mask
        width = spec.segment_length * x.shape[-1]
        x = keras.layers.Reshape((spec.n_segments, width), dtype=spec.dtype_policy)(x)
        if mask is not None:
            mask = keras.ops.reshape(mask, (-1, spec.n_segments, spec.segment_length))
            mask = keras.ops.any(mask, axis=-1)
        return x, mask

    def lstm(self, x, mask, number, constant):
        """Apply an LSTM layer.

        The layer returns all states if another LSTM layer or the attention follows. Its initial
        state is computed from `constant`, the features that are constant within a window; it is 0
        where that is None.
        """
        spec, name = self.spec, f"lstm_{number}"
        return_states = number < spec.n_layers or spec.attention > 0
        layer: Any = self._recurrence(name, mask, return_states)
        if spec.bidirectional:
            # A backward layer of its own, since Keras would copy the forward layer's seeds.
            back = self._recurrence(f"{name}_backwards", mask, return_states, go_backwards=True)
            layer = keras.layers.Bidirectional(
                layer, backward_layer=back, dtype=spec.dtype_policy, name=f"{name}_both_ways"
            )
        x = layer(x, mask=mask, initial_state=self._initial_state(number, constant))
        if spec.layer_norm:
            x = keras.layers.LayerNormalization(dtype=spec.dtype_policy, name=f"norm_{number}")(x)
        if spec.dropout > 0:
            dropout = keras.layers.Dropout(
                spec.dropout, seed=next(self.seeds), dtype=spec.dtype_policy
            )
            x = dropout(x)
        return x

    def _recurrence(self, name, mask, return_states, **options):
        spec = self.spec
        return keras.layers.LSTM(
            spec.hidden_units,
            return_sequences=return_states,
            kernel_initializer=self.glorot(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(self.seeds)),
            recurrent_dropout=spec.recurrent_dropout,
            seed=next(self.seeds),
            # cuDNN's kernels support padding only behind the rows.
            use_cudnn="auto" if mask is None else False,
            dtype=spec.dtype_policy,
            name=name,
            **options,
        )

    def _initial_state(self, number, constant):
        if constant is None:
            return None
        return [
            self.dense(self.spec.hidden_units, f"begin_{number}_{part}", activation="tanh")(
                constant
            )
            for part in range(4 if self.spec.bidirectional else 2)
        ]

    def attention(self, states, mask):
        """Concatenate one weighted sum of the states per head with the last state.

        The weights are computed from each state and the last one by a small network (additive
        attention; Bahdanau et al., 2015).
        """
        spec, last = self.spec, states[:, -1]
        keys = self.dense(spec.hidden_units, "attention_keys", use_bias=False)(states)
        query = self.dense(spec.hidden_units, "attention_query")(last)
        match = keras.ops.tanh(keys + keras.ops.expand_dims(query, 1))
        scores = self.dense(spec.attention, "attention_scores", use_bias=False)(match)
        if mask is not None:
            scores = keras.ops.where(keras.ops.expand_dims(mask, -1), scores, -math.inf)
        # Not Keras' softmax, which warns of windows of one step.
        weights = keras.ops.exp(scores - keras.ops.logsumexp(scores, axis=1, keepdims=True))
        weights = keras.layers.Identity(dtype=spec.dtype_policy, name="attention")(weights)
        sums = keras.ops.einsum("nth,ntu->nhu", weights, states)
        flat = keras.layers.Flatten(dtype=spec.dtype_policy)
        return keras.layers.Concatenate(dtype=spec.dtype_policy)([flat(sums), last])

    def outputs(self, x):
        """Apply the output layer and map its values to the units of the targets."""
        spec = self.spec
        x = self.dense(
            math.prod(spec.output_shape),
            "head",
            bias_initializer=keras.initializers.Constant(initial_outputs(spec)),
            dtype="float32",
        )(x)
        if spec.quantiles is not None:
            x = keras.layers.Reshape(spec.output_shape, dtype="float32")(x)
        x = TargetScale(dtype="float32", name="target_scale")(x)
        return x if spec.quantiles is None else Sort(dtype="float32")(x)


def initial_outputs(spec: NetworkSpec):
    """Return the initial bias of the output layer, in deviations from the mean of the targets.

    Quantiles start at those of a normal distribution. Since they start apart and in order, few of
    them cross and are sorted to another level early in training.
    """
    if spec.quantiles is None:
        return 0.0
    return np.tile(ndtri(spec.quantiles), spec.n_outputs).tolist()


def find_padding(window, spec: NetworkSpec):
    """Replace NaN by 0 and mark the rows without NaN.

    Padding is added in front where the oldest segment is incomplete.

    Returns
    -------
    window, mask : tensors of shape (n, n_rows, n_features) and (n, n_rows)
    """
    n_added = spec.n_segments * spec.segment_length - spec.window_length
    if n_added:
        padding = ((0, 0), (n_added, 0), (0, 0))
        window = keras.ops.pad(window, padding, constant_values=float("nan"))
    missing = keras.ops.isnan(window)
    mask = keras.ops.logical_not(keras.ops.any(missing, axis=-1))
    return keras.ops.where(missing, keras.ops.zeros_like(window), window), mask


def concatenate(parts, spec: NetworkSpec):
    """Concatenate vectors; return None for an empty list."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return keras.layers.Concatenate(dtype=spec.dtype_policy)(parts)


def frozen_layers(model, spec: NetworkSpec):
    """Return the layers with weights below the top `spec.trainable` ones.

    From the top: the output layer, the attention if there is one, and each LSTM layer with its
    normalisation. The layers for static features, categories and embeddings belong to the first
    LSTM layer.
    """
    groups = [["head"]]
    groups += [["attention"]] if spec.attention else []
    groups += [[f"lstm_{number}", f"norm_{number}"] for number in range(spec.n_layers, 0, -1)]
    groups[-1] += ["begin", "embedding", "category"]
    frozen = [name for group in groups[spec.trainable :] for name in group]
    parts = tuple(f"{name}_" for name in frozen)  # lstm_1_both_ways, but not lstm_12
    return [layer for layer in model.layers if layer.name in frozen or layer.name.startswith(parts)]
