"""Cluster series by features of their history.

The features at a row do not change when later rows are added. Each series is therefore followed
through a `SeriesHistory`, in the order in which its rows become known.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm._panel.arrays import as_slice
from sklstm._panel.rows import SeriesRows
from sklstm._panel.statistics import Moments, expanding_blocks
from sklstm._panel.windows import Windows

# ----------------------------------------------------------------------------- histories


@dataclass(frozen=True, eq=False)
class SeriesHistory:
    """Hold the known values of each series, in the order in which they become known.

    Attributes
    ----------
    values : ndarray of shape (n_entries, 2 * n_features)
        The features, and the absolute change of each feature since the previous row. NaN where
        missing, such as the change at the first row of a series.
    entries : SeriesRows of n_entries rows
        Index of the entries, which are sorted by series and time.
    last_entry : ndarray of shape (n_rows,)
        Position of the last entry that is known at each row.
    """

    values: np.ndarray
    entries: SeriesRows
    last_entry: np.ndarray


def history_of_table(values, rows: SeriesRows) -> SeriesHistory:
    """Make a history with one entry per row of a table.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
    rows : SeriesRows

    Returns
    -------
    SeriesHistory
    """
    values = rows.sort(values)
    changes = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    changes[rows.run_starts()] = np.nan
    entries = SeriesRows(rows.sort(rows.codes), rows.ids)
    return SeriesHistory(np.hstack([values, changes]), entries, rows.unsort(np.arange(len(rows))))


def history_of_windows(windows: Windows, positions) -> SeriesHistory:
    """Make a history of the rows in the windows of each series.

    Each window adds the rows that earlier windows of its series do not contain. A change is known
    if the window contains both of its rows.

    Parameters
    ----------
    windows : Windows
    positions : list of int
        Positions of the features.

    Returns
    -------
    SeriesHistory
    """
    rows = windows.series_rows
    ends, observed = rows.sort(windows.ends).astype(np.intp), rows.sort(windows.n_observed)
    starts, codes = rows.run_starts(), rows.sort(rows.codes)
    # Rows of a window that are later than the last row of the previous window.
    later = -(-np.diff(ends, prepend=0) // windows.spacing)
    later[starts] = observed[starts]
    n_new = np.minimum(later, observed)
    last = np.cumsum(n_new) - 1  # last entry of each window, also of one without new rows
    back = last.repeat(n_new) - np.arange(n_new.sum())
    all_rows = windows.rows[:, as_slice(positions)]
    at = ends.repeat(n_new) - windows.spacing * back
    values = all_rows[at]
    changes = np.abs(values - all_rows[np.maximum(at - windows.spacing, 0)])
    changes[back + 1 >= observed.repeat(n_new)] = np.nan
    entries = SeriesRows(codes.repeat(n_new), rows.ids)
    return SeriesHistory(np.hstack([values, changes]), entries, rows.unsort(last))


# ------------------------------------------------------------------------------ features


def features_of_moments(count, center, scale) -> np.ndarray:
    """Compute mean, deviation and mean absolute change of each feature.

    Parameters
    ----------
    count, center, scale : ndarray of shape (2 * n_features, n_groups)
        Moments of the values of a `SeriesHistory`; `count` may be of shape (n_groups,).

    Returns
    -------
    ndarray of shape (n_groups, 3 * n_features)
        NaN where too few values are known.
    """
    (n_values, n_changes), (mean, change) = (
        np.split(np.broadcast_to(array, center.shape), 2) for array in (count, center)
    )
    deviation = scale[: len(mean)]
    parts = (n_values > 0, mean), (n_values > 1, deviation), (n_changes > 0, change)
    return np.concatenate([np.where(known, part, np.nan) for known, part in parts]).T


def features_of_series(history: SeriesHistory) -> np.ndarray:
    """Compute the features of each series over its whole history.

    Parameters
    ----------
    history : SeriesHistory

    Returns
    -------
    ndarray of shape (n_series, 3 * n_features)
    """
    entries = history.entries
    moments = Moments.compute(history.values, entries.codes, len(entries.ids))
    return features_of_moments(moments.count.T, *(part.T for part in moments.center_scale()))


def name_features(features, ids, names) -> pd.DataFrame:
    """Return the features of series as a DataFrame with their names and ids."""
    kinds = ("mean", "deviation", "step")
    columns = [f"{kind}_{name}" for kind in kinds for name in names]
    return pd.DataFrame(features, index=ids.rename("series"), columns=columns)


# ------------------------------------------------------------------------------ clusters


def fit_clusterer(features, n_clusters: int, random) -> tuple[Pipeline, np.ndarray]:
    """Fit k-means to the features of series.

    Parameters
    ----------
    features : ndarray of shape (n_series, n_features)
    n_clusters : int
    random : RandomState

    Returns
    -------
    clusterer : Pipeline
        Mean imputation, `StandardScaler` and `KMeans`.
    clusters : ndarray of shape (n_series,)

    Raises
    ------
    ValueError
        If there are fewer than `n_clusters` distinct clusters.
    """
    from sklearn.cluster import KMeans  # a tenth of a second, which only clusters need

    clusterer = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        KMeans(n_clusters, n_init=10, random_state=random),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # raised as an error below
        clusters = clusterer.fit_predict(features)
    n_found = len(np.unique(clusters))
    if n_found < n_clusters:
        raise ValueError(
            f"The {len(features)} series make {n_found} distinct clusters, but n_estimators="
            f"{n_clusters}: too many series have equal features. Choose fewer members, or other "
            "columns."
        )
    return clusterer, clusters


def cluster_rows(clusterer: Pipeline, history: SeriesHistory, chosen) -> np.ndarray:
    """Assign rows to clusters by the features of their series up to and including each row.

    Parameters
    ----------
    clusterer : Pipeline
        As returned by `fit_clusterer`.
    history : SeriesHistory
    chosen : ndarray of shape (n_series,)
        Mask of the series to assign.

    Returns
    -------
    ndarray of shape (n_rows,)
        The cluster at each row; -1 for rows of other series.
    """
    codes = history.entries.codes
    clusters = np.full(len(codes), -1, np.intp)
    entries = np.flatnonzero(chosen[codes])
    values, rows = history.values[entries], SeriesRows(codes[entries], history.entries.ids)
    starts = rows.run_starts()
    past = Moments(*np.zeros((3, len(starts), values.shape[1])))
    for at, _, *moments in expanding_blocks(past, values, starts):
        clusters[entries[at]] = clusterer.predict(features_of_moments(*moments))
    return clusters[history.last_entry]
