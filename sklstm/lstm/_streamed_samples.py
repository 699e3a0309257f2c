"""Represent the rows that train a network where one block of them at a time is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.concatenate import concatenate_windows
from sklstm._panel.weights import factor_to_mean_one, series_factors
from sklstm._streaming.blocks import Blocks
from sklstm.lstm._samples import (
    Samples,
    SplitRule,
    check_split,
    rows_with_loss,
    warn_of_no_event,
    warn_of_series_without_loss,
)
from sklstm.lstm._series_sums import SeriesSums
from sklstm.lstm._splits import split_by_series

# Blocks from whose targets the unit of the loss is chosen, which needs no more than their size.
BLOCKS_FOR_UNIT = 8


@dataclass(frozen=True)
class PartOfRows:
    """Choose the rows with a loss in one block: all, or those before or after a cut in time.

    Attributes
    ----------
    rule : SplitRule
    part : int or None
        0 or 1: the rows of training or validation. None: both.
    """

    rule: SplitRule
    part: int | None = None

    def __call__(self, samples: Samples) -> Samples:
        """Select the rows."""
        rule = self.rule
        rows = rows_with_loss(samples, rule.min_observed, rule.embargo, allow_empty=True)
        samples = samples.select(rows)
        if self.part is None or not len(samples):
            return samples
        return samples.select(samples.split_in_time(rule)[self.part])


@dataclass(frozen=True, eq=False)
class StreamedSamples:
    """Hold the rows of a training or validation, read block by block.

    It has the attributes and methods of `Samples` that a training uses.

    Attributes
    ----------
    blocks : Blocks of Samples
    sums : SeriesSums
        By series, in the order of the blocks.
    factors : ndarray of shape (n_series,)
        The weights of the rows of each series are multiplied by its factor.
    """

    blocks: Blocks
    sums: SeriesSums
    factors: np.ndarray

    def __len__(self) -> int:
        return int(self.sums.n_rows.sum())

    @cached_property
    def example(self) -> Samples:
        """The rows of one block, by which the network is specified."""
        return self._read_block(int(np.flatnonzero(self.block_sizes)[0]))

    @property
    def block_sizes(self) -> np.ndarray:
        """Number of rows in each block."""
        sums, n_blocks = self.sums, self.blocks.n_blocks
        return np.bincount(sums.block, sums.n_rows, minlength=n_blocks).astype(np.int64)

    @property
    def present_codes(self) -> np.ndarray:
        """Positions in `sums` of the series that have rows, in ascending order."""
        return np.flatnonzero(self.sums.n_rows > 0)

    @property
    def present_ids(self) -> pd.Index:
        """Ids of the series that have rows."""
        return self.sums.ids[self.present_codes]

    def of_series(self, codes) -> StreamedSamples:
        """Select the rows of the series at these positions in `sums`."""
        chosen = np.isin(np.arange(len(self.factors)), codes)
        return replace(self, sums=self.sums.of(chosen), factors=self.factors * chosen)

    def normalized(self) -> StreamedSamples:
        """Divide the weights by their mean."""
        total = (self.factors * self.sums.weights).sum()
        factor = factor_to_mean_one(total, self.sums.n_rows.sum())
        return replace(self, factors=self.factors * factor)

    def read(self, blocks: Sequence[int]) -> Samples:
        """Read the rows of chosen blocks."""
        parts = [self._read_block(block) for block in blocks]
        indices = [part.embedding_indices for part in parts if part.embedding_indices is not None]
        censored = [part.censored for part in parts if part.censored is not None]
        return replace(
            parts[0],
            windows=concatenate_windows([part.windows for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            weights=np.concatenate([part.weights for part in parts]),
            embedding_indices=np.concatenate(indices) if indices else None,
            censored=np.concatenate(censored) if censored else None,
        )

    def with_embedding(self, embedded_ids) -> StreamedSamples:
        """Set the embedding indices; None: no embedding."""
        blocks = self.blocks.map(partial(Samples.with_embedding, embedded_ids=embedded_ids))
        return replace(self, blocks=blocks)

    def target_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute the weighted mean and standard deviation of each output."""
        return self.sums.target_moments(self.factors)

    def weighted_targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the targets and weights of some blocks, drawn at random."""
        blocks = np.random.default_rng(0).permutation(np.flatnonzero(self.block_sizes))
        return self.read(np.sort(blocks[:BLOCKS_FOR_UNIT]).tolist()).weighted_targets()

    def targets_with_gaps(self) -> np.ndarray:
        """Return targets of the first block that has rows with elements that are not known."""
        sums = self.sums
        blocks = sums.block[sums.has_gaps & (sums.n_rows > 0)]
        if not len(blocks):
            return sums.mean[:0]
        return self._read_block(int(blocks[0])).targets_with_gaps()

    def arrays(self) -> Iterator[Any]:
        """Yield everything that training reads, as arrays or bytes."""
        for block in np.flatnonzero(self.block_sizes):
            yield from self._read_block(int(block)).arrays()

    def _read_block(self, number: int) -> Samples:
        """Read one block, with the weights of the series."""
        samples: Samples = self.blocks.block(number)
        # The sums list the series of a block in the order in which it is read.
        start = np.searchsorted(self.sums.block, number)
        factors = self.factors[start:][samples.codes]
        return replace(samples, weights=samples.weights * factors).select(factors > 0)


@dataclass(frozen=True, eq=False)
class UndividedRows:
    """Hold all rows of a panel that is read block by block.

    Attributes
    ----------
    blocks : Blocks of Samples
    """

    blocks: Blocks

    @cached_property
    def example(self) -> Samples:
        """The rows of the first block."""
        example: Samples = self.blocks.block(0)
        return example

    def divide(
        self, rule: SplitRule, holds_out, seed
    ) -> tuple[StreamedSamples, StreamedSamples | None]:
        """Select and weight the training rows and, with `holds_out`, the validation rows.

        The rows are read once, to compute the sums of each series.
        """
        in_time = holds_out and rule.by == "time"
        parts = [PartOfRows(rule, 0), PartOfRows(rule, 1)] if in_time else [PartOfRows(rule)]
        sums = self._sum(parts)
        n_rows = np.sum([part.n_rows for part in sums], axis=0)
        weights = np.sum([part.weights for part in sums], axis=0)
        # Series of weight 0 are treated as absent.
        positive = series_factors(rule.series_weight, weights, sums[0].ids) > 0
        chosen = [positive] * len(parts)
        if holds_out and not in_time:
            codes = np.flatnonzero((n_rows > 0) & positive)
            rng = np.random.default_rng(seed)
            validated = np.isin(
                np.arange(len(n_rows)), codes[split_by_series(codes, rule.fraction, rng)]
            )
            parts, sums = parts * 2, sums * 2
            chosen = [positive & ~validated, positive & validated]
        sums = [part.of(series) for part, series in zip(sums, chosen, strict=True)]
        if holds_out:
            has_rows = sums[1].n_rows > 0
            check_split(sums[0].n_rows.sum(), sums[1].n_rows.sum(), rule)
            if not sums[1].has_events[has_rows].any():
                warn_of_no_event(int(has_rows.sum()))
        counted = (sums[0].n_rows > 0) | ((n_rows > 0) & ~chosen[0])
        warn_of_series_without_loss(sums[0].ids[~counted], len(counted))
        divided = [self._part(*part, rule) for part in zip(parts, sums, strict=True)]
        return divided[0], divided[1] if holds_out else None

    def in_loss(self, rule: SplitRule) -> StreamedSamples:
        """Select and weight all rows with a loss."""
        part = PartOfRows(rule)
        return self._part(part, self._sum([part])[0], rule)

    def _sum(self, parts: Sequence[PartOfRows]) -> list[SeriesSums]:
        """Compute the sums of each series over the rows of each part, in one pass."""
        by_block = [
            [SeriesSums.compute(part(samples), number) for part in parts]
            for number, samples in enumerate(self.blocks)
        ]
        sums = [SeriesSums.concatenate(each) for each in zip(*by_block, strict=True)]
        if not any(part.n_rows.any() for part in sums):
            rule = parts[0].rule
            rows_with_loss(self.example, rule.min_observed, rule.embargo)  # names the reason
        return sums

    def _part(self, part: PartOfRows, sums: SeriesSums, rule: SplitRule) -> StreamedSamples:
        """Weight the rows of a part."""
        factors = series_factors(rule.series_weight, sums.weights, sums.ids)
        factors = np.where(sums.n_rows > 0, factors, 0.0)
        return StreamedSamples(self.blocks.map(part), sums, factors).normalized()
