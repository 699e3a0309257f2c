"""Provide Keras with batches of windows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
STEPS_PER_CALL = 16
BYTES_PER_CALL = 2**24  # larger calls no longer fit the processor's cache
# Blocks whose rows are shuffled together.
BLOCKS_AT_ONCE = 4


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


@dataclass
class Buffer:
    """Hold the rows from which batches are gathered.

    Attributes
    ----------
    windows : Windows
    embedding_indices : ndarray of shape (n_rows,) or None
    targets : ndarray of shape (n_rows, n_outputs) or (n_rows, n_outputs, 2)
        float32, in their unit of training. The last axis holds the target, and whether it is
        censored.
    weights : ndarray of shape (n_rows,)
        float32, as Keras multiplies the losses.
    order : ndarray of shape (n_rows,)
        Positions, in the order of training.
    """

    windows: Any
    embedding_indices: np.ndarray | None
    targets: np.ndarray
    weights: np.ndarray
    order: np.ndarray


class Batches(keras.utils.PyDataset):
    """Provide an endless stream of batches of fixed size, gathered on demand.

    The rows lie in blocks. A pass visits the blocks in random order, and shuffles the rows of
    `BLOCKS_AT_ONCE` blocks at a time. A panel in memory is one block.

    A pass over the rows is cut into `n_parts` batches of nearly equal numbers of rows. Each is
    filled up to `batch_size` with rows of weight 0, so that one compiled shape serves all. Keras
    divides the sum of the losses by the batch size; the weights are therefore scaled by slots per
    row, which gives the mean over the real rows: up to rounding in every step, exactly over a pass.

    A batch depends only on its number in the stream, so threads may read ahead.

    Parameters
    ----------
    samples : WeightedWindows, or an object with the same attributes
        Weights have mean 1.
    batch_size : int
    target_unit : float, default=1.0
        Unit of the targets in training.
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
        samples,
        batch_size,
        *,
        target_unit=1.0,
        loss_unit=1.0,
        logged_unit=1.0,
        n_steps=None,
        seed=None,
        first_epoch=0,
    ):
        super().__init__()
        self.samples = samples
        self.window_shape = samples.example.windows.shape[1:]
        self.block_sizes = samples.block_sizes
        self.blocks = np.flatnonzero(self.block_sizes)
        n_rows = int(self.block_sizes.sum())
        n_groups = -(-len(self.blocks) // BLOCKS_AT_ONCE)
        # Batches hold rows of one group. Its last batch may be filled up.
        self.n_parts = (n_rows + n_groups * (batch_size - 1)) // batch_size
        self.batch_size, self.seed = batch_size, seed if self.n_parts > 1 else None
        self.n_steps = n_steps or self.n_parts
        self.first_epoch = first_epoch
        self.target_unit, self.logged_unit = target_unit, logged_unit
        self.weight_factor = self.n_parts * batch_size / n_rows / loss_unit
        self._pass = _Latest(self._plan_pass)
        self._group = _Latest(self._read_group)
        self._buffer = _Latest(self._prepare_rows)

    @property
    def calls(self):
        """Number of calls per epoch, each with up to `at_once` batches."""
        return -(-self.n_steps // self.at_once)

    def __getitem__(self, index):
        epoch, call = divmod(index, self.calls)
        first = call * self.at_once
        steps = np.arange(first, min(first + self.at_once, self.n_steps))
        steps += (self.first_epoch + epoch) * self.n_steps
        places = [self._place(step) for step in steps]
        gathered = [
            self._gather(self._group(*group), [part for _, part in parts])
            for group, parts in groupby(places, key=itemgetter(0))
        ]
        if len(gathered) == 1:
            return gathered[0]
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *gathered)

    def _place(self, step):
        """Return the group of one batch of the stream, and the bounds of its rows in the group."""
        number, part = divmod(int(step), self.n_parts)
        plan = self._pass(number)
        group = int(np.searchsorted(plan.first_parts, part, side="right")) - 1
        n_parts = plan.first_parts[group + 1] - plan.first_parts[group]
        part -= plan.first_parts[group]
        n_rows = plan.n_rows[group]
        return (number, group), (part * n_rows // n_parts, (part + 1) * n_rows // n_parts)

    def _gather(self, buffer, bounds):
        """Gather batches of one group."""
        chosen_rows, weights = [], np.zeros((len(bounds), self.batch_size), np.float32)
        for (start, stop), batch_weights in zip(bounds, weights, strict=True):
            chosen = buffer.order[start:stop]
            batch_weights[: len(chosen)] = buffer.weights[chosen]
            chosen_rows.append(np.resize(chosen, self.batch_size))
        rows = np.concatenate(chosen_rows)
        inputs = model_inputs(buffer.windows, buffer.embedding_indices, rows)
        return inputs, buffer.targets[rows], weights.ravel()

    def _plan_pass(self, number):
        """Distribute the blocks of one pass to groups, and the parts to the groups."""
        blocks = self.blocks
        if self.seed is not None:
            blocks = np.random.default_rng([self.seed, number, len(blocks)]).permutation(blocks)
        groups = np.split(blocks, range(BLOCKS_AT_ONCE, len(blocks), BLOCKS_AT_ONCE))
        n_rows = np.array([self.block_sizes[group].sum() for group in groups])
        n_parts = -(-n_rows // self.batch_size)
        n_parts[: self.n_parts - n_parts.sum()] += 1
        return _Pass(groups, n_rows, np.append(0, np.cumsum(n_parts)))

    def _read_group(self, number, group):
        """Read the rows of one group, in the order of one pass."""
        buffer = self._buffer(tuple(self._pass(number).groups[group]))
        if self.seed is not None:
            # NumPy fills seeds up with zeros: the first group has the order of a panel in memory.
            rng = np.random.default_rng([self.seed, number, group])
            buffer = replace(buffer, order=rng.permutation(len(buffer.targets)))
        return buffer

    def _prepare_rows(self, blocks):
        samples = self.samples.read(list(blocks))
        targets = samples.targets
        # A row's loss is the mean over its known elements.
        weights = samples.weights * self.weight_factor
        weights = (weights / np.maximum(known_fraction(targets), 1e-9)).astype(np.float32)
        if self.target_unit != 1:
            targets = targets / self.target_unit
        targets = with_censoring(targets.astype(np.float32, copy=False), samples.censored)
        return Buffer(
            samples.windows,
            samples.embedding_indices,
            targets,
            weights,
            np.arange(len(targets)),
        )


@dataclass
class _Pass:
    """The groups of blocks in one pass, their numbers of rows, and their first parts."""

    groups: list[np.ndarray]
    n_rows: np.ndarray
    first_parts: np.ndarray


class _Latest:
    """Remember the latest result of a function."""

    def __init__(self, function):
        self.function = function
        self.known: tuple[Any, Any] = (None, None)

    def __call__(self, *key):
        known, result = self.known
        if known != key:
            self.known = (None, None)  # the earlier result need not stay in memory meanwhile
            result = self.function(*key)
            self.known = (key, result)
        return result


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


def with_censoring(y, censored):
    """Put targets and the mask of the censored ones into one array, of shape (n, n_outputs, 2).

    `y` itself is returned if `censored` is None.
    """
    return y if censored is None else np.stack([y, censored.astype(y.dtype)], axis=-1)
