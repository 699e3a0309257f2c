"""Exchange histories between windows without copying their rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklstm._panel.windows import Windows, _expand_key


class ExchangedWindows(Windows):
    """Windows in which some cells have the values of other windows.

    They are as lazy as :class:`Windows`. Padding remains where it is: a masked or zero row is kept,
    and a history that is shorter than the window it replaces is continued by its oldest row.
    """

    donors: Windows
    cells: np.ndarray

    @classmethod
    def exchange(cls, windows: Windows, cells: np.ndarray, donors: np.ndarray) -> ExchangedWindows:
        """Exchange cells between windows.

        Parameters
        ----------
        windows : Windows
        cells : ndarray of shape (window_length, n_features)
            A mask of the cells to exchange.
        donors : ndarray of shape (n_rows,)
            Position of the window that gives its values to each window.

        Returns
        -------
        ExchangedWindows
        """
        exchanged = cls.__new__(cls)
        vars(exchanged).update(vars(windows))
        exchanged.donors = windows[donors]._with(padding="edge")
        exchanged.cells = cells
        return exchanged

    def __getitem__(self, key: Any) -> Any:
        taken = super().__getitem__(key)
        if isinstance(taken, ExchangedWindows):
            taken.donors = self.donors[_expand_key(key)[0]]
        return taken

    def gather(self, key: Any) -> np.ndarray:
        """Copy chosen windows into a new array, with the exchanged cells."""
        values = super().gather(key)
        replaced = np.broadcast_to(self.cells, values.shape)
        if self.padding != "edge":
            lags = np.arange(self.window_length - 1, -1, -1)
            observed = lags < self.n_observed[key][:, np.newaxis]
            replaced = replaced & observed[:, :, np.newaxis]
        return np.where(replaced, self.donors.gather(key), values)

    def with_rows(self, rows: np.ndarray) -> Windows:
        """Replace the rows by rows with other values or another dtype."""
        return self._with(rows=rows, donors=self.donors.with_rows(rows))
