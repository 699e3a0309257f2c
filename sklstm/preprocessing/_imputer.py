"""Fill the missing values of each series of a panel."""

from __future__ import annotations

from copy import copy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklstm._panel.forgotten import warn_of_unsorted_rows
from sklstm._panel.frames import as_plain
from sklstm._panel.read import Panel, feature_names
from sklstm._panel.retyped import warn_of_retyped_ids
from sklstm._panel.tables import SERIES_NAME
from sklstm._panel.user_warnings import warn_user
from sklstm._progress import fit_task, with_callbacks
from sklstm._streaming.blocks import Blocks
from sklstm._streaming.methods import check_block_series, transforms_blocks
from sklstm.preprocessing._columns import ChangesColumns, append_columns
from sklstm.preprocessing._imputation import KnownValues, carry_forward


class PerSeriesImputer(ChangesColumns):
    """Fill missing values by earlier ones of the same series, or by a constant.

    A row never depends on later rows, so there is no look-ahead. Ids and time stay in place, and
    rows and columns keep their order. An imputer fitted on a DataFrame returns a DataFrame of the
    same library if it is given one, and an array if it is given an array.

    Parameters
    ----------
    strategy : {"forward", "constant"}, default="forward"
        What replaces a missing value.

        - "forward": the last known value of the feature in the same series, or `fill_value` if
          there is none yet. For states that hold until they are read again.
        - "constant": `fill_value`. After :class:`PerSeriesScaler`, 0 is the center.
    fill_value : {"mean", "median"} or float, default="mean"
        A number, or a statistic of each feature over all known values in fit.
    add_indicator : bool, default=False
        Whether to append one column per feature that has missing values in fit: 1 where the value
        was missing, else 0, as in :class:`sklearn.impute.SimpleImputer`. The network can then tell
        filled values from known ones.
    columns : list of str or int, default=None
        The features to fill, by default all but those of dtype "category", which windows read with
        their missing values. The other columns are returned unchanged.
    series : str, int or None, default=None
        Column name, index level name or column position of the ids. With None, all rows are one
        series.
    time : str, int or None, default=None
        Column name, index level name or column position of the time. With None, the rows of each
        series must already be in time order.

    Attributes
    ----------
    series_ids_ : pandas.Index of shape (n_series,)
        Ids of the fitted series.
    fill_values_ : ndarray of shape (n_filled,)
        The value of `fill_value` for each filled feature.
    indicator_features_ : ndarray of shape (n_indicators,)
        Positions of the features that have an indicator, among the columns.
    n_features_in_ : int
        Number of columns seen in fit, including ids.
    feature_names_in_ : ndarray of str
        Names of these columns, if X had names.

    See Also
    --------
    PerSeriesScaler : Ignores missing values, and keeps them.
    WindowTransformer : With `elapsed`, windows hold the time since the row before.

    Notes
    -----
    If `time` is known, rows of a fitted series that are later than its last fitted row continue it:
    values are carried forward from its fitted rows. For all other rows, they are carried forward
    from the rows that are passed, as in `fit`.

    A feature without a known value in fit is filled with 0, and a warning names it. A feature whose
    first missing value comes after fit is filled, but has no indicator.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklstm import PerSeriesImputer
    >>> X = pd.DataFrame({"unit": ["a", "a", "b", "b"], "p": [1.0, np.nan, np.nan, 3.0]})
    >>> PerSeriesImputer(add_indicator=True, series="unit").fit_transform(X)
      unit    p  missingindicator_p
    0    a  1.0                 0.0
    1    a  1.0                 1.0
    2    b  2.0                 1.0
    3    b  3.0                 0.0
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "strategy": [StrOptions({"forward", "constant"})],
        "fill_value": [
            StrOptions({"mean", "median"}),
            Interval(Real, None, None, closed="neither"),
        ],
        "add_indicator": ["boolean"],
        "columns": ["array-like", str, Integral, None],
        "series": SERIES_NAME,
        "time": [str, Integral, None],
    }

    def __init__(
        self,
        strategy: str = "forward",
        *,
        fill_value: str | float = "mean",
        add_indicator: bool = False,
        columns: Any = None,
        series: str | int | None = None,
        time: str | int | None = None,
    ) -> None:
        self.strategy = strategy
        self.fill_value = fill_value
        self.add_indicator = add_indicator
        self.columns = columns
        self.series = series
        self.time = time

    # --------------------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Compute the fill values, and remember the last known values of each series.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
            A panel.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit to a panel, and fill its missing values.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n_rows, n_columns) or PanelDataset
            A panel.
        y : None
            Ignored.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns + n_indicators)
            As returned by `transform`.
        """
        # No row of fit is later than fit, so that none continues a series.
        return self.fit(X).transform(X)

    @with_callbacks
    def _fit(self, X) -> None:
        self._validate_params()
        with fit_task(self, X=X):
            fitted = copy(self)  # an error leaves `self` unchanged
            if isinstance(X, Blocks):
                check_block_series(self, X)
                if self.fill_value == "median":
                    raise ValueError(
                        "fill_value='median' needs all rows at once, and a PanelDataset is read "
                        "block by block. Choose 'mean' or a number."
                    )
                parts = [fitted._read_part(block) for block in X]
            else:
                parts = [fitted._read_part(X)]
            fitted._set_state(KnownValues.concatenate(parts))
            fitted._check_indicator_names()
            self.__dict__ = fitted.__dict__

    def _read_part(self, X) -> KnownValues:
        """Read rows of whole series, and compute what is kept of them."""
        panel = self._read(X, reset=True)
        self._positions = panel.positions
        return KnownValues.of(panel, "median" if self.fill_value == "median" else "mean")

    def _set_state(self, known: KnownValues) -> None:
        """Set the fitted attributes."""
        self.series_ids_, self._last_times = known.ids, known.last_times
        self._last_values = known.last_values
        if isinstance(self.fill_value, str):
            self.fill_values_ = known.centers()
            self._warn_of_unknown(known.is_unknown())
        else:
            self.fill_values_ = np.full(len(self._positions), float(self.fill_value))
        indicated = known.has_missing if self.add_indicator else np.zeros_like(known.has_missing)
        self.indicator_features_ = np.asarray(self._positions)[indicated]

    def _check_indicator_names(self) -> None:
        """Raise ValueError if X has a column of the name of an indicator."""
        labels = [] if self._labels is None else list(self._labels)
        for name in self._indicator_names():
            if name in labels:
                raise ValueError(
                    f"X has a column {name!r}, which is the name of an indicator. Rename it, or "
                    "choose add_indicator=False."
                )

    def _warn_of_unknown(self, unknown) -> None:
        """Warn of the features that have no known value in fit."""
        if unknown.any():
            names = feature_names(None, self._positions)
            if hasattr(self, "feature_names_in_"):
                names = [self.feature_names_in_[position] for position in self._positions]
            named = [str(names[at]) for at in np.flatnonzero(unknown)]
            warn_user(
                f"The features {named} have no known value in fit, so their {self.fill_value} is "
                "not known: they are filled with 0. Leave them out of columns=, or pass a number "
                "as fill_value."
            )

    # -------------------------------------------------------------------------- applying

    @transforms_blocks
    def transform(self, X: Any) -> Any:
        """Fill the missing values of a panel.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A panel with the columns seen in fit.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_columns + n_indicators)
            X without missing values in the features; ids and other columns are unchanged. The
            columns of `add_indicator` come last. A DataFrame if X is one.
        """
        check_is_fitted(self)
        panel = self._read(X, reset=False)
        missing = np.isnan(panel.values)
        values = panel.values
        if self.strategy == "forward":
            values = self._carry_forward(panel)
        values = np.where(np.isnan(values), self.fill_values_.astype(values.dtype), values)
        filled = self._with_values(X, panel, values)
        if not len(self.indicator_features_):
            return filled
        indicated = missing[:, np.isin(panel.positions, self.indicator_features_)]
        return append_columns(filled, self._indicator_names(), indicated.astype(values.dtype))

    def _carry_forward(self, panel: Panel) -> np.ndarray:
        """Carry known values forward, from the rows of fit where rows continue them."""
        n_series = len(panel.ids)
        # Rows that continue a series are a run of their own, after its other rows.
        codes = panel.codes + n_series * panel.continues(self.series_ids_, self._last_times)
        initial = np.full((2 * n_series, panel.values.shape[1]), np.nan, panel.values.dtype)
        warn_of_retyped_ids(self.series_ids_, panel.ids)
        positions = self.series_ids_.get_indexer(panel.ids)
        fitted = positions >= 0
        initial[n_series:][fitted] = self._last_values[positions[fitted]]
        return carry_forward(panel, panel.values, codes, initial)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns: those seen in fit, and those of the indicators.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns seen in fit. They are checked, or used if fit saw no names.

        Returns
        -------
        ndarray of object
            Column labels that are not strings are returned unchanged.
        """
        names = super().get_feature_names_out(input_features)
        return np.concatenate([names, self._indicator_names(names)]).astype(object)

    def _indicator_names(self, names: Any = None) -> list[str]:
        """Return the names of the indicators, by those of the columns."""
        if names is None:
            names = [f"x{position}" for position in range(self.n_features_in_)]
            names = names if self._labels is None else self._labels
        return [f"missingindicator_{names[position]}" for position in self.indicator_features_]

    # --------------------------------------------------------------------------- details

    def _read(self, X, reset) -> Panel:
        X = as_plain(X)
        panel = self._read_columns(X, ["strategy", "fill_value", "add_indicator"], reset)
        warn_of_unsorted_rows(X, panel)
        return panel
