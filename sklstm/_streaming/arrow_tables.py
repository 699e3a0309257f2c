"""Convert DataFrames to tables of Arrow, whose columns have the same types in all blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from sklstm._streaming.parts import import_pyarrow


def column_types(
    read: Callable[[int, Sequence[str]], pd.DataFrame], n_blocks: int, columns: Sequence[str]
) -> dict[str, Any]:
    """Find the types in Arrow of columns, each in the first block in which it has a value.

    A column of objects without a value has no type, and files of one folder are read with the types
    of the first one.

    Parameters
    ----------
    read : callable
        It receives the number of a block and names of columns, and reads them.
    n_blocks : int
    columns : list of str

    Returns
    -------
    dict
        By name. The type of a column without any value is that of nulls.
    """
    pa = import_pyarrow()
    types: dict[str, Any] = {}
    unknown = list(columns)
    for number in range(n_blocks):
        schema = pa.Schema.from_pandas(read(number, unknown), preserve_index=False)
        types |= {field.name: field.type for field in schema}
        unknown = [name for name in unknown if pa.types.is_null(types[name])]
        if not unknown:
            break
    return types


def as_arrow(table: pd.DataFrame, types: dict[str, Any]) -> Any:
    """Convert a DataFrame; columns without values have the types that are given by name.

    An index is kept if it has a name.
    """
    pa = import_pyarrow()
    is_named = any(name is not None for name in table.index.names)
    arrow = pa.Table.from_pandas(table, preserve_index=is_named)
    for at, field in enumerate(arrow.schema):
        if field.name in types and pa.types.is_null(field.type):
            kind = types[field.name]
            arrow = arrow.set_column(at, field.with_type(kind), pa.nulls(len(table), kind))
    return arrow
