"""Select the columns of a panel that a transformer changes, and return it with other values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sklstm._panel.arrays import as_slice
from sklstm._panel.estimator import PanelEstimator
from sklstm._panel.find_categories import FROM_DTYPE, find_categorical
from sklstm._panel.forgotten import remember_ids
from sklstm._panel.frames import COPY_ON_WRITE, as_plain, is_foreign, with_columns, with_values
from sklstm._panel.read import Panel, read_panel
from sklstm._panel.unchanged import check_unchanged


class ChangesColumns(TransformerMixin, PanelEstimator):
    """Base class of transformers that change the values of columns, and nothing else.

    Subclasses have the parameters `columns`, `series` and `time`.
    """

    columns: Any
    series: str | int | None
    time: str | int | None

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns, which are those seen in fit.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns seen in fit. They are checked, or used if fit saw no names.

        Returns
        -------
        ndarray of object
            Column labels that are not strings are returned unchanged.
        """
        check_is_fitted(self)
        names: np.ndarray = _check_feature_names_in(self, input_features)
        return names if self._labels is None or input_features is not None else self._labels

    def _read_columns(self, X, parameters: list[str], reset: bool) -> Panel:
        """Read a panel; the fitted state depends on these further parameters.

        By default, the columns are all features but those of dtype "category".
        """
        check_unchanged(self, [*parameters, "columns", "series", "time"], reset=reset)
        X, ids = as_plain(X), {"series": self.series, "time": self.time}
        if reset:
            by_dtype = FROM_DTYPE if self.columns is None else None
            self._categorical = find_categorical(X, by_dtype, **ids)
        options: dict[str, Any] = {"columns": self.columns, "skipped": self._categorical, **ids}
        panel = read_panel(X, **options, estimator=self, reset=reset)
        if reset:
            self._labels = None if panel.labels is None else panel.labels.to_numpy(dtype=object)
        return panel

    def _with_values(self, X, panel: Panel, values):
        """Return X with other values in the columns that were read from it."""
        if _get_output_config("transform", self)["dense"] == "pandas":
            X = as_plain(X)  # scikit-learn would convert other frames to columns of objects
        changed = replace_columns(X, panel.positions, values, as_frame=self._labels is not None)
        return remember_ids(changed, panel.positions + self._categorical, self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def replace_columns(X, positions, values, as_frame: bool):
    """Return X with other values in the columns at `positions`.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_columns)
    positions : list of int
    values : ndarray of shape (n_rows, n_positions)
    as_frame : bool
        Whether to return a DataFrame for a DataFrame.

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_columns)
        `values` itself if an ndarray is returned and `positions` are all columns.
    """
    if as_frame and is_foreign(X):
        return with_values(X, positions, values)
    X = as_plain(X)
    if as_frame and isinstance(X, pd.DataFrame):
        return _replace_in_frame(X, positions, values)
    # A list may contain strings beside numbers.
    X = np.asarray(X, dtype=object) if isinstance(X, (list, tuple)) else np.asarray(X)
    if len(positions) == X.shape[1]:
        return values
    dtype = X.dtype if X.dtype == object else np.result_type(X.dtype, values.dtype)
    out = np.empty(X.shape, dtype)
    others = np.setdiff1d(np.arange(X.shape[1]), positions)
    out[:, others] = X[:, others]
    if X.dtype.kind in "iu" and (out[:, others].astype(X.dtype) != X[:, others]).any():
        raise ValueError(
            f"X is an array of {X.dtype} whose ids are too large for {dtype}, the dtype of the "
            "scaled array. Pass a DataFrame, or an array of dtype object."
        )
    out[:, as_slice(positions)] = values
    return out


def append_columns(X, names, values):
    """Return X with further columns behind its own.

    Parameters
    ----------
    X : DataFrame of any library, or ndarray, of shape (n_rows, n_columns)
    names : list of str
    values : ndarray of shape (n_rows, n_names)

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_columns + n_names)
    """
    if is_foreign(X):
        return with_columns(X, names, values)
    if not isinstance(X, pd.DataFrame):
        return np.hstack([X, values])
    out = pd.concat([X, pd.DataFrame(values, index=X.index, columns=names)], axis=1)
    out.attrs = X.attrs
    return out


def _replace_in_frame(X, positions, values):
    if len(positions) == X.shape[1]:
        return pd.DataFrame(values, index=X.index, columns=X.columns)
    out = X.copy(deep=False)
    for j, position in enumerate(positions):
        out.isetitem(position, values[:, j])
    if not COPY_ON_WRITE:
        for position in set(range(X.shape[1])) - set(positions):
            out.isetitem(position, X.iloc[:, position].copy())
    return out
