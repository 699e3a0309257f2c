"""Make targets of rows from one target per series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._panel.by_id import look_up, series_by_id
from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.frames import as_column, as_plain
from sklstm._panel.read import read_some_rows


def make_series_targets(
    panel: ArrayLike | pd.DataFrame,
    targets: Mapping[Any, Any] | pd.Series | ArrayLike,
    *,
    series: str | int | None = None,
    time: str | int | None = None,
) -> Any:
    """Make the targets of rows from one target per series: at its last row, unknown elsewhere.

    With ``WindowTransformer("longest", padding="nan")``, the window of the last row is the whole
    series. Estimators leave rows without a target out of the loss and of `score`. They are then
    trained and scored on one window per series.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    targets : dict, Series or array-like of shape (n_series,)
        Number or label of each series: by id, or in the order in which the series first appear in
        the panel.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    Series or ndarray of shape (n_rows,)
        A Series if `panel` is a DataFrame (of the same library), with its index. Unknown elements
        are missing values: NaN, or None.

    Raises
    ------
    ValueError
        If a series has no target, or an id has several, or the number of targets is not that of
        the series.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_series_targets
    >>> panel = pd.DataFrame({"engine": ["a", "a", "b"], "heat": [1.0, 2.0, 3.0]})
    >>> make_series_targets(panel, {"a": "worn", "b": "new"}, series="engine").tolist()
    [nan, 'worn', 'new']
    """
    rows = read_some_rows(panel, series, time)
    warn_of_unsorted_rows(panel, rows)
    present = rows.sizes > 0
    values = _values_by_id(targets, rows.ids[present])
    numeric = values.dtype.kind in "iuf"
    missing = np.nan if numeric else None
    made = np.full(len(rows), missing, float if numeric else object)
    made[rows.sorting[rows.bounds[1:][present] - 1]] = values
    return as_column(made, panel, "target")


def _values_by_id(targets, ids: pd.Index) -> np.ndarray:
    """Return the target of each series."""
    if isinstance(targets, (Mapping, pd.Series)):
        by_id = series_by_id(targets, "targets")
        remedy = "Give every series of the panel a target: its id is the key, or the index."
        return look_up(by_id, ids, "targets", remedy, allow_missing=True).to_numpy()
    values = np.asarray(as_plain(targets))
    if values.shape != (len(ids),):
        raise ValueError(
            f"targets have the shape {values.shape}, expected one target for each of the "
            f"{len(ids)} series of the panel. Pass a dict by id if their order is in doubt, or "
            "panel.groupby(id)[column].last() if a column holds them."
        )
    return values
