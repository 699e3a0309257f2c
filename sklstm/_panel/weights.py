"""Weight rows so that series of unequal length have a chosen influence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array

from sklstm._panel.by_id import look_up, series_by_id
from sklstm._panel.checks import as_floats
from sklstm._panel.rows import encode_ids, id_index


def series_weights(
    series: ArrayLike, scheme: Any = "balanced", sample_weight: ArrayLike | float | None = None
) -> np.ndarray:
    """Compute the weight of each row from the id of its series.

    Parameters
    ----------
    series : array-like of shape (n_rows,)
        Id of the series of each row.
    scheme : "balanced", float, dict, Series, callable or None, default="balanced"
        How series are weighted.

        - "balanced": all series equally. A row of a series of size ``n_i`` among ``S`` series
          of total size ``N`` has the weight ``N / (S * n_i)``;
        - a float a in [0, 1]: rows have weights proportional to ``n_i ** -a``; 0 weights all rows
          equally, and 1 is "balanced";
        - a dict or Series: weight per row by id. Every id in `series` needs a weight. Additional
          ids are allowed, since a fold contains only some of the series;
        - a callable: it receives a Series of sizes by id, and returns weights per row by id;
        - None: all rows equally.
    sample_weight : array-like of shape (n_rows,), default=None
        Further weights of the rows. They are multiplied by the weights of the scheme. The size of
        a series is then the sum of its weights instead of its number of rows.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64 weights with mean 1.

    Raises
    ------
    ValueError
        If a weight is negative, missing or infinite, if all weights are zero, if a dict has no
        weight for a series, or if `scheme` is none of the above.

    Examples
    --------
    >>> from sklstm import series_weights
    >>> series_weights(["a", "a", "a", "b"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    index = id_index(series)
    if len(index) == 0:
        raise ValueError("series is empty. Pass the id of at least one row.")
    codes, ids = encode_ids(index, len(index))
    weights = check_weights(sample_weight, len(codes))
    return weights_by_code(codes, ids, scheme, weights, "scheme")


def check_weights(sample_weight, n_rows: int, *, allow_zero: bool = False) -> np.ndarray:
    """Convert sample weights to one validated weight per row.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), float or None
        None weights every row by 1.
    n_rows : int
    allow_zero : bool, default=False
        Whether all weights may be zero.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64.

    Raises
    ------
    ValueError
        If the number of weights is not `n_rows`, a weight is negative, missing or infinite, or all
        weights are zero.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = as_floats(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got shape {weights.shape}.")
    if len(weights) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: sample_weight has "
            f"{len(weights)} weights for {n_rows} rows. Pass one weight per row."
        )
    check_array(weights, ensure_2d=False, input_name="sample_weight")
    _check_finite_and_not_negative(weights, "sample_weight")
    if not (allow_zero or weights.any()):
        raise ValueError("All weights are zero. Give at least one row a positive weight.")
    return weights


def weights_by_code(codes, ids, scheme, sample_weight, name: str = "series_weight") -> np.ndarray:
    """Compute `series_weights` for encoded ids and validated sample weights.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Position of the id of each row in `ids`.
    ids : pandas.Index of shape (n_series,)
    scheme : "balanced", float, dict, Series, callable or None
    sample_weight : ndarray of shape (n_rows,)
    name : str, default="series_weight"
        Name of `scheme` in messages.

    Returns
    -------
    ndarray of shape (n_rows,)
        float64 weights with mean 1.
    """
    sizes = np.bincount(codes, weights=sample_weight, minlength=len(ids))
    weights = sample_weight * series_factors(scheme, sizes, ids, name)[codes]
    return weights * factor_to_mean_one(weights.sum(), len(weights))


def factor_to_mean_one(total: float, n_rows: int) -> float:
    """Return the factor that gives weights with this sum the mean 1; they may not all be zero."""
    if not total > 0:
        raise ValueError("All weights are zero. Give at least one row a positive weight.")
    return n_rows / total


def series_factors(scheme, sizes, ids, name: str = "series_weight") -> np.ndarray:
    """Compute the weight per row of each series; series of size 0 get 0.

    `name` is that of `scheme` in messages.
    """
    if scheme is None:
        return np.ones(len(sizes))
    if isinstance(scheme, str):
        if scheme != "balanced":
            raise ValueError(
                f"Unknown weighting scheme {scheme!r}. The only named scheme is 'balanced'."
            )
        scheme = 1.0
    if isinstance(scheme, (int, float, np.number)) and not isinstance(scheme, bool):
        return _factors_by_size(float(scheme), sizes)
    if callable(scheme):
        scheme = _call_scheme(scheme, sizes, ids)
    if not isinstance(scheme, (Mapping, pd.Series)):
        raise ValueError(
            f"The weighting scheme must be 'balanced', a number in [0, 1], a dict or Series by "
            f"id, a callable or None, got {scheme!r}."
        )
    return _factors_by_id(series_by_id(scheme, name, float), sizes > 0, ids, name)


def _factors_by_size(power, sizes) -> np.ndarray:
    if not 0 <= power <= 1:
        raise ValueError(f"A numeric weighting scheme must be in [0, 1], got {power!r}.")
    present = sizes > 0
    return np.where(present, np.where(present, sizes, 1.0) ** -power, 0.0)


def _call_scheme(scheme, sizes, ids):
    """Call a scheme with the sizes of the series, and return its weights by id."""
    present = sizes > 0
    weights = scheme(pd.Series(sizes[present], index=ids[present]))
    if isinstance(weights, (Mapping, pd.Series)):
        return weights
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (present.sum(),):
        raise ValueError(
            f"The callable weighting scheme received the sizes of {present.sum()} series and "
            f"returned an array of shape {weights.shape}. It must return one weight per series."
        )
    return pd.Series(weights, index=ids[present])


def _factors_by_id(weights, present, ids, name) -> np.ndarray:
    factors = np.zeros(len(ids))
    factors[present] = look_up(weights, ids[present], name, "Give every series a weight.")
    _check_finite_and_not_negative(factors, name)
    return factors


def _check_finite_and_not_negative(weights, name) -> None:
    if (weights < 0).any():
        raise ValueError(
            f"Negative values in {name} (the smallest is {weights.min()}), expected 0 or more. "
            "To leave a row out of the loss, set its weight to 0."
        )
    if not np.isfinite(weights).all():
        raise ValueError(f"Infinite values in {name}, expected finite ones. Replace them.")
