"""Hold rows out of the training of further networks, and compare their quantiles with the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from sklstm._panel.user_warnings import warn_user
from sklstm.lstm._conformal import conformal_shifts, series_folds, widest_level
from sklstm.lstm._samples import Samples, SplitRule
from sklstm.lstm._streamed_samples import StreamedSamples

Rows: TypeAlias = Samples | StreamedSamples

# Each network leaves out a fifth of the series, until so many series have been left out.
N_FOLDS = 5
ENOUGH_SERIES = 200
# Rows that are predicted per network.
MAX_ROWS = 100_000


@dataclass(frozen=True, eq=False)
class Errors:
    """Hold errors of quantiles on held-out rows.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_outputs, n_quantiles)
        Targets minus predicted quantiles; NaN where targets are missing or censored.
    weights : ndarray of shape (n_rows,)
    series : ndarray of shape (n_rows,)
        Code of the series of each row.
    """

    values: np.ndarray
    weights: np.ndarray
    series: np.ndarray

    @classmethod
    def concatenate(cls, parts: list[Errors]) -> Errors:
        """Put the errors of several networks or blocks, of different series, after one another."""
        firsts = np.cumsum([0, *(part.series.max() + 1 for part in parts[:-1])])
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.series + at for part, at in zip(parts, firsts, strict=True)]),
        )

    def shifts(self, calibration: str, levels) -> np.ndarray:
        """Compute the shifts that give each quantile its share of smaller targets.

        Parameters
        ----------
        calibration : {"series", "time"}
            Whether a new row belongs to a new series, or to a known one.
        levels : ndarray of shape (n_quantiles,)

        Returns
        -------
        ndarray of shape (n_outputs, n_quantiles)
        """
        units = self.series if calibration == "series" else np.arange(len(self.series))
        known = ~np.isnan(self.values).all(axis=(1, 2))
        if not known.any():
            raise ValueError(
                f"calibration={calibration!r}: of {len(known)} held-out rows none has a known "
                "target. Pass rows with targets (lives with an event), or set calibration=None."
            )
        what = "series" if calibration == "series" else "rows"
        n_units = len(np.unique(units[known]))
        widest = widest_level(n_units)
        beyond = [float(level) for level in levels if max(level, 1 - level) > widest + 1e-9]
        if beyond:
            outermost = max(max(level, 1 - level) for level in beyond)
            needed = math.ceil(outermost / (1 - outermost) - 1e-9)
            warn_user(
                f"The quantiles {beyond} need at least {needed} held-out {what}, got {n_units}. "
                "They are shifted by the most extreme held-out errors, and intervals between them "
                f"may be too narrow. Choose levels between {1 - widest:.3g} and {widest:.3g}, or "
                "pass more series."
            )
        return conformal_shifts(self.values, levels, self.weights, units)


def held_out_parts(
    rows: Rows, calibration: str, rule: SplitRule, rng
) -> list[Callable[[], tuple[Rows, Rows]]]:
    """Plan how each further network divides the rows into those that train it, and held-out ones.

    Parameters
    ----------
    rows : Samples or StreamedSamples
        The weighted training rows of the network to calibrate.
    calibration : {"series", "time"}
    rule : SplitRule
        Its fraction and embargo hold for "time".
    rng : numpy.random.Generator
        Divides the series into folds.

    Returns
    -------
    list of callable
        One for each network. It returns the training rows, whose weights have mean 1, and the
        held-out rows, whose weights are those in `rows`.
    """
    if calibration == "time":
        if isinstance(rows, StreamedSamples):
            raise ValueError(
                "calibration='time' needs all rows in memory, and a PanelDataset is read block by "
                "block. Choose calibration='series', or fit to a sample: X.sample(n_series)."
            )
        training, held_out = rows.split_in_time(rule)
        if not (training.any() and held_out.any()):
            raise ValueError(
                f"calibration='time' left {training.sum()} rows for training and {held_out.sum()} "
                f"to calibrate on, of n_samples={len(rows)} (validation_fraction={rule.fraction}, "
                f"embargo={rule.embargo}). Change the fraction, or pass longer series."
            )
        return [partial(_select, rows.select, training, held_out)]
    present = rows.present_codes
    fold = series_folds(present, present.max() + 1, N_FOLDS, rng)[present]
    n_held_out = np.cumsum(np.bincount(fold))
    n_networks = 1 + np.count_nonzero(n_held_out[:-1] < ENOUGH_SERIES)
    return [
        partial(_select, rows.of_series, present[fold != number], present[fold == number])
        for number in range(n_networks)
    ]


def _select(select, training, held_out) -> tuple[Rows, Rows]:
    return select(training).normalized(), select(held_out)


def errors_of(network, held_out: Rows) -> Errors:
    """Compute the errors of a network's quantiles on held-out rows.

    Parameters
    ----------
    network : FittedNetwork
    held_out : Samples or StreamedSamples
        Every k-th row is used where there are more than `MAX_ROWS`.

    Returns
    -------
    Errors
    """
    held_out, every = held_out.with_embedding(network.embedded_ids), -(-len(held_out) // MAX_ROWS)
    parts = []
    for block in np.flatnonzero(held_out.block_sizes):
        rows = held_out.read([int(block)])
        rows = rows.select(np.arange(0, len(rows), every))
        quantiles = network.predict(rows.windows, rows.embedding_indices)
        errors = rows.known_targets[:, :, np.newaxis] - quantiles
        parts.append(Errors(errors, rows.weights, rows.codes))
    return Errors.concatenate(parts)
