"""Tests of make_targets, against a plain loop."""

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm import make_targets, stack_series

IDS = {"series": "unit", "time": "cycle"}


def plain_targets(panel, horizon, columns):
    """Return the targets, in loops over rows, columns and steps."""
    out = np.full((len(panel), len(columns) * horizon), np.nan)
    for i, (unit, cycle) in enumerate(zip(panel["unit"], panel["cycle"], strict=True)):
        rows = panel[(panel["unit"] == unit) & (panel["cycle"] > cycle)].sort_values("cycle")
        for j, column in enumerate(columns):
            for step, value in enumerate(rows[column][:horizon]):
                out[i, j * horizon + step] = value
    return out


@settings(max_examples=40, deadline=None)
@given(
    panel=panels(),
    horizon=st.integers(1, 9),
    columns=st.sampled_from([None, "q", ["p"], ["q", "p"], ["p", "q"]]),
)
def test_targets_equal_the_plain_loop(panel, horizon, columns):
    names = [columns] if isinstance(columns, str) else columns or ["p", "q"]
    expected = plain_targets(panel, horizon, names)
    targets = make_targets(panel, horizon, columns, **IDS)
    assert_array_equal(targets, expected)
    pd.testing.assert_index_equal(targets.index, panel.index)
    assert list(targets.columns) == [f"{n}_lead{s}" for n in names for s in range(1, horizon + 1)]
    in_levels = panel.set_index(["unit", "cycle"])
    assert_array_equal(make_targets(in_levels, horizon, columns, **IDS), expected)
    array = panel[["cycle", "p", "unit", "q"]].to_numpy(object)
    positions = [{"p": 1, "q": 3}[name] for name in names]
    from_array = make_targets(array, horizon, positions, series=2, time=0)
    assert type(from_array) is np.ndarray
    assert_array_equal(from_array, expected)


def test_targets_without_time_follow_the_given_order():
    panel = pd.DataFrame({"unit": [1, 2, 1, 2], "p": [1.0, 10, 2, 20]})
    assert_array_equal(make_targets(panel, series="unit"), [[2], [20], [np.nan], [np.nan]])
    assert_array_equal(make_targets(panel[["p"]]), [[10], [2], [20], [np.nan]])
    assert_array_equal(make_targets([[1.0], [2.0]], horizon=3), [[2, *[np.nan] * 2], [np.nan] * 3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_targets_keep_the_dtype(dtype):
    panel = stack_series([np.arange(3, dtype=dtype)])
    targets = make_targets(panel, 2, series="series", time="time")
    assert (targets.dtypes == dtype).all()
    assert_array_equal(targets, [[1, 2], [2, np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize("horizon", [0, -1, 1.0, "2", None, True])
def test_bad_horizon(horizon):
    with pytest.raises(ValueError, match="horizon=.* must be a positive integer"):
        make_targets(np.ones((3, 1)), horizon)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "r"}, "columns='r' is not a column of X"),
        ({"columns": "unit", "series": "unit"}, "is the series id or the time"),
        ({"columns": ["p", "p"]}, "twice"),
        ({"columns": []}, "columns is empty"),
        ({"series": "machine"}, "series='machine' is neither"),
        ({"series": "unit", "time": "unit_time"}, "time='unit_time' is neither"),
    ],
)
def test_targets_of_unknown_columns(options, message):
    with pytest.raises(ValueError, match=message):
        make_targets(pd.DataFrame({"unit": [1, 1], "p": [1.0, 2.0]}), **options)


def test_series_and_time_in_the_same_column():
    X = pd.DataFrame({"unit": [1, 2], "p": [0.0, 1.0]})
    with pytest.raises(ValueError, match="are the same column"):
        make_targets(X, series="unit", time=0)
