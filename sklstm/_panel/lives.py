"""Represent lives of which some are censored, as scikit-survival does.

Such lives are a structured array of two fields: whether the event was seen, and the time to it.
Where it was not seen, the time is the time that was survived: the life is only known to be longer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

# Kinds of the columns of a table of events and times.
KINDS = (["b", "f"], ["b", "i"], ["b", "u"])


def make_lives(event: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Make the structured array of events and times.

    Parameters
    ----------
    event : ndarray of bool
        Whether the event was seen.
    time : ndarray of float, of the same shape
        The time to the event, or the time survived without it.

    Returns
    -------
    ndarray
        With the fields and names of ``sksurv.util.Surv``: ``event`` and ``time``.
    """
    lives = np.empty(event.shape, [("event", bool), ("time", time.dtype)])
    lives["event"], lives["time"] = event, time
    return lives


def separate_lives(y: Any) -> tuple[Any, np.ndarray | None]:
    """Separate targets into times and the mask of those that are censored.

    Parameters
    ----------
    y : object
        Any targets.

    Returns
    -------
    times : array-like
        The times of lives; `y` itself if it holds no lives.
    censored : ndarray of bool or None
        Where the true time is only known to be longer; None if `y` holds no lives.
    """
    _check_no_table_of_lives(y)
    dtype: Any = getattr(y, "dtype", None)
    names = getattr(dtype, "names", None)
    if names is None:
        return y, None
    kinds = [dtype[name].kind for name in names]
    if len(names) != 2 or kinds[0] != "b" or kinds[1] not in "iuf":
        remedy = "Make it with make_remaining_life or sksurv.util.Surv.from_arrays(event, time)."
        if kinds[1:] == ["b"] and kinds[0] in "iuf":
            remedy = f"The fields are in the wrong order: pass y[{[names[1], names[0]]}]."
        raise ValueError(
            f"y is a structured array of the fields {_describe_fields(dtype)}, expected two in "
            "this order: whether the event was seen (bool), and the time until the event, or until "
            f"the end of the record (a number). {remedy}"
        )
    event, time = (np.asarray(y[name]) for name in names)
    return time, ~event


def _describe_fields(dtype: Any) -> str:
    return ", ".join(f"{name!r} ({dtype[name]})" for name in dtype.names)


def _check_no_table_of_lives(y: Any) -> None:
    """Raise ValueError for a DataFrame of events and times, which would be two targets."""
    if not isinstance(y, pd.DataFrame) or sorted(each.kind for each in y.dtypes) not in KINDS:
        return
    names = y.columns[np.argsort([each.kind for each in y.dtypes])].tolist()  # the bools first
    raise ValueError(
        f"y is a DataFrame of the columns {list(y.columns)}, one of which is bool, expected "
        f"numbers. If it holds lives, pass a structured array: y[{names}].to_records(index=False)."
    )


def with_times(y: Any, times: np.ndarray) -> np.ndarray:
    """Return targets with other times, and with the events of `y` if it holds lives."""
    censored = separate_lives(y)[1]
    return times if censored is None else make_lives(~censored, times)


def without_censored(y: Any) -> Any:
    """Return targets with NaN for the censored lives; `y` itself if it holds no lives."""
    times, _ = separate_lives(y)
    return hide_censored(times, y)


def hide_censored(targets: Any, y: Any) -> Any:
    """Return targets of the rows of `y`, with NaN where they are those of censored lives."""
    _, censored = separate_lives(y)
    if censored is None:
        return targets
    return np.where(censored.reshape(targets.shape), np.nan, targets)


def check_some_event(y: Any) -> None:
    """Raise an error if all lives are censored."""
    times, censored = separate_lives(y)
    if censored is not None and np.isnan(times[~censored].astype(float)).all():
        raise ValueError(
            f"None of the {len(times)} lives in y ends in an event, so no prediction could be too "
            "long. Add series whose event was seen."
        )
