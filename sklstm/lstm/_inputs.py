"""What a net reads: windows of whatever X is, in numbers that it can tell apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from sklstm._panel.read import FLOATS, select_features
from sklstm._panel.windows import Windows


def all_finite(array):
    """Whether an array holds neither NaN nor infinity."""
    # The sum is finite where all elements are, and costs one pass without a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def to_float32(array, name):
    """Convert to float32, the net's numbers, unless that makes a number infinite."""
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(np.float32)
    if np.isinf(converted).any() and not np.isinf(array).any():
        raise ValueError(
            f"Input {name} contains a value too large for dtype('float32'), in which the net "
            "computes: scale it first."
        )
    return converted


def warn_of_lost_digits(array, name):
    """Warn of columns whose variation is too small, beside their level, for float32."""
    if array.dtype == np.float32:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        known = ~np.isnan(array)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, array, 0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, array - mean, 0) ** 2).sum(axis=0) / count)
        level = np.abs(mean)
        # float32 has 24 bits: a level of 2 ** 14 deviations leaves ten bits for the rest.
        lost = np.flatnonzero((spread > 0) & (spread * 2**14 < level))
    if len(lost):
        warnings.warn(
            f"Column(s) {lost[:10].tolist()} of {name} vary by little beside their level (by "
            f"{spread[lost[0]]:.3g} around {level[lost[0]]:.3g} in the first): the net computes in "
            "float32 and sees few digits of it. Scale the features, or subtract the level.",
            UserWarning,
            stacklevel=4,
        )


def array_of(X):
    """Make an array of a nested list."""
    try:
        return np.asarray(X)
    except ValueError as error:
        if isinstance(X, Iterable):
            raise ValueError(
                "X is a list that makes no array. Are these series of unequal length? "
                "sklstm.stack_series makes a panel of them, WindowTransformer its windows."
            ) from error
        raise


def windows_of(X, name):
    """Make `Windows` of a 3-D array, for an estimator of that name."""
    array = check_array(
        X, allow_nd=True, dtype=FLOATS, ensure_all_finite=False, estimator=name, input_name="X"
    )
    return Windows.from_array(np.ascontiguousarray(array))


def series_numbers(windows, embedded_ids):
    """Look up the number of each window's series, 0 for one without a vector.

    Parameters
    ----------
    windows : Windows
    embedded_ids : pandas.Index or None
        The series that have vectors; None: there are none.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        int32.
    """
    if embedded_ids is None:
        return None
    numbers = embedded_ids.get_indexer(windows.ids) + 1
    return numbers.astype(np.int32)[windows.codes]


def static_places(windows, static_features):
    """Find the positions of the static features in a window, and check that they are static.

    Parameters
    ----------
    windows : Windows
    static_features : list of str or int, or None

    Returns
    -------
    tuple of int
    """
    if static_features is None:
        return ()
    names = windows.names or [f"x{place}" for place in range(windows.shape[2])]
    table = pd.DataFrame(columns=names)
    chosen = select_features(table, static_features, None, None, "static_features")
    if len(chosen) == len(names):
        raise ValueError(
            f"static_features names all {len(names)} features: none is left for the LSTM."
        )
    values = windows.rows[:, chosen][windows.ends]
    first = np.zeros(len(windows.ids), np.intp)
    first[windows.codes[::-1]] = np.arange(len(values))[::-1]
    # Scalers leave a constant constant up to rounding.
    away = np.abs(values - values[first][windows.codes]) > 1e-5 * np.ptp(values, axis=0)
    if away.any():
        row, column = np.argwhere(away)[0]
        raise ValueError(
            f"The feature {names[chosen[column]]!r} is named in static_features and is not "
            f"constant within series {windows.ids.tolist()[windows.codes[row]]!r}. Leave it out "
            "there, or mend it: a scaler may have changed it ahead of the windows, and an array "
            "that carries no ids is one series (pass series_ids)."
        )
    return tuple(chosen)
