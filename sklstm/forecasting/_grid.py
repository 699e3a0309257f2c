"""Place the rows of a panel on a regular grid in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from sklstm._panel.frequency import Frequency, fill_gaps
from sklstm._panel.rows import SeriesRows, position_dtype
from sklstm._panel.show import show

# Number of series in a message.
MAX_NAMED = 3


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
    stamps : pandas.Index of shape (n_given,) or None
        Time of each of these rows, if it is known.
    frequency : Frequency or None
        The time step, if the time is known.
    """

    rows: SeriesRows
    values: np.ndarray
    past: np.ndarray
    future: np.ndarray
    positions: np.ndarray
    stamps: pd.Index | None = None
    frequency: Frequency | None = None

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
        positions = rows.unsort(positions.astype(position_dtype(len(codes)), copy=False))

        def place(columns):
            placed = np.full((len(codes), len(columns)), np.nan)
            if columns:
                placed[positions] = _check_numbers(table.iloc[:, columns])
            return placed

        grid_rows = SeriesRows(codes, rows.ids)
        values, known = (place(target), place(past), place(future)), (stamps, frequency)
        return cls(grid_rows, *values, positions, *known)

    def __len__(self):
        return len(self.rows)

    def starts(self, rows=slice(None)) -> np.ndarray:
        """Return the position of the first row of the series of each chosen row."""
        return self._bounds[self.rows.codes[rows]]

    def stops(self, rows=slice(None)) -> np.ndarray:
        """Return one past the position of the last row of the series of each chosen row."""
        return self._bounds[self.rows.codes[rows] + 1]

    @cached_property
    def _bounds(self) -> np.ndarray:
        return self.rows.bounds.astype(position_dtype(len(self)))

    @property
    def covariates(self) -> np.ndarray:
        """Past covariates, then columns known beforehand."""
        return np.concatenate([self.past, self.future], axis=1)

    def check_future(self, positions, horizon, names):
        """Raise ValueError if a series ends less than `horizon` steps after some positions."""
        lacking = positions[positions + horizon >= self.stops(positions)]
        if len(lacking) == 0:
            return
        # The last one of each series needs the latest rows.
        latest = dict(zip(self.rows.codes[lacking], np.sort(lacking), strict=True))
        shown = [
            f"{show(self.rows.ids[code])} (known up to {self.show_time(self.stops(position) - 1)}, "
            f"needed up to {self.show_time(position, horizon)})"
            for code, position in islice(latest.items(), MAX_NAMED)
        ]
        more = ["..."] if len(latest) > MAX_NAMED else []
        raise ValueError(
            f"The columns {names} must be known for the {horizon} steps after each row that is "
            f"forecast from. They end too early in {len(latest)} series: "
            f"{', '.join([*shown, *more])}. Pass the missing rows as future=. When "
            "scoring, add them to X."
        )

    def unknown_steps(self, positions, horizon) -> np.ndarray:
        """Find the steps ahead of some positions at which a column known beforehand is missing.

        Parameters
        ----------
        positions : ndarray
            No series ends less than `horizon` steps after one of them.
        horizon : int

        Returns
        -------
        ndarray
            Grid positions.
        """
        edges = np.bincount(positions + 1, minlength=len(self) + 1)
        edges -= np.bincount(positions + horizon + 1, minlength=len(self) + 1)
        is_ahead = np.cumsum(edges)[:-1] > 0
        return np.flatnonzero(is_ahead & np.isnan(self.future).any(axis=1))

    def show_time(self, position, n_steps=0) -> str:
        """Show the time some steps after a grid position, or the number of the row."""
        if self.stamps is None:
            return f"row {position + n_steps - self.starts(position)}"
        given = np.argmax(np.where(self.positions <= position, self.positions, -1))
        n_steps += position - self.positions[given]
        stamp = self.stamps[[given]]
        if n_steps and self.frequency is not None:
            stamp = self.frequency.after(stamp, n_steps)
        return show(stamp[-1])


def _check_numbers(columns):
    return check_array(columns, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X")
