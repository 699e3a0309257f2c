"""Combine the predictions of the members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALL_MEMBERS = -1  # stands for all members together where a row has no member of its own


def mean_squared_errors(true, predicted, weights) -> np.ndarray:
    """Compute the weighted mean squared error of each output over its known targets.

    Parameters
    ----------
    true, predicted : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,)

    Returns
    -------
    ndarray of shape (n_outputs,)
        NaN for an output without known targets.
    """
    known = ~np.isnan(true)
    weights = known * weights[:, np.newaxis]
    squares = np.where(known, true - predicted, 0.0) ** 2
    with np.errstate(invalid="ignore"):  # 0 / 0 gives NaN
        return (weights * squares).sum(axis=0) / weights.sum(axis=0)


def inverse_weights(errors) -> np.ndarray:
    """Compute weights that are inverse to errors and sum to 1 for each output.

    Parameters
    ----------
    errors : ndarray of shape (n_members, n_outputs)
        A member of unknown error (NaN) is given the mean of the known errors. If no error is known,
        all members have the same weight. If some errors are 0, these members share all the weight.

    Returns
    -------
    ndarray of shape (n_members, n_outputs)
    """
    known = ~np.isnan(errors)
    total = np.where(known, errors, 0.0).sum(axis=0)
    errors = np.where(known, errors, total / np.maximum(known.sum(axis=0), 1))
    least = errors.min(axis=0)
    inverse = np.where(least > 0, least / np.where(errors > 0, errors, 1.0), errors == 0)
    return inverse / inverse.sum(axis=0)


def combine_members(predictions, weights, median=False) -> tuple[np.ndarray, np.ndarray]:
    """Combine the predictions of all members per row, and compute their spread.

    Parameters
    ----------
    predictions : ndarray of shape (n_members, n_rows) or (n_members, n_rows, n_outputs, ...)
    weights : ndarray of shape (n_members, n_outputs)
        They sum to 1 for each output.
    median : bool, default=False
        Whether to compute the median instead of the weighted mean.

    Returns
    -------
    combined, spread : ndarray of shape predictions.shape[1:]
        `spread` is the weighted standard deviation around the weighted mean.
    """
    shape = predictions.shape[1:]
    by_output = predictions.reshape(*predictions.shape[:2], weights.shape[1], -1)
    weights = weights[:, np.newaxis, :, np.newaxis]
    mean = (weights * by_output).sum(axis=0)
    spread = np.sqrt((weights * (by_output - mean) ** 2).sum(axis=0))
    combined = np.median(by_output, axis=0) if median else mean
    dtype = predictions.dtype
    return combined.reshape(shape).astype(dtype), spread.reshape(shape).astype(dtype)


def combine_rows(
    member: np.ndarray,
    parts: Sequence[tuple[int, np.ndarray, np.ndarray]],
    weights: np.ndarray,
    median: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Combine predictions of rows that have one member each, or all members together.

    Parameters
    ----------
    member : ndarray of shape (n_rows,)
        The member that predicts each row, or `ALL_MEMBERS`.
    parts : list of (int, ndarray, ndarray)
        For each member in use its number, the rows that it predicted, and its predictions.
    weights, median
        See `combine_members`.

    Returns
    -------
    predicted, spread : ndarray of shape (n_rows,) or (n_rows, n_outputs, ...)
        The spread is NaN for rows that a single member predicts.
    """
    predictions = [values for _, _, values in parts]
    shape, dtype = (len(member), *predictions[0].shape[1:]), np.result_type(*predictions)
    predicted, spread = np.empty(shape, dtype), np.full(shape, np.nan, dtype)
    shared = member == ALL_MEMBERS
    if shared.any():  # then all members are in use
        stacked = np.stack([values[shared[at]] for _, at, values in parts])
        predicted[shared], deviation = combine_members(stacked, weights, median)
        if len(parts) > 1:
            spread[shared] = deviation
    for number, at, values in parts:
        alone = member[at] == number
        predicted[at[alone]] = values[alone]
    return predicted, spread
