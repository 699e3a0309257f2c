"""Other packages as clients of a pipeline, on real engines (docs/clients.md).

`pip install -e ".[tests,clients]"` installs them; tests of absent packages are skipped.
"""

import numpy as np
import pandas as pd
import pytest
from client_panels import (
    BY_INDEX,
    FEATURES,
    FOLDS,
    IDS,
    RATE,
    SCORER,
    SPLITS,
    UNITS,
    X_TEST,
    Y_TEST,
    X,
    Y,
    pipeline,
    score_by_hand,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

pytestmark = [
    pytest.mark.slow,
    # The packages deprecate and announce things of their own and of others.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def fitted():
    return pipeline().fit(X, Y)


def assert_score_is_by_hand(score, **options):
    assert_allclose(score, np.mean([score_by_hand(*s, **options) for s in SPLITS]), rtol=1e-5)


# ------------------------------------------------------------------------------ searches
@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")
def test_optuna_search():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    search = integration.OptunaSearchCV(
        pipeline(),
        {RATE: optuna.distributions.FloatDistribution(0.01, 0.1, log=True)},
        n_trials=2,
        cv=FOLDS,
        scoring=SCORER,
        random_state=0,
        error_score="raise",
    )
    search.fit(X, Y, groups=UNITS)
    assert_score_is_by_hand(search.best_score_, learning_rate=search.best_params_[RATE])
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_optuna_objective():
    optuna = pytest.importorskip("optuna")

    def objective(trial):
        net = {"learning_rate": trial.suggest_float("rate", 0.01, 0.1, log=True)}
        scores = cross_val_score(pipeline(**net), X, Y, groups=UNITS, cv=FOLDS, scoring=SCORER)
        return scores.mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=2)
    assert_score_is_by_hand(study.best_value, learning_rate=study.best_params["rate"])


@pytest.mark.parametrize("name", ["GridSearchCV", "RandomizedSearchCV"])
def test_dask_ml_search(name):
    searches = pytest.importorskip("dask_ml.model_selection")
    options = {"n_iter": 2} if name == "RandomizedSearchCV" else {}
    search = getattr(searches, name)(
        pipeline(),
        {RATE: [0.001, 0.03]},
        cv=FOLDS,
        scoring=SCORER,
        iid=False,  # no weights by the number of rows
        scheduler="sync",
        **options,
    )
    search.fit(X, Y, groups=UNITS)
    assert search.best_params_[RATE] == 0.03
    assert_score_is_by_hand(search.best_score_)


def test_dask_ml_incremental_search_fails_for_any_model():
    """dask-ml 2025.1 does not work with dask 2026.

    If this test fails, dask-ml is mended: see whether it works with our regressor.
    """
    searches = pytest.importorskip("dask_ml.model_selection")
    distributed = pytest.importorskip("distributed")
    local = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
    with distributed.Client(**local, dashboard_address=":0"):
        search = searches.IncrementalSearchCV(
            SGDRegressor(), {"alpha": [0.1, 0.01]}, n_initial_parameters=2, max_iter=2
        )
        with pytest.raises(RuntimeError, match="asynchronous Client in a synchronous context"):
            search.fit(X[FEATURES].to_numpy(), Y.to_numpy())


# ----------------------------------------------------------------------- conformal intervals
def test_mapie_cross_conformal():
    mapie = pytest.importorskip("mapie.regression")
    model = mapie.CrossConformalRegressor(pipeline(), confidence_level=0.8, cv=FOLDS)
    model.fit_conformalize(X, Y, groups=UNITS)
    predicted, intervals = model.predict_interval(X_TEST)
    assert predicted.shape == (len(X_TEST),) and intervals.shape == (len(X_TEST), 2, 1)
    assert (intervals[:, 0] < intervals[:, 1]).all()


def test_mapie_time_series():
    mapie = pytest.importorskip("mapie.regression")
    model = mapie.TimeSeriesRegressor(pipeline(), cv=FOLDS).fit(X, Y, groups=UNITS)
    assert_array_equal(model.predict(X_TEST), model.estimator_.single_estimator_.predict(X_TEST))


def test_mapie_split_conformal():
    mapie = pytest.importorskip("mapie.regression")
    train, calibration = SPLITS[0]
    named = FunctionTransformer(pd.DataFrame, kw_args={"columns": list(X.columns)})
    fitted = pipeline(named).fit(X.iloc[train], Y.iloc[train])
    model = mapie.SplitConformalRegressor(FrozenEstimator(fitted), confidence_level=0.8)
    model.conformalize(X.iloc[calibration], Y.iloc[calibration])
    predicted, intervals = model.predict_interval(X_TEST)
    assert_array_equal(predicted, fitted.predict(X_TEST))
    # Four fifths of the errors on the calibration engines are smaller than the half-width.
    errors = np.abs(Y.iloc[calibration] - fitted.predict(X.iloc[calibration]))
    half = np.ptp(intervals[:, :, 0], axis=1) / 2
    assert_allclose(half, half[0], rtol=1e-5)
    assert np.mean(errors <= half[0] * 1.0001) == pytest.approx(0.8, abs=0.01)


def test_mapie_probes_the_last_step_of_a_pipeline(fitted):
    """MAPIE passes one row of zeros to the last step, which expects windows.

    If this test fails, the recipe of docs/clients.md is no longer needed.
    """
    mapie = pytest.importorskip("mapie.regression")
    with pytest.raises(UserWarning, match="failed a minimal prediction test.*fitted on windows"):
        mapie.SplitConformalRegressor(fitted).conformalize(X, Y)


def test_mapie_bootstrap_of_rows_cannot_work():
    mapie = pytest.importorskip("mapie.regression")
    model = mapie.JackknifeAfterBootstrapRegressor(pipeline(), resampling=2)
    with pytest.raises(ValueError, match="repeat a .series, time. pair"):
        model.fit_conformalize(X, Y)


# ------------------------------------------------------------------------- files and reports
def test_skops(fitted):
    io = pytest.importorskip("skops.io")
    stored = io.dumps(fitted)
    unknown = io.get_untrusted_types(data=stored)
    assert all(name.startswith("sklstm.") or name == "numpy.dtype" for name in unknown), unknown
    again = io.loads(stored, trusted=unknown)
    assert_array_equal(again.predict(X_TEST), fitted.predict(X_TEST))


def test_skore_reports():
    skore = pytest.importorskip("skore")
    report = skore.EstimatorReport(pipeline(), X_train=X, y_train=Y, X_test=X_TEST, y_test=Y_TEST)
    errors = Y_TEST - pipeline().fit(X, Y).predict(X_TEST)
    assert_allclose(report.metrics.rmse(), np.sqrt(np.mean(errors**2)), rtol=1e-5)
    report.metrics.add(SCORER, name="per engine")
    by_engine = -errors.abs().groupby(X_TEST["unit"]).mean().mean()
    assert_allclose(report.metrics.summarize().frame().loc["per engine"], by_engine, rtol=1e-5)
    crossed = skore.CrossValidationReport(pipeline(), X, Y, splitter=SPLITS)
    crossed.metrics.add(SCORER, name="per engine")
    mean = crossed.metrics.summarize().frame().loc["per engine"].iloc[0]
    assert_score_is_by_hand(mean)


def test_skore_checks():
    skore = pytest.importorskip("skore")
    options = {
        "X_train": BY_INDEX,
        "y_train": Y,
        "X_test": X_TEST.set_index(["unit", "cycle"]),
        "y_test": Y_TEST,
    }
    # The outer pipeline keeps skore from reading the windows as a table of features.
    report = skore.EstimatorReport(make_pipeline(pipeline()), **options)
    checks = report.checks.summarize().frame().set_index("code")["section"]
    applied = ["SKD001", "SKD002", "SKD008", "SKD009", "SKD010", "SKD011", "SKD012"]
    assert (checks[applied] != "not_applicable").all()
    with pytest.raises(ValueError, match="Must pass 2-d input"):
        skore.EstimatorReport(pipeline(), **options).checks.summarize()


# ------------------------------------------------------------------------- tables of features
def test_skrub_report():
    skrub = pytest.importorskip("skrub")
    html = skrub.TableReport(X, verbose=0).html()
    assert all(name in html for name in X.columns)


def test_skrub_steps(fitted):
    skrub = pytest.importorskip("skrub")
    wide = X.assign(spare=1.0)
    expected = fitted.predict(X)
    for step in (skrub.DropCols("spare"), skrub.SelectCols(list(X.columns))):
        assert_allclose(pipeline(step).fit(wide, Y).predict(wide), expected, rtol=1e-5)
    for step in (skrub.Cleaner(), skrub.TableVectorizer()):
        assert np.isfinite(pipeline(step).fit(X, Y).predict(X)).all()
    scaled = pipeline(skrub.ApplyToCols(StandardScaler(), cols=FEATURES))
    by_hand = X.copy()
    by_hand[FEATURES] = StandardScaler().fit_transform(X[FEATURES])
    expected = pipeline().fit(by_hand, Y).predict(by_hand)
    assert_allclose(scaled.fit(X, Y).predict(X), expected, rtol=1e-4)


def test_skrub_tabular_pipeline():
    skrub = pytest.importorskip("skrub")
    learner = make_pipeline(WindowTransformer(3, **IDS), pipeline()[-1])
    model = skrub.tabular_pipeline(learner).set_output(transform="pandas")
    model.fit(BY_INDEX, Y)
    # skrub appends the steps of the learner to its own.
    tables = model[:-2].transform(BY_INDEX)
    assert_array_equal(tables.index, BY_INDEX.index)
    expected = clone(learner).fit(tables, Y).predict(tables)
    assert_allclose(model.predict(BY_INDEX), expected, rtol=1e-5)


def test_skrub_data_ops(fitted):
    skrub = pytest.importorskip("skrub")
    scaled = skrub.X(X).skb.apply(PerSeriesScaler(**IDS))
    net = make_pipeline(*pipeline()[1:])
    learner = scaled.skb.apply(net, y=skrub.y(Y)).skb.make_learner()
    learner.fit({"X": X, "y": Y})
    assert_allclose(learner.predict({"X": X_TEST}), fitted.predict(X_TEST), rtol=1e-5)
    with pytest.raises(RuntimeError, match="Windows, but a pandas DataFrame was expected"):
        scaled.skb.apply(WindowTransformer(3, **IDS))


def test_feature_engine_wraps_a_list_of_classes():
    wrappers = pytest.importorskip("feature_engine.wrappers")
    wrapped = wrappers.SklearnTransformerWrapper(StandardScaler(), variables=FEATURES)
    assert np.isfinite(pipeline(wrapped).fit(X, Y).predict(X)).all()
    with pytest.raises(NotImplementedError, match="not compatible with the wrapper"):
        wrappers.SklearnTransformerWrapper(PerSeriesScaler(**IDS)).fit(X)


def test_feature_engine():
    imputation = pytest.importorskip("feature_engine.imputation")
    selection = pytest.importorskip("feature_engine.selection")
    holes = X.mask(np.random.default_rng(0).random(X.shape) < 0.1)
    holes[["unit", "cycle"]] = X[["unit", "cycle"]]
    imputer = imputation.MeanMedianImputer("mean", variables=FEATURES)
    model = pipeline(imputer, selection.DropConstantFeatures())
    by_hand = holes.fillna(holes.mean())
    expected = pipeline().fit(by_hand, Y).predict(by_hand)
    spare = holes.assign(spare=1.0)
    assert_allclose(model.fit(spare, Y).predict(spare), expected, rtol=1e-5)


def drop_first_cycles(X, y):
    """Drop the first cycles of every engine."""
    kept = X["cycle"] > 5
    return X[kept], y[kept]


def test_imbalanced_learn():
    imblearn = pytest.importorskip("imblearn")
    steps = imblearn.FunctionSampler(func=drop_first_cycles, validate=False), *pipeline()
    model = imblearn.pipeline.make_pipeline(*steps).fit(X, Y)
    expected = pipeline().fit(*drop_first_cycles(X, Y)).predict(X_TEST)
    # Samplers act in fit only.
    assert_allclose(model.predict(X_TEST), expected, rtol=1e-5)


# --------------------------------------------------------------------------------- attributions
def test_shap_of_windows(fitted):
    shap = pytest.importorskip("shap")
    windows = np.asarray(fitted[:-1].transform(X))
    table = windows.reshape(len(windows), -1)

    def predict(table):
        return fitted[-1].predict(table.reshape(-1, *windows.shape[1:]))

    explainer = shap.KernelExplainer(predict, table[::100])
    values = explainer.shap_values(table[-3:], nsamples=100, silent=True)
    total = explainer.expected_value + values.sum(axis=1)
    assert_allclose(total, fitted.predict(X)[-3:], rtol=1e-4)
    by_feature = values.reshape(-1, *windows.shape[1:]).sum(axis=1)
    assert by_feature.shape == (3, len(fitted[:-1].get_feature_names_out()))


@pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match")
def test_shap_of_the_network(fitted):
    shap = pytest.importorskip("shap")
    windows = np.asarray(fitted[:-1].transform(X), dtype="float32")
    explainer = shap.GradientExplainer(fitted[-1].model_, windows)
    values = explainer.shap_values(windows[-3:], nsamples=2000, rseed=0)
    assert values.shape == (3, *windows.shape[1:], 1)
    # Gradients at random points between the window and others add up to the difference, roughly.
    total = values.sum(axis=(1, 2, 3)) + fitted.predict(X).mean()
    assert_allclose(total, fitted.predict(X)[-3:], atol=5)


def test_shap_of_a_table():
    shap = pytest.importorskip("shap")
    net = MultiSeriesLSTMRegressor(4, epochs=2, batch_size=64, random_state=0)
    net.fit(X[FEATURES], Y)
    explained = shap.Explainer(net.predict, X[FEATURES][::200])(X[FEATURES][-2:])
    total = explained.base_values + explained.values.sum(axis=1)
    assert_allclose(total, net.predict(X[FEATURES])[-2:], rtol=1e-4)


def test_shap_of_a_panel_cannot_work(fitted):
    # It fills masked columns, the ids too, with those of other rows.
    shap = pytest.importorskip("shap")
    with pytest.raises(ValueError, match="repeat a .series, time. pair"):
        shap.Explainer(fitted.predict, X[:20])(X[:2])


@pytest.mark.filterwarnings("ignore:Your TensorFlow version is newer:UserWarning")
@pytest.mark.filterwarnings("ignore:.*The structure of `inputs` doesn't match")
def test_shap_deep_explainer_cannot_work(fitted):
    # It has no rule for the loops of recurrent layers.
    shap = pytest.importorskip("shap")
    windows = np.asarray(fitted[:-1].transform(X[:20]), dtype="float32")
    with pytest.raises(Exception, match="shap_TensorListStack"):
        shap.DeepExplainer(fitted[-1].model_, windows).shap_values(windows[:2])
