"""Columns of categories: how they are found, learned and encoded."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm._panel.categories import CategoricalFeature, encode_categories, in_window
from sklstm._panel.find_categories import find_categorical, learn_categories
from sklstm._panel.frames import as_plain

FRAME = pd.DataFrame(
    {
        "unit": [1, 1, 2, 2],
        "p": [0.5, 1.5, 2.5, 3.5],
        "site": ["north", "north", "south", "south"],
        "shift": pd.Categorical(["late", None, "early", "late"], ["never", "late", "early"]),
    }
)


def learn(*tables, chosen="from_dtype", **options):
    return learn_categories(tables, chosen, **{"series": "unit", **options})


def codes_by_loop(column, categories):
    """Encode values one at a time: 0 for missing and unknown ones, which `get` does not find."""
    numbers = {category: number for number, category in enumerate(categories, start=1)}
    return [0 if pd.isna(value) else numbers.get(value, 0) for value in column]


# -------------------------------------------------------------------------------- finding
@pytest.mark.parametrize(
    ("chosen", "options", "expected"),
    [
        ("from_dtype", {}, [3]),
        ("from_dtype", {"columns": ["p"]}, []),
        ("from_dtype", {"series": "shift"}, []),
        (["site"], {}, [2]),
        (["shift", 2], {}, [3, 2]),
        ([], {}, []),
        (None, {}, []),
    ],
)
def test_columns_are_found(chosen, options, expected):
    assert find_categorical(FRAME, chosen, **{"series": "unit", **options}) == expected


def test_arrays_have_categories_by_position_only():
    array = FRAME.to_numpy(object)
    assert find_categorical(array, "from_dtype", series=0) == []
    assert find_categorical(array, [-1], series=0) == [3]


@pytest.mark.parametrize(
    ("chosen", "options", "message"),
    [
        (["region"], {}, "categorical_features= contains 'region', which is not a column"),
        (["unit"], {}, "is the series id or the time"),
        (["site"], {"columns": ["p"]}, r"not in columns=\['p'\].*Add them to columns"),
    ],
)
def test_bad_names_raise(chosen, options, message):
    with pytest.raises(ValueError, match=message):
        find_categorical(FRAME, chosen, **{"series": "unit", **options})


# ------------------------------------------------------------------------------- learning
def test_categories_are_those_that_occur():
    site, shift = learn(FRAME, chosen=["site", "shift"])
    assert site.categories.tolist() == ["north", "south"]
    assert shift.categories.tolist() == ["early", "late"]
    assert site.is_constant and not shift.is_constant


@pytest.mark.parametrize(
    ("values", "is_constant"),
    [("aabb", True), ("aaab", False), (["a", "a", None, None], True), (["a", None] * 2, False)],
)
def test_constant_within_each_series(values, is_constant):
    table = FRAME.assign(site=list(values))
    assert learn(table, chosen=["site"])[0].is_constant == is_constant
    scattered = table.iloc[[3, 0, 2, 1]]
    assert learn(scattered, chosen=["site"])[0].is_constant == is_constant


def test_tables_are_merged():
    other = FRAME.assign(site=["west", "west", "north", None])
    (site,) = learn(FRAME, other, chosen=["site"])
    assert site.categories.tolist() == ["north", "south", "west"]
    assert not site.is_constant
    empty = FRAME.assign(site=[None] * 4)
    assert learn(empty, FRAME, chosen=["site"])[0].categories.tolist() == ["north", "south"]
    assert len(learn(empty, empty, chosen=["site"])[0].categories) == 0


def test_further_tables_are_not_read_without_categories():
    def tables():
        yield FRAME[["unit", "p"]]
        raise AssertionError

    assert learn_categories(tables(), "from_dtype", series="unit") == ()


def test_scaled_numbers_are_no_categories():
    with pytest.raises(ValueError, match=r"values of 'p' .* not whole numbers, such as 0\.5"):
        learn(FRAME, chosen=["p"])
    assert len(learn(FRAME.assign(p=[3.0, 3.0, np.nan, 7.0]), chosen=["p"])[0].categories) == 2
    sizes = FRAME.assign(p=pd.Categorical(FRAME["p"]))
    assert learn(sizes, chosen=["p"])[0].categories.tolist() == [0.5, 1.5, 2.5, 3.5]


# ------------------------------------------------------------------------------- encoding
KINDS = {
    "text": lambda values: pd.Series(values, dtype="str"),
    "objects": lambda values: pd.Series(values, dtype=object),
    "categories": lambda values: pd.Series(pd.Categorical(values)),
    "string": lambda values: pd.Series(values, dtype="string"),
    "array": lambda values: np.array(values, object),
    "polars": lambda values: as_plain(pl.Series(values)),
    "enum": lambda values: as_plain(pl.Series(values, dtype=pl.Enum(list("cdba")))),
}


@pytest.mark.parametrize("now", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_the_same_values_have_the_same_code_in_any_type(before, now):
    feature = CategoricalFeature(0, pd.Index(["a", "b", "c"]), False)
    table = pd.DataFrame({"site": KINDS[before](["c", "a", None, "b"])})
    (learnt,) = learn_categories([table], ["site"])
    expected = codes_by_loop(["b", "d", None, "c"], learnt.categories)
    assert_array_equal(learnt.encode(KINDS[now](["b", "d", None, "c"]), "site"), expected)
    assert set(learnt.categories) == set(feature.categories)


@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=8),
    st.lists(st.sampled_from(["b", "c", "d", None]), min_size=1, max_size=8),
)
def test_codes_equal_a_loop(before, now):
    (feature,) = learn_categories([pd.DataFrame({"site": pd.Series(before, dtype=object)})], [0])
    assert feature.categories.tolist() == sorted({value for value in before if value is not None})
    expected = codes_by_loop(now, feature.categories)
    assert_array_equal(feature.encode(pd.Series(now, dtype=object), "site"), expected)


def test_numbers_are_equal_whatever_their_type():
    (feature,) = learn(FRAME.assign(site=[3, 3, 7, 7]), chosen=["site"])
    for now in (
        [7.0, np.nan, 3.0],
        pd.array([7, None, 3], "Int64"),
        np.array([7, None, 3], object),
    ):
        assert_array_equal(feature.encode(now, "site"), [2, 0, 1])


def test_text_and_numbers_raise():
    text, numbers = FRAME, FRAME.assign(site=[1, 1, 2, 2])
    (feature,) = learn(text, chosen=["site"])
    with pytest.raises(ValueError, match=r"were text in fit .*'north'\) and are numbers .*1\)"):
        feature.encode(numbers["site"], "site")
    with pytest.raises(ValueError, match="were numbers in earlier blocks .* and are text now"):
        learn(numbers, text, chosen=["site"])
    assert_array_equal(feature.encode([None, None], "site"), [0, 0])


def test_the_code_of_missing_values_may_be_nan():
    (feature,) = learn(FRAME)
    assert_array_equal(feature.encode([None, "x", "late"], "shift", np.nan), [np.nan, 0, 2])


def test_tables_are_encoded_without_changing_them():
    before = FRAME.copy()
    features = learn(FRAME, chosen=["site", "shift"])
    table = encode_categories(FRAME, features)
    pd.testing.assert_frame_equal(FRAME, before)
    assert table["site"].tolist() == [1, 1, 2, 2] and table["shift"].tolist() == [2, 0, 1, 2]
    assert table["site"].dtype == np.float32


def test_arrays_are_encoded_without_changing_them():
    mixed = FRAME[["p", "site"]].to_numpy(object)
    for array in (mixed, np.column_stack([FRAME["p"], [5, 5, 6, 6]])):
        copy, features = array.copy(), learn_categories([array], [1])
        coded = encode_categories(array, features)
        assert_array_equal(array, copy)
        assert_array_equal(coded[:, 1], [1, 1, 2, 2])
        assert coded.dtype == array.dtype


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "float16", "float32"])
def test_arrays_have_room_for_the_codes(dtype):
    values = np.arange(300).astype(dtype)
    array = np.column_stack([values, values])
    coded = encode_categories(array, learn_categories([array], [1]))
    assert coded.dtype == np.float32
    assert_array_equal(coded[:, 1], np.unique(values, return_inverse=True)[1] + 1)


def test_positions_in_windows_and_pickles():
    site, shift = in_window(learn(FRAME, chosen=["site", "shift"]), [3, 1, 2])
    assert (site.position, shift.position) == (2, 0)
    again = pickle.loads(pickle.dumps(site))
    assert again.categories.equals(site.categories) and again.is_constant
