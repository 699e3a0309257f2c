"""One target per series becomes the target of its last row."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import panels
from hypothesis import given
from numpy.testing import assert_array_equal

from sklstm import WindowTransformer, make_remaining_life, make_series_targets, stack_series

IDS = {"series": "unit", "time": "cycle"}


@given(panels())
def test_last_rows_have_the_targets(panel):
    numbers = {unit: float(ord(unit)) for unit in panel["unit"]}
    made = make_series_targets(panel, numbers, **IDS)
    assert made.index.equals(panel.index)
    cycles, units = panel["cycle"].to_numpy(), panel["unit"].to_numpy()
    for row, value in enumerate(made.to_numpy()):
        if cycles[row] == cycles[units == units[row]].max():
            assert value == numbers[units[row]]
        else:
            assert np.isnan(value)


def test_order_of_first_appearance_and_kinds_of_panels():
    panel = pd.DataFrame({"unit": ["b", "a", "b"], "heat": [1.0, 2.0, 3.0]})
    made = make_series_targets(panel, ["x", "y"], series="unit")
    assert made.isna().tolist() == [True, False, False] and made.tolist()[1:] == ["y", "x"]
    made = make_series_targets(pl.from_pandas(panel), np.array([1, 2]), series="unit")
    assert isinstance(made, pl.Series) and made[1:].to_list() == [2.0, 1.0]
    array = np.array([[0, 5.0], [0, 6.0], [1, 7.0]])
    assert_array_equal(make_series_targets(array, [8, 9], series=0), [np.nan, 8, 9])
    stacked = stack_series([np.ones((2, 1)), np.ones((1, 1))])
    made = make_series_targets(stacked, ["x", "y"], series="series", time="time")
    assert made.index.equals(stacked.index) and made.tolist()[1:] == ["x", "y"]


def test_targets_that_do_not_fit():
    panel = pd.DataFrame({"unit": ["b", "a"], "heat": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"no value for series \['a'\]"):
        make_series_targets(panel, {"b": 1}, series="unit")
    with pytest.raises(ValueError, match=r"shape \(3,\).*each of the 2 series"):
        make_series_targets(panel, [1, 2, 3], series="unit")
    twice = pd.Series([1, 2, 3], index=["b", "a", "a"])
    with pytest.raises(ValueError, match="id more than once in targets"):
        make_series_targets(panel, twice, series="unit")


def test_ids_that_are_true_and_false():
    """Booleans select by id, and are no mask."""
    panel = pd.DataFrame({"new": [True, True, False], "heat": [1.0, 2.0, 3.0]})
    made = make_series_targets(panel, {False: 5.0, True: 6.0}, series="new")
    assert_array_equal(made, [np.nan, 6.0, 5.0])


def test_no_column_but_the_ids_is_read():
    panel = pd.DataFrame({"unit": ["b", "a", "b"], "state": ["on", "off", "on"]})
    panel["kind"] = pd.Categorical(["new", "old", "new"])
    for kept in (["unit"], ["unit", "state"], ["unit", "kind"]):
        made = make_series_targets(panel[kept], {"a": 1, "b": 2}, series="unit")
        assert_array_equal(made, [np.nan, 1, 2])
    with pytest.raises(ValueError, match="The panel is empty"):
        make_series_targets(panel[:0], {}, series="unit")


def test_windows_of_some_series():
    panel = pd.DataFrame({"unit": ["a", "a", "b", "c"], "heat": [1.0, 2.0, 3.0, 4.0]})
    windows = WindowTransformer(1, series="unit").fit_transform(panel)[[0, 1, 3]]
    assert_array_equal(make_series_targets(windows, {"a": 5, "c": 6}), [np.nan, 5, 6])
    lives = make_remaining_life(windows, {"a": False, "b": True, "c": True})
    assert lives["event"].tolist() == [False, False, True]
