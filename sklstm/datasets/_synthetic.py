"""Generate a random panel."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from sklearn.utils import check_random_state, check_scalar

PERIOD = 12  # rows in a season
PERSISTENCE = 0.7  # coefficient of the autoregressive process
MEMORY = 10  # rows that a target depends on, including its own row


def make_series_panel(
    n_series: int = 20,
    n_steps: int | tuple[int, int] = (40, 120),
    n_features: int = 3,
    *,
    noise: float = 0.1,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Generate a panel of series with the same dynamics but different levels and scales.

    Every feature of every series is the sum of a seasonal component and an autoregressive process,
    multiplied by a random scale and shifted by a random level. Scales are lognormal and vary by
    more than an order of magnitude. The target depends on the last ten rows before scaling and
    shifting. To predict it, a model therefore needs the scale of each series and its last rows; a
    single row is not enough.

    Parameters
    ----------
    n_series : int, default=20
        Number of series.
    n_steps : int or (int, int), default=(40, 120)
        Smallest and largest number of rows of a series, both included; the lengths are drawn
        uniformly. If an int, all series have this length.
    n_features : int, default=3
        Number of features.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise in the target. Without noise, the standard
        deviation of the target is about 0.8.
    missing : float, default=0.0
        Share of feature values that are replaced by NaN, in [0, 1). The target is not affected.
    random_state : int, RandomState instance or None, default=None
        Pass an int to get the same panel on every call. With the same int, `noise` changes the
        target only, and `missing` changes only which values are NaN.

    Returns
    -------
    X : DataFrame of shape (n_rows, 2 + n_features)
        Integer columns `series` (from 0) and `time` (from 0 in each series) and float columns
        `x0`, `x1`, ..., sorted by series and time.
    y : Series of shape (n_rows,)
        Target of each row, named "y".

    Raises
    ------
    TypeError
        If a parameter is of the wrong type.
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from sklstm.datasets import make_series_panel
    >>> X, y = make_series_panel(n_series=3, n_steps=5, n_features=2, random_state=0)
    >>> X.shape, y.shape
    ((15, 4), (15,))
    >>> list(X.columns)
    ['series', 'time', 'x0', 'x1']
    >>> X["time"].tolist()
    [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    """
    check_scalar(n_series, "n_series", Integral, min_val=1)
    check_scalar(n_features, "n_features", Integral, min_val=1)
    check_scalar(noise, "noise", Real, min_val=0)
    check_scalar(missing, "missing", Real, min_val=0, max_val=1, include_boundaries="left")
    shortest, longest = _length_range(n_steps)
    rng = check_random_state(random_state)

    lengths = rng.randint(shortest, longest + 1, size=n_series)
    # All series are generated at full length and then cut to their lengths.
    steps = np.arange(longest)
    series, time = np.nonzero(steps < lengths[:, np.newaxis])

    per_series = (n_series, 1, n_features)
    level = rng.normal(scale=10, size=per_series)
    scale = rng.lognormal(sigma=1.25, size=per_series)
    phase = rng.uniform(0, 2 * np.pi, size=per_series)
    standardised = _season_plus_autoregression(steps, phase, rng)

    features = (level + scale * standardised)[series, time]
    y = _target(standardised)[series, time] + noise * rng.normal(size=len(series))
    n_missing = round(missing * features.size)
    features.flat[rng.permutation(features.size)[:n_missing]] = np.nan

    X = pd.DataFrame(features, columns=[f"x{i}" for i in range(n_features)])
    X.insert(0, "series", series)
    X.insert(1, "time", time)
    return X, pd.Series(y, name="y")


def _length_range(n_steps: int | tuple[int, int]) -> tuple[int, int]:
    try:
        shortest, longest = (n_steps,) * 2 if isinstance(n_steps, int | np.integer) else n_steps
    except (TypeError, ValueError):
        raise TypeError(
            f"n_steps must be an int or a pair (shortest, longest) of ints; got {n_steps!r}."
        ) from None
    check_scalar(shortest, "n_steps, shortest", Integral, min_val=1)
    check_scalar(longest, "n_steps, longest", Integral, min_val=shortest)
    return shortest, longest


def _season_plus_autoregression(
    steps: np.ndarray, phase: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Return `(n_series, n_steps, n_features)` values of mean 0 and variance 1."""
    n_series, _, n_features = phase.shape
    season = np.sin(2 * np.pi * steps[:, np.newaxis] / PERIOD + phase)
    shocks = rng.normal(size=(n_series, len(steps), n_features))
    # With this standard deviation of the later shocks, the process has variance 1 from the first
    # row on. It is scaled to variance 1/2, the variance of the season.
    shocks[:, 1:] *= np.sqrt(1 - PERSISTENCE**2)
    process = lfilter([1], [1, -PERSISTENCE], shocks, axis=1)
    standardised: np.ndarray = season + np.sqrt(0.5) * process
    return standardised


def _target(standardised: np.ndarray) -> np.ndarray:
    """Return `(n_series, n_steps)` targets, with 0 for the rows before the first one."""
    mixed = standardised.sum(axis=2) / np.sqrt(standardised.shape[2])
    level = lfilter(np.full(MEMORY, 1 / np.sqrt(MEMORY)), [1], mixed, axis=1)
    change = lfilter(np.r_[1, np.zeros(MEMORY - 2), -1], [1], mixed, axis=1)
    target: np.ndarray = np.tanh(level) + 0.5 * np.abs(change)
    return target
