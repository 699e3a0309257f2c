"""Show ids and times in messages."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

# Number of ids in a message.
MAX_IDS = 5


def show(value: Any) -> str:
    """Show an id or a time in a message as a user writes it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> print(show(np.int64(103)), show("shop 1"), show(np.str_("shop 1")))
    103 'shop 1' 'shop 1'
    >>> print(show(pd.Timestamp(2024, 3, 1)), show(pd.Timestamp(2024, 3, 1, 12)))
    2024-03-01 2024-03-01 12:00:00
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))})"
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, pd.Timestamp) and value.tz is None and value == value.normalize():
        return str(value.date())
    if isinstance(value, (datetime.date, datetime.timedelta, pd.Period)):
        return str(value)
    return repr(value)


def show_ids(ids: Iterable[Any]) -> str:
    """Show the first ids of many in a message.

    Examples
    --------
    >>> show_ids(range(7))
    '0, 1, 2, 3, 4, ...'
    """
    shown = list(ids)
    more = ["..."] if len(shown) > MAX_IDS else []
    return ", ".join([*map(show, shown[:MAX_IDS]), *more])
