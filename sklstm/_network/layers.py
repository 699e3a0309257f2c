"""Keras layers that Keras itself does not have."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("sklstm")
class TargetScale(keras.layers.Layer):
    """Map the network's outputs to the units of the targets.

    Computes ``offset + scale * x`` with one fixed pair per output, shared by its quantiles. The
    layers below compute values near 1 for targets of any size, while losses and predictions are in
    the units of the targets.
    """

    def build(self, input_shape):
        """Create the two fixed weights."""
        shape = (input_shape[1], *(1 for _ in input_shape[2:]))
        self.offset = self.add_weight(shape, "zeros", trainable=False, name="offset")
        self.scale = self.add_weight(shape, "ones", trainable=False, name="scale")

    def call(self, inputs):
        """Apply the map."""
        return self.offset + self.scale * inputs


@keras.saving.register_keras_serializable("sklstm")
class Sort(keras.layers.Layer):
    """Sort along the last axis, so that quantiles never cross.

    It is the last operation of the network, so that no later rounding can undo the order.
    """

    def call(self, inputs):
        """Sort the inputs."""
        return keras.ops.sort(inputs, axis=-1)


@keras.saving.register_keras_serializable("sklstm")
class DenseGradientEmbedding(keras.layers.Embedding):
    """Look up embedding vectors, with a dense gradient.

    The gradient of Keras' own layer is sparse, which some optimizers treat differently. Training
    would then depend on the number of shards per batch.
    """

    def call(self, inputs):
        """Look up the vectors."""
        table = keras.ops.multiply(self.embeddings, 1.0)
        return keras.ops.cast(keras.ops.take(table, inputs, axis=0), self.compute_dtype)


@keras.saving.register_keras_serializable("sklstm")
class SeriesDropout(keras.layers.Layer):
    """In training, replace a random fraction of the embedding indices by 0, an unseen series.

    Parameters
    ----------
    rate : float
        The fraction.
    seed : int
    """

    def __init__(self, rate, seed, **options):
        super().__init__(**options)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, indices, training=False):
        """Drop indices in training; return them unchanged otherwise."""
        if not training:
            return indices
        draws = keras.random.uniform(keras.ops.shape(indices), seed=self.seed_generator)
        return keras.ops.where(draws < self.rate, keras.ops.zeros_like(indices), indices)

    def get_config(self):
        """Return the arguments from which Keras rebuilds the layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
