"""Split every series of a panel in time."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklstm._panel.frames import as_plain
from sklstm._panel.read import read_series_rows
from sklstm._panel.rows import SeriesRows
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.user_warnings import warn_user
from sklstm._panel.windows import Windows
from sklstm.model_selection._cuts import check_cuts


class PerSeriesTimeSplit(BaseCrossValidator):
    """Split every series in time: train on its past, test on the rows that follow.

    Each series is split as :class:`~sklearn.model_selection.TimeSeriesSplit` would split it
    alone, counted back from its own last row. Fold k of the panel combines the k-th folds of all
    series. In each fold, the training rows of a series are all of its rows before its test rows.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    test_size : int, default=None
        Number of test rows per series and fold. None: ``n // (n_splits + 1)`` for a series of
        n rows, but at least 1.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: the rows of each series must
        already be in time order. Leave both out if X is a :class:`~sklstm.Windows` object.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Test on whole series; pass their ids as `groups`.

    Notes
    -----
    **Short series.** If a series has no rows before the test rows of a fold, it is left out of
    that fold: none of its rows are in the training or the test set. A warning counts these series.

    **Targets from later rows.** If targets are future values, set the regressor's `embargo` to
    the horizon. The last training rows then add nothing to the loss, but the windows of the test
    rows still contain them. This splitter has no gap between training and test rows, because a
    gap would remove these rows from the windows.

    **Dates.** Folds are counted in rows per series. If series end at different dates, a model may
    be trained on one series at dates on which another series is tested.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklstm import PerSeriesTimeSplit
    >>> X = pd.DataFrame({"shop": list("aaaabbb"), "day": [1, 2, 3, 4, 3, 2, 1], "x": 0.0})
    >>> for train, test in PerSeriesTimeSplit(2, series="shop", time="day").split(X):
    ...     print(train, test)
    [0 1 6] [2 5]
    [0 1 2 5 6] [3 4]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Integral, 1, None, closed="left"), None],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: int | None = None,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.test_size = test_size
        self.series = series
        self.time = time

    def split(
        self,
        X: ArrayLike | pd.DataFrame | Windows,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return the folds.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or Windows
            A panel. Only the ids and the time are read.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Only its length is checked.
        groups : array-like of shape (n_rows,), default=None
            Ignored, with a warning, since X contains the ids.

        Returns
        -------
        iterator of (train, test)
            Positions of rows in X, ascending.

        Raises
        ------
        ValueError
            If no series has rows before the test rows of the first fold.
        """
        self._validate()
        if groups is not None:
            warn_user("groups are ignored. Name the ids in X with series=.")
        X = as_plain(X)
        check_consistent_length(X, y)
        if _num_samples(X) == 0:
            raise ValueError("X has no rows: there is nothing to split.")
        rows = read_series_rows(X, self.series, self.time)
        sizes = rows.sizes
        if self.test_size is None:
            n_test = np.maximum(sizes // (self.n_splits + 1), 1)
        else:
            n_test = np.full(len(sizes), self.test_size)
        cuts = sizes - n_test * np.arange(self.n_splits, 0, -1)[:, np.newaxis]
        # Selected windows keep the ids of all windows; ids without rows are not checked.
        present = sizes > 0
        needed = f"{self.n_splits * (self.test_size or 1) + 1} rows"
        which = cuts[:, present], sizes[present], rows.ids[present]
        check_cuts(*which, "fold", needed, "n_splits or test_size")
        return self._folds(rows, cuts, n_test)

    @staticmethod
    def _folds(
        rows: SeriesRows, cuts: np.ndarray, n_test: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rank, codes = rows.rank, rows.codes
        for cut in cuts:
            after = rank - cut[codes]
            is_test = (after >= 0) & (after < n_test[codes]) & (cut > 0)[codes]
            yield np.flatnonzero(after < 0), np.flatnonzero(is_test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        int
        """
        self._validate()
        return self.n_splits

    def _validate(self) -> None:
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
