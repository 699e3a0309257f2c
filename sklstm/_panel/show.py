"""Show ids, times and names in messages."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

# Number of ids in a message.
MAX_IDS = 5
# Number of names that are compared with a wrong one; comparing is slow.
MAX_COMPARED = 10_000


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


def describe_missing(what: str, places: np.ndarray, n_rows: int, column: Any = None) -> str:
    """Describe missing ids or times, and what to do about them.

    Parameters
    ----------
    what : str
        "series id" or "time".
    places : ndarray of int
        Their rows.
    n_rows : int
        Number of all rows.
    column : object, default=None
        The column of a DataFrame that holds them; None where there is none.

    Returns
    -------
    str
    """
    where = remedy = ""
    if column is not None:
        where, remedy = f" ({column!r})", f": X.dropna(subset=[{column!r}])"
    return (
        f"The {what}{where} is missing (NaN or None) in {len(places)} of {n_rows} rows (the first "
        f"is row {places[0]}). Fill it in or drop those rows{remedy}."
    )


def did_you_mean(name: Any, names: Iterable[Any], otherwise: str = "") -> str:
    """Propose the closest of some names for a wrong one, to end a message.

    Parameters
    ----------
    name : object
        The wrong name. Case and type do not matter: 1 is close to "1".
    names : iterable
        The valid names.
    otherwise : str, default=""
        The end of the message if no name is close.

    Returns
    -------
    str

    Examples
    --------
    >>> did_you_mean("promos", ["shop", "promo"])
    "Did you mean 'promo'?"
    >>> did_you_mean("1", [1, 2])
    'Did you mean 1?'
    """
    keys = {str(each).lower(): each for each in islice(names, MAX_COMPARED)}
    closest = get_close_matches(str(name).lower(), keys, n=1)
    return f"Did you mean {show(keys[closest[0]])}?" if closest else otherwise
