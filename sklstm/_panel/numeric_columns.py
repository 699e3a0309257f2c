"""Check that the features of a table are numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sklstm._panel.arrays import describe_other_values, holds_text


def check_numeric_columns(features: pd.DataFrame, series: Any, time: Any) -> None:
    """Raise ValueError if a column holds text, dates or other values than numbers.

    Parameters
    ----------
    features : DataFrame
    series, time : str, int or None
        Names of the ids and the time. If one is None, the column may be that.
    """
    other = [name for name in features.columns if not _is_numeric(features[name])]
    if not other:
        return
    name = other[0]
    what, remedy = describe_other_values(features[name])
    if hasattr(getattr(features[name], "dt", None), "day_of_week"):
        remedy = f"Convert it to numbers, such as X[{name!r}].dt.day_of_week, or drop it."
    role, noun, given = ("time", "time", time) if what == "dates" else ("series", "id", series)
    question = ""
    if given is None:
        question = f"Is {name!r} the {noun}? Then pass {role}={name!r}. Otherwise, "
        remedy = remedy[0].lower() + remedy[1:]
    more = f" The columns {other[1:]} are not numeric either." if len(other) > 1 else ""
    raise ValueError(f"Feature {name!r} holds {what}, expected numbers. {question}{remedy}{more}")


def _is_numeric(column: Any) -> bool:
    if isinstance(column, pd.DataFrame) or pd.api.types.is_numeric_dtype(column.dtype):
        return True  # a DataFrame holds columns of equal names, which check_array validates
    if not pd.api.types.is_object_dtype(column.dtype) or holds_text(column):
        return False
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return False
    return True
