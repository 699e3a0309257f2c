"""Choose the default window, regressor and training effort of a forecaster.

The constants were chosen on the last horizon of training data (benchmarks/forecast_choices.py).
"""

from __future__ import annotations

import numpy as np

from sklstm.lstm._regressor import MultiSeriesLSTMRegressor

SEASONS_IN_WINDOW = 14
HIDDEN_UNITS = 64
MAX_BATCH_SIZE = 256
# Training steps per square root of the number of windows, and of the number of series. More
# windows need more steps, but windows of the same series carry similar information. Passes over
# the data are limited, since a small training set is soon overfitted.
STEPS_PER_SQRT_WINDOWS = 4
STEPS_PER_SQRT_SERIES = 80
MAX_PASSES = 4
MIN_STEPS = 100
LEARNING_RATE = 1e-2
# Weight of the seasonal naive forecast, in training windows: with n windows, the forecast moves
# n / (n + PRIOR_WINDOWS) of the way from the seasonal naive forecast to the regressor's.
PRIOR_WINDOWS = 500
# Soft bound of the normalised values of a window.
VALUE_LIMIT = 7.0


def choose_window_length(horizon, season_length):
    """Return twice the horizon, at least 14 seasons, rounded up to whole seasons."""
    n_rows = max(2 * horizon, SEASONS_IN_WINDOW * season_length)
    return -(-n_rows // season_length) * season_length


def choose_segment_length(window_length, season_length):
    """Return one season, or for short seasons the largest divisor of the window up to 8."""
    if season_length >= 4 and window_length % season_length == 0:
        return season_length
    return max(length for length in range(1, 9) if window_length % length == 0)


def choose_min_observed(windows, y, season_length):
    """Choose how many observed rows a training window must have.

    Half of its rows, or one season and a row where half would leave out more than a third of the
    windows. Never so many that an output has no target.
    """
    known = ~np.isnan(y)
    largest = np.where(known, windows.n_observed[:, np.newaxis], 0).max(axis=0).min()
    half = windows.window_length // 2
    half_suffices = np.mean(windows.n_observed[known.any(axis=1)] >= half) >= 2 / 3
    wanted = max(half, 1) if half_suffices else season_length + 1
    return int(np.clip(wanted, 1, largest))


def training_windows(windows, y, min_observed):
    """Mark the windows with a known target and enough observed rows."""
    return ~np.isnan(y).all(axis=1) & (windows.n_observed >= min_observed)


def network_share(n_windows):
    """Return the weight of the network against the seasonal naive forecast, between 0 and 1."""
    return n_windows / (n_windows + PRIOR_WINDOWS)


def default_regressor(windows, y, *, min_observed, early_stopping, **parameters):
    """Create the default regressor, with training steps that suit the training set.

    Parameters
    ----------
    windows : Windows
    y : ndarray of shape (n_windows, n_outputs)
    min_observed : int
    early_stopping : bool
    **parameters
        Further parameters of MultiSeriesLSTMRegressor.

    Returns
    -------
    MultiSeriesLSTMRegressor
    """
    n_windows = np.sum(training_windows(windows, y, min_observed))
    n_series = len(np.unique(windows.codes))
    batch_size = int(np.clip(n_windows / 20, 1, MAX_BATCH_SIZE))
    n_steps = min(
        STEPS_PER_SQRT_WINDOWS * np.sqrt(n_windows),
        STEPS_PER_SQRT_SERIES * np.sqrt(n_series),
        MAX_PASSES * n_windows / batch_size,
    )
    n_steps = int(max(n_steps, MIN_STEPS))
    epochs = 10 if early_stopping and n_steps >= 10 else 1
    return MultiSeriesLSTMRegressor(
        skip=True,
        loss="mae",
        optimizer={
            "class_name": "Adam",
            "config": {"learning_rate": LEARNING_RATE, "clipnorm": 1.0},
        },
        learning_rate_decay="cosine",
        epochs=epochs,
        steps_per_epoch=n_steps // epochs,
        batch_size=batch_size,
        min_observed=min_observed,
        early_stopping=early_stopping,
        validation_by="series" if len(windows.ids) > 1 else "time",
        n_iter_no_change=3,
        **parameters,
    )
