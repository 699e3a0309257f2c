"""Make targets from the next rows of each series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.frames import frame_kind, in_kind
from sklstm._panel.read import read_panel


def make_targets(
    panel: ArrayLike | pd.DataFrame,
    horizon: int = 1,
    columns: str | int | Sequence[str | int] | None = None,
    *,
    series: str | int | None = None,
    time: str | int | None = None,
) -> Any:
    """Make the targets of each row: the values of the next `horizon` rows of its series.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    horizon : int, default=1
        Number of rows to look ahead.
    columns : list of str or int, default=None
        The columns to predict. None: all features.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time. If both are
        None, id columns are treated as features.

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_targets * horizon)
        A DataFrame of the same library if `panel` is one, with the rows of `panel`. The columns
        are target-major: all steps of the first target, then all steps of the second. Values after
        the last row of a series are NaN (null in libraries that have it). One step is one row; if
        all steps must have the same length in time, fill gaps in time first.

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
    check_horizon(horizon)
    rows = read_panel(panel, columns=columns, series=series, time=time)
    warn_of_unsorted_rows(panel, rows)
    values, codes = rows.sort(rows.values), rows.sort(rows.codes)
    targets = np.full((*values.shape, horizon), np.nan, values.dtype)
    for step in range(1, min(horizon, len(values) - 1) + 1):
        same = codes[step:] == codes[:-step]
        targets[:-step, :, step - 1][same] = values[step:][same]
    out: np.ndarray = rows.unsort(targets).reshape(len(values), -1)
    if rows.labels is None:
        return out
    labels = [f"{name}_lead{step}" for name in rows.names for step in range(1, horizon + 1)]
    index = panel.index if isinstance(panel, pd.DataFrame) else None
    table = pd.DataFrame(out, index=index, columns=labels)
    return in_kind(frame_kind(panel), table)


def check_horizon(horizon: Any) -> None:
    """Raise an error if a horizon is no positive integer."""
    if not isinstance(horizon, (int, np.integer)) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(
            f"horizon={horizon!r} must be a positive integer: a number of rows, such as horizon=5 "
            "for 5 rows."
        )
