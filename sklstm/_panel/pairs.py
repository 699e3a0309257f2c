"""Count pairs of lives whose order is known, and those that predictions put in this order."""

from __future__ import annotations

import numpy as np


def count_comparable(time: np.ndarray, event: np.ndarray) -> int:
    """Count the pairs of rows of which one is known to live longer than the other.

    Parameters
    ----------
    time : ndarray of shape (n_rows,)
        Time to the event, or survived without it.
    event : ndarray of shape (n_rows,)
        Whether the event was seen.

    Returns
    -------
    int
        Number of pairs of a row with an event and one that was alive at that time: of a longer
        time, or censored at the same one.
    """
    # An event is compared with everything that is sorted behind the events of the same time.
    keys = _keys(time, event)
    return int((len(keys) - np.searchsorted(np.sort(keys), keys[event], side="right")).sum())


def count_ordered(time: np.ndarray, event: np.ndarray, predicted: np.ndarray) -> int:
    """Count the comparable pairs in which the prediction of the longer life is larger.

    Parameters
    ----------
    time, event : ndarray of shape (n_rows,)
        As in `count_comparable`.
    predicted : ndarray of shape (n_rows,)

    Returns
    -------
    int
    """
    # Of events of the same time, none is followed by one with a larger prediction.
    order = np.lexsort((-predicted, _keys(time, event)))
    return _count_larger_behind(predicted[order], event[order])


def _keys(time, event) -> np.ndarray:
    """Return integers in the order of time; censored rows follow the events of the same time."""
    return 2 * np.unique(time, return_inverse=True)[1] + ~event


def _count_larger_behind(values, counted) -> int:
    """Count the pairs of a counted value and a larger one behind it.

    Blocks of 1, 2, 4... values are compared with the block behind them, which takes
    O(n log(n)^2) operations.
    """
    n_values = len(values)
    ranks = np.unique(values, return_inverse=True)[1]
    position, total, size = np.arange(n_values), 0, 1
    while size < n_values:
        block = position // size
        is_behind = block % 2 == 1
        # The pair of blocks comes first in the order, then the value.
        keys = (block // 2) * n_values + ranks
        behind = np.sort(keys[is_behind])
        ends = np.searchsorted(behind, (block // 2 + 1) * n_values)
        above = np.searchsorted(behind, keys, side="right")
        total += int((ends - above)[counted & ~is_behind].sum())
        size *= 2
    return total
