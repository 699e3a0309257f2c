"""Turn each row of a panel into the window that ends at it."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.read import check_unchanged, column_names, read_panel
from sklstm._panel.rows import join_context, position_dtype, take_blocks
from sklstm._panel.time import gap_number
from sklstm._panel.windows import (
    Windows,
    count_observed,
    rows_stand_whole,
    whole_length,
)


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
    spacing : int, default=1
        Spacing of the rows inside a window: 2 takes every second row.
    padding : {"edge", "zero", "nan"}, default="edge"
        What fills a window whose history is too short: its oldest real row, 0 or NaN.
        `Windows.n_observed` counts the real rows.
    max_gap : number, timedelta or str, default=None
        Largest step in time that a window may cross, in units of `time` (anything that
        pandas.Timedelta takes, for dates). None: no limit. Needs `time`.
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
    context_ : SeriesRows or None
        Where `time` is known, the index (``codes``, ``ids``, ``time``) of the last rows of each
        series, which `transform` puts before the rows that continue it.

    Notes
    -----
    **Context.** Where `time` is known, `fit` remembers the last rows of each series. A row of a
    fitted series that is later than its last fitted row continues it: its window holds remembered
    rows and the later rows that are passed with it. Earlier rows passed beside it change nothing.
    All other rows see the rows passed with them. `max_gap` applies as within the panel: None
    bridges any gap, and a warning counts the rows that a limit separates from their context.

    Splits that shuffle the rows of a series (KFold with ``shuffle=True``, say) tear the
    windows and are not supported: use GroupKFold by series, or splits in time.

    **Whole series.** "longest" is the least length at which no window of fit is cut: the window
    of a row holds all earlier rows of its series, and padding before them. "shortest" is the
    greatest length that every series fills. What counts of a series is its longest run of rows
    without a gap (`max_gap`), spaced by `spacing`. In `transform` the length stays that of fit, and
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
        "spacing": [Interval(Integral, 1, None, closed="left")],
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
        spacing=1,
        padding="edge",
        max_gap=None,
        output="windows",
        columns=None,
        series=None,
        time=None,
    ):
        self.window_length = window_length
        self.spacing = spacing
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
        self.context_: Any = None
        if self.time is not None:
            # At least one row a series: its time tells which rows come later.
            kept = panel.tail(max(self._reach(), 1))
            self.context_ = panel.take(kept)
            self._context_values = take_blocks(panel.values, kept)
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
        windows = self._windows(panel, gap_number(self.max_gap, panel.time_kind))
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
        lags = range(self._reach(), -1, -self.spacing)
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
        names = ["window_length", "spacing", "max_gap", "columns", "series", "time"]
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
        return whole_length(
            panel.sort(panel.codes), panel.run_starts(gap), self.window_length, self.spacing
        )

    def _reach(self):
        """How many rows before its own a window can hold."""
        return (self.window_length_ - 1) * self.spacing

    def _windows(self, panel, gap):
        rows, values, n_context = panel, panel.values, 0
        if self.context_ is not None:
            rows, chosen = join_context(self.context_, panel)
            n_context = len(chosen)
            if n_context:
                context = self._context_values[chosen].astype(values.dtype, copy=False)
                values = np.concatenate([context, values])
                self._warn_of_cut_context(rows, n_context, gap)
        # Values come last: the memory that the steps before them needed is free again by then.
        observed = count_observed(
            rows.run_starts(gap), len(rows), self.window_length_, self.spacing
        )
        ends = np.arange(len(rows), dtype=position_dtype(len(rows)))
        observed, ends = rows.unsort(observed), rows.unsort(ends)
        values = rows.sort(values)
        return Windows(
            values if rows_stand_whole(values) else np.ascontiguousarray(values),
            ends[n_context:],
            observed[n_context:],
            self.window_length_,
            spacing=self.spacing,
            padding=self.padding,
            codes=panel.codes,
            ids=panel.ids,
            names=self._names if hasattr(self, "feature_names_in_") else None,
        )

    def _warn_of_cut_context(self, rows, n_context, gap):
        """Warn where `max_gap` separates rows from the fitted rows that they continue."""
        if gap is None:
            return
        starts = rows.run_starts(gap)
        run = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rows)))
        run = rows.unsort(run)
        with_context = np.zeros(len(starts), bool)
        with_context[run[:n_context]] = True
        continues = rows.codes[n_context:] >= len(rows.ids) // 2
        n_cut = int(np.sum(continues & ~with_context[run[n_context:]]))
        if n_cut:
            warnings.warn(
                f"{n_cut} of {len(continues)} rows continue a series of fit after a gap of more "
                f"than max_gap={self.max_gap!r}: their windows hold no rows from before the gap.",
                UserWarning,
                stacklevel=5,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
