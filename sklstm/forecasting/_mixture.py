"""Mix the forecasts of several seasons, window by window.

The seasonal naive forecast of one season repeats it. With several seasons there is one such
forecast for each, and the mixture adds to that of the shortest season a share of the difference of
each other one. The shares are those that would have been best for the last rows of the window, by
regularised least squares, separately for the steps of each lag.
"""

from __future__ import annotations

import numpy as np

from sklstm.forecasting._normalization import (
    MIN_SCALE,
    lag_differences,
    repeat_season,
    seasonal_naive,
    sums_since,
)

# Rows that are added to those of each window: in them, the seasons differ as they do in the window,
# and the forecast of the shortest one is exact.
N_PRIOR_ROWS = 10
# Bound of the shares. A negative one extrapolates a trend from the longer to the shorter lag.
MAX_SHARE = 1.0


def season_lags(seasons, horizon):
    """Find the lags at which seasons are repeated.

    Parameters
    ----------
    seasons : tuple of int
    horizon : int

    Returns
    -------
    lags : ndarray of shape (n_blocks, n_seasons)
        The distinct combinations of lags, one per season.
    block : ndarray of shape (horizon,)
        The row of `lags` for each step.
    """
    steps = np.arange(1, horizon + 1)[:, np.newaxis]
    lags, block = np.unique(-(-steps // seasons) * seasons, axis=0, return_inverse=True)
    return lags, block.ravel()


def season_shares(values, known, starts, rows, *, seasons, horizon, window_length):
    """Compute the shares of the seasons in the forecast from chosen rows.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    rows : ndarray of shape (n_chosen,)
        Positions of the rows to forecast from.
    seasons : tuple of int
        In ascending order.
    horizon, window_length : int
        Only values in the window are compared.

    Returns
    -------
    ndarray of shape (n_chosen, n_blocks, n_seasons - 1)
        float32. Share of the difference of each longer season from the shortest one, for the
        combinations of `season_lags`. 0 where nothing is known about it.
    """
    lags, _ = season_lags(seasons, horizon)
    shares = np.zeros((len(rows), len(lags), len(seasons) - 1), np.float32)
    if len(seasons) == 1:
        return shares
    begin = np.arange(len(values)) - window_length + 1
    for block, of_block in enumerate(lags):
        products = _products(values, known, starts, of_block)
        sums = sums_since(products, starts, np.maximum(starts, begin + of_block.max()))
        shares[:, block] = _solve(sums[rows])
    return shares


def _products(values, known, starts, lags):
    """Multiply what explains each row with each other, and with what is to be explained.

    Returns
    -------
    ndarray of shape (n_rows, n_shares * (n_shares + 2))
        For each share, its products with all, with the target, and whether it is known.
    """
    difference, has_target = lag_differences(values, known, starts, lags[0])
    explaining, counts = [], []
    for lag in lags[1:]:
        longer, is_known = lag_differences(values, known, starts, lag)
        is_known &= has_target
        explaining.append(np.where(is_known, difference - longer, 0.0))
        counts.append(is_known)
    columns = []
    for first, count in zip(explaining, counts, strict=True):
        columns += [first * second for second in [*explaining, difference]] + [count]
    return np.column_stack(columns)


def _solve(sums):
    """Compute the shares of least squares from sums over rows, as `_products` arranges them."""
    n_shares = int(np.sqrt(sums.shape[1] + 1)) - 1
    equations = sums.reshape(len(sums), n_shares, n_shares + 2)
    matrix, target = equations[..., :n_shares].copy(), equations[..., n_shares : n_shares + 1]
    diagonal = np.einsum("nii->ni", matrix)  # a view
    diagonal += N_PRIOR_ROWS * (diagonal / np.maximum(equations[..., -1], 1) + MIN_SCALE**2)
    return np.clip(np.linalg.solve(matrix, target)[..., 0], -MAX_SHARE, MAX_SHARE)


def mixed_naive(filled, starts, rows, shares, *, seasons, horizon):
    """Mix the seasonal naive forecasts.

    Parameters
    ----------
    filled, starts, rows
        As in :func:`sklstm.forecasting._normalization.repeat_season`.
    shares : ndarray of shape (n_chosen, n_blocks, n_seasons - 1)
        From `season_shares`.
    seasons : tuple of int
    horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    shortest = seasonal_naive(filled, starts, rows, seasons[0], horizon)
    _, block = season_lags(seasons, horizon)
    mixed = shortest
    for number, season in enumerate(seasons[1:]):
        difference = repeat_season(filled, starts, rows, season, horizon) - shortest
        mixed = mixed + shares[:, block, number] * np.nan_to_num(difference)
    return mixed
