"""Axes that all displays share."""

from __future__ import annotations

import numpy as np
import pandas as pd

SIZE_OF_AXES = (3.6, 2.2)  # inches
UNITS_OF_TIME = {"D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}


# Colours of Okabe and Ito, which most colour-blind people can tell apart.
DARK, BLUE, ORANGE = "#404040", "#0072B2", "#D55E00"


def _make_axes(ax, n_axes, n_columns, size=None):
    """Return (axes, figure): the given axes, or those of a new figure.

    A figure has `n_columns`, or where one is asked for, as many as look well.
    """
    if ax is not None:
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != n_axes:
            raise ValueError(
                f"ax holds {len(axes)} axes for {n_axes}: pass one for each series and target."
            )
        return axes, axes[0].figure
    import matplotlib.pyplot as plt

    if n_columns == 1:
        n_columns = 2 if n_axes == 4 else min(n_axes, 3)
    n_rows = -(-n_axes // n_columns)
    if size is None:
        width, height = SIZE_OF_AXES
        size = (max(width * n_columns, 6.0), height * n_rows + 0.8)
    figure, grid = plt.subplots(
        n_rows, n_columns, squeeze=False, figsize=size, layout="constrained"
    )
    for unused in grid.ravel()[n_axes:]:
        unused.remove()
    return grid.ravel()[:n_axes], figure


def _described(name, value):
    """Make a title: a text id speaks for itself, a number takes the name of the ids."""
    return value if isinstance(value, str) else f"{name} {value}"


def _unit_of_time(times):
    """Choose what to count time differences in: the longest unit that fits in twice."""
    if times.dtype.kind != "m":
        return None
    longest = times.abs().max()
    fitting = (unit for unit in UNITS_OF_TIME if longest >= 2 * pd.Timedelta(1, unit))
    return next(fitting, list(UNITS_OF_TIME)[-1])


def _drawable(times, unit):
    """Bring times into an array that matplotlib can draw: dates in local time, or numbers."""
    index = pd.Index(times)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.TimedeltaIndex):
        index = index / pd.Timedelta(1, unit)
    if isinstance(index, pd.DatetimeIndex):
        index = index.tz_localize(None)
    return index.to_numpy()


def _tidy(axes, dtype):
    """Few ticks, short dates, whole numbers for whole numbers, and no box."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    if dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=dtype.kind in "iu"))
    axes.spines[["top", "right"]].set_visible(False)
