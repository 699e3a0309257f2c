"""Tests of transferred weights and frozen layers."""

import pickle

import numpy as np
import pytest
from helpers import slow_except
from lstm_panels import EDGE, IDS, MASKED, PANEL, L, Y, lstm, make_panel, make_windows
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import PerSeriesTargetRegressor, WindowTransformer

OTHER, OTHER_Y = make_panel(seed=1, lengths=(12, 5))
OTHER_EDGE = make_windows(OTHER)
STACKED = {"n_layers": 2, "attention": True}


def weights_of(net):
    return {weight.path: np.array(weight) for weight in net.model_.variables}


@pytest.fixture(scope="module")
def source():
    return lstm(epochs=4, **STACKED).fit(EDGE, Y)


def transferred(source, **options):
    """Make a regressor that starts with the weights of `source`, by default with rate 0."""
    options = {"learning_rate": 0.0, "epochs": 1, **STACKED, **options}
    return lstm(init_from=FrozenEstimator(source), **options)


def test_fit_starts_with_the_weights_of_its_source(source):
    twin = transferred(source).fit(OTHER_EDGE, OTHER_Y)
    assert_array_equal(twin.predict(EDGE), source.predict(EDGE))
    assert twin.reinitialized_weights_ == []
    assert not np.allclose(lstm(epochs=1, **STACKED).fit(EDGE, Y).predict(EDGE), twin.predict(EDGE))


def test_source_is_unchanged(source):
    before, predicted = weights_of(source), source.predict(EDGE)
    tuned = transferred(source, learning_rate=0.1, epochs=3).fit(OTHER_EDGE, -OTHER_Y)
    assert not np.allclose(tuned.predict(EDGE), predicted)
    for name, weight in weights_of(source).items():
        assert_array_equal(weight, before[name])
    assert_array_equal(source.predict(EDGE), predicted)
    assert tuned.init_from.estimator is source


def test_source_may_be_a_pipeline_a_search_or_a_copy(source):
    pipe = make_pipeline(
        WindowTransformer(L, columns=["size", "p", "q"], **IDS), lstm(epochs=4, **STACKED)
    ).fit(PANEL, Y)
    scaled = PerSeriesTargetRegressor(pipe, target="size", scaler="maxabs", prior_rows=0, **IDS)
    searched = GridSearchCV(pipe, {"multiserieslstmregressor__n_layers": [2]}, cv=2)
    for around in (scaled, searched):
        around = around.fit(PANEL, Y)
        twin = transferred(around).fit(OTHER_EDGE, OTHER_Y)
        assert twin.reinitialized_weights_ == []
    for fitted in (pipe, pickle.loads(pickle.dumps(source))):
        twin = transferred(fitted).fit(OTHER_EDGE, OTHER_Y)
        assert_array_equal(twin.predict(EDGE), source.predict(EDGE))
    again = pickle.loads(pickle.dumps(clone(twin).fit(OTHER_EDGE, OTHER_Y)))
    assert_array_equal(again.predict(EDGE), source.predict(EDGE))


CHANGES = {
    "outputs": (
        lambda: (OTHER_EDGE, np.c_[OTHER_Y, OTHER_Y], {}),
        {"head/kernel", "head/bias"},
    ),
    "features": (
        lambda: (make_windows(OTHER, columns=("p", "q")), OTHER_Y, {}),
        {"lstm_1/lstm_cell/kernel"},
    ),
    "segments": (
        lambda: (OTHER_EDGE, OTHER_Y, {"segment_length": 2}),
        {"lstm_1/lstm_cell/kernel"},
    ),
    "skip": (lambda: (OTHER_EDGE, OTHER_Y, {"skip": True}), {"head/kernel", "head/bias"}),
    "layers": (
        lambda: (OTHER_EDGE, OTHER_Y, {"n_layers": 3}),
        {f"lstm_3/lstm_cell/{part}" for part in ("kernel", "recurrent_kernel", "bias")},
    ),
}


@pytest.mark.parametrize(("change", "reinitialised"), slow_except(CHANGES, "features"))
def test_only_weights_that_do_not_fit_are_reinitialised(source, change, reinitialised):
    X, y, options = change()
    with pytest.warns(UserWarning, match="init_from has no weights for"):
        net = transferred(source, **options).fit(X, y)
    assert set(net.reinitialized_weights_) == reinitialised
    there = weights_of(source)
    for name, weight in weights_of(net).items():
        if name in reinitialised or name.startswith("seed"):
            continue
        # The scale of the outputs is copied together with the head.
        if name.startswith("target_scale") and "head/kernel" in reinitialised:
            assert not np.array_equal(weight, there[name])
            continue
        assert_array_equal(weight, there[name], err_msg=name)


def test_new_head_has_the_units_of_the_new_targets(source):
    y = 1000 * OTHER_Y + 5000
    with pytest.warns(UserWarning, match="head/kernel"):
        net = transferred(source, skip=True, series_weight=None).fit(OTHER_EDGE, y)
    scale = weights_of(net)
    assert_allclose(scale["target_scale/offset"], y.mean(), rtol=1e-5)
    assert_allclose(scale["target_scale/scale"], y.std(), rtol=1e-5)


@pytest.mark.slow
def test_outputs_of_another_meaning_have_a_new_head(source):
    three = lstm(epochs=1, **STACKED).fit(EDGE, np.c_[Y, -Y, 2 * Y])
    with pytest.warns(UserWarning, match="head/kernel"):
        net = transferred(three, quantiles=(0.1, 0.5, 0.9), learning_rate=0.05).fit(
            OTHER_EDGE, OTHER_Y
        )
    assert set(net.reinitialized_weights_) == {"head/kernel", "head/bias"}
    with pytest.warns(UserWarning, match="head/kernel"):
        other = transferred(net, quantiles=(0.2, 0.5, 0.9)).fit(OTHER_EDGE, OTHER_Y)
    assert not np.array_equal(weights_of(other)["head/kernel"], weights_of(net)["head/kernel"])
    same = transferred(net, quantiles=(0.1, 0.5, 0.9)).fit(OTHER_EDGE, -OTHER_Y)
    assert_array_equal(same.predict_quantiles(EDGE), net.predict_quantiles(EDGE))


def test_reinitialised_weights_must_be_trained(source):
    net = transferred(source, trainable="head")
    with pytest.raises(ValueError, match="lstm_1/lstm_cell/kernel.*Train these layers too"):
        net.fit(make_windows(OTHER, columns=("p", "q")), OTHER_Y)


@pytest.mark.slow
def test_trainable_may_change_between_fits(source):
    net = transferred(source, learning_rate=0.05, trainable="head", warm_start=True)
    net.fit(OTHER_EDGE, OTHER_Y)
    name = "lstm_1/lstm_cell/kernel"
    assert_array_equal(weights_of(net)[name], weights_of(source)[name])
    head = net.predict(EDGE)
    net.set_params(trainable="all", learning_rate=0.0).fit(OTHER_EDGE, OTHER_Y)
    assert_array_equal(net.predict(EDGE), head)
    assert net.n_iter_ == 2
    net.set_params(learning_rate=0.05).fit(OTHER_EDGE, OTHER_Y)
    assert not np.array_equal(weights_of(net)[name], weights_of(source)[name])
    with pytest.raises(ValueError, match=r"ask for skip=True \(was False\)"):
        net.set_params(skip=True).fit(OTHER_EDGE, OTHER_Y)


def test_layer_names_of_deep_networks():
    from sklstm._network.architecture import build_network
    from sklstm._network.spec import NetworkSpec

    spec = NetworkSpec(2, 1, 1, 2, n_layers=12, segment_length=1, dropout=0.0, trainable=3)
    model = build_network(spec, seed=0)
    trained = {weight.path.split("/")[0] for weight in model.trainable_variables}
    assert trained == {"head", "lstm_12", "lstm_11"}


@pytest.mark.slow
def test_windows_of_another_length_and_padding(source):
    longer = transferred(source).fit(make_windows(OTHER, "nan", length=7), OTHER_Y)
    assert longer.reinitialized_weights_ == []
    # Where both windows hold the whole history, the predictions agree.
    short = MASKED.n_observed < L
    masked = transferred(source).fit(MASKED, Y)
    predicted = longer.predict(make_windows(PANEL, "nan", length=7))
    assert_allclose(predicted[short], masked.predict(MASKED)[short], rtol=1e-4)


@pytest.mark.slow
def test_embedding_vectors_are_copied_by_id():
    fitted = lstm(series_embedding=2, epochs=20).fit(EDGE, Y)
    panel = PANEL[PANEL["unit"].isin(["u0", "u2"])]
    panel = panel.assign(unit=panel["unit"].replace({"u0": "new"}))
    net = transferred(fitted, series_embedding=2, n_layers=1, attention=False)
    net.fit(make_windows(panel), Y[panel.index])
    table, there = (fit.model_.get_layer("embedding").get_weights()[0] for fit in (net, fitted))
    assert list(net.embedded_ids_) == ["new", "u2"]
    assert_array_equal(table[0], there[0])
    assert_array_equal(table[1], there[0])  # not in the source: starts as an unseen series
    assert_array_equal(table[2], there[1 + fitted.embedded_ids_.get_loc("u2")])
    wider = transferred(fitted, series_embedding=3, n_layers=1, attention=False)
    with pytest.warns(UserWarning, match="embedding/embeddings.*begin_1_0/kernel"):
        wider.fit(make_windows(panel), Y[panel.index])


# ------------------------------------------------------------------------- trained layers
@pytest.mark.parametrize(
    ("trainable", "free"),
    [
        ("all", ("head", "attention", "lstm_2", "lstm_1")),
        pytest.param("head", ("head",), marks=pytest.mark.slow),
        pytest.param(3, ("head", "attention", "lstm_2"), marks=pytest.mark.slow),
    ],
)
def test_training_changes_only_the_top_layers(source, trainable, free):
    net = transferred(source, learning_rate=0.05, trainable=trainable).fit(OTHER_EDGE, OTHER_Y)
    there = weights_of(source)
    for name, weight in weights_of(net).items():
        if name.startswith(free):
            assert not np.array_equal(weight, there[name]), name
        elif not name.startswith("seed"):
            assert_array_equal(weight, there[name], err_msg=name)


@pytest.mark.slow
def test_frozen_layers_survive_pickling_and_further_training(source):
    net = transferred(source, learning_rate=0.05, trainable="head").fit(OTHER_EDGE, OTHER_Y)
    twin = pickle.loads(pickle.dumps(net)).partial_fit(OTHER_EDGE, OTHER_Y)
    net.partial_fit(OTHER_EDGE, OTHER_Y)
    assert_array_equal(twin.predict(EDGE), net.predict(EDGE))
    name = "lstm_1/lstm_cell/kernel"
    assert_array_equal(weights_of(twin)[name], weights_of(source)[name])


@pytest.mark.slow
def test_grid_search_over_initial_weights(source):
    grid = {
        "init_from": [None, FrozenEstimator(source)],
        "trainable": ["all", "head", 3],
    }
    net = lstm(epochs=1, **STACKED)
    search = GridSearchCV(net, grid, cv=GroupKFold(2), error_score="raise", n_jobs=1)
    search.fit(EDGE, Y, groups=PANEL["unit"])
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(np.unique(scores)) == 6
    best = search.best_estimator_
    assert_allclose(best.predict(EDGE), clone(best).fit(EDGE, Y).predict(EDGE))


# ------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("init_from", "error", "message"),
    [
        (lstm(), ValueError, "must be frozen.*FrozenEstimator"),
        (FrozenEstimator(lstm()), NotFittedError, "not fitted"),
        (FrozenEstimator(Ridge().fit([[0], [1]], [0, 1])), ValueError, "hold a fitted.*got Ridge"),
        (FrozenEstimator(make_pipeline(Ridge())), ValueError, "around one, got Ridge"),
    ],
    ids=["not frozen", "not fitted", "another regressor", "another pipeline"],
)
def test_bad_sources(init_from, error, message):
    with pytest.raises(error, match=message):
        lstm(init_from=init_from).fit(EDGE, Y)


def test_incompatible_sources(source):
    for options in ({"hidden_units": 5}, {"bidirectional": True}):
        net = transferred(source).set_params(**options)
        with pytest.raises(ValueError, match="none of its LSTM weights could be copied"):
            net.fit(EDGE, Y)
    swapped = make_windows(PANEL, columns=("p", "size", "q"))
    with pytest.raises(ValueError, match="the same in another order"):
        transferred(source).fit(swapped, Y)
