"""Tests of weights that decay with the age of rows."""

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import PanelDataset, WindowTransformer, series_weights, time_weights

IDS = {"series": "unit", "time": "cycle"}


@settings(max_examples=40, deadline=None)
@given(panels(), st.floats(0.5, 50), st.booleans())
def test_any_panel_equals_a_loop(panel, half_life, by_series):
    weights = []
    for _, row in panel.iterrows():
        rows = panel[panel["unit"] == row["unit"]] if by_series else panel
        weights.append(0.5 ** ((rows["cycle"].max() - row["cycle"]) / half_life))
    expected = np.array(weights) / np.mean(weights)
    ids = IDS if by_series else {"time": "cycle"}
    assert_allclose(time_weights(panel, half_life, **ids), expected)


def test_dates_and_periods():
    panel = make_panel((5, 3))
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(panel["cycle"], "D")
    expected = time_weights(panel, 2, **IDS)
    dates, periods = panel.assign(cycle=days), panel.assign(cycle=days.dt.to_period("D"))
    assert_allclose(time_weights(dates, "2D", **IDS), expected)
    assert_allclose(time_weights(dates, pd.Timedelta(hours=48), **IDS), expected)
    assert_allclose(time_weights(periods, 2, **IDS), expected)
    with pytest.raises(ValueError, match="half_life=2 is a plain number, but the time holds dates"):
        time_weights(dates, 2, **IDS)
    with pytest.raises(ValueError, match="half_life=0 must be positive"):
        time_weights(panel, 0, **IDS)


def test_balanced_series_count_the_same():
    panel = make_panel((30, 5, 12))
    for ids in (IDS, {"time": "cycle"}):
        weights = series_weights(panel["unit"], sample_weight=time_weights(panel, 3, **ids))
        sums = pd.Series(weights).groupby(panel["unit"]).sum()
        assert_allclose(sums, len(panel) / 3)
        a = weights[panel["unit"] == "a"]
        assert_allclose(a[3:] / a[:-3], 2.0)


# ------------------------------------------------------------ the parameter of a network
PANEL = make_panel((9, 6, 12), seed=2)
Y = PANEL["p"].to_numpy()


def test_half_life_of_a_network_is_a_sample_weight():
    own = np.linspace(1, 2, len(PANEL))
    age = PANEL.groupby("unit").cumcount(ascending=False).to_numpy()
    expected = lstm(**IDS).fit(PANEL, Y, sample_weight=own * 0.5 ** (age / 2.5))
    found = lstm(half_life=2.5, **IDS).fit(PANEL, Y, sample_weight=own)
    assert found.history_ == expected.history_
    assert_array_equal(found.predict(PANEL), expected.predict(PANEL))
    plain = lstm(**IDS).fit(PANEL, Y, sample_weight=own)
    assert not np.allclose(plain.predict(PANEL), found.predict(PANEL))
    report = found.series_report(PANEL, Y)
    assert_allclose(report["weight"], len(PANEL) / 3)


def test_rows_in_any_order_and_blocks_have_the_same_weights():
    order = np.random.default_rng(0).permutation(len(PANEL))
    net = lstm(half_life=2, steps_per_epoch=1, batch_size=32, epochs=1, **IDS)
    expected = net.fit(PANEL, Y).history_["loss"]
    assert_allclose(net.fit(PANEL.iloc[order], Y[order]).history_["loss"], expected, rtol=1e-5)
    dataset = PanelDataset(PANEL, series="unit", block_rows=1000)
    assert_allclose(net.fit(dataset, Y).history_["loss"], expected, rtol=1e-5)


def test_half_life_is_a_parameter_of_a_grid():
    pipe = make_pipeline(WindowTransformer(2, **IDS), lstm(epochs=1, min_observed=1))
    grid = {"multiserieslstmregressor__half_life": [None, 1, 4]}
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(PANEL, Y, groups=PANEL["unit"])
    assert len(set(search.cv_results_["mean_test_score"])) == 3


@pytest.mark.slow
def test_recent_rows_are_fitted_better():
    # The sign of the effect changes in the middle of each series.
    panel = make_panel([60] * 8)
    sign = np.where(panel["cycle"] < 40, -1.0, 1.0)
    y = (sign * panel["p"]).to_numpy()
    recent = panel["cycle"] >= 40
    options = {"epochs": 20, "learning_rate": 0.03} | IDS
    plain, decayed = (lstm(half_life=h, **options).fit(panel, y) for h in (None, 5))
    assert plain.score(panel[recent], y[recent]) < 0
    assert decayed.score(panel[recent], y[recent]) > 0.5


def test_the_time_is_needed():
    with pytest.raises(ValueError, match="time=None, expected the name of the time"):
        time_weights(pd.DataFrame({"day": [1, 2]}), 1, time=None)
