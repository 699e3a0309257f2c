"""Make targets from the next rows of each series."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sklstm._panel.read import column_names, read_panel


def make_targets(panel, horizon=1, columns=None, *, series=None, time=None):
    """Row-aligned targets: the next `horizon` rows' values of the same series.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
    horizon : int, default=1
        How many rows to look ahead.
    columns : list of str or int, default=None
        The columns to predict, by default every feature.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_columns * horizon)
        Rows as in `panel`, a DataFrame for a DataFrame. Target-major: all steps of the
        first column, then all steps of the second. NaN where the series has ended. Steps
        are rows: fill gaps in time first where a step must be a unit of time. Without
        `series` and `time`, id columns are taken for features.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_targets
    >>> panel = pd.DataFrame({"shop": ["a", "a", "a", "b"], "sales": [1.0, 2.0, 3.0, 9.0]})
    >>> make_targets(panel, horizon=2, series="shop")
       sales_lead1  sales_lead2
    0          2.0          3.0
    1          3.0          NaN
    2          NaN          NaN
    3          NaN          NaN
    """
    if not isinstance(horizon, (int, np.integer)) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(f"horizon={horizon!r} must be a positive integer.")
    table = read_panel(panel, columns=columns, series=series, time=time)
    values, codes = table.sort(table.values), table.sort(table.codes)
    targets = np.full((*values.shape, horizon), np.nan, values.dtype)
    for step in range(1, min(horizon, len(values) - 1) + 1):
        same = codes[step:] == codes[:-step]
        targets[:-step, :, step - 1][same] = values[step:][same]
    out = table.unsort(targets)
    out = out.reshape(len(values), -1)
    if not isinstance(panel, pd.DataFrame):
        return out
    names = column_names(panel, table.positions)
    labels = [f"{name}_lead{step}" for name in names for step in range(1, horizon + 1)]
    return pd.DataFrame(out, index=panel.index, columns=labels)
