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
class CategoryEmbedding(keras.layers.Layer):
    """Look up the vector of each category.

    The vector is the sum of a shared vector, which is that of code 0, and of a difference that
    starts at 0. So a category that training never sees has the vector of unknown ones.

    Parameters
    ----------
    n_categories : int
        The codes are from 0 to this number.
    length : int
        Length of the vectors.
    seed : int
    """

    def __init__(self, n_categories, length, seed, **options):
        super().__init__(**options)
        self.n_categories, self.length, self.seed = n_categories, length, seed

    def build(self, input_shape):
        """Create the shared vector and the differences."""
        initializer = keras.initializers.RandomUniform(seed=self.seed)
        self.shared = self.add_weight((self.length,), initializer, name="shared")
        self.differences = self.add_weight(
            (self.n_categories, self.length), "zeros", name="differences"
        )

    def call(self, codes):
        """Look up the vectors."""
        none = keras.ops.zeros_like(self.differences[:1])
        differences = keras.ops.concatenate([none, self.differences])
        # A product has a dense gradient, whose shape is always the same.
        table = self.shared + keras.ops.multiply(differences, 1.0)
        return keras.ops.cast(keras.ops.take(table, codes, axis=0), self.compute_dtype)

    def get_config(self):
        """Return the arguments from which Keras rebuilds the layer."""
        own = {"n_categories": self.n_categories, "length": self.length, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("sklstm")
class SeriesDropout(keras.layers.Layer):
    """In training, replace random embedding indices by 0: an unseen series, an unknown category.

    Either all indices of a row are replaced, or none.

    Parameters
    ----------
    rate : float
        The fraction of the rows.
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
        shape = (keras.ops.shape(indices)[0], *(1 for _ in indices.shape[1:]))
        draws = keras.random.uniform(shape, seed=self.seed_generator)
        return keras.ops.where(draws < self.rate, keras.ops.zeros_like(indices), indices)

    def get_config(self):
        """Return the arguments from which Keras rebuilds the layer."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
