"""Make targets from the next event of each series: whether it is near, and how far away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklstm._panel.by_id import look_up, series_by_id
from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.frames import as_column
from sklstm._panel.lives import make_lives
from sklstm._panel.read import as_table, read_some_rows, select_features
from sklstm._panel.rows import SeriesRows
from sklstm._panel.show import show
from sklstm._panel.targets import check_horizon
from sklstm._panel.time import gap_number

PER_ROW = (
    "Put values of rows into a column, and name it: panel.assign(failed=values), event='failed'."
)


def make_event_targets(
    panel: ArrayLike | pd.DataFrame,
    event: str | int | bool | Mapping[Any, bool] | pd.Series,
    horizon: int,
    *,
    series: str | int | None = None,
    time: str | int | None = None,
) -> Any:
    """Make the target of each row: whether the event is within the next `horizon` rows.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    event : str, int, bool, dict or Series
        Where the events are; see :func:`make_remaining_life`.
    horizon : int
        Number of rows to look ahead, within the series.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    Series or ndarray of shape (n_rows,)
        A Series of the same library if `panel` is a DataFrame. It is 1 if the next event of the
        series is at the row itself or at one of the next `horizon` rows, and 0 if none of these
        rows has an event. Where the series ends before that without an event, it is unknown: NaN
        (null in libraries that have it).

    See Also
    --------
    make_remaining_life : Make the time to the event.
    MultiSeriesLSTMClassifier : Classifier that takes such targets.

    Notes
    -----
    The target is 1 where the remaining life in rows is at most `horizon`. This includes the row of
    the event, whose remaining life is 0. Rows after an event look ahead to the next one. One step
    is one row; if all steps must have the same length in time, fill gaps in time first.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_event_targets
    >>> panel = pd.DataFrame(
    ...     {"pump": ["a", "a", "a", "b", "b"], "failed": [False, False, True, False, False]}
    ... )
    >>> make_event_targets(panel, "failed", horizon=1, series="pump").tolist()
    [0.0, 1.0, 1.0, 0.0, nan]
    """
    check_horizon(horizon)
    ahead = _find_next_events(panel, event, series, time)
    steps = ahead.steps
    known = ahead.seen | (steps >= horizon)
    within = np.where(known, ahead.seen & (steps <= horizon), np.nan)
    return as_column(ahead.rows.unsort(within), panel, f"event_within_{horizon}")


def make_remaining_life(
    panel: ArrayLike | pd.DataFrame,
    event: str | int | bool | Mapping[Any, bool] | pd.Series = True,
    *,
    series: str | int | None = None,
    time: str | int | None = None,
    unit: Any = None,
    cap: float | None = None,
) -> np.ndarray:
    """Make the remaining life of each row: the time to the next event of its series.

    Where no event was seen until the end of the series, the remaining life is only known to be
    longer than the time to that end. Such lives are called censored.

    Parameters
    ----------
    panel : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    event : str, int, bool, dict or Series, default=True
        Where the events are.

        - A column name or position: the rows in which this column is true, or 1. A series may have
          any number of events, such as repairs, anywhere.
        - A dict or Series by id: whether the last row of the series is its event (it ran until it
          failed) or not (it was still running when the data end). Every series needs a value;
          additional ids are allowed.
        - True or False: the same for all series.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
    unit : number, timedelta or str, default=None
        The unit of the lives. None: they are counted in rows. Otherwise, a length of time: a number
        for a numeric `time` (1 keeps its unit) and for periods, and for dates anything that
        pandas.Timedelta takes, such as "1h".
    cap : float, default=None
        Longest life, in the unit of the lives: ``min(life, cap)``. A life that is known to be
        longer has the life `cap` as if its event had been seen, since its capped value is known.
        None: lives are not capped.

    Returns
    -------
    ndarray of shape (n_rows,)
        A structured array in the order of the rows of `panel`, as scikit-survival uses it
        (``sksurv.util.Surv``). Its fields are ``event`` (bool), whether the event was seen, and
        ``time`` (float), the time to the event, or to the last row of the series where it was not
        seen.

    See Also
    --------
    MultiSeriesLSTMRegressor : Regressor that takes such targets.
    make_event_targets : Make targets for "is the event near?".
    sklstm.metrics.concordance_index : Score predicted lives.

    Notes
    -----
    The row of an event has the remaining life 0. Rows after it look ahead to the next event.

    If an event has a column, leave it out of the features.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import make_remaining_life
    >>> panel = pd.DataFrame({"unit": [1, 1, 1, 2, 2], "hour": [0, 5, 9, 0, 3]})
    >>> lives = make_remaining_life(panel, {1: True, 2: False}, series="unit", time="hour", unit=1)
    >>> lives["time"].tolist()
    [9.0, 4.0, 0.0, 3.0, 0.0]
    >>> lives["event"].tolist()
    [True, True, True, False, False]
    """
    if cap is not None and not (isinstance(cap, Real) and cap > 0):
        raise ValueError(
            f"cap={cap!r} must be a positive number, in the unit of the lives, or None."
        )
    ahead = _find_next_events(panel, event, series, time)
    length = gap_number(unit, ahead.rows.time_kind, "unit")
    life = ahead.steps.astype(float) if length is None else ahead.duration / length
    seen = ahead.seen
    if cap is not None:
        life, seen = np.minimum(life, cap), seen | (life >= cap)
    return ahead.rows.unsort(make_lives(seen, life))


@dataclass(frozen=True, eq=False)
class NextEvents:
    """Hold the next event of each row, or the last row of its series where there is none.

    Attributes
    ----------
    rows : SeriesRows
    at : ndarray of shape (n_rows,)
        For each sorted row, the position of the next event among the sorted rows; the row itself
        may be one.
    seen : ndarray of shape (n_rows,)
        For each sorted row, whether there is an event.
    """

    rows: SeriesRows
    at: np.ndarray
    seen: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """Number of rows to the event, for each sorted row."""
        return self.at - np.arange(len(self.at))

    @property
    def duration(self) -> np.ndarray:
        """Time to the event, for each sorted row."""
        time = self.rows.sort(self.rows.time)
        return time[self.at] - time


def _find_next_events(panel, event, series, time) -> NextEvents:
    """Find the next event of each row."""
    if isinstance(event, (bool, np.bool_, Mapping, pd.Series)):
        rows = read_some_rows(panel, series, time)
        _check_not_per_row(event, panel, rows)
        has_event = np.zeros(len(rows), bool)
        # Windows know the ids of series of which no row was selected, too.
        present = rows.sizes > 0
        has_event[rows.bounds[1:][present] - 1] = _ends_with_event(event, rows.ids[present])
    elif isinstance(event, (str, int, np.integer)):
        rows = read_some_rows(panel, series, time)
        has_event = rows.sort(_as_indicator(_column(panel, event, series, time), event))
    else:
        raise ValueError(
            f"event is of type {type(event).__name__}, expected the name or position of a column, "
            f"a bool, or a dict or Series of bools by id. {PER_ROW}"
        )
    warn_of_unsorted_rows(panel, rows)
    n_rows = len(rows)
    last = np.repeat(rows.bounds[1:], rows.sizes) - 1
    event_at = np.where(has_event, np.arange(n_rows), n_rows)
    following = np.minimum.accumulate(event_at[::-1])[::-1]
    return NextEvents(rows, np.minimum(following, last), following <= last)


def _check_not_per_row(event, panel, rows: SeriesRows) -> None:
    """Raise ValueError if a Series has a value for each row, which would be read by its index."""
    index = getattr(panel, "index", None)
    if isinstance(event, pd.Series) and len(rows) > len(rows.ids) and event.index.equals(index):
        remedy = PER_ROW
        if event.name in getattr(panel, "columns", ()):
            remedy = f"The panel has a column of that name: pass event={event.name!r}."
        raise ValueError(
            f"event is a Series with the index of the panel, one value for each of {len(rows)} "
            f"rows, expected one for each of {len(rows.ids)} series, by id. {remedy}"
        )


def _ends_with_event(event, ids: pd.Index) -> np.ndarray:
    """Return whether each series ends with its event, from one bool or bools by id."""
    if isinstance(event, (bool, np.bool_)):
        return np.full(len(ids), event)
    remedy = (
        "Give every series True if its last row is its event, and False if it was still running."
    )
    values = look_up(series_by_id(event, "event", object), ids, "event", remedy)
    return _as_indicator(values.to_numpy(), None)


def _column(panel, name, series, time) -> np.ndarray:
    """Return the values of a column as objects, with NaN for missing ones."""
    table = as_table(panel)
    (position,) = select_features(table, name, series, time, "event")
    column = table.iloc[:, position] if isinstance(table, pd.DataFrame) else table[:, position]
    return pd.Series(column).to_numpy(dtype=object, na_value=np.nan)


def _as_indicator(values: np.ndarray, name: Any) -> np.ndarray:
    """Convert an indicator of events, of bools or 0 and 1, to bools.

    `name` is that of the column, None for values by id.
    """
    is_event = values == 1
    other = ~(is_event | (values == 0))
    if other.any():
        where = "by id" if name is None else repr(name)
        raise ValueError(
            f"The events ({where}) are neither true/false nor 1/0 in {other.sum()} of "
            f"{len(values)} values; the first is {show(values[other][0])}. Convert them"
            f"{_comparison(values[other], name)}, and fill missing values with False where no "
            "event was recorded."
        )
    return is_event.astype(bool)


def _comparison(values: np.ndarray, name: Any) -> str:
    """Propose how to convert a column of several texts: true where it is the rarest."""
    texts = [value for value in values if isinstance(value, str)]
    if name is None or len(set(texts)) < 2:
        return ""
    return f", such as with X[{name!r}] == {min(texts, key=texts.count)!r}"
