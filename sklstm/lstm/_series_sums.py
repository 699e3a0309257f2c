"""Sum the rows, weights and targets of each series, for rows that are read block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from sklstm.lstm._samples import Samples
from sklstm.lstm._targets import exact_if_constant


@dataclass(frozen=True, eq=False)
class SeriesSums:
    """Hold sums over the rows of each series, from which weights and moments of all follow.

    Attributes
    ----------
    ids : pandas.Index of shape (n_series,)
    block : ndarray of shape (n_series,)
        Number of the block that holds the series, ascending.
    n_rows, weights : ndarray of shape (n_series,)
    has_gaps, has_events : ndarray of shape (n_series,)
        Whether elements of targets are missing or censored, and whether some are neither.
    known : ndarray of shape (n_series, n_outputs)
        Sum of the weights of known targets.
    mean, squares : ndarray of shape (n_series, n_outputs)
        Weighted mean of the known targets, and weighted sum of the squared distances from it.
    lowest, highest : ndarray of shape (n_series, n_outputs)
        Of the known targets.
    """

    ids: pd.Index
    block: np.ndarray
    n_rows: np.ndarray
    weights: np.ndarray
    has_gaps: np.ndarray
    has_events: np.ndarray
    known: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def compute(cls, samples: Samples, block: int) -> SeriesSums:
        """Compute the sums of all series of one block, also of those without rows."""
        codes, ids = samples.codes, samples.windows.ids
        targets = samples.targets.astype(np.float64, copy=False)
        shape = (len(ids), targets.shape[1])
        is_known, is_gap = ~np.isnan(targets), np.isnan(samples.known_targets)
        weights = is_known * samples.weights[:, np.newaxis]
        values = np.where(is_known, targets, 0.0)

        def total(terms):
            columns = [np.bincount(codes, column, minlength=len(ids)) for column in terms.T]
            return np.stack(columns, axis=1)

        known = total(weights)
        mean = total(weights * values) / np.where(known > 0, known, 1.0)
        lowest, highest = np.full(shape, np.inf), np.full(shape, -np.inf)
        np.minimum.at(lowest, codes, np.where(is_known, targets, np.inf))
        np.maximum.at(highest, codes, np.where(is_known, targets, -np.inf))
        return cls(
            ids,
            np.full(len(ids), block),
            np.bincount(codes, minlength=len(ids)),
            np.bincount(codes, samples.weights, minlength=len(ids)),
            np.bincount(codes, is_gap.any(axis=1), len(ids)) > 0,
            np.bincount(codes, ~is_gap.all(axis=1), len(ids)) > 0,
            known,
            mean,
            total(weights * (values - mean[codes]) ** 2),
            lowest,
            highest,
        )

    @classmethod
    def concatenate(cls, parts: Sequence[SeriesSums]) -> SeriesSums:
        """Put the series of several blocks after one another."""
        ids = parts[0].ids.append([part.ids for part in parts[1:]])
        names = [field.name for field in fields(cls) if field.name != "ids"]
        arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
        return cls(ids, *arrays)

    def of(self, series: np.ndarray) -> SeriesSums:
        """Set the numbers of rows and the weights of the series outside of a mask to 0."""
        return replace(self, n_rows=self.n_rows * series, weights=self.weights * series)

    def target_moments(self, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the mean and standard deviation of each output.

        Parameters
        ----------
        factors : ndarray of shape (n_series,)
            The weight of each series' rows is multiplied by its factor.

        Returns
        -------
        mean, deviation : ndarray of shape (n_outputs,)
            The deviation of a constant output is 0.
        """
        counted = factors > 0
        factors = factors[:, np.newaxis]
        known = self.known * factors
        total = known.sum(axis=0)
        total = np.where(total > 0, total, 1.0)
        mean = (self.mean * known).sum(axis=0) / total
        squares = (self.squares * factors + known * (self.mean - mean) ** 2).sum(axis=0)
        lowest = self.lowest[counted].min(axis=0)
        highest = self.highest[counted].max(axis=0)
        return exact_if_constant(mean, np.sqrt(squares / total), lowest, highest)
