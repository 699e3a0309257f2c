"""Compute metrics of forecasts and of remaining-life predictions.

Every metric accepts lives that may be censored (see :func:`sklstm.make_remaining_life`) as
`y_true`. Except in `concordance_index`, censored ones are missing elements: the error is that where
the truth is known. This module is long because of its docstrings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array

from sklstm._panel.arrays import CONVERT_TEXT, check_no_text
from sklstm._panel.by_id import look_up, series_by_id
from sklstm._panel.checks import as_floats, check_lengths
from sklstm._panel.frames import as_plain
from sklstm._panel.lives import separate_lives, without_censored
from sklstm._panel.pairs import count_comparable, count_ordered
from sklstm._panel.read import read_panel
from sklstm._panel.seasons import number_steps, one_season_earlier
from sklstm._panel.weights import check_weights

__all__ = [
    "concordance_index",
    "coverage",
    "mase",
    "pinball_loss",
    "prognostic_score",
    "seasonal_scale",
    "smape",
]


OF_CLASSES = (
    f"{CONVERT_TEXT} If they are classes, choose a metric of classes, such as 'accuracy', or a "
    "display of classes."
)


def __dir__() -> list[str]:
    return __all__


def mase(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    scale: float | ArrayLike | pd.Series,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute the mean absolute scaled error (MASE).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,) or (n_rows, horizon)
        Observed and predicted values. Missing elements of `y_true` are left out.
    scale : float, array-like of shape (n_rows,) or Series by id
        Mean absolute error of the seasonal naive forecast on training rows, as
        :func:`seasonal_scale` computes it. Rows whose scale is 0 or NaN are left out. A Series by
        id is looked up in the index level of `y_true` that has the name of its index.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows. None: all rows have the same weight.

    Returns
    -------
    float
        Mean over rows of ``mean(abs(y_true - y_pred)) / scale``. NaN if no row has both a known
        value and a positive scale. With one row per series, this is the mean over series that
        published tables report.

    References
    ----------
    R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy",
    International Journal of Forecasting 22 (2006).

    Examples
    --------
    >>> from sklstm.metrics import mase
    >>> mase([[3.0, 4.0], [5.0, 5.0]], [[2.0, 4.0], [5.0, 9.0]], scale=[1.0, 2.0])
    0.75
    """
    true, predicted = check_pair(y_true, y_pred)
    error = _mean_per_row(np.abs(true - predicted)) / _check_scale(scale, y_true, len(true))
    return _mean(error, check_weights(sample_weight, len(true)))


def smape(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Compute the symmetric mean absolute percentage error, in percent (0 to 200).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,) or (n_rows, horizon)
        Observed and predicted values. Missing elements of `y_true` are left out. If both values
        are 0, the error is 0.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows. None: all rows have the same weight.

    Returns
    -------
    float
        Mean over rows of ``mean(200 * abs(y_true - y_pred) / (abs(y_true) + abs(y_pred)))``.

    Examples
    --------
    >>> from sklstm.metrics import smape
    >>> smape([100.0, 300.0], [300.0, 300.0])
    50.0
    """
    true, predicted = check_pair(y_true, y_pred)
    size = np.abs(true) + np.abs(predicted)
    error = 200 * np.abs(true - predicted) / np.where(size == 0, 1, size)
    return _mean(_mean_per_row(error), check_weights(sample_weight, len(true)))


def pinball_loss(
    y_true: ArrayLike,
    y_quantiles: ArrayLike,
    quantiles: ArrayLike,
    *,
    scale: float | ArrayLike | pd.Series | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute the mean pinball loss of several predicted quantiles.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, horizon)
        Observed values. Missing elements are left out.
    y_quantiles : array-like of shape (n_rows, n_quantiles) or (n_rows, horizon, n_quantiles)
        Predicted quantiles. The first shape is for one output, the second for any number.
    quantiles : array-like of shape (n_quantiles,)
        Levels of the quantiles, each between 0 and 1, in the order of the last axis of
        `y_quantiles`.
    scale : float, array-like of shape (n_rows,) or Series by id, default=None
        Divisor of the loss of each row, as in :func:`mase`. Rows whose scale is 0 or NaN are left
        out. None: the loss has the unit of `y_true`.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows. None: all rows have the same weight.

    Returns
    -------
    float
        Mean over rows of the mean over the known elements of the row and over the quantiles. NaN
        if all rows are left out. For the median alone, this is half the mean absolute error.

    See Also
    --------
    sklearn.metrics.mean_pinball_loss : Loss of one quantile; accepts no missing elements.

    Examples
    --------
    >>> from sklstm.metrics import pinball_loss
    >>> pinball_loss([10.0, 10.0], [[8.0, 12.0], [6.0, 10.0]], [0.25, 0.75])
    0.5
    """
    levels = check_levels(quantiles)
    true = check_true(y_true)
    predicted = check_predicted(y_quantiles, "y_quantiles")
    shape = (*true.shape, len(levels))
    if predicted.shape != shape and (true.shape[1] > 1 or predicted.shape != shape[::2]):
        raise ValueError(
            f"y_quantiles has shape {predicted.shape}; for {len(levels)} quantiles of y_true with "
            f"shape {np.shape(y_true)}, expected {shape[::2] if true.shape[1] == 1 else shape}."
        )
    below = true[:, :, np.newaxis] - predicted.reshape(shape)
    loss = np.maximum(levels * below, (levels - 1) * below).mean(axis=2)
    divisor = 1.0 if scale is None else _check_scale(scale, y_true, len(true))
    return _mean(_mean_per_row(loss) / divisor, check_weights(sample_weight, len(true)))


def coverage(y_true: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Compute the share of the observed values that lie inside their intervals.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, horizon)
        Observed values. Missing elements are left out.
    lower, upper : array-like of the shape of `y_true`
        Bounds of the intervals; a value equal to a bound lies inside. An interval whose lower bound
        is above its upper bound contains no value.

    Returns
    -------
    float
        Between 0 and 1; NaN if no value is known. If the bounds are the quantiles 0.1 and 0.9 of a
        calibrated forecast, the share is about 0.8.

    Examples
    --------
    >>> from sklstm.metrics import coverage
    >>> coverage([1.0, 2.0, 3.0, float("nan")], [0.0, 2.0, 4.0, 0.0], [1.0, 3.0, 5.0, 9.0])
    0.6666666666666666
    """
    true, low = check_pair(y_true, lower, "lower")
    true, high = check_pair(y_true, upper, "upper")
    return _mean(((low <= true) & (true <= high))[~np.isnan(true)])


def seasonal_scale(
    panel: ArrayLike | pd.DataFrame,
    season_length: int = 1,
    columns: str | int | Sequence[str | int] | None = None,
    *,
    freq: float | str | pd.offsets.BaseOffset | timedelta | None = None,
    series: str | int | None = None,
    time: str | int | None = None,
) -> pd.Series | pd.DataFrame:
    """Compute the mean absolute error of the seasonal naive forecast, per series.

    This is the scale of :func:`mase`.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        Training rows.
    season_length : int, default=1
        Number of steps in a season. With `time`, steps are steps in time, and those without a row
        count as missing values. Without it, or if the times are irregular, of which a warning
        tells, they are rows.
    columns : str, int or list of them, default=None
        The columns to compute the scale of. None: all features.
    freq : number, str, pandas offset or timedelta, default=None
        The time step. None: inferred from the rows.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    Series (one column) or DataFrame of shape (n_series, n_columns)
        The scale by id, always of pandas, since the ids are its index. The index has the name of
        `series`, or "series" if that is a position. NaN for a series that has no two values one
        season apart.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.metrics import seasonal_scale
    >>> seasonal_scale(pd.DataFrame({"id": [1, 1, 1], "y": [0.0, 2.0, 3.0]}), series="id")
    id
    1    1.5
    Name: y, dtype: float64
    """
    m = season_length
    if not isinstance(m, (int, np.integer)) or isinstance(m, bool) or m < 1:
        raise ValueError(f"season_length={m!r} must be a positive integer.")
    rows = read_panel(panel, columns=columns, series=series, time=time)
    labels = rows.names
    values, codes = rows.sort(rows.values), rows.sort(rows.codes)
    earlier = one_season_earlier(codes, number_steps(panel, rows, time, freq), m)
    difference = np.abs(values - values[earlier]).astype(float)
    difference[earlier < 0] = np.nan
    means = pd.DataFrame(difference, columns=labels).groupby(codes).mean()
    means = means.reindex(np.arange(len(rows.ids)))
    name = series if series is None or isinstance(series, str) else "series"
    means.index = rows.ids.rename(name)
    return means.iloc[:, 0] if len(labels) == 1 else means


def prognostic_score(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the PHM08 challenge score, which penalises late predictions more than early ones.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        Observed and predicted remaining cycles, one row per engine. Missing elements of `y_true`
        are left out.

    Returns
    -------
    float
        Sum over rows of ``exp(-d / 13) - 1`` if d is negative (early) and ``exp(d / 10) - 1``
        otherwise (late), where d is ``y_pred - y_true``. 0 is perfect.

    References
    ----------
    A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage propagation modeling for aircraft
    engine run-to-failure simulation", PHM 2008.

    Examples
    --------
    >>> from sklstm.metrics import prognostic_score
    >>> round(prognostic_score([50, 50], [37, 60]), 3)
    3.437
    """
    true, predicted = check_pair(y_true, y_pred)
    late = predicted - true
    return float(np.nansum(np.expm1(np.where(late < 0, -late / 13, late / 10))))


def concordance_index(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute Harrell's concordance index of predicted lives.

    Parameters
    ----------
    y_true : structured array of shape (n_rows,), or array-like of shape (n_rows,)
        Lives as (event, time), as :func:`sklstm.make_remaining_life` makes them; or times, all of
        which end with the event. Rows whose time is NaN are left out.
    y_pred : array-like of shape (n_rows,)
        Predicted lives; the longer, the later the event.

    Returns
    -------
    float
        Share of the comparable pairs whose predictions are in the order of the lives; pairs of
        equal predictions count one half. 1 is a perfect order, 0.5 that of a constant. NaN if no
        pair is comparable.

    Notes
    -----
    Two rows are comparable if one of them is known to live longer: the row of the shorter time has
    its event, and the other one was still alive then. It may be censored at the same time.

    All pairs of rows are compared, also those of one series. To compare series, pass one row of
    each. The index uses the order of the predictions only; errors where the truth is known are in
    ``y_true["time"][y_true["event"]]``.

    References
    ----------
    F. E. Harrell, R. M. Califf, D. B. Pryor, K. L. Lee, R. A. Rosati, Evaluating the yield of
    medical tests, Journal of the American Medical Association 247, 1982.

    Examples
    --------
    The life of the second row is only known to be longer than 5, so it is not compared with the
    last one:

    >>> import numpy as np
    >>> from sklstm.metrics import concordance_index
    >>> lives = np.array(
    ...     [(True, 2.0), (False, 5.0), (True, 9.0)], dtype=[("event", bool), ("time", float)]
    ... )
    >>> concordance_index(lives, [3.0, 2.0, 8.0])
    0.5
    """
    times, censored = separate_lives(y_true)
    times, predicted = (part[:, 0] for part in check_one_output(times, y_pred))
    event = np.ones(len(times), bool) if censored is None else ~censored
    known = ~np.isnan(times)
    times, event, predicted = times[known], event[known], predicted[known]
    n_pairs = count_comparable(times, event)
    if n_pairs == 0:
        return np.nan
    n_right = count_ordered(times, event, predicted)
    n_wrong = count_ordered(times, event, -predicted)
    return (n_right + (n_pairs - n_right - n_wrong) / 2) / n_pairs


# Metrics of this module that are losses, and those that are weighted means over rows.
# `make_series_scorer` reads both.
LOSSES = (mase, smape, pinball_loss, prognostic_score)
WEIGHTED_MEANS = (mase, smape, pinball_loss)


def _check_scale(scale: Any, y_true: ArrayLike, n_rows: int) -> np.ndarray:
    """Return one scale for all rows or one per row; NaN for scales that are not positive."""
    if isinstance(scale, pd.Series):
        scale = _look_up(scale, y_true)
    scale = as_floats(scale, "scale")
    if scale.ndim > 1 or scale.shape not in ((), (n_rows,)):
        raise ValueError(
            f"scale has shape {scale.shape}; expected one number, or {n_rows} for as many rows."
        )
    if (scale < 0).any():
        raise ValueError(f"scale has negative values (the smallest is {scale.min()}).")
    return np.where(scale > 0, scale, np.nan)


def _look_up(scale: pd.Series, y_true: ArrayLike) -> np.ndarray:
    """Return the scale of the series of each row, by the ids in the index of `y_true`."""
    index = getattr(y_true, "index", None)
    name = scale.index.name
    if index is None or name is None or name not in index.names:
        raise ValueError(
            f"scale is a Series by id, and y_true has no index level {name!r}, the name of scale's "
            f"index (levels of y_true: {[] if index is None else list(index.names)}). Index y_true "
            f"by the ids, such as with y_true.set_axis(X[{name!r}]), or pass one scale per row."
        )
    ids = index.get_level_values(name)
    remedy = "Compute the scale of all series that are scored."
    by_id = look_up(series_by_id(scale, "scale"), ids.unique(), "scale", remedy, allow_missing=True)
    values: np.ndarray = by_id.reindex(ids).to_numpy()  # .loc would take bools as a mask
    return values


def check_levels(quantiles: ArrayLike) -> np.ndarray:
    """Convert the levels of quantiles to floats between 0 and 1."""
    levels = as_floats(quantiles, "quantiles")
    if levels.ndim != 1 or levels.size == 0 or not ((levels > 0) & (levels < 1)).all():
        percent = " For percentages, divide by 100." if (levels > 1).any() else ""
        raise ValueError(
            f"quantiles={quantiles!r} must be a list of numbers between 0 and 1, such as "
            f"[0.1, 0.5, 0.9].{percent}"
        )
    return levels


def check_true(y_true: ArrayLike) -> np.ndarray:
    """Return the observed values as floats of shape (n_rows, n_outputs)."""
    y_true = as_plain(without_censored(y_true))
    check_no_text(y_true, "y_true", OF_CLASSES)
    options: dict[str, Any] = {"ensure_all_finite": "allow-nan", "input_name": "y_true"}
    true: np.ndarray = check_array(y_true, ensure_2d=False, dtype=float, **options)
    return true.reshape(len(true), -1)


def check_predicted(y_pred: ArrayLike, name: str, *, allow_nd: bool = True) -> np.ndarray:
    """Return predictions as floats of their shape; `name` is that of messages."""
    y_pred = as_plain(y_pred)
    check_no_text(y_pred, name, OF_CLASSES)
    options: dict[str, Any] = {"ensure_2d": False, "allow_nd": allow_nd, "input_name": name}
    predicted: np.ndarray = check_array(y_pred, dtype=float, **options)
    return predicted


def check_pair(
    y_true: ArrayLike, y_pred: ArrayLike, name: str = "y_pred"
) -> tuple[np.ndarray, np.ndarray]:
    """Check observed and predicted values.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Only `y_true` may have missing elements.
    name : str, default="y_pred"
        Name of `y_pred` in messages.

    Returns
    -------
    tuple of ndarray of shape (n_rows, n_outputs)
        Both as floats.
    """
    true = check_true(y_true)
    predicted = check_predicted(y_pred, name, allow_nd=False)
    check_lengths(y_true=true, **{name: predicted})
    predicted = predicted.reshape(len(predicted), -1)
    if true.shape != predicted.shape:
        raise ValueError(f"y_true has shape {true.shape}, {name} has shape {predicted.shape}.")
    return true, predicted


def check_one_output(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Check observed and predicted values of one output, as `check_pair` does."""
    true, predicted = check_pair(y_true, y_pred)
    if true.shape[1] != 1:
        raise ValueError(f"y_true has {true.shape[1]} outputs, expected one. Pass each by itself.")
    return true, predicted


def _mean_per_row(error: np.ndarray) -> np.ndarray:
    """Return the mean of the known elements of each row; NaN for rows without any."""
    known = ~np.isnan(error)
    count = known.sum(axis=1)
    total = np.where(known, error, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the (weighted) mean of the values that are not NaN; NaN if there is none."""
    weights = np.where(np.isnan(values), 0.0, 1.0 if weights is None else weights)
    return float(np.average(np.nan_to_num(values), weights=weights)) if weights.any() else np.nan
