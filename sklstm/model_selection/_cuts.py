"""Cut a panel in time, and check the cuts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.frames import take
from sklstm._panel.show import show_ids
from sklstm._panel.user_warnings import warn_user


@dataclass(frozen=True, eq=False)
class CuttablePanel:
    """Hold a panel and what is needed to cut each of its series in two.

    All origins of a backtest share it, so that a worker process receives the panel once. A cut is
    an array with the number of rows of each series before it.

    Attributes
    ----------
    panel : DataFrame of any library
    codes, rank : ndarray of shape (n_rows,)
        Series of each row, and its number within the series.
    horizon : int
        Number of rows after the cut.
    known : list of int
        Positions of the columns whose future values are known; those of ids and time too. Empty:
        none is known.
    """

    panel: Any
    codes: np.ndarray
    rank: np.ndarray
    horizon: int
    known: list[int]

    def __sizeof__(self) -> int:
        # Joblib sends arguments of this size to each of Dask's workers once, not with every task.
        own = object.__sizeof__(self) + self.codes.nbytes + self.rank.nbytes
        return own + sys.getsizeof(self.panel)

    def before(self, cut: np.ndarray) -> np.ndarray:
        """Return the positions of the rows before the cut."""
        return np.flatnonzero(self.rank < cut[self.codes])

    def history(self, cut: np.ndarray) -> Any:
        """Return the rows before the cut, in the order of the panel."""
        return take(self.panel, self.before(cut))

    def future(self, cut: np.ndarray) -> Any:
        """Return ids, time and known columns of the rows after the cut; None if none is known."""
        if not self.known:
            return None
        after = self.rank - cut[self.codes]
        taken = (cut > 0)[self.codes] & (after >= 0) & (after < self.horizon)
        return take(self.panel, np.flatnonzero(taken), self.known)


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
            f"which they have no rows, {len(never)} of them out of all {what}s. Lower {remedy} if "
            "they should be in all."
        )
