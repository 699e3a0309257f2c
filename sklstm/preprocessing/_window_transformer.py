"""Transform each row of a panel to the window that ends at it.

This module is long because of its docstrings.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_container_adapter
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.categories import CategoricalFeature, in_window
from sklstm._panel.concatenate import concatenate_series
from sklstm._panel.elapsed import log_elapsed, typical_step
from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.find_categories import CATEGORICAL_FEATURES, FROM_DTYPE, learn_categories
from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.gather import has_contiguous_rows
from sklstm._panel.read import Panel, read_panel
from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.rows import (
    SeriesRows,
    join_context,
    position_dtype,
    take_blocks,
)
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.time import gap_number
from sklstm._panel.torn import warn_of_torn_series
from sklstm._panel.unchanged import check_unchanged
from sklstm._panel.user_warnings import warn_user
from sklstm._panel.windows import (
    Windows,
    count_observed,
    whole_series_length,
)
from sklstm._progress import fit_task, with_callbacks
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.methods import check_block_series, transforms_blocks

# The name of the feature that `elapsed` adds.
ELAPSED = "elapsed"


# scikit-learn's own wrapping of outputs would make a DataFrame of lazy windows, too.
class WindowTransformer(TransformerMixin, PanelEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Transform each row of a panel to the window of rows that ends at it.

    n rows give n windows, in the order of the input. A window contains rows of one series only,
    up to its own row, and crosses no gap in time longer than `max_gap`. Since the number of rows
    does not change, `window_length` can be tuned in a grid search.

    Parameters
    ----------
    window_length : int, "longest" or "shortest", default=24
        Number of rows in a window, including its own row. "longest" and "shortest": the length of
        the longest or shortest series in `fit`; see the notes on whole series.
    spacing : int, default=1
        Distance between the rows of a window: 2 takes every second row.
    padding : {"edge", "zero", "nan"}, default="edge"
        Value of the missing rows if a history is shorter than the window: the oldest observed row,
        0 or NaN. `Windows.n_observed` counts the observed rows.
    max_gap : number, timedelta or str, default=None
        Largest gap in time that a window may cross, in units of `time`; for dates, anything that
        pandas.Timedelta accepts. Requires `time`. None: no limit.
    elapsed : bool, default=False
        Whether windows get one more feature, ``elapsed``: the time since the row before in the same
        series, for rows at irregular times. It is ``log(1 + time / time_step_)``, and 0 in the
        first row of a series, so it needs no scaling. Requires `time`.
    output : {"windows", "3d", "2d"}, default="windows"
        Type of the result: lazy :class:`Windows`, a 3-D array, or a 2-D lag table with column
        names such as ``pressure_lag3``, for other regressors. Arrays contain neither the series
        ids nor the numbers of observed rows.
    columns : list of str or int, default=None
        The features of the windows. None: all features.
    categorical_features : "from_dtype", list of str or int, or None, default="from_dtype"
        The features that are categories, of any type. "from_dtype": the columns of dtype
        "category". See *Categories* in the notes.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. None: all rows are one series.
    time : str, int or None, default=None
        Column name, index level name or column position of the time. None: the rows of each series
        must already be in time order.

    Attributes
    ----------
    window_length_ : int
        Number of rows in a window.
    time_step_ : float or None
        With `elapsed`, the typical time between rows in `fit`, in units of `time` (nanoseconds for
        dates): the median over series of the median of each series.
    n_features_in_ : int
        Number of columns in `fit`, ids included.
    feature_names_in_ : ndarray of str
        Names of these columns, if X had names.
    categories_ : dict of pandas.Index
        By feature, the categories seen in `fit`.
    context_ : SeriesRows or None
        Index (``codes``, ``ids``, ``time``) of the last fitted rows of each series, which
        `transform` puts before the rows that continue the series. None without `time`.

    Notes
    -----
    **Context.** With `time`, `fit` stores the last rows of each series. A row continues a fitted
    series if it is later than the last fitted row of the series. Its window contains stored rows
    and passed rows that continue the series, but no earlier passed rows. So the windows are the
    same whether or not the history is passed again. The windows of all other rows contain passed
    rows only. `max_gap` applies to stored rows too; a warning counts the rows that a longer gap
    separates from them.

    **Torn series.** Splits and samplers that choose single rows, such as KFold with
    ``shuffle=True``, train_test_split or BaggingRegressor, remove rows from the windows, and rows
    that are held out have neighbours in training. Use GroupKFold, :class:`PerSeriesTimeSplit` or
    :class:`SeriesEnsembleRegressor`. With `time`, `transform` warns of rows that lie between the
    stored rows of a fitted series and are none of them. A single row, or up to 5 % of the passed
    rows of that span, may be late readings and cause no warning.

    **Whole series.** "longest" is the smallest length at which no window of `fit` is cut. The
    window of a row then contains all earlier rows of its series, after padding. "shortest" is the
    largest length at which the last window of every series has no padding. In each series, only the
    longest run of rows without a gap (`max_gap`) counts, and only every `spacing`-th row of it.
    `transform` uses the length found in `fit`; if a history is longer, its windows contain the
    latest rows only.

    - Use a fixed length for long series, whose oldest rows have little effect.
    - Use "longest" for histories of up to a few hundred rows if any part of them may matter,
      including their length, and for one target per series, such as a quality or a time to
      repair. In the latter case, set y to NaN except in the last row of each series, and set
      ``min_observed=1`` in :class:`MultiSeriesLSTMRegressor`.
    - Use "shortest" for series of nearly equal length, to avoid padding. A single short series
      makes all windows short.

    With "longest", set `padding` to "nan" or "zero": with "edge", padding repeats the oldest row
    up to hundreds of times, including its noise. Whatever the padding, a network can infer the
    length of a history; if padding is masked, it can do so by counting the observed rows. If
    lengths and targets are correlated in training, the network uses the length to predict the
    target. docs/decisions.md has figures.

    **Categories.** The value of a category in a window is its code: 1 for the first of
    `categories_`, 2 for the second. The code 0 stands for missing values, for categories that were
    not seen in `fit`, and for padding with zeros. :class:`MultiSeriesLSTMRegressor` replaces the
    codes by vectors that it learns.

    **Containers.** `set_output` has an effect for ``output="2d"`` only.

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

    Whole series, with padding before them:

    >>> whole = WindowTransformer("longest", padding="zero", series="unit").fit(X)
    >>> whole.window_length_
    3
    >>> whole.transform(X)[1]
    array([[0.],
           [1.],
           [2.]])
    """

    _parameter_constraints: dict[str, Any] = {
        "window_length": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"longest", "shortest"}),
        ],
        "spacing": [Interval(Integral, 1, None, closed="left")],
        "padding": [StrOptions({"edge", "zero", "nan"})],
        "max_gap": "no_validation",
        "elapsed": ["boolean"],
        "output": [StrOptions({"windows", "3d", "2d"})],
        "columns": ["array-like", str, Integral, None],
        "categorical_features": CATEGORICAL_FEATURES,
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        window_length: int | str = 24,
        *,
        spacing: int = 1,
        padding: str = "edge",
        max_gap: Any = None,
        elapsed: bool = False,
        output: str = "windows",
        columns: Any = None,
        categorical_features: Any = FROM_DTYPE,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.window_length = window_length
        self.spacing = spacing
        self.padding = padding
        self.max_gap = max_gap
        self.elapsed = elapsed
        self.output = output
        self.columns = columns
        self.categorical_features = categorical_features
        self.series = series
        self.time = time

    def fit(self, X: ArrayLike | pd.DataFrame, y: Any = None) -> Self:
        """Store the columns and, with `time`, the last rows of each series.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted transformer.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: ArrayLike | pd.DataFrame, y: Any = None) -> Any:
        """Fit to a panel, and return the window of each of its rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel.
        y : None
            Ignored.

        Returns
        -------
        Windows, ndarray or DataFrame
            As in `transform`.
        """
        panels = self._fit(X)
        return self.transform(X) if isinstance(X, Blocks) else self._output(X, panels[0])

    @with_callbacks
    def _fit(self, X: Any) -> Any:
        """Fit to a panel, and return it as it was read, in blocks."""
        self._validate_params()
        with fit_task(self, X=X):
            fitted = copy(self)  # an error leaves `self` unchanged
            panels = fitted._fit_panels(X)
            self.__dict__ = fitted.__dict__
        return panels

    def _fit_panels(self, X: Any) -> Any:
        """Set the fitted attributes, and return the panel in blocks."""
        if isinstance(X, Blocks):
            check_block_series(self, X)
        categories = self._learn_categories(X)
        read = partial(self._read, reset=True, categories=categories)
        panels: Any = X.map(read) if isinstance(X, Blocks) else [read(X)]
        panel = next(iter(panels))
        self._categories = categories
        self._positions = panel.positions
        self._names = panel.names
        gap = gap_number(self.max_gap, panel.time_kind)
        self.window_length_ = self._length(panels, gap)
        self.time_step_ = self._find_time_step(panels) if self.elapsed else None
        self.context_: Any = None
        if self.time is not None:
            self._keep_context(panels)
        return panels

    def _learn_categories(self, X: Any) -> tuple[CategoricalFeature, ...]:
        return learn_categories(
            X if isinstance(X, Blocks) else [X],
            self.categorical_features,
            columns=self.columns,
            series=self.series,
            time=self.time,
        )

    def _keep_context(self, panels: Iterable[Panel]) -> None:
        """Keep the last rows of each series, which later rows continue."""
        rows, values = [], []
        for panel in panels:
            # At least one row per series, since later rows are recognised by its time.
            kept = panel.tail(max(self._reach(), 1))
            rows.append(panel.take(kept))
            values.append(take_blocks(self._with_elapsed(panel, panel.values), kept))
        self.context_ = concatenate_series(rows)
        self._context_values = values[0] if len(values) == 1 else np.concatenate(values)

    @transforms_blocks
    def transform(self, X: ArrayLike | pd.DataFrame) -> Any:
        """Return the window of each row.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel with the columns of `fit`.

        Returns
        -------
        Windows, ndarray or DataFrame
            Of shape (n_rows, window_length, n_features), or, with ``output="2d"``,
            (n_rows, window_length * n_features). Rows are in the order of X; in a window, the
            oldest row is first.
        """
        check_is_fitted(self)
        panel = self._read(X, reset=False, categories=self._categories)
        if self.context_ is not None:
            warn_of_retyped_ids(self.context_.ids, panel.ids)
            warn_of_torn_series(self.context_, panel)
        return self._output(X, panel)

    def _output(self, X: Any, panel: Panel) -> Any:
        windows = self._windows(panel, gap_number(self.max_gap, panel.time_kind))
        if self.output == "windows":
            return windows
        array = np.asarray(windows)
        if self.output == "3d":
            return array
        table = array.reshape(len(array), -1)
        adapter = _get_container_adapter("transform", self)
        if adapter is None:
            return table
        return adapter.create_container(table, X, columns=self.get_feature_names_out)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names along the last axis of the result.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Columns of `fit`. They are checked, and used if `fit` saw no names.

        Returns
        -------
        ndarray of str
            The features of the windows. With ``output="2d"``, the columns of the lag table,
            ``<feature>_lag<number of rows>``; the features of the oldest row are first.
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
        names = self._features(names)
        if self.output != "2d":
            return np.asarray(names, dtype=object)
        lags = range(self._reach(), -1, -self.spacing)
        return np.asarray([f"{name}_lag{lag}" for lag in lags for name in names], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container of the lag table (``output="2d"``).

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn. It has no effect for other values of `output`.

        Returns
        -------
        self
            The transformer itself.
        """
        if transform is not None:
            self._sklearn_output_config = {
                **getattr(self, "_sklearn_output_config", {}),
                "transform": transform,
            }
        return self

    @property
    def categories_(self) -> dict[str, pd.Index]:
        """Categories seen in `fit`, by feature."""
        features = in_window(self._categories, self._positions)
        return {self._names[each.position]: each.categories for each in features}

    def _read(self, X: Any, reset: bool, categories: tuple[CategoricalFeature, ...]) -> Panel:
        names = ["window_length", "spacing", "max_gap", "elapsed", "columns"]
        names += ["categorical_features", "series", "time"]
        check_unchanged(self, names, reset=reset)
        panel = read_panel(
            X,
            columns=self.columns,
            categories=categories,
            series=self.series,
            time=self.time,
            estimator=self,
            reset=reset,
        )
        warn_of_unsorted_rows(X, panel)
        return panel

    def _length(self, panels: Iterable[Panel], gap: float | None) -> int:
        """Return the number of rows in a window."""
        length = self.window_length
        if not isinstance(length, str):
            return int(length)
        choose = max if length == "longest" else min
        return choose(whole_series_length(panel, length, self.spacing, gap) for panel in panels)

    def _reach(self) -> int:
        """Return the distance in rows from the oldest to the newest row of a window."""
        return (self.window_length_ - 1) * self.spacing

    def _windows(self, panel: Panel, gap: float | None) -> Windows:
        rows: SeriesRows = panel
        values, n_context = panel.values, 0
        if self.context_ is not None:
            rows, chosen = join_context(self.context_, panel)
            n_context = len(chosen)
            if n_context:
                context = self._context_values[chosen].astype(values.dtype, copy=False)
                values = np.concatenate([context[:, : values.shape[1]], values])
        values = self._with_elapsed(rows, values)
        if n_context and self.elapsed:
            values[:n_context, -1] = context[:, -1]  # the rows before them are not remembered
        # Values are sorted last, when the temporary arrays of the other steps are freed.
        observed = self._count_observed(rows, gap)[n_context:]
        if gap is not None:
            n_cut = int(np.sum(observed < self._count_observed(rows, None)[n_context:]))
            if n_cut:
                warn_user(
                    f"max_gap={self.max_gap!r} cuts the windows of {n_cut} of {len(panel)} rows: "
                    "they contain no rows before the gap. Raise max_gap, or set it to None, if the "
                    "windows should span the gaps."
                )
        ends = rows.unsort(np.arange(len(rows), dtype=position_dtype(len(rows))))
        values = rows.sort(values)
        return Windows(
            values if has_contiguous_rows(values) else np.ascontiguousarray(values),
            ends[n_context:],
            observed,
            self.window_length_,
            spacing=self.spacing,
            padding=self.padding,
            codes=panel.codes,
            ids=panel.ids,
            names=self._features(self._names) if hasattr(self, "feature_names_in_") else None,
            categories=in_window(self._categories, self._positions),
        )

    def _find_time_step(self, panels: Iterable[Panel]) -> float:
        """Return the typical time between rows."""
        if self.time is None:
            raise ValueError(
                "elapsed=True needs the time of the rows, and time=None: name it with time=."
            )
        if ELAPSED in self._names:
            raise ValueError(
                f"elapsed=True adds a feature {ELAPSED!r}, and X has one of that name. Rename it."
            )
        step = typical_step(panels)
        if np.isnan(step):
            raise ValueError(
                "elapsed=True needs a series with at least two rows in fit, from which the typical "
                "time between rows is found. Pass longer series, or set elapsed=False."
            )
        return step

    def _with_elapsed(self, rows: SeriesRows, values: np.ndarray) -> np.ndarray:
        """Append the time since the row before, with `elapsed`."""
        if self.time_step_ is None:
            return values
        elapsed = log_elapsed(rows, self.time_step_).astype(values.dtype)
        return np.column_stack([values, elapsed])

    def _features(self, names: list[str]) -> list[str]:
        """Return the names of the features of a window."""
        return [*names, ELAPSED] if self.elapsed else names

    def _count_observed(self, rows: SeriesRows, gap: float | None) -> np.ndarray:
        """Count the observed rows in the window of each row, in the order of the rows."""
        starts = rows.run_starts(gap)
        return rows.unsort(count_observed(starts, len(rows), self.window_length_, self.spacing))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
