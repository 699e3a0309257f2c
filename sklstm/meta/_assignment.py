"""Assign series to the members of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklstm._panel.by_id import look_up, series_by_id
from sklstm._panel.rows import SeriesRows


@dataclass(frozen=True, eq=False)
class Assignment:
    """Hold the series of each member.

    Attributes
    ----------
    draws : ndarray of shape (n_series, n_members)
        How often each member is trained on each series.
    labels : pandas.Index of shape (n_members,)
        Names of the members.
    features : DataFrame of shape (n_series, n_features) or None
        Features of the series, if they are assigned by clusters.
    clusterer : Pipeline or None
        Assigns features to a member, if series are assigned by clusters.
    """

    draws: np.ndarray
    labels: pd.Index
    features: pd.DataFrame | None = None
    clusterer: Pipeline | None = None


def usable_series(rows: SeriesRows, y, weights) -> np.ndarray:
    """Mark the series that have a known target of positive weight.

    Parameters
    ----------
    rows : SeriesRows
    y : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,)

    Returns
    -------
    ndarray of shape (n_series,)
        A mask.
    """
    known = (weights > 0) & ~np.isnan(y).all(axis=1)
    return np.bincount(rows.codes[known], minlength=len(rows.ids)) > 0


def draw_bootstrap(n_series: int, n_members: int, random) -> np.ndarray:
    """Draw `n_series` series for each member, with replacement.

    Parameters
    ----------
    n_series, n_members : int
    random : RandomState

    Returns
    -------
    ndarray of shape (n_series, n_members)
        How often each member drew each series.
    """
    drawn = random.randint(n_series, size=(n_members, n_series))
    return np.stack([np.bincount(one, minlength=n_series) for one in drawn], axis=1)


def partition_series(n_series: int, n_members: int, random) -> np.ndarray:
    """Partition series at random into sets whose sizes differ by at most one.

    Parameters
    ----------
    n_series, n_members : int
    random : RandomState

    Returns
    -------
    ndarray of shape (n_series,)
        The member of each series.
    """
    member = np.empty(n_series, np.intp)
    member[random.permutation(n_series)] = np.arange(n_series) % n_members
    return member


def one_member_each(member, n_members: int) -> np.ndarray:
    """Convert the member of each series to draws of shape (n_series, n_members)."""
    return member[:, np.newaxis] == np.arange(n_members)


def assign_labels(assign, ids) -> Assignment:
    """Assign each series to the member of its label.

    Parameters
    ----------
    assign : dict or Series
        Label by id.
    ids : pandas.Index of shape (n_series,)

    Returns
    -------
    Assignment

    Raises
    ------
    ValueError
        If a series has no label.
    """
    labels = look_up(series_by_id(assign, "assign"), ids, "assign", "Give every series a label.")
    codes, names = pd.factorize(labels)
    return Assignment(one_member_each(codes, len(names)), pd.Index(names))


def check_n_series(kind: str, n_series: int, n_members: int, n_rows: int) -> None:
    """Raise an error if there are too few series for the kind of assignment.

    Parameters
    ----------
    kind : {"bootstrap", "partition", "cluster", "all"}
    n_series : int
        Number of series with a known target.
    n_members, n_rows : int
    """
    if n_series < 2 and kind != "all":
        raise ValueError(
            f"assign={kind!r} needs at least two series with a known target, got {n_series} "
            f"(n_samples={n_rows}). Name the ids with series=, pass series_ids, or choose "
            "assign='all'."
        )
    if n_series < n_members and kind in ("partition", "cluster"):
        raise ValueError(
            f"assign={kind!r} trains every member on series of its own, but there are {n_series} "
            f"series with a known target for n_estimators={n_members} (n_samples={n_rows}). Choose "
            "fewer members, or assign='bootstrap'."
        )
