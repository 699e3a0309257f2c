"""Draw training and validation losses."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.checks import check_type
from sklstm.plotting._axes import add_legend, format_axes, make_axes
from sklstm.plotting._bands import draw_bands, quantiles_by
from sklstm.plotting._find import parts_of
from sklstm.plotting._palette import BLUE, ORANGE

CURVES = {"loss": ("training", BLUE), "val_loss": ("validation", ORANGE)}
# The losses of more networks are drawn as bands.
MAX_LINES = 10


class TrainingDisplay:
    """Draw the loss of training and validation rows by epoch.

    Each network has a line; more than ten networks are summed up by their median and bands of
    quantiles.

    Parameters
    ----------
    histories : list of dict of list of float
        One dict per network: the losses by epoch, ``loss`` and, with validation rows,
        ``val_loss``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> from sklstm.plotting import TrainingDisplay
    >>> history = {"loss": [0.9, 0.5, 0.4], "val_loss": [1.0, 0.7, 0.7]}
    >>> TrainingDisplay([history]).plot().ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, histories: list[dict[str, list[float]]]) -> None:
        self.histories = histories

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`~sklstm.MultiSeriesLSTMRegressor`, or an estimator that contains one or
            several: a pipeline, a search, a :class:`~sklstm.PerSeriesTargetRegressor`, a
            :class:`~sklstm.SeriesEnsembleRegressor` or a :class:`~sklstm.MultiSeriesForecaster`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        TrainingDisplay

        Raises
        ------
        ValueError
            If the estimator contains no fitted network.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        histories = [part.history_ for part in parts_of(estimator) if hasattr(part, "history_")]
        if not histories:
            if hasattr(estimator, "fit"):
                check_is_fitted(estimator)
            raise ValueError(
                f"{type(estimator).__name__} contains no fitted network. Pass a fitted "
                "MultiSeriesLSTMRegressor, or a fitted estimator around one."
            )
        return cls(histories).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        TrainingDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        remedy = "Put the history_ of each network in a list: TrainingDisplay([net.history_])."
        check_type(self.histories, list, "histories", remedy)
        axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 3.6))
        self.ax_ = axes[0]
        for key, (label, color) in CURVES.items():
            curves = [history[key] for history in self.histories if key in history]
            if len(curves) > MAX_LINES:
                self._draw_bands(curves, label, color)
            else:
                self._draw_lines(curves, label, color)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        add_legend(axes, self.figure_, is_new=ax is None)
        format_axes(self.ax_, np.dtype(int))
        return self

    def _draw_lines(self, curves: list[list[float]], label: str, color: str) -> None:
        """Draw one line per network."""
        for curve in curves:
            epochs = np.arange(1, len(curve) + 1)
            self.ax_.plot(epochs, curve, color=color, lw=1.5, marker="o", ms=3, label=label)
            label = "_"  # no further entry in the legend

    def _draw_bands(self, curves: list[list[float]], label: str, color: str) -> None:
        """Draw the median and bands of many networks."""
        epochs = np.concatenate([np.arange(1, len(curve) + 1) for curve in curves])
        table = quantiles_by(np.concatenate(curves), epochs)
        draw_bands(
            self.ax_, table, color=color, of=f"{label} losses", median=f"median {label} loss"
        )
