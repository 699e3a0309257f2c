"""Hold the rows that train or validate a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.show import show_ids
from sklstm._panel.user_warnings import warn_user
from sklstm._panel.weighted_windows import WeightedWindows
from sklstm._panel.weights import weights_by_code
from sklstm._panel.windows import Windows
from sklstm.lstm._splits import rows_from_end, split_by_series, split_by_time
from sklstm.lstm._targets import target_moments


@dataclass(frozen=True)
class SplitRule:
    """Hold the parameters of an estimator that choose and weight the rows of a training.

    Attributes
    ----------
    min_observed : int or None
    embargo : int
    series_weight : "balanced", float, dict, Series, callable or None
    fraction : float
        Fraction of the series, or of each series' rows, in the validation set.
    by : {"series", "time"}
    """

    min_observed: int | None
    embargo: int
    series_weight: Any
    fraction: float
    by: str


@dataclass(frozen=True, eq=False)
class Samples(WeightedWindows):
    """The rows that train or validate a network; weights have mean 1 after `weighted`."""

    @property
    def codes(self) -> np.ndarray:
        """Code of each row's series: its position in ``windows.ids``."""
        return self.windows.codes

    @property
    def present_codes(self) -> np.ndarray:
        """Codes of the series that have rows, in ascending order."""
        return np.unique(self.codes)

    @property
    def present_ids(self) -> pd.Index:
        """Ids of the series that have rows."""
        return self.windows.ids[self.present_codes]

    def divide(self, rule: SplitRule, holds_out, seed) -> tuple[Samples, Samples | None]:
        """Select and weight the training rows and, with `holds_out`, the validation rows."""
        in_loss = self.select(rows_with_loss(self, rule.min_observed, rule.embargo))
        positive = in_loss.weighted(rule.series_weight).weights > 0
        # Series of weight 0 are treated as absent.
        training, validation = in_loss.select(positive), None
        counted = [in_loss.codes[~positive]]
        if holds_out:
            training, validation = training.split(rule, np.random.default_rng(seed))
            if rule.by == "series":
                counted.append(validation.codes)
            validation = validation.weighted(rule.series_weight)
            if np.isnan(validation.known_targets).all():
                warn_of_no_event(len(validation.present_ids))
        without = np.setdiff1d(self.codes, np.concatenate([training.codes, *counted]))
        warn_of_series_without_loss(self.windows.ids[without], len(np.unique(self.codes)))
        return training.weighted(rule.series_weight), validation

    def in_loss(self, rule: SplitRule) -> Samples:
        """Select and weight all rows with a loss."""
        rows = rows_with_loss(self, rule.min_observed, rule.embargo)
        return self.select(rows).weighted(rule.series_weight)

    def split(self, rule: SplitRule, rng) -> tuple[Samples, Samples]:
        """Split rows into training and validation sets.

        Parameters
        ----------
        rule : SplitRule
        rng : numpy.random.Generator
            Draws the validation series.
        """
        if rule.by == "series":
            validation = split_by_series(self.codes, rule.fraction, rng)
            training = ~validation
        else:
            training, validation = self.split_in_time(rule)
        check_split(training.sum(), validation.sum(), rule)
        return self.select(training), self.select(validation)

    def split_in_time(self, rule: SplitRule) -> tuple[np.ndarray, np.ndarray]:
        """Mark the rows of each series before and after its cut."""
        return split_by_time(
            self.windows.series_rows, self.windows.ends, rule.fraction, rule.embargo
        )

    def weighted(self, series_weight) -> Samples:
        """Multiply the weights by those of the series; see :func:`sklstm.series_weights`."""
        weights = weights_by_code(self.codes, self.windows.ids, series_weight, self.weights)
        return replace(self, weights=weights)

    def of_series(self, codes) -> Samples:
        """Select the rows of the series with these codes."""
        return self.select(np.isin(self.codes, codes))

    def normalized(self) -> Samples:
        """Divide the weights by their mean."""
        return self.weighted(None)

    def with_embedding(self, embedded_ids) -> Samples:
        """Set the embedding indices; None: no embedding."""
        return replace(self, embedding_indices=embedding_indices(self.windows, embedded_ids))

    def target_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute the weighted mean and standard deviation of each output."""
        return target_moments(self.targets, self.weights)

    def targets_with_gaps(self) -> np.ndarray:
        """Return the targets of the rows with elements that are not known, shape (n, n_outputs)."""
        known = self.known_targets
        return known[np.isnan(known).any(axis=1)]


def check_split(n_training, n_validation, rule: SplitRule) -> None:
    """Raise an error if early stopping left one of its sets without rows."""
    if not (n_training and n_validation):
        raise ValueError(
            f"Early stopping left {n_training} rows for training and {n_validation} "
            f"for validation (validation_fraction={rule.fraction}, validation_by={rule.by!r}, "
            f"embargo={rule.embargo}). Change the fraction."
        )


def embedding_indices(windows: Windows, embedded_ids: pd.Index | None) -> np.ndarray | None:
    """Look up the embedding index of each window's series.

    Parameters
    ----------
    windows : Windows
    embedded_ids : pandas.Index or None
        The series with an embedding vector; None: the network has no embedding.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        int32; 0 for a series without a vector of its own.
    """
    if embedded_ids is None:
        return None
    warn_of_retyped_ids(embedded_ids, windows.ids)
    indices = embedded_ids.get_indexer(windows.ids) + 1
    return indices.astype(np.int32)[windows.codes]


def rows_with_loss(samples: Samples, min_observed, embargo, *, allow_empty=False) -> np.ndarray:
    """Find the rows that enter the loss.

    These are the rows with enough observed rows in their window, a known target, a positive weight
    and at least `embargo` later rows of the same series.

    Parameters
    ----------
    samples : Samples
    min_observed : int or None
        Observed rows that a window needs. None: the window length, or 1 if padding is masked.
    embargo : int
    allow_empty : bool, default=False
        Whether to return an empty array, instead of raising an error, if there is no such row.

    Returns
    -------
    ndarray
        Positions.
    """
    windows = samples.windows
    if min_observed is None:
        min_observed = 1 if windows.padding == "nan" else windows.window_length
    if min_observed > windows.window_length:
        raise ValueError(
            f"min_observed={min_observed} is more than the window length {windows.window_length}: "
            "no window can hold so many rows. Lower min_observed or lengthen the windows."
        )
    observed = windows.n_observed >= min_observed
    known = ~np.isnan(samples.targets).all(axis=1)
    early = rows_from_end(windows.series_rows, windows.ends) >= embargo
    positive = samples.weights > 0
    chosen = observed & known & early & positive
    if not chosen.any() and not allow_empty:
        if not observed.any():
            raise ValueError(
                f"No row has a window of {min_observed} observed rows: the longest history has "
                f"{windows.n_observed.max()} rows. Shorten the windows or lower min_observed."
            )
        raise ValueError(
            f"No row is left for the loss: of {len(samples)} rows, {observed.sum()} have "
            f"{min_observed} observed rows in their window, {known.sum()} have a known target, "
            f"{early.sum()} lie before the embargo of {embargo} rows and {positive.sum()} have a "
            "positive weight."
        )
    return np.flatnonzero(chosen)


def warn_of_series_without_loss(ids, n_series) -> None:
    """Warn of the series with these ids, of `n_series` in all, if there are any."""
    if len(ids):
        warn_user(
            f"{len(ids)} of {n_series} series have no row in the loss ({show_ids(ids)}). A row "
            "needs enough observed rows in its window (min_observed), a known target, a positive "
            "weight, and a place before the embargo. Lower min_observed or the embargo if these "
            "series should train the network. For machines that have not failed yet, make the "
            "targets with make_remaining_life."
        )


def warn_of_no_event(n_series) -> None:
    """Warn that all targets of the validation series, `n_series` in all, are censored."""
    warn_user(
        f"All lives of the {n_series} validation series are censored, so that early stopping "
        "chooses the epoch with the longest predictions. Raise validation_fraction, or pass X_val "
        "and y_val."
    )
