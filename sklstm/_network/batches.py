"""Provide Keras with batches of windows."""

from __future__ import annotations

from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
STEPS_PER_CALL = 16
BYTES_PER_CALL = 2**24  # larger calls no longer fit the processor's cache


def model_inputs(windows, embedding_indices, rows):
    """Gather the inputs of a network for the given rows.

    Parameters
    ----------
    windows : Windows
    embedding_indices : ndarray of shape (n_rows,) or None
        Embedding index of each window's series; None for a network without embedding.
    rows : ndarray
        Positions.
    """
    batch = windows.gather(rows)
    if embedding_indices is None:
        return batch
    return {"window": batch, "series": embedding_indices[rows]}


class Batches(keras.utils.PyDataset):
    """Provide an endless stream of batches of fixed size, gathered on demand.

    A pass over the rows is cut into `n_parts` batches of nearly equal numbers of rows. Each is
    filled up to `batch_size` with rows of weight 0, so that one compiled shape serves all. Keras
    divides the sum of the losses by the batch size; the weights are therefore scaled by slots per
    row, which gives the mean over the real rows: up to rounding in every step, exactly over a pass.

    A batch depends only on its number in the stream, so threads may read ahead.

    Parameters
    ----------
    windows : Windows
        float32.
    targets : ndarray of shape (n_rows, n_outputs)
        Missing elements are NaN.
    weights : ndarray of shape (n_rows,)
        Mean 1.
    batch_size : int
    embedding_indices : ndarray of shape (n_rows,), default=None
        int32, for a network with series embedding.
    loss_unit : float, default=1.0
        Typical size of the loss. The optimizer receives losses in this unit, so that its constants
        (Adam's epsilon, a clipping norm) have the same effect for targets of any size.
    logged_unit : float, default=1.0
        Factor from a loss in that unit to one in the units of the targets.
    n_steps : int, default=None
        Batches per epoch, by default one pass. Passes continue across epochs.
    seed : int, default=None
        Rows are shuffled for each pass, unless one batch holds them all; None keeps their order.
    first_epoch : int, default=0
        Epoch at which the stream starts.

    Attributes
    ----------
    at_once : int
        Number of batches per call, concatenated.
    """

    at_once = 1
    num_batches = None  # Keras' sign of an endless stream

    def __init__(
        self,
        windows,
        targets,
        weights,
        batch_size,
        *,
        embedding_indices=None,
        loss_unit=1.0,
        logged_unit=1.0,
        n_steps=None,
        seed=None,
        first_epoch=0,
    ):
        super().__init__()
        self.windows, self.embedding_indices = windows, embedding_indices
        self.targets = targets.astype(np.float32, copy=False)
        self.n_parts = -(-len(windows) // batch_size)
        self.batch_size, self.seed = batch_size, seed if self.n_parts > 1 else None
        self.n_steps = n_steps or self.n_parts
        self.first_epoch = first_epoch
        self.logged_unit = logged_unit
        self.weights = weights * (self.n_parts * batch_size / len(windows) / loss_unit)
        # A row's loss is the mean over its known elements.
        self.weights = (self.weights / np.maximum(known_fraction(targets), 1e-9)).astype(np.float32)
        self._order = (None, np.arange(len(windows)))

    @property
    def calls(self):
        """Number of calls per epoch, each with up to `at_once` batches."""
        return -(-self.n_steps // self.at_once)

    def __getitem__(self, index):
        epoch, call = divmod(index, self.calls)
        first = call * self.at_once
        steps = np.arange(first, min(first + self.at_once, self.n_steps))
        steps += (self.first_epoch + epoch) * self.n_steps
        rows, weights = map(np.concatenate, zip(*map(self._rows, steps), strict=True))
        inputs = model_inputs(self.windows, self.embedding_indices, rows)
        return inputs, self.targets[rows], weights

    def _rows(self, step):
        """Return the rows of one batch of the stream, and their weights."""
        number, part = divmod(step, self.n_parts)
        n_rows = len(self.windows)
        bounds = part * n_rows // self.n_parts, (part + 1) * n_rows // self.n_parts
        rows = self._order_of(number)[slice(*bounds)]
        weights = np.zeros(self.batch_size, np.float32)
        weights[: len(rows)] = self.weights[rows]
        return np.resize(rows, self.batch_size), weights

    def _order_of(self, number):
        """Return the order of the rows in one pass."""
        if self.seed is None:
            return self._order[1]
        known, order = self._order
        if known != number:
            order = np.random.default_rng([self.seed, number]).permutation(len(self.windows))
            self._order = (number, order)
        return order


class BatchReader:
    """Provide the object from which Keras reads batches, for one stream after another.

    TensorFlow reads through a tf.data pipeline. Creating one takes as long as training a small
    network, so each pipeline serves all streams with batches of one shape. It contains no
    generator, which Keras would use: after a generator, TensorFlow returns every larger block of
    memory to the system at once, and steps take up to twice as long (docs/decisions.md).
    """

    def __init__(self):
        self.dataset = None

    @contextmanager
    def read(self, batches):
        """Provide the object that Keras reads in place of `batches`; None for None."""
        if batches is None or not ON_TENSORFLOW:
            yield batches
            return
        self.batches = batches
        if self.dataset is None:
            self.dataset = self._make_dataset(batches[0])
        yield self.dataset
        self.batches = None

    def _make_dataset(self, sample):
        empty = [np.empty((0, *part.shape[1:]), part.dtype) for part in tf.nest.flatten(sample)]

        def read(index):
            batches = self.batches
            # TensorFlow reads ahead: its last call may come after the stream is released.
            return empty if batches is None else tf.nest.flatten(batches[int(index)])

        def element(index):
            parts = tf.numpy_function(read, [index], [part.dtype for part in empty])
            for part, shape in zip(parts, empty, strict=True):
                part.set_shape((None, *shape.shape[1:]))
            return tf.nest.pack_sequence_as(sample, parts)

        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = 1
        return tf.data.Dataset.counter().map(element).prefetch(1).with_options(options)


def steps_per_call(batch_bytes):
    """Return the number of steps per call: a power of two, smaller for large batches."""
    fitting = max(1, BYTES_PER_CALL // batch_bytes)
    return min(STEPS_PER_CALL, 1 << (fitting.bit_length() - 1))


def known_fraction(y):
    """Return the fraction of each row's elements that are not missing."""
    return (~np.isnan(y)).mean(axis=1)
