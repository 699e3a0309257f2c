"""Tests of indexing rows by series, against plain loops."""

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm._panel.read import read_panel, read_series_rows
from sklstm._panel.rows import (
    SeriesRows,
    encode_ids,
    group_order,
    join_context,
    run_starts,
    take_rows,
)

IDS = {"series": "unit", "time": "cycle"}


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
def test_zero_and_minus_zero_are_one_id(together):
    ids = np.array([0.0, -0.0, 1.0], np.float32)
    codes, found = encode_ids(np.repeat(ids, 9) if together else np.tile(ids, 9), 27)
    assert len(found) == 2
    assert found.dtype == np.float32
    assert codes.sum() == 9


@pytest.mark.parametrize("kind", ["float", "text", "category"])
@pytest.mark.parametrize("repeats", [1, 9])
def test_missing_ids_are_counted(kind, repeats):
    values = {"float": [1.0, np.nan, 2.0], "text": ["a", None, "b"]}.get(kind)
    values = pd.Series(values or pd.Categorical(["a", None, "b"])).repeat(repeats)
    with pytest.raises(ValueError, match=f"missing .* in {repeats} of .* first is row {repeats}"):
        encode_ids(values, len(values))


@settings(max_examples=50, deadline=None)
@given(codes=st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_group_order_and_run_starts(codes):
    codes = np.array(codes, np.int32)
    assert_array_equal(group_order(codes), np.argsort(codes, kind="stable"))
    expected = [i for i in range(len(codes)) if i == 0 or codes[i] != codes[i - 1]]
    assert_array_equal(run_starts(codes), expected)


def test_runs_end_at_gaps_for_any_block_size(monkeypatch):
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
def test_take_rows_from_any_memory_layout(order):
    wide = np.asarray(np.arange(60.0).reshape(12, 5), order=order)
    at = np.array([3, 0, 11, 3], np.int32)
    for rows in (wide, wide[:, 1:], wide[::2][:6]):
        chosen = at % len(rows)
        assert_array_equal(take_rows(rows, chosen), rows[chosen])


# ---------------------------------------------------------------------------- SeriesRows
def sorted_rows(panel):
    """Return the row numbers of each series in time order, series in order of appearance."""
    units, cycles = panel["unit"].tolist(), panel["cycle"].tolist()
    return {
        unit: sorted((i for i, other in enumerate(units) if other == unit), key=cycles.__getitem__)
        for unit in dict.fromkeys(units)
    }


@settings(max_examples=50, deadline=None)
@given(panel=panels())
def test_sizes_bounds_rank_and_sorting_equal_plain_loops(panel):
    rows, expected = read_series_rows(panel, **IDS), sorted_rows(panel)
    assert len(rows) == len(panel)
    assert list(rows.ids) == list(expected)
    assert rows.sizes.tolist() == [len(numbers) for numbers in expected.values()]
    assert rows.sorting.tolist() == [i for numbers in expected.values() for i in numbers]
    for start, stop, numbers in zip(rows.bounds, rows.bounds[1:], expected.values(), strict=False):
        assert rows.sorting[start:stop].tolist() == numbers
    assert rows.bounds[-1] == len(panel)
    for numbers in expected.values():
        assert rows.rank[numbers].tolist() == list(range(len(numbers)))
    last = [panel["cycle"].iloc[numbers[-1]] for numbers in expected.values()]
    assert rows.last_times.tolist() == last
    # Series without rows, as selected windows have them.
    more = SeriesRows(rows.codes + 1, rows.ids.insert(0, "none").append(pd.Index(["none"])))
    assert more.sizes.tolist() == [0, *rows.sizes, 0]
    assert more.bounds.tolist() == [0, *rows.bounds, len(panel)]


@settings(max_examples=50, deadline=None)
@given(panel=panels(), block_rows=st.sampled_from([1, 3, 1000]))
def test_unsort_inverts_sort(panel, block_rows):
    rows, table = read_series_rows(panel, **IDS), panel[["p", "q"]].to_numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklstm._panel.rows.BLOCK_ROWS", block_rows)
        for values in (table, table[:, 0], np.asfortranarray(table), rows.codes):
            ordered = rows.sort(values)
            assert_array_equal(ordered, values[rows.sorting])
            assert ordered.dtype == values.dtype
            assert_array_equal(rows.unsort(ordered), values)
            assert rows.unsort(ordered).dtype == values.dtype
    if rows.order is None:
        assert rows.sort(table) is table and rows.unsort(table) is table


@settings(max_examples=50, deadline=None)
@given(panel=panels(), n_rows=st.integers(1, 8))
def test_tail_and_take_equal_plain_loops(panel, n_rows):
    rows = read_series_rows(panel, **IDS)
    kept = [i for numbers in sorted_rows(panel).values() for i in numbers[-n_rows:]]
    assert rows.tail(n_rows).tolist() == kept
    taken = rows.take(rows.tail(n_rows))
    assert_array_equal(taken.codes, rows.codes[kept])
    assert_array_equal(taken.time, rows.time[kept])
    assert taken.ids is rows.ids and taken.time_kind == rows.time_kind and taken.order is None
    # The taken rows are sorted by series and time.
    assert_array_equal(np.lexsort((taken.time, taken.codes)), np.arange(len(kept)))


@settings(max_examples=50, deadline=None)
@given(panel=panels(), max_gap=st.sampled_from([None, 1, 2, 2.5]))
def test_runs_of_a_panel_equal_a_plain_loop(panel, max_gap):
    starts, position = [], 0
    for numbers in sorted_rows(panel).values():
        cycles = panel["cycle"].iloc[numbers].tolist()
        for i, cycle in enumerate(cycles):
            if i == 0 or (max_gap is not None and cycle - cycles[i - 1] > max_gap):
                starts.append(position)
            position += 1
    assert read_series_rows(panel, **IDS).run_starts(max_gap).tolist() == starts


def test_rows_without_time_are_in_the_given_order():
    rows = read_series_rows(pd.DataFrame({"unit": list("abab")}), series="unit")
    assert rows.sorting.tolist() == [0, 2, 1, 3]
    assert rows.rank.tolist() == [0, 0, 1, 1]
    assert rows.tail(1).tolist() == [2, 3]
    assert rows.take(rows.tail(1)).time is None
    assert not rows.continues(rows.ids, np.array([0, 0])).any()


def fitted_last_cycles(fitted):
    """Return the last cycle of each fitted series."""
    return {unit: part["cycle"].max() for unit, part in fitted.groupby("unit")}


@settings(max_examples=50, deadline=None)
@given(panel=panels(), fitted=panels())
def test_continuing_rows_equal_a_plain_loop(panel, fitted):
    rows, known = read_series_rows(panel, **IDS), read_series_rows(fitted, **IDS)
    last = fitted_last_cycles(fitted)
    expected = [
        unit in last and cycle > last[unit]
        for unit, cycle in zip(panel["unit"], panel["cycle"], strict=True)
    ]
    assert rows.continues(known.ids, known.last_times).tolist() == expected
    assert not rows.continues(known.ids, None).any()


@settings(max_examples=80, deadline=None)
@given(panel=panels(), fitted=panels(), n_kept=st.integers(1, 8))
def test_joined_context_equals_a_plain_loop(panel, fitted, n_kept):
    rows, known = read_series_rows(panel, **IDS), read_series_rows(fitted, **IDS)
    context = known.take(known.tail(n_kept))
    joined, chosen = join_context(context, rows)
    last = fitted_last_cycles(fitted)
    pairs = list(zip(panel["unit"], panel["cycle"], strict=True))
    continues = [unit in last and cycle > last[unit] for unit, cycle in pairs]
    continued = {unit for (unit, _), is_later in zip(pairs, continues, strict=True) if is_later}
    stored = list(zip(context.ids.take(context.codes), context.time.tolist(), strict=True))
    assert chosen.tolist() == [i for i, (unit, _) in enumerate(stored) if unit in continued]
    # The rows: the chosen rows of the context, then all passed rows.
    assert len(joined) == len(chosen) + len(panel)
    expected = [(*stored[i], True) for i in chosen]
    expected += [(*pair, is_later) for pair, is_later in zip(pairs, continues, strict=True)]
    groups = [expected.index(row) for row in expected]  # (series, time, continues) are unique
    assert groups == list(range(len(expected)))
    # Rows are of one joined series if they are of one series and both continue it, or neither.
    for i, (unit, _, is_later) in enumerate(expected):
        same = [(u, later) == (unit, is_later) for u, _, later in expected]
        assert (joined.codes == joined.codes[i]).tolist() == same
        assert joined.ids[joined.codes[i]] == unit
    assert joined.time.tolist() == [time for _, time, _ in expected]
    order = np.lexsort((joined.time, joined.codes))
    assert_array_equal(joined.sorting, order)
    assert joined.codes.dtype == np.int32
