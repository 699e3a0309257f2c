"""Check the cuts of a panel that is split in time."""

from __future__ import annotations

import warnings


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
