"""Find seasons in the autocorrelations of many series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

# Times that a season must fit into a series of median length.
MIN_REPEATS = 3
# Values are clipped at this many typical ones.
MAX_VALUE = 6.0
# Least mean autocorrelation at the multiples of a season: of the first one, which may be weak
# beside other variation, and of those that are still there after it has been removed.
MIN_STRENGTH, MIN_ADDED_STRENGTH = 0.01, 0.05
# The same in standard errors.
MIN_SIGNIFICANCE = 4.5
# The multiples of a season are about as strong as itself: the shortest lag is chosen that has this
# share of the greatest strength, less so many standard errors.
SHARE_OF_STRONGEST, N_ERRORS = 0.4, 3.0


def find_seasons(series: list[np.ndarray]) -> list[int]:
    """Find the seasons that most of the series share.

    The first one is the shortest lag at whose multiples the series are correlated with themselves,
    after a trend and slow variation have been removed. The next one is a multiple of it, where the
    differences over the first one are, and so on.

    Parameters
    ----------
    series : list of ndarray of shape (n_rows,)
        NaN where values are missing.

    Returns
    -------
    list of int
        Each a multiple of the one before; empty if there is none.
    """
    found: list[int] = []
    parts, least = [prewhiten(values) for values in series], MIN_STRENGTH
    while (season := _next_season(parts, found[-1] if found else 1, least)) is not None:
        if not found:
            parts, least = [np.diff(values) for values in series], MIN_ADDED_STRENGTH
        parts = [values[season:] - values[:-season] for values in parts if len(values) > season]
        found.append(season)
    return found


def _next_season(series, period, min_strength):
    """Find the shortest lag, a multiple of `period` but not itself, that is a season, or None."""
    correlations, n_known = mean_autocorrelations(series)
    multiple = find_peak(correlations[::period], n_known, min_strength)
    return None if multiple is None else multiple * period


def prewhiten(values: np.ndarray) -> np.ndarray:
    """Subtract from each row the part that the row before explains.

    For a random walk these are the differences, and for independent values the values themselves.
    """
    centered = values - np.nanmean(values) if not np.isnan(values).all() else values
    before, after = np.nan_to_num(centered[:-1]), np.nan_to_num(centered[1:])
    squares = (before**2).sum()
    share = np.clip((before * after).sum() / squares, 0, 1) if squares > 0 else 0.0
    return centered[1:] - share * centered[:-1]


def standardize(values: np.ndarray) -> np.ndarray:
    """Divide by the median absolute deviation from the mean, and clip; NaN for a constant."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.full(len(values), np.nan)
    deviations = np.abs(known - known.mean())
    scale = np.median(deviations) or deviations.mean()
    if scale == 0:
        return np.full(len(values), np.nan)
    clipped = np.clip((values - known.mean()) / scale, -MAX_VALUE, MAX_VALUE)
    return clipped - np.nanmean(clipped)


def autocorrelations(values: np.ndarray, n_lags: int) -> np.ndarray:
    """Compute the autocorrelations of values with mean 0, over the pairs that are known.

    Returns
    -------
    ndarray of shape (n_lags + 1,)
        NaN at lags without a known pair.
    """
    known = ~np.isnan(values)
    n = next_fast_len(len(values) + n_lags + 1, real=True)

    def products(array):
        return irfft(np.abs(rfft(array, n)) ** 2, n)[: n_lags + 1]

    count = np.rint(products(known.astype(float)))
    with np.errstate(invalid="ignore"):
        mean = products(np.nan_to_num(values)) / np.where(count > 0, count, np.nan)
    return mean / mean[0]


def mean_autocorrelations(series: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Average the autocorrelations of many series.

    Returns
    -------
    correlations : ndarray of shape (n_lags + 1,)
        For the lags that a season and its multiples can have in a series of median length. Shorter
        series count at their shorter lags.
    n_known : int
        Number of known values in all series.
    """
    lengths = [len(values) for values in series]
    n_lags = _largest_lag(int(np.median(lengths))) if lengths else 0
    total, count, n_known = np.zeros(n_lags + 1), np.zeros(n_lags + 1), 0
    for values in _varying(series):
        own = autocorrelations(values, min(n_lags, _largest_lag(len(values))))
        is_known = np.flatnonzero(~np.isnan(own))
        total[is_known] += own[is_known]
        count[is_known] += 1
        n_known += int(np.count_nonzero(~np.isnan(values)))
    return np.divide(total, count, out=np.zeros(n_lags + 1), where=count > 0), n_known


def _largest_lag(n_rows):
    # One row is lost to differences.
    return (n_rows + 1) * (MIN_REPEATS - 1) // MIN_REPEATS


def _varying(series) -> Iterator[np.ndarray]:
    standardized = (standardize(values) for values in series)
    return (values for values in standardized if not np.isnan(values).all())


def find_peak(correlations: np.ndarray, n_known: int, min_strength: float) -> int | None:
    """Find the shortest lag of at least 2 at whose multiples the correlations peak.

    Parameters
    ----------
    correlations : ndarray of shape (n_lags + 1,)
    n_known : int
        Number of values from which they were computed.
    min_strength : float
        Least mean of the correlations at the multiples.

    Returns
    -------
    int or None
    """
    longest = (len(correlations) - 1) // 2  # two multiples at least
    strength = correlations[: longest + 2].copy()  # also of the lag before the first and the last
    lags = np.arange(2, longest + 1)
    strength[lags] = [_strength(correlations[lag::lag]) for lag in lags]
    is_peak = (strength[lags] > strength[lags - 1]) & (strength[lags] > strength[lags + 1])
    peaks = lags[is_peak & (strength[lags] >= min_strength)]
    errors = np.array([_standard_error(correlations, lag, n_known) for lag in peaks])
    is_significant = strength[peaks] >= MIN_SIGNIFICANCE * errors
    peaks, errors = peaks[is_significant], errors[is_significant]
    if len(peaks) == 0:
        return None
    least = SHARE_OF_STRONGEST * (strength[peaks] - N_ERRORS * errors).max()
    return int(peaks[strength[peaks] >= least][0])


def _strength(at_multiples):
    """Return the least mean of the correlations at the multiples that no longer season explains.

    At every second, third, fifth or seventh multiple, a longer season may be the reason.
    """
    number = np.arange(1, len(at_multiples) + 1)
    return min(at_multiples[number % prime != 0].mean() for prime in (2, 3, 5, 7))


def _standard_error(correlations, lag, n_known):
    """Estimate the error of the mean of the correlations at the odd multiples of a lag.

    From the variation of the correlations between one repetition of the lag and the next; it is at
    least that of independent values.
    """
    n_repeats = len(correlations) // lag
    repeats = correlations[: n_repeats * lag].copy()
    repeats[0] = correlations[lag::lag].mean()  # lag 0 has a correlation of 1
    repeats = repeats.reshape(n_repeats, lag)
    variation = np.abs(repeats - repeats.mean(axis=0)).ravel()[2:]
    # The factor makes a standard deviation of the median of normal values.
    deviation = 1.4826 * np.median(variation) * np.sqrt(n_repeats / (n_repeats - 1))
    n_odd = ((len(correlations) - 1) // lag + 1) // 2
    return max(deviation, 1 / np.sqrt(n_known)) / np.sqrt(n_odd)
