"""Draw the error of forecasts by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklstm._panel.checks import check_method
from sklstm._panel.frames import as_plain
from sklstm._panel.show import did_you_mean, show
from sklstm.metrics import check_pair, smape
from sklstm.plotting._axes import add_legend, format_axes, make_axes
from sklstm.plotting._palette import GREY, MAX_CURVES, curve_style

METRICS: dict[str, Callable[..., float]] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
    "smape": smape,
}
LABELS = {
    "mase": "MASE (1: naive forecast)",
    "mae": "MAE (unit of the target)",
    "rmse": "RMSE (unit of the target)",
    "smape": "sMAPE (%)",
}
# Columns of a result of `backtest` that, with the first one, the ids, identify its rows.
KEYS = ("origin", "step", "target")
# Points of more steps would touch each other.
MAX_MARKERS = 30


class HorizonErrorDisplay:
    """Draw the error of forecasts by step ahead, with one curve per model.

    Create a display with :meth:`from_backtest`, :meth:`from_estimator` or
    :meth:`from_predictions`.

    Parameters
    ----------
    errors : DataFrame of shape (n_steps, n_models)
        The errors; the index is the number of the step, from 1, and the columns are the names of
        the models.
    label : str, default="error"
        Label of the errors.
    baseline : str, default=None
        Name of the model that is drawn as the baseline, wide and grey.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    sklstm.backtest : Compare past forecasts with the observed values.

    Examples
    --------
    >>> from sklstm.plotting import HorizonErrorDisplay
    >>> y_true = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    >>> y_pred = {"naive": [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]}
    >>> HorizonErrorDisplay.from_predictions(y_true, y_pred).errors["naive"].tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(
        self, errors: pd.DataFrame, *, label: str = "error", baseline: str | None = None
    ) -> None:
        self.errors = errors
        self.label = label
        self.baseline = baseline

    @classmethod
    def from_backtest(
        cls,
        results: Any,
        *,
        metric: str | Callable[..., float] = "mase",
        baseline: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the errors of one or several backtests.

        Parameters
        ----------
        results : DataFrame or dict of DataFrame
            A result of :func:`~sklstm.backtest`, or several by the name of the model.
        metric : {"mase", "mae", "rmse", "smape"} or callable, default="mase"
            The error. All rows of a step have the same weight. A callable is called as
            ``metric(y_true, y_pred)`` with the known values of each step.
        baseline : str, default=None
            Name of the model that is drawn as the baseline.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        HorizonErrorDisplay

        Raises
        ------
        ValueError
            If a result has no such columns, or several targets whose errors have different units,
            or if the MASE of several results is not relative to the same naive forecast.
        """
        check_matplotlib_support(f"{cls.__name__}.from_backtest")
        tables = {name: _read_result(result, metric) for name, result in _by_name(results)}
        if metric == "mase":
            _check_scales(tables)
        return cls._from_tables(tables, metric, baseline, ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Any,
        *,
        metric: str | Callable[..., float] = "mae",
        baseline: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the errors of given predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_rows, horizon)
            Observed values, one column per step, as :func:`~sklstm.make_targets` makes them of one
            column. Missing elements are left out.
        y_pred : array-like of shape (n_rows, horizon) or dict of them
            Predictions, or several by the name of the model.
        metric : {"mae", "rmse", "smape"} or callable, default="mae"
            The error, as in :meth:`from_backtest`.
        baseline : str, default=None
            Name of the model that is drawn as the baseline.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        HorizonErrorDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        tables = {name: _stack_steps(y_true, pred) for name, pred in _by_name(y_pred)}
        return cls._from_tables(tables, metric, baseline, ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        metric: str | Callable[..., float] = "mae",
        baseline: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Predict, and draw the errors.

        Parameters
        ----------
        estimator : estimator or dict of estimators
            A fitted regressor with one output per step, or several by name.
        X, y : array-like
            Input and targets, as in `fit`. Columns of y are the steps.
        metric : {"mae", "rmse", "smape"} or callable, default="mae"
            The error, as in :meth:`from_backtest`.
        baseline : str, default=None
            Name of the model that is drawn as the baseline.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        HorizonErrorDisplay
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        models = _by_name(estimator)
        for _, model in models:
            check_method(model, "predict", "Pass a fitted regressor, or a dict of several by name.")
        predictions = {name: model.predict(X) for name, model in models}
        return cls.from_predictions(y, predictions, metric=metric, baseline=baseline, ax=ax)

    @classmethod
    def _from_tables(
        cls, tables: dict[Any, pd.DataFrame], metric: Any, baseline: str | None, ax: Any
    ) -> Self:
        """Compute and draw the errors of tables of true and predicted values by step."""
        errors = {name: _error_by_step(table, metric) for name, table in tables.items()}
        unknown = [name for name, each in errors.items() if each.isna().all()]
        if unknown:
            raise ValueError(
                f"No error of {', '.join(map(show, unknown))} is known: there are no rows, or all "
                "observed values are missing. Pass rows with observed values."
            )
        label = _name_of(metric) if callable(metric) else LABELS[metric]
        return cls(pd.DataFrame(errors), label=label, baseline=baseline).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        HorizonErrorDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no model of the name `baseline`.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        names = list(self.errors.columns)
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(
                f"baseline={self.baseline!r} is not one of the models {names}. "
                f"{did_you_mean(self.baseline, names, 'Choose one of these.')}"
            )
        models = [name for name in names if name != self.baseline]
        shown = self.errors[models].mean().nsmallest(MAX_CURVES).index
        axes, self.figure_ = make_axes(ax, 1, 1, size=(6.0, 3.4 + 0.08 * len(shown)))
        self.ax_ = axes[0]
        if self.baseline is not None:
            self._draw(self.baseline, {"color": GREY, "lw": 3.5})
        for number, name in enumerate(name for name in models if name in shown):
            marker = "o" if len(self.errors) <= MAX_MARKERS else None
            self._draw(name, {"lw": 1.5, "marker": marker, "ms": 3.5, **curve_style(number)})
        self.ax_.set(xlabel="step ahead", ylabel=self.label)
        self.ax_.set_ylim(bottom=0)
        format_axes(self.ax_, np.dtype(int))
        if len(names) > 1:
            add_legend(axes, self.figure_, is_new=ax is None)
        if len(shown) < len(models):
            title = f"the best {len(shown)} of {len(models)} models"
            self.ax_.set_title(title, loc="left", size="medium")
        return self

    def _draw(self, name: Any, style: dict[str, Any]) -> None:
        """Draw the curve of one model."""
        curve = self.errors[name]
        self.ax_.plot(curve.index, curve.to_numpy(), label=str(name), **style)


def _name_of(metric: Callable[..., float]) -> str:
    """Return the name of a function, of the function inside a partial one, or of a class."""
    if isinstance(metric, partial):
        return _name_of(metric.func)
    name: str = getattr(metric, "__name__", type(metric).__name__)
    return name.replace("_", " ")


def _by_name(values: Any) -> list[tuple[Any, Any]]:
    """Return the items of a dict; anything else is the only item, named "model"."""
    named = list(values.items()) if isinstance(values, Mapping) else [("model", values)]
    if not named:
        raise ValueError("The dict of models is empty: there is nothing to draw. Pass one or more.")
    return named


def _read_result(result: Any, metric: Any) -> pd.DataFrame:
    """Return the columns of a result of `backtest` that an error needs."""
    result = as_plain(result)
    needed = ["step", "y_true", "prediction"] + ["scaled_error"] * (metric == "mase")
    if not isinstance(result, pd.DataFrame) or not set(needed) <= set(result.columns):
        found = list(result.columns) if isinstance(result, pd.DataFrame) else type(result).__name__
        raise ValueError(
            f"A result of backtest has the columns {needed}, got {found}. Pass the result of "
            "backtest(forecaster, X), or a dict {name: result} to compare models."
        )
    targets = result["target"].unique() if "target" in result else []
    if len(targets) > 1 and metric in ("mae", "rmse"):
        raise ValueError(
            f"The result has the targets {list(targets)}, whose {metric.upper()} may have different"
            " units. Pass the rows of one target, such as result[result['target'] == "
            f"{targets[0]!r}], or choose metric='mase' or 'smape'."
        )
    keys = [result[name] for name in (result.columns[0], *KEYS) if name in result]
    return result[needed].set_index(pd.MultiIndex.from_arrays(keys, names=[None] * len(keys)))


def _check_scales(tables: dict[Any, pd.DataFrame]) -> None:
    """Raise an error if rows that results have in common are scaled by different numbers."""
    scales = [
        (name, (table["y_true"] - table["prediction"]).abs() / table["scaled_error"])
        for name, table in tables.items()
        if table.index.is_unique
    ]
    for (first, expected), (name, scale) in pairwise(scales):
        ratio = (scale / expected).dropna()
        if not np.allclose(ratio, 1, rtol=1e-6, atol=0):
            raise ValueError(
                f"The errors of {first!r} and {name!r} are scaled by different naive forecasts, so "
                "their MASE cannot be compared. Use one season_length in all backtests, or "
                "metric='mae'."
            )


def _stack_steps(y_true: ArrayLike, y_pred: Any) -> pd.DataFrame:
    """Make a table with the columns of a result of `backtest` from one column per step."""
    true, predicted = check_pair(y_true, y_pred)
    n_rows, horizon = true.shape
    steps = np.tile(np.arange(1, horizon + 1), n_rows)
    return pd.DataFrame({"step": steps, "y_true": true.ravel(), "prediction": predicted.ravel()})


def _error_by_step(table: pd.DataFrame, metric: Any) -> pd.Series:
    """Compute the error of each step; the index is the step."""
    if metric == "mase" and "scaled_error" in table:
        return table.groupby("step")["scaled_error"].mean()
    error = metric if callable(metric) else METRICS.get(metric)
    if metric == "mase":
        raise ValueError(
            "metric='mase' needs the scale of a backtest. Choose 'mae', 'rmse', 'smape' or a "
            "callable, or draw a result of backtest with from_backtest."
        )
    if error is None:
        raise ValueError(
            f"metric={metric!r} must be one of {', '.join(map(repr, METRICS))}, 'mase' for results "
            f"of backtest, or a callable. {did_you_mean(metric, METRICS)}"
        )
    known = table.dropna(subset="y_true").groupby("step")
    errors = {step: error(part["y_true"], part["prediction"]) for step, part in known}
    return pd.Series(errors, dtype=float).rename_axis("step")
