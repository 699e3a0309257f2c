"""Draw the rows that one prediction saw."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import _num_samples

from sklstm.plotting._axes import (
    drawable_times,
    finish_axes,
    format_axes,
    make_axes,
    series_title,
    time_label,
    time_unit,
)
from sklstm.plotting._palette import AMBER, BLUE, DARK, GREY, PALE
from sklstm.plotting._window_rows import find_transformer, trace_window

# Label and style of the rows of each role.
STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "window": ("in the window", {"color": BLUE, "marker": "o", "ms": 4.5}),
    "remembered": (
        "in the window, remembered from fit",
        {"color": AMBER, "marker": "s", "ms": 4.5, "mec": DARK, "mew": 0.5},
    ),
    "padding": ("padding", {"color": DARK, "marker": "s", "ms": 4.5, "mfc": "none"}),
    "outside": ("earlier, not in the window", {"color": GREY, "marker": "o", "ms": 3}),
    "later": ("later, never seen", {"color": DARK, "marker": "x", "ms": 4, "mew": 0.8}),
}


class WindowDisplay:
    """Draw the rows that one prediction saw, and those that it did not see.

    The prediction of a row depends on the window that ends at it. The display shows which rows of
    the series are in the window, which were remembered from `fit`, and where padding takes the
    place of rows. It never holds rows that are later than the predicted one, or of other series.

    Create a display with :meth:`from_estimator`.

    Parameters
    ----------
    rows : DataFrame
        Columns ``time``, ``value`` and ``role``, in the order of time. The role is "window",
        "remembered", "padding", "outside" or "later".
    row_time : object
        Time of the predicted row.
    series : object, default=None
        Id of the series.
    series_name, time_name, feature_name : str, default=None
        Names of the ids, of the time and of the values.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    sklstm.WindowTransformer : Transform each row to the window of rows that ends at it.
    AttributionDisplay : Draw the effect of each row of a window on the prediction.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import WindowTransformer
    >>> from sklstm.plotting import WindowDisplay
    >>> X = pd.DataFrame({"unit": "a", "day": range(1, 7), "load": [3.0, 4, 4, 5, 6, 5]})
    >>> transformer = WindowTransformer(3, series="unit", time="day").fit(X)
    >>> display = WindowDisplay.from_estimator(transformer, X, row=3)
    >>> display.rows["role"].tolist()
    ['outside', 'window', 'window', 'window', 'later', 'later']
    >>> new = pd.DataFrame({"unit": "a", "day": [7, 8], "load": [6.0, 7]})
    >>> WindowDisplay.from_estimator(transformer, new, row=0).rows["role"].tolist()
    ['remembered', 'remembered', 'window', 'later']
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        row_time: Any,
        *,
        series: Any = None,
        series_name: Any = None,
        time_name: Any = None,
        feature_name: str | None = None,
    ) -> None:
        self.rows = rows
        self.row_time = row_time
        self.series = series
        self.series_name = series_name
        self.time_name = time_name
        self.feature_name = feature_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        row: int,
        *,
        feature: str | int | None = None,
        n_around: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Find and draw the rows that the prediction of one row of X saw.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`~sklstm.WindowTransformer`, or a pipeline, search or
            :class:`~sklstm.PerSeriesTargetRegressor` around one.
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel, as in ``estimator.predict``.
        row : int
            Position of the row in X; -1 is the last one.
        feature : str or int, default=None
            The feature of the windows to draw. None: the first one. Values are those that the
            network reads, such as scaled ones.
        n_around : int, default=None
            As in :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        WindowDisplay

        Raises
        ------
        TypeError
            If the estimator contains no WindowTransformer.
        ValueError
            If X has no such row, or the windows have no such feature.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        n_rows = _num_samples(X)
        if not isinstance(row, (int, np.integer)) or not -n_rows <= row < n_rows:
            raise ValueError(
                f"row={row!r} is not the position of a row of X, which has {n_rows} rows. Pass an "
                f"integer from {-n_rows} to {n_rows - 1}."
            )
        traced = trace_window(*find_transformer(estimator, X), int(row) % n_rows, feature)
        series_name, time_name, feature_name = traced.names
        display = cls(
            traced.table,
            traced.row_time,
            series=traced.series,
            series_name=series_name,
            time_name=time_name,
            feature_name=feature_name,
        )
        return display.plot(ax, n_around=n_around)

    def plot(self, ax: Any = None, *, n_around: int | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        n_around : int, default=None
            Number of rows to draw before the window, and after the row. None: half of the window,
            but at least five.

        Returns
        -------
        WindowDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        shown = self._rows_around(n_around)
        unit = time_unit(shown["time"])
        times, values = drawable_times(shown["time"], unit), shown["value"].to_numpy()
        roles = shown["role"].to_numpy()
        axes, self.figure_ = make_axes(ax, 1, 1, size=(8.0, 3.4))
        self.ax_ = axes[0]
        self._connect(times, values, roles)
        for role, (label, style) in STYLES.items():
            is_role = roles == role
            if is_role.any():
                label = f"{label} ({is_role.sum()})" if role != "outside" else label
                self.ax_.plot(times[is_role], values[is_role], ls="none", label=label, **style)
        self._shade(times, roles)
        format_axes(self.ax_, times.dtype)
        if self.series_name is not None:
            title = series_title(self.series_name, self.series)
            self.ax_.set_title(title, loc="left", size="medium")
        x_label = time_label(self.time_name, unit)
        y_labels = [f"{self.feature_name} (network input)"]
        finish_axes(axes, self.figure_, is_new=ax is None, x_label=x_label, y_labels=y_labels)
        return self

    def _rows_around(self, n_around: int | None) -> pd.DataFrame:
        """Return the rows of the window, and some before and after it."""
        roles = self.rows["role"].to_numpy()
        in_window = np.flatnonzero(np.isin(roles, ["window", "remembered", "padding"]))
        if n_around is None:
            n_around = max(len(in_window) // 2, 5)
        check_scalar(n_around, "n_around", Integral, min_val=0)
        first, last = in_window[0], in_window[-1]
        return self.rows.iloc[max(first - n_around, 0) : last + n_around + 1]

    def _connect(self, times: np.ndarray, values: np.ndarray, roles: np.ndarray) -> None:
        """Connect the rows of the series by a line, which breaks where padding stands for rows."""
        rows = np.flatnonzero(roles != "padding")
        first = 0
        if len(rows) < len(roles):
            first = int(np.argmax(np.isin(roles[rows], ["window", "remembered"])))
        for part in (rows[:first], rows[first:]):
            self.ax_.plot(times[part], values[part], color=GREY, lw=0.8, zorder=1)

    def _shade(self, times: np.ndarray, roles: np.ndarray) -> None:
        """Shade the window and the future, and mark the predicted row."""
        in_window = np.isin(roles, ["window", "remembered", "padding"])
        row_time = times[roles == "window"][-1]
        self.ax_.axvspan(times[in_window][0], row_time, color=BLUE, alpha=0.08, lw=0, zorder=0)
        if (roles == "later").any():
            self.ax_.axvspan(row_time, times[-1], color=PALE, lw=0, zorder=0)
        self.ax_.axvline(row_time, color=BLUE, lw=1, ls="--", zorder=1)
        self.ax_.annotate(
            "predicted row",
            (row_time, 1),
            (-4, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=BLUE,
            size="small",
        )
