"""Find the columns of categories of a panel, and learn their categories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.categories import CategoricalFeature, check_same_kind, factorize
from sklstm._panel.frames import as_plain
from sklstm._panel.read import as_names, as_table, read_series_rows, select_features
from sklstm._panel.tables import describe_columns

FROM_DTYPE = "from_dtype"
# Constraint of the parameter `categorical_features`.
CATEGORICAL_FEATURES: list[Any] = [str, "array-like", None]


def find_categorical(
    X: Any,
    categorical_features: Any,
    *,
    columns: Any = None,
    series: str | int | None = None,
    time: str | int | None = None,
) -> list[int]:
    """Find the columns of categories among the features of a panel.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_rows, n_columns)
        A panel.
    categorical_features : "from_dtype", list of str or int, or None
        "from_dtype": the columns of dtype "category", of which arrays have none.
    columns : list of str or int, default=None
        The features. None: every column but the ids and the time.
    series, time : str, int or None, default=None
        Column name, index level name or column position of the ids and of the time.

    Returns
    -------
    list of int
        Positions.

    Raises
    ------
    ValueError
        If a column is not in X or is no feature.
    """
    by_dtype = isinstance(categorical_features, str)
    if by_dtype and categorical_features != FROM_DTYPE:
        raise ValueError(
            f"categorical_features={categorical_features!r} is text, expected {FROM_DTYPE!r}, a "
            f"list of columns or None. Put one column in a list: [{categorical_features!r}]."
        )
    if categorical_features is None or (by_dtype and not isinstance(X, pd.DataFrame)):
        return []
    if not by_dtype and not as_names(categorical_features):
        return []
    X = as_table(X)
    features = select_features(X, columns, series, time)
    if by_dtype:
        return [at for at in features if isinstance(X.dtypes.iloc[at], pd.CategoricalDtype)]
    chosen = select_features(X, categorical_features, series, time, "categorical_features")
    if other := sorted(set(chosen) - set(features)):
        raise ValueError(
            f"categorical_features= contains columns that are not in columns={columns!r}, at the "
            f"positions {other} of X ({describe_columns(X)}). Add them to columns, or remove them "
            "from categorical_features."
        )
    return chosen


def learn_categories(
    tables: Iterable[Any],
    categorical_features: Any,
    *,
    columns: Any = None,
    series: str | int | None = None,
    time: str | int | None = None,
) -> tuple[CategoricalFeature, ...]:
    """Learn the categories of a panel, which may be read in several tables.

    Parameters
    ----------
    tables : iterable of DataFrame or array-like of shape (n_rows, n_columns)
        Each holds whole series. The first one determines which columns are categories. The others
        are only read if there are some.
    categorical_features, columns, series, time
        As in `find_categorical`.

    Returns
    -------
    tuple of CategoricalFeature
        With positions of columns.
    """
    learnt: list[list[CategoricalFeature]] = []
    ids = {"series": series, "time": time}
    for table in map(as_plain, tables):
        if not learnt:
            found = find_categorical(table, categorical_features, columns=columns, **ids)
            if not found:
                return ()
        table = as_table(table)
        codes = read_series_rows(table, series).codes
        learnt.append([_learn_column(table, position, codes) for position in found])
    return tuple(_merge(parts) for parts in zip(*learnt, strict=True))


def _learn_column(X, position, codes) -> CategoricalFeature:
    """Learn the categories of one column; `codes` are those of the series."""
    is_frame = isinstance(X, pd.DataFrame)
    column = X.iloc[:, position] if is_frame else X[:, position]
    values, labels = factorize(column)
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    if labels.dtype.kind == "f" and not is_category and (labels % 1 != 0).any():
        name = repr(X.columns[position]) if is_frame else f"column {position}"
        convert = (
            f", or convert it before the scaler: X.astype({{{name}: 'category'}})"
            if is_frame
            else ""
        )
        raise ValueError(
            f"The values of {name} (in categorical_features) are not whole numbers, such as "
            f"{labels[labels % 1 != 0][0]:.4g}. If a scaler changed them, leave {name} out of the "
            f"scaler's columns={convert}."
        )
    first = np.empty(codes.max() + 1, values.dtype)
    first[codes[::-1]] = values[::-1]
    return CategoricalFeature(position, labels, bool((values == first[codes]).all()))


def _merge(parts) -> CategoricalFeature:
    """Merge the categories of one column in several tables."""
    if len(parts) == 1:
        return parts[0]
    known = [part.categories for part in parts if len(part.categories)]
    for categories in known[1:]:
        check_same_kind(known[0], categories, parts[0].position, "in earlier blocks")
    labels = known[0].append(known[1:]) if known else parts[0].categories
    is_constant = all(part.is_constant for part in parts)
    return CategoricalFeature(parts[0].position, factorize(labels)[1], is_constant)
