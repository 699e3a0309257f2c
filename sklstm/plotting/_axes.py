"""Make and format the axes of all displays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklstm._panel.checks import check_type

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES_SIZE = (3.6, 2.2)  # inches
# A figure of more axes could not be read.
MAX_AXES = 100
TIME_UNITS = {"D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}


def make_axes(
    ax: Any, n_axes: int, n_columns: int, size: tuple[float, float] | None = None
) -> tuple[np.ndarray, Figure]:
    """Return axes to draw on, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes, array of them or None
        The axes to return. None: make a new figure.
    n_axes : int
        Number of axes that are needed.
    n_columns : int
        Columns of a new figure. 1: the number is chosen for a balanced layout.
    size : (float, float), default=None
        Width and height of a new figure in inches. None: by the number of axes.

    Returns
    -------
    axes : ndarray of shape (n_axes,)
    figure : matplotlib Figure
    """
    if ax is not None:
        from matplotlib.axes import Axes

        axes = np.asarray(ax, dtype=object).ravel()
        for each in axes:
            remedy = "Pass axes, such as those of plt.subplots(), or leave ax=None."
            check_type(each, Axes, "ax" if axes.size == 1 else "An element of ax", remedy)
        if len(axes) != n_axes:
            several = (
                f": one per series and target. Pass that many, such as plt.subplots({n_axes})[1], "
                "choose series with series_ids="
            )
            raise ValueError(
                f"ax holds {len(axes)} Axes, expected {n_axes}"
                f"{several if n_axes > 1 else '. Pass one'}, or leave ax=None."
            )
        return axes, axes[0].figure
    if n_axes > MAX_AXES:
        raise ValueError(
            f"A figure of {n_axes:,} axes cannot be read. Choose at most {MAX_AXES} series with "
            "series_ids=."
        )
    import matplotlib.pyplot as plt

    if n_columns == 1:
        n_columns = 2 if n_axes == 4 else min(n_axes, 3)
    n_rows = -(-n_axes // n_columns)
    if size is None:
        width, height = AXES_SIZE
        size = (max(width * n_columns, 6.0), height * n_rows + 0.8)
    figure, grid = plt.subplots(
        n_rows, n_columns, squeeze=False, figsize=size, layout="constrained"
    )
    for unused in grid.ravel()[n_axes:]:
        unused.remove()
    return grid.ravel()[:n_axes], figure


def finish_axes(
    axes: np.ndarray, figure: Figure, *, is_new: bool, x_label: str, y_labels: Sequence[Any]
) -> None:
    """Add labels and one legend to the axes of a display.

    Parameters
    ----------
    axes : ndarray of matplotlib Axes
    figure : matplotlib Figure
    is_new : bool
        Whether the display has made the figure. Its labels and legend are then those of the figure.
    x_label : str
        Label of all x-axes.
    y_labels : sequence of str
        Label of the y-axis of each axes. If they differ, a new figure has none.
    """
    if is_new:
        figure.supxlabel(x_label, size="medium")
        if len(set(y_labels)) == 1:
            figure.supylabel(y_labels[0], size="medium")
    else:
        for each, y_label in zip(axes, y_labels, strict=True):
            each.set(xlabel=x_label, ylabel=y_label)
    add_legend(axes, figure, is_new=is_new)


def add_legend(axes: np.ndarray, figure: Figure, *, is_new: bool) -> None:
    """Add one legend: above the axes of a new figure, where it hides nothing, or to the first."""
    handles: dict[str, Any] = {}
    for each in axes:
        for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    legend = {"handles": handles.values(), "labels": handles.keys(), "frameon": False}
    if is_new:
        n_columns = legend_columns(figure, handles)
        figure.legend(loc="outside upper center", ncols=n_columns, **legend)
    else:
        axes[0].legend(**legend)


def legend_columns(figure: Figure, labels: Iterable[str]) -> int:
    """Return the number of columns of a legend above the axes that fits into the figure."""
    inches = [0.6 + 0.08 * len(label) for label in labels]
    n_fitting = max(int(figure.get_figwidth() / max(inches, default=1.0)), 1)
    n_rows = max(-(-len(inches) // n_fitting), 1)
    return max(-(-len(inches) // n_rows), 1)


def series_title(name: Any, value: Any) -> str:
    """Return the title of a series: the id if it is a string, else the id after its name."""
    return value if isinstance(value, str) else f"{name} {value}"


def time_unit(times: pd.Series) -> str | None:
    """Choose the unit of time differences: the longest one that fits in at least twice."""
    if times.dtype.kind != "m":
        return None
    longest = times.abs().max()
    fitting = (unit for unit in TIME_UNITS if longest >= 2 * pd.Timedelta(1, unit))
    return next(fitting, list(TIME_UNITS)[-1])


def time_label(name: Any, unit: str | None) -> str:
    """Return the label of an axis of time: the name of the time, and its unit."""
    return str(name) + ("" if unit is None else f" ({TIME_UNITS[unit]})")


def draw_each_series(
    draw: Callable[[Axes, np.ndarray, str | None], None],
    table: pd.DataFrame,
    chosen: Sequence[Any],
    ax: Any,
    *,
    series_name: Any,
    time_name: Any,
    y_label: str,
) -> tuple[np.ndarray, Figure]:
    """Draw one axes per series, over time.

    Parameters
    ----------
    draw : callable
        ``draw(axes, positions, unit)`` draws the rows of one series. `positions` are their
        positions in `table`, and `unit` is the unit of the time.
    table : DataFrame
        The columns ``series`` and ``time`` of all rows.
    chosen : sequence
        Ids of the series to draw.
    ax : matplotlib Axes, array of them or None
        As in :func:`make_axes`.
    series_name, time_name : str or None
        Names of the ids and of the time. ``series_name=None``: the axes have no titles.
    y_label : str

    Returns
    -------
    axes : ndarray of matplotlib Axes
    figure : matplotlib Figure
    """
    positions = table.groupby("series", sort=False, observed=True).indices
    unit = time_unit(table["time"])
    axes, figure = make_axes(ax, len(chosen), 1)
    for each, name in zip(axes, chosen, strict=True):
        draw(each, positions[name], unit)
        if series_name is not None:
            each.set_title(series_title(series_name, name), loc="left", size="medium")
    x_label, y_labels = time_label(time_name, unit), [y_label] * len(chosen)
    finish_axes(axes, figure, is_new=ax is None, x_label=x_label, y_labels=y_labels)
    return axes, figure


def drawable_times(times: pd.Series, unit: str | None) -> np.ndarray:
    """Convert times to an array that matplotlib can draw: dates in local time, or numbers."""
    index = pd.Index(times)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.TimedeltaIndex):
        index = index / pd.Timedelta(1, unit)
    if isinstance(index, pd.DatetimeIndex):
        index = index.tz_localize(None)
    drawable: np.ndarray = index.to_numpy()
    return drawable


def format_axes(axes: Axes, dtype: np.dtype) -> None:
    """Draw few ticks, short dates and no box; ticks of integer axes are integers."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    if dtype.kind == "M":
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=dtype.kind in "iu"))
    axes.spines[["top", "right"]].set_visible(False)
