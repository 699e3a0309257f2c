"""Draw the predicted probabilities of classes over time.

This module is long because of its docstrings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.arrays import check_no_text
from sklstm._panel.checks import check_lengths, check_method
from sklstm._panel.frames import as_plain
from sklstm._panel.show import did_you_mean, show
from sklstm.plotting._axes import (
    add_legend,
    draw_each_series,
    drawable_times,
    format_axes,
    make_axes,
    series_title,
)
from sklstm.plotting._bands import draw_bands, quantiles_by
from sklstm.plotting._find import id_columns
from sklstm.plotting._palette import BLUE, COLORS, DARK, GREY
from sklstm.plotting._series_rows import (
    MAX_SERIES,
    choose_kind,
    choose_series,
    id_names,
    rank_in_series,
    rows_by_series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("series", "change", "start")
# The true labels are drawn as a strip above the probabilities, from and to these heights.
STRIP = (1.06, 1.22)
# Positions that fewer series reach than this share of them are not drawn.
MIN_SHARE = 0.1


class ClassesOverTimeDisplay:
    """Draw predicted probabilities of classes over time, beside the true labels.

    Few series are drawn one by one. For many series, probabilities are aligned at the first row of
    a class or at the start of each series, and summed up by quantiles.

    Create a display with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    rows : DataFrame
        Columns ``series``, ``time`` and ``code``, sorted by series and time. The code is the
        position of the true label in `classes`, -1 if it is unknown.
    probabilities : ndarray of shape (n_rows, n_classes)
        Predicted probabilities of these rows.
    classes : ndarray of shape (n_classes,)
        The classes.
    series_name, time_name : str, default=None
        Names of the ids and of the time. ``series_name=None``: one series without an id.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One axes per series, or a single one for all series.
    figure_ : matplotlib Figure
        The figure of these axes.

    See Also
    --------
    sklstm.make_event_targets : Make labels for "is the event near?".

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.plotting import ClassesOverTimeDisplay
    >>> panel = pd.DataFrame({"pump": ["a", "a", "a", "b", "b"], "day": [1, 2, 3, 1, 2]})
    >>> labels = [0, 0, 1, 0, 0]
    >>> probabilities = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.8, 0.2], [0.9, 0.1]]
    >>> display = ClassesOverTimeDisplay.from_predictions(
    ...     labels, probabilities, panel, classes=[0, 1], series="pump", time="day"
    ... )
    >>> [axes.get_title(loc="left") for axes in display.axes_]
    ['a', 'b']
    >>> display.plot(kind="change").axes_[0].get_xlabel()
    'rows after the first row of class 1'
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        probabilities: np.ndarray,
        classes: np.ndarray,
        *,
        series_name: Any = None,
        time_name: Any = None,
    ) -> None:
        self.rows = rows
        self.probabilities = probabilities
        self.classes = classes
        self.series_name = series_name
        self.time_name = time_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        series: str | int | None = None,
        time: str | int | None = None,
        kind: str = "auto",
        label: Any = None,
        series_ids: Any = None,
        ax: Any = None,
    ) -> Self:
        """Predict probabilities, and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier, pipeline or search.
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel, as in `fit`.
        y : array-like of shape (n_rows,)
            True labels; None or NaN where they are unknown.
        series, time : str, int or None, default=None
            Column name, index level name or column position of the ids and of the time. None:
            those of the estimator.
        kind : {"auto", "series", "change", "start"}, default="auto"
            As in :meth:`plot`.
        label : label of a class, default=None
            As in :meth:`plot`.
        series_ids : list, default=None
            As in :meth:`plot`.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        ClassesOverTimeDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        series, time = id_columns(estimator, series, time)
        remedy = "Pass a fitted classifier, or a pipeline or search that ends in one."
        check_method(estimator, "predict_proba", remedy)
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            X,
            classes=estimator.classes_,
            series=series,
            time=time,
            kind=kind,
            label=label,
            series_ids=series_ids,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        panel: Any,
        *,
        classes: ArrayLike,
        series: str | int | None = None,
        time: str | int | None = None,
        kind: str = "auto",
        label: Any = None,
        series_ids: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw given probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            True labels; None or NaN where they are unknown.
        y_proba : array-like of shape (n_rows, n_classes)
            Predicted probabilities.
        panel : Windows, DataFrame or array-like of shape (n_rows, ...)
            The rows, of which the ids and the time are read.
        classes : array-like of shape (n_classes,)
            The classes, in the order of the columns of `y_proba`.
        series, time : str, int or None, default=None
            Column name, index level name or column position of the ids and of the time.
        kind : {"auto", "series", "change", "start"}, default="auto"
            As in :meth:`plot`.
        label : label of a class, default=None
            As in :meth:`plot`.
        series_ids : list, default=None
            As in :meth:`plot`.
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        ClassesOverTimeDisplay

        Raises
        ------
        ValueError
            If shapes do not match, or y_true holds other labels than `classes`.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        names = np.asarray(as_plain(classes))
        proba = _check_probabilities(y_proba, names)
        check_lengths(y_true=y_true, y_proba=proba, panel=panel)
        columns = {"code": _label_codes(y_true, names), "place": np.arange(len(proba))}
        rows = rows_by_series(panel, series, time, columns)
        series_name, time_name = id_names(panel, series, time)
        display = cls(
            rows.drop(columns="place"),
            proba[rows["place"]],
            names,
            series_name=series_name,
            time_name=time_name,
        )
        return display.plot(ax, kind=kind, label=label, series_ids=series_ids)

    def plot(
        self, ax: Any = None, *, kind: str = "auto", label: Any = None, series_ids: Any = None
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per series, or one for all series. None: a new figure.
        kind : {"auto", "series", "change", "start"}, default="auto"
            - "series": the probabilities of all classes over time, for some series. The true
              labels are the strip above.
            - "change": the probability of `label` around the first row of each series whose true
              label it is. Only series that begin with another label are drawn.
            - "start": the probability of the true label by rows since the start of each series.
            - "auto": "series" if there are at most six series or `series_ids` names some;
              otherwise "change" if any series changes to `label`, and "start" if none does.
        label : label of a class, default=None
            The class to which series change. None: the last one.
        series_ids : list, default=None
            The series to draw. None: the first six with ``kind="series"``, or all.

        Returns
        -------
        ClassesOverTimeDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `label` is no class, `series_ids` names other series, or no series changes to
            `label`.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        code = self._find_class(label)
        ids = pd.Index(self.rows["series"].unique())
        offsets = _rows_after_change(self.rows, code)
        if choose_kind(kind, KINDS) == "auto":
            is_few = len(ids) <= MAX_SERIES or series_ids is not None
            kind = "series" if is_few else "start" if np.isnan(offsets).all() else "change"
        if kind == "series":
            self._plot_series(ax, choose_series(ids, series_ids, "the panel"))
            return self
        chosen = ids if series_ids is None else choose_series(ids, series_ids, "the panel")
        is_chosen = self.rows["series"].isin(chosen).to_numpy()
        if kind == "change":
            self._plot_change(ax, np.where(is_chosen, offsets, np.nan), code)
        else:
            self._plot_start(ax, is_chosen)
        return self

    def _find_class(self, label: Any) -> int:
        """Return the position of a class; of the last one for None."""
        if label is None:
            return len(self.classes) - 1
        found = np.flatnonzero(self.classes == label)
        if len(found) == 0:
            names = self.classes.tolist()
            raise ValueError(
                f"label={show(label)} is not one of the classes {names}. "
                f"{did_you_mean(label, names, 'Choose one of these.')}"
            )
        return int(found[0])

    def _plot_series(self, ax: Any, chosen: list[Any]) -> None:
        """Draw one axes per series."""
        shown = _largest_classes(self.probabilities)
        names = {"series_name": self.series_name, "time_name": self.time_name}
        self.axes_, self.figure_ = draw_each_series(
            partial(self._draw_series, shown),
            self.rows,
            chosen,
            ax,
            **names,
            y_label="predicted probability",
        )

    def _draw_series(
        self, shown: np.ndarray, axes: Axes, rows: np.ndarray, unit: str | None
    ) -> None:
        """Draw the probabilities of one series as areas, and its true labels as a strip."""
        from matplotlib.colors import ListedColormap

        times = drawable_times(self.rows["time"].iloc[rows], unit)
        probabilities = self.probabilities[rows]
        areas = [probabilities[:, code] for code in shown]
        names = [_class_name(self.classes[code]) for code in shown]
        colors = list(COLORS[: len(shown)])
        if len(shown) < len(self.classes):
            areas.append(1 - np.sum(areas, axis=0))
            names.append(f"{len(self.classes) - len(shown)} other classes")
            colors.append(GREY)
        axes.stackplot(times, *areas, colors=colors, labels=names, lw=0)
        places = np.full(len(self.classes) + 1, len(shown))
        places[shown] = np.arange(len(shown))
        codes = self.rows["code"].to_numpy()[rows]
        strip = np.ma.masked_where(codes < 0, places[codes])
        axes.pcolormesh(
            _edges(np.asarray(axes.xaxis.convert_units(times), dtype=float)),
            STRIP,
            strip[np.newaxis],
            cmap=ListedColormap(colors),
            vmin=-0.5,
            vmax=len(colors) - 0.5,
        )
        format_axes(axes, times.dtype)
        axes.set_ylim(0, STRIP[1])
        axes.set_yticks([0, 0.5, 1, sum(STRIP) / 2], ["0", "0.5", "1", "true"])
        axes.margins(x=0)

    def _plot_change(self, ax: Any, offsets: np.ndarray, code: int) -> None:
        """Draw the probability of a class around the first row of that class."""
        name = _class_name(self.classes[code])
        if np.isnan(offsets).all():
            raise ValueError(
                f"No series changes to {name}: each begins with it, or never has it. Choose "
                "another label, or kind='start' or 'series'."
            )
        n_series = self.rows["series"][~np.isnan(offsets)].nunique()
        self._plot_aligned(ax, self.probabilities[:, code], offsets, n_series)
        axes = self.axes_[0]
        axes.axvline(0, color=DARK, lw=1, ls="--")
        add_legend(self.axes_, self.figure_, is_new=ax is None)
        n_all = self.rows["series"].nunique()
        axes.set_title(f"{n_series:,} of {n_all:,} series", loc="left", size="medium")
        axes.set(
            xlabel=f"rows after the first row of {name}",
            ylabel=f"predicted probability of {name}",
        )

    def _plot_start(self, ax: Any, is_chosen: np.ndarray) -> None:
        """Draw the probability of the true class from the start of the series."""
        codes = self.rows["code"].to_numpy()
        is_drawn = is_chosen & (codes >= 0)
        if not is_drawn.any():
            raise ValueError("No true label is known. Choose kind='series'.")
        values = self.probabilities[np.arange(len(codes)), codes]
        offsets = np.where(is_drawn, rank_in_series(self.rows), np.nan)
        n_series = self.rows["series"][is_drawn].nunique()
        self._plot_aligned(ax, values, offsets, n_series)
        axes = self.axes_[0]
        share = 1 / len(self.classes)
        axes.axhline(share, color=DARK, lw=1, ls=":", label=f"1 / {len(self.classes)} (chance)")
        add_legend(self.axes_, self.figure_, is_new=ax is None)
        axes.set_title(f"{n_series:,} series", loc="left", size="medium")
        axes.set(
            xlabel="rows after the start of the series",
            ylabel="predicted probability of the true class",
        )

    def _plot_aligned(
        self, ax: Any, values: np.ndarray, offsets: np.ndarray, n_series: int
    ) -> None:
        """Draw bands of values by their offset; NaN is left out."""
        is_drawn = ~np.isnan(offsets)
        table = quantiles_by(values[is_drawn], offsets[is_drawn].astype(int))
        table = table[table["n"] >= MIN_SHARE * n_series]
        self.axes_, self.figure_ = make_axes(ax, 1, 1, size=(6.4, 4.0))
        axes = self.axes_[0]
        draw_bands(axes, table, color=BLUE, of="all series", median="median")
        axes.set_ylim(-0.02, 1.02)
        format_axes(axes, np.dtype(int))
        axes.margins(x=0)


def _class_name(label: Any) -> str:
    """Return the name of a class: a string itself, or else the label after "class"."""
    return f"class {label:g}" if isinstance(label, float) else series_title("class", label)


def _check_probabilities(y_proba: ArrayLike, classes: np.ndarray) -> np.ndarray:
    """Return the probabilities as floats of shape (n_rows, n_classes)."""
    y_proba = as_plain(y_proba)
    remedy = "Pass the result of predict_proba."
    check_no_text(y_proba, "y_proba", remedy)
    proba: np.ndarray = check_array(y_proba, ensure_2d=False, dtype=float, input_name="y_proba")
    if proba.ndim != 2 or proba.shape[1] != len(classes):
        raise ValueError(
            f"y_proba has shape {proba.shape}, expected one column for each of the "
            f"{len(classes)} classes {classes.tolist()}. {remedy}"
        )
    if (proba < 0).any() or (proba > 1).any():
        raise ValueError(
            f"y_proba has values from {proba.min():.3g} to {proba.max():.3g}, expected "
            f"probabilities between 0 and 1. {remedy}"
        )
    return proba


def _label_codes(y_true: ArrayLike, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the classes, -1 if it is missing."""
    labels = pd.Index(column_or_1d(as_plain(y_true)))
    codes: np.ndarray = pd.Index(classes).get_indexer(labels)
    unknown = (codes < 0) & ~np.asarray(labels.isna())
    if unknown.any():
        raise ValueError(
            f"y_true contains the label {show(labels[unknown][0])}, but the classes are "
            f"{classes.tolist()}. Pass labels of these classes, and None or NaN where the label is "
            "unknown."
        )
    return codes


def _rows_after_change(rows: pd.DataFrame, code: int) -> np.ndarray:
    """Count the rows of each series from its first row of a class.

    Returns
    -------
    ndarray of shape (n_rows,)
        0 at the first row of the class, negative before. NaN for series whose first known label is
        the class, or that do not reach it.
    """
    ranks = pd.Series(rank_in_series(rows), rows.index)

    def first_of(is_label: pd.Series) -> pd.Series:
        return ranks.where(is_label).groupby(rows["series"]).transform("min")

    first = first_of(rows["code"] == code)
    offsets: np.ndarray = (ranks - first).where(first > first_of(rows["code"] >= 0)).to_numpy()
    return offsets


def _largest_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return the positions of the classes that get a colour of their own, in their order."""
    n_classes = probabilities.shape[1]
    n_shown = n_classes if n_classes <= len(COLORS) else len(COLORS) - 1
    return np.sort(np.argsort(-probabilities.mean(axis=0), kind="stable")[:n_shown])


def _edges(centers: np.ndarray) -> np.ndarray:
    """Return edges halfway between ascending positions; the outer ones are the positions."""
    if len(centers) == 1:
        return centers[0] + np.array([-0.5, 0.5])
    middle = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([centers[:1], middle, centers[-1:]])
