"""Draw the coverage of predicted intervals and quantiles."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import as_floats, check_lengths, check_type
from sklstm._panel.frames import as_plain
from sklstm._panel.read import read_series_rows
from sklstm.meta import predict_quantiles, prediction_interval
from sklstm.metrics import check_levels, check_predicted, check_true
from sklstm.plotting._axes import make_axes
from sklstm.plotting._bands import draw_bands, quantiles_by
from sklstm.plotting._find import id_columns, quantile_levels
from sklstm.plotting._forecast_tables import quantile_columns
from sklstm.plotting._palette import DARK, curve_style

PERFECT = "nominal"
# Coverages of more series are drawn as bands.
MAX_LINES = 10
LABELS = {
    "interval": ("nominal coverage of the interval", "observed coverage"),
    "quantile": ("level of the quantile", "share of values at or below the quantile"),
}


class CoverageDisplay:
    """Draw the observed coverage of intervals or quantiles against the nominal one.

    Calibrated predictions lie on the diagonal. If intervals cover less than they should, the
    predictions are too sure.

    Create a display with :meth:`from_estimator`, :meth:`from_predictions` or
    :meth:`from_backtest`.

    Parameters
    ----------
    nominal, observed : ndarray of shape (n_levels,)
        Nominal and observed shares.
    by : {"interval", "quantile"}, default="interval"
        The kind of shares.
    by_series : DataFrame of shape (n_series, n_levels), default=None
        Observed shares of each series.
    name : str, default=None
        Name of the model, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.
    line_ : matplotlib Line2D
        The observed shares.

    See Also
    --------
    sklstm.metrics.coverage : Compute the share of values in intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import norm
    >>> from sklstm.plotting import CoverageDisplay
    >>> y = np.random.default_rng(0).normal(size=1000)
    >>> levels = [0.1, 0.25, 0.75, 0.9]
    >>> quantiles = np.tile(norm.ppf(levels), (1000, 1))
    >>> display = CoverageDisplay.from_predictions(y, quantiles, levels)
    >>> display.nominal.tolist(), display.observed.round(1).tolist()
    ([0.5, 0.8], [0.5, 0.8])
    """

    def __init__(
        self,
        nominal: np.ndarray,
        observed: np.ndarray,
        *,
        by: str = "interval",
        by_series: pd.DataFrame | None = None,
        name: str | None = None,
    ) -> None:
        self.nominal = nominal
        self.observed = observed
        self.by = by
        self.by_series = by_series
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        by: str = "interval",
        shares: ArrayLike | None = None,
        series: str | int | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Predict quantiles or intervals, and draw their coverage.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator that predicts quantiles, such as
            ``MultiSeriesLSTMRegressor(quantiles=...)``, or a pipeline or search around one.
        X, y : array-like
            Input and targets, as in `fit`. Missing targets and censored lives are left out.
        by : {"interval", "quantile"}, default="interval"
            Whether to draw central intervals or single quantiles.
        shares : array-like of float, default=None
            Nominal coverages of the intervals, for :func:`~sklstm.prediction_interval`. None: the
            intervals between the quantiles q and 1 - q of the estimator.
        series : str or int, default=None
            Column name, index level name or column position of the ids in X. None: that of the
            estimator. With ids, the coverage of each series is drawn: as lines up to ten series,
            else as bands. On axes that hold another model, it is left out.
        name : str, default=None
            Name of the model, for the legend. None: the name of the class.
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of another model's display. None: a new figure.

        Returns
        -------
        CoverageDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if series is None:
            series, _ = id_columns(estimator, None, None)
        names = {"name": type(estimator).__name__ if name is None else name, "ax": ax}
        ids = {} if series is None else {"panel": X, "series": series}
        if shares is None:
            levels = quantile_levels(estimator)
            if levels is None:
                where = "" if hasattr(estimator, "quantiles") else " in its network"
                raise ValueError(
                    f"{type(estimator).__name__} predicts no quantiles. Set quantiles=(0.1, 0.5, "
                    f"0.9){where} and fit again, or pass predictions to "
                    "CoverageDisplay.from_predictions."
                )
            quantiles = predict_quantiles(estimator, X)
        else:
            levels, quantiles = _predict_intervals(estimator, X, as_floats(shares, "shares"))
        return cls.from_predictions(y, quantiles, levels, by=by, **ids, **names)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_quantiles: ArrayLike,
        quantiles: ArrayLike,
        *,
        by: str = "interval",
        panel: Any = None,
        series: str | int | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the coverage of given quantiles.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Observed values. Missing elements and censored lives are left out.
        y_quantiles : array-like of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
            Predicted quantiles.
        quantiles : array-like of shape (n_quantiles,)
            Levels of the quantiles.
        by : {"interval", "quantile"}, default="interval"
            Whether to draw the intervals between the quantiles q and 1 - q, or single quantiles.
        panel : Windows, DataFrame or array-like of shape (n_rows, ...), default=None
            The rows, of which the ids are read.
        series : str or int, default=None
            Column name, index level name or column position of the ids in `panel`.
        name : str, default=None
            Name of the model, for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        CoverageDisplay

        Raises
        ------
        ValueError
            If shapes do not match, or no two quantiles form a central interval.
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        if by not in LABELS:
            raise ValueError(f"by={by!r} must be 'interval' or 'quantile'.")
        if series is not None and panel is None:
            raise ValueError(
                f"series={series!r} is a column of a panel, and panel=None. Pass the rows that "
                "were predicted as panel=, or leave series=None."
            )
        check_lengths(y_true=y_true, y_quantiles=y_quantiles, panel=panel)
        true, predicted, levels = _check_quantiles(y_true, y_quantiles, quantiles)
        find = _inside_intervals if by == "interval" else _below_quantiles
        nominal, inside = find(true, predicted, levels)
        table = pd.DataFrame(inside, columns=nominal)
        by_series = None
        if panel is not None:
            rows = read_series_rows(as_plain(panel), series)
            ids = rows.ids.take(np.repeat(rows.codes, len(table) // len(rows)))
            by_series = table.groupby(ids, sort=False).mean().dropna()
        observed = table.mean().to_numpy()
        return cls(nominal, observed, by=by, by_series=by_series, name=name).plot(ax)

    @classmethod
    def from_backtest(
        cls,
        result: Any,
        *,
        by: str = "interval",
        series: str | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the coverage of the quantiles of a backtest.

        Parameters
        ----------
        result : DataFrame
            A result of :func:`~sklstm.backtest` with quantile columns, such as ``q0.1``.
        by : {"interval", "quantile"}, default="interval"
            Whether to draw central intervals or single quantiles.
        series : str, default=None
            Column of the ids, to draw the coverage of each series. None: it is not drawn.
        name : str, default=None
            Name of the model, for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        CoverageDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_backtest")
        result = as_plain(result)
        check_type(result, pd.DataFrame, "result", "Pass a result of backtest.")
        columns = quantile_columns(list(result.columns))
        if not columns or "y_true" not in result:
            raise ValueError(
                f"result has the columns {list(result.columns)}, expected y_true and quantiles "
                "such as q0.1. Pass a result of backtest of a forecaster with quantiles=..."
            )
        quantiles = result[list(columns.values())].to_numpy(dtype=float)
        ids = {} if series is None else {"panel": result, "series": series}
        options = {"by": by, "name": name, "ax": ax, **ids}
        return cls.from_predictions(result["y_true"], quantiles, list(columns), **options)

    def plot(self, ax: Any = None, *, name: str | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        name : str, default=None
            Name of the model, for the legend. None: that of the display.

        Returns
        -------
        CoverageDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        axes, self.figure_ = make_axes(ax, 1, 1, size=(4.8, 4.4))
        self.ax_ = axes[0]
        drawn = self.ax_.get_legend_handles_labels()[1]
        if PERFECT not in drawn:
            self.ax_.plot([0, 1], [0, 1], color=DARK, lw=1, ls=":", label=PERFECT)
        # Another model may have been drawn on these axes.
        n_models = len([line for line in self.ax_.lines if line.get_gid() == "model"])
        style = curve_style(n_models)
        if n_models == 0 and self.by_series is not None and len(self.by_series) > 1:
            self._draw_series(style["color"])
        name = self.name if name is None else name
        label = "all rows" if name is None else name
        (self.line_,) = self.ax_.plot(
            self.nominal, self.observed, marker="o", ms=5, lw=1.5, label=label, gid="model", **style
        )
        self._format()
        return self

    def _draw_series(self, color: str) -> None:
        """Draw the coverage of each series, or bands of them."""
        shares = self.by_series
        assert shares is not None
        if len(shares) <= MAX_LINES:
            label, marker = "each series", "_" if shares.shape[1] == 1 else None
            for _, row in shares.iterrows():
                style: dict[str, Any] = {"color": color, "alpha": 0.6, "lw": 0.8, "marker": marker}
                self.ax_.plot(self.nominal, row, ms=14, label=label, **style)
                label = "_"
            return
        values = shares.to_numpy()
        table = quantiles_by(values.ravel(), np.tile(self.nominal, len(values)))
        draw_bands(self.ax_, table, color=color, of=f"{len(shares):,} series", median=None)

    def _format(self) -> None:
        """Scale and label the axes."""
        from matplotlib.ticker import PercentFormatter

        x_label, y_label = LABELS[self.by]
        self.ax_.set(xlabel=x_label, ylabel=y_label, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        self.ax_.spines[["top", "right"]].set_visible(False)
        self.ax_.legend(loc="upper left", fontsize="small", framealpha=0.7, edgecolor="none")


def _predict_intervals(estimator: Any, X: Any, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of central intervals as quantiles, and their levels."""
    shares = np.atleast_1d(shares)
    bounds = [prediction_interval(estimator, X, share) for share in shares.tolist()]
    levels = np.concatenate([(1 - shares) / 2, (1 + shares) / 2])
    lower, upper = zip(*bounds, strict=True)
    return levels, np.stack([*lower, *upper], axis=-1)


def _check_quantiles(
    y_true: ArrayLike, y_quantiles: ArrayLike, quantiles: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the observed values (n,), quantiles (n, n_quantiles) and sorted levels."""
    levels, true = check_levels(quantiles), check_true(y_true)
    predicted = check_predicted(y_quantiles, "y_quantiles")
    if true.shape[1] == 1 and predicted.ndim < 3:
        true = true.ravel()
    if predicted.shape != (*true.shape, len(levels)):
        raise ValueError(
            f"y_quantiles has shape {predicted.shape}; for {levels.size} quantiles of y_true with "
            f"shape {true.shape}, expected {(*true.shape, levels.size)}."
        )
    if np.isnan(true).all():
        raise ValueError("All values of y_true are missing or censored: there is nothing to draw.")
    order = np.argsort(levels)
    return true.ravel(), predicted.reshape(-1, len(levels))[:, order], levels[order]


def _below_quantiles(
    true: np.ndarray, predicted: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark the values at or below each quantile: 1, 0, or NaN where they are missing."""
    value = true[:, np.newaxis]
    return levels, np.where(np.isnan(value), np.nan, value <= predicted)


def _inside_intervals(
    true: np.ndarray, predicted: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark the values inside each central interval: 1, 0, or NaN where they are missing."""
    pairs = [
        (low, high)
        for low in np.flatnonzero(levels < 0.5)[::-1]
        for high in np.flatnonzero(np.isclose(levels, 1 - levels[low], rtol=0, atol=1e-9))
    ]
    if not pairs:
        raise ValueError(
            f"No two of the quantiles {levels.tolist()} are levels q and 1 - q, so there is no "
            "central interval. Choose by='quantile'."
        )
    low, high = np.transpose(pairs)
    value = true[:, np.newaxis]
    inside = (predicted[:, low] <= value) & (value <= predicted[:, high])
    return levels[high] - levels[low], np.where(np.isnan(value), np.nan, inside)
