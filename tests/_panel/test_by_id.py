"""Values of series that a user passes by id."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklstm import (
    make_event_targets,
    make_remaining_life,
    make_series_targets,
    series_weights,
)
from sklstm._panel.by_id import look_up, series_by_id
from sklstm.metrics import mase

PANEL = pd.DataFrame({"unit": [1, 1, 2, 2], "x": [1.0, 2.0, 3.0, 4.0]})
UNITS = {"series": "unit"}
INDEXED = PANEL.set_index("unit")["x"]

READERS = {
    "make_series_targets": lambda by_id: make_series_targets(PANEL, by_id, **UNITS),
    "make_remaining_life": lambda by_id: make_remaining_life(PANEL, by_id, **UNITS),
    "make_event_targets": lambda by_id: make_event_targets(PANEL, by_id, 1, **UNITS),
    "series_weights": lambda by_id: series_weights(PANEL["unit"], by_id),
    "mase": lambda by_id: mase(INDEXED, INDEXED, scale=pd.Series(by_id).rename_axis("unit")),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_ids_of_another_type_are_named(read):
    with pytest.raises(ValueError, match=r"for series \[1, 2\].* int, .*\['1', '2'\] of type str"):
        read({"1": True, "2": False})


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_series_without_a_value_is_named(read):
    with pytest.raises(ValueError, match=r"has no value for series \[2\]\. [A-Z]"):
        read({1: True})


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_further_ids_are_allowed(read):
    assert_array_equal(read({1: True, 2: False, 3: True}), read({1: True, 2: False}))


@pytest.mark.parametrize("name", ["make_series_targets", "make_remaining_life", "series_weights"])
def test_an_id_is_given_once(name):
    with pytest.raises(ValueError, match="an id more than once in .*, such as 2"):
        READERS[name](pd.Series([1.0, 1.0, 0.0], index=[1, 2, 2]))


def test_a_missing_value_is_allowed_on_request():
    by_id, ids = series_by_id({"a": np.nan}, "targets"), pd.Index(["a"])
    assert look_up(by_id, ids, "targets", "", allow_missing=True).isna().all()
    with pytest.raises(ValueError, match=r"targets= has a missing value for series \['a'\]"):
        look_up(by_id, ids, "targets", "")


@pytest.mark.parametrize("make", [make_remaining_life, make_event_targets])
def test_events_of_rows_are_not_read_by_id(make):
    # The index of the rows contains the ids.
    options = {"horizon": 1} if make is make_event_targets else {}
    for events in (pd.Series([False, True, False, False]), np.array([False, True, False, False])):
        with pytest.raises(ValueError, match=r"Put values of rows into a column"):
            make(PANEL, events, **options, **UNITS)


def test_one_row_per_series_may_be_in_the_order_of_the_ids():
    panel = pd.DataFrame({"unit": [0, 1], "x": [1.0, 2.0]})
    lives = make_remaining_life(panel, pd.Series([True, False]), **UNITS)
    assert lives["event"].tolist() == [True, False]
