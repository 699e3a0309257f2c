"""Tests of dataframes of other libraries: conversion to pandas, and results of the same kind."""

import datetime
import subprocess
import sys
import textwrap

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal
from polars.testing import assert_frame_equal as assert_polars_equal

from sklstm._panel.frames import FrameKind, as_plain, frame_kind, in_kind, take, with_values
from sklstm._panel.windows import Windows

DAYS = [datetime.date(2024, 2, 28), datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)]
BERLIN = "Europe/Berlin"
# A column of polars, and the same values as pandas users have them.
COLUMNS = {
    "integers": (pl.Series([1, 2, 3]), [1, 2, 3]),
    "integers with null": (pl.Series([1, None, 3]), [1.0, np.nan, 3.0]),
    "unsigned": (pl.Series([1, 2, 3], dtype=pl.UInt8), np.array([1, 2, 3], "u1")),
    "float32": (pl.Series([0.1, 2, 3], dtype=pl.Float32), np.array([0.1, 2, 3], "f4")),
    "floats with null": (pl.Series([0.1, None, float("nan")]), [0.1, np.nan, np.nan]),
    "booleans": (pl.Series([True, False, True]), [True, False, True]),
    "strings": (pl.Series(["b", "a", "b"]), ["b", "a", "b"]),
    "categories": (
        pl.Series(["b", "a", "b"], dtype=pl.Categorical),
        pd.Categorical(["b", "a", "b"], ["b", "a"]),
    ),
    "enum": (
        pl.Series(["b", "a", "b"], dtype=pl.Enum(["a", "b"])),
        pd.Categorical(["b", "a", "b"], ["a", "b"]),
    ),
    "dates": (pl.Series(DAYS), pd.DatetimeIndex(DAYS).as_unit("ms")),
    "datetimes": (pl.Series(DAYS).cast(pl.Datetime("us")), pd.DatetimeIndex(DAYS).as_unit("us")),
    "time zone": (
        pl.Series(DAYS).cast(pl.Datetime("ns")).dt.replace_time_zone(BERLIN),
        pd.DatetimeIndex(DAYS, tz=BERLIN).as_unit("ns"),
    ),
    "durations": (
        pl.Series([datetime.timedelta(hours=n) for n in (1, 2, 3)]),
        pd.to_timedelta([1, 2, 3], unit="h").as_unit("us"),
    ),
}


# ------------------------------------------------------------------------------- reading
@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"a": [1]}),
        pd.Series([1]),
        pd.Index([1]),
        np.ones(2),
        [1, 2],
        3.0,
        None,
        Windows.from_array(np.ones((2, 3, 1))),
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_can_be_read_is_not_touched(data):
    assert as_plain(data) is data


def test_masked_elements_are_missing():
    assert np.isnan(as_plain(np.ma.masked_equal([1.0, 2.0], 2.0))[1])


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_those_of_pandas(name):
    column, expected = COLUMNS[name]
    expected = pd.DataFrame({"a": expected, "b": [1.5, 2.5, 3.5]})
    frame = as_plain(pl.DataFrame({"a": column, "b": [1.5, 2.5, 3.5]}))
    column = as_plain(column)
    if isinstance(expected["a"].dtype, pd.CategoricalDtype):
        # Whether an Enum is ordered depends on the version of polars.
        frame["a"], column = frame["a"].cat.as_unordered(), column.cat.as_unordered()
    assert_frame_equal(frame, expected, check_exact=True)
    assert_series_equal(column, expected["a"], check_exact=True, check_names=False)


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "narwhals"])
def test_frames_of_any_library_are_read(kind):
    expected = pd.DataFrame({"a": ["x", "y"], "b": [1.5, np.nan]})
    frames = {"polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas, "narwhals": nw.from_native}
    assert_frame_equal(as_plain(frames[kind](expected)), expected)


def test_columns_of_pyarrow_are_read():
    column = pa.table({"a": [1.5, None]})["a"]
    assert_series_equal(as_plain(column), pd.Series([1.5, np.nan]), check_names=False)


def test_lazy_frames_are_an_error():
    with pytest.raises(TypeError, match=r"lazy frame \(polars.LazyFrame\).*call .collect\(\)"):
        as_plain(pl.LazyFrame({"a": [1]}))


def test_a_missing_pyarrow_is_named():
    code = """
        import sys
        sys.modules["pyarrow"] = None
        import polars as pl
        from sklstm._panel.frames import as_plain
        try:
            as_plain(pl.DataFrame({"a": [1, None], "b": ["x", "y"]}))
        except ImportError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'pyarrow, which is not installed: run pip install "sklstm[polars]"' in done.stdout


# ------------------------------------------------------------------------------- results
@pytest.mark.parametrize("name", COLUMNS)
def test_ids_keep_their_type(name):
    column = COLUMNS[name][0]
    frame = pl.DataFrame({"id": column, "other": column})
    table = as_plain(frame)[["id"]].rename(columns={"id": "name"})
    if isinstance(table["name"].dtype, pd.CategoricalDtype):
        table["name"] = table["name"].astype(str)  # as in the index of the series
    result = in_kind(frame_kind(frame, {"name": "id"}), table)
    column = column.fill_nan(None) if column.dtype.is_float() else column
    assert_polars_equal(result, pl.DataFrame({"name": column}))


def test_pandas_and_arrays_have_no_kind():
    table = pd.DataFrame({"a": [1]})
    for data in (table, table["a"], table.to_numpy(), [1]):
        assert frame_kind(data) is None
    assert in_kind(None, table) is table


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_results_are_of_the_kind_of_the_input(library):
    given = {"polars": pl.DataFrame, "pyarrow": pa.table}[library]({"a": [1.5]})
    table = pd.DataFrame({"x": [1.5, np.nan], "y": ["s", "t"]})
    result = in_kind(frame_kind(given, {"x": "not there"}), table)
    assert type(result) is type(given)
    assert nw.from_native(result)["x"].to_list() == [1.5, None]
    assert_frame_equal(result.to_pandas(), table)


def test_named_levels_of_the_index_become_columns():
    kind = frame_kind(pl.DataFrame())
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["series", "time"])
    result = in_kind(kind, pd.DataFrame({"x": [0.5, 1.5]}, index=index))
    expected = pl.DataFrame({"series": ["a", "b"], "time": [1, 2], "x": [0.5, 1.5]})
    assert_polars_equal(result, expected)
    assert in_kind(kind, pd.DataFrame({"x": [0.5]}, index=[7])).columns == ["x"]


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (("Date",), pd.DatetimeIndex(["2024-01-01", "2024-01-01 12:00"])),
        (("Int64",), [1.0, 1.5]),
        (("Datetime", "ms", None), pd.DatetimeIndex(["2024-01-01 00:00:00.0001"])),
    ],
)
def test_no_value_is_changed_for_the_sake_of_a_type(library, type_, values):
    result = in_kind(FrameKind(library, {"x": type_}), pd.DataFrame({"x": values}))
    assert_frame_equal(result.to_pandas(), pd.DataFrame({"x": values}), check_dtype=False)


def test_unknown_kinds_are_an_error():
    with pytest.raises(ValueError, match="no kind of frame"):
        FrameKind("os", {})
    with pytest.raises(ValueError, match="no kind of frame"):
        FrameKind("polars", {"x": ("read_csv", "/etc/passwd")})


# -------------------------------------------------------------------------------- parts
FRAME = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "y", "z"], "c": [1, 2, 3]})


@given(
    rows=st.lists(st.integers(0, 2), min_size=1),
    columns=st.none() | st.lists(st.integers(0, 2), min_size=1, unique=True),
)
def test_rows_and_columns_are_selected_by_position(rows, columns):
    expected = FRAME.iloc[rows, slice(None) if columns is None else columns]
    rows = np.array(rows)
    assert_frame_equal(take(FRAME, rows, columns), expected)
    for given_frame in (pl.from_pandas(FRAME), pa.Table.from_pandas(FRAME)):
        taken = take(given_frame, rows, columns)
        assert type(taken) is type(given_frame)
        assert_frame_equal(taken.to_pandas(), expected.reset_index(drop=True))


def test_rows_of_arrays_and_windows_are_selected():
    windows = Windows.from_array(np.arange(6.0).reshape(3, 2, 1))
    assert take(windows, np.array([2, 0]))[0].tolist() == [[4.0], [5.0]]
    assert take(np.arange(3), np.array([2, 0])).tolist() == [2, 0]


def test_other_columns_are_those_of_the_input():
    others = {"big": pl.Series([2**62 + 1, None]), "list": pl.Series([[1], [2, 3]])}
    frame = pl.DataFrame({"x": [1, 2], **others, "y": [1.0, 2.0]})
    result = with_values(frame, [4 - 1, 0], np.array([[0.5, -1], [np.nan, -2]], "f4"))
    y = pl.Series([0.5, None], dtype=pl.Float32)
    expected = {"x": pl.Series([-1, -2], dtype=pl.Float32), **others, "y": y}
    assert_polars_equal(result, pl.DataFrame(expected))
