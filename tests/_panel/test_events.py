"""Targets of the next event, against a plain loop and values by hand."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import make_panel, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm import make_event_targets, make_remaining_life
from sklstm.datasets import load_turbofan

IDS = {"series": "unit", "time": "cycle"}


def plain_lives(panel, unit=None):
    """Return whether each row has an event ahead, and how far it or the end is, in loops."""
    seen, life = [], []
    for series, cycle in zip(panel["unit"], panel["cycle"], strict=True):
        rows = panel[(panel["unit"] == series) & (panel["cycle"] >= cycle)].sort_values("cycle")
        steps = 0
        while steps < len(rows) - 1 and not rows["failed"].iloc[steps]:
            steps += 1
        seen.append(bool(rows["failed"].iloc[steps]))
        duration = rows["cycle"].iloc[steps] - cycle
        life.append(steps if unit is None else duration / unit)
    return np.array(seen), np.array(life, float)


@st.composite
def panels_with_events(draw):
    panel = draw(panels())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return panel.assign(failed=rng.random(len(panel)) < draw(st.sampled_from([0, 0.2, 0.5, 1])))


def assert_lives(lives, seen, life):
    assert lives.dtype.names == ("event", "time")
    assert (lives.dtype["event"], lives.dtype["time"]) == (bool, float)
    assert_array_equal(lives["event"], seen)
    assert_array_equal(lives["time"], life)


@settings(max_examples=30, deadline=None)
@given(panel=panels_with_events(), unit=st.sampled_from([None, 1, 2.5]))
def test_remaining_life_equals_the_plain_loop(panel, unit):
    seen, life = plain_lives(panel, unit)
    assert_lives(make_remaining_life(panel, "failed", unit=unit, **IDS), seen, life)
    as_numbers = panel.assign(failed=panel["failed"].astype(float))
    levels = as_numbers.set_index(["unit", "cycle"])
    assert_lives(make_remaining_life(levels, "failed", unit=unit, **IDS), seen, life)
    array = panel[["cycle", "failed", "unit"]].to_numpy(object)
    assert_lives(make_remaining_life(array, 1, unit=unit, series=2, time=0), seen, life)


@settings(max_examples=30, deadline=None)
@given(panel=panels_with_events(), horizon=st.integers(1, 9))
def test_event_targets_equal_the_plain_loop(panel, horizon):
    expected = np.full(len(panel), np.nan)
    for row, (seen, life) in enumerate(zip(*plain_lives(panel), strict=True)):
        if seen:
            expected[row] = life <= horizon
        elif life >= horizon:
            expected[row] = 0
    targets = make_event_targets(panel, "failed", horizon, **IDS)
    assert targets.name == f"event_within_{horizon}"
    pd.testing.assert_index_equal(targets.index, panel.index)
    assert_array_equal(targets, expected)
    array = panel[["cycle", "failed", "unit"]].to_numpy(object)
    from_array = make_event_targets(array, 1, horizon, series=2, time=0)
    assert type(from_array) is np.ndarray
    assert_array_equal(from_array, expected)


def test_repeated_events_by_hand():
    """Rows after a repair look ahead to the next one, and those after the last to the end."""
    panel = pd.DataFrame({"failed": [0, 0, 1, 0, 1, 1, 0, 0, 0]})
    lives = make_remaining_life(panel, "failed")
    assert_lives(lives, [True] * 6 + [False] * 3, [2, 1, 0, 1, 0, 0, 2, 1, 0])
    targets = make_event_targets(panel, "failed", 1)
    assert_array_equal(targets, [0, 1, 1, 1, 1, 1, 0, 0, np.nan])


@settings(max_examples=30, deadline=None)
@given(panel=panels(), ends=st.dictionaries(st.sampled_from("abcd"), st.booleans(), max_size=4))
def test_events_at_the_end_of_series_equal_a_column(panel, ends):
    ends = dict.fromkeys("abcd", False) | ends
    last = panel["cycle"] == panel.groupby("unit")["cycle"].transform("max")
    column = panel.assign(failed=last & panel["unit"].map(ends))
    expected = make_remaining_life(column, "failed", **IDS)
    as_series = pd.Series(ends).sample(frac=1, random_state=0)
    for event in (ends, as_series, {unit: int(end) for unit, end in ends.items()}):
        assert_array_equal(make_remaining_life(panel, event, **IDS), expected)
        targets = make_event_targets(panel, event, 2, **IDS)
        assert_array_equal(targets, make_event_targets(column, "failed", 2, **IDS))
    for end in (True, False):
        same = make_remaining_life(panel, dict.fromkeys("abcd", end), **IDS)
        assert_array_equal(make_remaining_life(panel, end, **IDS), same)


def test_lives_of_the_turbofan_engines():
    data = load_turbofan()
    ids = {"series": "unit", "time": "cycle"}
    assert_lives(make_remaining_life(data.train, **ids), True, data.train_rul)
    known = make_remaining_life(data.test, False, **ids)
    assert not known["event"].any()
    assert (known["time"] <= data.test_rul).all()


@settings(max_examples=30, deadline=None)
@given(panel=panels_with_events(), cap=st.sampled_from([0.5, 1, 3]))
def test_a_capped_life_is_known_where_the_bound_reaches_the_cap(panel, cap):
    seen, life = plain_lives(panel)
    lives = make_remaining_life(panel, "failed", cap=cap, **IDS)
    assert_lives(lives, seen | (life >= cap), np.minimum(life, cap))


def test_units_of_time():
    days = pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-04T12"], format="ISO8601")
    panel = pd.DataFrame({"day": days, "failed": [False, False, True]})

    def lives(table, unit):
        return make_remaining_life(table, "failed", time="day", unit=unit)["time"].tolist()

    assert lives(panel, "1D") == [3.5, 1.5, 0]
    assert lives(panel, pd.Timedelta("12h")) == [7, 3, 0]
    assert lives(panel, None) == [2, 1, 0]
    periods = panel.assign(day=days.to_period("D"))
    assert lives(periods, 1) == [3, 1, 0]
    cap = make_remaining_life(panel, "failed", time="day", unit="1D", cap=2)
    assert_lives(cap, True, [2, 1.5, 0])


@pytest.mark.parametrize("library", [pl.from_pandas, pa.Table.from_pandas])
def test_other_frames_give_null_for_unknown(library):
    panel = make_panel([4, 3], scattered=True).reset_index(drop=True)
    panel["failed"] = (panel["unit"] == "a") & (panel["cycle"] == 3)
    expected = make_event_targets(panel, "failed", 2, **IDS)
    assert expected.isna().sum() == 2
    targets = make_event_targets(library(panel), "failed", 2, **IDS)
    assert targets.null_count == 2 if isinstance(targets, pa.ChunkedArray) else targets.null_count()
    assert_array_equal(np.asarray(targets.to_pandas(), float), expected)
    lives = make_remaining_life(library(panel), "failed", **IDS)
    assert_array_equal(lives, make_remaining_life(panel, "failed", **IDS))


PANEL = pd.DataFrame({"unit": [1, 1, 2], "p": [0.0, np.nan, 1.0], "q": [0, 2, 1], "r": "no"})
PANEL["s"] = ["yes", "no", "no"]
ERRORS = {
    "missing": (
        {"event": "p"},
        r"\('p'\) are neither true/false nor 1/0 in 1 of 3 values.* is nan",
    ),
    "number": ({"event": "q"}, r"events \('q'\) are neither .* in 1 of 3 values; the first is 2"),
    "text": ({"event": "r"}, r"events \('r'\) are neither .*; the first is 'no'. Convert them,"),
    "texts": ({"event": "s"}, r"the first is 'yes'. Convert them, such as with X\['s'\] == 'yes',"),
    "no column": ({"event": "failed"}, "event='failed' is not a column of X"),
    "the id": ({"event": "unit"}, "event='unit' is the series id"),
    "kind": ({"event": ["q"]}, "event is of type list, expected the name"),
    "series": ({"event": {1: True}}, r"value for series \[2\].*still running"),
    "none": ({"event": {1: True, 2: None}}, r"value for series \[2\]"),
    "value": (
        {"event": {1: True, 2: "no"}},
        r"\(by id\) are neither .* in 1 of 2 .* is 'no'",
    ),
    "twice": ({"event": pd.Series(True, [1, 2, 2])}, "more than once"),
    "unit": ({"unit": 1}, "unit=1 needs the time of each row"),
    "bad unit": ({"unit": "x", "time": "q"}, "unit='x' must be a number"),
    "cap": ({"cap": 0}, "cap=0 must be a positive number"),
    "cap of text": ({"cap": "9"}, "cap='9' must be a positive number"),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_bad_events(options, message):
    with pytest.raises(ValueError, match=message):
        make_remaining_life(PANEL, **{"series": "unit"} | options)


@pytest.mark.parametrize("event", [True, "p"])
def test_empty_panel(event):
    with pytest.raises(ValueError, match="panel is empty"):
        make_remaining_life(PANEL[:0], event, series="unit")


@pytest.mark.parametrize("horizon", [0, 1.0, True, None])
def test_bad_horizon(horizon):
    with pytest.raises(ValueError, match="horizon=.* must be a positive integer"):
        make_event_targets(PANEL, True, horizon, series="unit")


def test_rows_out_of_time_order_warn():
    panel = pd.DataFrame({"day": pd.to_datetime(["2024-01-02", "2024-01-01"])})
    with pytest.warns(UserWarning, match="'day' decreases in 1 of 1 series"):
        make_remaining_life(panel)
