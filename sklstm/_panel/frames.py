"""Read dataframes of any library, and return results in the kind of frame that was given.

The package computes on pandas and NumPy. narwhals converts the dataframes and series of other
libraries, such as polars and pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from sklstm._panel.arrays import without_mask

# From version 3 on, pandas copies shared columns when they are written to.
COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3
# Libraries to whose frames narwhals converts results.
LIBRARIES = ("polars", "pyarrow", "modin", "cudf")
# Types of ids and times that results keep, and the parameters of the types that have some.
TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64),
        *(nw.Float32, nw.Float64, nw.Boolean, nw.String, nw.Categorical, nw.Enum),
        *(nw.Date, nw.Datetime, nw.Duration),
    )
}
TYPE_PARAMETERS = {
    "Datetime": ("time_unit", "time_zone"),
    "Duration": ("time_unit",),
    "Enum": ("categories",),
}


def as_plain(data: Any) -> Any:
    """Convert data of kinds that pandas and scikit-learn do not read as they are.

    Parameters
    ----------
    data : object
        Anything.

    Returns
    -------
    object
        A DataFrame or Series of pandas for one of another library, an array without mask for a
        masked array. Everything else is returned unchanged.

    Raises
    ------
    TypeError
        If `data` is a lazy frame.
    ImportError
        If the conversion needs pyarrow, which is not installed.
    """
    frame = _frame(data)
    if frame is None:
        return without_mask(data)
    with _explained_without_pyarrow():
        return frame.to_pandas()


def is_foreign(data: Any) -> bool:
    """Whether an object is a DataFrame or Series of a library other than pandas."""
    return _frame(data) is not None


def _frame(data: Any) -> Any:
    """Return a DataFrame or Series of another library in narwhals; None for everything else."""
    if isinstance(data, (np.ndarray, pd.DataFrame, pd.Series)):
        return None
    frame = nw.from_native(data, allow_series=True, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(
            f"Got a lazy frame ({type(data).__module__.split('.')[0]}.{type(data).__name__}), "
            "whose rows are not computed yet. Pass a DataFrame: call .collect() on it."
        )
    return frame if isinstance(frame, (nw.DataFrame, nw.Series)) else None


@contextmanager
def _explained_without_pyarrow() -> Iterator[None]:
    """Name the extra that installs pyarrow where a conversion does not find it."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            "Dataframes of other libraries than pandas are converted by pyarrow, which is not "
            'installed: run pip install "sklstm[polars]".'
        ) from error


# -------------------------------------------------------------------- rows and columns
def take(X: Any, rows: Any, columns: Sequence[int] | None = None) -> Any:
    """Select rows, and columns of a DataFrame, by position.

    Parameters
    ----------
    X : Windows, ndarray or DataFrame of any library
    rows : ndarray of int
    columns : list of int, default=None
        None: all columns.

    Returns
    -------
    Windows, ndarray or DataFrame
        Of the kind of `X`.
    """
    frame = _frame(X)
    if frame is not None:
        return frame[rows, slice(None) if columns is None else columns].to_native()
    key = rows if columns is None else (rows, columns)
    return X.iloc[key] if isinstance(X, pd.DataFrame) else X[key]


def with_values(X: Any, positions: Sequence[int], values: np.ndarray) -> Any:
    """Return a DataFrame of another library than pandas with other values in some columns.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
    positions : list of int
        Positions of the columns.
    values : ndarray of shape (n_rows, n_positions)
        NaN becomes null.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        The other columns are those of `X`, whatever their type.
    """
    return with_columns(X, [_frame(X).columns[position] for position in positions], values)


def with_columns(X: Any, names: Sequence[str], values: np.ndarray) -> Any:
    """Return a DataFrame of another library than pandas with other or further columns.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
    names : list of str
        Names of columns, which are replaced, or appended where X does not have them.
    values : ndarray of shape (n_rows, n_names)
        NaN becomes null.

    Returns
    -------
    DataFrame
    """
    frame = _frame(X)
    new = _from_pandas(pd.DataFrame(values, columns=names), frame.implementation.value)
    return frame.with_columns(*new.iter_columns()).to_native()


# ------------------------------------------------------------------------------- results
@dataclass(frozen=True)
class FrameKind:
    """Describe a kind of frame other than pandas, for results.

    Attributes
    ----------
    library : str
        One of `LIBRARIES`.
    types : dict
        By column of the result: the name of one of `TYPES`, and its parameters.
    """

    library: str
    types: dict[str, tuple[Any, ...]]

    def __post_init__(self) -> None:
        # Model files hold these names.
        if self.library not in LIBRARIES or not all(
            name in TYPES for name, *_ in self.types.values()
        ):
            raise ValueError(f"{self!r} is no kind of frame.")


def frame_kind(data: Any, sources: Mapping[Any, Any] | None = None) -> FrameKind | None:
    """Return the kind of a frame; None for pandas, arrays and everything else.

    Parameters
    ----------
    data : object
        A DataFrame or Series, or anything else.
    sources : dict, default=None
        By column of the result: the column of `data` whose type it gets, such as the id. In polars,
        tables can be joined on columns of equal type only.

    Returns
    -------
    FrameKind or None
    """
    frame = _frame(data)
    if frame is None:
        return None
    types = {}
    for name, column in (sources or {}).items():
        if column in frame.columns and type(dtype := frame[column].dtype).__name__ in TYPES:
            types[name] = _describe_type(dtype)
    return FrameKind(frame.implementation.value, types)


def in_kind(kind: FrameKind | None, table: pd.DataFrame) -> Any:
    """Convert a result to a kind of frame.

    Parameters
    ----------
    kind : FrameKind or None
        None returns `table` itself.
    table : DataFrame
        Named levels of its index become columns. Missing values become null.

    Returns
    -------
    DataFrame
    """
    if kind is None:
        return table
    has_names = any(name is not None for name in table.index.names)
    frame = _from_pandas(table.reset_index(drop=not has_names), kind.library)
    columns = [_cast(frame[name], *described) for name, described in kind.types.items()]
    return frame.with_columns(*columns).to_native()


def as_column(values: np.ndarray, panel: Any, name: str) -> Any:
    """Return values of the rows of a panel as a Series of its library; of an array, as they are."""
    kind = frame_kind(panel)
    if kind is None and not isinstance(panel, pd.DataFrame):
        return values
    index = panel.index if isinstance(panel, pd.DataFrame) else None
    return in_kind(kind, pd.DataFrame({name: values}, index=index))[name]


def _from_pandas(table: pd.DataFrame, library: Any) -> nw.DataFrame[Any]:
    with _explained_without_pyarrow():
        return nw.from_arrow(nw.from_native(table).to_arrow(), backend=library)


def _describe_type(dtype: Any) -> tuple[Any, ...]:
    """Return the name of a narwhals type and its parameters, as plain values."""
    name = type(dtype).__name__
    return name, *(getattr(dtype, parameter) for parameter in TYPE_PARAMETERS.get(name, ()))


def _cast(column: nw.Series[Any], name: str, *parameters: Any) -> nw.Series[Any]:
    """Cast a column to a type, unless that would change a value."""
    try:
        cast = column.cast(TYPES[name](*parameters))
        is_same = bool((cast.cast(column.dtype) == column).all())
    except ValueError:  # pyarrow raises where a value would change
        is_same = False
    return cast if is_same else column
