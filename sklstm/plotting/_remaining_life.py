"""Draw predicted remaining lives with their intervals and the true lives.

This module is long because of its docstrings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import check_lengths
from sklstm._panel.frames import as_plain
from sklstm._panel.lives import separate_lives
from sklstm.meta import prediction_interval
from sklstm.metrics import check_one_output, check_pair
from sklstm.plotting._axes import (
    add_legend,
    draw_each_series,
    drawable_times,
    format_axes,
    make_axes,
)
from sklstm.plotting._bands import draw_bands, quantiles_by
from sklstm.plotting._find import id_columns, quantile_levels
from sklstm.plotting._palette import BLUE, DARK, ORANGE
from sklstm.plotting._series_rows import (
    MAX_SERIES,
    choose_kind,
    choose_series,
    id_names,
    rows_by_series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("series", "error")
# Number of groups of lives in which errors are summed up.
MAX_BINS = 40


class RemainingLifeDisplay:
    """Draw predicted remaining lives and their intervals beside the true lives.

    Few series are drawn one by one over time. For many series, the error of the predictions is
    drawn by the true remaining life.

    Create a display with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    lives : DataFrame
        Columns ``series``, ``time``, ``true``, ``event`` and ``predicted``, and ``lower`` and
        ``upper`` if there is an interval, sorted by series and time. Where ``event`` is false, the
        life is only known to be longer than ``true``.
    coverage : float, default=None
        Nominal coverage of the interval, for the legend.
    series_name, time_name : str, default=None
        Names of the ids and of the time. ``series_name=None``: one series without an id.
    unit : str, default=None
        Unit of the lives, such as "cycles".

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One axes per series, or a single one for the errors of all series.
    figure_ : matplotlib Figure
        The figure of these axes.

    See Also
    --------
    sklstm.make_remaining_life : Make remaining lives, of which some may be censored.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_remaining_life
    >>> from sklstm.plotting import RemainingLifeDisplay
    >>> panel = pd.DataFrame({"unit": [1, 1, 1, 2, 2], "cycle": [1, 2, 3, 1, 2]})
    >>> ids = {"series": "unit", "time": "cycle"}
    >>> lives = make_remaining_life(panel, {1: True, 2: False}, **ids)
    >>> display = RemainingLifeDisplay.from_predictions(lives, [3, 1, 0, 4, 2], panel, **ids)
    >>> [axes.get_title(loc="left") for axes in display.axes_]
    ['unit 1', 'unit 2']
    >>> [line.get_label() for line in display.axes_[1].lines]
    ['survived so far (life is longer)', 'predicted life']
    """

    def __init__(
        self,
        lives: pd.DataFrame,
        *,
        coverage: float | None = None,
        series_name: Any = None,
        time_name: Any = None,
        unit: str | None = None,
    ) -> None:
        self.lives = lives
        self.coverage = coverage
        self.series_name = series_name
        self.time_name = time_name
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        coverage: float | None = None,
        series: str | int | None = None,
        time: str | int | None = None,
        kind: str = "auto",
        series_ids: Any = None,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Predict lives, and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, pipeline or search.
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel, as in `fit`.
        y : structured array or array-like of shape (n_rows,)
            True lives, or (event, time) as :func:`~sklstm.make_remaining_life` makes them.
        coverage : float, default=None
            Coverage of the interval to predict. None: that of the widest interval between the
            `quantiles` of the estimator; no interval if it predicts none.
        series, time : str, int or None, default=None
            Column name, index level name or column position of the ids and of the time. None:
            those of the estimator.
        kind : {"auto", "series", "error"}, default="auto"
            As in :meth:`plot`.
        series_ids : list, default=None
            As in :meth:`plot`.
        unit : str, default=None
            Unit of the lives, such as "cycles", for the labels.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        RemainingLifeDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        series, time = id_columns(estimator, series, time)
        if coverage is None:
            coverage = _widest_coverage(quantile_levels(estimator))
        lower, upper = None, None
        if coverage is not None:
            lower, upper = prediction_interval(estimator, X, coverage)
        return cls.from_predictions(
            y,
            estimator.predict(X),
            X,
            lower=lower,
            upper=upper,
            coverage=coverage,
            series=series,
            time=time,
            kind=kind,
            series_ids=series_ids,
            unit=unit,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        panel: Any,
        *,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        coverage: float | None = None,
        series: str | int | None = None,
        time: str | int | None = None,
        kind: str = "auto",
        series_ids: Any = None,
        unit: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw given predictions.

        Parameters
        ----------
        y_true : structured array or array-like of shape (n_rows,)
            True lives, or (event, time) as :func:`~sklstm.make_remaining_life` makes them.
        y_pred : array-like of shape (n_rows,)
            Predicted lives.
        panel : Windows, DataFrame or array-like of shape (n_rows, ...)
            The rows, of which the ids and the time are read.
        lower, upper : array-like of shape (n_rows,), default=None
            Bounds of the intervals. None: there are none.
        coverage : float, default=None
            Nominal coverage of the intervals, for the legend.
        series, time : str, int or None, default=None
            Column name, index level name or column position of the ids and of the time.
        kind : {"auto", "series", "error"}, default="auto"
            As in :meth:`plot`.
        series_ids : list, default=None
            As in :meth:`plot`.
        unit : str, default=None
            Unit of the lives, such as "cycles", for the labels.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        RemainingLifeDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        times, censored = separate_lives(as_plain(y_true))
        check_lengths(y_true=times, y_pred=y_pred, panel=panel)
        true, predicted = (part.ravel() for part in check_one_output(times, y_pred))
        columns = {
            "true": true,
            "event": np.ones(len(true), bool) if censored is None else ~censored,
            "predicted": predicted,
        }
        columns |= _check_bounds(times, lower, upper)
        series_name, time_name = id_names(panel, series, time)
        display = cls(
            rows_by_series(panel, series, time, columns),
            coverage=coverage,
            series_name=series_name,
            time_name=time_name,
            unit=unit,
        )
        return display.plot(ax, kind=kind, series_ids=series_ids)

    def plot(self, ax: Any = None, *, kind: str = "auto", series_ids: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per series, or one for the errors. None: a new figure.
        kind : {"auto", "series", "error"}, default="auto"
            - "series": lives of some series over time.
            - "error": errors of all series by the true remaining life. Every row whose life is
              known counts the same.
            - "auto": "series" if there are at most six series or `series_ids` names some.
        series_ids : list, default=None
            The series to draw. None: the first six, or all for errors.

        Returns
        -------
        RemainingLifeDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `series_ids` names other series, or if no life is known for errors.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        ids = pd.Index(self.lives["series"].unique())
        if choose_kind(kind, KINDS) == "auto":
            kind = "series" if len(ids) <= MAX_SERIES or series_ids is not None else "error"
        if kind == "error":
            chosen = ids if series_ids is None else choose_series(ids, series_ids, "the panel")
            self._plot_errors(ax, self.lives[self.lives["series"].isin(chosen)])
        else:
            self._plot_series(ax, choose_series(ids, series_ids, "the panel"))
        return self

    def _plot_series(self, ax: Any, chosen: list[Any]) -> None:
        """Draw one axes per series."""
        names = {"series_name": self.series_name, "time_name": self.time_name}
        y_label = self._with_unit("remaining life")
        self.axes_, self.figure_ = draw_each_series(
            self._draw_series, self.lives, chosen, ax, **names, y_label=y_label
        )

    def _draw_series(self, axes: Axes, rows: np.ndarray, unit: str | None) -> None:
        """Draw the lives of one series over time."""
        part = self.lives.iloc[rows]
        times, true = drawable_times(part["time"], unit), part["true"].to_numpy()
        event, marker = part["event"].to_numpy(), "o" if len(part) == 1 else None
        if "lower" in part:
            bounds = part["lower"].to_numpy(), part["upper"].to_numpy()
            axes.fill_between(times, *bounds, color=BLUE, alpha=0.25, lw=0, label=self._interval())
        if event.any():
            known = np.where(event, true, np.nan)
            axes.plot(times, known, color=DARK, lw=1.2, marker=marker, ms=4, label="true life")
        if not event.all():
            survived = np.where(event, np.nan, true)
            label = "survived so far (life is longer)"
            style: dict[str, Any] = {
                "ls": "--",
                "marker": "^",
                "ms": 4,
                "markevery": max(len(part) // 8, 1),
            }
            axes.plot(times, survived, color=DARK, lw=1, label=label, **style)
        predicted = part["predicted"].to_numpy()
        axes.plot(times, predicted, color=BLUE, lw=1.5, marker=marker, ms=4, label="predicted life")
        format_axes(axes, times.dtype)
        axes.set_ylim(bottom=0)

    def _plot_errors(self, ax: Any, lives: pd.DataFrame) -> None:
        """Draw the errors by the true life."""
        known = lives[lives["event"] & lives["true"].notna()]
        if len(known) == 0:
            raise ValueError(
                "All lives are censored, so that no error is known. Choose kind='series'."
            )
        axes, self.figure_ = make_axes(ax, 1, 1, size=(6.4, 4.0))
        self.axes_, axes = axes, axes[0]
        at = _bin_centers(known["true"].to_numpy())
        errors = quantiles_by(known["predicted"] - known["true"], at)
        axes.axhline(0, color=DARK, lw=1)
        draw_bands(axes, errors, color=BLUE, of="all rows", median="median error")
        if "lower" in known:
            label = f"{self._interval()} (median)"
            for bound in ("lower", "upper"):
                line = quantiles_by(known[bound] - known["true"], at)[0.5]
                axes.plot(line.index, line.to_numpy(), color=ORANGE, lw=1.2, ls="--", label=label)
                label = "_"
        axes.invert_xaxis()  # time goes to the right, to the event
        axes.set_xlabel(self._with_unit("true remaining life"))
        axes.set_ylabel(self._with_unit("predicted less true life"))
        axes.set_title(_describe(lives, known), loc="left", size="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        add_legend(self.axes_, self.figure_, is_new=ax is None)

    def _interval(self) -> str:
        """Return the name of the interval."""
        return "interval" if self.coverage is None else f"{100 * self.coverage:.3g}% interval"

    def _with_unit(self, label: str) -> str:
        return label if self.unit is None else f"{label} ({self.unit})"


def _check_bounds(times: Any, lower: Any, upper: Any) -> dict[str, np.ndarray]:
    """Return the bounds of the intervals by name; none if there are no intervals."""
    if lower is None and upper is None:
        return {}
    if lower is None or upper is None:
        missing = "lower" if lower is None else "upper"
        raise ValueError(f"{missing}=None, but the other bound was passed. Pass both, or none.")
    low, high = (
        check_pair(times, bound, name)[1].ravel()
        for name, bound in (("lower", lower), ("upper", upper))
    )
    if (low > high).any():
        raise ValueError(
            f"lower is above upper in {(low > high).sum()} of {len(low)} rows. Exchange them."
        )
    return {"lower": low, "upper": high}


def _widest_coverage(levels: np.ndarray | None) -> float | None:
    """Return the coverage of the widest central interval between quantiles; None without any."""
    widest = 0.0 if levels is None else 1 - 2 * max(levels.min(), 1 - levels.max())
    return float(round(widest, 9)) if widest > 0 else None


def _bin_centers(lives: np.ndarray) -> np.ndarray:
    """Return the center of the bin of each life: the life itself if there are few."""
    if len(np.unique(lives)) <= MAX_BINS:
        return lives
    edges = np.linspace(lives.min(), lives.max(), MAX_BINS + 1)
    number = np.clip(np.searchsorted(edges, lives, side="right") - 1, 0, MAX_BINS - 1)
    centers: np.ndarray = (edges[:-1] + edges[1:])[number] / 2
    return centers


def _describe(lives: pd.DataFrame, known: pd.DataFrame) -> str:
    """Count the series and rows with known lives, and those left out."""
    text = f"{known['series'].nunique():,} series, {len(known):,} rows"
    n_left = len(lives) - len(known)
    return text + (f"; {n_left:,} rows with unknown lives are left out" if n_left else "")
