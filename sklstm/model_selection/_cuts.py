"""Check the cuts of a panel that is split in time."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from sklstm._panel.show import show_ids


def check_cuts(
    cuts: np.ndarray, ids: pd.Index, what: str, needed: str, remedy: str, stacklevel: int
) -> None:
    """Check that the series have rows before the cuts.

    Parameters
    ----------
    cuts : ndarray of shape (n_cuts, n_series)
        Number of rows of each series before each cut, oldest cut first; below 1 for none.
    ids : pandas.Index of shape (n_series,)
        The ids.
    what : str
        Name of the part that a cut makes, such as "fold" or "origin".
    needed : str
        Number of rows that a series needs for all cuts, in words.
    remedy : str
        The parameters to lower.
    stacklevel : int
        Level of the warning, counted from the caller.

    Raises
    ------
    ValueError
        If no series has rows before the first cut.

    Warns
    -----
    UserWarning
        If some series have no rows before some cuts.
    """
    first = cuts[0] > 0
    if not first.any():
        raise ValueError(
            f"No series is long enough for the first {what}: each needs {needed}. Lower {remedy}."
        )
    short, never = ids[~first], ids[(cuts < 1).all(axis=0)]
    if len(short):
        warnings.warn(
            f"{len(short)} of {len(ids)} series ({show_ids(short)}) are too short for all "
            f"{len(cuts)} {what}s: each needs {needed}. They are left out of every {what} before "
            f"which they have no rows, {len(never)} of them out of all {what}s.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
