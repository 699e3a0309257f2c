"""Rows and cuts of a panel that is split or scored."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from sklstm._panel.read import read_ids
from sklstm._panel.rows import RowIds
from sklstm._panel.windows import Windows


def ranks(rows: RowIds):
    """Count, for each row, the earlier rows of its series.

    Returns
    -------
    rank : ndarray of shape (n_rows,)
        0 for the first row of a series.
    sizes : ndarray of shape (n_series,)
        Rows of each series.
    """
    sizes = np.bincount(rows.codes, minlength=len(rows.ids))
    rank = np.empty(len(rows.codes), np.intp)
    rank[rows.sorting] = np.arange(len(rank)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank, sizes


def read_rows(X, series, time) -> RowIds:
    """Read ids and order of the rows of anything that an estimator takes as X."""
    if len(X) == 0:
        raise ValueError("X has no rows: there is nothing to split or to score.")
    named = series is not None or time is not None
    if isinstance(X, Windows):
        if named:
            raise ValueError(
                f"X are Windows, which know their series and order themselves: leave out "
                f"series={series!r} and time={time!r}."
            )
        return RowIds(X.codes, X.ids, None, None, np.lexsort((X.ends, X.codes)))
    if not named:
        return read_ids(np.empty((len(X), 0)))
    if not isinstance(X, pd.DataFrame):
        X = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    return read_ids(X, series, time)


def check_cuts(cuts, ids, what, needed, remedy, stacklevel):
    """Warn of series without rows before some cuts; raise where no series has any.

    Parameters
    ----------
    cuts : ndarray of shape (n_cuts, n_series)
        Rows of each series that are its past, growing from cut to cut; below 1 for none.
    ids : pandas.Index of shape (n_series,)
    what : str
        What a cut makes: a fold, an origin.
    needed : str
        How many rows a series needs to take part in all cuts, in words.
    remedy : str
        The parameters to lower.
    stacklevel : int
        Of the warning, as seen from the caller.
    """
    first = cuts[0] > 0
    if not first.any():
        raise ValueError(
            f"No series is long enough for the first {what}: each needs {needed}. Lower {remedy}."
        )
    short, never = ids[~first], ids[(cuts < 1).all(axis=0)]
    if len(short):
        names = ", ".join(map(repr, short[:5].tolist())) + (", ..." if len(short) > 5 else "")
        warnings.warn(
            f"{len(short)} of {len(ids)} series ({names}) are too short for all {len(cuts)} "
            f"{what}s and stay out of those before which they have no rows; {len(never)} of them "
            f"take part in none. To take part in all, a series needs {needed}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
