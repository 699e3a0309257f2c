"""Lazy windows over the sorted rows of a panel."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided

from sklstm._panel.rows import SeriesRows, position_dtype, take_rows


def gather(rows, ends, n_observed, window_length, spacing=1, padding="edge"):
    """Copy windows out of sorted rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows sorted by series and time.
    ends : ndarray of shape (n_windows,)
        Position of each window's last row.
    n_observed : ndarray of shape (n_windows,)
        Real rows in each window, at least one.
    window_length, spacing : int
        Rows in a window and their spacing.
    padding : {"edge", "zero", "nan"}
        What stands where a window has no real row: its oldest real row, 0 or NaN.

    Returns
    -------
    ndarray of shape (n_windows, window_length, n_features)
        C-contiguous, dtype as `rows`.
    """
    if spacing > 1 or len(rows) < window_length or not rows_stand_whole(rows):
        return _gather_row_by_row(rows, ends, n_observed, window_length, spacing, padding)
    out = _gather_whole(rows, ends, window_length)
    short = np.flatnonzero(n_observed < window_length)
    if len(short):
        ends, n_observed = ends[short], n_observed[short]
        out[short] = _gather_row_by_row(rows, ends, n_observed, window_length, spacing, padding)
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


def _gather_row_by_row(rows, ends, n_observed, window_length, spacing, padding):
    lags = np.arange(window_length - 1, -1, -1)
    back = np.minimum(lags, n_observed[:, np.newaxis] - 1)
    at = ends[:, np.newaxis] - spacing * back
    out = take_rows(rows, at)
    if padding != "edge":
        out[lags >= n_observed[:, np.newaxis]] = 0 if padding == "zero" else np.nan
    return out


def count_observed(starts, n_rows, window_length, spacing):
    """Real rows in the window that ends at each row, where runs of rows start at `starts`."""
    dtype = position_dtype(n_rows)
    observed = np.arange(n_rows, dtype=dtype)
    observed -= starts.astype(dtype).repeat(np.diff(starts, append=n_rows))
    observed //= spacing
    observed += 1
    return np.minimum(observed, window_length, out=observed).astype(np.int32, copy=False)


def whole_length(codes, starts, which, spacing=1):
    """Rows of a window that is as long as a whole series.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Number of each row's series, sorted; no number is left out.
    starts : ndarray of shape (n_runs,)
        Positions of the first row of each run without a gap.
    which : {"longest", "shortest"}
        The series that counts; a series is as long as its longest run.
    spacing : int, default=1
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
    return int((n_rows - 1) // spacing + 1)


def _full_key(key):
    """Spell an index of a 3-D array out: a tuple of three, its Ellipsis as full slices."""
    key = key if isinstance(key, tuple) else (key,)
    at = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    rest = key[at + 1 :]
    if len(key[:at]) + len(rest) > 3:
        raise IndexError(f"Windows have 3 dimensions, got {len(key[:at]) + len(rest)} indices.")
    return (*key[:at], *[slice(None)] * (3 - at - len(rest)), *rest)


@dataclass(frozen=True, eq=False)
class WindowNormalization:
    """Normalise each window by its own center and scale: ``(values - center) / scale``.

    Attributes
    ----------
    center, scale : ndarray of shape (n_windows, n_normalized)
        Of each window, for its first `n_normalized` features; the others keep their values.
    limit : float
        Soft bound of the normalised values, against outliers: ``x`` becomes
        ``x / sqrt(1 + (x / limit) ** 2)``.
    """

    center: np.ndarray
    scale: np.ndarray
    limit: float

    def __getitem__(self, key):
        return WindowNormalization(self.center[key], self.scale[key], self.limit)

    def apply(self, values):
        """Normalise windows of shape (n_windows, window_length, n_features) in place."""
        chosen = values[:, :, : self.center.shape[1]]
        chosen -= self.center[:, np.newaxis]
        chosen /= self.scale[:, np.newaxis]
        chosen /= np.sqrt(1 + np.square(chosen / self.limit))


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
    spacing : int, default=1
        Spacing of the rows inside a window.
    padding : {"edge", "zero", "nan"}, default="edge"
        What stands in front of too short a history.
    codes : ndarray of shape (n_rows,), default=None
        Number of each window's series: its position in `ids`. By default one series.
    ids : pandas.Index of shape (n_series,), default=None
        The ids.
    names : list of str, default=None
        Names of the features.
    normalization : WindowNormalization of n_rows windows, default=None
        Center and scale of each window, by which its values are normalised. Padding "zero" is 0
        after normalisation.

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
        spacing=1,
        padding="edge",
        codes=None,
        ids=None,
        names=None,
        normalization=None,
    ):
        self.rows = rows
        self.ends = ends
        self.n_observed = n_observed
        self.window_length = window_length
        self.spacing = spacing
        self.padding = padding
        self.codes = np.zeros(len(ends), np.int32) if codes is None else codes
        self.ids = pd.Index([0]) if ids is None else ids
        self.names = names
        self.normalization = normalization

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
    def series_rows(self) -> SeriesRows:
        """Index of the windows by series; the order is that of their last rows."""
        return SeriesRows(self.codes, self.ids, order=np.lexsort((self.ends, self.codes)))

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
                normalization=None if self.normalization is None else self.normalization[first],
            )
        block = self.gather(first)
        # NumPy pairs the elements of index arrays, so the rows must be an index array too.
        rows = slice(None) if isinstance(first, slice) else np.arange(len(block))
        return block[(rows, *rest)]

    def gather(self, key):
        """Windows chosen by a slice, mask or position array, as a new 3-D ndarray."""
        n_observed = self.n_observed[key]
        values = gather(
            self.rows, self.ends[key], n_observed, self.window_length, self.spacing, self.padding
        )
        if self.normalization is not None:
            self.normalization[key].apply(values)
            if self.padding == "zero":
                lags = np.arange(self.window_length - 1, -1, -1)
                values[lags >= n_observed[:, np.newaxis]] = 0
        return values

    def used_rows(self):
        """Mark the rows that stand in some window: a mask over `rows`."""
        mask = np.zeros(len(self.rows), bool)
        for lag in range(self.window_length):
            mask[self.ends - self.spacing * np.minimum(lag, self.n_observed - 1)] = True
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
