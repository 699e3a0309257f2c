"""Represent windows over the sorted rows of a panel without copying the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd

from sklstm._panel.categories import CategoricalFeature
from sklstm._panel.gather import gather
from sklstm._panel.rows import SeriesRows, position_dtype


def count_observed(starts: np.ndarray, n_rows: int, window_length: int, spacing: int) -> np.ndarray:
    """Count the observed rows in the window that ends at each row.

    Parameters
    ----------
    starts : ndarray of shape (n_runs,)
        Positions of the first row of each run of rows without a gap.
    n_rows, window_length, spacing : int
        Number of all rows, number of rows in a window, and the distance between them.

    Returns
    -------
    ndarray of shape (n_rows,)
        int32, at least 1.
    """
    dtype = position_dtype(n_rows)
    observed = np.arange(n_rows, dtype=dtype)
    observed -= starts.astype(dtype).repeat(np.diff(starts, append=n_rows))
    observed //= spacing
    observed += 1
    return np.minimum(observed, window_length, out=observed).astype(np.int32, copy=False)


def whole_series_length(
    rows: SeriesRows, which: str, spacing: int = 1, max_gap: float | None = None
) -> int:
    """Return the number of rows in a window that covers a whole series.

    Parameters
    ----------
    rows : SeriesRows
        The rows of the series; every series has at least one.
    which : {"longest", "shortest"}
        The series to cover. The length of a series is that of its longest run without a gap.
    spacing : int, default=1
        Distance between the rows of a window.
    max_gap : number, default=None
        Largest distance in time of two rows of one run. None: no limit.

    Returns
    -------
    int
        At least 1.
    """
    starts = rows.run_starts(max_gap)
    longest_runs = np.zeros(len(rows.ids), np.intp)
    run_lengths = np.diff(starts, append=len(rows))
    np.maximum.at(longest_runs, rows.sort(rows.codes)[starts], run_lengths)
    n_rows = longest_runs.max() if which == "longest" else longest_runs.min()
    return int((n_rows - 1) // spacing + 1)


def _expand_key(key: Any) -> tuple[Any, ...]:
    """Return an index of a 3-D array as a tuple of three, with slices in place of an Ellipsis."""
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
        Center and scale of each window, for its first `n_normalized` features. The other features
        are not changed. They are converted to the precision of the values.
    limit : float
        Soft bound of the normalised values, against outliers: ``x`` becomes
        ``x / sqrt(1 + (x / limit) ** 2)``.
    """

    center: np.ndarray
    scale: np.ndarray
    limit: float

    def __getitem__(self, key: Any) -> WindowNormalization:
        return WindowNormalization(self.center[key], self.scale[key], self.limit)

    def apply(self, values: np.ndarray) -> None:
        """Normalise windows of shape (n_windows, window_length, n_features) in place."""
        normalized = values[:, :, : self.center.shape[1]]
        normalized -= self.center[:, np.newaxis].astype(values.dtype, copy=False)
        normalized /= self.scale[:, np.newaxis].astype(values.dtype, copy=False)
        normalized /= np.sqrt(1 + np.square(normalized / self.limit))


class Windows:
    """Represent the windows over the rows of a panel as one lazy 3-D array.

    The windows share their rows: each row is stored once, and a window is stored as the position
    of its last row. So memory grows with the number of rows, whatever the window length.

    To NumPy, a `Windows` object is an array of shape ``(n_rows, window_length, n_features)``.
    ``np.asarray`` creates this array, and an integer index returns one window as an ndarray. A
    slice, a mask or an array of positions returns `Windows` over the same rows. The rows may be the
    array that was passed rather than a copy of it; modifying that array then changes the windows
    too.

    Parameters
    ----------
    rows : ndarray of shape (n_stored, n_features)
        Rows sorted by series and time.
    ends : ndarray of shape (n_rows,)
        Position in `rows` of the last row of each window.
    n_observed : ndarray of shape (n_rows,)
        Number of observed rows in each window; the other rows are padding.
    window_length : int
        Number of rows in a window.
    spacing : int, default=1
        Distance between the rows of a window: 2 takes every second row.
    padding : {"edge", "zero", "nan"}, default="edge"
        Value of the rows before the observed ones: the oldest observed row, 0 or NaN.
    codes : ndarray of shape (n_rows,), default=None
        Series of each window, as a position in `ids`. None: one series.
    ids : pandas.Index of shape (n_series,), default=None
        Ids of the series.
    names : list of str, default=None
        Names of the features.
    normalization : WindowNormalization of n_rows windows, default=None
        Center and scale of each window, by which its values are normalised. With "zero" padding,
        the padding is 0 after normalisation.
    categories : sequence of CategoricalFeature, default=()
        The features whose values are codes of categories.

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
        rows: np.ndarray,
        ends: np.ndarray,
        n_observed: np.ndarray,
        window_length: int,
        *,
        spacing: int = 1,
        padding: str = "edge",
        codes: np.ndarray | None = None,
        ids: pd.Index | None = None,
        names: list[str] | None = None,
        normalization: WindowNormalization | None = None,
        categories: Sequence[CategoricalFeature] = (),
    ) -> None:
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
        self.categories = tuple(categories)

    @classmethod
    def from_array(cls, array: np.ndarray) -> Self:
        """Make Windows from an array of windows.

        Rows of NaN at the start of a window are padding. Later rows of NaN are not, since they
        may be missing observations.

        Parameters
        ----------
        array : ndarray of shape (n_windows, window_length, n_features)

        Returns
        -------
        Windows
        """
        n_windows, window_length, n_features = array.shape
        n_observed = np.full(n_windows, window_length, np.int32)
        with np.errstate(invalid="ignore", over="ignore"):
            any_missing = np.isnan(array.sum())  # needs no memory, unlike a mask
        if any_missing:
            observed = ~np.isnan(array).all(axis=2)
            has_rows = observed.any(axis=1)
            n_observed[has_rows] -= observed[has_rows].argmax(axis=1).astype(np.int32)
        return cls(
            array.reshape(n_windows * window_length, n_features),
            np.arange(window_length - 1, n_windows * window_length, window_length),
            n_observed,
            window_length,
            padding="nan" if (n_observed < window_length).any() else "edge",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array: (n_rows, window_length, n_features)."""
        return (len(self.ends), self.window_length, self.rows.shape[1])

    @property
    def dtype(self) -> np.dtype:
        """Data type of the values."""
        return self.rows.dtype

    @property
    def size(self) -> int:
        """Number of values in the array."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Number of bytes in memory, shared rows included; the array would take more."""
        stored = (self.rows, self.ends, self.n_observed, self.codes)
        return sum(array.nbytes for array in stored)

    @property
    def series_rows(self) -> SeriesRows:
        """Index of the windows by series, in the order of their last rows."""
        return SeriesRows(self.codes, self.ids, order=np.lexsort((self.ends, self.codes)))

    @property
    def series(self) -> pd.Index:
        """Id of the series of each window."""
        return self.ids.take(self.codes)

    def __len__(self) -> int:
        return len(self.ends)

    def __sizeof__(self) -> int:
        # Joblib sends arguments of this size to each of Dask's workers once, not with every task.
        return object.__sizeof__(self) + self.nbytes

    def __repr__(self) -> str:
        return f"<Windows of shape {self.shape}, {self.dtype}, {self.nbytes / 1e6:.1f} MB>"

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "Windows cannot be converted to an array without a copy: use copy=True or None."
            )
        array = self.gather(slice(None))
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        first, *rest = _expand_key(key)
        if isinstance(first, Integral) and not isinstance(first, (bool, np.bool_)):
            return self.gather(np.array([range(len(self))[first]]))[(0, *rest)]
        if not isinstance(first, slice):
            first = np.asarray(first)
            if first.size == 0:
                first = first.astype(np.intp)
            if first.ndim != 1:
                raise IndexError(f"The first index of Windows must be 1-D, got {first.ndim}-D.")
        if all(isinstance(part, slice) and part == slice(None) for part in rest):
            return self._with(
                ends=self.ends[first],
                n_observed=self.n_observed[first],
                codes=self.codes[first],
                normalization=None if self.normalization is None else self.normalization[first],
            )
        block = self.gather(first)
        # NumPy combines index arrays element by element, so the rows must be an index array too.
        rows = slice(None) if isinstance(first, slice) else np.arange(len(block))
        return block[(rows, *rest)]

    def gather(self, key: Any) -> np.ndarray:
        """Copy chosen windows into a new array.

        Parameters
        ----------
        key : slice or ndarray
            A slice, a mask or positions.

        Returns
        -------
        ndarray of shape (n_chosen, window_length, n_features)
        """
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

    def used_rows(self) -> np.ndarray:
        """Mark the rows that are in at least one window.

        Returns
        -------
        ndarray of shape (n_stored,)
            A mask over `rows`.
        """
        mask = np.zeros(len(self.rows), bool)
        for lag in range(self.window_length):
            mask[self.ends - self.spacing * np.minimum(lag, self.n_observed - 1)] = True
        return mask

    def with_series(self, codes: np.ndarray, ids: pd.Index) -> Windows:
        """Replace the ids of the series.

        Parameters
        ----------
        codes : ndarray of shape (n_rows,)
            Code of each window's series: its position in `ids`.
        ids : pandas.Index of shape (n_series,)

        Returns
        -------
        Windows
            Over the same rows.
        """
        return self._with(codes=codes, ids=ids)

    def with_rows(self, rows: np.ndarray) -> Windows:
        """Replace the rows by rows with other values or another dtype.

        Parameters
        ----------
        rows : ndarray of shape (n_stored, n_features)

        Returns
        -------
        Windows
            With the same positions.
        """
        return self._with(rows=rows)

    def with_categories(self, categories: Sequence[CategoricalFeature]) -> Windows:
        """Replace the description of the features that are categories.

        Parameters
        ----------
        categories : sequence of CategoricalFeature

        Returns
        -------
        Windows
            Over the same rows.
        """
        return self._with(categories=tuple(categories))

    def _with(self, **changed: Any) -> Windows:
        other = copy(self)
        vars(other).update(changed)
        return other
