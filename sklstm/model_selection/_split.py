"""Split every series in time."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils._param_validation import (
    Interval,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_consistent_length

from sklstm._panel.read import read_series_rows
from sklstm.model_selection._cuts import check_cuts


class PerSeriesTimeSplit(BaseCrossValidator):
    """Cut every series in time: its past to train, its next rows to test.

    Each series is split as :class:`~sklearn.model_selection.TimeSeriesSplit` splits it
    alone, counted from its own end; fold k joins the k-th folds of all series. The training
    rows of a series are always all rows before its test rows.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    test_size : int, default=None
        Test rows of each series in a fold. None: a series of n rows has
        ``n // (n_splits + 1)``, at least 1.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.
        ``series=None``: all rows are one series. ``time=None``: rows of a series are in
        time order as given. Where X are :class:`~sklstm.Windows`, leave both out.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Whole series to test, with their ids as `groups`.

    Notes
    -----
    **Short series.** A series without rows before its test rows of a fold takes no part in
    that fold, neither in training nor in test. A warning counts such series.

    **No gap.** Where a target is the future of its row, set the regressor's `embargo` to
    the horizon: the last training rows then carry no loss, but the windows of the test rows
    still see them. Rows left out of the training part would tear those windows.

    **Dates.** Cuts are counted in rows of each series. Where series end at different dates,
    one may be trained on dates at which another one is tested.

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

    _parameter_constraints: dict = {
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Integral, 1, None, closed="left"), None],
        "series": [str, Integral, None],
        "time": [str, Integral, None],
    }

    def __init__(self, n_splits=5, *, test_size=None, series=None, time=None):
        self.n_splits = n_splits
        self.test_size = test_size
        self.series = series
        self.time = time

    def split(self, X, y=None, groups=None):
        """Make the folds.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or Windows
            A panel. Only the ids and the time are read.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Only its length is checked.
        groups : array-like of shape (n_rows,), default=None
            Ignored, with a warning: the ids stand in X.

        Returns
        -------
        iterator of (train, test)
            Positions of rows in X, ascending.

        Raises
        ------
        ValueError
            If no series has rows before the first fold's test rows.
        """
        self._validate()
        if groups is not None:
            warnings.warn(
                f"{type(self).__name__} ignores groups: name the ids in X with series=.",
                UserWarning,
                stacklevel=2,
            )
        check_consistent_length(X, y)
        if len(X) == 0:
            raise ValueError("X has no rows: there is nothing to split.")
        rows = read_series_rows(X, self.series, self.time)
        rank, sizes = rows.rank, rows.sizes
        if self.test_size is None:
            n_test = np.maximum(sizes // (self.n_splits + 1), 1)
        else:
            n_test = np.full(len(sizes), self.test_size)
        cuts = sizes - n_test * np.arange(self.n_splits, 0, -1)[:, np.newaxis]
        # The windows of a fold keep the ids of the whole: series without rows are not there.
        there = sizes > 0
        needed = f"{self.n_splits * (self.test_size or 1) + 1} rows"
        check_cuts(cuts[:, there], rows.ids[there], "fold", needed, "n_splits or test_size", 2)
        return self._folds(rows.codes, rank, cuts, n_test)

    @staticmethod
    def _folds(codes, rank, cuts, n_test):
        for cut in cuts:
            after = rank - cut[codes]
            yield (
                np.flatnonzero(after < 0),
                np.flatnonzero((after >= 0) & (after < n_test[codes]) & (cut > 0)[codes]),
            )

    def get_n_splits(self, X=None, y=None, groups=None):
        """Tell the number of folds.

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

    def _validate(self):
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
