"""Place the rows of a panel on a regular grid in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.utils.validation import check_array

from sklstm._panel.frequency import fill_gaps
from sklstm._panel.rows import SeriesRows


@dataclass(frozen=True, eq=False)
class RegularGrid:
    """Hold the rows of many series with every missing time step filled in.

    Attributes
    ----------
    rows : SeriesRows
        Index of the grid's rows. They are sorted by series and time.
    values : ndarray of shape (n_rows, n_targets)
        Targets, NaN where they are missing.
    past, future : ndarray of shape (n_rows, n_columns)
        Past covariates, and columns known beforehand.
    positions : ndarray of shape (n_given,)
        Grid position of each row of the table that was read.
    """

    rows: SeriesRows
    values: np.ndarray
    past: np.ndarray
    future: np.ndarray
    positions: np.ndarray

    @classmethod
    def read(cls, table, rows: SeriesRows, *, target, past, future, stamps=None, frequency=None):
        """Place the rows of a table on a grid.

        Parameters
        ----------
        table : DataFrame of shape (n_given, n_columns)
        rows : SeriesRows
            Index of the table's rows.
        target, past, future : list of int
            Positions of columns.
        stamps : pandas.Index of shape (n_given,), default=None
            Time of each row. None: no time step is missing.
        frequency : Frequency, default=None
            Needed with `stamps`.
        """
        positions, codes = np.arange(len(rows)), rows.sort(rows.codes)
        if stamps is not None:
            steps = frequency.numbers(stamps[rows.sorting], rows.run_starts())
            positions, codes = fill_gaps(codes, steps)
        positions = rows.unsort(positions)

        def place(columns):
            placed = np.full((len(codes), len(columns)), np.nan)
            if columns:
                placed[positions] = _check_numbers(table.iloc[:, columns])
            return placed

        grid_rows = SeriesRows(codes, rows.ids)
        return cls(grid_rows, place(target), place(past), place(future), positions)

    def __len__(self):
        return len(self.rows)

    @cached_property
    def starts(self) -> np.ndarray:
        """Position of the first row of each row's series, shape (n_rows,)."""
        return self.rows.bounds[self.rows.codes]

    @cached_property
    def stops(self) -> np.ndarray:
        """One past the position of the last row of each row's series, shape (n_rows,)."""
        return self.rows.bounds[self.rows.codes + 1]

    @property
    def covariates(self) -> np.ndarray:
        """Past covariates, then columns known beforehand."""
        return np.concatenate([self.past, self.future], axis=1)

    def check_future(self, positions, horizon, names):
        """Raise ValueError if columns known beforehand lack values after some positions."""
        lacks = self.lacks_future(positions, horizon)
        if lacks.any():
            series = self.rows.ids[self.rows.codes[positions[lacks][0]]]
            raise ValueError(
                f"The columns {names} must be known for the {horizon} steps after each row that is "
                f"forecast from; they are not for {lacks.sum()} rows, the first of series "
                f"{series!r}. Pass them as future=."
            )

    def lacks_future(self, positions, horizon) -> np.ndarray:
        """Mark positions after which a column known beforehand has a missing value.

        The `horizon` rows after each position are checked. Rows after the end of a series count
        as missing.
        """
        end = positions + horizon + 1
        stop = self.stops[positions]
        n_missing = np.cumsum(np.isnan(self.future).any(axis=1))
        return (end > stop) | (n_missing[np.minimum(end, stop) - 1] > n_missing[positions])


def _check_numbers(columns):
    return check_array(columns, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X")
