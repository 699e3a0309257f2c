"""Write a panel anew, with the rows of each series together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from sklstm._bar import Progress
from sklstm._streaming.arrow_tables import as_arrow, column_types
from sklstm._streaming.layout import check_no_missing_ids
from sklstm._streaming.parts import Part


def write_by_series(
    parts: Sequence[Part],
    columns: Sequence[str],
    folder: Any,
    series: str,
    n_files: int,
    progress: Progress,
) -> None:
    """Write Parquet files in which the rows of each series lie together, in their order.

    A first pass distributes the rows to files by a hash of the id. A second pass sorts the rows of
    one file at a time by series.

    Parameters
    ----------
    parts : list of Part
    columns : list of str
    folder : path-like
        A new or empty folder.
    series : str
        Name of the column of the ids.
    n_files : int
    progress : Progress
        Its two steps are the passes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"The folder {str(folder)!r} is not empty. Choose a new folder.")
    with TemporaryDirectory(dir=folder) as unsorted:
        types = column_types(parts, columns)
        first = progress.part(len(parts), "part")
        written = _distribute(parts, columns, types, Path(unsorted), series, n_files, first)
        first.finish()
        second = progress.part(len(written), "file")
        for number, path in enumerate(written):
            with second.step():
                _sort_file(path, folder / f"part-{number:05d}.parquet", series, types)
        second.finish()


def _sort_file(source, target, series, types) -> None:
    """Write the rows of a file by series."""
    from pyarrow import parquet

    frame = pd.read_parquet(source)
    codes, _ = pd.factorize(frame[series])
    in_order = frame.iloc[codes.argsort(kind="stable")]
    parquet.write_table(as_arrow(in_order, types), target)


def _distribute(parts, columns, types, folder, series, n_files, progress) -> list[Path]:
    """Write each row to the file that the hash of its id determines."""
    from pyarrow import parquet

    writers: dict[int, Any] = {}
    n_rows = 0
    with ExitStack() as stack:
        for part in parts:
            with progress.step():
                frame = part.read(columns).reset_index(drop=True)
                check_no_missing_ids(frame[series], n_rows, series)
                n_rows += len(frame)
                hashes = pd.util.hash_array(frame[series].to_numpy()) % n_files
                for number, rows in frame.groupby(hashes):
                    table = as_arrow(rows, types)
                    if number not in writers:
                        path = folder / f"{number:05d}.parquet"
                        writer = parquet.ParquetWriter(path, table.schema)
                        writers[number] = stack.enter_context(writer)
                    writers[number].write_table(table.cast(writers[number].schema))
    return sorted(folder.iterdir())
