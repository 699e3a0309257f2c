"""Draw the losses of a fit by epoch."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm.plotting._axes import BLUE, ORANGE, _make_axes, _tidy


class TrainingDisplay:
    """The loss after each epoch, of the training rows and of those held out.

    Parameters
    ----------
    histories : list of dict of list of float
        For each net the losses by epoch: ``loss``, and ``val_loss`` where rows were held out.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklstm.plotting import TrainingDisplay
    >>> history = {"loss": [0.9, 0.5, 0.4], "val_loss": [1.0, 0.7, 0.7]}
    >>> TrainingDisplay([history]).plot().ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, histories):
        self.histories = histories

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A :class:`MultiSeriesLSTMRegressor`, or what holds one or several: a pipeline, a
            search, a :class:`PerSeriesTargetRegressor`, a :class:`MultiSeriesForecaster`.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        TrainingDisplay

        Raises
        ------
        ValueError
            If the estimator holds no fitted net.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        histories = _histories(estimator)
        if not histories:
            raise ValueError(
                f"{type(estimator).__name__} holds no net with losses (history_): fit it first."
            )
        return cls(histories).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        TrainingDisplay
            Itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        axes, self.figure_ = _make_axes(ax, 1, 1, size=(6.0, 3.6))
        self.ax_ = axes[0]
        lines = {"loss": ("training", BLUE), "val_loss": ("held out", ORANGE)}
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
        _tidy(self.ax_, np.dtype(int))
        return self


def _histories(estimator):
    """Losses of the nets that an estimator is or holds."""
    if isinstance(estimator, Pipeline):
        return _histories(estimator[-1])
    if hasattr(estimator, "history_"):
        return [estimator.history_]
    held = list(getattr(estimator, "regressors_", []))
    held += [
        getattr(estimator, name)
        for name in ("best_estimator_", "regressor_")
        if hasattr(estimator, name)
    ]
    return [history for each in held for history in _histories(each)]
