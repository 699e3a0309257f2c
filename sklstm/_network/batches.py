"""Feed batches of windows to Keras."""

from __future__ import annotations

from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
STEPS_PER_CALL = 16
BYTES_PER_CALL = 2**24  # more than that is no longer in the cache when its step comes


def model_inputs(windows, series, rows):
    """Gather the windows at some positions, with what else a network is fed.

    Parameters
    ----------
    windows : Windows
    series : ndarray of shape (n_rows,) or None
        Numbers of the windows' series, for a network with vectors of series.
    rows : ndarray
        Positions.
    """
    batch = windows.gather(rows)
    return batch if series is None else {"window": batch, "series": series[rows]}


class Batches(keras.utils.PyDataset):
    """An endless stream of batches of one fixed size, gathered when they are needed.

    A pass over the rows is cut into `n_parts` batches of nearly equal numbers of rows, each
    filled up with rows of weight 0: one compiled shape serves all. Weights are scaled by
    slots per row, so that Keras, which divides by the batch size, arrives at the mean over
    the real rows: in every step up to rounding, and over a whole pass exactly.

    A batch depends on its number in the stream alone, so threads that read ahead do no harm.

    Parameters
    ----------
    windows : Windows
        float32.
    y : ndarray of shape (n_rows, n_outputs)
        float32; missing elements are NaN.
    weights : ndarray of shape (n_rows,)
        Mean 1.
    batch_size : int
    loss_unit : float, default=1.0
        What a loss of usual size is: the optimizer sees losses in this unit, so that its
        constants (Adam's epsilon, a clipping norm) mean the same for targets of any size.
    n_steps : int, default=None
        Batches an epoch, by default one pass. Passes go on across epochs.
    seed : int, default=None
        Rows are shuffled anew for each pass; None keeps their order.
    first_epoch : int, default=0
        Where in the stream to begin.
    series : ndarray of shape (n_rows,), default=None
        int32 numbers of the rows' series, for a network with vectors of series.

    Attributes
    ----------
    at_once : int
        Batches of an epoch that are handed over at a time, their rows one after another.
    """

    at_once = 1
    num_batches = None  # as Keras asks of an endless stream

    def __init__(
        self,
        windows,
        y,
        weights,
        batch_size,
        *,
        loss_unit=1.0,
        n_steps=None,
        seed=None,
        first_epoch=0,
        series=None,
    ):
        super().__init__()
        self.windows, self.y, self.series = windows, y, series
        self.batch_size, self.seed = batch_size, seed
        self.n_parts = -(-len(windows) // batch_size)
        self.n_steps = n_steps or self.n_parts
        self.first_epoch = first_epoch
        self.loss_unit = loss_unit
        self.weights = weights * (self.n_parts * batch_size / len(windows) / loss_unit)
        # Where elements of a row are missing, its loss is the mean over the others.
        self.weights = (self.weights / np.maximum(known_share(y), 1e-9)).astype(np.float32)
        self._order = (None, np.arange(len(windows)))

    @property
    def calls(self):
        """Calls of an epoch, each with up to `at_once` batches."""
        return -(-self.n_steps // self.at_once)

    def __getitem__(self, index):
        epoch, call = divmod(index, self.calls)
        first = call * self.at_once
        steps = np.arange(first, min(first + self.at_once, self.n_steps))
        steps += (self.first_epoch + epoch) * self.n_steps
        rows, weights = map(np.concatenate, zip(*map(self._rows, steps), strict=True))
        return model_inputs(self.windows, self.series, rows), self.y[rows], weights

    def _rows(self, step):
        """Rows of a batch of the stream, and their weights."""
        number, part = divmod(step, self.n_parts)
        n_rows = len(self.windows)
        bounds = part * n_rows // self.n_parts, (part + 1) * n_rows // self.n_parts
        rows = self._order_of(number)[slice(*bounds)]
        weights = np.zeros(self.batch_size, np.float32)
        weights[: len(rows)] = self.weights[rows]
        return np.resize(rows, self.batch_size), weights

    def _order_of(self, number):
        """Order of the rows in one pass."""
        if self.seed is None:
            return self._order[1]
        known, order = self._order
        if known != number:
            order = np.random.default_rng([self.seed, number]).permutation(len(self.windows))
            self._order = (number, order)
        return order


class Pipeline:
    """What Keras reads batches from, for one stream after another.

    TensorFlow reads through a tf.data pipeline. That takes as long to make as a short fit to
    train, so one serves all streams with batches of one shape. It has no generator in it,
    which Keras would put there: TensorFlow then has every larger piece of memory given
    back to the system at once, and steps take up to twice as long (docs/decisions.md).
    """

    def __init__(self):
        self.dataset = None

    @contextmanager
    def of(self, batches):
        """Lend what Keras reads `batches` from; None for None."""
        if batches is None or not ON_TENSORFLOW:
            yield batches
            return
        self.batches = batches
        if self.dataset is None:
            self.dataset = self._make(batches[0])
        yield self.dataset
        self.batches = None

    def _make(self, sample):
        nothing = [np.empty((0, *part.shape[1:]), part.dtype) for part in tf.nest.flatten(sample)]

        def read(index):
            batches = self.batches
            # TensorFlow reads ahead: the last call may come when the stream is gone.
            return nothing if batches is None else tf.nest.flatten(batches[int(index)])

        def element(index):
            parts = tf.numpy_function(read, [index], [part.dtype for part in nothing])
            for part, empty in zip(parts, nothing, strict=True):
                part.set_shape((None, *empty.shape[1:]))
            return tf.nest.pack_sequence_as(sample, parts)

        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = 1
        return tf.data.Dataset.counter().map(element).prefetch(1).with_options(options)


def steps_per_call(batch_bytes):
    """Say how many steps share a call: a power of two, fewer where batches are large."""
    fitting = max(1, BYTES_PER_CALL // batch_bytes)
    return min(STEPS_PER_CALL, 1 << (fitting.bit_length() - 1))


def known_share(y):
    """Share of each row's elements that are not missing."""
    return (~np.isnan(y)).mean(axis=1)
