"""Convert DataFrames to tables of Arrow, whose columns have the same types in all files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sklstm._streaming.parts import ArrowPart, Part, import_pyarrow


def column_types(parts: Sequence[Part], columns: Sequence[str]) -> dict[str, Any]:
    """Find the types in Arrow of columns: those of the files, or of the values.

    Values of objects do not show them everywhere: there may be none in some parts, and decimals of
    few digits have another type than those of many.

    Parameters
    ----------
    parts : list of Part
    columns : list of str

    Returns
    -------
    dict
        By name. The type of a column without any value is that of nulls.
    """
    if isinstance(parts[0], ArrowPart):
        return {name: parts[0].schema.field(name).type for name in columns}
    pa = import_pyarrow()
    types: dict[str, Any] = {}
    unknown = list(columns)
    for part in parts:
        schema = pa.Schema.from_pandas(part.read(unknown), preserve_index=False)
        types |= {field.name: field.type for field in schema}
        unknown = [name for name in unknown if pa.types.is_null(types[name])]
        if not unknown:
            break
    return types


def as_arrow(table: pd.DataFrame, types: dict[str, Any]) -> Any:
    """Convert a DataFrame; columns without values and decimals have the types given by name.

    An index is kept if it has a name.
    """
    pa = import_pyarrow()
    is_named = any(name is not None for name in table.index.names)
    arrow = pa.Table.from_pandas(table, preserve_index=is_named)
    for at, field in enumerate(arrow.schema):
        kind = types.get(field.name, field.type)
        if pa.types.is_null(field.type):
            arrow = arrow.set_column(at, field.with_type(kind), pa.nulls(len(table), kind))
        elif pa.types.is_decimal(field.type):
            arrow = arrow.set_column(at, field.with_type(kind), arrow.column(at).cast(kind))
    return arrow
