"""Windows over a panel: row t becomes the window that ends at row t of its series."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm.panel import (
    N_AT_ONCE,
    check_unchanged,
    column_names,
    gap_number,
    position_dtype,
    read_panel,
    run_starts,
    take_rows,
)

# ----------------------------------------------------------------------- pure functions


def gather(rows, ends, n_observed, window_length, step=1, padding="edge"):
    """Copy windows out of sorted rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows sorted by series and time.
    ends : ndarray of shape (n_windows,)
        Position of each window's last row.
    n_observed : ndarray of shape (n_windows,)
        Real rows in each window, at least one.
    window_length, step : int
        Rows in a window and their spacing.
    padding : {"edge", "zero", "nan"}
        What stands where a window has no real row: its oldest real row, 0 or NaN.

    Returns
    -------
    ndarray of shape (n_windows, window_length, n_features)
        C-contiguous, dtype as `rows`.
    """
    if step > 1 or len(rows) < window_length or not rows_stand_whole(rows):
        return _gather_row_by_row(rows, ends, n_observed, window_length, step, padding)
    out = _gather_whole(rows, ends, window_length)
    short = np.flatnonzero(n_observed < window_length)
    if len(short):
        ends, n_observed = ends[short], n_observed[short]
        out[short] = _gather_row_by_row(rows, ends, n_observed, window_length, step, padding)
    return out


def rows_stand_whole(rows):
    """Whether each row's values are neighbours in memory, and one row comes after another."""
    far, near = rows.strides
    return (near == rows.itemsize or rows.shape[1] == 1) and far > 0 and far % rows.itemsize == 0


def _gather_whole(rows, ends, window_length):
    """Copy windows of neighbouring rows, each as one piece of memory.

    Rows may be some columns of a wider array; then the pieces hold the others too.
    """
    n_features, width = rows.shape[1], rows.strides[0] // rows.itemsize
    n_values = (window_length - 1) * width + n_features
    pieces = as_strided(
        rows,
        (len(rows) - window_length + 1, n_values),
        (rows.strides[0], rows.itemsize),
        writeable=False,
    )
    # Too short a history may start before the first row; its window is filled in later.
    copied = pieces[np.maximum(ends - (window_length - 1), 0)]
    shape = (len(ends), window_length, n_features)
    if width == n_features:
        return copied.reshape(shape)
    strides = (copied.strides[0], width * rows.itemsize, rows.itemsize)
    return as_strided(copied, shape, strides).copy()


def _gather_row_by_row(rows, ends, n_observed, window_length, step, padding):
    lags = np.arange(window_length - 1, -1, -1)
    back = np.minimum(lags, n_observed[:, np.newaxis] - 1)
    at = ends[:, np.newaxis] - step * back
    out = take_rows(rows, at)
    if padding != "edge":
        out[lags >= n_observed[:, np.newaxis]] = 0 if padding == "zero" else np.nan
    return out


def count_observed(starts, n_rows, window_length, step):
    """Real rows in the window that ends at each row, where runs of rows start at `starts`."""
    dtype = position_dtype(n_rows)
    observed = np.arange(n_rows, dtype=dtype)
    observed -= starts.astype(dtype).repeat(np.diff(starts, append=n_rows))
    observed //= step
    observed += 1
    return np.minimum(observed, window_length, out=observed).astype(np.int32, copy=False)


def whole_length(codes, starts, which, step=1):
    """Rows of a window that is as long as a whole series.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Number of each row's series, sorted; no number is left out.
    starts : ndarray of shape (n_runs,)
        Positions of the first row of each run without a gap.
    which : {"longest", "shortest"}
        The series that counts; a series is as long as its longest run.
    step : int, default=1
        Spacing of the rows inside a window.

    Returns
    -------
    int
        At least 1.
    """
    series = codes[starts]
    longest_runs = np.zeros(series[-1] + 1, np.intp)
    np.maximum.at(longest_runs, series, np.diff(starts, append=len(codes)))
    n_rows = longest_runs.max() if which == "longest" else longest_runs.min()
    return int((n_rows - 1) // step + 1)


def largest_steps(time, starts):
    """Largest step in time in each run of rows that starts at one of `starts`."""
    step = np.diff(time, prepend=time[:1])
    step[starts] = 0
    return np.maximum.reduceat(step, starts).astype(np.float64)


def sorted_rows(values, order):
    """Rows of `values` at the positions `order`, C-contiguous."""
    out = np.empty((len(order), values.shape[1]), values.dtype)
    for start in range(0, len(order), N_AT_ONCE):
        part = slice(start, start + N_AT_ONCE)
        out[part] = take_rows(values, order[part])
    return out


def put_back(array, order):
    """Undo the sorting of an array: its element i goes to position ``order[i]``."""
    # In parts, since NumPy makes int64 of the positions that it is given.
    out = np.empty_like(array)
    for start in range(0, len(order), N_AT_ONCE):
        part = slice(start, start + N_AT_ONCE)
        out[order[part]] = array[part]
    return out


def _full_key(key):
    """Spell an index of a 3-D array out: a tuple of three, its Ellipsis as full slices."""
    key = key if isinstance(key, tuple) else (key,)
    at = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    rest = key[at + 1 :]
    if len(key[:at]) + len(rest) > 3:
        raise IndexError(f"Windows have 3 dimensions, got {len(key[:at]) + len(rest)} indices.")
    return (*key[:at], *[slice(None)] * (3 - at - len(rest)), *rest)


# ------------------------------------------------------------------- the lazy container


@dataclass(frozen=True, eq=False)
class OwnUnits:
    """Units in which each window stands by itself: ``(values - center) / scale``.

    Attributes
    ----------
    center, scale : ndarray of shape (n_windows, n_own)
        Of each window, for its first `n_own` features; the others stay as they are.
    limit : float
        Values bend towards this bound, on both sides, so that no outlier shouts: ``x`` becomes
        ``x / sqrt(1 + (x / limit) ** 2)``.
    """

    center: np.ndarray
    scale: np.ndarray
    limit: float

    def __getitem__(self, key):
        return OwnUnits(self.center[key], self.scale[key], self.limit)

    def apply(self, values):
        """Convert windows of shape (n_windows, window_length, n_features) in place."""
        own = values[:, :, : self.center.shape[1]]
        own -= self.center[:, np.newaxis]
        own /= self.scale[:, np.newaxis]
        own /= np.sqrt(1 + np.square(own / self.limit))


class Windows:
    """Windows over the rows of a panel, looked at as one 3-D array.

    The rows are held once and each window as the position of its last row, so memory
    grows with the rows and not with rows times window length. NumPy sees an array
    of shape ``(n_rows, window_length, n_features)``: ``np.asarray`` makes it, and an
    integer gives one window as an ndarray. The rows may be the caller's own array, not a
    copy: change that, and the windows change. A slice, a mask or an array of positions gives
    `Windows` again, over the same rows.

    Parameters
    ----------
    rows : ndarray of shape (n_held, n_features)
        Rows sorted by series and time.
    ends : ndarray of shape (n_rows,)
        Position in `rows` of each window's last row.
    n_observed : ndarray of shape (n_rows,)
        Real rows in each window; the others are padding.
    window_length : int
        Rows in a window.
    step : int, default=1
        Spacing of the rows inside a window.
    padding : {"edge", "zero", "nan"}, default="edge"
        What stands in front of too short a history.
    codes : ndarray of shape (n_rows,), default=None
        Number of each window's series: its position in `ids`. By default one series.
    ids : pandas.Index of shape (n_series,), default=None
        The ids.
    names : list of str, default=None
        Names of the features.
    units : OwnUnits of n_rows windows, default=None
        Units of each window's own, in which its values are given. Padding "zero" is 0 there.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import WindowTransformer
    >>> windows = WindowTransformer(3).fit_transform(np.arange(10.0).reshape(5, 2))
    >>> windows.shape
    (5, 3, 2)
    >>> windows.n_observed
    array([1, 2, 3, 3, 3], dtype=int32)
    >>> windows[4]
    array([[4., 5.],
           [6., 7.],
           [8., 9.]])
    """

    ndim = 3

    def __init__(
        self,
        rows,
        ends,
        n_observed,
        window_length,
        *,
        step=1,
        padding="edge",
        codes=None,
        ids=None,
        names=None,
        units=None,
    ):
        self.rows = rows
        self.ends = ends
        self.n_observed = n_observed
        self.window_length = window_length
        self.step = step
        self.padding = padding
        self.codes = np.zeros(len(ends), np.int32) if codes is None else codes
        self.ids = pd.Index([0]) if ids is None else ids
        self.names = names
        self.units = units

    @classmethod
    def from_array(cls, array):
        """Look at a 3-D array (n_windows, window_length, n_features) as Windows.

        Rows of NaN in front of the others are padding, "nan" then. Behind them they are not:
        that may be a reading that is missing.
        """
        n_windows, window_length, n_features = array.shape
        n_observed = np.full(n_windows, window_length, np.int32)
        with np.errstate(invalid="ignore", over="ignore"):
            any_missing = np.isnan(array.sum())  # one pass without a mask
        if any_missing:
            real = ~np.isnan(array).all(axis=2)
            padded = real.any(axis=1)
            n_observed[padded] -= real[padded].argmax(axis=1).astype(np.int32)
        return cls(
            array.reshape(n_windows * window_length, n_features),
            np.arange(window_length - 1, n_windows * window_length, window_length),
            n_observed,
            window_length,
            padding="nan" if (n_observed < window_length).any() else "edge",
        )

    @property
    def shape(self):
        """Shape as an array: (n_rows, window_length, n_features)."""
        return (len(self.ends), self.window_length, self.rows.shape[1])

    @property
    def dtype(self):
        """Data type of the values."""
        return self.rows.dtype

    @property
    def size(self):
        """Number of values that the array would hold."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self):
        """Bytes really held, shared rows included."""
        held = (self.rows, self.ends, self.n_observed, self.codes)
        return sum(array.nbytes for array in held)

    @property
    def series(self):
        """The id of each window's series, a pandas Index."""
        return self.ids.take(self.codes)

    def __len__(self):
        return len(self.ends)

    def __repr__(self):
        return f"<Windows of shape {self.shape}, {self.dtype}, {self.nbytes / 1e6:.1f} MB held>"

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("Windows hold each row once; making an array of them takes a copy.")
        array = self.gather(slice(None))
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key):
        first, *rest = _full_key(key)
        if isinstance(first, Integral) and not isinstance(first, (bool, np.bool_)):
            return self.gather(np.array([range(len(self))[first]]))[(0, *rest)]
        if not isinstance(first, slice):
            first = np.asarray(first)
            if first.size == 0:
                first = first.astype(np.intp)
            if first.ndim != 1:
                raise IndexError(f"Windows take one-dimensional row keys, got {first.ndim}-D.")
        if all(isinstance(part, slice) and part == slice(None) for part in rest):
            return self._with(
                ends=self.ends[first],
                n_observed=self.n_observed[first],
                codes=self.codes[first],
                units=None if self.units is None else self.units[first],
            )
        block = self.gather(first)
        # NumPy pairs the elements of index arrays, so the rows must be an index array too.
        rows = slice(None) if isinstance(first, slice) else np.arange(len(block))
        return block[(rows, *rest)]

    def gather(self, key):
        """Windows chosen by a slice, mask or position array, as a new 3-D ndarray."""
        n_observed = self.n_observed[key]
        values = gather(
            self.rows, self.ends[key], n_observed, self.window_length, self.step, self.padding
        )
        if self.units is not None:
            self.units[key].apply(values)
            if self.padding == "zero":
                lags = np.arange(self.window_length - 1, -1, -1)
                values[lags >= n_observed[:, np.newaxis]] = 0
        return values

    def held(self):
        """Mark the rows that stand in some window: a mask over `rows`."""
        mask = np.zeros(len(self.rows), bool)
        for lag in range(self.window_length):
            mask[self.ends - self.step * np.minimum(lag, self.n_observed - 1)] = True
        return mask

    def with_series(self, codes, ids):
        """Return the same windows under other series ids."""
        return self._with(codes=codes, ids=ids)

    def with_rows(self, rows):
        """Return the same windows over rows of other values or another dtype."""
        return self._with(rows=rows)

    def _with(self, **changed):
        twin = copy(self)
        vars(twin).update(changed)
        return twin


# ------------------------------------------------------------------------ the estimator


class WindowTransformer(TransformerMixin, BaseEstimator):
    """Turn each row of a panel into the window that ends at it.

    Rows stay rows: n rows give n windows, in the order of the input. A window holds rows
    of one series only, none later than its own row and none across a gap in time that is
    longer than allowed. So `window_length` is an ordinary parameter of a grid search.

    Parameters
    ----------
    window_length : int, "longest" or "shortest", default=24
        Rows in a window, the row itself included. "longest" and "shortest" take the rows of
        the longest or shortest series of fit, see the notes on whole series.
    step : int, default=1
        Spacing of the rows inside a window: 2 takes every second row.
    padding : {"edge", "zero", "nan"}, default="edge"
        What fills a window whose history is too short: its oldest real row, 0 or NaN.
        `Windows.n_observed` counts the real rows.
    max_gap : number, timedelta or str, default=None
        Largest step in time that a window may cross, in units of `time` (anything that
        pandas.Timedelta takes, for dates). None: gaps are no bounds. Needs `time`.
    output : {"windows", "3d", "2d"}, default="windows"
        Lazy :class:`Windows`, a 3-D array, or a 2-D lag table with names such as
        ``pressure_lag3``, so that other regressors take the same pipeline. The arrays no
        longer know their series nor which rows are padding.
    columns : list of str or int, default=None
        The features that enter the windows, by default all.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: rows of a series are in
        time order as given.

    Attributes
    ----------
    window_length_ : int
        Rows in a window.
    n_features_in_ : int
        Columns seen in fit, ids included.
    feature_names_in_ : ndarray of str
        Their names, where X had them.
    context_ : dict or None
        Where `time` is known, what `transform` puts before rows that continue a series of
        fit: the last rows of each series (``rows``, ``time``, ``codes``), the ``ids``, each
        series' ``last_time`` and the largest distance ``max_gap`` to its next row.

    Notes
    -----
    **Context.** Where `time` is known, rows of a fitted series that are later than its last
    fitted row are windows over the fitted rows too, if the first of them is no farther
    from the last fitted row than `max_gap` (None: the largest step of that series in fit; a
    series of one row takes the largest of all series, and where there is none, no context).
    Such rows never look at earlier rows passed beside them, so that predictions are the
    same with and without the history. All other rows see only rows passed with them.

    Splits that shuffle the rows of a series (KFold with ``shuffle=True``, say) tear the
    windows and are not supported: use GroupKFold by series, or splits in time.

    **Whole series.** "longest" is the least length at which no window of fit is cut: the window
    of a row holds all earlier rows of its series, and padding before them. "shortest" is the
    greatest length that every series fills. What counts of a series is its longest run of rows
    without a gap (`max_gap`), spaced by `step`. In `transform` the length stays that of fit, and
    a longer history is cut to its latest rows.

    - A fixed length is the first choice for long series, whose distant past says little.
    - "longest" is for histories of up to a few hundred rows any part of which may matter, their
      length itself included, and for a target a series, such as a quality or a time to repair.
      Let y then be NaN but at each series' last row, and set ``min_observed=1`` in
      :class:`MultiSeriesLSTMRegressor`.
    - "shortest" is for series of nearly equal length, without padding; one short series makes
      all windows short.

    With "longest", pad with "nan" or "zero": the oldest row, a hundred times over, is mostly its
    noise. Whatever the padding, a net sees how long a history is, and over masked padding it
    counts the rows: where lengths and targets go together in training, it takes the one for a
    hint at the other. docs/decisions.md has figures.

    With `output` "windows" and "3d", `set_output` is accepted and has no effect.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import WindowTransformer
    >>> X = pd.DataFrame({"unit": [1, 1, 1, 2], "p": [1.0, 2.0, 3.0, 9.0]})
    >>> WindowTransformer(2, output="2d", series="unit").set_output(
    ...     transform="pandas").fit_transform(X)
       p_lag1  p_lag0
    0     1.0     1.0
    1     1.0     2.0
    2     2.0     3.0
    3     9.0     9.0

    Whole series, padded in front:

    >>> whole = WindowTransformer("longest", padding="zero", series="unit").fit(X)
    >>> whole.window_length_
    3
    >>> whole.transform(X)[1]
    array([[0.],
           [1.],
           [2.]])
    """

    _parameter_constraints: dict = {
        "window_length": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"longest", "shortest"}),
        ],
        "step": [Interval(Integral, 1, None, closed="left")],
        "padding": [StrOptions({"edge", "zero", "nan"})],
        "max_gap": "no_validation",
        "output": [StrOptions({"windows", "3d", "2d"})],
        "columns": ["array-like", str, Integral, None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        window_length=24,
        *,
        step=1,
        padding="edge",
        max_gap=None,
        output="windows",
        columns=None,
        series=None,
        time=None,
    ):
        self.window_length = window_length
        self.step = step
        self.padding = padding
        self.max_gap = max_gap
        self.output = output
        self.columns = columns
        self.series = series
        self.time = time

    def fit(self, X, y=None):
        """Learn the columns and, where `time` is known, each series' last rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Learn the columns and the context, and give each row of the same panel its window.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        Windows, ndarray or DataFrame
            As `transform` returns it.
        """
        return self._output(self._fit(X))

    def _fit(self, X):
        """Learn from a panel, and return it as read."""
        self._validate_params()
        panel = self._read(X, reset=True)
        self._positions = panel.positions
        self._names = column_names(X, panel.positions)
        gap = gap_number(self.max_gap, panel.time_kind)
        self.window_length_ = self._length(panel, gap)
        self.context_: Any = None if self.time is None else self._last_rows(panel, gap)
        return panel

    def transform(self, X):
        """Give each row its window.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel with the columns of fit.

        Returns
        -------
        Windows, ndarray or DataFrame
            Of shape (n_rows, window_length, n_features), or with ``output="2d"``
            (n_rows, window_length * n_features): oldest row first, rows as in X.
        """
        check_is_fitted(self)
        return self._output(self._read(X, reset=False))

    def _output(self, panel):
        windows = self._windows(panel)
        if self.output == "windows":
            return windows
        array = np.asarray(windows)
        return array if self.output == "3d" else array.reshape(len(array), -1)

    @available_if(lambda self: self.output == "2d")
    def get_feature_names_out(self, input_features=None):
        """Names of the lag table's columns (only with ``output="2d"``).

        Parameters
        ----------
        input_features : array-like of str, default=None
            The columns of fit; only checked.

        Returns
        -------
        ndarray of str
            ``<feature>_lag<rows back>``, the oldest row's features first.
        """
        check_is_fitted(self)
        names = self._names
        if input_features is not None:
            input_features = np.asarray(input_features, dtype=object)
            known = getattr(self, "feature_names_in_", None)
            if known is not None and not np.array_equal(known, input_features):
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(input_features) != self.n_features_in_:
                raise ValueError(
                    "input_features should have length equal to number of features "
                    f"({self.n_features_in_}), got {len(input_features)}"
                )
            if known is None:
                names = [str(input_features[position]) for position in self._positions]
        lags = range(self._reach(), -1, -self.step)
        return np.asarray([f"{name}_lag{lag}" for lag in lags for name in names], dtype=object)

    def set_output(self, *, transform=None):
        """Set the container of the lag table (``output="2d"``).

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn; remembered, but without effect for other outputs.

        Returns
        -------
        self
        """
        if transform is not None:
            self._sklearn_output_config = {
                **getattr(self, "_sklearn_output_config", {}),
                "transform": transform,
            }
        return self

    def _read(self, X, reset):
        names = ["window_length", "step", "max_gap", "columns", "series", "time"]
        check_unchanged(self, names, reset=reset)
        return read_panel(
            X,
            columns=self.columns,
            series=self.series,
            time=self.time,
            estimator=self,
            reset=reset,
        )

    def _length(self, panel, gap):
        """Rows in a window."""
        if not isinstance(self.window_length, str):
            return int(self.window_length)
        codes, time, order = panel.codes, panel.time, panel.order
        if order is not None:
            codes, time = codes[order], None if time is None else time[order]
        starts = run_starts(codes, time, gap)
        return whole_length(codes, starts, self.window_length, self.step)

    def _reach(self):
        """How many rows before its own a window can hold."""
        return (self.window_length_ - 1) * self.step

    def _last_rows(self, panel, gap):
        """Context for transform: of each series, the rows that later windows can reach."""
        codes, time, order = panel.codes, panel.time, panel.order
        if order is not None:
            codes, time = codes[order], time[order]
        starts = run_starts(codes)
        ends = np.append(starts[1:], len(time))
        if gap is None:
            largest = largest_steps(time, starts)
            # A series of one row has no step of its own: it takes the panel's largest.
            allowed = np.where(largest > 0, largest, largest.max())
        else:
            allowed = np.full(len(starts), gap)
        n_kept = np.minimum(ends - starts, self._reach())
        dtype = position_dtype(len(time))
        kept = (ends - np.cumsum(n_kept)).astype(dtype).repeat(n_kept)
        kept += np.arange(len(kept), dtype=dtype)
        return {
            "rows": sorted_rows(panel.values, kept if order is None else order[kept]),
            "time": time[kept],
            "codes": np.arange(len(starts), dtype=np.int32).repeat(n_kept),
            "ids": panel.ids,
            "last_time": time[ends - 1],
            "max_gap": allowed,
        }

    def _windows(self, panel):
        values, codes, time, order = panel.values, panel.codes, panel.time, panel.order
        later, n_context = None, 0
        if self.context_ is not None:
            later, context = self._context_for(panel)
            n_context = len(context["codes"])
            if n_context:
                values = np.concatenate([context["rows"].astype(values.dtype), values])
                codes = np.concatenate([context["codes"], codes])
                time = np.concatenate([context["time"], time])
                later = np.concatenate([np.ones(n_context, bool), later])
                # Earlier rows passed beside the later ones sort before the context.
                order = np.lexsort((time, later, codes))
        n_rows, gap = len(codes), gap_number(self.max_gap, panel.time_kind)
        time = None if gap is None else time
        if order is None:
            starts = run_starts(codes, time, gap, later)
        else:
            marks = (None if mark is None else mark[order] for mark in (time, later))
            starts = run_starts(codes[order], next(marks), gap, next(marks))
        # Rows come last: what the steps before them needed is free again by then.
        observed = count_observed(starts, n_rows, self.window_length_, self.step)
        ends = np.arange(n_rows, dtype=position_dtype(n_rows))
        if order is not None:
            observed, ends = put_back(observed, order), put_back(ends, order)
            rows = sorted_rows(values, order)
        else:
            rows = values if rows_stand_whole(values) else np.ascontiguousarray(values)
        return Windows(
            rows,
            ends[n_context:],
            observed[n_context:],
            self.window_length_,
            step=self.step,
            padding=self.padding,
            codes=panel.codes,
            ids=panel.ids,
            names=self._names if hasattr(self, "feature_names_in_") else None,
        )

    def _context_for(self, panel):
        """Rows later than their series' last fitted one, and the context they get."""
        context = self.context_
        fitted = context["ids"].get_indexer(panel.ids)
        last_time = context["last_time"][fitted]
        later = panel.time > last_time[panel.codes]
        if (fitted < 0).any():
            later &= (fitted >= 0)[panel.codes]
        first = np.full(len(panel.ids), panel.time.max(), panel.time.dtype)
        continued = np.zeros(len(panel.ids), bool)
        if later.any():
            np.minimum.at(first, panel.codes[later], panel.time[later])
            continued[panel.codes[later]] = True
        continued &= first - last_time <= context["max_gap"][fitted]
        # From the numbers of fit to those of this panel; -1 where no context is wanted.
        code = np.full(len(context["ids"]), -1, np.int32)
        code[fitted[continued]] = np.flatnonzero(continued)
        wanted = np.flatnonzero(code[context["codes"]] >= 0)
        return later, {
            "rows": context["rows"][wanted],
            "time": context["time"][wanted],
            "codes": code[context["codes"][wanted]],
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
