"""Tests of reading the ids, the time and the features of a panel."""

import numpy as np
import pandas as pd
import pytest
from helpers import shared_columns
from numpy.testing import assert_array_equal

from sklstm._panel.read import read_panel

IDS = {"series": "unit", "time": "cycle"}


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


def test_order_is_none_for_sorted_rows(frame):
    assert read_panel(frame.iloc[[2, 0, 3, 1]], **IDS).order is None
    assert read_panel(frame.drop(columns="unit").iloc[[2, 1]], time="cycle").order is None
    assert_array_equal(read_panel(frame.drop(columns="cycle"), series="unit").order, [0, 2, 1, 3])


def test_one_series_without_ids(frame):
    for X in [frame[["p"]], frame[["p"]].to_numpy(), [[1.0], [2.0]]]:
        panel = read_panel(X)
        assert list(panel.ids) == [0]
        assert not panel.codes.any()
        assert panel.time is panel.time_kind is panel.order is None


def test_columns_take_precedence_over_index_levels(frame):
    both = frame.set_index(pd.Index([9, 8, 7, 6], name="cycle"))
    assert_array_equal(read_panel(both, **IDS).time, frame["cycle"])


def test_numbers_are_names_first_and_positions_second(frame):
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


def test_missing_features_are_allowed_by_default(frame):
    frame.loc[1, "p"] = np.nan
    assert np.isnan(read_panel(frame, **IDS).values).sum() == 1
    with pytest.raises(ValueError, match="X contains NaN"):
        read_panel(frame, **IDS, ensure_all_finite=True)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (pd.DataFrame({"p": []}), {}, "panel is empty"),
        (np.ones((0, 2)), {"series": 0}, "0 sample"),
        (
            pd.DataFrame({"a": pd.Categorical(["x"]), "p": 1.0}),
            {},
            "'a' holds values of dtype category",
        ),
        (pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]), {"series": "a"}, "2 columns named 'a'"),
        (np.ones((2, 2)), {"series": 2}, "series=2 is neither"),
        (np.ones((2, 2)), {"series": -3}, "series=-3 is neither"),
        (np.ones((2, 2)), {"series": True}, "series=True is neither"),
        (np.ones((2, 2)), {"series": "unit"}, "array of 2 columns without names"),
        (np.ones((2, 2)), {"time": 0}, "1 rows repeat a time.* rows 0 and 1. series=None reads"),
        (np.ones(3), {}, "Expected 2D"),
        (pd.Series([1.0, 2.0]), {}, "X is a Series of 2 values, expected a table"),
        (pd.DataFrame({"p": [1, np.inf], "q": 1.0}), {}, r"with infinity: \['p'\]. Replace it"),
        (
            pd.DataFrame({"unit": [1, 1], "t": 1, "p": 1.0}),
            {"time": "t"},
            "name the column of",
        ),
        (pd.DataFrame({"unit": [1], "p": 1.0}), {"series": "Unit"}, "Did you mean 'unit'"),
        (
            pd.DataFrame({"a": [1], "p": 1.0}),
            {"series": ["a", "p"]},
            r"Combine.*'_' \+ X\['p'\]",
        ),
        (pd.DataFrame({"unit": [1], "p": 1.0}), {"columns": "P"}, "Did you mean 'p'"),
        (pd.DataFrame({"a": [1], "p": 1.0}), {"series": ["a"]}, "Expected one name: pass 'a'"),
        (pd.DataFrame({"keep__a": [1], "p": 1.0}), {"series": "a"}, "mean 'keep__a'.*names_out"),
        (np.array([[1, np.inf]]), {"series": 0}, "infinity"),
    ],
)
def test_bad_panels(X, options, message):
    with pytest.raises(ValueError, match=message):
        read_panel(X, **options)


@pytest.mark.parametrize("kind", [pytest.param("frame", marks=shared_columns), "array"])
def test_adjacent_features_are_not_copied(kind):
    X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    if kind == "frame":
        X = pd.DataFrame(X, columns=list("pqr"))
        X.insert(0, "unit", 1)
        values, features = read_panel(X, series="unit").values, X[["p"]].to_numpy()
    else:
        values, features = read_panel(X, series=0).values, X
    assert values.dtype == np.float32
    assert np.shares_memory(values, features)
