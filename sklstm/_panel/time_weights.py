"""Weight recent rows more than old ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklstm._panel.read import as_table, id_values, read_series_rows
from sklstm._panel.time import gap_number, time_numbers
from sklstm._panel.weights import factor_to_mean_one


def time_weights(
    panel: ArrayLike,
    half_life: Any,
    *,
    series: str | int | None = None,
    time: str | int,
) -> np.ndarray:
    """Compute weights of rows that halve with every half-life of their age.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        A panel, of which the time and the ids are read.
    half_life : number, timedelta or str
        Time in which the weight halves, in units of `time`; for dates, anything that
        pandas.Timedelta accepts.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. The age of a row is then
        counted from the last row of its own series. None: from the latest time in the panel.
    time : str or int
        Column name, index level name or column position of the time.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64 weights with mean 1, for the `sample_weight` of any estimator.

    See Also
    --------
    series_weights : Weight series; it accepts these weights as `sample_weight`.
    MultiSeriesLSTMRegressor : Its `half_life`, in rows, can be searched.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import time_weights
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-05"])
    >>> time_weights(pd.DataFrame({"day": days, "sold": [3.0, 4.0, 5.0]}), "2D", time="day")
    array([0.42857143, 0.85714286, 1.71428571])
    """
    if time is None:
        raise ValueError("time=None, expected the name of the time, from which ages are counted.")
    if series is None:  # series may have rows at the same time
        times, kind = time_numbers(id_values(as_table(panel), time, "time"))
        age = times.max() - times
    else:
        rows = read_series_rows(panel, series, time)
        age, kind = rows.last_times[rows.codes] - rows.time, str(rows.time_kind)
    unit = gap_number(half_life, kind, "half_life")
    if unit is None:
        raise ValueError("half_life=None, expected a length of time. Leave the weights out.")
    weights = decay(age, unit)
    return weights * factor_to_mean_one(weights.sum(), len(weights))


def decay(age: np.ndarray, half_life: float) -> np.ndarray:
    """Compute ``0.5 ** (age / half_life)``."""
    return np.exp2(-age / half_life)
