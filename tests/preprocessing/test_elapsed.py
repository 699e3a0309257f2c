"""Tests of `elapsed`: the time since the row before, as a feature of windows."""

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel, panels
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import PanelDataset, WindowTransformer

# The panels that are drawn pass rows between those of fit; tests/_panel/test_torn.py tests that.
pytestmark = pytest.mark.filterwarnings("ignore:.*fall between rows used in fit")
IDS = {"series": "unit", "time": "cycle"}


def steps_by_hand(fitted, panel):
    """Find the time since the row before for each row, as the continuation rule says."""
    steps = []
    for _, row in panel.iterrows():
        before = panel[(panel["unit"] == row["unit"]) & (panel["cycle"] < row["cycle"])]
        if fitted is not None:
            known = fitted[fitted["unit"] == row["unit"]]
            if len(known) and row["cycle"] > known["cycle"].max():
                after = before[before["cycle"] > known["cycle"].max()]
                before = pd.concat([known, after])
        steps.append(row["cycle"] - before["cycle"].max() if len(before) else 0.0)
    return np.array(steps)


def last_rows(windows):
    return np.asarray(windows)[:, -1]


@settings(max_examples=40, deadline=None)
@given(panels(), panels())
def test_any_panel_equals_a_loop(panel, later):
    panel = pd.concat([panel, make_panel({"z": 2}, starts=3)], ignore_index=True)
    transformer = WindowTransformer(3, elapsed=True, **IDS)
    found = last_rows(transformer.fit_transform(panel))
    ordered = panel.sort_values("cycle").groupby("unit")["cycle"]
    unit = np.median([time.diff().median() for _, time in ordered if len(time) > 1])
    assert transformer.time_step_ == unit
    assert_allclose(found[:, -1], np.log1p(steps_by_hand(None, panel) / unit))
    assert_array_equal(found[:, :-1], panel[["p", "q"]])
    found = last_rows(transformer.transform(later))
    assert_allclose(found[:, -1], np.log1p(steps_by_hand(panel, later) / unit))


def test_windows_hold_the_steps_of_all_their_rows():
    panel = make_panel((6,)).assign(cycle=[0, 1, 3, 7, 8, 9])
    fitted, later = panel[:4], panel[4:]
    transformer = WindowTransformer(3, elapsed=True, padding="zero", **IDS).fit(fitted)
    windows = np.asarray(transformer.transform(later))
    expected = np.log1p(np.array([[2, 4, 1], [4, 1, 1]]) / 2)
    assert_allclose(windows[..., -1], expected)
    assert_array_equal(windows, np.asarray(transformer.transform(panel))[4:])
    first = np.asarray(transformer.transform(fitted))[0, :, -1]
    assert_array_equal(first, [0, 0, 0])


def test_the_unit_of_time_does_not_matter():
    panel = make_panel((7, 5)).assign(cycle=[0, 1, 3, 7, 8, 9, 20, 1, 2, 3, 9, 10])
    days = panel.assign(cycle=pd.Timestamp("2024-01-01") + pd.to_timedelta(panel["cycle"], "D"))
    found = [
        np.asarray(WindowTransformer(2, elapsed=True, **IDS).fit_transform(each))
        for each in (panel, days, panel.assign(cycle=panel["cycle"] * 1e-6))
    ]
    assert_allclose(found[1], found[0], rtol=1e-12)
    assert_allclose(found[2], found[0], rtol=1e-6)


def test_names_types_and_tables():
    panel = make_panel((4, 3)).astype({"p": "float32", "q": "float32"})
    table = WindowTransformer(2, elapsed=True, output="2d", **IDS).set_output(transform="pandas")
    found = table.fit_transform(panel)
    names = ["p_lag1", "q_lag1", "elapsed_lag1", "p_lag0", "q_lag0", "elapsed_lag0"]
    assert list(found) == names == table.get_feature_names_out().tolist()
    windows = WindowTransformer(2, elapsed=True, **IDS).fit_transform(panel)
    assert windows.names == ["p", "q", "elapsed"] and windows.dtype == np.float32


def test_blocks_give_what_memory_gives():
    panel = make_panel((5, 9, 4)).assign(cycle=lambda X: X["cycle"] ** 2)
    dataset = PanelDataset(panel, series="unit", block_rows=9)
    expected = WindowTransformer(3, elapsed=True, **IDS).fit(panel)
    found = WindowTransformer(3, elapsed=True, **IDS).fit(dataset)
    assert found.time_step_ == expected.time_step_
    blocks = np.concatenate([np.asarray(block) for block in found.transform(dataset)])
    assert_array_equal(blocks, np.asarray(expected.transform(panel)))


def test_files(tmp_path):
    panel = make_panel((5, 4))
    fitted = WindowTransformer(2, elapsed=True, **IDS).fit(panel)
    sklstm.save(fitted, tmp_path / "windows.sklstm")
    later = make_panel((3, 2), starts=(7, 9))
    found = sklstm.load(tmp_path / "windows.sklstm").transform(later)
    assert_array_equal(np.asarray(found), np.asarray(fitted.transform(later)))


@pytest.mark.slow
def test_a_network_reads_the_time_between_rows():
    rng = np.random.default_rng(0)
    panel = make_panel([40] * 6)
    steps = rng.choice([1, 30], len(panel))
    panel["cycle"] = pd.Series(steps).groupby(panel["unit"]).cumsum()
    pipe = make_pipeline(
        WindowTransformer(2, elapsed=True, **IDS),
        lstm(epochs=8, learning_rate=0.05, min_observed=2),
    )
    y = np.log(steps)
    assert pipe.fit(panel, y).score(panel, y) > 0.5
    assert pipe.set_params(windowtransformer__elapsed=False).fit(panel, y).score(panel, y) < 0.3


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({"time": None, "columns": ["p"]}, {}, "needs the time of the rows, and time=None"),
        ({}, {"elapsed": 1.0}, "X has one of that name"),
        ({}, {"unit": list("abcdefg")}, "at least two rows in fit"),
    ],
)
def test_mistakes(options, change, message):
    panel = make_panel((4, 3)).assign(**change)
    with pytest.raises(ValueError, match=message):
        WindowTransformer(2, elapsed=True, **IDS | options).fit(panel)
