"""Convert inputs to validated float32 windows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, check_consistent_length

from sklstm._panel.categories import in_window
from sklstm._panel.find_categories import FROM_DTYPE, learn_categories
from sklstm._panel.frames import as_plain
from sklstm._panel.read import FLOATS, as_table, read_panel, select_features
from sklstm._panel.rows import encode_ids, id_index
from sklstm._panel.show import show
from sklstm._panel.user_warnings import warn_user
from sklstm._panel.windows import Windows
from sklstm.lstm._categories import of_columns, recode_categories


def as_array_like(X):
    """Return X itself if it has a number of dimensions, else an array of a nested list.

    Masked elements become NaN, and a DataFrame of another library one of pandas.
    """
    X = as_plain(X)
    if hasattr(X, "ndim"):
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        if isinstance(X, Iterable):
            lengths = list(dict.fromkeys(len(each) for each in X if hasattr(each, "__len__")))
            what = "a list that cannot be converted to an array"
            if len(lengths) > 1:
                what = f"a list of sequences of different lengths ({lengths[0]} and {lengths[1]})"
            raise ValueError(
                f"X is {what}, expected an array of shape (n_rows, window_length, n_features). "
                "Make a table of a list of series with sklstm.stack_series(X), and its windows "
                "with WindowTransformer."
            ) from error
        raise


def count_rows(X) -> int:
    """Return the number of rows of X, 0 for a number."""
    return X.shape[0] if X.ndim else 0


def read_windows(estimator, X, series_ids=None, *, reset, warn=False) -> Windows:
    """Convert inputs to validated float32 windows.

    Parameters
    ----------
    estimator : estimator
        Its parameters `series`, `time` and `series_embedding` are used, and ``n_features_in_`` and
        ``feature_names_in_`` are set or checked.
    X : Windows, ndarray of shape (n_rows, window_length, n_features) or 2-D table
        From `as_array_like`. A table becomes windows of length one.
    series_ids : array-like of shape (n_rows,), default=None
        Ids of the series, where X carries none.
    reset : bool
        Whether to set attributes (in a first fit) or to check X against them.
    warn : bool, default=False
        Whether to warn of values that lose most of their digits.

    Returns
    -------
    Windows
    """
    if isinstance(X, Windows) or X.ndim == 3:
        windows = X if isinstance(X, Windows) else _windows_of_array(X, estimator)
        _check_values(windows, estimator)
        if reset:
            _set_features(estimator, windows)
        else:
            _check_features(windows, estimator)
        if isinstance(X, Windows) and not reset:
            _check_padding(windows, estimator)
    else:
        windows = _windows_of_table(X, estimator, reset)
    if not reset:
        name = type(estimator).__name__
        windows = recode_categories(windows, estimator._network.categories, name)
    ids_in_X = isinstance(X, Windows) or (estimator.series is not None and X.ndim == 2)
    if series_ids is not None:
        windows = _with_series_ids(windows, series_ids, ids_in_X, estimator)
    _check_ids(estimator, ids_in_X, reset)
    values = to_float32(windows.rows, "X")
    if warn:
        warn_of_lost_digits(windows.rows, "X")
    return windows.with_rows(values)


def _windows_of_array(X, estimator):
    array = check_array(
        X, allow_nd=True, dtype=FLOATS, ensure_all_finite=False, estimator=estimator, input_name="X"
    )
    return Windows.from_array(np.ascontiguousarray(array))


def _windows_of_table(X, estimator, reset):
    """Convert a 2-D table to windows of length one."""
    if not reset and estimator.window_length_ != 1:
        raise ValueError(
            f"X has shape {X.shape}, but {type(estimator).__name__} was fitted on windows of "
            f"{estimator.window_length_} rows. Pass the output of the fitted WindowTransformer, or "
            "fit make_pipeline(WindowTransformer(...), net) and pass the panel to the pipeline."
        )
    ids = {"series": estimator.series, "time": estimator.time}
    if reset:
        categories = learn_categories([X], FROM_DTYPE, **ids)
    else:
        columns = select_features(as_table(X), None, **ids)
        categories = of_columns(estimator._network.categories, columns)
    panel = read_panel(
        X,
        categories=categories,
        **ids,
        estimator=estimator,
        reset=reset,
        ensure_all_finite=True,
    )
    named = hasattr(estimator, "feature_names_in_")
    return Windows(
        np.ascontiguousarray(panel.sort(panel.values)),
        panel.unsort(np.arange(len(panel))),
        np.ones(len(panel), np.int32),
        1,
        codes=panel.codes,
        ids=panel.ids,
        names=panel.names if named else None,
        categories=in_window(categories, panel.positions),
    )


def _check_values(windows, estimator):
    """Raise an error for empty windows, NaN and infinity."""
    name = type(estimator).__name__
    n_rows, _, n_features = windows.shape
    if n_rows == 0 or n_features == 0:
        raise ValueError(
            f"Found array with {n_rows} sample(s) and {n_features} feature(s) "
            f"(shape={windows.shape}) while a minimum of 1 is required by {name}."
        )
    if not all_finite(windows.rows) and not all_finite(windows.rows[windows.used_rows()]):
        missing = np.isnan(windows.rows).any()
        raise ValueError(
            f"Input X contains {'NaN' if missing else 'infinity'}{_not_finite_in(windows)}: {name} "
            "needs finite features. Impute before the windows: PerSeriesImputer carries the last "
            "known value of the series forward, or fills in a constant and adds a column that "
            "marks the filled values."
        )


def _not_finite_in(windows) -> str:
    """Name the features that are not finite, if the windows have names."""
    if not windows.names:
        return ""
    found = np.flatnonzero(~np.isfinite(windows.rows).all(axis=0))
    return f" in the features {[windows.names[i] for i in found]}"


def _set_features(estimator, windows):
    """Set the number of features; windows have no column names as scikit-learn defines them."""
    estimator.n_features_in_ = windows.shape[2]
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _check_features(windows, estimator):
    """Compare the shape and the feature names with those of fit."""
    name = type(estimator).__name__
    _, window_length, n_features = windows.shape
    if n_features != estimator.n_features_in_ or window_length != estimator.window_length_:
        raise ValueError(
            f"X has windows of {window_length} rows x {n_features} features, but {name} is "
            f"expecting {estimator.window_length_} rows x {estimator.n_features_in_} features as "
            "input. Use the WindowTransformer of fit, or fit again."
        )
    fitted_names = estimator._network.feature_names
    if windows.names and fitted_names and windows.names != fitted_names:
        raise ValueError(
            f"The windows hold the features {windows.names}, but {name} was fitted on "
            f"{fitted_names}, in this order."
        )


def _check_padding(windows, estimator):
    """Raise an error if padding is masked now and was not in fit, or the reverse."""
    padded = (windows.n_observed < windows.window_length).any()
    masked = estimator._network.spec.masked
    if padded and (windows.padding == "nan") != masked:
        raise ValueError(
            f"The windows are padded with {windows.padding!r}, and those of fit were "
            f"{'' if masked else 'not '}padded with 'nan': use the same padding in fit and predict."
        )


def _with_series_ids(windows, series_ids, ids_in_X, estimator):
    """Set the ids that were passed beside X."""
    if ids_in_X:
        raise ValueError("X carries its series ids already: leave series_ids=None.")
    if estimator.series_embedding:
        raise ValueError(
            "series_embedding needs the ids in X itself, since predict takes no others: pass "
            "Windows, or a table and the name of its ids with series=."
        )
    check_consistent_length(windows, series_ids)
    return windows.with_series(*encode_ids(id_index(series_ids), len(windows)))


def _check_ids(estimator, ids_in_X, reset):
    """Check that an embedding can look up the ids in X, in fit and in predict alike."""
    if reset:
        estimator._ids_in_X = ids_in_X
        if estimator.series_embedding and not ids_in_X:
            warn_user(
                "X carries no ids, so all rows are one series and series_embedding has no effect. "
                "Pass Windows, or name the ids with series=."
            )
    elif estimator.embedded_ids_ is not None and ids_in_X != estimator._ids_in_X:
        raise ValueError(
            "series_embedding looks up the ids that X carries: X carried "
            f"{'ids' if estimator._ids_in_X else 'none'} in fit, but "
            f"{'ids' if ids_in_X else 'none'} now. Pass Windows, or a table and the name of its "
            "ids with series=."
        )


def all_finite(array) -> bool:
    """Whether an array holds neither NaN nor infinity."""
    # The sum is finite if all elements are, and takes one pass without a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def to_float32(array, name) -> np.ndarray:
    """Convert to float32; raise an error if a finite value becomes infinite."""
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(np.float32)
    if np.isinf(converted).any() and not np.isinf(array).any():
        raise ValueError(
            f"Input {name} contains a value too large for dtype('float32'), in which the network "
            "computes: scale it first."
        )
    return converted


def warn_of_lost_digits(array, name) -> None:
    """Warn of columns whose variation, compared with their level, is too small for float32."""
    if array.dtype == np.float32:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        known = ~np.isnan(array)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, array, 0).sum(axis=0) / count
        deviation = np.sqrt((np.where(known, array - mean, 0) ** 2).sum(axis=0) / count)
        level = np.abs(mean)
        # The mean of equal numbers may differ from them in its last digit.
        highest = np.where(known, array, -np.inf).max(axis=0)
        varies = highest > np.where(known, array, np.inf).min(axis=0)
        # float32 has 24 bits: at a level of 2 ** 14 deviations, ten bits are left.
        lost = np.flatnonzero(varies & (deviation * 2**14 < level))
    if len(lost):
        remedy = "Put PerSeriesScaler before the windows, or subtract the mean."
        if name == "y":
            remedy = "Scale y with PerSeriesTargetRegressor, or subtract the mean."
        more = f" So do the columns {lost[1:10].tolist()}." if len(lost) > 1 else ""
        warn_user(
            f"Column {lost[0]} of {name} varies by only {deviation[lost[0]]:.3g} around "
            f"{level[lost[0]]:.3g}. The network computes in float32, which loses most of that."
            f"{more} {remedy}"
        )


def static_positions(windows: Windows, static_features) -> tuple[int, ...]:
    """Find the static features in a window, and check that they are constant within each series.

    Parameters
    ----------
    windows : Windows
    static_features : list of str or int, or None

    Returns
    -------
    tuple of int
        Positions.
    """
    if static_features is None:
        return ()
    names = windows.names or [f"x{place}" for place in range(windows.shape[2])]
    table = pd.DataFrame(columns=names)
    chosen = select_features(table, static_features, None, None, "static_features")
    if len(chosen) == len(names):
        raise ValueError(
            f"static_features= contains all {len(names)} features: leave at least one for the LSTM."
        )
    values = windows.rows[:, chosen][windows.ends]
    first = np.zeros(len(windows.ids), np.intp)
    first[windows.codes[::-1]] = np.arange(len(values))[::-1]
    # Scalers keep a constant constant up to rounding.
    differs = np.abs(values - values[first][windows.codes]) > 1e-5 * np.ptp(values, axis=0)
    if differs.any():
        row, column = np.argwhere(differs)[0]
        raise ValueError(
            f"The feature {names[chosen[column]]!r} is named in static_features and is not "
            f"constant within series {show(windows.ids[windows.codes[row]])}. Leave it out of "
            "static_features, or correct it: a scaler may have changed it before the windows, and "
            "an array without ids is one series (pass series_ids)."
        )
    return tuple(chosen)
