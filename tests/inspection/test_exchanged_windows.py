"""Property tests of windows with exchanged cells, against a plain loop over arrays."""

import numpy as np
import pytest
from helpers import panels
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm import WindowTransformer
from sklstm.inspection._exchanged_windows import ExchangedWindows

IDS = {"series": "unit", "time": "cycle"}


def exchange_slowly(windows, edge, cells, donors):
    """Exchange cells one by one; a shorter history is continued as in `edge`."""
    values = np.asarray(windows).copy()
    length = windows.window_length
    for row, donor in enumerate(donors):
        for step, feature in np.argwhere(cells):
            is_padding = length - step > windows.n_observed[row]
            if not is_padding or windows.padding == "edge":
                values[row, step, feature] = edge[donor, step, feature]
    return values


@given(
    panel=panels(),
    length=st.integers(1, 5),
    spacing=st.integers(1, 2),
    padding=st.sampled_from(["edge", "zero", "nan"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_cells_are_those_of_a_plain_loop(panel, length, spacing, padding, seed):
    rng = np.random.default_rng(seed)
    panel = panel.fillna(0.5)
    windows, edge = (
        WindowTransformer(length, spacing=spacing, padding=kind, **IDS).fit_transform(panel)
        for kind in (padding, "edge")
    )
    cells = rng.random(windows.shape[1:]) < 0.5
    donors = rng.permutation(len(windows))
    expected = exchange_slowly(windows, np.asarray(edge), cells, donors)
    exchanged = ExchangedWindows.exchange(windows, cells, donors)
    assert_array_equal(np.asarray(exchanged), expected)
    # They are still lazy windows: chosen ones, and ones over other rows, are exchanged likewise.
    some = rng.integers(0, len(windows), 3)
    assert_array_equal(exchanged[some][1:].gather(slice(None)), expected[some[1:]])
    assert_array_equal(exchanged[int(some[0])], expected[some[0]])
    in_float32 = exchanged.with_rows(windows.rows.astype("float32"))
    assert_array_equal(in_float32.gather(slice(None)), expected.astype("float32"))


def test_windows_themselves_do_not_change():
    windows = WindowTransformer(2).fit_transform(np.arange(6.0).reshape(3, 2))
    before = np.asarray(windows)
    exchanged = ExchangedWindows.exchange(windows, np.ones((2, 2), bool), np.array([2, 0, 1]))
    assert exchanged.rows is windows.rows and exchanged.donors.rows is windows.rows
    assert_array_equal(np.asarray(exchanged), before[[2, 0, 1]])
    assert_array_equal(np.asarray(windows), before)
    with pytest.raises(IndexError):
        exchanged[5]
