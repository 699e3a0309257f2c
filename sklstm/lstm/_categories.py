"""Bring the categories in windows into the form of a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sklstm._panel.categories import CategoricalFeature
from sklstm._panel.windows import Windows


def recode_categories(windows: Windows, fitted: tuple[CategoricalFeature, ...], name) -> Windows:
    """Replace the codes of categories in windows by those of a fitted network.

    Windows have other codes where their transformer was fitted to other rows. Categories that the
    network does not know get the code of unknown ones.

    Parameters
    ----------
    windows : Windows
    fitted : tuple of CategoricalFeature
        Those of the network.
    name : str
        Name of the estimator.

    Returns
    -------
    Windows
        With the categories of the network.

    Raises
    ------
    ValueError
        If other features are categories than in fit.
    """
    now, before = ([each.position for each in each_of] for each_of in (windows.categories, fitted))
    if sorted(now) != sorted(before):
        raise ValueError(
            f"{name} was fitted on windows whose features {_named(windows, before)} are "
            f"categories, and those of X are {_named(windows, now)}. Pass the Windows of the "
            "fitted WindowTransformer: an array of them holds codes without categories."
        )
    rows, by_position = windows.rows, {each.position: each for each in windows.categories}
    for feature in fitted:
        own, position = by_position[feature.position].categories, feature.position
        if own.equals(feature.categories):
            continue
        if rows is windows.rows:
            rows = rows.copy()
        rows[:, position] = feature.recode(own)[rows[:, position].astype(np.intp)]
    return windows.with_rows(rows).with_categories(fitted)


def _named(windows, positions):
    """Return the names of features, or their positions."""
    return [
        position if windows.names is None else windows.names[position] for position in positions
    ]


def once_per_window(windows: Windows, static: tuple[int, ...]) -> tuple[int, ...]:
    """Add the categories that are constant within each series to the static features.

    At least one feature must be left for the LSTM.
    """
    constant = [each.position for each in windows.categories if each.is_constant]
    chosen = (*static, *(position for position in constant if position not in static))
    return chosen if len(chosen) < windows.shape[2] else static


def as_many_as(
    categories: tuple[tuple[int, int], ...], source: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """Make room for the categories of another network, whose vectors can then be copied.

    Both are the `categories` of a NetworkSpec.
    """
    others = dict(source)
    return tuple((position, max(n, others.get(position, 0))) for position, n in categories)


def of_columns(
    fitted: tuple[CategoricalFeature, ...], columns: list[int]
) -> tuple[CategoricalFeature, ...]:
    """Replace the positions of features by those of their columns in a table."""
    # A table with fewer columns raises an error when it is read.
    return tuple(
        replace(each, position=columns[each.position])
        for each in fitted
        if each.position < len(columns)
    )
