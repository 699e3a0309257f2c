"""Tests of Windows and of copying windows from rows of any memory layout."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from helpers import shared_columns
from numpy.testing import assert_array_equal

from sklstm import Windows, WindowTransformer
from sklstm._panel.gather import gather


@pytest.fixture(params=["edge", "zero", "nan"])
def windows(request):
    panel = pd.DataFrame({"unit": [1, 1, 2, 1, 1, 2, 3], "p": np.arange(7.0), "q": -np.arange(7.0)})
    return WindowTransformer(3, padding=request.param, series="unit").fit_transform(panel)


ROW_KEYS = [
    slice(None),
    slice(1, 5, 2),
    slice(None, None, -1),
    slice(-3, None),
    slice(9, 12),
    ...,
    np.array([True, False, True, False, False, True, True]),
    [True] * 3 + [False] * 4,
    np.zeros(7, bool),
    np.array([6, 0, 0, -1]),
    [2, -7],
    [],
    np.array([], int),
    pd.Series([1, 2], index=[5, 6]),
]


@pytest.mark.parametrize("key", ROW_KEYS, ids=repr)
def test_selected_windows_share_the_rows(windows, key):
    array = np.asarray(windows)
    for part in [windows[key], windows[key,]] + ([] if key is ... else [windows[key, ...]]):
        assert isinstance(part, Windows)
        assert part.rows is windows.rows
        assert_array_equal(part, array[key])
        assert part.shape == array[key].shape
        assert_array_equal(part.series, np.asarray(windows.series)[key])
        assert_array_equal(part.n_observed, windows.n_observed[key])


@pytest.mark.parametrize(
    "key",
    [
        *[0, 6, -1, -7, np.int64(3), np.uint8(2), (2, ...)],
        *[(2, 1), (2, -1, 0), (-3, slice(None), 1), (4, slice(1, None))],
        *[(slice(None), -1), (slice(None), -1, slice(None)), (slice(1, 4), slice(None), 0)],
        *[(slice(None), slice(None), [1, 0]), (..., -1), (..., slice(0, 1)), (..., 0, 1)],
        *[([5, 0], slice(None), 1), ([5, 0], slice(1, 3)), ([0, 3, 3], -1)],
        (np.arange(7) % 2 == 0, -1),
    ],
    ids=repr,
)
def test_other_parts_of_windows_are_arrays(windows, key):
    part, expected = windows[key], np.asarray(windows)[key]
    assert type(part) is type(expected)
    assert_array_equal(part, expected)


@pytest.mark.parametrize(
    "key", [7, -8, [7], [0.5], "p", None, True, [True, False], np.zeros((7, 7), int), (0, 3), 1.0]
)
def test_invalid_keys(windows, key):
    with pytest.raises(IndexError):
        windows[key]


def test_windows_behave_like_their_array(windows):
    array = np.asarray(windows)
    assert array.shape == windows.shape == (7, 3, 2)
    assert (windows.ndim, windows.size, windows.dtype, len(windows)) == (3, 42, array.dtype, 7)
    assert_array_equal(list(windows), array)
    assert_array_equal(np.asarray(windows, dtype="float32"), array.astype("float32"))
    assert np.asarray(windows, dtype="float32").dtype == "float32"
    assert_array_equal(np.nanmean(windows, axis=1), np.nanmean(array, axis=1))
    assert "(7, 3, 2)" in repr(windows)
    array[:] = 99
    assert not (np.asarray(windows) == 99).any()


def test_windows_are_no_array_without_a_copy(windows):
    with pytest.raises(ValueError, match="copy"):
        windows.__array__(copy=False)


def test_pickled_windows(windows):
    again = pickle.loads(pickle.dumps(windows))
    assert_array_equal(again, windows)
    assert_array_equal(again.series, windows.series)


def test_windows_from_array():
    array = np.arange(24.0).reshape(4, 3, 2)
    for given_array in [array, array[::-1], array.astype("float32"), array[:1]]:
        windows = Windows.from_array(given_array)
        assert windows.dtype == given_array.dtype
        assert_array_equal(windows, given_array)
        assert_array_equal(windows[::-1], given_array[::-1])
        assert (windows.n_observed == 3).all()


def test_with_series_replaces_the_ids(windows):
    other = windows.with_series(np.array([0, 1, 0, 0, 1, 0, 0]), pd.Index(["u", "v"]))
    assert list(other.series) == list("uvuuvuu")
    assert_array_equal(other, windows)
    assert list(windows.series) == [1, 1, 2, 1, 1, 2, 3]


def test_memory_grows_with_rows_and_not_with_window_length():
    panel = pd.DataFrame({"unit": np.arange(20_000) % 7, "p": np.ones(20_000)})
    n_bytes = {}
    for window_length in [2, 2000]:
        transformer = WindowTransformer(window_length, series="unit")
        tracemalloc.start()
        windows = transformer.fit_transform(panel)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        n_bytes[window_length] = windows.nbytes
        assert peak < 10e6  # the array of the long windows would take 320 MB
    assert n_bytes[2] == n_bytes[2000]
    assert n_bytes[2] >= panel["p"].nbytes


@pytest.mark.parametrize("layout", ["frame", "array"])
def test_memory_per_row(layout):
    """Three numbers of four bytes per row beside the values; the rows of an array are shared."""
    X = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)
    X[:, 0] = np.arange(1000) // 100
    series = 0
    if layout == "frame":
        X, series = pd.DataFrame(X, columns=list("upqrs")).astype({"u": np.int64}), "u"
    windows = WindowTransformer(96, series=series).fit_transform(X)
    assert windows.dtype == np.float32
    assert windows.nbytes == 1000 * (4 * 4 + 3 * 4)
    if layout == "array":
        assert np.shares_memory(windows.rows, X)


@shared_columns
@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_peak_memory_is_little_more_than_the_memory_of_the_windows(method):
    n_rows = 500_000
    panel = pd.DataFrame(np.ones((4, n_rows), np.float32).T, columns=list("pqrs"), copy=False)
    panel.insert(0, "unit", np.arange(n_rows) // 100)
    transformer = WindowTransformer(96, series="unit").fit(panel[:1000])
    tracemalloc.start()
    windows = getattr(transformer, method)(panel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * n_rows * (4 * 4 + 8)
    assert peak < 1.05 * windows.nbytes


@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("layout", ["C", "F", "columns of a wider array", "backwards"])
@pytest.mark.parametrize("padding", ["edge", "zero", "nan"])
@pytest.mark.parametrize("spacing", [1, 2])
def test_gather_reads_rows_of_any_layout(layout, n_features, padding, spacing):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, n_features)).astype(np.float32)
    expected_rows = rows.copy()
    if layout == "columns of a wider array":
        rows = np.insert(rows, 0, 99.0, axis=1)[:, 1:]
    elif layout == "backwards":
        rows = rows[::-1].copy()[::-1]
    else:
        rows = np.asarray(rows, order=layout)
    ends = np.array([19, 0, 7, 8, 2, 19], np.int32)
    for n_observed in ([4] * 6, [4, 1, 2, 4, 1, 3], [1] * 6):
        observed = np.minimum(n_observed, ends // spacing + 1).astype(np.int32)
        block = gather(rows, ends, observed, 4, spacing, padding)
        assert block.dtype == np.float32
        assert block.flags.c_contiguous and block.flags.writeable
        for window, end, n in zip(block, ends, observed, strict=True):
            rows_of_window = expected_rows[end - (n - 1) * spacing : end + 1 : spacing]
            filler = {"edge": rows_of_window[0], "zero": 0, "nan": np.nan}[padding]
            assert_array_equal(window[4 - n :], rows_of_window)
            assert_array_equal(window[: 4 - n], np.broadcast_to(filler, (4 - n, n_features)))


def test_gather_of_windows_longer_than_all_rows_and_of_no_windows():
    rows = np.array([[1.0], [2.0]])
    block = gather(rows, np.array([1, 0]), np.array([2, 1]), 4)
    assert_array_equal(block[:, :, 0], [[1, 1, 1, 2], [1, 1, 1, 1]])
    assert gather(rows, np.array([], int), np.array([], int), 2).shape == (0, 2, 1)
    with pytest.raises(IndexError):
        gather(rows, np.array([2]), np.array([2]), 2)
