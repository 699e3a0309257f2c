"""Choose the names to draw, and sum up the others."""

from __future__ import annotations

import numpy as np


def split_off_others(sizes: np.ndarray, max_names: int) -> tuple[np.ndarray, np.ndarray]:
    """Rank names by their size, and split off those for which there is no place.

    Parameters
    ----------
    sizes : ndarray of shape (n_names,)
    max_names : int
        Number of places. If there are more names, the others share the last place.

    Returns
    -------
    shown, others : ndarray
        Positions, by decreasing size.
    """
    order = np.argsort(-sizes, kind="stable")
    n_shown = len(order) if len(order) <= max_names else max(max_names - 1, 1)
    return order[:n_shown], order[n_shown:]
