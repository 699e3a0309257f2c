"""Sum up many series by a median and bands of quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Levels of the quantiles: an outer band, an inner band and the median.
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def quantiles_by(values: Any, groups: Any) -> pd.DataFrame:
    """Compute the quantiles `LEVELS` of groups of values, without NaN.

    Parameters
    ----------
    values : array-like of shape (n,)
    groups : array-like of shape (n,)
        Group of each value.

    Returns
    -------
    DataFrame of shape (n_groups, 6)
        One column per level, and ``n``, the number of values. Groups are in ascending order; those
        without values are left out.
    """
    grouped = pd.Series(np.asarray(values)).dropna().groupby(np.asarray(groups)[~pd.isna(values)])
    table = grouped.quantile(list(LEVELS)).unstack()
    return table.assign(n=grouped.size())


def draw_bands(axes: Axes, table: pd.DataFrame, *, color: str, of: str, median: str | None) -> None:
    """Draw the median as a line, and two bands around it.

    Parameters
    ----------
    axes : matplotlib Axes
    table : DataFrame
        As of `quantiles_by`; its index is the position on the x-axis.
    color : str
    of, median : str
        Names of the values in the bands and of the median, for the legend. Without the name of the
        median, it is not drawn.
    """
    at = table.index.to_numpy()
    for low, high, alpha in [(0.05, 0.95, 0.15), (0.25, 0.75, 0.3)]:
        label = f"{100 * (high - low):.0f}% of {of}"
        _fill(axes, at, table[low].to_numpy(), table[high].to_numpy(), color, alpha, label)
    if median is None:
        return
    marker = "o" if len(at) == 1 else None
    axes.plot(at, table[0.5].to_numpy(), color=color, lw=1.5, marker=marker, ms=4, label=median)


def _fill(
    axes: Axes,
    at: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    color: str,
    alpha: float,
    label: str,
) -> None:
    """Fill the area between two lines; a single point is drawn as a vertical bar."""
    if len(at) == 1:
        axes.vlines(at, low, high, color=color, alpha=alpha, lw=8, label=label)
    else:
        axes.fill_between(at, low, high, color=color, alpha=alpha, lw=0, label=label)
