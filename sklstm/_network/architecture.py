"""The Keras network: layers and their builder. No data, no scikit-learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.special import ndtri

ID_DROPOUT = 0.2  # share of the rows that teach the vector of unseen series


@dataclass(frozen=True)
class NetworkSpec:
    """All that fixes the shape of a network; equal specs build equal networks.

    Attributes
    ----------
    window_length, n_features, n_outputs : int
        Shape of input and output.
    hidden_units : int
        Units of each LSTM layer, and direction.
    n_layers : int
        LSTM layers on top of one another.
    segment_length : int
        Rows that enter the LSTM at once. Divides `window_length`, but where the padding is
        masked.
    dropout, recurrent_dropout : float
        Share of each LSTM layer's outputs, and of the states that it hands on from step to step,
        that training drops.
    skip : bool
        Whether the head sees the last segment beside the LSTM's state.
    n_heads : int
        Heads of the attention over the last LSTM's states; 0: none.
    bidirectional : bool
        Whether each LSTM layer reads the window from both ends.
    layer_norm : bool
        Whether each LSTM layer's outputs are normalised.
    masked : bool
        Whether rows that hold NaN are padding, over which the net passes.
    static : tuple of int
        Positions of the features that enter once and not at each step.
    n_embedded, n_series : int
        Width of the series' vectors (0: none), and how many series have one of their own.
    n_trainable : int or None
        Top layers that training changes; None: all.
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
    recurrent_dropout: float = 0.0
    skip: bool = False
    n_heads: int = 0
    bidirectional: bool = False
    layer_norm: bool = False
    masked: bool = False
    static: tuple[int, ...] = ()
    n_embedded: int = 0
    n_series: int = 0
    n_trainable: int | None = None
    policy: str = "float32"
    quantiles: tuple[float, ...] | None = None

    @property
    def output_shape(self):
        """Shape of what the network returns for one window."""
        outputs = (self.n_outputs,)
        return outputs if self.quantiles is None else (*outputs, len(self.quantiles))

    @property
    def n_segments(self):
        """Recurrent steps; the oldest may hold fewer rows where the padding is masked."""
        return -(-self.window_length // self.segment_length)


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


@keras.saving.register_keras_serializable("sklstm")
class Vectors(keras.layers.Embedding):
    """Look vectors up, with a dense gradient.

    Keras' own gives optimizers a sparse one, which some of them treat otherwise: a fit
    would depend on whether its batches come in shards.
    """

    def call(self, inputs):
        """Look up."""
        table = keras.ops.multiply(self.embeddings, 1.0)
        return keras.ops.cast(keras.ops.take(table, inputs, axis=0), self.compute_dtype)


@keras.saving.register_keras_serializable("sklstm")
class DropIds(keras.layers.Layer):
    """In training, turn a random share of the series' numbers into 0, that of unseen series.

    Parameters
    ----------
    rate : float
        The share.
    seed : int
    """

    def __init__(self, rate, seed, **options):
        super().__init__(**options)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, numbers, training=False):
        """Drop ids, or leave them as they are."""
        if not training:
            return numbers
        draws = keras.random.uniform(keras.ops.shape(numbers), seed=self.seed_generator)
        return keras.ops.where(draws < self.rate, keras.ops.zeros_like(numbers), numbers)

    def get_config(self):
        """Return what rebuilds the layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class LayerMaker:
    """Make the layers of one network, each with a seed of its own and a name that stays."""

    def __init__(self, spec: NetworkSpec, seed: int):
        self.spec = spec
        # Enough for the largest net; a longer list begins with the same numbers.
        self.seeds = iter(
            np.random.SeedSequence(seed).generate_state(9 * spec.n_layers + 16).tolist()
        )

    def glorot(self):
        """Draw initial weights of a layer's inputs."""
        return keras.initializers.GlorotUniform(seed=next(self.seeds))

    def dense(self, units, name, **options):
        """Make a dense layer."""
        options = {"dtype": self.spec.policy, **options}
        return keras.layers.Dense(units, kernel_initializer=self.glorot(), name=name, **options)

    def vectors(self, numbers):
        """Look up the vector of each series; the first is that of unseen ones."""
        numbers = DropIds(ID_DROPOUT, next(self.seeds), name="drop_ids")(numbers)
        return Vectors(
            self.spec.n_series + 1,
            self.spec.n_embedded,
            embeddings_initializer=keras.initializers.RandomUniform(seed=next(self.seeds)),
            dtype=self.spec.policy,
            name="embedding",
        )(numbers)

    def segments(self, x, mask):
        """Put the rows of a segment side by side; a segment is masked if all of its rows are."""
        spec = self.spec
        if spec.segment_length == 1:
            return x, mask
        width = spec.segment_length * x.shape[-1]
        x = keras.layers.Reshape((spec.n_segments, width), dtype=spec.policy)(x)
        if mask is not None:
            mask = keras.ops.reshape(mask, (-1, spec.n_segments, spec.segment_length))
            mask = keras.ops.any(mask, axis=-1)
        return x, mask

    def lstm(self, x, mask, number, once):
        """Make an LSTM layer; what stands once (or None) sets the state that it begins with."""
        spec = self.spec
        states = number < spec.n_layers or spec.n_heads > 0

        def one_way(name, **options):
            return keras.layers.LSTM(
                spec.hidden_units,
                return_sequences=states,
                kernel_initializer=self.glorot(),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(self.seeds)),
                recurrent_dropout=spec.recurrent_dropout,
                seed=next(self.seeds),
                # cuDNN's kernels want padding behind the rows.
                use_cudnn="auto" if mask is None else False,
                dtype=spec.policy,
                name=name,
                **options,
            )

        name = f"lstm_{number}"
        layer: Any = one_way(name)
        if spec.bidirectional:
            # The two begin with weights of their own, which Keras' twin would not.
            back = one_way(f"{name}_backwards", go_backwards=True)
            layer = keras.layers.Bidirectional(
                layer, backward_layer=back, dtype=spec.policy, name=f"{name}_both_ways"
            )
        begin = None
        if once is not None:
            begin = [
                self.dense(spec.hidden_units, f"begin_{number}_{part}", activation="tanh")(once)
                for part in range(4 if spec.bidirectional else 2)
            ]
        x = layer(x, mask=mask, initial_state=begin)
        if spec.layer_norm:
            x = keras.layers.LayerNormalization(dtype=spec.policy, name=f"norm_{number}")(x)
        if spec.dropout > 0:
            x = keras.layers.Dropout(spec.dropout, seed=next(self.seeds), dtype=spec.policy)(x)
        return x

    def attention(self, states, mask):
        """Sum up the states, each head by weights of its own, beside the last state.

        Weights come of each state and the last one through a small net (additive attention,
        Bahdanau et al., 2015).
        """
        spec, last = self.spec, states[:, -1]
        keys = self.dense(spec.hidden_units, "attention_keys", use_bias=False)(states)
        query = self.dense(spec.hidden_units, "attention_query")(last)
        fit = keras.ops.tanh(keys + keras.ops.expand_dims(query, 1))
        scores = self.dense(spec.n_heads, "attention_scores", use_bias=False)(fit)
        if mask is not None:
            scores = keras.ops.where(keras.ops.expand_dims(mask, -1), scores, -math.inf)
        # Spelt out, since Keras' softmax warns of windows of one step.
        weights = keras.ops.exp(scores - keras.ops.logsumexp(scores, axis=1, keepdims=True))
        weights = keras.layers.Identity(dtype=spec.policy, name="attention")(weights)
        sums = keras.ops.einsum("nth,ntu->nhu", weights, states)
        flat = keras.layers.Flatten(dtype=spec.policy)
        return keras.layers.Concatenate(dtype=spec.policy)([flat(sums), last])

    def outputs(self, x):
        """Make the head and what brings its numbers to the units of the targets."""
        spec = self.spec
        x = self.dense(
            math.prod(spec.output_shape),
            "head",
            bias_initializer=keras.initializers.Constant(first_guess(spec)),
            dtype="float32",
        )(x)
        if spec.quantiles is not None:
            x = keras.layers.Reshape(spec.output_shape, dtype="float32")(x)
        x = TargetScale(dtype="float32", name="target_scale")(x)
        return x if spec.quantiles is None else Sort(dtype="float32")(x)


def find_padding(window, spec: NetworkSpec):
    """Replace NaN by 0 and mark the rows without: windows, mask of shape (n, rows).

    In front, padding makes the oldest segment whole.
    """
    short = spec.n_segments * spec.segment_length - spec.window_length
    if short:
        padding = ((0, 0), (short, 0), (0, 0))
        window = keras.ops.pad(window, padding, constant_values=float("nan"))
    missing = keras.ops.isnan(window)
    mask = keras.ops.logical_not(keras.ops.any(missing, axis=-1))
    return keras.ops.where(missing, keras.ops.zeros_like(window), window), mask


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
        From (n, window_length, n_features) to (n, *spec.output_shape), not compiled. With
        `n_embedded`, from a dict of that as "window" and, as "series", the number of each
        window's series: 1 for the first, 0 for one that is not known.
    """
    make = LayerMaker(spec, seed)
    window = keras.Input((spec.window_length, spec.n_features), name="window")
    inputs: Any = window
    x, mask = find_padding(window, spec) if spec.masked else (window, None)
    parts = []  # what stands once, and not at each step
    if spec.static:
        parts.append(keras.ops.take(x[:, -1], spec.static, axis=-1))
        moving = [place for place in range(spec.n_features) if place not in spec.static]
        x = keras.ops.take(x, moving, axis=-1)
    if spec.n_embedded:
        inputs = {"window": window, "series": keras.Input((), dtype="int32", name="series")}
        parts.append(make.vectors(inputs["series"]))
    once = join(parts, spec)
    x, mask = make.segments(x, mask)
    last_segment = x[:, -1]
    for number in range(1, spec.n_layers + 1):
        x = make.lstm(x, mask, number, once if number == 1 else None)
    if spec.n_heads:
        x = make.attention(x, mask)
    beside = [last_segment] if spec.skip else []
    x = join([x, *beside, *parts], spec)
    model = kind(inputs, make.outputs(x), name="sklstm")
    if spec.n_trainable is not None:
        for layer in lower_layers(model, spec):
            layer.trainable = False
    return model


def join(parts, spec: NetworkSpec):
    """Put vectors side by side; None for none."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return keras.layers.Concatenate(dtype=spec.policy)(parts)


def lower_layers(model, spec: NetworkSpec):
    """Layers with weights below the `n_trainable` top ones.

    From the top: the head, the attention if there is one, and each LSTM with its normalisation.
    What brings in the static features belongs to the first LSTM.
    """
    groups = [["head"]]
    groups += [["attention"]] if spec.n_heads else []
    groups += [[f"lstm_{number}", f"norm_{number}"] for number in range(spec.n_layers, 0, -1)]
    groups[-1] += ["begin", "embedding"]
    frozen = [name for group in groups[spec.n_trainable :] for name in group]
    parts = tuple(f"{name}_" for name in frozen)  # lstm_1_both_ways, but not lstm_12
    return [layer for layer in model.layers if layer.name in frozen or layer.name.startswith(parts)]
