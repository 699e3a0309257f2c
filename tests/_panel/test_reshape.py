"""Tests of stacking arrays into a panel, and of splitting it again."""

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm import stack_series, unstack_series

IDS = {"series": "unit", "time": "cycle"}


arrays_of = st.lists(st.integers(1, 6), min_size=1, max_size=5).map(
    lambda lengths: [np.random.default_rng(n).normal(size=(n, 2)) for n in lengths]
)


@settings(max_examples=30, deadline=None)
@given(arrays=arrays_of, dtype=st.sampled_from(["float64", "float32", "int16", "bool"]))
def test_unstacking_inverts_stacking(arrays, dtype):
    arrays = [array.astype(dtype) for array in arrays]
    panel = stack_series(arrays)
    assert list(panel.columns) == ["x0", "x1"]
    assert panel.index.names == ["series", "time"]
    assert list(panel.index) == [(i, t) for i, a in enumerate(arrays) for t in range(len(a))]
    for array, again in zip(arrays, unstack_series(panel), strict=True):
        assert again.dtype == dtype
        assert_array_equal(again, array)


def test_unstacking_inverts_stacking_of_a_dict():
    arrays = {"b": np.ones((2, 1)), "a": np.zeros((3, 1))}
    panel = stack_series(arrays, columns=["load"])
    assert list(panel.columns) == ["load"]
    again = unstack_series(panel, as_dict=True)
    assert list(again) == ["b", "a"]
    assert_array_equal(again["a"], arrays["a"])
    pd.testing.assert_frame_equal(
        panel, stack_series(list(arrays.values()), names=["b", "a"], columns=["load"])
    )


def test_stacking_one_dimensional_arrays_and_lists():
    panel = stack_series([[1.0, 2.0], np.array([3.0]), pd.Series([4.0, 5.0])], names=[7, 5, 9])
    assert_array_equal(panel, [[1], [2], [3], [4], [5]])
    assert list(panel.index.get_level_values("series")) == [7, 7, 5, 9, 9]
    assert_array_equal(unstack_series(panel["x0"])[0], [1.0, 2.0])


def test_stacking_frames_keeps_their_columns():
    frames = [pd.DataFrame({"p": [1.0], "q": [2.0]}), pd.DataFrame({"p": [3.0], "q": [4.0]})]
    panel = stack_series(frames)
    assert list(panel.columns) == ["p", "q"]
    assert_array_equal(panel, [[1, 2], [3, 4]])
    assert list(stack_series(frames, columns=["u", "v"]).columns) == ["u", "v"]


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([], {}, "at least one array"),
        ({}, {}, "at least one array"),
        ([[1.0], []], {}, r"Series 1 has shape \(0,\)"),
        ([np.ones((0, 2))], {}, r"Series 0 has shape \(0, 2\)"),
        ([np.ones((2, 2, 2))], {}, r"Series 0 has shape \(2, 2, 2\)"),
        ([1.0, 2.0], {}, r"Series 0 has shape \(\)"),
        ([np.ones((2, 2)), np.ones((2, 3))], {}, "Series 1 has 3 features, the first series has 2"),
        ([[1.0], [2.0]], {"names": ["a"]}, "1 names for 2 arrays"),
        ([[1.0], [2.0]], {"names": ["a", "a"]}, "more than once"),
        ({"a": [1.0]}, {"names": ["b"]}, "its keys are the names"),
        (
            {
                "a": pd.DataFrame({"p": [1.0], "q": [2.0]}),
                "b": pd.DataFrame({"q": [1.0], "p": 2.0}),
            },
            {},
            "Series 'b' has columns",
        ),
    ],
)
def test_bad_arrays(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        stack_series(arrays, **options)


@settings(max_examples=30, deadline=None)
@given(panel=panels(dtype="float32"))
def test_unstacking_shuffled_rows(panel):
    """Series are in order of first appearance, rows in order of time."""
    arrays = unstack_series(panel, **IDS, as_dict=True)
    assert list(arrays) == list(panel["unit"].unique())
    for unit, array in arrays.items():
        assert array.dtype == "float32"
        expected = panel[panel["unit"] == unit].sort_values("cycle")[["p", "q"]]
        assert_array_equal(array, expected)
    in_levels = panel.set_index(["unit", "cycle"])
    for array, again in zip(arrays.values(), unstack_series(in_levels, **IDS), strict=True):
        assert_array_equal(again, array)
    for array, flat in zip(arrays.values(), unstack_series(in_levels["p"], **IDS), strict=True):
        assert_array_equal(flat, array[:, 0])


def test_unstacking_without_time_keeps_the_order():
    panel = pd.DataFrame({"unit": [1, 2, 1], "cycle": [9.0, 8.0, 7.0]})
    first, second = unstack_series(panel, series="unit", time=None)
    assert_array_equal(first, [[9], [7]])
    assert_array_equal(second, [[8]])


def test_bad_panels_to_unstack():
    with pytest.raises(TypeError, match="DataFrame or a Series, got .*ndarray"):
        unstack_series(np.ones((3, 2)), series=0, time=None)
    with pytest.raises(ValueError, match="series='series' is neither"):
        unstack_series(pd.DataFrame({"p": [1.0]}))
    panel = stack_series([[1.0, 2.0]])
    with pytest.raises(ValueError, match="repeat"):
        unstack_series(pd.concat([panel, panel]))


def test_time_is_the_index_of_frames():
    days = pd.date_range("2024-01-01", periods=3)
    first, second = (
        pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=days),
        pd.DataFrame({"x": [4.0, 5.0]}, index=days[1:]),
    )
    panel = stack_series([first, second])
    assert panel.index.get_level_values("time").tolist() == [*days, *days[1:]]
    assert stack_series([first.reset_index(drop=True)]).index.tolist() == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize(
    "column",
    [pd.array([1, None], dtype="Int64"), pd.Categorical(["old", "new"]), [True, False], ["a", "b"]],
)
def test_stacking_frames_keeps_the_types_of_their_columns(column):
    frame = pd.DataFrame({"p": [1.5, 2.5], "q": column})
    panel = stack_series([frame, frame[::-1]], columns=["u", "v"])
    expected = pd.concat([frame, frame[::-1]]).set_axis(["u", "v"], axis=1)
    pd.testing.assert_frame_equal(panel.reset_index(drop=True), expected.reset_index(drop=True))
    assert panel.index.tolist() == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_unstacking_nullable_beside_plain_numbers():
    frame = pd.DataFrame({"p": [1.5, 2.5], "q": pd.array([1, None], dtype="Int64")})
    (array,) = unstack_series(stack_series([frame]))
    assert array.dtype == np.float64
    assert_array_equal(array, [[1.5, 1.0], [2.5, np.nan]])


@pytest.mark.parametrize("table", [np.zeros((5, 3)), pd.DataFrame({"x": [1.0]})])
def test_stacking_one_table_raises(table):
    with pytest.raises(TypeError, match="takes a list of arrays"):
        stack_series(table)
