"""Panels and regressors for the tests of all packages."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from sklstm import MultiSeriesLSTMRegressor


def make_panel(lengths, features=("p", "q"), starts=0, scattered=False, seed=0):
    """Make a panel of unequal series: columns ``unit`` and ``cycle``, then the features.

    The features are independent standard normal values. Tests that need levels, targets or
    further columns derive them from the result.

    Parameters
    ----------
    lengths : dict or sequence of int
        Number of rows per series: by the name of the series, or in the order of the names
        "a", "b", ...
    features : sequence of str
        Names of the features.
    starts : int or sequence of int
        First cycle, of all series or of each.
    scattered : bool
        Whether the rows are shuffled, across series and out of time order.
    seed : int
        Seed of the values and of the order.

    Returns
    -------
    DataFrame
        The panel, with a fresh index unless `scattered`.
    """
    rng = np.random.default_rng(seed)
    if not isinstance(lengths, dict):
        lengths = dict(zip("abcdefghijkl", lengths, strict=False))
    starts = np.broadcast_to(starts, len(lengths))
    parts = [
        pd.DataFrame({"unit": unit, "cycle": np.arange(start, start + length)})
        for (unit, length), start in zip(lengths.items(), starts, strict=True)
    ]
    panel = pd.concat(parts, ignore_index=True)
    panel[list(features)] = rng.normal(size=(len(panel), len(features)))
    return panel.iloc[rng.permutation(len(panel))] if scattered else panel


# pandas 2 copies a block of columns that pandas 3 shares.
shared_columns = pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 copies columns")


def slow_except(cases, *fast):
    """Make the cases of a parametrized test, of which all but the named ones are slow tests.

    Parameters
    ----------
    cases : dict or sequence of str
        Cases by name, each a value or a tuple of values; or names, which are the values.
    *fast : str
        Names of the cases that run by default.
    """
    if not isinstance(cases, dict):
        cases = {name: name for name in cases}
    assert cases.keys() >= set(fast)
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            id=name,
            marks=[] if name in fast else [pytest.mark.slow],
        )
        for name, case in cases.items()
    ]


def lstm(**options):
    """Make a small regressor; equal sizes in all tests save compiling.

    Two epochs of batches of 16 rows, four units, a fixed seed; `options` replaces any of
    them and adds other parameters of the regressor.
    """
    defaults = {"hidden_units": 4, "epochs": 2, "batch_size": 16, "learning_rate": 0.01}
    return MultiSeriesLSTMRegressor(**defaults | {"random_state": 0} | options)


def make_random_walks(lengths=(14, 18, 22, 26), seed=0):
    """Make a panel of one random walk per length, each at its own level, with shuffled rows.

    Columns are ``unit`` (1, 2...), ``cycle`` (from 10 times the unit) and ``p``.
    """
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"unit": unit, "cycle": 10 * unit + np.arange(length)})
        for unit, length in enumerate(lengths, start=1)
    ]
    panel = pd.concat(parts, ignore_index=True)
    panel["p"] = rng.normal(size=len(panel)).cumsum() + 10 * panel["unit"]
    return panel.iloc[rng.permutation(len(panel))].reset_index(drop=True)


def line_of(axes, label):
    """Return the only line of some matplotlib axes that has this label."""
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


@st.composite
def panels(draw, features=("p", "q"), dtype="float64", names="abcd", scattered=True):
    """Draw a small panel: columns ``unit`` and ``cycle``, then the features with some NaN.

    Series have 1 to 7 rows, steps of 1 to 4 cycles, different starts, and any order. With
    `scattered`, their rows may also be mixed and out of time order.
    """
    units = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for unit in units:
        n_rows = draw(st.integers(1, 7))
        cycle = rng.integers(0, 12) + np.cumsum(rng.integers(1, 5, n_rows))
        parts.append(pd.DataFrame({"unit": unit, "cycle": cycle}))
    panel = pd.concat(parts, ignore_index=True)
    values = rng.normal(size=(len(panel), len(features)))
    values[rng.random(values.shape) < 0.1] = np.nan
    panel[list(features)] = values.astype(dtype)
    if scattered and draw(st.booleans()):
        panel = panel.iloc[rng.permutation(len(panel))]
    return panel
