"""Check tables and the names of their columns, and describe what is wrong with them."""

from __future__ import annotations

from numbers import Integral, Number
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from sklstm._panel.show import did_you_mean
from sklstm._panel.windows import Windows

# Constraint of parameters that name the ids. A list is not valid either, but `describe_lost_name`
# has the better message for it.
SERIES_NAME: list[Any] = [str, Integral, list, None]


def check_table(X: Any, name: str | None) -> None:
    """Raise ValueError if X is one column, or windows.

    Parameters
    ----------
    X : object
    name : str or None
        Name of the estimator.
    """
    check_is_table(X)
    if isinstance(X, Windows):
        remedy = f"Put {name or 'this step'} before WindowTransformer."
        if name == "WindowTransformer":
            remedy = "Pass the panel itself, which is transformed once."
        raise ValueError(f"X are windows of shape {X.shape}, expected a table. {remedy}")


def check_is_table(X: Any) -> None:
    """Raise ValueError if X is one column, one value or a path."""
    if isinstance(X, pd.Series):
        raise ValueError(
            f"X is a Series of {len(X)} values, expected a table. Pass a DataFrame with the ids, "
            "such as df[['id', 'time', 'value']], or X.to_frame() if all rows are one series."
        )
    if isinstance(X, (str, PathLike)):
        raise ValueError(
            f"X is {X!r}, expected a table. If it is the path of a file, read it first, such as "
            "with pandas.read_csv."
        )
    if isinstance(X, Number):
        raise ValueError(f"X is {X!r}, expected a table: a DataFrame, or an array of two axes.")


def check_unique_names(X: Any) -> None:
    """Raise ValueError if two columns of a DataFrame have the same name."""
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(
            f"X has several columns named {twice}, expected unique names. Rename or drop all but "
            "one of each."
        )


def describe_columns(X: Any) -> str:
    """Describe the columns of a table in a message."""
    if not isinstance(X, pd.DataFrame):
        return f"an array of {X.shape[1]} columns without names"
    levels = [level for level in X.index.names if level is not None]
    return f"columns: {list(X.columns)}; index levels: {levels}"


def describe_lost_name(X: Any, name: Any) -> str:
    """Return what to do about a name of ids or of a time that is not in X."""
    if isinstance(name, list):
        if len(name) == 1:
            return f"Expected one name: pass {name[0]!r} itself."
        joined = " + '_' + ".join(f"X[{each!r}].astype(str)" for each in name)
        return (
            "Expected one name. Combine several columns into one first, such as "
            f"X.assign(id={joined}), and pass series='id'."
        )
    if not isinstance(X, pd.DataFrame):
        if not isinstance(name, str):
            return f"Pass a position from 0 to {X.shape[1] - 1}."
        return (
            "If an earlier step returned the array, call .set_output(transform='pandas') on that "
            "step, or use PerSeriesScaler in place of a scaler of scikit-learn, which would also "
            "scale the ids. Otherwise pass a DataFrame, or the position of the column."
        )
    if longer := [each for each in X.columns if str(each).endswith(f"__{name}")]:
        return (
            f"Did you mean {longer[0]!r}? Or set verbose_feature_names_out=False in the "
            "ColumnTransformer that renamed it."
        )
    return did_you_mean(
        name, names_of(X), "An earlier step may have dropped it or changed its name."
    )


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns and of the index levels; none for an array."""
    return [*X.columns, *X.index.names] if isinstance(X, pd.DataFrame) else []


def add_infinite_columns(error: ValueError, features: Any) -> None:
    """Add the columns with infinite values to an error of scikit-learn, if there are any."""
    if isinstance(features, pd.DataFrame) and "infinity" in str(error):
        infinite = [name for name in features if np.isinf(features[name].astype(float)).any()]
        error.args = (
            f"{error} Columns with infinity: {infinite}. Replace it with NaN and fill it, or drop "
            "those rows; it often comes from a division by 0.",
        )
