"""What tells series apart: features of each, over all its rows or over those up to a row.

A feature must be the same number whether later rows are there or not. So each series is
followed through a :class:`Course`, in the order in which its rows come to be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklstm._panel.read import as_slice
from sklstm._panel.rows import run_starts, take_rows
from sklstm._panel.statistics import Moments, expanding_blocks


@dataclass(frozen=True, eq=False)
class Course:
    """What is known of each series, in the order in which it came to be known.

    Attributes
    ----------
    values : ndarray of shape (n_entries, 2 * n_features)
        Sorted by series and time: the features, and the size of their step from the row
        before. NaN where missing, such as the first step of a series.
    codes : ndarray of shape (n_entries,)
        Number of each entry's series.
    at : ndarray of shape (n_rows,)
        The last entry that is known at each row.
    """

    values: np.ndarray
    codes: np.ndarray
    at: np.ndarray


def course_of_table(values, codes, order):
    """Follow the rows of a table: one entry a row.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows,)
        Number of each row's series.
    order : ndarray of shape (n_rows,)
        Positions that sort the rows by series and time.

    Returns
    -------
    Course
    """
    at = np.empty(len(order), np.intp)
    at[order] = np.arange(len(order))
    codes = codes[order]
    values = take_rows(values, order)
    steps = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    steps[run_starts(codes)] = np.nan
    return Course(np.hstack([values, steps]), codes, at)


def course_of_windows(windows, codes, positions):
    """Follow the rows in the windows of each series: a window adds what those before had not.

    A step counts where a window holds both its rows.

    Parameters
    ----------
    windows : Windows
    codes : ndarray of shape (n_windows,)
        Number of each window's series.
    positions : list of int
        The features to follow.

    Returns
    -------
    Course
    """
    order = np.lexsort((windows.ends, codes))
    ends, observed = windows.ends[order].astype(np.intp), windows.n_observed[order]
    starts = run_starts(codes[order])
    # Rows that a window holds behind the last row of the window before it.
    newer = -(-np.diff(ends, prepend=0) // windows.spacing)
    newer[starts] = observed[starts]
    n_new = np.minimum(newer, observed)
    last = np.cumsum(n_new) - 1  # last entry of each window, and of those that add none
    back = last.repeat(n_new) - np.arange(n_new.sum())
    rows = windows.rows[:, as_slice(positions)]
    entries = ends.repeat(n_new) - windows.spacing * back
    before = np.maximum(entries - windows.spacing, 0)
    values = rows[entries]
    steps = np.abs(values - rows[before])
    steps[back + 1 >= observed.repeat(n_new)] = np.nan
    at = np.empty(len(order), np.intp)
    at[order] = last
    return Course(np.hstack([values, steps]), codes[order].repeat(n_new), at)


def features_of_series(count, center, scale):
    """Mean, deviation and mean step of each feature; NaN where too little is known.

    Parameters
    ----------
    count, center, scale : ndarray of shape (2 * n_features, n_groups)
        Moments of the values and steps of a :class:`Course`; `count` may be of shape
        (n_groups,).

    Returns
    -------
    ndarray of shape (n_groups, 3 * n_features)
    """
    (n_values, n_steps), (mean, step) = (
        np.split(np.broadcast_to(array, center.shape), 2) for array in (count, center)
    )
    deviation = scale[: len(mean)]
    parts = (n_values > 0, mean), (n_values > 1, deviation), (n_steps > 0, step)
    return np.concatenate([np.where(known, part, np.nan) for known, part in parts]).T


def whole_features(course, n_series):
    """Features of each series over its whole course, shape (n_series, 3 * n_features)."""
    moments = Moments.compute(course.values, course.codes, n_series)
    return features_of_series(moments.count.T, *(part.T for part in moments.center_scale()))


def cluster_so_far(clusterer, values, codes):
    """Cluster at each entry of a course, by the features of its series up to that entry."""
    starts = run_starts(codes)
    past = Moments(*np.zeros((3, len(starts), values.shape[1])))
    clusters = np.empty(len(codes), np.intp)
    for at, _, *moments in expanding_blocks(past, values, starts):
        clusters[at] = clusterer.predict(features_of_series(*moments))
    return clusters
