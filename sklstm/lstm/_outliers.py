"""Warn of single values that determine the scale of all others."""

from __future__ import annotations

import numpy as np

from sklstm._panel.user_warnings import warn_user
from sklstm.lstm._samples import Samples

# Values this many deviations from the mean are looked at: fewer are usual in skewed data.
MIN_DEVIATIONS = 8.0
# The most extreme values: one in a hundred, and at least one.
EXTREME_FRACTION = 0.01
# Without them, the deviation of the others is smaller by this factor.
MIN_RATIO = 1e3


TARGETS = (
    "targets",
    "Check these values, clip them, or scale y robustly: PerSeriesTargetRegressor(..., "
    "scaler='robust'), or loss='mae'.",
)
FEATURE = (
    "values of a feature",
    "Check these values, clip them, or use PerSeriesScaler(scaler='robust').",
)


def warn_of_outliers(samples: Samples) -> None:
    """Warn if a few targets, or values of a feature, hide all differences between the others.

    The network receives features as they are, and targets in units of their standard deviation.
    Beside a value of 1e9, it cannot tell values around 1 apart.
    """
    checked = [(TARGETS, list(samples.targets.T))]
    if samples.windows.normalization is None:
        codes = {each.position for each in samples.windows.categories}
        features = enumerate(samples.windows.rows.T)
        checked.append((FEATURE, [values for place, values in features if place not in codes]))
    for (kind, remedy), columns in checked:
        for column in columns:
            ratio = hidden_spread(column)
            if ratio >= MIN_RATIO:
                warn_user(
                    f"A few {kind} are extreme (up to {np.nanmax(np.abs(column)):.3g}) and make "
                    f"the standard deviation {ratio:.1g} times larger. The network can hardly tell "
                    f"the other values apart. {remedy}"
                )


def hidden_spread(values) -> float:
    """Return the standard deviation of all values in units of that without the extreme ones.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN elements are missing.

    Returns
    -------
    float
        1 where no value is far from the mean, or all but the extreme ones are equal.
    """
    values = values[~np.isnan(values)].astype(np.float64, copy=False)
    if len(values) < 3:
        return 1.0
    distance, deviation = np.abs(values - values.mean()), values.std()
    if distance.max() <= min(MIN_DEVIATIONS, 0.9 * np.sqrt(len(values))) * deviation:
        return 1.0
    n_kept = len(values) - max(1, int(EXTREME_FRACTION * len(values)))
    far = np.abs(values - np.median(values))
    kept = values[np.argpartition(far, n_kept - 1)[:n_kept]]
    rest = kept.std()
    return float(deviation / rest) if rest > 0 else 1.0
