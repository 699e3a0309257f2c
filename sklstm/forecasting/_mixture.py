"""Mix the forecasts of several seasons, window by window.

The seasonal naive forecast of one season repeats it. With several seasons, each longer one gives
further forecasts: its last repetition, and the means of its last two and three, which have less
noise. The mixture adds to the forecast of the shortest season a share of the difference of each of
these. The shares are those that would have been best for the last rows of the window, by
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

# Largest number of repetitions of a longer season whose mean is one of the forecasts.
N_REPEATS = 3
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


def n_shares(seasons):
    """Count the shares of a mixture: one for each forecast of a longer season."""
    return N_REPEATS * (len(seasons) - 1)


def rows_beyond_window(seasons):
    """Count the rows before the first row of a window that it is compared with, at most."""
    return max(seasons) * (N_REPEATS if len(seasons) > 1 else 1)


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
        Rows of the window are compared whose values one of each season ago are in it, too.

    Returns
    -------
    ndarray of shape (n_chosen, n_blocks, n_shares)
        float32. Share of the difference of each forecast of a longer season from that of the
        shortest one, for the combinations of `season_lags`. 0 where nothing is known about it.
    """
    lags, _ = season_lags(seasons, horizon)
    shares = np.zeros((len(rows), len(lags), n_shares(seasons)), np.float32)
    if len(seasons) > 1:
        for block, of_block in enumerate(lags):
            terms = _terms(values, known, starts, seasons, of_block)
            shares[:, block] = _shares_at(terms, starts, rows, of_block, window_length)
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
    terms = _terms(values, known, starts, seasons, seasons)
    shares = _shares_at(terms, starts, origins, seasons, window_length)
    error, explaining, _ = terms
    for share, difference in zip(shares.T, explaining, strict=True):
        error = error - share * difference
    return error


def _shares_at(terms, starts, rows, lags, window_length):
    """Compute the shares for one combination of lags, shape (n_chosen, n_shares)."""
    first = np.arange(len(starts)) - window_length + 1 + max(lags)
    return _solve(sums_since(_products(*terms), starts, np.maximum(starts, first))[rows])


def _terms(values, known, starts, seasons, lags):
    """Find what the shares explain, what explains it, and where the latter is known.

    Returns
    -------
    target : ndarray of shape (n_rows,)
        Difference from the row of the first lag; 0 where one is unknown.
    explaining : list of n_shares ndarray of shape (n_rows,)
        For each forecast of a longer season, its difference from the row of the first lag; 0 where
        unknown.
    is_known : list of n_shares ndarray of shape (n_rows,)
    """
    target, has_target = lag_differences(values, known, starts, lags[0])
    explaining, is_known = [], []
    for season, lag in zip(seasons[1:], lags[1:], strict=True):
        total, count = np.zeros(len(values)), np.zeros(len(values))
        for number in range(N_REPEATS):
            difference, has_both = lag_differences(values, known, starts, lag + number * season)
            total += difference
            count += has_both
            is_known.append(has_target & (count > 0))
            mean = total / np.maximum(count, 1)
            explaining.append(np.where(is_known[-1], target - mean, 0.0))
    return target, explaining, is_known


def _products(target, explaining, is_known):
    """Multiply what explains each row with each other, and with what is to be explained.

    Returns
    -------
    ndarray of shape (n_rows, n_shares * (n_shares + 2))
        For each share, its products with all, with the target, and whether it is known.
    """
    columns = []
    for first, count in zip(explaining, is_known, strict=True):
        columns += [first * second for second in [*explaining, target]] + [count]
    return np.column_stack(columns)


def _solve(sums):
    """Compute the shares of least squares from sums over rows, as `_products` arranges them."""
    size = int(np.sqrt(sums.shape[1] + 1)) - 1
    equations = sums.reshape(len(sums), size, size + 2)
    matrix, target = equations[..., :size].copy(), equations[..., size : size + 1]
    diagonal = np.einsum("nii->ni", matrix)  # a view
    diagonal += N_PRIOR_ROWS * (diagonal / np.maximum(equations[..., -1], 1) + MIN_SCALE**2)
    return np.clip(np.linalg.solve(matrix, target)[..., 0], -MAX_SHARE, MAX_SHARE)


def mixed_naive(filled, starts, rows, shares, *, seasons, horizon):
    """Mix the seasonal naive forecasts.

    Parameters
    ----------
    filled, starts, rows
        As in :func:`sklstm.forecasting._normalization.repeat_season`.
    shares : ndarray of shape (n_chosen, n_blocks, n_shares)
        From `season_shares`.
    seasons : tuple of int
    horizon : int

    Returns
    -------
    ndarray of shape (n_chosen, horizon)
    """
    shortest = seasonal_naive(filled, starts, rows, seasons[0], horizon)
    _, block = season_lags(seasons, horizon)
    forecasts = [
        mean
        for season in seasons[1:]
        for mean in _means_of_repeats(filled, starts, rows, season, horizon)
    ]
    mixed = shortest
    for number, forecast in enumerate(forecasts):
        mixed = mixed + shares[:, block, number] * np.nan_to_num(forecast - shortest)
    return mixed


def _means_of_repeats(filled, starts, rows, season, horizon):
    """Average the known ones of the last repetitions of a season; NaN where none is known.

    Returns
    -------
    list of N_REPEATS ndarray of shape (n_chosen, horizon)
        The means of the last repetition, of the last two, and so on.
    """
    total, count, means = np.zeros((len(rows), horizon)), np.zeros((len(rows), horizon)), []
    for number in range(N_REPEATS):
        repeat = repeat_season(filled, starts, rows - number * season, season, horizon)
        total += np.nan_to_num(repeat)
        count += ~np.isnan(repeat)
        means.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return means
