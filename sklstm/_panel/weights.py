"""How much each series counts: weights a row that even out unequal series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from sklstm._panel.rows import encode_ids


def series_weights(series, scheme="balanced", sample_weight=None) -> np.ndarray:
    """Weight of each row, so that series count as `scheme` says; mean 1.

    Parameters
    ----------
    series : array-like of shape (n_rows,)
        The id of each row's series.
    scheme : "balanced", float, dict, Series, callable or None, default="balanced"
        What a series counts for.

        - "balanced": every series the same, ``N / (S * n_i)`` for a row of a series of
          size ``n_i`` among ``S`` series of total size ``N``;
        - a float a in [0, 1]: rows weigh ``n_i ** -a``; 0 lets every row count the same
          and 1 is "balanced";
        - a dict or Series: weight of a row, by id. Every series in `series` needs one;
          more ids are no error, since a fold holds only some of the series;
        - a callable: takes a Series of sizes by id and returns weights of a row by id;
        - None: every row counts the same.
    sample_weight : array-like of shape (n_rows,), default=None
        The user's own weights. They multiply the scheme's, and the size of a series is
        their sum (the number of its rows without them).

    Returns
    -------
    ndarray of shape (n_rows,)
        float64 weights with mean 1.

    Raises
    ------
    ValueError
        If a weight is negative, missing or infinite, all are zero, a series has no weight
        in a dict, or `scheme` is none of the above.

    Examples
    --------
    >>> from sklstm import series_weights
    >>> series_weights(["a", "a", "a", "b"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    if len(series) == 0:
        raise ValueError("series is empty: there is no row to weigh.")
    codes, ids = encode_ids(pd.Index(series), len(series))
    return weights_by_code(codes, ids, scheme, check_weights(sample_weight, len(codes)))


def check_weights(sample_weight, n_rows) -> np.ndarray:
    """Return the user's weights, one a row, or say what is wrong with them.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), float or None
        None: every row counts 1.
    n_rows : int

    Returns
    -------
    ndarray of shape (n_rows,)
        float64.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got shape {weights.shape}.")
    if len(weights) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: sample_weight has "
            f"{len(weights)} weights for {n_rows} rows."
        )
    check_array(weights, ensure_2d=False, input_name="sample_weight")
    _refuse_negative(weights, "sample_weight")
    if not weights.any():
        raise ValueError("All weights are zero: no row would count.")
    return weights


def weights_by_code(codes, ids, scheme, own) -> np.ndarray:
    """:func:`series_weights` for ids that are numbered and weights that are checked."""
    sizes = np.bincount(codes, weights=own, minlength=len(ids))
    weights = own * _factors(scheme, sizes, ids)[codes]
    total = weights.sum()
    if not total > 0:
        raise ValueError("All weights are zero: no row would count.")
    return weights * (len(weights) / total)


def _factors(scheme, sizes, ids) -> np.ndarray:
    """Weight of a row in each series; series of size 0 get 0."""
    present = sizes > 0
    if scheme is None:
        return np.ones(len(sizes))
    if isinstance(scheme, str):
        if scheme != "balanced":
            raise ValueError(f"Unknown weighting scheme {scheme!r}; the only name is 'balanced'.")
        scheme = 1.0
    if isinstance(scheme, (int, float, np.number)) and not isinstance(scheme, bool):
        if not 0 <= scheme <= 1:
            raise ValueError(f"A tempered weighting scheme must be in [0, 1], got {scheme!r}.")
        return np.where(present, np.where(present, sizes, 1.0) ** -float(scheme), 0.0)
    if callable(scheme):
        scheme = scheme(pd.Series(sizes[present], index=ids[present]))
        if not isinstance(scheme, (Mapping, pd.Series)):
            scheme = np.asarray(scheme, dtype=float)
            if scheme.shape != (present.sum(),):
                raise ValueError(
                    f"The callable weighting scheme got the sizes of {present.sum()} series and "
                    f"returned shape {scheme.shape}: it must return one weight for each."
                )
            scheme = pd.Series(scheme, index=ids[present])
    if not isinstance(scheme, (Mapping, pd.Series)):
        raise ValueError(
            f"The weighting scheme must be 'balanced', a number in [0, 1], a dict or Series by "
            f"id, a callable or None, got {scheme!r}."
        )
    scheme = pd.Series(scheme, dtype=float)
    if not scheme.index.is_unique:
        raise ValueError("The weights by id hold an id more than once.")
    factors = scheme.reindex(ids).to_numpy()
    unknown = list(ids[present & np.isnan(factors)])
    if unknown:
        unused = [name for name in scheme.index if name not in ids]
        raise ValueError(
            f"The weights by id hold no (or a missing) weight for series {unknown[:10]}; they hold "
            f"{unused[:10]} that do not occur. Give every series a weight."
        )
    factors = np.where(present, factors, 0.0)
    _refuse_negative(factors, "the weights by id")
    return factors


def _refuse_negative(weights, what):
    if (weights < 0).any():
        raise ValueError(f"Negative values in {what} (the smallest is {weights.min()}).")
    if not np.isfinite(weights).all():
        raise ValueError(f"Infinite values in {what}.")
