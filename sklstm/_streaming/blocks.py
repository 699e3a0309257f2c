"""Represent data that are read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pandas as pd

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

    def has_rows_of(self, other: Blocks) -> bool:
        """Whether two objects have the same rows in the same blocks."""
        return self._layout is other._layout

    def concatenate(self, function: Callable[[Any], np.ndarray]) -> np.ndarray:
        """Apply a function to each block, and concatenate the arrays that it returns.

        Returns
        -------
        ndarray of shape (n_rows, ...)
        """
        return np.concatenate([function(block) for block in self])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} of {len(self)} rows is read block by block, and is not "
            "converted to an array. PerSeriesScaler, WindowTransformer, MultiSeriesLSTMRegressor "
            "and MultiSeriesForecaster read it, with the default set_output. Give other "
            "estimators a sample of series: X.sample(n_series)."
        )


def _apply(function, read, number):
    return function(read(number))


def _read_all(all_blocks, number):
    return tuple(None if blocks is None else blocks.block(number) for blocks in all_blocks)
