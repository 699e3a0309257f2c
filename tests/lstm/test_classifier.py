"""Tests of the classifier: probabilities, loss, labels, weights, and scikit-learn around it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import RocCurveDisplay, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_class_weight

import sklstm
from sklstm import (
    MultiSeriesLSTMClassifier,
    PanelDataset,
    PerSeriesScaler,
    WindowTransformer,
    series_weights,
)
from sklstm._panel.lives import make_lives

N, L, F = 60, 4, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, L, F)).astype("float32")
TWO = np.where(X[:, -1, 0] > 0.3, "yes", "no")
THREE = np.digitize(X[:, -1, 0], [-0.5, 0.5])
UNITS = np.array(["a"] * 5 + ["b"] * 15 + ["c"] * 40)
FIXED = {"optimizer": "sgd", "learning_rate": 0.0}  # training changes nothing
IDS = {"series": "unit", "time": "cycle"}


def classifier(**options):
    """Make a small classifier; equal sizes save compiling."""
    defaults = {"hidden_units": 4, "epochs": 2, "batch_size": 16, "learning_rate": 0.01}
    return MultiSeriesLSTMClassifier(**defaults | {"random_state": 0} | options)


def assert_same_fit(one, other):
    """Assert that two fits are equal to the last bit."""
    assert one.history_ == other.history_
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.fixture(scope="module")
def two():
    return classifier().fit(X, TWO)


@pytest.fixture(scope="module")
def three():
    return classifier().fit(X, THREE)


# ------------------------------------------------------------------ probabilities and labels
def test_probabilities_of_two_classes(two):
    log_odds = two.model_.predict(X, verbose=0)
    assert log_odds.shape == (N, 1) and two.n_outputs_ == 1
    probability = two.predict_proba(X)
    assert_allclose(probability[:, 1], 1 / (1 + np.exp(-log_odds[:, 0].astype(float))), rtol=1e-5)
    assert_allclose(probability.sum(axis=1), 1.0)
    assert_array_equal(two.predict(X), np.where(probability[:, 1] > 0.5, "yes", "no"))
    assert_allclose(two.predict_log_proba(X), np.log(probability))


def test_probabilities_of_three_classes(three):
    logits = three.model_.predict(X, verbose=0).astype(float)
    assert logits.shape == (N, 3) and three.n_outputs_ == 3
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(three.predict_proba(X), expected, rtol=1e-5)
    assert_array_equal(three.predict(X), expected.argmax(axis=1))


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.where(THREE > 0, 1, -1), id="minus one is a class"),
        pytest.param(THREE > 0, id="bool"),
        pytest.param(np.where(THREE > 0, 2.0, 0.0), id="float"),
        pytest.param(np.array(["no", "yes", "maybe"], dtype=object)[THREE], id="object"),
        pytest.param(pd.Categorical(np.array(["b", "a", "c"])[THREE]), id="categorical"),
        pytest.param(pd.Series(THREE, dtype="Int64"), id="nullable"),
    ],
)
def test_labels_of_every_kind(labels):
    fitted = classifier(epochs=1).fit(X, labels)
    found = np.unique(np.asarray(labels))
    assert_array_equal(fitted.classes_, found)
    assert set(fitted.predict(X)) <= set(found.tolist())


@pytest.mark.slow
def test_outputs_start_at_the_frequencies_of_the_classes():
    y = np.repeat(["a", "b", "c"], [10, 20, 30])
    fitted = classifier(**FIXED, epochs=1, series_weight=None).fit(X, y)
    offset = np.asarray(fitted.model_.get_layer("target_scale").offset)
    assert_allclose(offset, np.log([1 / 6, 1 / 3, 1 / 2]), rtol=1e-6)
    fitted = classifier(**FIXED, epochs=1, series_weight=None).fit(X, y == "a")
    offset = np.asarray(fitted.model_.get_layer("target_scale").offset)
    assert_allclose(offset, [np.log(10 / 50)], rtol=1e-6)


# ------------------------------------------------------------------------------- the loss
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
def test_loss_is_the_weighted_cross_entropy(labels):
    """The reference is scikit-learn's log loss, with the product of three weights."""
    class_weight = dict(zip(np.unique(labels).tolist(), [1.0, 3.0, 0.5], strict=False))
    sample_weight = RNG.uniform(0.5, 2.0, N)
    fitted = classifier(**FIXED, epochs=1, class_weight=class_weight)
    fitted.fit(X, labels, sample_weight=sample_weight, series_ids=UNITS)
    weights = series_weights(UNITS, sample_weight=sample_weight)
    weights *= [class_weight[label] for label in labels.tolist()]
    expected = log_loss(labels, fitted.predict_proba(X), sample_weight=weights / N, normalize=False)
    assert_allclose(fitted.history_["loss"], expected, rtol=1e-5)


def test_balanced_classes():
    weights = compute_class_weight("balanced", classes=np.unique(THREE), y=THREE)
    named = classifier(class_weight=dict(enumerate(weights))).fit(X, THREE)
    balanced = classifier(class_weight="balanced").fit(X, THREE)
    assert_allclose(balanced.class_weight_, weights)
    assert_same_fit(named, balanced)


def test_class_weight_counts_where_each_series_has_one_class():
    # Weights by series alone would undo weights of rows that are constant in each series.
    labels = np.where(UNITS == "a", "rare", "common")
    plain = classifier(epochs=10).fit(X, labels, series_ids=UNITS)
    weighted = classifier(epochs=10, class_weight={"rare": 20.0})
    weighted.fit(X, labels, series_ids=UNITS)
    assert weighted.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.1


@pytest.mark.slow
def test_repeated_rows_are_rows_of_weight_two():
    """To a relative 1e-5: float32 sums repeated rows and weights in another order."""
    options = {"series_weight": None, "batch_size": 2 * N, "min_observed": 1}
    repeated = classifier(**options).fit(np.r_[X, X[:9]], np.r_[TWO, TWO[:9]])
    weights = np.r_[np.full(9, 2.0), np.ones(N - 9)]
    weighted = classifier(**options).fit(X, TWO, sample_weight=weights)
    assert_allclose(repeated.predict_proba(X), weighted.predict_proba(X), rtol=1e-5)


def test_the_network_learns_a_rule_of_order():
    y = X[:, 0, 0] * X[:, -1, 0] > 0
    fitted = classifier(hidden_units=16, epochs=250, learning_rate=0.02).fit(X, y)
    assert fitted.score(X, y) > 0.95


# ------------------------------------------------------------------------- unknown labels
UNKNOWN = np.arange(N) % 3 == 0
WITH_NONE = THREE.astype(object)
WITH_NONE[UNKNOWN] = None


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(WITH_NONE, id="None"),
        pytest.param(np.where(UNKNOWN, np.nan, THREE), id="NaN"),
        pytest.param(pd.Series(WITH_NONE, dtype="Int64"), id="NA"),
        pytest.param(pd.Series(WITH_NONE, dtype="category"), id="categorical"),
    ],
)
def test_unknown_labels_do_not_enter_the_loss(labels):
    expected = classifier().fit(X, THREE, sample_weight=1.0 * ~UNKNOWN)
    fitted = classifier().fit(X, labels)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert_same_fit(fitted, expected)
    right = fitted.predict(X)[~UNKNOWN] == THREE[~UNKNOWN]
    assert fitted.score(X, labels) == right.mean()
    weights = np.arange(1.0, N + 1)
    assert_allclose(fitted.score(X, labels, weights), np.average(right, weights=weights[~UNKNOWN]))


def test_report_by_series(three):
    report = three.series_report(X, WITH_NONE, series_ids=UNITS)
    probability, predicted = three.predict_proba(X), three.predict(X)
    for unit in "abc":
        rows = np.flatnonzero((UNITS == unit) & ~UNKNOWN)
        assert report.loc[unit, "windows"] == len(rows)
        assert_allclose(report.loc[unit, "error"], np.mean(predicted[rows] != THREE[rows]))
        losses = -np.log(probability[rows, THREE[rows]])
        assert_allclose(report.loc[unit, "loss"], losses.mean(), rtol=1e-5)
    two_classes = classifier().fit(X, TWO)
    error = two_classes.series_report(X, TWO, series_ids=UNITS)["error"]
    assert_allclose(error["b"], np.mean((two_classes.predict(X) != TWO)[UNITS == "b"]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(N, "yes"), "one class, 'yes'"),
        (np.full(N, None), "only unknown labels"),
        (X[:, 0, 0], "numbers such as .*continuous.*MultiSeriesLSTMRegressor"),
        (make_lives(TWO == "no", np.ones(N)), r"holds lives.*make_event_targets"),
        (np.c_[TWO, TWO], "1d array"),
        (None, "requires y"),
        (TWO[1:], "inconsistent"),
    ],
)
def test_labels_that_cannot_be_used(labels, message, two):
    fitted = pickle.loads(pickle.dumps(two))
    before = fitted.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        fitted.fit(X, labels)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert_array_equal(fitted.predict_proba(X), before)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_weights_of_zero_raise_an_error(class_weight):
    with pytest.raises(ValueError, match="All weights are zero"):
        classifier(class_weight=class_weight).fit(X, TWO, sample_weight=np.zeros(N))


@pytest.mark.parametrize(
    "class_weight", [{"no": -1}, {"no": "2"}, {"no": np.inf}, {"no": 0, "yes": 0}]
)
def test_weights_of_classes_are_numbers(class_weight):
    with pytest.raises(ValueError, match=r"class_weight=.* must hold numbers of 0 or more"):
        classifier(class_weight=class_weight).fit(X, TWO)


def test_a_misspelt_class_in_weights():
    with pytest.raises(ValueError, match=r"contains 'yess', which.* Did you mean 'yes'\?"):
        classifier(class_weight={"yess": 2.0}).fit(X, TWO)


def test_accuracy_needs_a_known_label(two):
    with pytest.raises(ValueError, match="only unknown labels: pass at least one"):
        two.score(X, [None] * N)


def test_unknown_class_in_weights_and_validation_labels():
    with pytest.raises(ValueError, match=r"contains 'maybe', which.*\['no', 'yes'\]"):
        classifier(class_weight={"maybe": 2.0}).fit(X, TWO)
    with pytest.raises(ValueError, match="the label 'maybe'"):
        classifier(early_stopping=True).fit(X, TWO, X_val=X[:2], y_val=["yes", "maybe"])


# -------------------------------------------------------------------------- further training
def test_partial_fit():
    first, second = X[:30], X[30:]
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier().partial_fit(first, THREE[:30])
    with pytest.raises(ValueError, match="balanced"):
        classifier(class_weight="balanced").partial_fit(first, THREE[:30], classes=[0, 1, 2])
    fitted = classifier(class_weight={2: 3.0})
    fitted.partial_fit(first, np.zeros(30, int), classes=[0, 1, 2])
    fitted.partial_fit(second, THREE[30:])
    assert fitted.n_iter_ == 2 and fitted.class_weight_.tolist() == [1.0, 1.0, 3.0]
    with pytest.raises(ValueError, match="not the same as on last call"):
        fitted.partial_fit(first, THREE[:30], classes=[0, 1])
    with pytest.raises(ValueError, match="the label 7"):
        fitted.partial_fit(first, np.full(30, 7))


def test_warm_start_keeps_the_classes():
    fitted = classifier(warm_start=True, epochs=1).fit(X, THREE)
    fitted.fit(X[:30], np.where(THREE[:30] > 0, 1, 0))
    assert fitted.classes_.tolist() == [0, 1, 2] and fitted.n_iter_ == 2
    with pytest.raises(ValueError, match="the label 5"):
        fitted.fit(X, np.where(THREE > 0, 5, 0))
    assert clone(fitted).set_params(warm_start=False).fit(X, TWO).classes_.tolist() == ["no", "yes"]


def test_early_stopping_with_own_validation_rows():
    fitted = classifier(early_stopping=True, n_iter_no_change=1, epochs=30, learning_rate=0.3)
    fitted.fit(X[:40], TWO[:40], X_val=X[40:], y_val=TWO[40:])
    assert len(fitted.history_["val_loss"]) == fitted.n_iter_ < 30
    assert_allclose(
        min(fitted.history_["val_loss"]),
        log_loss(TWO[40:], fitted.predict_proba(X[40:])),
        rtol=1e-5,
    )


def weights_of(fitted):
    return {weight.path: np.asarray(weight) for weight in fitted.model_.weights}


def test_transfer():
    source = classifier().fit(X, TWO)
    target = classifier(**FIXED, init_from=FrozenEstimator(source)).fit(X, TWO)
    for path, value in weights_of(target).items():
        assert_array_equal(value, weights_of(source)[path], err_msg=path)
    others = [
        (source, np.where(TWO == "yes", "left", "right")),  # the same number of other classes
        (lstm().fit(X, X[:, 0, 0]), TWO),
    ]
    for other, labels in others:
        with pytest.warns(UserWarning, match="head"):
            target = classifier(**FIXED, init_from=FrozenEstimator(other)).fit(X, labels)
        assert {path.split("/")[0] for path in target.reinitialized_weights_} == {"head"}
        kernel = "lstm_1/lstm_cell/kernel"
        assert_array_equal(weights_of(target)[kernel], weights_of(other)[kernel])


# --------------------------------------------------------------------- scikit-learn around it
PANEL = make_panel([9, 12, 7, 10, 8, 11])
RISES = np.where(PANEL.groupby("unit")["p"].diff() > 0, "up", "down")


def pipeline(**options):
    return make_pipeline(
        PerSeriesScaler(**IDS), WindowTransformer(3, **IDS), classifier(epochs=1, **options)
    )


@pytest.mark.slow
def test_grid_search_over_stratified_groups():
    grid = {"multiserieslstmclassifier__class_weight": [None, "balanced"]}
    search = GridSearchCV(pipeline(), grid, cv=StratifiedGroupKFold(2), scoring="roc_auc")
    search.fit(PANEL, RISES, groups=PANEL["unit"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict_proba(PANEL).shape == (len(PANEL), 2)


@pytest.mark.slow
def test_calibration_thresholds_and_curves():
    folds = list(GroupKFold(2).split(PANEL, RISES, PANEL["unit"]))
    calibrated = CalibratedClassifierCV(pipeline(), cv=folds).fit(PANEL, RISES)
    assert_allclose(calibrated.predict_proba(PANEL).sum(axis=1), 1.0)
    tuned = TunedThresholdClassifierCV(pipeline(), cv=folds).fit(PANEL, RISES)
    assert 0 < tuned.best_threshold_ < 1
    curve = RocCurveDisplay.from_estimator(tuned, PANEL, RISES)
    assert 0 <= curve.roc_auc <= 1
    predicted = cross_val_predict(pipeline(), PANEL, RISES, cv=folds, method="predict_proba")
    assert_allclose(predicted.sum(axis=1), 1.0)


def test_one_label_per_series():
    """The last row of each series is labelled: the fit is that on these windows alone."""
    labels = pd.Series(["x", "y", "x", "y", "x", "y"], PANEL["unit"].unique())
    last = ~PANEL.duplicated("unit", keep="last")
    y = PANEL["unit"].map(labels).where(last, None)
    whole = WindowTransformer("longest", padding="nan", **IDS)
    fitted = make_pipeline(whole, classifier()).fit(PANEL, y)
    windows = whole.fit_transform(PANEL)[np.flatnonzero(last)]
    alone = classifier().fit(windows, labels)
    assert fitted[-1].history_ == alone.history_
    assert fitted.score(PANEL, y) == np.mean(alone.predict(windows) == labels)


@pytest.mark.slow
def test_a_panel_in_files(tmp_path):
    PANEL.assign(label=RISES).to_parquet(tmp_path / "rows.parquet", index=False)
    dataset = PanelDataset(tmp_path, series="unit")
    rows, labels = dataset.drop("label"), dataset["label"]
    streamed = pipeline(class_weight="balanced").fit(rows, labels)
    in_memory = pipeline(class_weight="balanced").fit(PANEL, RISES)
    assert_array_equal(streamed.predict_proba(rows), in_memory.predict_proba(PANEL))
    assert streamed.predict(rows).tolist() == in_memory.predict(PANEL).tolist()
    small = PanelDataset(tmp_path, series="unit", block_rows=12)
    several = pipeline(class_weight="balanced").fit(small.drop("label"), small["label"])
    assert_allclose(several[-1].class_weight_, in_memory[-1].class_weight_)
    assert_array_equal(several.classes_, ["down", "up"])


def test_saving(two, three, tmp_path):
    for fitted in (two, three):
        path = sklstm.save(fitted, tmp_path / f"{len(fitted.classes_)}.sklstm")
        again = sklstm.load(tmp_path / f"{len(fitted.classes_)}.sklstm")
        assert_array_equal(again.predict_proba(X), fitted.predict_proba(X), err_msg=str(path))
        assert_array_equal(again.predict(X), fitted.predict(X))


def test_documentation_of_shared_parameters():
    for name in ("hidden_units", "segment_length", "class_weight", "time"):
        assert MultiSeriesLSTMClassifier.__doc__.count(f"\n{name} : ") == 1
    assert "quantiles :" not in MultiSeriesLSTMClassifier.__doc__
