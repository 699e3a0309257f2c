"""Draw training and validation losses."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm.plotting._axes import format_axes, make_axes
from sklstm.plotting._palette import BLUE, ORANGE


class TrainingDisplay:
    """Draw the loss of training and validation rows by epoch.

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
        histories = _histories(estimator)
        if not histories:
            raise ValueError(
                f"{type(estimator).__name__} has no network with losses (history_): fit it first."
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
        axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 3.6))
        self.ax_ = axes[0]
        lines = {"loss": ("training", BLUE), "val_loss": ("validation", ORANGE)}
        for number, history in enumerate(self.histories):
            for key, (label, color) in lines.items():
                if key in history:
                    epochs = np.arange(1, len(history[key]) + 1)
                    self.ax_.plot(
                        epochs,
                        history[key],
                        color=color,
                        lw=1.5,
                        marker="o",
                        ms=3,
                        label=None if number else label,
                    )
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.legend(frameon=False)
        format_axes(self.ax_, np.dtype(int))
        return self


def _histories(estimator: Any) -> list[dict[str, list[float]]]:
    """Return the losses of all networks in an estimator."""
    if isinstance(estimator, Pipeline):
        return _histories(estimator[-1])
    if hasattr(estimator, "history_"):
        return [estimator.history_]
    parts = list(getattr(estimator, "estimators_", []))
    parts += [
        getattr(estimator, name)
        for name in ("best_estimator_", "regressor_")
        if hasattr(estimator, name)
    ]
    return [history for part in parts for history in _histories(part)]
