"""Look up values of series in a dict or Series by id that a user passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sklstm._panel.show import did_you_mean, show, show_ids


def series_by_id(given: Mapping[Any, Any] | pd.Series, name: str, dtype: Any = None) -> pd.Series:
    """Convert a dict or Series to a Series with unique ids; `name` is that of the parameter."""
    by_id = pd.Series(given, dtype=dtype)
    if not by_id.index.is_unique:
        twice = by_id.index[by_id.index.duplicated()][0]
        raise ValueError(
            f"There is an id more than once in {name}, such as {show(twice)}. Keep one value per "
            "id."
        )
    return by_id


def look_up(
    by_id: pd.Series, ids: pd.Index, name: str, remedy: str, *, allow_missing: bool = False
) -> pd.Series:
    """Return the value of each series.

    Parameters
    ----------
    by_id : Series
        Values by unique id. Further ids are allowed.
    ids : pandas.Index of shape (n_series,)
        The series.
    name : str
        Name of the parameter.
    remedy : str
        What to do about a series without a value, to end the message.
    allow_missing : bool, default=False
        Whether values may be NaN or None.

    Returns
    -------
    Series of shape (n_series,)

    Raises
    ------
    ValueError
        If a series has no value. The message names ids that do not occur, and a similar one that
        does, since ids are often misspelt or of another type.
    """
    values = by_id.reindex(ids)
    lacks = ~ids.isin(by_id.index) if allow_missing else values.isna().to_numpy()
    if not lacks.any():
        return values
    missing = ids[lacks]
    what = "a missing value" if missing.isin(by_id.index).all() else "no value"
    unused = by_id.index[~by_id.index.isin(ids)]
    raise ValueError(
        f"{name}= has {what} for series [{show_ids(missing)}]. {_explain(missing, unused, remedy)}"
    )


def _explain(missing: pd.Index, unused: pd.Index, remedy: str) -> str:
    """Explain series without a value by ids that do not occur, to end the message."""
    if not len(unused):
        return remedy
    series, key = missing.tolist()[0], unused.tolist()[0]
    if type(series) is not type(key) and not set(map(str, missing)).isdisjoint(map(str, unused)):
        return (
            f"They are of type {type(series).__name__}, and the keys [{show_ids(unused)}] of type "
            f"{type(key).__name__}. Use keys of the same type."
        )
    are = "is not a" if len(unused) == 1 else "are not"
    return f"{show_ids(unused)} {are} series of the panel. {did_you_mean(key, missing, remedy)}"
