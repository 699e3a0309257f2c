"""Encode columns of categories as codes, which a network looks up in an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.pickles import PlainIds
from sklstm._panel.show import show

# Code of missing values, and of values that are not among the known categories.
UNKNOWN = 0


@dataclass(frozen=True, eq=False)
class CategoricalFeature(PlainIds):
    """Hold the known categories of one column.

    Attributes
    ----------
    position : int
        Position of the column in its table, or of the feature in a window.
    categories : pandas.Index of shape (n_categories,)
        The category at position k has the code k + 1; see `UNKNOWN`.
    is_constant : bool
        Whether the column was constant within each series.
    """

    position: int
    categories: pd.Index
    is_constant: bool

    def encode(self, column: Any, name: Any, missing: float = UNKNOWN) -> np.ndarray:
        """Convert the values of a column to codes.

        Parameters
        ----------
        column : Series or ndarray of shape (n_rows,)
        name : str or int
            Name of the column in messages.
        missing : float, default=0
            Code of missing values.

        Returns
        -------
        ndarray of shape (n_rows,)
            float32, which is exact up to 2 ** 24 categories.
        """
        positions, labels = factorize(column)
        if len(labels) and len(self.categories):
            check_same_kind(self.categories, labels, name)
        return self.recode(labels, missing)[positions + 1]

    def recode(self, labels: pd.Index, missing: float = UNKNOWN) -> np.ndarray:
        """Return the codes of missing values and of each label, in this order."""
        return np.append(missing, self.categories.get_indexer(labels) + 1).astype(np.float32)


def factorize(column: Any) -> tuple[np.ndarray, pd.Index]:
    """Find the distinct values of a column.

    Returns
    -------
    positions : ndarray of shape (n_rows,)
        Position of each value among the labels; -1 where it is missing.
    labels : pandas.Index
        Distinct values, sorted. Of a column of categories, only those that occur.
    """
    values = pd.Series(column)
    if not isinstance(values.dtype, pd.CategoricalDtype):
        positions, labels = pd.factorize(values, sort=True)
        return positions, labels.infer_objects()
    # The order of categories may differ between tables. In polars, it depends on the process.
    positions, labels = pd.factorize(values)
    places, labels = factorize(labels.astype(labels.categories.dtype))
    return np.append(places, -1)[positions], labels


def check_same_kind(
    categories: pd.Index, labels: pd.Index, name: Any, before: str = "in fit"
) -> None:
    """Raise ValueError if one of two sets of categories is text and the other is not."""
    kinds = [_kind_of(each) for each in (categories, labels)]
    if (kinds[0] == "text") != (kinds[1] == "text"):
        raise ValueError(
            f"The categories of {name!r} were {kinds[0]} {before} (such as {show(categories[0])}) "
            f"and are {kinds[1]} now (such as {show(labels[0])}), so none would match. Use one "
            "type everywhere."
        )


def _kind_of(labels: pd.Index) -> str:
    if pd.api.types.is_string_dtype(labels):
        return "text"
    return "numbers" if pd.api.types.is_numeric_dtype(labels) else "not text"


def encode_categories(
    X: Any, features: Sequence[CategoricalFeature], missing: float = UNKNOWN
) -> Any:
    """Return a table with codes in place of categories.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_columns)
        Is not changed.
    features : sequence of CategoricalFeature
        With positions of columns of X.
    missing : float, default=0
        Code of missing values.

    Returns
    -------
    DataFrame or ndarray of shape (n_rows, n_columns)
    """
    if not features:
        return X
    if isinstance(X, pd.DataFrame):
        table = X.copy(deep=False)
        for feature in features:
            at = feature.position
            table.isetitem(at, feature.encode(X.iloc[:, at], X.columns[at], missing))
        return table
    if X.dtype.kind in "biuf":
        array = X.astype(np.result_type(X.dtype, np.float32))
    else:
        array = X.astype(object)
    for feature in features:
        at = feature.position
        array[:, at] = feature.encode(X[:, at], at, missing)
    return array


def in_window(
    features: Sequence[CategoricalFeature], positions: Sequence[int]
) -> tuple[CategoricalFeature, ...]:
    """Replace the positions of columns by those of the features in a window.

    Parameters
    ----------
    features : sequence of CategoricalFeature
    positions : list of int
        Position of the column of each feature of the window.
    """
    return tuple(replace(each, position=positions.index(each.position)) for each in features)
