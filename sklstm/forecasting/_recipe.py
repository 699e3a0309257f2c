"""Choose the default window, regressor and training effort of a forecaster.

The constants were chosen on the last horizon of training data (benchmarks/forecast_choices.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklstm.lstm._regressor import MultiSeriesLSTMRegressor

# Of the shortest season, and of the longest one of several.
SEASONS_IN_WINDOW = 14
LONG_SEASONS_IN_WINDOW = 3
HIDDEN_UNITS = 64
MAX_BATCH_SIZE = 256
# Training steps per square root of the number of windows, and of the number of series. More
# windows need more steps, but windows of the same series carry similar information. Passes over
# the data are limited, since a small training set is soon overfitted.
STEPS_PER_SQRT_WINDOWS = 4
STEPS_PER_SQRT_SERIES = 80
MAX_PASSES = 4
# Number of windows beyond which the steps no longer increase. On 100,000 series of 100 rows, twice
# the steps lowered the error by 0.3 % (benchmarks/effort.py).
MAX_WINDOWS = 2**21
MIN_STEPS = 100
LEARNING_RATE = 1e-2
# Weight of the seasonal naive forecast, in training windows: with n windows, the forecast moves
# n / (n + PRIOR_WINDOWS) of the way from the seasonal naive forecast to the regressor's.
PRIOR_WINDOWS = 500
# Soft bound of the normalised values of a window.
VALUE_LIMIT = 7.0


def choose_window_length(horizon, seasons):
    """Return the number of rows in a window, rounded up to whole shortest seasons.

    Twice the horizon, at least 14 of the shortest season, and 3 of the longest one of several.
    """
    shortest, *longer = seasons
    at_least = [SEASONS_IN_WINDOW * shortest, *(LONG_SEASONS_IN_WINDOW * m for m in longer)]
    n_rows = max(2 * horizon, *at_least)
    return -(-n_rows // shortest) * shortest


def choose_segment_length(window_length, season_length):
    """Return one season, or for short seasons the largest divisor of the window up to 8."""
    if season_length >= 4 and window_length % season_length == 0:
        return season_length
    return max(length for length in range(1, 9) if window_length % length == 0)


def choose_min_observed(n_observed, largest, window_length, season_length):
    """Choose how many observed rows a training window must have.

    Half of its rows, or one season and a row where half would leave out more than a third of the
    windows. Never so many that an output has no target.

    Parameters
    ----------
    n_observed : ndarray
        Number of observed rows of each window with a known target.
    largest : ndarray of shape (n_outputs,)
        The largest of these numbers for each output.
    window_length, season_length : int
    """
    half = window_length // 2
    half_suffices = np.mean(n_observed >= half) >= 2 / 3
    wanted = max(half, 1) if half_suffices else season_length + 1
    return int(np.clip(wanted, 1, largest.min()))


@dataclass(frozen=True)
class TrainingEffort:
    """Hold the training effort for a training set.

    Attributes
    ----------
    batch_size, n_steps : int
        Windows per training step, and number of steps.
    """

    batch_size: int
    n_steps: int

    @classmethod
    def choose(cls, n_windows, n_series):
        """Choose the effort for a number of windows, and of series that they belong to."""
        batch_size = int(np.clip(n_windows / 20, 1, MAX_BATCH_SIZE))
        n_steps = min(
            STEPS_PER_SQRT_WINDOWS * np.sqrt(min(n_windows, MAX_WINDOWS)),
            STEPS_PER_SQRT_SERIES * np.sqrt(n_series),
            MAX_PASSES * n_windows / batch_size,
        )
        return cls(batch_size, int(max(n_steps, MIN_STEPS)))

    def draw(self, rows, seed):
        """Draw the rows that training can use, where it ends before it has used all of them.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Positions, in ascending order.
        seed : int

        Returns
        -------
        ndarray
            In ascending order.
        """
        n_used = self.batch_size * self.n_steps
        if n_used >= len(rows):
            return rows
        chosen = np.random.default_rng(seed).choice(len(rows), n_used, replace=False, shuffle=False)
        return rows[np.sort(chosen)]


def network_share(n_windows):
    """Return the weight of the network against the seasonal naive forecast, between 0 and 1."""
    return n_windows / (n_windows + PRIOR_WINDOWS)


def default_regressor(
    effort: TrainingEffort, *, n_series, min_observed, early_stopping, **parameters
):
    """Create the default regressor, with training steps that suit the training set.

    Parameters
    ----------
    effort : TrainingEffort
    n_series : int
        Number of series that the windows belong to.
    min_observed : int
    early_stopping : bool
    **parameters
        Further parameters of MultiSeriesLSTMRegressor.

    Returns
    -------
    MultiSeriesLSTMRegressor
    """
    epochs = 10 if early_stopping and effort.n_steps >= 10 else 1
    return MultiSeriesLSTMRegressor(
        skip=True,
        loss="mae",
        optimizer={
            "class_name": "Adam",
            "config": {"learning_rate": LEARNING_RATE, "clipnorm": 1.0},
        },
        learning_rate_decay="cosine",
        epochs=epochs,
        steps_per_epoch=effort.n_steps // epochs,
        batch_size=effort.batch_size,
        min_observed=min_observed,
        early_stopping=early_stopping,
        validation_by="series" if n_series > 1 else "time",
        n_iter_no_change=3,
        **parameters,
    )
