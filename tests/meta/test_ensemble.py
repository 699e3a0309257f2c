"""Tests of SeriesEnsembleRegressor, against loops over members fitted by hand."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)
from sklstm._panel.read import read_series_rows
from sklstm.meta._assignment import draw_bootstrap, partition_series
from sklstm.meta._clusters import features_of_series, history_of_table, history_of_windows
from sklstm.meta._combination import combine_members, inverse_weights

IDS = {"series": "unit", "time": "cycle"}
FEATURES = ["p", "q"]
FAMILY = {unit: "calm" if unit in "abcd" else "wild" for unit in "abcdefgh"}
WAYS = ["bootstrap", "partition", "cluster", "all", FAMILY]
few = settings(max_examples=25, deadline=None)


def make_panel(units="abcdefgh", seed=0):
    """Make a panel of unequal series: one half calm, the other half wild and at a higher level."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, unit in enumerate(units):
        n_rows, wild = 8 + 3 * number, FAMILY.get(unit, unit) == "wild"
        values = rng.normal(scale=4 if wild else 0.5, size=(n_rows, 2)) + [9 * wild, 0]
        parts.append(
            pd.DataFrame(
                {"unit": unit, "cycle": range(n_rows), "p": values[:, 0], "q": values[:, 1]}
            )
        )
    panel = pd.concat(parts, ignore_index=True)
    y = (
        panel["p"]
        - 3 * panel["q"]
        + 5 * panel.groupby("unit").ngroup()
        + rng.normal(size=len(panel))
    )
    return panel, y.to_numpy()


PANEL, Y = make_panel()
UNITS = PANEL["unit"].to_numpy()
NEW, NEW_Y = make_panel(["x", "calm", "wild"], seed=1)
WINDOWS = WindowTransformer(3, **IDS).fit_transform(PANEL)
NEW_WINDOWS = WindowTransformer(3, **IDS).fit_transform(NEW)


class Mean(RegressorMixin, BaseEstimator):
    """Predict the weighted mean of the targets, and remember the arguments of `fit`."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, mark=None):
        self.X_, self.y_, self.sample_weight_, self.mark_ = X, y, sample_weight, mark
        known = ~np.isnan(y)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.mean_ = np.average(y[known], weights=weight[known])
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class Spread(Ridge):
    """Also predict quantiles: the prediction, and one unit below and above it."""

    def predict_quantiles(self, X):
        return self.predict(X)[..., np.newaxis] + np.array([-1.0, 0.0, 1.0])


def plain(estimator=None):
    """Make a pipeline that drops the ids, so that any regressor can be used."""
    return make_pipeline(
        FunctionTransformer(lambda X: X[FEATURES], check_inverse=False), estimator or Ridge()
    )


def lags(window_length=3):
    """Make a fast pipeline whose predictions depend on earlier rows."""
    return make_pipeline(
        PerSeriesScaler(**IDS), WindowTransformer(window_length, output="2d", **IDS), Ridge()
    )


def net(**options):
    """Make a tiny net; equal shapes in all tests avoid compilation."""
    options = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01} | options
    return MultiSeriesLSTMRegressor(4, **options)


def ensemble(estimator=None, n_estimators=2, **options):
    options = {"random_state": 0, "series": "unit", "time": "cycle"} | options
    return SeriesEnsembleRegressor(estimator or plain(), n_estimators, **options)


def ridge(X, y, weight=None):
    return Ridge().fit(X[FEATURES], y, sample_weight=weight)


# ------------------------------------------------------------------------------ assignment
@pytest.mark.parametrize("estimator", [Ridge(), KNeighborsRegressor(3)], ids=repr)
def test_bootstrap_equals_a_loop_over_drawn_series(estimator):
    fitted = ensemble(plain(estimator), 4).fit(PANEL, Y)
    assert (fitted.draws_.sum() == 8).all()  # as many as there are, with replacement
    assert (fitted.draws_ > 1).any().all() and (fitted.draws_ == 0).any().all()
    predicted = []
    for member in range(4):
        drawn = fitted.draws_[member]
        # If the regressor takes weights, a row of weight 2 is equivalent to two equal rows.
        times = drawn if isinstance(estimator, Ridge) else drawn.clip(upper=1)
        rows = np.concatenate(
            [np.flatnonzero(UNITS == unit) for unit in drawn.index for _ in range(times[unit])]
        )
        by_hand = clone(estimator).fit(PANEL.loc[rows, FEATURES], Y[rows])
        predicted.append(by_hand.predict(NEW[FEATURES]))
    assert_allclose(fitted.predict(NEW), np.mean(predicted, axis=0))
    median = clone(fitted).set_params(combine="median").fit(PANEL, Y)
    assert_allclose(median.predict(NEW), np.median(predicted, axis=0))
    for result, expected in zip(
        fitted.predict(NEW, return_std=True), (np.mean, np.std), strict=True
    ):
        assert_allclose(result, expected(predicted, axis=0))


def test_bootstrap_of_nets_equals_a_loop_over_nets():
    fitted = ensemble(net(), 2).fit(WINDOWS, Y)
    predicted = []
    for member, drawn in fitted.draws_.items():
        weight = drawn[UNITS].to_numpy()
        rows = np.flatnonzero(weight)
        by_hand = net(random_state=fitted.estimators_[member].random_state)
        by_hand.fit(WINDOWS[rows], Y[rows], weight[rows])
        predicted.append(by_hand.predict(NEW_WINDOWS))
    assert_allclose(fitted.predict(NEW_WINDOWS), np.mean(predicted, axis=0), rtol=1e-6)
    assert not np.allclose(predicted[0], predicted[1])


@given(panel=panels(names="abcdefg"), new=panels(names="abxyz"), seed=st.integers(0, 99))
@few
def test_partition_assigns_each_series_to_one_member(panel, new, seed):
    y = np.random.default_rng(seed).normal(size=len(panel))
    n_series = panel["unit"].nunique()
    assume(n_series > 1)
    n_members = 2 + seed % (n_series - 1)
    fitted = ensemble(Mean(), n_members, assign="partition", random_state=seed).fit(panel, y)
    sizes = fitted.assignment_.value_counts()
    assert len(sizes) == n_members and sizes.max() - sizes.min() <= 1
    assert_array_equal(np.sort(fitted.assignment_.index), np.unique(panel["unit"]))
    means = np.array(
        [y[panel["unit"].map(fitted.assignment_) == member].mean() for member in range(n_members)]
    )
    expected = [
        means[fitted.assignment_[unit]] if unit in fitted.assignment_ else means.mean()
        for unit in new["unit"]
    ]
    predicted, spread = fitted.predict(new, return_std=True)
    assert_allclose(predicted, expected, atol=1e-12)
    unseen = ~new["unit"].isin(panel["unit"]).to_numpy()
    assert_allclose(spread[unseen], means.std(), atol=1e-12)
    assert np.isnan(spread[~unseen]).all()
    # Neither the order of the rows nor other rows matter.
    some = np.random.default_rng(seed).permutation(len(new))[: len(new) // 2 + 1]
    assert_allclose(fitted.predict(new.iloc[some]), predicted[some])


def test_a_dict_makes_one_member_per_label():
    labels = FAMILY | {"calm": "calm", "wild": "wild", "z": "another"}
    for assign in (labels, pd.Series(labels)):
        fitted = ensemble(assign=assign, n_estimators=7).fit(PANEL, Y)
        assert fitted.draws_.columns.tolist() == ["calm", "wild"]
        assert fitted.assignment_.to_dict() == FAMILY
        rows = {name: PANEL["unit"].map(FAMILY).to_numpy() == name for name in ("calm", "wild")}
        by_hand = {name: ridge(PANEL[at], Y[at]) for name, at in rows.items()}
        predicted = {name: one.predict(NEW[FEATURES]) for name, one in by_hand.items()}
        new = NEW["unit"].to_numpy()
        mean = np.mean(list(predicted.values()), axis=0)
        expected = np.select([new == name for name in predicted], predicted.values(), mean)
        assert_allclose(fitted.predict(NEW), expected)
        for name, at in rows.items():
            expected = by_hand[name].predict(PANEL[FEATURES])[at]
            assert_allclose(fitted.predict(PANEL)[at], expected)


def test_all_trains_every_member_on_all_series():
    fitted = ensemble(Mean(), 3, assign="all").fit(PANEL, Y)
    for member in fitted.estimators_:
        assert member.X_ is PANEL
        assert member.sample_weight_ is None
    assert len({member.random_state for member in fitted.estimators_}) == 3
    assert fitted.assignment_.tolist() == [(0, 1, 2)] * 8
    one_series = PANEL[UNITS == "a"]
    assert ensemble(Mean(), assign="all").fit(one_series, Y[: len(one_series)])


def features_by_loop(values):
    """Compute mean, deviation and mean absolute change of each column; NaN where unknown."""
    with np.errstate(invalid="ignore"):
        frame = pd.DataFrame(values)
        deviation = frame.std(ddof=0).where(frame.notna().sum() > 1)
        return np.concatenate([frame.mean(), deviation, frame.diff().abs().mean()])


@given(panel=panels(scattered=True), seed=st.integers(0, 99))
@few
def test_features_of_series_equal_those_of_a_loop(panel, seed):
    panel.loc[:, "q"] += 1e6
    rows = read_series_rows(panel, **IDS)
    values = panel[FEATURES].to_numpy()
    of_table = history_of_table(values, rows)
    windows = WindowTransformer(3, **IDS).fit_transform(panel)
    of_windows = history_of_windows(windows, [0, 1])
    in_order = panel.sort_values("cycle")
    expected = [
        features_by_loop(in_order.loc[in_order["unit"] == unit, FEATURES]) for unit in rows.ids
    ]
    for history in (of_table, of_windows):
        assert_allclose(features_of_series(history), expected, atol=1e-8)


def cluster_by_hand(panel, y):
    """Fit k-means, and a ridge per cluster; return a function that predicts one row."""
    units = panel["unit"].unique()
    features = np.array([features_by_loop(panel.loc[panel["unit"] == u, FEATURES]) for u in units])
    scaler = StandardScaler().fit(features)
    kmeans = KMeans(2, n_init=10, random_state=5).fit(scaler.transform(features))
    cluster = dict(zip(units, kmeans.labels_, strict=True))
    of_row = panel["unit"].map(cluster)
    members = [ridge(panel[of_row == number], y[of_row == number]) for number in (0, 1)]

    def predict(unit, past, row):
        number = cluster.get(unit)
        if number is None:
            known = features_by_loop(past)
            known = np.where(np.isnan(known), np.nanmean(features, axis=0), known)
            number = kmeans.predict(scaler.transform(known[np.newaxis]))[0]
        return members[number].predict(row)[0]

    return cluster, predict


def test_clusters_equal_those_of_kmeans_by_hand():
    fitted = ensemble(assign="cluster").fit(PANEL, Y)
    cluster, predict = cluster_by_hand(PANEL, Y)
    ours = fitted.assignment_
    assert len(set(zip(ours, ours.index.map(cluster), strict=True))) == 2
    assert ours.map({ours["a"]: "calm", ours["h"]: "wild"}).to_dict() == FAMILY
    expected_names = [f"{kind}_{name}" for kind in ("mean", "deviation", "step") for name in "pq"]
    assert fitted.features_.columns.tolist() == expected_names
    assert_allclose(fitted.features_.loc["c"], features_by_loop(PANEL.loc[UNITS == "c", FEATURES]))
    new = pd.concat([NEW, PANEL[UNITS == "b"].assign(p=99.0)], ignore_index=True)
    expected = [
        predict(
            unit,
            new.loc[(new["unit"] == unit) & (new["cycle"] <= cycle), FEATURES],
            new.loc[[row], FEATURES],
        )
        for row, (unit, cycle) in enumerate(new[["unit", "cycle"]].itertuples(index=False))
    ]
    assert_allclose(fitted.predict(new), expected)
    order = np.random.default_rng(0).permutation(len(new))
    assert_allclose(fitted.predict(new.iloc[order]), np.array(expected)[order])


def test_clusters_are_made_from_the_named_columns():
    fitted = ensemble(assign="cluster", columns="q").fit(PANEL, Y)
    assert fitted.features_.columns.tolist() == ["mean_q", "deviation_q", "step_q"]
    from_windows = ensemble(net(), assign="cluster", columns=["q"]).fit(WINDOWS, Y)
    pd.testing.assert_frame_equal(from_windows.features_, fitted.features_)
    assert_array_equal(from_windows.assignment_, fitted.assignment_)


def test_clusters_of_new_series_do_not_depend_on_the_order_of_columns():
    # A value of p in the place of q would be far from all clusters.
    panel, new = PANEL.assign(q=PANEL["q"] / 1000), NEW.assign(q=NEW["q"] / 1000)
    reordered = new[["q", "cycle", "p", "unit"]]
    fitted = ensemble(Mean(), assign="cluster").fit(panel, Y)
    expected = fitted.predict(new)
    assert len(set(expected)) == 2
    polars = pytest.importorskip("polars")
    assert_array_equal(fitted.predict(reordered), expected)
    assert_array_equal(fitted.predict(polars.from_pandas(reordered)), expected)
    by_position = ensemble(Mean(), assign="cluster", columns=[2]).fit(panel, Y)
    assert_array_equal(by_position.predict(reordered), by_position.predict(new))
    windows, same = (
        WindowTransformer(3, columns=columns, **IDS).fit_transform(new)
        for columns in (["q", "p"], ["p", "q"])
    )
    of_windows = ensemble(Mean(), assign="cluster")
    of_windows.fit(WindowTransformer(3, **IDS).fit_transform(panel), Y)
    assert_array_equal(of_windows.predict(windows), of_windows.predict(same))
    message = r"X lacks the columns \['q'\], .* \['unit', 'cycle', 'p', 'load'\]"
    with pytest.raises(ValueError, match=message):
        fitted.predict(new.rename(columns={"q": "load"}))
    # As everywhere in scikit-learn, columns are compared by position if X has no names.
    array = new.to_numpy(dtype=object)
    of_array = ensemble(Mean(), assign="cluster", series=0, time=1).fit(panel.to_numpy(object), Y)
    assert_array_equal(of_array.predict(new), of_array.predict(array))


def test_the_last_window_of_a_new_series_determines_its_cluster():
    fitted = ensemble(Mean(), assign="cluster").fit(WINDOWS, Y)
    clusters = fitted.assignment_
    mean = {
        name: Y[PANEL["unit"].isin(clusters.index[clusters == clusters[unit]])].mean()
        for name, unit in {"calm": "a", "wild": "h"}.items()
    }
    for name, expected in mean.items():
        windows = NEW_WINDOWS[NEW_WINDOWS.series == name]
        assert_allclose(fitted.predict(windows)[-1], expected)
        assert_allclose(fitted.predict(windows[[-1]]), expected)
        assert_allclose(fitted.predict(windows[[-1, -1, -9]])[:2], expected)


@pytest.mark.filterwarnings("ignore:.*max_gap=1 cuts the windows")
def test_features_of_windows_with_gaps_and_spacing():
    panel = PANEL[(PANEL["cycle"] < 3) | (PANEL["cycle"] > 5)]
    rows = read_series_rows(panel, **IDS)
    windows = WindowTransformer(4, spacing=2, max_gap=1, **IDS).fit_transform(panel)
    whole = features_of_series(history_of_windows(windows, [1]))
    for unit, found in zip(rows.ids, whole, strict=True):
        q = panel.loc[panel["unit"] == unit].set_index("cycle")["q"]
        steps = pd.concat([q[:3].diff(2), q[3:].diff(2)]).abs()  # not across the gap
        assert_allclose(found, [q.mean(), q.std(ddof=0), steps.mean()])


@pytest.mark.parametrize("spacing", [1, 2])
def test_features_of_selected_windows_use_only_their_rows(spacing):
    windows = WindowTransformer(4, spacing=spacing, **IDS).fit_transform(PANEL)
    random = np.random.default_rng(0)
    for n_chosen in (3, 30, 200):
        chosen = windows[np.sort(random.integers(len(windows), size=n_chosen))]
        found = features_of_series(history_of_windows(chosen, [0, 1]))
        for code, unit in enumerate(chosen.ids):
            rows, pairs = set(), set()
            for end, observed, own in zip(
                chosen.ends, chosen.n_observed, chosen.codes, strict=True
            ):
                if own == code:
                    held = [int(end) - spacing * back for back in range(observed)]
                    # Rows before the last row of an earlier window are not added.
                    new = [row for row in held if not rows or row > max(rows)]
                    pairs |= {(row, row - spacing) for row in new if row - spacing in held}
                    rows |= set(new)
            if not rows:
                assert np.isnan(found[code]).all(), unit
                continue
            values = chosen.rows[sorted(rows)]
            nothing = np.full(2, np.nan)
            steps = [np.abs(chosen.rows[a] - chosen.rows[b]) for a, b in pairs]
            expected = [
                values.mean(axis=0),
                values.std(axis=0) if len(rows) > 1 else nothing,
                np.mean(steps, axis=0) if steps else nothing,
            ]
            assert_allclose(found[code], np.concatenate(expected), atol=1e-12)


def test_series_without_usable_targets_are_treated_as_new():
    weight = np.where(UNITS == "c", 0.0, 1.0)
    y = np.where(UNITS == "f", np.nan, Y)
    kept = ~np.isin(UNITS, ["c", "f"])
    for assign in ("bootstrap", "partition", "cluster", "all"):
        fitted = ensemble(Mean(), assign=assign).fit(PANEL, y, weight)
        assert fitted.draws_.index.tolist() == list("abdegh")
        by_hand = ensemble(Mean(), assign=assign).fit(PANEL[kept], Y[kept], weight[kept])
        assert_allclose(fitted.predict(PANEL), by_hand.predict(PANEL))


def test_selected_windows_contain_only_their_own_series():
    rows = np.flatnonzero(np.isin(UNITS, ["b", "g"]))
    fitted = ensemble(Mean(), assign="partition").fit(WINDOWS[rows], Y[rows])
    assert fitted.draws_.index.tolist() == ["b", "g"]
    assert_allclose(
        fitted.predict(WINDOWS[rows]),
        pd.Series(Y[rows]).groupby(UNITS[rows]).transform("mean"),
    )


# ----------------------------------------------------------------------------- combination
def test_error_weights_equal_those_by_hand():
    y = np.stack([Y, 100 - PANEL["q"] ** 2], axis=1)
    y[::5, 0] = np.nan
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    complete = plain(FillingRidge())
    for assign in ("bootstrap", "partition"):
        fitted = ensemble(complete, 3, assign=assign, combine="error").fit(PANEL, y, weight)
        errors = np.empty((3, 2))
        for member in range(3):
            out = PANEL["unit"].map(fitted.draws_[member]).to_numpy() == 0
            predicted = fitted.estimators_[member].predict(PANEL)
            for output in range(2):
                at = out & ~np.isnan(y[:, output])
                errors[member, output] = mean_squared_error(
                    y[at, output], predicted[at, output], sample_weight=weight[at]
                )
        assert_allclose(fitted.errors_, errors)
        shares = 1 / errors / (1 / errors).sum(axis=0)
        assert_allclose(fitted.weights_, shares)
        members = np.stack([member.predict(NEW) for member in fitted.estimators_])
        mean = (shares[:, np.newaxis] * members).sum(axis=0)
        spread = np.sqrt((shares[:, np.newaxis] * (members - mean) ** 2).sum(axis=0))
        assert_allclose(fitted.predict(NEW, return_std=True), [mean, spread])
        assert not np.allclose(mean, members.mean(axis=0), atol=1e-3)


class FillingRidge(Ridge):
    """Replace missing targets by 0."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.nan_to_num(y), sample_weight)


def test_members_without_held_out_series_have_the_mean_error():
    errors = np.array([[1.0, 4.0], [np.nan, np.nan], [3.0, 0.0], [2.0, 0.0]])
    shares = inverse_weights(errors)
    assert_allclose(shares[:, 0], np.array([6, 3, 2, 3]) / 14)
    assert_allclose(shares[:, 1], [0, 0, 0.5, 0.5])
    assert_allclose(inverse_weights(np.full((4, 1), np.nan)), 0.25)
    assert_allclose(inverse_weights(np.array([[1e-300], [3e-300]])), [[0.75], [0.25]])
    everywhere = ensemble(Mean(), assign="all", combine="error").fit(PANEL, Y)
    assert np.isnan(everywhere.errors_).all()
    assert_allclose(everywhere.predict(NEW), Y.mean())
    specialists = ensemble(Mean(), assign="cluster", combine="error").fit(PANEL, Y)
    assert specialists.errors_ is None


def test_the_spread_of_a_single_member_is_nan():
    fitted = ensemble(n_estimators=1).fit(PANEL, Y)
    predicted, spread = fitted.predict(NEW, return_std=True)
    assert_array_equal(predicted, fitted.estimators_[0].predict(NEW))
    assert spread.shape == predicted.shape and np.isnan(spread).all()


def test_combination_keeps_shape_and_precision():
    rng = np.random.default_rng(0)
    for shape in ((3, 5), (3, 5, 2), (3, 5, 2, 4)):
        weights = np.array([[0.2, 0.5], [0.3, 0.5], [0.5, 0]])[:, : shape[2] if shape[2:] else 1]
        predictions = rng.normal(size=shape).astype(np.float32)
        for median in (False, True):
            combined, spread = combine_members(predictions, weights, median)
            assert combined.shape == spread.shape == shape[1:]
            assert combined.dtype == spread.dtype == np.float32
        by_member = np.moveaxis(predictions, 0, -1)
        shares = weights[:, 0] if not shape[2:] else weights.T
        shares = shares[:, np.newaxis] if len(shape) == 4 else shares
        mean, _ = combine_members(predictions, weights)
        assert_allclose(mean, (by_member * shares).sum(axis=-1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("combine", ["mean", "median", "error"])
@pytest.mark.parametrize("assign", WAYS, ids=str)
def test_quantiles_are_combined_per_level(assign, combine):
    y = np.stack([Y, -Y], axis=1)
    for targets in (Y, y):
        fitted = ensemble(plain(Spread()), assign=assign, combine=combine).fit(PANEL, targets)
        quantiles = fitted.predict_quantiles(NEW)
        assert quantiles.shape == (*targets[: len(NEW)].shape, 3)
        middle = fitted.predict(NEW)
        assert_allclose(quantiles, np.stack([middle - 1, middle, middle + 1], axis=-1))
    assert hasattr(ensemble(plain(Spread())), "predict_quantiles")
    assert not hasattr(ensemble(), "predict_quantiles")
    assert not hasattr(ensemble().fit(PANEL, Y), "predict_quantiles")


def test_quantile_nets():
    fitted = ensemble(net(quantiles=(0.1, 0.9))).fit(WINDOWS, Y)
    members = [member.predict_quantiles(NEW_WINDOWS) for member in fitted.estimators_]
    assert_allclose(fitted.predict_quantiles(NEW_WINDOWS), np.mean(members, axis=0), rtol=1e-6)


# ---------------------------------------------------------------------------- no leakage
@pytest.mark.parametrize("form", ["table", "windows"])
@pytest.mark.parametrize("assign", WAYS, ids=str)
def test_later_rows_never_change_earlier_predictions(assign, form):
    new = pd.concat([NEW, PANEL], ignore_index=True)
    changed = new.copy()
    late = (new["cycle"] >= 7).to_numpy()
    changed.loc[late, FEATURES] = changed.loc[late, FEATURES] * -9 + 500
    if form == "table":
        fitted = ensemble(lags(), assign=assign).fit(PANEL, Y)
    else:
        windows = WindowTransformer(3, series="unit").fit(PANEL)  # windows of passed rows only
        new, changed, early = (windows.transform(X) for X in (new, changed, new[~late]))
        last = make_pipeline(FunctionTransformer(lambda X: np.asarray(X)[:, -1]), Ridge())
        fitted = ensemble(last, assign=assign).fit(windows.transform(PANEL), Y)
    before, after = fitted.predict(new), fitted.predict(changed)
    assert_allclose(after[~late], before[~late], rtol=1e-10)
    assert (np.abs(after[late] - before[late]) > 1e-3).all()
    # Later rows are not needed.
    early = new[~late]
    assert_allclose(fitted.predict(early), before[~late], rtol=1e-10)


def test_the_cluster_of_a_new_series_may_change_over_time():
    fitted = ensemble(Mean(), assign="cluster").fit(PANEL, Y)
    turning = pd.concat(
        [
            NEW[NEW["unit"] == "calm"],
            NEW[NEW["unit"] == "wild"].assign(cycle=lambda X: X["cycle"] + 50),
        ]
    ).assign(unit="x")
    predicted = fitted.predict(turning)
    assert len(np.unique(predicted)) == 2
    # A member receives whole series, not only the rows of its cluster.
    with_lags = ensemble(lags(), assign="cluster").fit(PANEL, Y)
    both = np.stack([member.predict(turning) for member in with_lags.estimators_])
    own = np.where(predicted == fitted.estimators_[0].mean_, 0, 1)
    assert_allclose(with_lags.predict(turning), both[own, np.arange(len(own))])


# ------------------------------------------------------------------------ sharing, threads
@pytest.mark.parametrize("assign", WAYS, ids=str)
def test_members_share_the_rows_of_windows(assign):
    fitted = ensemble(Mean(), assign=assign).fit(WINDOWS, Y)
    for member, drawn in zip(fitted.estimators_, fitted.draws_.to_numpy().T, strict=True):
        assert member.X_.rows is WINDOWS.rows
        rows = np.isin(UNITS, fitted.draws_.index[drawn > 0])
        assert_array_equal(member.X_.ends, WINDOWS.ends[rows])
        assert_array_equal(member.y_, Y[rows])


@pytest.mark.parametrize("assign", WAYS, ids=str)
@pytest.mark.slow
def test_results_do_not_depend_on_threads(assign):
    one = ensemble(net(), assign=assign, combine="error").fit(WINDOWS, Y)
    two = ensemble(net(), assign=assign, combine="error", n_jobs=2).fit(WINDOWS, Y)
    assert_array_equal(one.draws_, two.draws_)
    assert_allclose(two.predict(NEW_WINDOWS), one.predict(NEW_WINDOWS), rtol=1e-6)
    assert_allclose(two.weights_, one.weights_, rtol=1e-5)


@pytest.mark.slow
def test_first_fit_in_threads_and_pickle_in_a_new_process(tmp_path):
    fitted = ensemble(net(), n_jobs=2).fit(WINDOWS, Y)
    path = tmp_path / "ensemble.pickle"
    with path.open("wb") as file:
        pickle.dump((fitted, WINDOWS, Y, NEW_WINDOWS), file)
    code = (
        "import pickle, sys, numpy as np\n"
        "from sklearn.base import clone\n"
        "from sklstm import MultiSeriesLSTMRegressor, SeriesEnsembleRegressor\n"
        "X = np.random.default_rng(0).normal(size=(20, 3, 2)).astype('float32')\n"
        "net = MultiSeriesLSTMRegressor(4, epochs=1, batch_size=16)\n"
        "SeriesEnsembleRegressor(net, 2, n_jobs=2).fit(X, X[:, 0, 0])\n"
        f"fitted, X, y, new = pickle.load(open({str(path)!r}, 'rb'))\n"
        "again = clone(fitted).fit(X, y)\n"
        "print(repr([fitted.predict(new)[-1], again.predict(new)[-1]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = fitted.predict(NEW_WINDOWS)[-1]
    found = eval(done.stdout, {"np": np})
    assert_allclose(found, expected, rtol=1e-5)


# ------------------------------------------------------------------------------- seeds
def test_every_nested_random_state_has_its_own_seed():
    nested = make_pipeline(FunctionTransformer(), ensemble(net(), assign="all"))
    fitted = ensemble(nested, 2, random_state=3)
    fitted.fit(WINDOWS, Y)
    name = "seriesensembleregressor__"
    seeds = [
        member.get_params()[name + inner]
        for member in fitted.estimators_
        for inner in ("random_state", "estimator__random_state")
    ]
    assert len(set(seeds)) == 4
    assert nested.get_params()[name + "estimator__random_state"] is None
    again = clone(fitted).fit(WINDOWS, Y)
    assert_array_equal(again.predict(NEW_WINDOWS), fitted.predict(NEW_WINDOWS))


@pytest.mark.parametrize("assign", ["bootstrap", "partition"])
def test_random_state_determines_the_assignment(assign):
    def drawn(random_state):
        return ensemble(Mean(), 3, assign=assign, random_state=random_state).fit(PANEL, Y).draws_

    pd.testing.assert_frame_equal(drawn(1), drawn(1))
    pd.testing.assert_frame_equal(drawn(np.random.RandomState(1)), drawn(1))
    assert not drawn(1).equals(drawn(2))


def test_draws_are_uniform():
    random = np.random.RandomState(0)
    draws = draw_bootstrap(40, 2000, random)
    assert_array_equal(draws.sum(axis=0), 40)
    assert_allclose((draws > 0).mean(), 1 - (1 - 1 / 40) ** 40, atol=5e-3)
    assert_allclose(draws.mean(axis=1), 1, atol=0.1)
    members = np.stack([partition_series(7, 3, random) for _ in range(3000)])
    assert_allclose((members == 0).mean(axis=0), 3 / 7, atol=0.04)


# ------------------------------------------------------------------------- forms of input
@pytest.mark.parametrize("assign", ["bootstrap", "partition", "cluster"])
def test_results_do_not_depend_on_the_form_of_the_panel(assign):
    numbers = PANEL.assign(unit=PANEL["unit"].map(ord))
    forms = {
        "columns": (numbers, IDS),
        "index": (numbers.set_index(["unit", "cycle"]), IDS),
        "array": (numbers.to_numpy(), {"series": 0, "time": 1}),
        "lists": (numbers.to_numpy().tolist(), {"series": 0, "time": 1}),
    }
    expected = ensemble(Mean(), assign=assign).fit(PANEL, Y).predict(PANEL)
    for X, ids in forms.values():
        assert_allclose(ensemble(Mean(), assign=assign, **ids).fit(X, Y).predict(X), expected)


@pytest.mark.parametrize("assign", WAYS, ids=str)
def test_ids_may_be_passed_beside_X(assign):
    X, new = (panel[FEATURES].to_numpy() for panel in (PANEL, NEW))
    beside = ensemble(Ridge(), assign=assign, series=None, time=None).fit(X, Y, series_ids=UNITS)
    inside = ensemble(assign=assign).fit(PANEL, Y)
    pd.testing.assert_frame_equal(beside.draws_, inside.draws_)
    new_ids = NEW["unit"].to_numpy()
    assert_allclose(beside.predict(new, series_ids=new_ids), inside.predict(NEW))
    assert_allclose(beside.score(new, NEW_Y, series_ids=new_ids), inside.score(NEW, NEW_Y))
    if assign in ("bootstrap", "all"):
        assert_allclose(beside.predict(new), inside.predict(NEW))
    else:
        with pytest.raises(ValueError, match="carries no ids as it did in fit. Pass series_ids"):
            beside.predict(new)
    # Nets receive the ids too: series are weighted equally, as with Windows.
    beside = ensemble(net(), assign=assign, series=None).fit(
        np.asarray(WINDOWS)[20:], Y[20:], series_ids=UNITS[20:]
    )
    whole = ensemble(net(min_observed=1), assign=assign).fit(WINDOWS[20:], Y[20:])
    for ours, theirs in zip(beside.estimators_, whole.estimators_, strict=True):
        assert_allclose(ours.history_["loss"], theirs.history_["loss"], rtol=1e-5)


def test_clusters_of_an_array_of_windows():
    array, units = np.asarray(WINDOWS), UNITS
    fitted = ensemble(Mean(), assign="cluster").fit(array, Y, series_ids=units)
    assert (
        fitted.assignment_.map({fitted.assignment_["a"]: "calm"}).fillna("wild").to_dict() == FAMILY
    )
    last = np.array([np.flatnonzero(NEW["unit"] == unit)[-1] for unit in ("calm", "wild")])
    alone = fitted.predict(np.asarray(NEW_WINDOWS)[last], series_ids=["calm", "wild"])
    assert_allclose(alone, fitted.predict(array, series_ids=units)[[0, -1]])


def test_without_ids_every_row_is_a_series_of_its_own():
    X = PANEL[FEATURES]
    options = {"series": None, "time": None}
    fitted = ensemble(Ridge(), 3, **options).fit(X, Y)
    counts = fitted.draws_.to_numpy().T
    assert counts.shape == (3, len(X))
    by_hand = [Ridge().fit(X, Y, sample_weight=count).predict(X) for count in counts]
    assert_allclose(fitted.predict(X), np.mean(by_hand, axis=0))
    # Rows of another table are new, whatever their positions.
    partitioned = ensemble(Ridge(), 3, assign="partition", **options).fit(X, Y)
    members = [member.predict(X) for member in partitioned.estimators_]
    assert_allclose(partitioned.predict(X), np.mean(members, axis=0))
    clustered = ensemble(Ridge(), 2, assign="cluster", **options).fit(X, Y)
    kmeans = clustered.clusterer_[-1]
    own = kmeans.predict(np.c_[StandardScaler().fit_transform(X), np.zeros((len(X), 4))])
    members = np.stack([member.predict(X) for member in clustered.estimators_])
    assert_allclose(clustered.predict(X), members[own, np.arange(len(X))])


def test_scaler_and_windows_may_precede_the_ensemble():
    pipe = make_pipeline(
        PerSeriesScaler(**IDS), WindowTransformer(3, **IDS), ensemble(net(), series=None, time=None)
    )
    predicted, spread = pipe.fit(PANEL, Y).predict(NEW, return_std=True)
    windows = pipe[:-1].transform(NEW)
    members = np.stack([member.predict(windows) for member in pipe[-1].estimators_])
    assert_allclose(predicted, members.mean(axis=0), rtol=1e-5)
    assert_allclose(spread, members.std(axis=0), rtol=1e-3, atol=1e-5)
    error = np.sum((NEW_Y - predicted) ** 2) / np.sum((NEW_Y - NEW_Y.mean()) ** 2)
    assert pipe.score(NEW, NEW_Y) == pytest.approx(1 - error, rel=1e-4)
    # Targets in other units give predictions in other units.
    model = PerSeriesTargetRegressor(pipe, **IDS)
    one, other = (
        clone(model).fit(PANEL, factor * Y, sample_weight=np.ones(len(Y))).predict(NEW)
        for factor in (1.0, 1000.0)
    )
    assert one.shape == NEW_Y.shape
    assert_allclose(other / 1000, one, rtol=1e-3, atol=1e-3)


# --------------------------------------------------------------- weights and fit parameters
def test_weights_and_fit_parameters_are_passed_to_the_members():
    weight, mark = np.arange(1.0, len(Y) + 1), np.arange(len(Y))
    for estimator in (Mean(), make_pipeline(FunctionTransformer(), Mean())):
        name = "mark" if isinstance(estimator, Mean) else "mean__mark"
        fitted = ensemble(estimator, 3).fit(PANEL, Y, weight, **{name: mark})
        for number, member in enumerate(fitted.estimators_):
            member = member if isinstance(estimator, Mean) else member[-1]
            counts = PANEL["unit"].map(fitted.draws_[number]).to_numpy()
            assert_array_equal(member.mark_, mark[counts > 0])
            assert_array_equal(member.sample_weight_, (weight * counts)[counts > 0])
    assert ensemble(Mean()).fit(PANEL, Y, mark="x").estimators_[0].mark_ == "x"
    alone = ensemble(Mean(), assign="partition").fit(PANEL, Y)
    assert alone.estimators_[0].sample_weight_ is None


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_weights_that_are_requested_by_another_name_are_multiplied_by_the_draws(in_pipeline):
    weights = np.random.default_rng(0).uniform(1, 2, len(Y))
    inner = (lambda member: member[-1]) if in_pipeline else (lambda member: member)
    with config_context(enable_metadata_routing=True):
        mean = Mean().set_fit_request(sample_weight="trust", mark=True)
        model = ensemble(plain(mean) if in_pipeline else mean, 3)
        weighted = clone(model).fit(PANEL, Y, trust=weights.tolist())
        unweighted = clone(model).fit(PANEL, Y)
    draws = weighted.draws_.loc[UNITS].to_numpy().T
    assert (draws > 1).any(axis=1).all()
    for member, drawn in zip(weighted.estimators_, draws, strict=True):
        assert_array_equal(inner(member).sample_weight_, (weights * drawn)[drawn > 0])
    for member, drawn in zip(unweighted.estimators_, draws, strict=True):
        assert_array_equal(inner(member).sample_weight_, drawn[drawn > 0])


def test_metadata_routing():
    weight = np.arange(1.0, len(Y) + 1)
    with config_context(enable_metadata_routing=True):
        inner = Mean().set_fit_request(sample_weight=True, mark=True)
        fitted = ensemble(inner).fit(PANEL, Y, sample_weight=weight, mark=weight)
        counts = PANEL["unit"].map(fitted.draws_[0]).to_numpy()
        assert_array_equal(fitted.estimators_[0].sample_weight_, (weight * counts)[counts > 0])
        assert_array_equal(fitted.estimators_[0].mark_, weight[counts > 0])
        assert fitted.fit(PANEL, Y).estimators_[0].sample_weight_ is not None
        silent = ensemble(Mean().set_fit_request(sample_weight=False)).fit(PANEL, Y)
        assert silent.estimators_[0].sample_weight_ is None
        pipe = make_pipeline(FunctionTransformer(), inner)
        outer = ensemble(pipe).set_fit_request(sample_weight=True, series_ids=False)
        search = GridSearchCV(outer.set_score_request(sample_weight=False), {"combine": ["mean"]})
        weighted = search.fit(PANEL, Y, sample_weight=weight).predict(NEW)
    assert_allclose(weighted, ensemble(Mean()).fit(PANEL, Y, weight).predict(NEW))


def test_score_ignores_missing_elements():
    y = np.stack([NEW_Y, NEW_Y**2, np.full(len(NEW_Y), np.nan)], axis=1)
    y[::3, 0] = np.nan
    weight = np.arange(1.0, len(y) + 1)
    fitted = ensemble().fit(PANEL, np.stack([Y, Y**2, Y], axis=1))
    predicted, known = fitted.predict(NEW), ~np.isnan(y[:, 0])
    expected = [
        r2_score(y[known, 0], predicted[known, 0], sample_weight=weight[known]),
        r2_score(y[:, 1], predicted[:, 1], sample_weight=weight),
    ]
    assert_allclose(fitted.score(NEW, y, weight), np.mean(expected))
    with pytest.raises(ValueError, match="y has 2 outputs, SeriesEnsembleRegressor predicts 3"):
        fitted.score(NEW, y[:, :2])


# ------------------------------------------------------------------------------ any panel
# The two panels are drawn independently, so the new one may have rows between those of fit.
@pytest.mark.filterwarnings("ignore:.*fall between rows used in fit")
@given(
    panel=panels(names="abcdefg"),
    new=panels(names="abxyz"),
    n_outputs=st.integers(1, 2),
    assign=st.sampled_from(["bootstrap", "partition", "cluster", "all"]),
    combine=st.sampled_from(["mean", "error"]),
)
@few
def test_panels_of_any_form(panel, new, n_outputs, assign, combine):
    y = np.arange(1.0, 1 + len(panel) * n_outputs).reshape(len(panel), n_outputs)
    assume(panel["unit"].nunique() > 2)
    filled = make_pipeline(lags()[0], lags()[1], FunctionTransformer(np.nan_to_num), Ridge())
    model = ensemble(filled, assign=assign, combine=combine)
    try:
        predicted = model.fit(panel, y).predict(new)
    except ValueError as error:
        assert assign == "cluster" and "distinct clusters" in str(error)
        return
    assert predicted.reshape(len(predicted), -1).shape == (len(new), n_outputs)
    assert np.isfinite(predicted).all()
    order = np.random.default_rng(0).permutation(len(new))
    assert_allclose(model.predict(new.iloc[order]), predicted[order], rtol=1e-7, atol=1e-7)
    # Predictions of a series do not depend on other series.
    one = (new["unit"] == new["unit"].iloc[0]).to_numpy()
    assert_allclose(model.predict(new[one]), predicted[one], rtol=1e-7, atol=1e-7)


# ------------------------------------------------------------------------- failed refits
class Failing(Mean):
    """Raise an error when targets of 1e6 are fitted."""

    def fit(self, X, y, sample_weight=None):
        if (y == 1e6).any():
            raise RuntimeError("diverged")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("assign", WAYS, ids=str)
def test_a_failed_refit_keeps_the_earlier_fit(assign):
    fitted = ensemble(Failing(), assign=assign, combine="error").fit(PANEL, Y)
    expected, state = fitted.predict(NEW), dict(vars(fitted))
    with pytest.raises(RuntimeError, match="diverged"):
        fitted.fit(PANEL.assign(unit=PANEL["unit"], extra=1.0), np.where(UNITS < "h", 1e6, Y))
    fitted.set_params(n_estimators=9)
    with pytest.raises(ValueError):
        fitted.fit(PANEL, np.full(len(Y), np.nan))
    fitted.set_params(n_estimators=2)
    assert vars(fitted).keys() == state.keys()
    assert all(value is vars(fitted)[name] for name, value in state.items() if name != "assign")
    assert_array_equal(fitted.predict(NEW), expected)


# -------------------------------------------------------------------------- invalid input
def test_invalid_input_raises():
    def fit(X=PANEL, y=Y, n_estimators=2, estimator=None, **options):
        passed = {name: options.pop(name) for name in ("series_ids",) if name in options}
        return ensemble(estimator, n_estimators, **options).fit(X, y, **passed)

    with pytest.raises(ValueError, match="'assign' parameter of SeriesEnsembleRegressor"):
        fit(assign="stacking")
    with pytest.raises(ValueError, match="'combine' parameter"):
        fit(combine="sum")
    for assign in ("partition", "cluster"):
        with pytest.raises(ValueError, match="8 series with a known target for n_estimators=9"):
            fit(assign=assign, n_estimators=9)
    one = UNITS == "a"
    with pytest.raises(ValueError, match=r"at least two series .*, got 1 \(n_samples=8\)"):
        fit(PANEL[one], Y[one])
    with pytest.raises(
        ValueError, match=r"assign= has a missing value for series \['h'\]. 'H' .*mean 'h'\?"
    ):
        fit(assign={**FAMILY, "h": None, "H": "wild"})
    with pytest.raises(ValueError, match="value for series"):
        fit(assign={})
    with pytest.raises(ValueError, match="an id more than once in assign"):
        fit(assign=pd.Series([1, 2, *FAMILY.values()], ["a", "a", *FAMILY]))
    with pytest.raises(ValueError, match="assign holds labels by id, and X carries no ids"):
        fit(PANEL[FEATURES], estimator=Ridge(), assign=FAMILY, series=None)
    alike = pd.concat([PANEL[one].assign(unit=unit) for unit in "abc"])
    with pytest.raises(ValueError, match="The 3 series make 1 distinct clusters"):
        fit(alike, np.tile(Y[one], 3), assign="cluster")
    with pytest.raises(ValueError, match="'note' holds text"):
        fit(PANEL.assign(note="x"), assign="cluster")
    with pytest.raises(ValueError, match="columns=.*'load'.* is not a column of X"):
        fit(assign="cluster", columns="load")
    with pytest.raises(ValueError, match="Input X contains infinity"):
        fit(PANEL.assign(p=np.inf), estimator=Mean(), assign="cluster")
    with pytest.raises(ValueError, match=r"names the column of its ids \(perseriesscaler__series"):
        fit(estimator=lags(), series=None)
    with pytest.raises(ValueError, match="carries its series ids already"):
        fit(series_ids=UNITS)
    with pytest.raises(ValueError, match="carries its series ids already"):
        fit(WINDOWS, series_ids=UNITS)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit(PANEL[FEATURES], series=None, series_ids=UNITS[1:])
    with pytest.raises(ValueError, match="series='machine' is neither a column nor an index level"):
        fit(series="machine")
    with pytest.raises(ValueError, match="All .* targets are NaN"):
        fit(y=np.full(len(Y), np.nan))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit(y=Y[1:])
    with pytest.raises(ValueError, match="sample_weight was passed, but the fit of KN.* takes no"):
        ensemble(plain(KNeighborsRegressor())).fit(PANEL, Y, np.ones(len(Y)))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fit(PANEL[:0], Y[:0])
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fit().predict(PANEL[:0])
    with pytest.raises(ValueError, match="neither a column nor an index level"):
        fit().predict(PANEL.drop(columns="unit"))
    with pytest.raises(ValueError, match="X has 3 features, but Series.* is expecting 4"):
        fit(estimator=Mean(), assign="cluster").predict(NEW.drop(columns="q"))
    for name, value in {"assign": "all", "combine": "median", "series": None}.items():
        with pytest.raises(ValueError, match=f"{name} changed since fit"):
            fit().set_params(**{name: value}).predict(PANEL)
    with pytest.raises(NotFittedError):
        ensemble().predict(PANEL)


# ------------------------------------------------------------------- scikit-learn's tools
def test_search_clone_and_pickle():
    model = ensemble(lags(), 2)
    grid = {
        "assign": ["bootstrap", "partition", "cluster", "all", FAMILY],
        "combine": ["mean", "error"],
        "estimator__windowtransformer__window_length": [1, 3],
    }
    search = GridSearchCV(model, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(PANEL, Y, groups=UNITS)
    for number in (3, 6, 17):
        for fold, (train, test) in enumerate(GroupKFold(2).split(PANEL, Y, UNITS)):
            by_hand = clone(model).set_params(**search.cv_results_["params"][number])
            by_hand.fit(PANEL.iloc[train], Y[train])
            score = by_hand.score(PANEL.iloc[test], Y[test])
            assert_allclose(search.cv_results_[f"split{fold}_test_score"][number], score)
    assert len(np.unique(search.cv_results_["mean_test_score"].round(9))) > 10
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict(PANEL), search.predict(PANEL))
    assert_array_equal(again.feature_names_in_, PANEL.columns)
    assert again.n_features_in_ == 4
    assert not hasattr(clone(again), "n_features_in_")


def test_search_over_nets_in_an_ensemble():
    grid = {"estimator__epochs": [1, 2], "assign": ["bootstrap", "partition"]}
    search = GridSearchCV(ensemble(net()), grid, cv=GroupKFold(2), error_score="raise")
    search.fit(WINDOWS, Y, groups=UNITS)
    assert len(np.unique(search.cv_results_["mean_test_score"])) == 4
    assert search.best_estimator_.estimators_[0].n_features_in_ == 2


def test_missing_targets_are_passed_to_the_nets():
    y = np.stack([Y, Y[::-1]], axis=1)
    y[::4, 1], y[UNITS == "c"] = np.nan, np.nan
    fitted = ensemble(net(), assign="partition", combine="error").fit(WINDOWS, y)
    assert "c" not in fitted.assignment_
    assert np.isfinite(fitted.errors_).all()
    assert np.isfinite(fitted.predict(NEW_WINDOWS)).all()
    assert np.isfinite(fitted.score(WINDOWS, y))
