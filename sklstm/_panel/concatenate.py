"""Put the rows and the windows of different series after one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sklstm._panel.rows import SeriesRows
from sklstm._panel.windows import WindowNormalization, Windows


def concatenate_series(parts: Sequence[SeriesRows]) -> SeriesRows:
    """Put the rows of different series after one another.

    Parameters
    ----------
    parts : list of SeriesRows
        Sorted, of the same kind of time. No series is in two of them.

    Returns
    -------
    SeriesRows
    """
    first, *others = parts
    if not others:
        return first
    offsets = np.append(0, np.cumsum([len(part.ids) for part in parts]))
    codes = [part.codes + offset for part, offset in zip(parts, offsets, strict=False)]
    time = None if first.time is None else np.concatenate([part.time for part in parts])
    ids = first.ids.append([part.ids for part in others])
    return SeriesRows(np.concatenate(codes, dtype=np.int32), ids, time, first.time_kind)


def concatenate_windows(parts: Sequence[Windows]) -> Windows:
    """Put windows of different series after one another.

    Parameters
    ----------
    parts : list of Windows
        Of the same shape, spacing, padding, names and categories. No series is in two of them.

    Returns
    -------
    Windows
    """
    first, *others = parts
    if not others:
        return first
    row_offsets = np.cumsum([0] + [len(part.rows) for part in parts[:-1]])
    code_offsets = np.cumsum([0] + [len(part.ids) for part in parts[:-1]])
    normalization = first.normalization
    if normalization is not None:
        each = [part.normalization for part in parts if part.normalization is not None]
        normalization = WindowNormalization(
            np.concatenate([part.center for part in each]),
            np.concatenate([part.scale for part in each]),
            normalization.limit,
        )
    return Windows(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([p.ends + n for p, n in zip(parts, row_offsets, strict=True)]),
        np.concatenate([part.n_observed for part in parts]),
        first.window_length,
        spacing=first.spacing,
        padding=first.padding,
        codes=np.concatenate([p.codes + n for p, n in zip(parts, code_offsets, strict=True)]),
        ids=first.ids.append([part.ids for part in others]),
        names=first.names,
        normalization=normalization,
        categories=first.categories,
    )
