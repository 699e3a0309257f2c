"""Helpers that several test files share."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st


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
    """Draw a small panel: columns ``unit`` and ``cycle``, then the features, some of them NaN.

    Series have 1 to 7 rows, gaps of 1 to 4 cycles, a start of their own, and stand in any
    order; with `scattered` their rows are mixed and out of time order too.
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
