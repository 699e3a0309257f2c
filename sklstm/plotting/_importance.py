"""Draw the importance of features, lags or series."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import check_type
from sklstm.inspection import Attributions, permutation_importance
from sklstm.plotting._axes import add_legend, make_axes
from sklstm.plotting._palette import BLUE, DARK, GREY
from sklstm.plotting._ranking import split_off_others


class ImportanceDisplay:
    """Draw one bar per feature, lag or series.

    Features and series are sorted by importance, largest on top. Lags are in the order of time,
    the last one on the right. Dots show the repeats of a permutation.

    Parameters
    ----------
    importances : DataFrame of shape (n_repeats, n_names)
        One column per name.
    by : {"feature", "lag", "series"}, default="feature"
        What the names are.
    label : str, default="importance"
        Label of the values.
    is_sum : bool, default=False
        Whether the importances of several names may be added.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    AttributionDisplay : Draw attributions by lag and feature.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.plotting import ImportanceDisplay
    >>> display = ImportanceDisplay(pd.DataFrame({"p": [0.1, 0.3], "q": [0.9, 0.7]})).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['q', 'p']
    """

    def __init__(
        self,
        importances: pd.DataFrame,
        *,
        by: str = "feature",
        label: str = "importance",
        is_sum: bool = False,
    ) -> None:
        self.importances = importances
        self.by = by
        self.label = label
        self.is_sum = is_sum

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        by: str = "feature",
        lag_groups: Any = None,
        scoring: Any = None,
        n_repeats: int = 5,
        max_samples: int | float = 1.0,
        random_state: Any = None,
        max_names: int = 15,
        ax: Any = None,
    ) -> Self:
        """Compute the permutation importance of a fitted estimator, and draw it.

        Parameters
        ----------
        estimator, X, y
            As in :func:`sklstm.inspection.permutation_importance`.
        by : {"feature", "lag", "series"}, default="feature"
            As there, like the next five parameters.
        lag_groups : int or list of lists of int, default=None
            Groups of lags.
        scoring : str, callable or None, default=None
            One score.
        n_repeats : int, default=5
            Number of permutations.
        max_samples : int or float, default=1.0
            Number of rows, or their fraction.
        random_state : int, RandomState instance or None, default=None
            Seed of the permutations.
        max_names : int, default=15
            Number of features or series to draw. If there are more, the last place is for the
            others.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        ImportanceDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        result = permutation_importance(
            estimator,
            X,
            y,
            by=by,
            lag_groups=lag_groups,
            scoring=scoring,
            n_repeats=n_repeats,
            max_samples=max_samples,
            random_state=random_state,
        )
        return cls.from_importances(result, max_names=max_names, ax=ax)

    @classmethod
    def from_importances(cls, result: Any, *, max_names: int = 15, ax: Any = None) -> Self:
        """Draw given importances.

        Parameters
        ----------
        result : Bunch
            A result of :func:`sklstm.inspection.permutation_importance`, for one score.
        max_names : int, default=15
            Number of features or series to draw. If there are more, the last place is for the
            others.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        ImportanceDisplay
        """
        remedy = "Pass a result of sklstm.inspection.permutation_importance."
        check_type(result, Mapping, "result", remedy)
        if "importances" in result and "names" not in result:
            raise ValueError(f"result has the keys {list(result)} and no 'names'. {remedy}")
        if "importances" not in result:
            raise ValueError(
                f"result holds the importances for several scores, {list(result)}: pass one of "
                "them, such as result[name]."
            )
        table = pd.DataFrame(np.transpose(result["importances"]), columns=result["names"])
        display = cls(table, by=result["by"], label="fall of the score")
        return display.plot(ax, max_names=max_names)

    @classmethod
    def from_attributions(
        cls, attributions: Attributions, *, by: str = "feature", max_names: int = 15, ax: Any = None
    ) -> Self:
        """Draw the mean absolute attribution of features or lags.

        Parameters
        ----------
        attributions : Attributions
            A result of :func:`sklstm.inspection.integrated_gradients`.
        by : {"feature", "lag"}, default="feature"
            Whether the attributions of each row are summed by feature or by lag before.
        max_names : int, default=15
            Number of features to draw. If there are more, the last place is for the others.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        ImportanceDisplay
        """
        if by not in ("feature", "lag"):
            raise ValueError(f"by={by!r}: attributions are by 'feature' or by 'lag'.")
        remedy = "Pass a result of integrated_gradients."
        check_type(attributions, Attributions, "attributions", remedy)
        sums = attributions.by_feature() if by == "feature" else attributions.by_lag()
        means = sums.abs().mean().to_frame().T
        return cls(means, by=by, label="mean |attribution|", is_sum=True).plot(
            ax, max_names=max_names
        )

    def plot(self, ax: Any = None, *, max_names: int = 15) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        max_names : int, default=15
            Number of features or series to draw. If there are more, the last place is for the
            others.

        Returns
        -------
        ImportanceDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        check_scalar(max_names, "max_names", Integral, min_val=2)
        if self.by == "lag":
            axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 3.0))
            self.ax_ = axes[0]
            self._draw_lags()
        else:
            shown, others = split_off_others(self.importances.mean().to_numpy(), max_names)
            n_places = len(shown) + bool(len(others))
            axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 1.2 + 0.22 * n_places))
            self.ax_ = axes[0]
            self._draw_names(shown, others)
        self.ax_.spines[["top", "right"]].set_visible(False)
        if len(self.importances) > 1:
            add_legend(axes, self.figure_, is_new=ax is None)
        return self

    def _draw_names(self, shown: np.ndarray, others: np.ndarray) -> None:
        """Draw horizontal bars, largest on top."""
        values = self.importances.to_numpy()
        means = values.mean(axis=0)
        names = [str(self.importances.columns[place]) for place in shown]
        places = np.arange(len(shown))
        self.ax_.barh(places, means[shown], color=BLUE, height=0.7)
        if len(values) > 1:
            repeats = values[:, shown]
            at = np.broadcast_to(places, repeats.shape)
            self.ax_.plot(repeats.ravel(), at.ravel(), ".", color=DARK, ms=4, label="repeats")
        if len(others):
            rest = means[others].sum() if self.is_sum else means[others].max()
            self.ax_.barh(len(shown), rest, color=GREY, height=0.7)
            names.append(f"{len(others):,} others ({'sum' if self.is_sum else 'largest'})")
        self.ax_.set_yticks(np.arange(len(names)), names)
        self.ax_.invert_yaxis()
        self.ax_.axvline(0, color=DARK, lw=1)
        self.ax_.grid(axis="x", color="0.9")
        self.ax_.set_axisbelow(True)
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.set(xlabel=self.label, ylabel="series" if self.by == "series" else None)

    def _draw_lags(self) -> None:
        """Draw vertical bars in the order of time."""
        from matplotlib.ticker import MaxNLocator

        names = list(self.importances.columns)
        values = self.importances.to_numpy()
        is_numeric = all(isinstance(name, Integral) for name in names)
        # Groups of lags begin with the last row.
        places = np.asarray(names) if is_numeric else np.arange(len(names))
        width = 0.8 * (np.diff(np.sort(places)).min() if len(places) > 1 else 1)
        self.ax_.bar(places, values.mean(axis=0), color=BLUE, width=width)
        if len(values) > 1:
            at = np.broadcast_to(places, values.shape)
            self.ax_.plot(at.ravel(), values.ravel(), ".", color=DARK, ms=3, label="repeats")
        if is_numeric:
            self.ax_.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        else:
            self.ax_.set_xticks(places, map(str, names))
        self.ax_.invert_xaxis()
        self.ax_.axhline(0, color=DARK, lw=1)
        self.ax_.grid(axis="y", color="0.9")
        self.ax_.set_axisbelow(True)
        self.ax_.set(xlabel="lag (rows before the predicted row)", ylabel=self.label)
