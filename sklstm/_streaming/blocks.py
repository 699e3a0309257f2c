"""Represent data that are read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.frames import as_plain
from sklstm._streaming.layout import BlockLayout


class Blocks:
    """Represent the rows of a panel, of which one block at a time is in memory.

    A block holds whole series. Two objects of the same layout have the same rows.

    Parameters
    ----------
    layout : BlockLayout
    read : callable
        It receives the number of a block and returns its data.
    """

    def __init__(self, layout: BlockLayout, read: Callable[[int], Any]) -> None:
        self._layout = layout
        self._read = read

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self._layout.bounds) - 1

    @property
    def series_ids(self) -> pd.Index:
        """Ids of the series, in order of first appearance."""
        return self._layout.ids

    @property
    def series_sizes(self) -> np.ndarray:
        """Number of rows of each series."""
        return self._layout.sizes

    def __len__(self) -> int:
        return int(self._layout.bounds[-1])

    def __iter__(self) -> Iterator[Any]:
        """Read one block after the other."""
        return (self.block(number) for number in range(self.n_blocks))

    def block(self, number: int) -> Any:
        """Read one block.

        Parameters
        ----------
        number : int
            From 0 to ``n_blocks - 1``.

        Returns
        -------
        DataFrame, Series or other data
            Those of the rows of the block.
        """
        return self._read(number)

    def map(self, function: Callable[[Any], Any]) -> Blocks:
        """Apply a function to each block when it is read.

        Parameters
        ----------
        function : callable
            It receives the data of a block.

        Returns
        -------
        Blocks
        """
        return Blocks(self._layout, partial(_apply, function, self.block))

    def zip(self, *others: Blocks | None) -> Blocks:
        """Read tuples of the same block of several objects.

        Parameters
        ----------
        *others : Blocks or None
            Of the same layout. None is the same None in each tuple.

        Returns
        -------
        Blocks
        """
        return Blocks(self._layout, partial(_read_all, [self, *others]))

    def with_values(self, **values: Any) -> Blocks:
        """Read each block together with the values of its rows.

        Parameters
        ----------
        **values : Blocks, array-like of shape (n_rows, ...) or None
            By the names that messages use. Blocks are of the same panel.

        Returns
        -------
        Blocks
            Tuples of the data of this object and the values. None stays None.
        """
        return self.zip(*(self._align(name, each) for name, each in values.items()))

    def _align(self, name: str, values: Any) -> Blocks | None:
        """Return values of the same rows in the same blocks."""
        if values is None:
            return None
        if isinstance(values, Blocks):
            if values._layout is not self._layout:
                raise ValueError(
                    f"X and {name} are not of the same PanelDataset. Select both from one: "
                    "panel.drop('y') and panel['y'], for example."
                )
            return values
        values = np.asarray(as_plain(values))
        if values.shape[:1] != (len(self),):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has {len(self)} "
                f"rows, {name} has the shape {values.shape}. Pass one value per row of X."
            )
        return Blocks(self._layout, partial(_read_slice, values, self._layout.bounds))

    def concatenate(self, function: Callable[[Any], np.ndarray]) -> np.ndarray:
        """Apply a function to each block, and concatenate the arrays that it returns.

        Parameters
        ----------
        function : callable
            It receives the data of a block, and returns an array with one element per row.

        Returns
        -------
        ndarray of shape (n_rows, ...)
        """
        return np.concatenate([function(block) for block in self])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            f"A PanelDataset of {len(self)} rows is read block by block, and is not "
            "converted to an array. PerSeriesScaler, PerSeriesImputer, WindowTransformer, "
            "MultiSeriesLSTMRegressor, MultiSeriesLSTMClassifier and MultiSeriesForecaster can "
            "read it. Give other estimators a sample of series: X.sample(n_series)."
        )


def _apply(function, read, number):
    return function(read(number))


def _read_slice(values, bounds, number):
    return values[bounds[number] : bounds[number + 1]]


def _read_all(all_blocks, number):
    return tuple(None if blocks is None else blocks.block(number) for blocks in all_blocks)
