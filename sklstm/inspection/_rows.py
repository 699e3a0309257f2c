"""Choose rows by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklstm._panel.show import show


def row_positions(rows: Any, n_rows: int) -> np.ndarray:
    """Convert a choice of rows to positions.

    Parameters
    ----------
    rows : slice, int, array-like or None
        Positions, which may be negative, or a mask. None: all rows.
    n_rows : int
        Number of rows to choose from.

    Returns
    -------
    ndarray of shape (n_chosen,)
    """
    everything = np.arange(n_rows)
    if rows is None:
        return everything
    key = rows if isinstance(rows, slice) else np.asarray(rows)
    if isinstance(key, np.ndarray) and key.size and key.dtype.kind not in "biu":
        raise ValueError(
            f"rows holds {show(key.ravel()[0])}, expected positions of rows or booleans. For the "
            "rows of a series, pass a mask such as (X['id'] == 'a').to_numpy()."
        )
    try:
        if isinstance(key, np.ndarray) and not key.size:
            key = key.astype(int)
        chosen = np.atleast_1d(everything[key])
    except IndexError as error:
        raise ValueError(f"rows does not fit X, which has {n_rows} rows: {error}.") from error
    if chosen.ndim != 1 or len(chosen) == 0:
        raise ValueError(
            f"rows chooses no row, or is not 1-D: pass positions or a mask of the {n_rows} rows of "
            "X, or None for all rows."
        )
    return chosen
