"""Tests of PerSeriesTargetRegressor, against loops and scikit-learn's own transformer."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sklstm import (
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    Windows,
    WindowTransformer,
    make_targets,
)

IDS = {"series": "unit", "time": "cycle"}
SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "maxabs": MaxAbsScaler(),
    "robust": RobustScaler(),
}
few = settings(max_examples=15, deadline=None)


class Recall(RegressorMixin, BaseEstimator):
    """Remember the arguments of `fit`, and predict the target of each row by its column p."""

    def fit(self, X, y, sample_weight=None, mark=None):
        self.X_, self.y_, self.sample_weight_, self.mark_ = X, y, sample_weight, mark
        self.row_ = {p: row for row, p in enumerate(X["p"])}
        return self

    def predict(self, X):
        return self.y_[[self.row_[p] for p in X["p"]]]


class Spread(Ridge):
    """Also predict quantiles: the prediction, and one unit below and above it."""

    def predict_quantiles(self, X):
        return self.predict(X)[..., np.newaxis] + np.array([-1.0, 0.0, 1.0])


class Constant(RegressorMixin, BaseEstimator):
    """Predict a constant: 0 returns the center of each row, 1 the center plus the scale."""

    def __init__(self, value):
        self.value = value

    def fit(self, X, y):
        self.shape_ = y.shape[1:]
        return self

    def predict(self, X):
        return np.full((len(X), *self.shape_), self.value)


def center_scale(model, X, y, X_new=None):
    """Compute the statistics of each row from predictions of 0 and 1."""
    X_new = X if X_new is None else X_new
    low, high = (
        clone(model).set_params(regressor=Constant(value)).fit(X, y).predict(X_new)
        for value in (0.0, 1.0)
    )
    return low, high - low


def make_panel(seed=0, lengths=(14, 1, 22, 9)):
    """Make a panel of unequal series at different levels, and targets."""
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"unit": unit, "cycle": range(length)})
        for unit, length in zip("acbd", lengths, strict=True)
    ]
    panel = pd.concat(parts, ignore_index=True)
    level = panel["unit"].map({"a": 1.0, "b": 300.0, "c": -20.0, "d": 7.0})
    panel["p"] = level * (1 + 0.1 * rng.normal(size=len(panel)))
    panel["q"] = rng.normal(size=len(panel))
    return panel, panel["p"].to_numpy() * 2 + panel["q"].to_numpy()


PANEL, Y = make_panel()
UNITS = PANEL["unit"].to_numpy()


def lags(window_length=3):
    """Make a fast pipeline whose predictions depend on earlier values of `p`."""
    options = {"columns": "p", **IDS}
    return make_pipeline(
        PerSeriesScaler(**options),
        WindowTransformer(window_length, output="2d", **options),
        Ridge(),
    )


# ------------------------------------------------------------------------ statistics of y
@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 2)])
@pytest.mark.parametrize("name", SCALERS)
def test_one_series_is_scaled_as_by_scikit_learn(name, shape):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.lognormal(3, 2, size=shape)
    theirs = TransformedTargetRegressor(Lasso(0.01), transformer=SCALERS[name]).fit(X, y)
    for scaler in (name, SCALERS[name]):
        ours = PerSeriesTargetRegressor(Lasso(0.01), scaler=scaler).fit(X, y)
        assert_allclose(ours.predict(X).ravel(), theirs.predict(X).ravel())
        assert ours.predict(X).shape == clone(ours.regressor).fit(X, y).predict(X).shape
        assert_allclose(ours.score(X, y), theirs.score(X, y))


def scaled_by_loop(ids, y):
    """Scale each series and output by its known values, by the documented rules."""
    out = np.empty_like(y)
    for j, column in enumerate(y.T):
        known = {unit: column[(ids == unit) & ~np.isnan(column)] for unit in np.unique(ids)}
        pooled = column[~np.isnan(column)]
        pooled = (pooled.mean(), pooled.std()) if len(pooled) else (0.0, 0.0)
        spreads = [own.std() for own in known.values() if len(np.unique(own)) > 1]
        typical = np.median(spreads) if spreads else pooled[1]
        for unit, own in known.items():
            center, scale = (own.mean(), own.std()) if len(own) else pooled
            if len(np.unique(own)) == 1:
                center, scale = own[0], typical
            rows = ids == unit
            out[rows, j] = (column[rows] - center) / (scale or 1.0)
    return out


@given(panel=panels(), n_outputs=st.integers(1, 3), seed=st.integers(0, 99))
@few
def test_every_series_is_scaled_as_by_a_loop(panel, n_outputs, seed):
    rng = np.random.default_rng(seed)
    panel["p"] = np.arange(len(panel))
    ids = panel["unit"].to_numpy()
    levels = np.array([10.0 ** ord(unit) for unit in ids]) / 10.0 ** ord("a")
    y = levels[:, np.newaxis] * rng.integers(1, 9, size=(len(panel), n_outputs))
    y[rng.random(y.shape) < 0.3] = np.nan
    if np.isnan(y).all():
        y[0, 0] = 3.0
    model = PerSeriesTargetRegressor(Recall(), series="unit").fit(panel, y)
    assert_allclose(model.regressor_.y_, scaled_by_loop(ids, y), atol=1e-9)
    assert_allclose(model.predict(panel), y)
    # Predictions do not depend on the order of the rows, nor on other rows.
    some = rng.permutation(len(panel))[: len(panel) // 2 + 1]
    assert_allclose(model.predict(panel.iloc[some]), y[some])


@pytest.mark.parametrize("scaler", [*SCALERS, StandardScaler()], ids=str)
def test_new_series_have_pooled_statistics_or_raise(scaler):
    seen = UNITS != "d"
    model = PerSeriesTargetRegressor(Constant(1.0), scaler=scaler, series="unit")
    fitted = model.fit(PANEL[seen], Y[seen])
    all_rows = clone(SCALERS[scaler] if isinstance(scaler, str) else scaler)
    pooled = all_rows.fit(Y[seen, np.newaxis]).inverse_transform([[1.0]])
    assert_allclose(fitted.predict(PANEL[~seen]), pooled.item())
    strict = clone(model).set_params(unknown="error").fit(PANEL[seen], Y[seen])
    assert_allclose(strict.predict(PANEL[seen]), fitted.predict(PANEL[seen]))
    message = r"\['d'\] were not seen in fit and unknown='error'\. .* unknown='pooled'\.$"
    with pytest.raises(ValueError, match=message):
        strict.predict(PANEL)


def test_constant_series_have_a_typical_scale():
    X = pd.DataFrame({"unit": list("aabbccdef"), "p": range(9)})
    y = np.array([1.0, 3, 100, 140, 5, 5, 7, np.nan, 1])
    center, scale = center_scale(PerSeriesTargetRegressor(Recall(), series="unit"), X, y)
    known = y[~np.isnan(y)]
    assert_allclose(center, [2, 2, 120, 120, 5, 5, 7, known.mean(), 1])
    assert_allclose(scale, [1, 1, 20, 20, 10.5, 10.5, 10.5, known.std(), 10.5])
    # If all series are constant, the scale is that of all rows.
    each = PerSeriesTargetRegressor(Recall(), series="p")
    assert_allclose(center_scale(each, X[:4], y[:4]), [y[:4], np.full(4, y[:4].std())])
    # If all rows are equal, the scale is 1.
    assert_allclose(center_scale(each, X[:4], np.full(4, 2.0)), [np.full(4, 2.0), np.ones(4)])


# ------------------------------------------------------------------ statistics of a column
def causal_by_loop(panel, fitted, prior_rows):
    """Compute the expanding center and scale of `p` at each row, shrunk to the pooled ones."""
    pooled = fitted["p"].dropna()
    pooled = (pooled.mean(), pooled.std(ddof=0)) if len(pooled) else (0.0, 0.0)
    spreads = fitted.groupby("unit")["p"].std(ddof=0)
    spreads = spreads[fitted.groupby("unit")["p"].nunique() > 1]
    typical = spreads.median() if len(spreads) else pooled[1] or 1.0
    out = np.empty((2, len(panel)))
    for row in range(len(panel)):
        unit, cycle = panel[["unit", "cycle"]].iloc[row]
        past = panel.loc[(panel["unit"] == unit) & (panel["cycle"] <= cycle), "p"].dropna()
        own = len(past) / (len(past) + prior_rows) if len(past) else 0.0
        values = (past.mean(), 0.0 if past.nunique() == 1 else past.std(ddof=0))
        values = values if len(past) else (0.0, 0.0)
        out[:, row] = own * np.array(values) + (1 - own) * np.array(pooled)
    out[1][out[1] == 0] = typical
    return out


@given(panel=panels(), new=panels(names="abxy"), prior_rows=st.sampled_from([0, 0.5, 30]))
@few
def test_targets_are_scaled_by_the_past_of_a_column_as_in_a_loop(panel, new, prior_rows):
    model = PerSeriesTargetRegressor(Recall(), target="p", prior_rows=prior_rows, **IDS)
    y = np.arange(2.0 * len(panel)).reshape(-1, 2)
    expected = causal_by_loop(panel, panel, prior_rows)
    center, scale = center_scale(model, panel, y)
    for output in range(2):
        assert_allclose([center[:, output], scale[:, output]], expected, atol=1e-9)
    # Rows that do not continue a fitted series start a series of their own.
    new["cycle"] -= 100
    center, scale = center_scale(model, panel, y[:, 0], new)
    assert_allclose([center, scale], causal_by_loop(new, panel, prior_rows), atol=1e-9)


@pytest.mark.parametrize("name", SCALERS)
def test_the_column_itself_is_scaled_as_by_the_scaler(name):
    model = PerSeriesTargetRegressor(Recall(), scaler=name, target="p", **IDS)
    scaled = PerSeriesScaler(name, columns="p", **IDS).fit_transform(PANEL)["p"]
    assert_allclose(model.fit(PANEL, PANEL["p"]).regressor_.y_, scaled)


@given(panel=panels(), seed=st.integers(0, 99))
@few
def test_unscaling_inverts_scaling(panel, seed):
    rng = np.random.default_rng(seed)
    y = 10.0 ** rng.integers(-6, 6, size=(len(panel), 2)) * rng.normal(size=(len(panel), 2))
    y[rng.random(y.shape) < 0.2] = np.nan
    y[0, 0] = 1.0
    panel["row"] = np.arange(len(panel))
    for target in (None, "q"):
        for name in SCALERS:
            model = PerSeriesTargetRegressor(Recall(), scaler=name, target=target, **IDS)
            rows = panel.assign(p=panel["row"])
            assert_allclose(model.fit(rows, y).predict(rows), y, rtol=1e-6, atol=1e-9)


def test_units_do_not_matter():
    X = pd.DataFrame({"unit": list("aaabbbcd"), "cycle": range(8), "p": 0.0})
    X["p"] = [1.0, 2, 4, 50, 50, 50, 9, 3]
    y = np.array([2.0, 4, 3, 50, 50, 50, 8, np.nan])
    for options in ({}, {"target": "p"}, {"target": "p", "prior_rows": 0}):
        model = PerSeriesTargetRegressor(Recall(), **options, **IDS)
        for unit in (1e-6, 1e6):
            center, scale = center_scale(model, X.assign(p=X["p"] * unit), y * unit)
            assert (scale > 0).all()
            assert_allclose([center, scale], np.multiply(center_scale(model, X, y), unit))


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_later_rows_never_change_earlier_predictions(seen):
    y = make_targets(PANEL, 2, "p", **IDS).to_numpy()
    train = ~np.isnan(y).any(axis=1) & ((UNITS != "b") | seen)
    model = PerSeriesTargetRegressor(lags(), target="p", **IDS).fit(PANEL[train], y[train])
    rows = PANEL[UNITS == "b"]
    changed = rows.copy()
    changed.loc[changed["cycle"] >= 12, "p"] += 1000
    before, after = model.predict(rows), model.predict(changed)
    assert_array_equal(before[:12], after[:12])
    assert (before[12:] != after[12:]).all()
    assert_allclose(model.predict(rows[:12]), before[:12])


def test_new_rows_alone_are_predicted_as_with_their_history():
    new = (PANEL["cycle"] >= 6).to_numpy()
    model = PerSeriesTargetRegressor(lags(), target="p", **IDS).fit(PANEL[~new], Y[~new])
    assert_allclose(model.predict(PANEL[new]), model.predict(PANEL)[new])
    torn = model.predict(PANEL.assign(unit=UNITS + "x")[new])
    assert (torn != model.predict(PANEL)[new]).any()


@pytest.mark.parametrize("target", [None, "p"])
def test_the_order_of_rows_does_not_matter(target):
    order = np.random.default_rng(0).permutation(len(Y))
    model = PerSeriesTargetRegressor(lags(), target=target, **IDS)
    predicted = model.fit(PANEL, Y).predict(PANEL)
    assert_allclose(model.predict(PANEL.iloc[order]), predicted[order])
    assert_allclose(clone(model).fit(PANEL.iloc[order], Y[order]).predict(PANEL), predicted)


# --------------------------------------------------------------------------- passing through
def test_X_is_passed_unchanged_to_the_regressor():
    X = PANEL.assign(note="text", p=range(len(PANEL)))
    for target in (None, "q"):
        model = PerSeriesTargetRegressor(Recall(), target=target, **IDS).fit(X, Y)
        assert model.regressor_.X_ is X
        assert model.regressor_.y_.shape == Y.shape


def test_results_do_not_depend_on_the_form_of_the_panel():
    forms = {
        "columns": (PANEL.assign(unit=PANEL["unit"].map(ord)), IDS),
        "index": (PANEL.assign(unit=PANEL["unit"].map(ord)).set_index(["unit", "cycle"]), IDS),
        "array": (
            PANEL.assign(unit=PANEL["unit"].map(ord)).to_numpy(),
            {"series": 0, "time": 1},
        ),
        "lists": (
            PANEL.assign(unit=PANEL["unit"].map(ord)).to_numpy().tolist(),
            {"series": 0, "time": 1},
        ),
    }
    for target, position in ((None, None), ("p", 2)):
        expected = center_scale(PerSeriesTargetRegressor(Recall(), target=target, **IDS), PANEL, Y)
        for form, (X, ids) in forms.items():
            column = position if form in ("array", "lists") else target
            model = PerSeriesTargetRegressor(Recall(), target=column, **ids)
            assert_allclose(center_scale(model, X, Y), expected)


def test_windows_carry_their_ids():
    windows = WindowTransformer(3, columns=["p", "q"], **IDS).fit_transform(PANEL)
    assert isinstance(windows, Windows)
    from_windows = center_scale(PerSeriesTargetRegressor(Recall()), windows, Y)
    assert_allclose(from_windows, center_scale(PerSeriesTargetRegressor(Recall(), **IDS), PANEL, Y))


def test_weights_and_fit_parameters_are_passed_to_the_regressor():
    X, weight = PANEL.assign(p=range(len(PANEL))), np.arange(1.0, len(Y) + 1)
    model = PerSeriesTargetRegressor(Recall(), **IDS).fit(X, Y, weight, mark="x")
    assert_array_equal(model.regressor_.sample_weight_, weight)
    assert model.regressor_.mark_ == "x"
    assert model.fit(X, Y).regressor_.sample_weight_ is None
    # In a pipeline, they are passed to the last step.
    pipe = make_pipeline(FunctionTransformer(), make_pipeline(FunctionTransformer(), Recall()))
    model = PerSeriesTargetRegressor(pipe, **IDS).fit(X, Y, sample_weight=weight)
    assert_array_equal(model.regressor_[-1][-1].sample_weight_, weight)


def test_rows_of_weight_zero_have_no_influence():
    out = np.arange(len(Y)) % 4 == 0
    weight = np.where(out, 0.0, 1.0)
    model = PerSeriesTargetRegressor(lags(), **IDS)
    wild = model.fit(PANEL, np.where(out, 1e6, Y), weight).predict(PANEL)
    assert_allclose(clone(model).fit(PANEL, Y, weight).predict(PANEL), wild)


def test_metadata_routing():
    X, weight = PANEL.assign(p=range(len(PANEL))), np.arange(1.0, len(Y) + 1)
    with config_context(enable_metadata_routing=True):
        inner = Recall().set_fit_request(sample_weight=True, mark=True)
        model = PerSeriesTargetRegressor(inner, **IDS).fit(X, Y, sample_weight=weight, mark="x")
        assert_array_equal(model.regressor_.sample_weight_, weight)
        assert model.regressor_.mark_ == "x"
        model.fit(X, Y)
        ridge = Ridge().set_fit_request(sample_weight=True)
        pipe = make_pipeline(FunctionTransformer(lambda X: X[["p", "q"]]), ridge)
        outer = PerSeriesTargetRegressor(pipe, **IDS).set_fit_request(sample_weight=True)
        search = GridSearchCV(
            outer.set_score_request(sample_weight=False), {"scaler": ["standard"]}, cv=2
        )
        weighted = search.fit(X, Y, sample_weight=weight).predict(X)
    by_hand = PerSeriesTargetRegressor(pipe, **IDS).fit(X, Y, sample_weight=weight).predict(X)
    assert_allclose(weighted, by_hand)


@pytest.mark.parametrize("target", [None, "p"])
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_quantiles_are_in_the_units_of_the_targets(target, n_outputs):
    y = Y if n_outputs is None else np.stack([Y, 100 - Y], axis=1)
    scale = np.reshape(
        center_scale(PerSeriesTargetRegressor(Recall(), target=target, **IDS), PANEL, y)[1],
        y.shape,
    )
    pipe = lags().set_params(ridge=Spread())
    for regressor in (pipe, make_pipeline(FunctionTransformer(), pipe), make_pipeline(pipe)):
        model = PerSeriesTargetRegressor(regressor, target=target, **IDS).fit(PANEL, y)
        quantiles = model.predict_quantiles(PANEL)
        assert quantiles.shape == (*y.shape, 3)
        assert_allclose(quantiles[..., 1], model.predict(PANEL))
        assert_allclose(np.diff(quantiles, axis=-1), np.stack([scale, scale], axis=-1))
    assert hasattr(PerSeriesTargetRegressor(pipe), "predict_quantiles")
    assert not hasattr(PerSeriesTargetRegressor(lags()), "predict_quantiles")


def test_score_ignores_missing_elements():
    y = np.stack([Y, Y**2, np.full(len(Y), np.nan)], axis=1)
    y[::3, 0] = np.nan
    X, weight = PANEL.assign(p=range(len(PANEL))), np.arange(1.0, len(Y) + 1)
    model = PerSeriesTargetRegressor(Constant([0.1, 0.2, 0.0]), **IDS)
    model.fit(X, np.nan_to_num(y))
    predicted, known = model.predict(X), ~np.isnan(y[:, 0])
    expected = [
        r2_score(y[known, 0], predicted[known, 0], sample_weight=weight[known]),
        r2_score(y[:, 1], predicted[:, 1], sample_weight=weight),
    ]
    assert_allclose(model.score(X, y, weight), np.mean(expected))
    with pytest.raises(ValueError, match="y has 2 outputs, PerSeriesTargetRegressor predicts 3"):
        model.score(X, y[:, :2])


def test_predictions_have_the_precision_of_the_targets():
    class Single(Ridge):
        def predict(self, X):
            return super().predict(X).astype(np.float32)

    X = PANEL[["p", "q"]].to_numpy() + 1e9
    for target in (None, 0):
        model = PerSeriesTargetRegressor(Single(), target=target)
        double = PerSeriesTargetRegressor(Ridge(), target=target)
        y = 1e9 + Y
        assert_allclose(model.fit(X, y).predict(X), double.fit(X, y).predict(X), rtol=1e-12)
        assert model.fit(X, Y.astype(np.float32)).predict(X).dtype == np.float32


# ------------------------------------------------------------------------- failed refits
class Failing(Ridge):
    """Raise an error when rows with a column of 1e6 are fitted."""

    def fit(self, X, y, sample_weight=None):
        if (np.asarray(X) == 1e6).any():
            raise RuntimeError("diverged")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("target", [None, 0])
def test_a_failed_refit_keeps_the_earlier_fit(target):
    X = PANEL[["p", "q"]].to_numpy()
    model = PerSeriesTargetRegressor(Failing(), target=target).fit(X, Y)
    expected, state = model.predict(X), dict(vars(model))
    with pytest.raises(RuntimeError, match="diverged"):
        model.fit(np.where(X > 0, 1e6, X), 9 * Y)
    with pytest.raises(ValueError, match="All .* targets are NaN"):
        model.fit(X, np.full(len(Y), np.nan))
    assert vars(model) == state
    assert_array_equal(model.predict(X), expected)


# -------------------------------------------------------------------------- invalid input
def test_invalid_input_raises():
    def fit(X=PANEL, y=Y, **options):
        return PerSeriesTargetRegressor(lags(), **{**IDS, **options}).fit(X, y)

    with pytest.raises(ValueError, match="All .* targets are NaN"):
        fit(y=np.full(len(Y), np.nan))
    with pytest.raises(ValueError, match="Input y contains infinity"):
        fit(y=np.where(UNITS == "b", np.inf, Y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit(y=Y[1:])
    with pytest.raises(ValueError, match="requires y to be passed"):
        fit(y=None)
    with pytest.raises(ValueError, match="series='machine' is neither a column nor an index level"):
        fit(series="machine")
    with pytest.raises(ValueError, match="target='load' is not a column of X"):
        fit(target="load")
    with pytest.raises(ValueError, match="no expanding statistics.*or target=None"):
        fit(target="p", scaler=StandardScaler())
    with pytest.raises(ValueError, match="'unknown' parameter"):
        fit(unknown="expanding")
    with pytest.raises(ValueError, match="series id.* is missing .* in 1 of"):
        fit(X=PANEL.assign(unit=[None, *UNITS[1:]]))
    with pytest.raises(ValueError, match="neither a column nor an index level"):
        fit().predict(PANEL.drop(columns="unit"))
    for name, value in {"target": "p", "unknown": "error", "series": None}.items():
        with pytest.raises(ValueError, match=f"{name} changed since fit"):
            fit().set_params(**{name: value}).predict(PANEL)
    with pytest.raises(NotFittedError):
        PerSeriesTargetRegressor(lags(), **IDS).predict(PANEL)


# ------------------------------------------------------------------- scikit-learn's tools
@pytest.mark.parametrize("target", [None, "p"])
def test_search_clone_and_pickle(target):
    model = PerSeriesTargetRegressor(lags(), target=target, **IDS)
    grid = {
        "regressor__windowtransformer__window_length": [1, 3],
        "regressor__ridge__alpha": [1, 9],
    }
    search = GridSearchCV(model, grid, cv=GroupKFold(2), n_jobs=2 if target else None)
    search.fit(PANEL, Y, groups=UNITS)
    for fold, (train, test) in enumerate(GroupKFold(2).split(PANEL, Y, UNITS)):
        by_hand = clone(model).set_params(**search.cv_results_["params"][2])
        by_hand.fit(PANEL.iloc[train], Y[train])
        score = by_hand.score(PANEL.iloc[test], Y[test])
        assert_allclose(search.cv_results_[f"split{fold}_test_score"][2], score)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict(PANEL), search.predict(PANEL))
    assert_array_equal(again.feature_names_in_, PANEL.columns)
    assert again.n_features_in_ == 4
    assert not hasattr(clone(again), "n_features_in_")
    with config_context(transform_output="pandas"):
        in_pandas = clone(again).fit(PANEL, Y).predict(PANEL)
    assert_array_equal(in_pandas, search.predict(PANEL))


def test_random_state_seeds_the_parameters_that_are_none():
    def pipeline(seed):
        return make_pipeline(FunctionTransformer(), Lasso(selection="random", random_state=seed))

    X = np.random.default_rng(0).normal(size=(20, 3))
    y = X[:, 0] + 1

    def seed_of(random_state, inner):
        model = PerSeriesTargetRegressor(pipeline(inner), random_state=random_state)
        return model.fit(X, y).regressor_[-1].random_state

    assert isinstance(seed_of(0, None), int)
    assert seed_of(0, None) == seed_of(0, None) != seed_of(1, None)
    assert seed_of(0, 7) == 7
    assert seed_of(None, None) is None


def test_search_over_a_network():
    y = make_targets(PANEL, 2, "p", **IDS)
    pipe = make_pipeline(
        PerSeriesScaler(columns="p", **IDS),
        WindowTransformer(3, columns="p", **IDS),
        MultiSeriesLSTMRegressor(
            4, epochs=2, batch_size=16, min_observed=1, embargo=2, random_state=0
        ),
    )
    model = PerSeriesTargetRegressor(pipe, target="p", **IDS)
    grid = {"regressor__multiserieslstmregressor__epochs": [1, 2]}
    search = GridSearchCV(model, grid, cv=GroupKFold(2), error_score="raise")
    with pytest.warns(UserWarning, match="1 of . series have no row in the loss"):
        search.fit(PANEL, y, groups=UNITS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(PANEL).shape == y.shape
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_allclose(again.predict(PANEL), search.predict(PANEL))


def test_one_model_predicts_series_of_every_scale():
    X = pd.DataFrame({"unit": np.repeat(["a", "b", "c"], 40), "cycle": np.tile(range(40), 3)})
    size = X["unit"].map({"a": 1.0, "b": 1e3, "c": 1e6}).to_numpy()
    X["p"] = size * (5 + np.sin(X["cycle"]))
    y = size * (5 + np.sin(X["cycle"] + 1))
    cuts = TimeSeriesSplit(2, test_size=10)

    def error(model):
        errors = []
        for train, test in cuts.split(np.arange(40)):
            train, test = X["cycle"].isin(train), X["cycle"].isin(test)
            predicted = clone(model).fit(X[train], y[train]).predict(X[test])
            errors.append(np.abs(predicted - y[test]) / size[test])
        return np.mean(errors)

    scaler = PerSeriesScaler(statistics="fit", columns="p", **IDS)
    pipe = lags().set_params(perseriesscaler=scaler, ridge__alpha=0.1)
    assert error(PerSeriesTargetRegressor(pipe, **IDS)) < 0.05
    assert error(pipe) > 1
