"""Read the parts of a stored panel: row groups of Parquet files, or partitions of Dask."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from pandas.api.types import union_categoricals

from sklstm._panel.checks import check_exists
from sklstm._panel.frames import as_plain, is_foreign

# Columns in which pandas stores an index without a name.
UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


class Part(Protocol):
    """A part of a stored panel that is read at once.

    Attributes
    ----------
    n_rows : int
    """

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read chosen columns of all rows."""


@dataclass(frozen=True)
class FramePart:
    """A DataFrame in memory."""

    frame: pd.DataFrame

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.frame)

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return chosen columns."""
        return self.frame[list(columns)]


@dataclass(frozen=True)
class ArrowPart:
    """A fragment of a pyarrow dataset, such as a row group of a Parquet file."""

    fragment: Any
    schema: Any
    n_rows: int

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read chosen columns, also those whose values stand in the path of the file."""
        table = self.fragment.to_table(schema=self.schema, columns=list(columns))
        return table.to_pandas(ignore_metadata=True)


@dataclass(frozen=True)
class DaskPart:
    """A partition of a Dask DataFrame."""

    partition: Any
    n_rows: int

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Compute chosen columns."""
        return self.partition[list(columns)].compute()


def import_pyarrow() -> Any:
    """Import and return pyarrow; raise ImportError that names the extra that installs it."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Parquet files are read and written by pyarrow, which is not installed: run pip "
            'install "sklstm[polars]".'
        ) from error
    return pyarrow


def find_parts(source: Any) -> tuple[list[Part], list[str]]:
    """Find the parts of a stored panel and its columns.

    Parameters
    ----------
    source : path-like, list of path-like, pyarrow.dataset.Dataset or DataFrame
        The DataFrame may be one of Dask, pandas or another library.

    Returns
    -------
    parts : list of Part
        Those with rows.
    columns : list of str
    """
    if type(source).__module__.split(".")[0] in ("dask", "dask_expr"):
        return _parts_of_dask(source)
    if isinstance(source, pd.DataFrame) or is_foreign(source):
        frame = as_plain(source)
        return [FramePart(frame)] if len(frame) else [], list(frame.columns)
    return _parts_of_arrow(source)


def _parts_of_dask(frame: Any) -> tuple[list[Part], list[str]]:
    sizes = frame.map_partitions(len).compute()
    partitions = [frame.get_partition(i) for i in range(frame.npartitions)]
    parts: list[Part] = [
        DaskPart(partition, int(n)) for partition, n in zip(partitions, sizes, strict=True) if n
    ]
    return parts, list(frame.columns)


def _parts_of_arrow(source: Any) -> tuple[list[Part], list[str]]:
    import_pyarrow()
    from pyarrow import dataset

    is_given = isinstance(source, dataset.Dataset)
    if not is_given:
        source = _open_files(source, dataset)
    fragments, schema = list(source.get_fragments()), source.schema
    if not is_given:  # the schema of the first file
        schema = _common_schema([schema, *(fragment.physical_schema for fragment in fragments)])
    columns = [name for name in schema.names if not UNNAMED_INDEX.fullmatch(name)]
    parts: list[Part] = [
        ArrowPart(group, schema, sum(info.num_rows for info in group.row_groups))
        for fragment in fragments
        for group in fragment.split_by_row_group()
    ]
    return [part for part in parts if part.n_rows], columns


def _open_files(source: Any, dataset: Any) -> Any:
    """Open Parquet files as a dataset of pyarrow, whose module is `dataset`."""
    is_list = isinstance(source, (list, tuple))
    paths = list(source) if is_list else [source]
    if not all(isinstance(path, (str, os.PathLike)) for path in paths):
        raise TypeError(
            f"source is of type {type(source).__name__}, expected a folder or files of Parquet, a "
            "dataset of pyarrow or a DataFrame. Convert an array with pandas.DataFrame(array, "
            "columns=...)."
        )
    paths = [check_exists(path) for path in paths]
    try:
        return dataset.dataset(
            paths if is_list else paths[0], format="parquet", partitioning="hive"
        )
    except ValueError as error:
        what, other = "holds files that are not Parquet", "data.csv"
        if not is_list and os.path.isfile(paths[0]):
            what, other = "is not a Parquet file", paths[0]
        stem = os.path.splitext(other)[0]
        raise ValueError(
            f"{source!r} {what}, and PanelDataset reads only Parquet. Convert other files first, "
            f"such as with pandas.read_csv({other!r}).to_parquet({stem + '.parquet'!r})."
        ) from error


def _common_schema(schemas: Sequence[Any]) -> Any:
    """Return a schema with all columns, each of a type that holds the values of all files.

    Where there is no such type, it is the first one, to which the values are cast.
    """
    import pyarrow as pa

    fields: dict[str, Any] = {}
    for field in itertools.chain(*schemas):
        known = fields.setdefault(field.name, field)
        if known.type != field.type:
            with suppress(pa.ArrowTypeError):
                pair = [pa.schema([known]), pa.schema([field])]
                fields[field.name] = pa.unify_schemas(pair, promote_options="permissive").field(0)
    return pa.schema(fields.values())


def concatenate_tables(tables: Sequence[Any]) -> Any:
    """Put tables, or columns of them, below each other, with new row numbers.

    A column of categories stays one if the tables have different categories of it, where pandas
    would make it a column of objects.
    """
    if isinstance(tables[0], pd.Series):
        return concatenate_tables([column.to_frame() for column in tables]).iloc[:, 0]
    tables = [table.copy(deep=False) for table in tables]
    for at, dtype in enumerate(tables[0].dtypes):
        columns = [table.iloc[:, at] for table in tables]
        others = {column.dtype for column in columns} - {dtype}
        if others and all(isinstance(each, pd.CategoricalDtype) for each in (dtype, *others)):
            union = union_categoricals(columns, ignore_order=True).dtype
            for table, column in zip(tables, columns, strict=True):
                table.isetitem(at, column.astype(union))
    return pd.concat(tables, ignore_index=True)
