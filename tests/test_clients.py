"""scikit-learn's own tools as clients of a pipeline, on real engines (docs/clients.md)."""

import numpy as np
import pandas as pd
import pytest
from client_panels import (
    BY_INDEX,
    DATA,
    FEATURES,
    FOLDS,
    IDS,
    RATE,
    SCORER,
    SPLITS,
    UNITS,
    X,
    Y,
    pipeline,
    score_by_hand,
)
from helpers import lstm
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import (
    PerSeriesScaler,
    SeriesEnsembleRegressor,
    Windows,
    WindowTransformer,
    make_series_scorer,
)

# Weights that differ between the rows of an engine.
WEIGHTS = 1 + X["cycle"].to_numpy() % 3

RATES = [0.001, 0.03]


@pytest.fixture(scope="module")
def fitted():
    return pipeline().fit(X, Y)


# ------------------------------------------------------------------ searches and validation
@pytest.mark.parametrize(
    ("search", "options"),
    [
        (GridSearchCV, {}),
        (RandomizedSearchCV, {"n_iter": 2}),
        (HalvingGridSearchCV, {"factor": 2, "min_resources": 200}),
        (
            HalvingGridSearchCV,
            {"factor": 2, "resource": "multiserieslstmregressor__epochs", "max_resources": 2},
        ),
    ],
    ids=["grid", "randomized", "halving of rows", "halving of epochs"],
)
def test_searches(search, options):
    common = {"cv": FOLDS, "scoring": SCORER, "error_score": "raise"}
    found = search(pipeline(), {RATE: RATES}, **common, **options).fit(X, Y, groups=UNITS)
    assert found.best_params_[RATE] == 0.03
    assert_array_equal(found.predict(X), found.best_estimator_.predict(X))
    if search is not HalvingGridSearchCV:  # which scores the finalists again, on other rows
        by_hand = [score_by_hand(*split) for split in SPLITS]
        assert_allclose(found.best_score_, np.mean(by_hand), rtol=1e-5)


def test_several_scorers():
    scorers = {"macro": SCORER, "r2": "r2", "neg_max_error": "neg_max_error"}
    common = {"cv": FOLDS, "groups": UNITS, "error_score": "raise"}
    together = cross_validate(pipeline(), X, Y, scoring=scorers, return_estimator=True, **common)
    for name, scorer in scorers.items():
        alone = cross_val_score(pipeline(), X, Y, scoring=scorer, **common)
        assert_allclose(together[f"test_{name}"], alone, rtol=1e-5)
    assert len(together["estimator"]) == 2


def test_nested_search_with_metadata_routing():
    with config_context(enable_metadata_routing=True):
        scorer = make_series_scorer("neg_mean_absolute_error", **IDS)
        scorer.set_score_request(sample_weight=True)
        weighted = pipeline()
        weighted[-1].set_fit_request(sample_weight=True)
        search = GridSearchCV(weighted, {RATE: RATES}, cv=FOLDS, scoring=scorer)
        nested = cross_validate(
            search,
            X,
            Y,
            params={"groups": UNITS, "sample_weight": WEIGHTS},
            cv=FOLDS,
            scoring=scorer,
            return_estimator=True,
            error_score="raise",
        )
    for number, (train, test) in enumerate(SPLITS):
        best = nested["estimator"][number].best_params_[RATE]
        net_weights = {"multiserieslstmregressor__sample_weight": WEIGHTS[train]}
        by_hand = pipeline(learning_rate=best).fit(X.iloc[train], Y.iloc[train], **net_weights)
        rows = X.iloc[test].assign(
            error=np.abs(Y.iloc[test] - by_hand.predict(X.iloc[test])), weight=WEIGHTS[test]
        )
        errors = [
            np.average(own["error"], weights=own["weight"]) for _, own in rows.groupby("unit")
        ]
        assert_allclose(nested["test_score"][number], -np.mean(errors), rtol=1e-5)


def test_learning_and_validation_curves():
    common = {"cv": FOLDS, "groups": UNITS, "scoring": SCORER, "error_score": "raise"}
    by_hand = [score_by_hand(*split) for split in SPLITS]
    sizes, _, learning = learning_curve(pipeline(), X, Y, train_sizes=[0.5, 1.0], **common)
    _, validation = validation_curve(pipeline(), X, Y, param_name=RATE, param_range=RATES, **common)
    assert learning.shape == validation.shape == (2, 2)
    assert_allclose(validation[-1], by_hand, rtol=1e-5)
    # All folds of a learning curve have the length of the first.
    assert sizes[-1] == len(SPLITS[0][0])
    assert_allclose(learning[-1, 0], by_hand[0], rtol=1e-5)


# ------------------------------------------------------------------------------ inspection
def permuted_by_hand(model, name, seed):
    """Return the loss of R2 when one sensor is shuffled, as scikit-learn shuffles it."""
    shuffled = BY_INDEX.copy()
    shuffled[name] = np.random.RandomState(seed).permutation(shuffled[name])
    return model.score(BY_INDEX, Y) - model.score(shuffled, Y)


def test_permutation_importance():
    model = pipeline().fit(BY_INDEX, Y)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1)
    found = permutation_importance(model, BY_INDEX, Y, n_repeats=1, random_state=0)
    by_hand = [permuted_by_hand(model, name, seed) for name in FEATURES]
    assert_allclose(found.importances_mean, by_hand, rtol=1e-5)


def test_permutation_importance_of_a_fit_with_ids_as_columns(fitted):
    # Shuffled ids are no series.
    with pytest.raises(ValueError, match="repeat a .series, time. pair"):
        permutation_importance(fitted, X, Y, n_repeats=1)
    ids_first = FunctionTransformer(pd.DataFrame.reset_index)
    wrapped = make_pipeline(ids_first, FrozenEstimator(fitted)).fit(BY_INDEX)
    found = permutation_importance(wrapped, BY_INDEX, Y, n_repeats=1, random_state=0)
    own = pipeline().fit(BY_INDEX, Y)
    expected = permutation_importance(own, BY_INDEX, Y, n_repeats=1, random_state=0)
    assert_allclose(found.importances_mean, expected.importances_mean, rtol=1e-4)


@pytest.mark.parametrize("form", ["columns", "index"])
def test_partial_dependence(form):
    panel = X if form == "columns" else BY_INDEX
    model = pipeline().fit(panel, Y)
    display = PartialDependenceDisplay.from_estimator(
        model, panel, ["sensor4"], grid_resolution=3, kind="both"
    )
    (found,) = display.pd_results
    by_hand = [
        model.predict(panel.assign(sensor4=value)).mean() for value in found["grid_values"][0]
    ]
    assert_allclose(found["average"][0], by_hand, rtol=1e-5)


@pytest.mark.skipif(int(pd.__version__.split(".")[0]) < 3, reason="pandas 2 rounds silently")
@pytest.mark.parametrize("model", ["ours", "scikit-learn's"])
def test_partial_dependence_of_float32_columns_fails_for_any_model(model, fitted):
    """scikit-learn assigns its float64 grid to the column, and pandas 3 does not round it.

    If this test fails, scikit-learn is mended: drop the recipe from docs/clients.md.
    """
    panel = X.astype(dict.fromkeys(FEATURES, "float32"))
    model = fitted if model == "ours" else make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    with pytest.raises(TypeError, match="Invalid value .* for dtype 'float32'"):
        PartialDependenceDisplay.from_estimator(model, panel, ["sensor4"], grid_resolution=3)


# --------------------------------------------------------------------------- meta-estimators
def test_stacking_on_whole_engines():
    stack = StackingRegressor([("net", pipeline()), ("ridge", Ridge())], Ridge(), cv=SPLITS)
    stack.fit(X, Y)
    members = [pipeline(), Ridge()]
    inputs = np.column_stack([cross_val_predict(m, X, Y, cv=SPLITS) for m in members])
    final = Ridge().fit(inputs, Y)
    outputs = np.column_stack([clone(m).fit(X, Y).predict(X) for m in members])
    assert_allclose(stack.predict(X), final.predict(outputs), rtol=1e-4)


def test_voting(fitted):
    vote = VotingRegressor([("net", pipeline()), ("ridge", Ridge())]).fit(X, Y)
    mean = (fitted.predict(X) + Ridge().fit(X, Y).predict(X)) / 2
    assert_allclose(vote.predict(X), mean, rtol=1e-5)


def test_transformed_target():
    model = TransformedTargetRegressor(pipeline(), func=np.log1p, inverse_func=np.expm1).fit(X, Y)
    by_hand = np.expm1(pipeline().fit(X, np.log1p(Y)).predict(X))
    assert_allclose(model.predict(X), by_hand, rtol=1e-4)


def test_bagging_of_rows_cannot_work():
    # It passes arrays without names, and repeats rows. Series are bagged by our own ensemble.
    for rows in (BaggingRegressor(pipeline(), 2), AdaBoostRegressor(pipeline(), n_estimators=2)):
        with pytest.raises(ValueError, match="without names"):
            rows.fit(X, Y)
    by_position = pipeline().set_params(
        perseriesscaler__series=0,
        perseriesscaler__time=1,
        windowtransformer__series=0,
        windowtransformer__time=1,
    )
    with pytest.raises(ValueError, match="repeat a .series, time. pair"):
        BaggingRegressor(by_position, 2, random_state=0).fit(X, Y)
    bagged = SeriesEnsembleRegressor(pipeline(), 2, series="unit", random_state=0).fit(X, Y)
    assert np.isfinite(bagged.predict(X)).all()


# ---------------------------------------------------------------------- transformers, pipelines
def test_column_transformer():
    # One sensor is scaled over all engines, the others per engine; the ids pass through.
    columns = ColumnTransformer(
        [
            ("all", StandardScaler(), ["sensor2"]),
            ("own", PerSeriesScaler(**IDS), ["unit", "cycle", *FEATURES[1:]]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    net = lstm(batch_size=64)
    model = make_pipeline(columns, WindowTransformer(3, columns=FEATURES, **IDS), net).fit(X, Y)
    by_hand = PerSeriesScaler(columns=FEATURES[1:], **IDS).fit_transform(X)
    by_hand["sensor2"] = StandardScaler().fit_transform(X[["sensor2"]])
    windows = WindowTransformer(3, columns=FEATURES, **IDS).fit_transform(by_hand)
    assert_allclose(model.predict(X), clone(net).fit(windows, Y).predict(windows), rtol=1e-5)


def test_feature_union():
    # Each of two sensors relative to all engines and to its own; the ids are in the index.
    two = BY_INDEX[["sensor4", "sensor7"]]
    union = make_union(StandardScaler(), PerSeriesScaler(**IDS)).set_output(transform="pandas")
    model = make_pipeline(union, WindowTransformer(3, **IDS), lstm(batch_size=64)).fit(two, Y)
    parts = [StandardScaler().fit_transform(two), PerSeriesScaler(**IDS).fit_transform(two)]
    by_hand = pd.DataFrame(np.hstack(parts), index=two.index)
    windows = WindowTransformer(3, **IDS).fit_transform(by_hand)
    expected = lstm(batch_size=64).fit(windows, Y).predict(windows)
    assert_allclose(model.predict(two), expected, rtol=1e-5)


def test_select_k_best():
    wide = DATA.train.loc[X.index].set_index(["unit", "cycle"])
    wide = wide.loc[:, wide.nunique() > 1]  # F is not defined for constants
    best = SelectKBest(f_regression, k=4).set_output(transform="pandas")
    model = pipeline(best).fit(wide, Y)
    chosen = wide.columns[SelectKBest(f_regression, k=4).fit(wide, Y).get_support()]
    expected = pipeline().fit(wide[chosen], Y).predict(wide[chosen])
    assert_allclose(model.predict(wide), expected, rtol=1e-5)
    assert_array_equal(model[:-1].get_feature_names_out(), chosen)


def test_memory_of_a_pipeline(fitted, tmp_path):
    cached = pipeline().set_params(memory=str(tmp_path))
    cached.fit(X, Y)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("output.pkl")}
    assert len(files) == 2  # one for each transformer
    again = clone(cached).fit(X, Y)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("output.pkl")} == files
    for model in (cached, again):
        assert_allclose(model.predict(X), fitted.predict(X), rtol=1e-5)


class WithValidationSet(RegressorMixin, BaseEstimator):
    """Keep the validation set that `fit` receives."""

    def fit(self, X, y, X_val=None):
        self.X_val_ = X_val
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_transform_input_of_a_pipeline():
    train, test = SPLITS[0]
    with config_context(enable_metadata_routing=True):
        steps = [*pipeline().steps[:-1], ("net", WithValidationSet().set_fit_request(X_val=True))]
        model = Pipeline(steps, transform_input=["X_val"])
        model.fit(X.iloc[train], Y.iloc[train], X_val=X.iloc[test])
    received = model[-1].X_val_
    assert isinstance(received, Windows)
    assert_array_equal(received, model[:-1].transform(X.iloc[test]))


@pytest.mark.parametrize("way", ["set_output", "global"])
def test_pandas_output(fitted, way):
    model = pipeline()
    if way == "set_output":
        model.set_output(transform="pandas")
    with config_context(transform_output="pandas" if way == "global" else "default"):
        model.fit(X, Y)
        assert isinstance(model[:-1].transform(X), Windows)
        assert_array_equal(model[:1].transform(X).columns, X.columns)
        assert_allclose(model.predict(X), fitted.predict(X), rtol=1e-5)


def test_names_of_a_whole_pipeline(fitted):
    names = fitted[:-1].get_feature_names_out()
    assert list(names) == FEATURES
    assert len(names) == fitted[-1].n_features_in_
    assert_array_equal(fitted[:-1].get_feature_names_out(X.columns), names)
