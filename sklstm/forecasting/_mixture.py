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
    if len(seasons) > 1:
        for block, of_block in enumerate(lags):
            shares[:, block] = _shares_at(values, known, starts, rows, of_block, window_length)
    return shares


def season_errors(values, known, starts, *, seasons, window_length):
    """Compute the errors of the mixture that was made one shortest season before each row.

    Parameters
    ----------
    values, known, starts : ndarray of shape (n_rows,)
    seasons : tuple of int
        At least two, in ascending order.
    window_length : int

    Returns
    -------
    ndarray of shape (n_rows,)
        0 where the value is unknown, or that of one shortest season before.
    """
    # In the first season of a series, these are rows of another one, and all terms are 0.
    origins = np.maximum(np.arange(len(values)) - seasons[0], 0)
    shares = _shares_at(values, known, starts, origins, seasons, window_length)
    error, explaining, _ = _terms(values, known, starts, seasons)
    for share, difference in zip(shares.T, explaining, strict=True):
        error = error - share * difference
    return error


def _shares_at(values, known, starts, rows, lags, window_length):
    """Compute the shares for one combination of lags, shape (n_chosen, n_shares)."""
    first = np.arange(len(values)) - window_length + 1 + max(lags)
    products = _products(values, known, starts, lags)
    return _solve(sums_since(products, starts, np.maximum(starts, first))[rows])


def _terms(values, known, starts, lags):
    """Find what the shares explain, what explains it, and where the latter is known.

    Returns
    -------
    target : ndarray of shape (n_rows,)
        Difference from the row of the first lag; 0 where one is unknown.
    explaining : list of ndarray of shape (n_rows,)
        For each other lag, the difference of its row from that of the first lag; 0 where unknown.
    is_known : list of ndarray of shape (n_rows,)
    """
    target, has_target = lag_differences(values, known, starts, lags[0])
    explaining, is_known = [], []
    for lag in lags[1:]:
        difference, has_both = lag_differences(values, known, starts, lag)
        has_both &= has_target
        explaining.append(np.where(has_both, target - difference, 0.0))
        is_known.append(has_both)
    return target, explaining, is_known


def _products(values, known, starts, lags):
    """Multiply what explains each row with each other, and with what is to be explained.

    Returns
    -------
    ndarray of shape (n_rows, n_shares * (n_shares + 2))
        For each share, its products with all, with the target, and whether it is known.
    """
    target, explaining, is_known = _terms(values, known, starts, lags)
    columns = []
    for first, count in zip(explaining, is_known, strict=True):
        columns += [first * second for second in [*explaining, target]] + [count]
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
