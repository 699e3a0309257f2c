"""Choose the baseline of attributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklstm._panel.user_warnings import warn_user
from sklstm._panel.windows import Windows
from sklstm.inspection._explained import find_network

# A baseline this many ranges of a feature beyond its values was probably not meant.
FAR_RANGES = 10


def check_baseline(baseline: ArrayLike | float, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a baseline to a window."""
    window_length, n_features = shape
    values = np.asarray(baseline, dtype=np.float64)
    if values.shape not in ((), (n_features,), shape):
        raise ValueError(
            f"baseline has shape {values.shape}: pass a number, one value per feature, "
            f"({n_features},), or a window, ({window_length}, {n_features})."
        )
    if not np.isfinite(values).all():
        raise ValueError("baseline contains NaN or infinity: pass finite values.")
    return np.broadcast_to(values, shape)


def mean_row(
    estimator: Any, background: Any, baseline: ArrayLike | float, shape: tuple[int, ...]
) -> np.ndarray:
    """Return a window whose rows are the mean of the background rows."""
    if np.ndim(baseline) or baseline != 0:
        raise ValueError("baseline and background were both passed: use one of the two.")
    found = find_network(estimator, background)
    windows = found.network._read(found.X)
    mean = windows.rows[windows.ends].mean(axis=0, dtype=np.float64)
    return np.broadcast_to(mean, shape)


def warn_of_far_baseline(
    baseline: np.ndarray, windows: Windows, names: list[str], fixed: list[int]
) -> None:
    """Warn if the baseline is far from all values of a feature that is not fixed."""
    values = windows.rows[windows.ends]
    low, high = values.min(axis=0), values.max(axis=0)
    reach = FAR_RANGES * (high - low)
    too_low, too_high = (baseline < low - reach).any(axis=0), (baseline > high + reach).any(axis=0)
    far = np.setdiff1d(np.flatnonzero((too_low | too_high) & (high > low)), fixed)
    if len(far):
        first = far[0]
        warn_user(
            f"The baseline is far from all values of {len(far)} of {len(names)} features: "
            f"{names[first]!r} ranges from {low[first]:.3g} to {high[first]:.3g}, and its baseline "
            f"is {baseline[-1, first]:.3g}. Scale the features, or pass typical rows as background."
        )
