"""Tests of PerSeriesTimeSplit, against scikit-learn's split of each series alone."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import make_random_walks, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit

from sklstm import PerSeriesTimeSplit, WindowTransformer

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_random_walks()


def folds_of(splitter, X):
    """Return the folds; series may be too short for some."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* too short for all")
        return list(splitter.split(X))


@pytest.mark.parametrize(("n_splits", "test_size"), [(3, None), (2, 4), (1, 1), (5, None)])
@pytest.mark.parametrize("form", ["columns", "index", "array"])
def test_each_series_is_split_as_scikit_learn_splits_it_alone(n_splits, test_size, form):
    X, ids = PANEL, IDS
    if form == "index":
        X = PANEL.set_index(["unit", "cycle"])
    if form == "array":
        X, ids = PANEL.to_numpy(), {"series": 0, "time": 1}
    splitter = PerSeriesTimeSplit(n_splits, test_size=test_size, **ids)
    folds = list(splitter.split(X, PANEL["p"]))
    assert len(folds) == splitter.get_n_splits(X) == n_splits
    for unit in PANEL["unit"].unique():
        rows = PANEL.index[PANEL["unit"] == unit].to_numpy()
        rows = rows[np.argsort(PANEL["cycle"].to_numpy()[rows])]
        if n_splits > 1:
            alone = TimeSeriesSplit(n_splits, test_size=test_size).split(rows)
        else:
            alone = [(np.arange(len(rows) - test_size), np.arange(len(rows))[-test_size:])]
        for fold, expected in zip(folds, alone, strict=True):
            for got, wanted in zip(fold, expected, strict=True):
                assert_array_equal(np.intersect1d(got, rows), np.sort(rows[wanted]))
                assert (np.diff(got) > 0).all()


@settings(deadline=None)
@given(panels(), st.integers(1, 4), st.sampled_from([None, 1, 2, 3]))
def test_training_rows_are_all_earlier_rows_of_the_tested_series(panel, n_splits, test_size):
    splitter = PerSeriesTimeSplit(n_splits, test_size=test_size, **IDS)
    longest = panel.groupby("unit").size().max()
    if longest <= n_splits * (test_size or 1):
        with pytest.raises(ValueError, match="No series is long enough for the first fold"):
            splitter.split(panel)
        return
    folds = folds_of(splitter, panel)
    assert len(folds) == n_splits
    tested = np.zeros(len(panel), int)
    for train, test in folds:
        assert len(np.intersect1d(train, test)) == 0
        assert len(train) and len(test)
        tested[test] += 1
        for _, rows in panel.reset_index(drop=True).groupby("unit"):
            in_time = rows.sort_values("cycle").index.to_numpy()
            past, next_rows = (in_time[np.isin(in_time, part)] for part in (train, test))
            # All rows before the test rows, then the test rows without a gap; or neither.
            assert_array_equal(np.r_[past, next_rows], in_time[: len(past) + len(next_rows)])
            assert (len(past) > 0) == (len(next_rows) > 0)
            if len(past):
                size = test_size or max(1, len(rows) // (n_splits + 1))
                assert len(next_rows) == size
    assert tested.max() == 1
    # Each series that has earlier rows is tested on its last rows.
    last = panel.reset_index(drop=True).sort_values("cycle").groupby("unit").tail(1)
    sizes = panel.groupby("unit").size()
    assert_array_equal(tested[last.index] == 1, (sizes > (test_size or 1)).loc[last["unit"]])


@pytest.mark.filterwarnings("ignore:.*max_gap=.* cuts the windows")
@settings(deadline=None)
@given(panels(), st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_windows_of_test_rows_are_the_same_as_in_the_whole_panel(
    panel, n_splits, window_length, with_gap
):
    sizes = panel.groupby("unit").size()
    if sizes.max() <= n_splits:
        return
    transformer = WindowTransformer(
        window_length, max_gap=3 if with_gap else 100, padding="zero", output="3d", **IDS
    )
    whole = transformer.fit_transform(panel)
    for train, test in folds_of(PerSeriesTimeSplit(n_splits, **IDS), panel):
        fitted = clone(transformer).fit(panel.iloc[train])
        assert_array_equal(fitted.transform(panel.iloc[test]), whole[test])


def test_windows_are_split_like_their_panel():
    windows = WindowTransformer(3, **IDS).fit_transform(PANEL)
    from_panel = list(PerSeriesTimeSplit(3, **IDS).split(PANEL))
    for fold, expected in zip(PerSeriesTimeSplit(3).split(windows), from_panel, strict=True):
        assert_array_equal(np.concatenate(fold), np.concatenate(expected))
    # Selected windows keep the ids of all windows.
    part = windows[(PANEL["unit"] == 1).to_numpy()]
    (_, test), *_ = PerSeriesTimeSplit(1).split(part)
    assert len(test) == 7
    with pytest.raises(ValueError, match="Windows, which contain their series"):
        PerSeriesTimeSplit(3, series="unit").split(windows)


def test_without_ids_the_split_is_that_of_scikit_learn():
    for X in (np.zeros((20, 1)), ["text"] * 20, pd.DataFrame({"word": ["text"] * 20})):
        for fold, expected in zip(
            PerSeriesTimeSplit(4).split(X), TimeSeriesSplit(4).split(X), strict=True
        ):
            assert_array_equal(fold[0], expected[0])
            assert_array_equal(fold[1], expected[1])


def test_features_may_be_text():
    X = PANEL.assign(place="here")
    train, _ = next(PerSeriesTimeSplit(2, **IDS).split(X))
    assert_array_equal(train, next(PerSeriesTimeSplit(2, **IDS).split(PANEL))[0])
    assert len(list(PerSeriesTimeSplit(2, **IDS).split(PANEL[["unit", "cycle"]]))) == 2


def test_short_series_are_counted_in_a_warning():
    panel = make_random_walks((1, 3, 12))
    with pytest.warns(UserWarning, match=r"2 of 3 series \(.*\) are too short .* 1 of them") as w:
        folds = list(PerSeriesTimeSplit(5, **IDS).split(panel))
    assert w[0].filename == __file__
    units = [panel["unit"].to_numpy()[test].tolist() for _, test in folds]
    assert [sorted(unit) for unit in units] == [[3, 3]] * 3 + [[2, 3, 3]] * 2
    with pytest.raises(
        ValueError, match="each needs 13 rows, and the longest has 12. Lower n_splits"
    ):
        PerSeriesTimeSplit(3, test_size=4, **IDS).split(panel)
    assert len(folds_of(PerSeriesTimeSplit(3, test_size=4, **IDS), make_random_walks((1, 13)))) == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 0}, "'n_splits' parameter of PerSeriesTimeSplit"),
        ({"n_splits": 2.5}, "'n_splits' parameter of PerSeriesTimeSplit"),
        ({"test_size": 0}, "'test_size' parameter of PerSeriesTimeSplit"),
        ({"series": "shop"}, "series='shop' is neither a column nor an index level"),
        ({"series": "unit", "time": "unit"}, "are the same column"),
        ({"series": "p", "time": "unit"}, None),
        ({"time": "unit"}, "repeat a time, expected one row per time"),
    ],
)
def test_bad_parameters_of_the_splitter(parameters, message):
    splitter = PerSeriesTimeSplit(**parameters)
    if message is None:  # every row is a series
        message = "No series is long enough"
    with pytest.raises(ValueError, match=message):
        splitter.split(PANEL)


def test_repr_and_checks_of_the_splitter():
    splitter = PerSeriesTimeSplit(3, series="unit")
    assert repr(splitter) == (
        "PerSeriesTimeSplit(n_splits=3, series='unit', test_size=None, time=None)"
    )
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        splitter.split(PANEL, [1.0])
    with pytest.raises(ValueError, match="X has no rows"):
        splitter.split(PANEL[:0])
    with pytest.raises(ValueError, match="'n_splits' parameter"):
        PerSeriesTimeSplit(-1).get_n_splits()
    with pytest.warns(UserWarning, match="PerSeriesTimeSplit: groups are ignored"):
        splitter.split(PANEL, groups=PANEL["unit"])
