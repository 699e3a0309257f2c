"""Which rows teach and which validate, by series or in time."""

from __future__ import annotations

import numpy as np


def rows_from_end(codes, ends):
    """Count, for each row, how many rows of its series end later.

    0 for the last row of a series. Rows that end at the same position (a row chosen twice)
    count once.
    """
    order = np.lexsort((ends, codes))
    sorted_codes, sorted_ends = codes[order], ends[order]
    new = np.ones(len(codes), bool)
    new[1:] = (np.diff(sorted_codes) != 0) | (np.diff(sorted_ends) != 0)
    rank = np.cumsum(new)
    last_rank = np.zeros(codes.max() + 1, np.intp)
    last_rank[sorted_codes] = rank  # the last assignment of each series stays
    out = np.empty(len(codes), np.intp)
    out[order] = last_rank[sorted_codes] - rank
    return out


def split_by_series(codes, fraction, rng):
    """Mark the rows of a random share of the series, at least one."""
    present = np.unique(codes)
    if len(present) < 2:
        raise ValueError(
            "validation_by='series' needs at least two series with rows in the loss, got "
            f"{len(present)}. Choose validation_by='time', or name the ids with series=."
        )
    n_held = min(max(1, round(fraction * len(present))), len(present) - 1)
    return np.isin(codes, rng.choice(present, n_held, replace=False))


def split_by_time(codes, ends, fraction, embargo):
    """Cut each series in time: (rows before the cut less the embargo, rows after it)."""
    from_end = rows_from_end(codes, ends)
    size = np.zeros(codes.max() + 1, np.intp)
    np.maximum.at(size, codes, from_end + 1)
    n_held = np.floor(fraction * size)[codes]
    return from_end >= n_held + embargo, from_end < n_held
