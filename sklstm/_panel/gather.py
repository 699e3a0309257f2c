"""Copy windows from sorted rows into arrays."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from sklstm._panel.rows import take_rows


def gather(
    rows: np.ndarray,
    ends: np.ndarray,
    n_observed: np.ndarray,
    window_length: int,
    spacing: int = 1,
    padding: str = "edge",
) -> np.ndarray:
    """Copy windows from sorted rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows sorted by series and time.
    ends : ndarray of shape (n_windows,)
        Position of the last row of each window.
    n_observed : ndarray of shape (n_windows,)
        Number of observed rows in each window, at least one.
    window_length, spacing : int
        Number of rows in a window, and the distance between them.
    padding : {"edge", "zero", "nan"}
        Value of the rows before the observed ones: the oldest observed row, 0 or NaN.

    Returns
    -------
    ndarray of shape (n_windows, window_length, n_features)
        C-contiguous, with the dtype of `rows`.
    """
    if spacing > 1 or len(rows) < window_length or not has_contiguous_rows(rows):
        return _gather_row_by_row(rows, ends, n_observed, window_length, spacing, padding)
    out = _gather_contiguous(rows, ends, window_length)
    short = np.flatnonzero(n_observed < window_length)
    if len(short):
        ends, n_observed = ends[short], n_observed[short]
        out[short] = _gather_row_by_row(rows, ends, n_observed, window_length, spacing, padding)
    return out


def has_contiguous_rows(rows: np.ndarray) -> bool:
    """Whether the values of each row are adjacent in memory, and the rows are in order there."""
    far, near = rows.strides
    return (near == rows.itemsize or rows.shape[1] == 1) and far > 0 and far % rows.itemsize == 0


def _gather_contiguous(rows: np.ndarray, ends: np.ndarray, window_length: int) -> np.ndarray:
    """Copy windows of adjacent rows, each as one block of memory.

    If the rows are some columns of a wider array, the blocks contain its other columns too.
    """
    n_features, width = rows.shape[1], rows.strides[0] // rows.itemsize
    n_values = (window_length - 1) * width + n_features
    blocks = as_strided(
        rows,
        (len(rows) - window_length + 1, n_values),
        (rows.strides[0], rows.itemsize),
        writeable=False,
    )
    # Windows with padding may start before the first row; `gather` overwrites them.
    copied: np.ndarray = blocks[np.maximum(ends - (window_length - 1), 0)]
    shape = (len(ends), window_length, n_features)
    if width == n_features:
        return copied.reshape(shape)
    strides = (copied.strides[0], width * rows.itemsize, rows.itemsize)
    windows: np.ndarray = as_strided(copied, shape, strides).copy()
    return windows


def _gather_row_by_row(
    rows: np.ndarray,
    ends: np.ndarray,
    n_observed: np.ndarray,
    window_length: int,
    spacing: int,
    padding: str,
) -> np.ndarray:
    lags = np.arange(window_length - 1, -1, -1)
    back = np.minimum(lags, n_observed[:, np.newaxis] - 1)
    at = ends[:, np.newaxis] - spacing * back
    out: np.ndarray = take_rows(rows, at)
    if padding != "edge":
        out[lags >= n_observed[:, np.newaxis]] = 0 if padding == "zero" else np.nan
    return out
