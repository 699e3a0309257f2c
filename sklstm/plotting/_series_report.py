"""Draw the report of each series."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm.plotting._axes import BLUE, DARK, _make_axes


class SeriesReportDisplay:
    """One figure of each series, such as its error, the largest on top.

    Parameters
    ----------
    report : DataFrame
        A row for each series, as :meth:`MultiSeriesLSTMRegressor.series_report` gives it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.plotting import SeriesReportDisplay
    >>> report = pd.DataFrame({"error": [1.0, 3.0, 2.0]}, index=["a", "b", "c"])
    >>> display = SeriesReportDisplay(report).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['b', 'c', 'a']
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_estimator(cls, estimator, X, y, *, column="error", n_series=30, ax=None):
        """Report a fitted net on a panel, and draw.

        Parameters
        ----------
        estimator : MultiSeriesLSTMRegressor or Pipeline that ends in one
            Fitted.
        X, y : array-like
            As in its `predict` and `fit`.
        column : str, default="error"
            The column of the report to draw.
        n_series : int, default=30
            The largest values that are drawn.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        SeriesReportDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if isinstance(estimator, Pipeline):
            X, estimator = estimator[:-1].transform(X), estimator[-1]
        return cls(estimator.series_report(X, y)).plot(ax, column=column, n_series=n_series)

    def plot(self, ax=None, *, column="error", n_series=30):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        column : str, default="error"
            The column of the report to draw.
        n_series : int, default=30
            The largest values that are drawn.

        Returns
        -------
        SeriesReportDisplay
            Itself.

        Raises
        ------
        ValueError
            If the report has no such column, or no value in it.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        check_scalar(n_series, "n_series", Integral, min_val=1)
        if column not in self.report.columns:
            raise ValueError(f"report has no column {column!r}: {list(self.report.columns)}.")
        values = self.report[column].dropna().sort_values(ascending=False, kind="stable")
        if len(values) == 0:
            raise ValueError(f"The column {column!r} holds no value.")
        shown = values.iloc[:n_series]
        axes, self.figure_ = _make_axes(ax, 1, 1, size=(6.0, 1.0 + 0.2 * len(shown)))
        self.ax_ = axes[0]
        places = np.arange(len(shown))
        self.ax_.plot(shown.to_numpy(), places, "o", color=BLUE, ms=5, label="series")
        label = f"median of {len(values)}"
        self.ax_.axvline(values.median(), color=DARK, lw=1, ls="--", label=label)
        self.ax_.set_yticks(places, [str(name) for name in shown.index])
        self.ax_.invert_yaxis()
        self.ax_.grid(axis="y", color="0.9")
        name = self.report.index.name
        self.ax_.set(xlabel=column, ylabel="series" if name is None else str(name))
        self.ax_.legend(frameon=False)
        self.ax_.spines[["top", "right"]].set_visible(False)
        return self
