"""Tests of reading a panel, of stacking arrays into one and back, and of targets."""

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm import make_targets, stack_series, unstack_series
from sklstm._panel.read import read_panel
from sklstm._panel.rows import encode_ids, group_order, run_starts, take_rows

IDS = {"series": "unit", "time": "cycle"}


# ------------------------------------------------------------------- stack and unstack
arrays_of = st.lists(st.integers(1, 6), min_size=1, max_size=5).map(
    lambda lengths: [np.random.default_rng(n).normal(size=(n, 2)) for n in lengths]
)


@settings(max_examples=30, deadline=None)
@given(arrays=arrays_of, dtype=st.sampled_from(["float64", "float32", "int16", "bool"]))
def test_stacked_arrays_come_back(arrays, dtype):
    arrays = [array.astype(dtype) for array in arrays]
    panel = stack_series(arrays)
    assert list(panel.columns) == ["x0", "x1"]
    assert panel.index.names == ["series", "time"]
    assert list(panel.index) == [(i, t) for i, a in enumerate(arrays) for t in range(len(a))]
    for array, again in zip(arrays, unstack_series(panel), strict=True):
        assert again.dtype == dtype
        assert_array_equal(again, array)


def test_stacked_dict_comes_back():
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
        ({"a": [1.0]}, {"names": ["b"]}, "keys of the dict are the names"),
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
def test_arrays_that_do_not_stack(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        stack_series(arrays, **options)


@settings(max_examples=30, deadline=None)
@given(panel=panels(dtype="float32"))
def test_unstacking_scattered_rows(panel):
    """Series in order of first appearance, rows in order of time."""
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


def test_what_does_not_unstack():
    with pytest.raises(TypeError, match="DataFrame or a Series, got .*ndarray"):
        unstack_series(np.ones((3, 2)), series=0, time=None)
    with pytest.raises(ValueError, match="series='series' is neither"):
        unstack_series(pd.DataFrame({"p": [1.0]}))
    panel = stack_series([[1.0, 2.0]])
    with pytest.raises(ValueError, match="repeat"):
        unstack_series(pd.concat([panel, panel]))


# ------------------------------------------------------------------------------- targets
def plain_targets(panel, horizon, columns):
    """Targets, one row, column and step at a time."""
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


def test_targets_in_given_order_where_time_is_unknown():
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
        ({"columns": "r"}, "columns names 'r', which is not in X"),
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


# ----------------------------------------------------------------------- reading a panel
@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "unit": ["b", "a", "b", "a"],
            "p": np.array([1, 2, 3, 4], "float32"),
            "cycle": [2, 2, 1, 1],
        }
    )


def test_read_panel(frame):
    panel = read_panel(frame, **IDS)
    assert_array_equal(panel.values, frame[["p"]])
    assert panel.values.dtype == "float32"
    assert list(panel.ids) == ["b", "a"]
    assert_array_equal(panel.codes, [0, 1, 0, 1])
    assert_array_equal(panel.time, frame["cycle"])
    assert panel.time_kind == "number"
    assert_array_equal(panel.order, [2, 0, 3, 1])


def test_rows_that_stand_in_order_need_no_sorting(frame):
    assert read_panel(frame.iloc[[2, 0, 3, 1]], **IDS).order is None
    assert read_panel(frame.drop(columns="unit").iloc[[2, 1]], time="cycle").order is None
    assert_array_equal(read_panel(frame.drop(columns="cycle"), series="unit").order, [0, 2, 1, 3])


def test_one_series_without_ids(frame):
    for X in [frame[["p"]], frame[["p"]].to_numpy(), [[1.0], [2.0]]]:
        panel = read_panel(X)
        assert list(panel.ids) == [0]
        assert not panel.codes.any()
        assert panel.time is panel.time_kind is panel.order is None


def test_a_column_hides_an_index_level_of_its_name(frame):
    both = frame.set_index(pd.Index([9, 8, 7, 6], name="cycle"))
    assert_array_equal(read_panel(both, **IDS).time, frame["cycle"])


def test_numbers_name_columns_before_they_count_them(frame):
    renamed = frame.set_axis([2, 0, 1], axis=1)  # the ids are in column "2", at position 0
    assert list(read_panel(renamed, series=2, time=1).ids) == ["b", "a"]
    assert list(read_panel(frame, series=0, time=-1).ids) == ["b", "a"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series([1, 2], dtype="int8"), [1, 2]),
        (pd.Series([True, False]), [1, 0]),
        (pd.Series([1, None], dtype="Int64"), [1, np.nan]),
        (pd.Series([1.5, None], dtype="Float32"), [1.5, np.nan]),
        (pd.Series([1, None], dtype=object), [1, np.nan]),
    ],
)
def test_features_become_floats(column, expected):
    values = read_panel(pd.DataFrame({"p": column, "q": [1.0, 2.0]}), columns="p").values
    assert values.dtype.kind == "f"
    assert_array_equal(values[:, 0], expected)


def test_missing_features_pass_unless_refused(frame):
    frame.loc[1, "p"] = np.nan
    assert np.isnan(read_panel(frame, **IDS).values).sum() == 1
    with pytest.raises(ValueError, match="X contains NaN"):
        read_panel(frame, **IDS, ensure_all_finite=True)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (pd.DataFrame({"p": []}), {}, "panel is empty"),
        (np.ones((0, 2)), {"series": 0}, "0 sample"),
        (pd.DataFrame({"a": pd.Categorical(["x"]), "p": 1.0}), {}, r"\['a'\] are not numeric"),
        (pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]), {"series": "a"}, "2 columns named 'a'"),
        (np.ones((2, 2)), {"series": 2}, "series=2 is neither"),
        (np.ones((2, 2)), {"series": -3}, "series=-3 is neither"),
        (np.ones((2, 2)), {"series": True}, "series=True is neither"),
        (np.ones((2, 2)), {"series": "unit"}, "array of 2 columns without names"),
        (np.ones((2, 2)), {"time": 0}, "1 rows repeat .* rows 0 and 1 of series .*0"),
        (np.ones(3), {}, "Expected 2D"),
        (np.array([[1, np.inf]]), {"series": 0}, "infinity"),
    ],
)
def test_bad_panels(X, options, message):
    with pytest.raises(ValueError, match=message):
        read_panel(X, **options)


def test_frames_with_an_index_of_their_own_give_the_time():
    days = pd.date_range("2024-01-01", periods=3)
    first, second = (
        pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=days),
        pd.DataFrame({"x": [4.0, 5.0]}, index=days[1:]),
    )
    panel = stack_series([first, second])
    assert panel.index.get_level_values("time").tolist() == [*days, *days[1:]]
    assert stack_series([first.reset_index(drop=True)]).index.tolist() == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize("table", [np.zeros((5, 3)), pd.DataFrame({"x": [1.0]})])
def test_one_table_is_no_list_of_arrays(table):
    with pytest.raises(TypeError, match="takes a list of arrays"):
        stack_series(table)


def test_series_and_time_need_columns_of_their_own():
    X = pd.DataFrame({"unit": [1, 2], "p": [0.0, 1.0]})
    with pytest.raises(ValueError, match="name the same column"):
        make_targets(X, series="unit", time=0)


# ------------------------------------------------------------------ ids, order and runs
KINDS_OF_ID = {
    "integer": lambda ids: ids * 7 - 20,
    "float": lambda ids: (ids - 2).astype(np.float32) / 2,
    "bool": lambda ids: ids > 2,
    "text": lambda ids: ids.astype(str),
    "object": lambda ids: ids.astype(str).astype(object),
    "category": lambda ids: pd.Categorical(ids.astype(str), categories=list("9876543210")),
    "date": lambda ids: np.datetime64("2020-01-01") + ids,
    "nullable": lambda ids: pd.array(ids, dtype="Int64"),
}


@pytest.mark.parametrize("kind", KINDS_OF_ID)
@pytest.mark.parametrize("box", [pd.Series, pd.Index, np.asarray])
@pytest.mark.parametrize("together", [False, True])
def test_ids_are_numbered_in_order_of_appearance(kind, box, together):
    ids = np.repeat([3, 1, 5, 3, 0], 9) if together else np.tile([3, 1, 5, 0], 9)
    values = box(KINDS_OF_ID[kind](ids))
    codes, found = encode_ids(values, len(ids))
    expected = list(dict.fromkeys(list(values)))
    assert codes.dtype == np.int32
    assert [expected[code] for code in codes] == list(values)
    assert list(found) == expected
    assert isinstance(found, pd.Index) and found.name is None


@pytest.mark.parametrize("together", [False, True])
def test_zero_is_one_id_whatever_its_sign(together):
    ids = np.array([0.0, -0.0, 1.0], np.float32)
    codes, found = encode_ids(np.repeat(ids, 9) if together else np.tile(ids, 9), 27)
    assert len(found) == 2
    assert found.dtype == np.float32
    assert codes.sum() == 9


@pytest.mark.parametrize("kind", ["float", "text", "category"])
@pytest.mark.parametrize("repeats", [1, 9])
def test_missing_ids_are_counted_in_runs_too(kind, repeats):
    values = {"float": [1.0, np.nan, 2.0], "text": ["a", None, "b"]}.get(kind)
    values = pd.Series(values or pd.Categorical(["a", None, "b"])).repeat(repeats)
    with pytest.raises(ValueError, match=f"missing in {repeats} of .* first is row {repeats}"):
        encode_ids(values, len(values))


@settings(max_examples=50, deadline=None)
@given(codes=st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_group_order_and_run_starts(codes):
    codes = np.array(codes, np.int32)
    assert_array_equal(group_order(codes), np.argsort(codes, kind="stable"))
    expected = [i for i in range(len(codes)) if i == 0 or codes[i] != codes[i - 1]]
    assert_array_equal(run_starts(codes), expected)


def test_runs_end_at_gaps_in_every_part_of_the_rows(monkeypatch):
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 20)
    time = np.cumsum(rng.integers(1, 4, 40))
    expected = [i for i in range(40) if i in (0, 20) or time[i] - time[i - 1] > 2]
    for at_once in (1, 7, 1000):
        monkeypatch.setattr("sklstm._panel.rows.BLOCK_ROWS", at_once)
        assert_array_equal(run_starts(codes, time, 2), expected)


@settings(max_examples=50, deadline=None)
@given(panel=panels())
def test_rows_are_sorted_by_series_and_time(panel):
    table = read_panel(panel, **IDS)
    assert_array_equal(table.sorting, np.lexsort((table.time, table.codes)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_taken_from_any_layout(order):
    wide = np.asarray(np.arange(60.0).reshape(12, 5), order=order)
    at = np.array([3, 0, 11, 3], np.int32)
    for rows in (wide, wide[:, 1:], wide[::2][:6]):
        chosen = at % len(rows)
        assert_array_equal(take_rows(rows, chosen), rows[chosen])


@pytest.mark.parametrize("kind", ["frame", "array"])
def test_neighbouring_features_are_not_copied(kind):
    X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    if kind == "frame":
        X = pd.DataFrame(X, columns=list("pqr"))
        X.insert(0, "unit", 1)
        values, features = read_panel(X, series="unit").values, X[["p"]].to_numpy()
    else:
        values, features = read_panel(X, series=0).values, X
    assert values.dtype == np.float32
    assert np.shares_memory(values, features)
