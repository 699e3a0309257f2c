"""Test how messages show ids and times."""

import datetime

import numpy as np
import pandas as pd
import pytest

from sklstm import PerSeriesTimeSplit
from sklstm._panel.show import did_you_mean, show, show_ids
from sklstm.metrics import mase


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(103), "103"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "True"),
        (np.str_("shop 1"), "'shop 1'"),
        ("shop 1", "'shop 1'"),
        (None, "None"),
        (pd.Timestamp("2024-03-01"), "2024-03-01"),
        (pd.Timestamp("2024-03-01 12:30"), "2024-03-01 12:30:00"),
        (pd.Timestamp("2024-03-01", tz="Europe/Berlin"), "2024-03-01 00:00:00+01:00"),
        (np.datetime64("2024-03-01", "ns"), "2024-03-01"),
        (np.timedelta64(90, "m"), "0 days 01:30:00"),
        (datetime.date(2024, 3, 1), "2024-03-01"),
        (pd.Period("2024-03", "M"), "2024-03"),
        ((np.int64(103), np.int64(1), "y"), "(103, 1, 'y')"),
        (pd.NaT, "NaT"),
    ],
)
def test_show(value, expected):
    assert show(value) == expected


def test_show_ids():
    assert show_ids(pd.Index([3, 1, 2])) == "3, 1, 2"
    assert show_ids(pd.Index(list("abcdef"))) == "'a', 'b', 'c', 'd', 'e', ..."
    assert show_ids(pd.to_datetime(["2024-03-01"])) == "2024-03-01"


@pytest.mark.parametrize(
    ("ids", "shown"),
    [(np.array([103, 7]), "7"), (pd.to_datetime(["2024-03-01", "2024-03-02"]), "2024-03-02")],
    ids=["integers", "dates"],
)
def test_messages_show_plain_ids(ids, shown):
    panel = pd.DataFrame({"unit": np.repeat(ids, [8, 2]), "y": np.arange(10.0)})
    with pytest.warns(UserWarning, match=rf"1 of 2 series \({shown}\) are too short"):
        list(PerSeriesTimeSplit(2, test_size=2, series="unit").split(panel))
    scale = pd.Series([1.0], index=pd.Index(ids[:1], name="unit"))
    with pytest.raises(ValueError, match=rf"no value for series \[{shown}\]"):
        mase(panel.set_index("unit")["y"], panel["y"], scale=scale)


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("promos", ["shop", "promo"], "Did you mean 'promo'?"),
        ("A", ["a", "b"], "Did you mean 'a'?"),
        ("103", [103, 7], "Did you mean 103?"),
        (7, ["7", "8"], "Did you mean '7'?"),
        ("price", ["shop", None], "Choose one."),
        ("price", [], "Choose one."),
    ],
)
def test_did_you_mean(name, names, expected):
    assert did_you_mean(name, names, "Choose one.") == expected
