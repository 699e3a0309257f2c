"""Detect series that lost rows in fit."""

from __future__ import annotations

import numpy as np

from sklstm._panel.rows import SeriesRows
from sklstm._panel.show import show
from sklstm._panel.user_warnings import warn_user

# Rows that fit did not see are late readings if they are few, and a torn series otherwise.
MAX_LATE_SHARE = 0.05
MAX_NAMED = 5


def warn_of_torn_series(context: SeriesRows, rows: SeriesRows) -> None:
    """Warn if rows lie inside the span of fitted series and fit did not see them.

    Such rows mean that the series were torn: rows were removed from them before `fit`, as shuffled
    splits and samplers do. The windows of the other rows then have holes, and rows held out by
    such a split have neighbours in training. A single row, and up to 5 % of the passed rows of the
    span, count as late readings, of which there is no warning.

    Parameters
    ----------
    context : SeriesRows
        The last rows of each fitted series, with their times, sorted. Only the span that they cover
        can be checked.
    rows : SeriesRows
        Rows of fitted and other series.
    """
    inside = _rows_inside(context, rows)
    if len(inside) == 0:
        return
    unseen = inside[~_is_known(context, rows, inside)]
    if len(unseen) <= max(1, MAX_LATE_SHARE * len(inside)):
        return
    torn = rows.ids[np.unique(rows.codes[unseen])].tolist()
    shown = ", ".join(map(show, torn[:MAX_NAMED]))
    more = f" and {len(torn) - MAX_NAMED} more" if len(torn) > MAX_NAMED else ""
    warn_user(
        f"{len(unseen)} rows of {len(torn)} series ({shown}{more}) fall between rows used in fit. "
        "Splits and samplers that choose single rows (train_test_split, KFold with shuffle=True, "
        "BaggingRegressor) tear series apart: windows have holes, and scores are too optimistic. "
        "Choose whole series (GroupKFold, SeriesEnsembleRegressor) or split in time "
        "(PerSeriesTimeSplit). If these rows are readings that came late, fit again to include "
        "them."
    )


def _rows_inside(context: SeriesRows, rows: SeriesRows) -> np.ndarray:
    """Find the rows later than the first remembered row of their series, up to the last one."""
    if rows.time is None or context.time is None:
        return np.empty(0, np.intp)
    numbers = context.ids.get_indexer(rows.ids)
    first, last = context.time[context.bounds[:-1]], context.last_times
    inside = rows.time > first[numbers][rows.codes]
    inside &= rows.time <= last[numbers][rows.codes]
    inside &= (numbers >= 0)[rows.codes]
    return np.flatnonzero(inside)


def _is_known(context: SeriesRows, rows: SeriesRows, inside: np.ndarray) -> np.ndarray:
    """Mark the rows at positions `inside` whose time is that of a remembered row."""
    codes = context.ids.get_indexer(rows.ids)[rows.codes[inside]]
    is_passed = np.zeros(len(context.ids), bool)
    is_passed[codes] = True
    kept = np.flatnonzero(is_passed[context.codes])
    # Mostly the fitted rows are passed again: then there is no need to sort them together.
    later = kept[kept != context.bounds[context.codes[kept]]]
    if np.array_equal(context.codes[later], codes) and np.array_equal(
        context.time[later], rows.time[inside]
    ):
        return np.ones(len(inside), bool)
    all_codes = np.concatenate([context.codes[kept], codes])
    time = np.concatenate([context.time[kept], rows.time[inside]])
    # lexsort is stable: a remembered row stands before the passed row of the same time.
    order = np.lexsort((time, all_codes))
    same = (np.diff(all_codes[order]) == 0) & (np.diff(time[order]) == 0)
    known = np.zeros(len(order), bool)
    known[order[1:][same]] = True
    return known[len(kept) :]
