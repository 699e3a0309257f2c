"""Split rows into training and validation sets, by series or in time."""

from __future__ import annotations

import numpy as np

from sklstm._panel.rows import SeriesRows


def rows_from_end(rows: SeriesRows, ends) -> np.ndarray:
    """Count the later rows of the same series.

    Parameters
    ----------
    rows : SeriesRows
        Sorted by `ends` within each series.
    ends : ndarray of shape (n_rows,)
        Position of each row in its panel. Rows of equal position (a row that is chosen twice) count
        once.

    Returns
    -------
    ndarray of shape (n_rows,)
        0 for the last row of a series.
    """
    codes, ends = rows.sort(rows.codes), rows.sort(ends)
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(codes) != 0) | (np.diff(ends) != 0)
    rank = np.cumsum(new)
    last = rows.bounds[1:][codes] - 1  # sorted position of the last row of each row's series
    return rows.unsort(rank[last] - rank)


def split_by_series(codes, fraction, rng) -> np.ndarray:
    """Mark the rows of a random fraction of the series, at least one."""
    present = np.unique(codes)
    if len(present) < 2:
        raise ValueError(
            "validation_by='series' needs at least two series with rows in the loss, got "
            f"{len(present)}. Choose validation_by='time', or name the ids with series=."
        )
    n_validation = min(max(1, round(fraction * len(present))), len(present) - 1)
    return np.isin(codes, rng.choice(present, n_validation, replace=False))


def split_by_time(rows: SeriesRows, ends, fraction, embargo) -> tuple[np.ndarray, np.ndarray]:
    """Cut each series in time.

    Parameters
    ----------
    rows, ends
        As in `rows_from_end`.
    fraction : float
        Fraction of each series' rows behind the cut.
    embargo : int
        Rows of each series before the cut that are in neither set.

    Returns
    -------
    training, validation : ndarray of shape (n_rows,)
        Masks.
    """
    from_end = rows_from_end(rows, ends)
    sizes = np.zeros(len(rows.ids), np.intp)
    np.maximum.at(sizes, rows.codes, from_end + 1)
    n_validation = np.floor(fraction * sizes)[rows.codes]
    return from_end >= n_validation + embargo, from_end < n_validation
