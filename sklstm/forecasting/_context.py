"""Join new rows with the remembered rows of fit and with rows known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sklstm._panel.frames import COPY_ON_WRITE
from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.rows import SeriesRows, join_context, sorting_order
from sklstm._panel.show import show, show_ids
from sklstm._panel.torn import warn_of_torn_series


@dataclass(frozen=True, eq=False)
class FittedContext:
    """Hold the last rows of each fitted series.

    Attributes
    ----------
    table : DataFrame
        Sorted by series and time.
    rows : SeriesRows
        Index of the table.
    n_dropped : ndarray of shape (n_series,)
        Number of earlier rows that are not kept.
    """

    table: pd.DataFrame
    rows: SeriesRows
    n_dropped: np.ndarray

    @classmethod
    def keep(cls, table, rows: SeriesRows, n_rows):
        """Keep the last `n_rows` rows of each series."""
        kept = rows.tail(n_rows)
        n_dropped = np.maximum(rows.sizes - n_rows, 0)
        if COPY_ON_WRITE and np.array_equal(kept, np.arange(len(table))):
            return cls(table.copy(deep=False), rows.take(kept), n_dropped)
        return cls(table.iloc[kept], rows.take(kept), n_dropped)


def check_later(rows: SeriesRows, context: SeriesRows):
    """Raise ValueError unless rows of fitted series, at least one, are later than those of fit."""
    fitted = rows.ids.isin(context.ids)
    if not fitted.any():
        raise ValueError(
            "No series of X was seen in fit. Forecast them, and compare with a metric of "
            "sklstm.metrics."
        )
    if rows.time is None:
        return
    early = fitted[rows.codes] & ~rows.continues(context.ids, context.last_times)
    if early.any():
        series = np.unique(rows.codes[early])
        raise ValueError(
            f"score takes rows that come after those of fit, but {len(series)} series of X have "
            f"earlier ones, the first is {show(rows.ids[series[0]])}. Pass only the later rows."
        )


def check_series(future_rows: SeriesRows, ids: pd.Index):
    """Raise ValueError if a series to forecast has no rows in `future`."""
    missing = ids.difference(future_rows.ids, sort=False)
    if len(missing):
        raise ValueError(
            f"future has no rows of {len(missing)} of {len(ids)} series: [{show_ids(missing)}]. It "
            f"has those of [{show_ids(future_rows.ids)}]. Add the missing rows; ids must be equal "
            "in spelling and type."
        )


def check_known_values(future, rows: SeriesRows, columns, ids, stamps):
    """Raise ValueError if columns known beforehand have missing or infinite values in `future`.

    Parameters
    ----------
    future : DataFrame of shape (n_rows, n_columns)
    rows : SeriesRows
        Index of `future`.
    columns : list
        Names of the columns known beforehand.
    ids : pandas.Index
        The series to forecast. Rows of other series are not checked.
    stamps : pandas.Index of shape (n_rows,) or None
        Time of each row, if it is known.
    """
    values = future[columns].to_numpy(dtype=float, na_value=np.nan)
    is_forecast = rows.ids.isin(ids)[rows.codes, np.newaxis]
    for kind, found, remedy in (
        ("missing", np.isnan(values) & is_forecast, "Fill them in."),
        ("infinite", np.isinf(values) & is_forecast, "Replace them by finite ones."),
    ):
        if not found.any():
            continue
        columns = [columns[i] for i in np.flatnonzero(found.any(axis=0))]
        in_rows = np.flatnonzero(found.any(axis=1))
        first = in_rows[0]
        time = f"row {first} of the table" if stamps is None else show(stamps[first])
        raise ValueError(
            f"future has {kind} values in {columns} in {len(in_rows)} rows, the first of series "
            f"{show(rows.ids[rows.codes[first]])} at {time}. {remedy}"
        )


@dataclass(frozen=True, eq=False)
class JoinedRows:
    """Hold context, given rows and future rows, in this order, as one table.

    Rows that continue a fitted series are a part of their own, together with its context: see
    :func:`sklstm._panel.rows.join_context`. So each given series has one part or two.

    Attributes
    ----------
    table : DataFrame
    rows : SeriesRows
        Index of the table by part. The ids are those of the given series, repeated for the
        continuing parts if there are any.
    given : slice
        Positions of the given rows in the table.
    last_parts : ndarray of shape (n_series,)
        Number of the part that holds the last given row of each series.
    last_rows : ndarray of shape (n_series,)
        Position of that row in the table.
    """

    table: pd.DataFrame
    rows: SeriesRows
    given: slice
    last_parts: np.ndarray
    last_rows: np.ndarray

    @classmethod
    def join(cls, table, rows: SeriesRows, context: FittedContext | None):
        """Put the context, if there is one, before the rows that continue a fitted series."""
        n_series, n_context = len(rows.ids), 0
        if context is not None and rows.time is not None:
            warn_of_retyped_ids(context.rows.ids, rows.ids)
            warn_of_torn_series(context.rows, rows)
            rows, chosen = join_context(context.rows, rows)
            n_context = len(chosen)
            if n_context:
                table = pd.concat([context.table.iloc[chosen], table])
        parts = np.arange(n_series)
        if n_context:
            parts += n_series * (rows.sizes[n_series:] > 0)
        last_rows = rows.sorting[rows.bounds[1:][parts] - 1]
        return cls(table, rows, slice(n_context, len(table)), parts, last_rows)

    def with_future(self, future, future_rows: SeriesRows | None, unknown_names) -> JoinedRows:
        """Append the rows at which other rows may look ahead.

        These are the rows of `future`, which belong to the part that holds the last row of their
        series. Rows that do not continue a fitted series also look ahead at the rows beside them
        that do, and at the rows of `future`. Only the columns known beforehand are appended.

        Parameters
        ----------
        future : DataFrame or None
            Rows of other series are left out.
        future_rows : SeriesRows or None
            Index of `future`.
        unknown_names : list
            Names of the columns that are not known beforehand.
        """
        tables, codes, times = [self.table], [self.rows.codes], [self.rows.time]

        def append(table, rows, chosen, parts):
            if len(chosen) == 0:
                return
            tables.append(table.iloc[chosen].drop(columns=unknown_names, errors="ignore"))
            codes.append(parts)
            times.append(None if rows.time is None else rows.time[chosen])

        n_series, split = len(self.last_parts), self._split_series()
        if split.any():
            series = self.rows.codes[self.given] - n_series
            later = np.flatnonzero((series >= 0) & split[series])
            append(self.table, self.rows, self.given.start + later, series[later])
        if future_rows is not None:
            series = self.rows.ids[:n_series].get_indexer(future_rows.ids)[future_rows.codes]
            known = np.flatnonzero(series >= 0)
            both = known[split[series[known]]]
            append(future, future_rows, known, self.last_parts[series[known]])
            append(future, future_rows, both, series[both])
        all_codes = np.concatenate(codes).astype(np.int32)
        time = None if self.rows.time is None else np.concatenate(times)
        order = sorting_order(all_codes, time, self.rows.ids)
        rows = SeriesRows(all_codes, self.rows.ids, time, self.rows.time_kind, order)
        return replace(self, table=pd.concat(tables), rows=rows)

    def blocks_to_forecast(
        self, n_rows: int
    ) -> Iterator[tuple[pd.DataFrame, SeriesRows, np.ndarray]]:
        """Yield the parts that hold the last given rows, some series at a time.

        Parameters
        ----------
        n_rows : int
            A block ends with the series that reaches this number of rows.

        Yields
        ------
        table : DataFrame
            Sorted by series and time.
        rows : SeriesRows
            Index of the table, by series.
        last_rows : ndarray of shape (n_block_series,)
            Position of the last given row of each series in the table.
        """
        parts, bounds, order = self.last_parts, self.rows.bounds, self.rows.order
        sizes = np.diff(bounds)[parts]
        last = self.rows.unsort(np.arange(len(self.rows)))[self.last_rows] - bounds[parts]
        n_before = np.cumsum(sizes) - sizes
        ends = 1 + np.flatnonzero(np.diff(n_before // n_rows))
        for block in np.split(np.arange(len(parts)), ends):
            first = n_before[block] - n_before[block[0]]
            codes = np.arange(len(block), dtype=np.int32).repeat(sizes[block])
            chosen = np.arange(len(codes)) + (bounds[parts[block]] - first)[codes]
            if order is not None:
                chosen = order[chosen]
            time = None if self.rows.time is None else self.rows.time[chosen]
            rows = SeriesRows(codes, self.rows.ids[parts[block]], time, self.rows.time_kind)
            yield self.table.iloc[chosen], rows, first + last[block]

    def _split_series(self):
        """Mark the series of two parts: some given rows continue a fitted series, others do not."""
        n_series = len(self.last_parts)
        return (self.last_parts >= n_series) & (self.rows.sizes[:n_series] > 0)


def check_after(joined: JoinedRows, rows: SeriesRows, stamps):
    """Raise ValueError if rows of `future` are not later than the last row of their series.

    Parameters
    ----------
    joined : JoinedRows
        The rows that are forecast from.
    rows : SeriesRows
        Index of `future`.
    stamps : pandas.Index of shape (n_rows,) or None
        Time of each row of `future`, if it is known.
    """
    if stamps is None:
        return
    series = joined.rows.ids[: len(joined.last_rows)].get_indexer(rows.ids)[rows.codes]
    early = (series >= 0) & (rows.time <= joined.rows.time[joined.last_rows][series])
    if early.any():
        first = np.flatnonzero(early)[0]
        raise ValueError(
            f"future has {early.sum()} rows that are not later than the last row of their series, "
            f"the first of series {show(rows.ids[rows.codes[first]])} at {show(stamps[first])}. "
            "Expected only the next rows of each series: remove the earlier ones, or check the "
            "dates."
        )
