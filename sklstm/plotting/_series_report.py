"""Draw the errors of the series."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.arrays import check_no_text
from sklstm._panel.checks import check_type
from sklstm._panel.show import did_you_mean
from sklstm.meta import series_report
from sklstm.plotting._axes import add_legend, make_axes
from sklstm.plotting._palette import BLUE, DARK


class SeriesReportDisplay:
    """Draw one value per series, such as the error, largest values on top.

    Parameters
    ----------
    report : DataFrame
        One row per series: a result of :meth:`~sklstm.MultiSeriesLSTMRegressor.series_report`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.plotting import SeriesReportDisplay
    >>> report = pd.DataFrame({"error": [1.0, 3.0, 2.0]}, index=["a", "b", "c"])
    >>> display = SeriesReportDisplay(report).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['b', 'c', 'a']
    """

    def __init__(self, report: pd.DataFrame) -> None:
        self.report = report

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        column: str = "error",
        n_series: int = 30,
        ax: Any = None,
    ) -> Self:
        """Compute the report of a fitted regressor on a panel, and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``series_report``, or a pipeline or search that ends in one.
        X, y : array-like
            Input and targets, as in `fit`.
        column : str, default="error"
            The column of the report to draw.
        n_series : int, default=30
            Number of series to draw: those with the largest values.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        SeriesReportDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        return cls(series_report(estimator, X, y)).plot(ax, column=column, n_series=n_series)

    def plot(self, ax: Any = None, *, column: str = "error", n_series: int = 30) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        column : str, default="error"
            The column of the report to draw.
        n_series : int, default=30
            Number of series to draw: those with the largest values.

        Returns
        -------
        SeriesReportDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the report has no such column, or all of its values are missing.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        check_scalar(n_series, "n_series", Integral, min_val=1)
        remedy = "Pass a result of series_report, or call SeriesReportDisplay.from_estimator."
        check_type(self.report, pd.DataFrame, "report", remedy)
        if column not in self.report.columns:
            raise ValueError(
                f"report has no column {column!r}: its columns are {list(self.report.columns)}. "
                f"{did_you_mean(column, self.report.columns, 'Choose one of these.')}"
            )
        check_no_text(self.report[column], f"The column {column!r}")
        values = self.report[column].dropna().sort_values(ascending=False, kind="stable")
        if len(values) == 0:
            raise ValueError(f"All values of the column {column!r} are missing.")
        shown = values.iloc[:n_series]
        axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 1.4 + 0.2 * len(shown)))
        self.ax_ = axes[0]
        places = np.arange(len(shown))
        n_shown = "series" if len(shown) == len(values) else f"the {len(shown)} largest"
        self.ax_.plot(shown.to_numpy(), places, "o", color=BLUE, ms=5, label=n_shown)
        label = f"median of {len(values):,} series"
        self.ax_.axvline(values.median(), color=DARK, lw=1, ls="--", label=label)
        self.ax_.set_yticks(places, [str(name) for name in shown.index])
        self.ax_.invert_yaxis()
        self.ax_.grid(axis="y", color="0.9")
        name = self.report.index.name
        self.ax_.set(xlabel=column, ylabel="series" if name is None else str(name))
        add_legend(axes, self.figure_, is_new=ax is None)
        self.ax_.spines[["top", "right"]].set_visible(False)
        return self
