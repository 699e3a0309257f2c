"""Tests of PerSeriesImputer."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import make_panel, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm import (
    MultiSeriesLSTMRegressor,
    PanelDataset,
    PerSeriesImputer,
    PerSeriesScaler,
    WindowTransformer,
)

IDS = {"series": "unit", "time": "cycle"}
FEATURES = ["p", "q"]
nan = np.nan


def fill_by_hand(fitted, panel, fill, strategy="forward"):
    """Fill the rows of a panel one by one, as the documentation says.

    `fitted` is a panel whose rows are known before, or None.
    """
    out = panel.copy()
    for label in range(len(panel)):
        row = panel.iloc[label]
        seen = panel[(panel["unit"] == row["unit"]) & (panel["cycle"] <= row["cycle"])]
        if fitted is not None:
            known = fitted[fitted["unit"] == row["unit"]]
            if len(known) and row["cycle"] > known["cycle"].max():
                seen = pd.concat([known, seen[seen["cycle"] > known["cycle"].max()]])
        seen = seen.sort_values("cycle")
        for feature in FEATURES:
            if np.isnan(row[feature]):
                values = seen[feature].dropna()
                has_one = len(values) and strategy == "forward"
                out.iloc[label, out.columns.get_loc(feature)] = (
                    values.iloc[-1] if has_one else fill[feature]
                )
    return out


@settings(max_examples=40, deadline=None)
@given(panels(), panels(), st.sampled_from(["forward", "constant"]))
def test_any_panel_equals_a_loop(panel, later, strategy):
    imputer = PerSeriesImputer(strategy, fill_value=7.0, **IDS)
    fill = dict.fromkeys(FEATURES, 7.0)
    found = imputer.fit_transform(panel)
    pd.testing.assert_frame_equal(found, fill_by_hand(None, panel, fill, strategy))
    # Other rows, some of which continue fitted series.
    found = imputer.transform(later)
    pd.testing.assert_frame_equal(found, fill_by_hand(panel, later, fill, strategy))


@settings(max_examples=30, deadline=None)
@given(panels(), st.integers(0, 11))
def test_later_rows_change_nothing(panel, cycle):
    imputer = PerSeriesImputer(fill_value=0.0, add_indicator=True, **IDS).fit(panel)
    changed = panel.copy()
    changed.loc[changed["cycle"] > cycle, FEATURES] = 5.0
    earlier = panel["cycle"] <= cycle
    other = make_panel({"z": 3})
    for X, Z in ((panel, changed), (other, other)):
        same = earlier if X is panel else slice(None)
        pd.testing.assert_frame_equal(imputer.transform(X)[same], imputer.transform(Z)[same])


def test_history_that_is_passed_again_changes_nothing():
    panel = make_panel((6, 5))
    panel.loc[panel["cycle"].isin([3, 4, 5]), FEATURES] = nan
    fitted, later = panel[panel["cycle"] <= 3], panel[panel["cycle"] > 3]
    imputer = PerSeriesImputer(**IDS).fit(fitted)
    alone = imputer.transform(later)
    assert_array_equal(alone, imputer.transform(panel).loc[later.index])
    last = panel[panel["cycle"] == 2].set_index("unit").loc[later["unit"], FEATURES]
    assert_array_equal(alone[FEATURES], last)
    # Without a time, nothing is known to be later.
    untimed = PerSeriesImputer(fill_value=0.0, columns=FEATURES, series="unit").fit(fitted)
    assert (untimed.transform(later)[FEATURES] == 0).all().all()


@pytest.mark.parametrize("fill_value", ["mean", "median"])
def test_fill_values_and_indicators_are_those_of_scikit_learn(fill_value):
    panel = make_panel((9, 8, 7))
    panel.loc[::4, "p"] = nan
    imputer = PerSeriesImputer("constant", fill_value=fill_value, add_indicator=True, **IDS)
    peer = SimpleImputer(strategy=fill_value, add_indicator=True).fit(panel[FEATURES])
    found = imputer.fit_transform(panel)
    np.testing.assert_allclose(
        found.drop(columns=["unit", "cycle"]), peer.transform(panel[FEATURES])
    )
    np.testing.assert_allclose(imputer.fill_values_, peer.statistics_)
    own = peer.get_feature_names_out(FEATURES)
    assert imputer.get_feature_names_out().tolist() == ["unit", "cycle", *own] == [*found.columns]
    assert_array_equal(imputer.indicator_features_, [2])
    # A feature that misses values only now is filled, and has no indicator.
    panel.loc[0, "q"] = nan
    assert imputer.transform(panel).shape[1] == 5
    assert imputer.transform(panel).notna().all().all()


def test_other_columns_and_types_stay():
    panel = make_panel((4, 4)).astype({"p": "float32", "q": "float32"})
    panel["site"], panel.loc[1, "q"] = "north", nan
    panel["site"] = panel["site"].astype("category")
    assert PerSeriesImputer(**IDS).fit_transform(panel)["site"].equals(panel["site"])
    found = PerSeriesImputer(columns=["q"], **IDS).fit_transform(panel)
    assert found.dtypes.equals(panel.dtypes)
    pd.testing.assert_frame_equal(found.drop(columns="q"), panel.drop(columns="q"))
    assert found.loc[1, "q"] == panel.loc[0, "q"]
    assert np.isnan(panel.loc[1, "q"])  # the input is not changed


def test_arrays_and_polars():
    panel = make_panel((5, 4), scattered=True)
    panel.loc[panel.index % 3 == 0, "p"] = nan
    options = {"add_indicator": True, "fill_value": 0.0}
    expected = PerSeriesImputer(**options, **IDS).fit_transform(panel)
    array = panel.assign(unit=panel["unit"].map(ord)).to_numpy()
    found = PerSeriesImputer(**options, series=0, time=1).fit_transform(array)
    assert_array_equal(found[:, 2:], expected.iloc[:, 2:])
    frame = PerSeriesImputer(**options, **IDS).fit_transform(pl.from_pandas(panel))
    assert isinstance(frame, pl.DataFrame) and frame.columns == list(expected.columns)
    assert_array_equal(frame["p"].to_numpy(), expected["p"])
    kept = PerSeriesImputer(**options, **IDS).set_output(transform="pandas")
    pd.testing.assert_frame_equal(
        kept.fit_transform(pl.from_pandas(panel)), expected.reset_index(drop=True)
    )


def test_features_that_are_never_known_are_named():
    panel = make_panel((4, 3)).assign(q=nan)
    with pytest.warns(UserWarning, match=r"The features \['q'\] have no known value in fit"):
        found = PerSeriesImputer(**IDS).fit_transform(panel)
    assert (found["q"] == 0).all()


def test_blocks_give_what_memory_gives():
    panel = make_panel((5, 9, 4, 7))
    panel.loc[::3, "p"] = nan
    dataset = PanelDataset(panel, series="unit", block_rows=9)
    assert dataset.n_blocks > 2
    expected = PerSeriesImputer(add_indicator=True, **IDS).fit(panel)
    found = PerSeriesImputer(add_indicator=True, **IDS).fit(dataset)
    np.testing.assert_allclose(found.fill_values_, expected.fill_values_)
    blocks = pd.concat(list(found.transform(dataset)))
    pd.testing.assert_frame_equal(blocks, expected.transform(panel))
    later = make_panel((5, 9, 4, 7), starts=(5, 9, 4, 7)).assign(p=nan)
    pd.testing.assert_frame_equal(found.transform(later), expected.transform(later))
    with pytest.raises(ValueError, match="'median' needs all rows"):
        PerSeriesImputer(fill_value="median", **IDS).fit(dataset)


def test_files_and_pickles(tmp_path):
    panel = make_panel((5, 4))
    panel.loc[[4, 8], "p"] = nan
    imputer = PerSeriesImputer(add_indicator=True, **IDS).fit(panel)
    later = make_panel((3, 2), starts=(5, 4)).assign(p=nan)
    sklstm.save(imputer, tmp_path / "imputer.sklstm")
    for loaded in (sklstm.load(tmp_path / "imputer.sklstm"), pickle.loads(pickle.dumps(imputer))):
        pd.testing.assert_frame_equal(loaded.transform(later), imputer.transform(later))


def test_a_refused_fit_leaves_the_earlier_one():
    panel = make_panel((5, 4))
    panel.loc[3, "p"] = nan
    imputer = PerSeriesImputer(**IDS).fit(panel)
    before = imputer.transform(panel)
    with pytest.raises(ValueError, match="infinity"):
        imputer.fit(panel.assign(q=np.inf))
    pd.testing.assert_frame_equal(imputer.transform(panel), before)
    with pytest.raises(ValueError, match="changed since fit"):
        imputer.set_params(strategy="constant").transform(panel)


@pytest.mark.slow
def test_the_strategy_is_a_parameter_of_a_grid():
    panel = make_panel((12, 11, 10, 12))
    y = (panel["p"] + panel["q"]).to_numpy()
    panel.loc[::5, "p"] = nan
    net = MultiSeriesLSTMRegressor(4, epochs=1, batch_size=16, random_state=0)
    pipe = make_pipeline(
        PerSeriesScaler(**IDS),
        PerSeriesImputer(fill_value=0, **IDS),
        WindowTransformer(3, **IDS),
        net,
    )
    grid = {
        "perseriesimputer__strategy": ["forward", "constant"],
        "perseriesimputer__add_indicator": [False, True],
    }
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(panel, y, groups=panel["unit"])
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    with pytest.raises(ValueError, match="PerSeriesImputer"):
        make_pipeline(WindowTransformer(3, **IDS), net).fit(panel, y)


@pytest.mark.parametrize("convert", [lambda panel: panel, pl.from_pandas], ids=["pandas", "polars"])
def test_indicators_do_not_replace_columns(convert):
    panel = make_panel([4, 5]).assign(missingindicator_p=0.5)
    imputer = PerSeriesImputer(add_indicator=True, **IDS).fit(convert(panel))  # p is known
    panel.loc[2, "p"] = nan
    with pytest.raises(ValueError, match=r"has a column 'missingindicator_p', .* Rename it, or"):
        imputer.fit(convert(panel))
    assert len(imputer.indicator_features_) == 0  # still that of the first fit
    kept = PerSeriesImputer(**IDS).fit_transform(convert(panel))
    assert (kept["missingindicator_p"] == 0.5).all()
