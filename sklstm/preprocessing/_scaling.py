"""Scale the rows of many series, by stored statistics or by fitted clones of a transformer."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import clone

from sklstm._panel.read import Panel
from sklstm._panel.run_statistics import block_rows, read_block, repeat_by_code

# --------------------------------------------------------------------------- statistics


def shrink(count, center, scale, pooled_center, pooled_scale, prior_rows):
    """Shrink center and scale towards the pooled ones by ``n / (n + prior_rows)``."""
    own = count / np.maximum(count + prior_rows, 1e-300)
    return own * center + (1 - own) * pooled_center, own * scale + (1 - own) * pooled_scale


def one_if_zero(scale):
    """Replace a scale of 0 by 1, so that constant features are not divided."""
    return scale + (scale == 0)


def scale_rows(values, center, scale, codes=None, inverse=False) -> np.ndarray:
    """Scale rows by stored statistics, or undo the scaling.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
    center, scale : ndarray of shape (n_features,), or (n_series, n_features) with `codes`
    codes : ndarray of shape (n_rows,), default=None
        The series of each row. If None, all rows have the same center and scale.
    inverse : bool, default=False
        Whether to undo the scaling.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
    """
    out, size = np.empty_like(values), block_rows(values.shape[1])
    for start in range(0, len(out), size):
        at = slice(start, start + size)
        block = read_block(values, at)
        if codes is None:
            c, s = center[:, np.newaxis], scale[:, np.newaxis]
        else:
            c, s = repeat_by_code(center, codes[at]), repeat_by_code(scale, codes[at])
        out[at] = (block * s + c if inverse else (block - c) / s).T
    return out


def latest_times(last_times, before, panel: Panel, now) -> np.ndarray:
    """Compute the time of the last row of each series after a partial fit.

    Parameters
    ----------
    last_times : ndarray of shape (n_fitted,)
        Time of the last row of each series that was fitted before.
    before, now : ndarray of shape (n_series,)
        Position of each series among those fitted before, and in `panel`; -1 if absent.
    panel : Panel

    Returns
    -------
    ndarray of shape (n_series,)
    """
    last = np.where(before >= 0, last_times[before], panel.time.min())
    return np.maximum(last, np.where(now >= 0, panel.last_times[now], last))


# ------------------------------------------------------------------ clones of a transformer


def fit_clones(scaler, panel: Panel, per_series: bool) -> tuple[Any, dict[Any, Any]]:
    """Fit a clone of a transformer to all rows, and with `per_series` one clone per series.

    Returns
    -------
    pooled : transformer
    clones : dict
        Fitted clone by id; empty without `per_series`.
    """
    pooled = clone(scaler).fit(panel.values)
    clones = {}
    if per_series:
        for name, rows in _rows_by_series(panel):
            clones[name] = clone(scaler).fit(panel.values[rows])
    return pooled, clones


def partial_fit_clones(
    scaler, pooled, clones, panel: Panel, per_series: bool
) -> tuple[Any, dict[Any, Any]]:
    """Update copies of fitted clones by the rows of a panel; see `fit_clones`."""
    pooled = deepcopy(pooled).partial_fit(panel.values)
    clones = dict(clones)
    if per_series:
        for name, rows in _rows_by_series(panel):
            own = deepcopy(clones[name]) if name in clones else clone(scaler)
            clones[name] = own.partial_fit(panel.values[rows])
    return pooled, clones


def apply_clones(panel: Panel, pooled, clones, per_series: bool, method: str) -> np.ndarray:
    """Apply a method of the fitted clones to the rows of a panel.

    Parameters
    ----------
    panel : Panel
    pooled : transformer
        The clone fitted to all rows. It is used for series without a clone.
    clones : dict
        Fitted clone by id.
    per_series : bool
        Whether to use `clones`. If False, `pooled` is applied to all rows.
    method : {"transform", "inverse_transform"}

    Returns
    -------
    ndarray of shape (n_rows, n_features)
    """
    parts: list[tuple[Any, Any]] = [(slice(None), pooled)]
    if per_series:
        parts = [(rows, clones.get(name, pooled)) for name, rows in _rows_by_series(panel)]
    out = np.empty(panel.values.shape, panel.values.dtype)
    for rows, scaler in parts:
        if not hasattr(scaler, method):
            raise ValueError(
                f"{scaler!r} has no {method}. Choose a scaler with this method, or a built-in one."
            )
        part = np.asarray(getattr(scaler, method)(panel.values[rows]))
        if part.shape != out[rows].shape:
            raise ValueError(
                f"{scaler!r} transformed {out[rows].shape[1]} columns into shape {part.shape}. A "
                "scaler must keep rows and columns."
            )
        out[rows] = part
    return out


def _rows_by_series(panel):
    """Yield the id and the rows, in time order, of each series."""
    rows = np.split(panel.sorting, panel.bounds[1:-1])
    return ((panel.ids[code], rows[code]) for code in range(len(panel.ids)))
