"""Check the cuts of a panel that is split in time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sklstm._panel.show import show_ids
from sklstm._panel.user_warnings import warn_user


def check_cuts(
    cuts: np.ndarray, sizes: np.ndarray, ids: pd.Index, what: str, needed: str, remedy: str
) -> None:
    """Check that the series have rows before the cuts.

    Parameters
    ----------
    cuts : ndarray of shape (n_cuts, n_series)
        Number of rows of each series before each cut, oldest cut first; below 1 for none.
    sizes : ndarray of shape (n_series,)
        Number of rows of each series.
    ids : pandas.Index of shape (n_series,)
        The ids.
    what : str
        Name of the part that a cut makes, such as "fold" or "origin".
    needed : str
        Number of rows that a series needs for all cuts, in words.
    remedy : str
        The parameters to lower.

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
            f"No series is long enough for the first {what}: each needs {needed}, and the longest "
            f"has {sizes.max()}. Lower {remedy}."
        )
    short, never = ids[~first], ids[(cuts < 1).all(axis=0)]
    if len(short):
        warn_user(
            f"{len(short)} of {len(ids)} series ({show_ids(short)}) are too short for all "
            f"{len(cuts)} {what}s: each needs {needed}. They are left out of every {what} before "
            f"which they have no rows, {len(never)} of them out of all {what}s."
        )
