"""Bundle windows with the targets and weights of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sklstm._panel.windows import Windows


@dataclass(frozen=True, eq=False)
class WeightedWindows:
    """Bundle windows with their targets, weights and embedding indices.

    Attributes
    ----------
    windows : Windows
        float32.
    targets : ndarray of shape (n_rows, n_outputs)
        float32 or float64, in the precision of y. Missing elements are NaN.
    weights : ndarray of shape (n_rows,)
        Weights of the rows.
    embedding_indices : ndarray of shape (n_rows,) or None
        int32 index of each row's series in the embedding; None without embedding.
    censored : ndarray of shape (n_rows, n_outputs) or None
        Whether the true value is only known to be larger than the target; None if y has no events.
    """

    windows: Windows
    targets: np.ndarray
    weights: np.ndarray
    embedding_indices: np.ndarray | None = None
    censored: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def example(self) -> Self:
        """Rows by which a network is specified: all of them."""
        return self

    @property
    def known_targets(self) -> np.ndarray:
        """The targets, NaN where they are censored."""
        if self.censored is None:
            return self.targets
        return np.where(self.censored, np.nan, self.targets)

    @property
    def block_sizes(self) -> np.ndarray:
        """Number of rows in each block that is read at once: one block."""
        return np.array([len(self)])

    def read(self, blocks: Sequence[int]) -> Self:
        """Return the rows of chosen blocks."""
        return self

    def select(self, rows) -> Self:
        """Select rows by a mask, or by positions in ascending order."""
        if rows.all() if rows.dtype == bool else len(rows) == len(self):
            return self  # without a copy
        indices, censored = self.embedding_indices, self.censored
        return replace(
            self,
            windows=self.windows[rows],
            targets=self.targets[rows],
            weights=self.weights[rows],
            embedding_indices=None if indices is None else indices[rows],
            censored=None if censored is None else censored[rows],
        )

    def weighted_targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the targets and weights by which the unit of the loss is chosen: all of them."""
        return self.targets, self.weights

    def arrays(self) -> Iterator[Any]:
        """Yield everything that training reads, as arrays or bytes."""
        windows, normalization = self.windows, self.windows.normalization
        shape = [windows.window_length, windows.spacing, windows.padding]
        yield from (repr(shape).encode(), windows.rows, windows.ends, windows.n_observed)
        if normalization is not None:
            yield from (normalization.center, normalization.scale)
        yield from (self.targets, self.weights)
        for optional in (self.embedding_indices, self.censored):
            if optional is not None:
                yield optional
