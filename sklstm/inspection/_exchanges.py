"""Choose the parts of windows to exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from sklstm._panel.windows import Windows
from sklstm.inspection._exchanged_windows import ExchangedWindows

# Maps a permutation of the windows to windows with exchanged parts.
Exchange: TypeAlias = Callable[[np.ndarray], Windows]
# Names may repeat: of features, and of groups with the same first and last lag.
NamedExchanges: TypeAlias = list[tuple[Any, Exchange]]

EMBEDDING = "series embedding"


def exchange_features(windows: Windows, names: list[str], has_embedding: bool) -> NamedExchanges:
    """Return the exchange of each feature, and of the embedding vectors if there are some."""
    shape = windows.shape[1:]
    exchanges: NamedExchanges = []
    for place, name in enumerate(names):
        cells = np.zeros(shape, bool)
        cells[:, place] = True
        exchanges.append((name, partial(ExchangedWindows.exchange, windows, cells)))
    if has_embedding:
        exchanges.append(
            (EMBEDDING, lambda order: windows.with_series(windows.codes[order], windows.ids))
        )
    return exchanges


def exchange_lags(windows: Windows, groups: list[tuple[Any, np.ndarray]]) -> NamedExchanges:
    """Return the exchange of each group of lags.

    Parameters
    ----------
    windows : Windows
    groups : list of (name, ndarray)
        The lags of each group, in rows of a window from the last one.
    """
    exchanges: NamedExchanges = []
    for name, lags in groups:
        cells = np.zeros(windows.shape[1:], bool)
        cells[windows.window_length - 1 - lags] = True
        exchanges.append((name, partial(ExchangedWindows.exchange, windows, cells)))
    return exchanges


def exchange_windows(windows: Windows) -> Exchange:
    """Return the exchange of whole windows."""
    return partial(ExchangedWindows.exchange, windows, np.ones(windows.shape[1:], bool))


def group_lags(
    lag_groups: int | Sequence[Any] | None, window_length: int, spacing: int
) -> list[tuple[Any, np.ndarray]]:
    """Name groups of lags.

    Parameters
    ----------
    lag_groups : int, list of lists of int, or None
        Number of groups of adjacent lags, or the lags of each group; None: each lag is a group.
    window_length, spacing : int

    Returns
    -------
    list of (name, ndarray)
        The name of each group, a lag or the range of its lags, and its places counted from the last
        row of a window, which are lags divided by `spacing`.
    """
    places = np.arange(window_length)
    if lag_groups is None:
        parts: list[Any] = [[place] for place in places]
    elif isinstance(lag_groups, int | Integral):
        parts = np.array_split(places, min(int(lag_groups), window_length))
    else:
        parts = [_check_group(group, window_length, spacing) for group in lag_groups]
    groups = [np.asarray(part) for part in parts]
    return [(_name_of(group * spacing), group) for group in groups]


def _check_group(group: Any, window_length: int, spacing: int) -> np.ndarray:
    """Convert the lags of a group to places in a window."""
    lags = np.unique(np.atleast_1d(group))
    known = np.arange(window_length) * spacing
    if lags.dtype.kind not in "iu" or not len(lags) or not np.isin(lags, known).all():
        raise ValueError(
            f"lag_groups holds {group!r}, but the lags of the windows are 0 to {known[-1]} rows, "
            f"in steps of {spacing}. Remove it, or use longer windows."
        )
    return lags // spacing


def _name_of(lags: np.ndarray) -> Any:
    """Name a group of lags: the lag, or the first and last one."""
    return int(lags[0]) if len(lags) == 1 else f"{lags.min()}-{lags.max()}"
