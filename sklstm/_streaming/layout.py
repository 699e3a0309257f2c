"""Divide the rows of a stored panel into blocks of whole series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.pickles import PlainIds
from sklstm._panel.rows import encode_ids
from sklstm._panel.show import describe_missing, show


@dataclass(frozen=True, eq=False)
class BlockLayout(PlainIds):
    """Hold the series of a stored panel, and the blocks in which it is read.

    Attributes
    ----------
    ids : pandas.Index of shape (n_series,)
        In order of first appearance.
    sizes : ndarray of shape (n_series,)
        Number of rows of each series.
    bounds : ndarray of shape (n_blocks + 1,)
        The rows at which the blocks start and end.
    """

    ids: pd.Index
    sizes: np.ndarray
    bounds: np.ndarray

    @classmethod
    def find(cls, ids_by_part: Iterable[Any], series: str, block_rows: int) -> BlockLayout:
        """Find blocks of about `block_rows` rows in which every series is whole.

        Parameters
        ----------
        ids_by_part : iterable of array-like
            Ids of the rows, part by part.
        series : str
            Name of the ids, for messages.
        block_rows : int

        Raises
        ------
        ValueError
            If an id is missing, or if the rows of several series lie between each other over more
            than `block_rows` rows.
        """
        ids, sizes, first, last = _spans(ids_by_part, series)
        cuts = _cuts(first, last)
        _check_segments(cuts, ids, first, series, block_rows)
        return cls(ids, sizes, _block_bounds(cuts, block_rows))


def check_no_missing_ids(values: pd.Series, first_row: int, series: str) -> None:
    """Raise ValueError if an id of a part is missing; `first_row` is the number of its first row.

    The rows are those of the panel as far as it was read.
    """
    missing = np.flatnonzero(values.isna())
    if len(missing):
        n_rows = first_row + len(values)
        raise ValueError(describe_missing("series id", first_row + missing, n_rows, series))


def _spans(ids_by_part, series):
    """Find the ids, the number of rows, the first and the last row of each series."""
    found, n_rows = [], 0
    for values in ids_by_part:
        check_no_missing_ids(values, n_rows, series)
        codes, ids = encode_ids(values, len(values))
        rows = np.arange(n_rows, n_rows + len(codes))
        first, last = np.empty((2, len(ids)), np.int64)
        first[codes[::-1]], last[codes] = rows[::-1], rows
        found.append((ids, np.bincount(codes, minlength=len(ids)), first, last))
        n_rows += len(codes)
    all_ids, sizes, firsts, lasts = zip(*found, strict=True)
    codes, unique = pd.factorize(all_ids[0].append(list(all_ids[1:])))
    totals = np.bincount(codes, weights=np.concatenate(sizes), minlength=len(unique))
    starts, ends = np.empty((2, len(unique)), np.int64)
    # Parts are in order: the first part that holds a series holds its first row.
    starts[codes[::-1]], ends[codes] = np.concatenate(firsts)[::-1], np.concatenate(lasts)
    return pd.Index(unique), totals.astype(np.int64), starts, ends


def _cuts(first, last) -> np.ndarray:
    """Find all rows before which no series has begun without having ended."""
    reached = np.maximum.accumulate(last)  # ids are in the order of their first rows
    inner = first[1:][first[1:] > reached[:-1]]
    return np.concatenate([[0], inner, reached[-1:] + 1])


def _check_segments(cuts, ids, first, series, block_rows) -> None:
    """Check that no more than one series lies in a segment that is longer than a block."""
    n_series = np.diff(np.searchsorted(first, cuts))
    torn = (np.diff(cuts) > block_rows) & (n_series > 1)
    if torn.any():
        at = int(np.argmax(torn))
        example = show(ids[np.searchsorted(first, cuts[at])])
        raise ValueError(
            f"The rows of {n_series[at]} series ({series}={example} is the first) are interleaved "
            f"in rows {cuts[at]} to {cuts[at + 1] - 1}, and a block of whole series may have at "
            f"most {block_rows} rows (block_rows). Put the rows of each series together with "
            "PanelDataset.repartition, or raise block_rows."
        )


def _block_bounds(cuts, block_rows) -> np.ndarray:
    """Join neighbouring segments to blocks of at most `block_rows` rows, or of one segment."""
    bounds = [0]
    while bounds[-1] < cuts[-1]:
        at = np.searchsorted(cuts, bounds[-1] + block_rows, side="right") - 1
        if cuts[at] == bounds[-1]:
            at += 1  # one series of more rows
        bounds.append(int(cuts[at]))
    return np.asarray(bounds)
