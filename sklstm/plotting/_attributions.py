"""Draw attributions by lag and feature."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import check_type
from sklstm.inspection import Attributions, integrated_gradients
from sklstm.plotting._axes import make_axes
from sklstm.plotting._palette import BLUE, DARK, ORANGE
from sklstm.plotting._ranking import split_off_others

if TYPE_CHECKING:
    from matplotlib.colors import Colormap


class AttributionDisplay:
    """Draw a map of attributions by lag and feature.

    The map of one row shows its attributions, and in brackets their sum for each feature. The map
    of several rows shows the mean of their absolute values. Features are sorted by the sum of
    absolute values over the lags. The last lag is on the right.

    Parameters
    ----------
    attributions : Attributions
        A result of :func:`sklstm.inspection.integrated_gradients`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    image_ : matplotlib AxesImage
        The map.

    See Also
    --------
    ImportanceDisplay : Draw one bar per feature or lag.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import MultiSeriesLSTMRegressor
    >>> from sklstm.plotting import AttributionDisplay
    >>> X = np.random.default_rng(0).normal(size=(50, 4, 2))
    >>> net = MultiSeriesLSTMRegressor(8, epochs=2, random_state=0).fit(X, X[:, -1, 0])
    >>> display = AttributionDisplay.from_estimator(net, X, rows=[3])
    >>> display.image_.get_array().shape
    (2, 4)
    """

    def __init__(self, attributions: Attributions) -> None:
        self.attributions = attributions

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        rows: ArrayLike | slice | int | None = None,
        output: int | None = None,
        quantile: float | None = None,
        baseline: ArrayLike | float = 0.0,
        background: Any = None,
        max_features: int = 15,
        ax: Any = None,
    ) -> Self:
        """Compute integrated gradients of a fitted estimator, and draw them.

        Parameters
        ----------
        estimator, X, rows, output, quantile
            As in :func:`sklstm.inspection.integrated_gradients`.
        baseline : float or array-like, default=0.0
            As there.
        background : Windows, DataFrame or array-like, default=None
            As there.
        max_features : int, default=15
            Number of features to draw. If there are more, the last place is for the others.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        AttributionDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        attributions = integrated_gradients(
            estimator,
            X,
            rows=rows,
            output=output,
            quantile=quantile,
            baseline=baseline,
            background=background,
        )
        return cls(attributions).plot(ax, max_features=max_features)

    @classmethod
    def from_attributions(
        cls,
        attributions: Attributions,
        *,
        row: int | None = None,
        max_features: int = 15,
        ax: Any = None,
    ) -> Self:
        """Draw given attributions.

        Parameters
        ----------
        attributions : Attributions
            A result of :func:`sklstm.inspection.integrated_gradients`.
        row : int, default=None
            Position in X of the row to draw. None: all rows.
        max_features : int, default=15
            Number of features to draw. If there are more, the last place is for the others.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        AttributionDisplay
        """
        return cls(attributions).plot(ax, row=row, max_features=max_features)

    def plot(self, ax: Any = None, *, row: int | None = None, max_features: int = 15) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        row : int, default=None
            Position in X of the row to draw. None: all rows.
        max_features : int, default=15
            Number of features to draw. If there are more, the last place is for the others.

        Returns
        -------
        AttributionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `row` is not among the rows of the attributions.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        check_scalar(max_features, "max_features", Integral, min_val=2)
        remedy = "Pass a result of integrated_gradients."
        check_type(self.attributions, Attributions, "attributions", remedy)
        place = self._place(row)
        is_single = place is not None
        cells = self._cells(place)
        shown, others = split_off_others(np.abs(cells).sum(axis=0), max_features)
        table = cells[:, shown].T
        names = [self.attributions.feature_names[feature] for feature in shown]
        if len(others):
            table = np.vstack([table, cells[:, others].sum(axis=1)])
            names.append(f"{len(others)} others")
        if is_single:
            sums = table.sum(axis=1)
            names = [f"{name} ({total:+.3g})" for name, total in zip(names, sums, strict=True)]
        axes, self.figure_ = make_axes(ax, 1, 1, size=(7.0, 1.4 + 0.22 * len(names)))
        self.ax_ = axes[0]
        self._draw(table, names, is_single)
        if place is not None:
            self._mark_padding(place)
        self.ax_.set_title(self._title(place), loc="left", size="medium")
        return self

    def _place(self, row: int | None) -> int | None:
        """Return the position of the row to draw among the attributions; None for all rows."""
        rows = self.attributions.rows
        if row is None:
            return 0 if len(rows) == 1 else None
        found = np.flatnonzero(rows == row)
        if not len(found):
            shown = ", ".join(map(str, rows[:5]))
            raise ValueError(
                f"row={row} is not one of the {len(rows)} rows with attributions ({shown}"
                f"{', ...' if len(rows) > 5 else ''}): rows are counted as in X. Choose one of "
                "these."
            )
        return int(found[0])

    def _cells(self, place: int | None) -> np.ndarray:
        """Return the values to draw, of shape (window_length, n_features)."""
        values = self.attributions.values
        cells: np.ndarray = np.abs(values).mean(axis=0) if place is None else values[place]
        return cells

    def _draw(self, table: np.ndarray, names: list[str], is_single: bool) -> None:
        """Draw the map and its colour bar."""
        from matplotlib.ticker import MaxNLocator

        lags = self.attributions.lags
        spacing = lags[0] - lags[1] if len(lags) > 1 else 1
        largest = np.abs(table).max() or 1.0
        self.image_ = self.ax_.imshow(
            table,
            aspect="auto",
            interpolation="nearest",
            cmap=_color_map(is_single),
            vmin=-largest if is_single else 0,
            vmax=largest,
            extent=(lags[0] + spacing / 2, -spacing / 2, len(names) - 0.5, -0.5),
        )
        self.ax_.set_yticks(np.arange(len(names)), names)
        for border in range(1, len(names)):
            self.ax_.axhline(border - 0.5, color="0.9", lw=0.5)
        self.ax_.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        self.ax_.set_xlabel("lag (rows before the predicted row)")
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        label = "attribution" if is_single else "mean |attribution|"
        bar = self.figure_.colorbar(self.image_, ax=self.ax_, label=label, pad=0.02)
        bar.outline.set_visible(False)

    def _mark_padding(self, place: int) -> None:
        """Mark the lags before the history of a row."""
        lags = self.attributions.lags
        first = len(lags) - self.attributions.n_observed[place]
        if first:
            begin = (lags[first - 1] + lags[first]) / 2
            self.ax_.axvline(begin, color=DARK, lw=1, ls="--")
            self.ax_.annotate(
                "padding",
                (begin, 1),
                (-4, -3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right",
                va="top",
                color=DARK,
                size="small",
            )

    def _title(self, place: int | None) -> str:
        """Return the prediction of a row as the sum of its parts, or the number of rows."""
        parts = self.attributions
        if place is None:
            return f"{len(parts):,} rows"
        start, end = parts.baseline_predictions[place], parts.predictions[place]
        return (
            f"row {parts.rows[place]}: baseline {start:.4g}, attributions {end - start:+.4g}, "
            f"prediction {end:.4g}"
        )


def _color_map(is_diverging: bool) -> Colormap:
    """Return a map of colours that colour-blind people can distinguish."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = [BLUE, "white", ORANGE] if is_diverging else ["white", BLUE]
    return LinearSegmentedColormap.from_list("attributions", colors)
