"""Forecast metrics as the published tables define them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, check_consistent_length

from sklstm._panel.read import column_names, read_panel
from sklstm._panel.weights import check_weights


def mase(y_true, y_pred, *, scale, sample_weight=None) -> float:
    """Mean absolute scaled error: the mean over rows of mean(abs(error)) / scale.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,) or (n_rows, horizon)
        With one row a series this is the plain mean over series of the published tables.
        Missing elements of `y_true` are left out, and rows whose scale is 0 or NaN.
    scale : float, array-like of shape (n_rows,) or Series by id
        Seasonal naive error on training rows, from :func:`seasonal_scale`. A Series by id
        is looked up in the index level of `y_true` that carries its index name.
    sample_weight : array-like of shape (n_rows,), default=None
        How much each row counts in the mean over rows.

    Returns
    -------
    float
        NaN where no row has both a true value and a positive scale.

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
    error = _mean_rows(np.abs(true - predicted)) / _check_scale(scale, y_true, len(true))
    return _mean(error, check_weights(sample_weight, len(true)))


def smape(y_true, y_pred, *, sample_weight=None) -> float:
    """Symmetric mean absolute percentage error, in percent (0 to 200).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,) or (n_rows, horizon)
        Missing elements of `y_true` are left out. Where both values are 0 the error is 0.
    sample_weight : array-like of shape (n_rows,), default=None
        How much each row counts in the mean over rows.

    Returns
    -------
    float
        Mean over rows of mean(200 * abs(y - f) / (abs(y) + abs(f))).

    Examples
    --------
    >>> from sklstm.metrics import smape
    >>> smape([100.0, 300.0], [300.0, 300.0])
    50.0
    """
    true, predicted = check_pair(y_true, y_pred)
    size = np.abs(true) + np.abs(predicted)
    error = 200 * np.abs(true - predicted) / np.where(size == 0, 1, size)
    return _mean(_mean_rows(error), check_weights(sample_weight, len(true)))


def pinball_loss(y_true, y_quantiles, quantiles, *, scale=None) -> float:
    """Mean pinball loss of several quantiles: how good a whole forecast distribution is.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, horizon)
        Missing elements are left out.
    y_quantiles : array-like of shape (n_rows, n_quantiles) or (n_rows, horizon, n_quantiles)
        Predicted quantiles: the first shape for one output, the second for any number.
    quantiles : array-like of shape (n_quantiles,)
        Their levels, each between 0 and 1, in the order of the last axis of `y_quantiles`.
    scale : float, array-like of shape (n_rows,) or Series by id, default=None
        What the loss of each row is divided by, as in :func:`mase`. Rows whose scale is 0
        or NaN are left out. None: units of `y_true`.

    Returns
    -------
    float
        Mean over rows of the mean over the row's known elements and over the quantiles;
        NaN where no row counts. For the median alone it is half the mean absolute error.

    See Also
    --------
    sklearn.metrics.mean_pinball_loss : One quantile, no missing elements.

    Examples
    --------
    >>> from sklstm.metrics import pinball_loss
    >>> pinball_loss([10.0, 10.0], [[8.0, 12.0], [6.0, 10.0]], [0.25, 0.75])
    0.5
    """
    levels = np.asarray(quantiles, dtype=float)
    if levels.ndim != 1 or levels.size == 0 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantiles={quantiles!r} must be a list of numbers between 0 and 1.")
    true = _check_true(y_true)
    predicted = check_array(
        y_quantiles, ensure_2d=False, allow_nd=True, dtype=float, input_name="y_quantiles"
    )
    shape = (*true.shape, len(levels))
    if predicted.shape != shape and (true.shape[1] > 1 or predicted.shape != shape[::2]):
        raise ValueError(
            f"y_quantiles has shape {predicted.shape}; for {len(levels)} quantiles of y_true with "
            f"shape {np.shape(y_true)}, expected {shape[::2] if true.shape[1] == 1 else shape}."
        )
    below = true[:, :, np.newaxis] - predicted.reshape(shape)
    loss = np.maximum(levels * below, (levels - 1) * below).mean(axis=2)
    scale = 1.0 if scale is None else _check_scale(scale, y_true, len(true))
    return _mean(_mean_rows(loss) / scale)


def coverage(y_true, lower, upper) -> float:
    """Share of the true values that lie inside of their intervals, bounds included.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, horizon)
        Missing elements are left out.
    lower, upper : array-like of the shape of `y_true`
        The bounds. A lower bound above its upper one covers nothing.

    Returns
    -------
    float
        Between 0 and 1; NaN where no true value is known. Bounds that are the quantiles
        0.1 and 0.9 of a good forecast come to about 0.8.

    Examples
    --------
    >>> from sklstm.metrics import coverage
    >>> coverage([1.0, 2.0, 3.0, float("nan")], [0.0, 2.0, 4.0, 0.0], [1.0, 3.0, 5.0, 9.0])
    0.6666666666666666
    """
    true, low = check_pair(y_true, lower, "lower")
    true, high = check_pair(y_true, upper, "upper")
    return _mean(((low <= true) & (true <= high))[~np.isnan(true)])


def seasonal_scale(panel, m=1, columns=None, *, series=None, time=None):
    """Mean absolute error of the seasonal naive forecast, by series: the scale of MASE.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        Training rows.
    m : int, default=1
        Rows in a season.
    columns : str, int or list of them, default=None
        The columns to scale, by default every feature.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    Series (one column) or DataFrame of shape (n_series, n_columns)
        By id; NaN where a series has no two rows a season apart.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm.metrics import seasonal_scale
    >>> seasonal_scale(pd.DataFrame({"id": [1, 1, 1], "y": [0.0, 2.0, 3.0]}), series="id")
    id
    1    1.5
    Name: y, dtype: float64
    """
    if not isinstance(m, (int, np.integer)) or isinstance(m, bool) or m < 1:
        raise ValueError(f"m={m!r} must be a positive integer.")
    table = read_panel(panel, columns=columns, series=series, time=time)
    labels = column_names(panel, table.positions)
    order = table.sorting
    values, codes = table.values[order], table.codes[order]
    difference = np.abs(values[m:] - values[:-m])
    difference[codes[m:] != codes[:-m]] = np.nan
    means = pd.DataFrame(difference.astype(float), columns=labels).groupby(codes[m:]).mean()
    means = means.reindex(np.arange(len(table.ids)))
    means.index = table.ids.rename(series if isinstance(series, str) else None)
    return means.iloc[:, 0] if len(labels) == 1 else means


def prognostic_score(y_true, y_pred) -> float:
    """Score of the PHM08 challenge for remaining life: late predictions cost more.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        Remaining cycles, one row an engine.

    Returns
    -------
    float
        Sum of ``exp(-d / 13) - 1`` for early and ``exp(d / 10) - 1`` for late predictions,
        d being predicted minus true. 0 is perfect. Missing elements of `y_true` are left out.

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


# What scorers know of these metrics: which ones are to be made small, and which ones are
# means over rows that take weights.
LOSSES = (mase, smape, pinball_loss, prognostic_score)
WEIGHTED_MEANS = (mase, smape)


def _check_scale(scale, y_true, n_rows):
    """One scale a row, or one for all; NaN where there is nothing to divide by."""
    if isinstance(scale, pd.Series):
        scale = _look_up(scale, y_true)
    scale = np.asarray(scale, dtype=float)
    if scale.ndim > 1 or scale.shape not in ((), (n_rows,)):
        raise ValueError(f"scale has shape {scale.shape}; expected one number or {n_rows}.")
    if (scale < 0).any():
        raise ValueError(f"scale holds negative values (the smallest is {scale.min()}).")
    return np.where(scale > 0, scale, np.nan)


def _look_up(scale, y_true):
    index = getattr(y_true, "index", None)
    name = scale.index.name
    if index is None or name is None or name not in index.names:
        raise ValueError(
            f"scale is a Series by id, so y_true must be a Series or DataFrame with the index "
            f"level {name!r}, the name of scale's index. Else pass one scale a row."
        )
    ids = index.get_level_values(name)
    unknown = ids.difference(scale.index)
    if len(unknown):
        raise ValueError(f"scale holds no value for series {list(unknown[:10])}.")
    return scale.loc[ids].to_numpy()


def _check_true(y_true):
    true = check_array(
        y_true, ensure_2d=False, dtype=float, ensure_all_finite="allow-nan", input_name="y_true"
    )
    return true.reshape(len(true), -1)


def check_pair(y_true, y_pred, name="y_pred"):
    """Return both as float arrays of shape (n_rows, n_outputs); only y_true may hold NaN."""
    true = _check_true(y_true)
    predicted = check_array(y_pred, ensure_2d=False, dtype=float, input_name=name)
    check_consistent_length(true, predicted)
    predicted = predicted.reshape(len(predicted), -1)
    if true.shape != predicted.shape:
        raise ValueError(f"y_true has shape {true.shape}, {name} has shape {predicted.shape}.")
    return true, predicted


def _mean_rows(error):
    """Mean of each row over its known elements; NaN for a row without any."""
    known = ~np.isnan(error)
    count = known.sum(axis=1)
    total = np.where(known, error, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean(rows, weights=None) -> float:
    """(Weighted) mean of the rows that are not NaN; NaN where none counts."""
    weights = np.where(np.isnan(rows), 0.0, 1.0 if weights is None else weights)
    return float(np.average(np.nan_to_num(rows), weights=weights)) if weights.any() else np.nan
