"""Represent a stored panel that is larger than memory."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Integral
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, check_scalar

from sklstm._bar import follow
from sklstm._panel.show import did_you_mean
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.layout import BlockLayout
from sklstm._streaming.parts import concatenate_tables, find_parts
from sklstm._streaming.repartition import write_by_series

BLOCK_ROWS = 2**19


class PanelDataset(Blocks):
    """Represent a panel in Parquet files, of which one block of whole series is read at a time.

    It is passed as X and y to :class:`PerSeriesScaler`, :class:`PerSeriesImputer`,
    :class:`WindowTransformer`, :class:`MultiSeriesLSTMRegressor`,
    :class:`MultiSeriesLSTMClassifier` and :class:`MultiSeriesForecaster`, alone or in a pipeline,
    in place of a DataFrame: ``pipe.fit(panel.drop("y"), panel["y"])``. These estimators then work
    with bounded memory. See the guide to scaling.

    Parameters
    ----------
    source : path-like, list of path-like, pyarrow.dataset.Dataset or DataFrame
        A folder of Parquet files, also one partitioned by directories such as ``unit=7``; a file; a
        list of files; a dataset of pyarrow over Parquet files; or a DataFrame of Dask, of which
        each partition is read as a whole.
    series : str
        Name of the column of the series ids. Estimators that read the panel have the same
        `series`.
    block_rows : int, default=524288
        Number of rows that are read at once. A series with more rows is a block of its own.

    Attributes
    ----------
    columns : list of str
        Names of the columns.
    series_ids : pandas.Index
        Ids of the series, in order of first appearance.
    n_blocks : int
        Number of blocks.

    Raises
    ------
    ValueError
        If the rows of several series lie between each other over more than `block_rows` rows, as in
        files by date: no series is divided. See :meth:`repartition`.

    Notes
    -----
    The rows are in the order of the files' paths and of the rows in them. A series may continue in
    the next file. Creating the object reads the column of the ids once.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import PanelDataset
    >>> folder = Path(mkdtemp())
    >>> frame = pd.DataFrame({"unit": np.repeat(["a", "b", "c"], 4), "p": np.arange(12.0)})
    >>> frame.to_parquet(folder / "panel.parquet")
    >>> panel = PanelDataset(folder, series="unit", block_rows=8)
    >>> panel
    <PanelDataset of 12 rows, 2 columns, 3 series in 2 blocks>
    >>> panel["p"].block(1).tolist()
    [8.0, 9.0, 10.0, 11.0]
    """

    def __init__(self, source: Any, *, series: str, block_rows: int = BLOCK_ROWS) -> None:
        parts, columns = find_parts(source)
        if not parts:
            given = shorten(repr(source), 60)
            raise ValueError(f"{given} has no rows. Pass files that hold at least one row.")
        _check_series(series, columns)
        check_scalar(block_rows, "block_rows", Integral, min_val=1)
        self.series = series
        self._parts = parts
        self._part_bounds = np.append(0, np.cumsum([part.n_rows for part in parts]))
        self._selected: str | list[str] = columns
        ids = (part.read([series])[series] for part in parts)
        super().__init__(BlockLayout.find(ids, series, block_rows), self._read_block)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [self._selected] if isinstance(self._selected, str) else self._selected

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the panel, or of one column of it."""
        return (len(self),) if isinstance(self._selected, str) else (len(self), len(self.columns))

    def __repr__(self) -> str:
        return (
            f"<PanelDataset of {len(self)} rows, {len(self.columns)} columns, "
            f"{len(self.series_ids)} series in {self.n_blocks} blocks>"
        )

    def __getitem__(self, columns: str | Sequence[str]) -> PanelDataset:
        """Select a column, whose blocks are Series, or a list of columns."""
        if isinstance(columns, str):
            return self._select(self._known([columns])[0])
        return self._select(self._known(columns))

    def drop(self, columns: str | Sequence[str]) -> PanelDataset:
        """Leave columns out.

        Parameters
        ----------
        columns : str or list of str

        Returns
        -------
        PanelDataset
        """
        dropped = self._known([columns] if isinstance(columns, str) else columns)
        return self._select([name for name in self.columns if name not in dropped])

    def sample(
        self, n_series: int, *, random_state: int | np.random.RandomState | None = None
    ) -> Any:
        """Read the rows of series drawn at random.

        Parameters
        ----------
        n_series : int
            At most the number of all series.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        DataFrame, or Series for one column
        """
        n_all = len(self.series_ids)
        check_scalar(n_series, "n_series", Integral)
        if not 0 < n_series <= n_all:
            raise ValueError(f"n_series={n_series} is not between 1 and {n_all}, all series.")
        drawn = check_random_state(random_state).permutation(n_all)[:n_series]
        return self.take_series(np.sort(drawn))

    def take_series(self, positions: ArrayLike) -> Any:
        """Read the rows of chosen series.

        Parameters
        ----------
        positions : array-like of int
            Positions in `series_ids`, or a mask of them.

        Returns
        -------
        DataFrame, or Series for one column
            The rows in their order in the panel.
        """
        at = np.atleast_1d(np.asarray(positions))
        chosen = self.series_ids[at if len(at) else slice(0)]
        blocks = zip(self, self._select(self.series), strict=True)
        return concatenate_tables([block[ids.isin(chosen)] for block, ids in blocks])

    def to_pandas(self) -> pd.DataFrame | pd.Series:
        """Read all rows into memory.

        Returns
        -------
        DataFrame, or Series for one column
        """
        return concatenate_tables(list(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if isinstance(self._selected, str):  # targets and ids of all rows fit in memory
            return np.asarray(self.to_pandas(), dtype=dtype)
        return super().__array__(dtype, copy)

    @classmethod
    def repartition(
        cls, source: Any, folder: Any, *, series: str, n_files: int = 64, verbose: int = 0
    ) -> PanelDataset:
        """Write a panel anew, with the rows of each series together.

        Parameters
        ----------
        source : path-like, list of path-like, pyarrow.dataset.Dataset or DataFrame
            As in the constructor. The rows of a series may be anywhere, and stay in their order.
        folder : path-like
            A new or empty folder for the files.
        series : str
            Name of the column of the series ids.
        n_files : int, default=64
            Number of files. The rows of one file at a time are in memory.
        verbose : int, default=0
            1 shows a progress bar.

        Returns
        -------
        PanelDataset
            The panel in `folder`.
        """
        parts, columns = find_parts(source)
        _check_series(series, columns)
        check_scalar(n_files, "n_files", Integral, min_val=1)
        # The rows are read twice.
        with follow(2, "reading", title="repartition", show=verbose > 0) as progress:
            write_by_series(parts, columns, folder, series, n_files, progress)
        return cls(folder, series=series)

    def _known(self, names: Sequence[str]) -> list[str]:
        if not isinstance(names, (list, tuple)) or not all(isinstance(each, str) for each in names):
            given = shorten(repr(names), 60)
            if isinstance(names, slice):
                bounds = ("" if each is None else str(each) for each in (names.start, names.stop))
                given = f"[{':'.join(bounds)}]"
            raise TypeError(
                f"A PanelDataset is indexed by a name of a column or a list of names, got {given}. "
                "Rows are not chosen by position. For searches and cross-validation, first read "
                "series into a DataFrame with sample or take_series."
            )
        for name in names:
            if name not in self.columns:
                remedy = did_you_mean(name, self.columns, f"The columns are {self.columns}.")
                raise KeyError(f"{name!r} is not a column of the panel. {remedy}")
        return list(names)

    def _select(self, columns: str | list[str]) -> PanelDataset:
        other = copy(self)
        other._selected = columns
        other._read = other._read_block
        return other

    def _read_block(self, number: int) -> pd.DataFrame | pd.Series:
        start, stop = self._layout.bounds[number : number + 2]
        bounds = self._part_bounds
        first, last = np.searchsorted(bounds, [start, stop - 1], side="right") - 1
        frames = []
        for part, offset in zip(self._parts[first : last + 1], bounds[first:], strict=False):
            frame = part.read(self.columns)
            frames.append(frame.iloc[max(start - offset, 0) : stop - offset])
        frame = frames[0] if len(frames) == 1 else concatenate_tables(frames)
        frame = frame.set_axis(pd.RangeIndex(start, stop), axis=0)
        return frame[self._selected] if isinstance(self._selected, str) else frame


def _check_series(series: Any, columns: list[str]) -> None:
    """Raise ValueError if the column of the ids is not in the panel."""
    if series not in columns:
        remedy = did_you_mean(series, columns, "Choose one of them.")
        raise ValueError(
            f"series={series!r} is not a column of the panel (columns: {columns}). {remedy}"
        )
