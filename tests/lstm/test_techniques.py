"""Tests of attention, directions, normalisation, masks, embeddings, static features.

The reference is a forward pass in NumPy, one window and one step at a time.
"""

import pickle
from functools import cache

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import panels, slow_except
from hypothesis import given, settings
from hypothesis import strategies as st
from lstm_panels import EDGE, IDS, MASKED, PANEL, UNITS, L, Y, lstm, make_windows
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMRegressor, WindowTransformer

WINDOWS = {"edge": EDGE, "nan": MASKED}

TECHNIQUES = {
    "attention": {"attention": True},
    "two heads": {"attention": 2},
    "both ways": {"bidirectional": True},
    "norm": {"layer_norm": True},
    "two layers": {"n_layers": 2, "bidirectional": True},
    "segments": {"segment_length": 2, "attention": True},
    "vectors": {"series_embedding": 2},
    "static": {"static_features": ["size"]},
    "all": {
        "attention": 2,
        "bidirectional": True,
        "layer_norm": True,
        "n_layers": 2,
        "series_embedding": 2,
        "static_features": ["size"],
        "skip": True,
        "segment_length": 2,
    },
}


# -------------------------------------------------------------- reference forward pass
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_states(steps, kernel, recurrent, bias, h, c):
    """Compute the states after each step of one window."""
    states = []
    for step in steps:
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def pass_forward(net, window, number=0):
    """Compute prediction and attention of a fitted network for the real rows of one window."""
    weights = {v.path: np.asarray(v) for v in net.model_.variables}
    n_static = [] if net.static_features is None else [0]  # `size` is the first column
    once = [window[-1, n_static]]
    if net.series_embedding:
        once.append(weights["embedding/embeddings"][number])
    once = np.concatenate(once)
    p = net.segment_length
    steps = np.delete(window, n_static, axis=1)
    steps = np.concatenate([np.zeros((-len(steps) % p, steps.shape[1])), steps])
    steps = steps.reshape(len(steps) // p, -1)
    last_segment = steps[-1]
    for layer in range(1, net.n_layers + 1):
        base = f"lstm_{layer}/lstm_cell"
        ways = [base]
        if net.bidirectional:
            outer = f"lstm_{layer}_both_ways"
            ways = [f"{outer}/forward_{base}", f"{outer}/lstm_{layer}_backwards/lstm_cell"]
        outputs = []
        for way, name in enumerate(ways):
            begin = [np.zeros(UNITS)] * 2
            if layer == 1 and len(once):
                begin = [
                    np.tanh(
                        once @ weights[f"begin_1_{part}/kernel"] + weights[f"begin_1_{part}/bias"]
                    )
                    for part in (2 * way, 2 * way + 1)
                ]
            cell = [weights[f"{name}/{part}"] for part in ("kernel", "recurrent_kernel", "bias")]
            states = lstm_states(steps[::-1] if way else steps, *cell, *begin)
            outputs.append(states[::-1] if way else states)
        # Without return_sequences, Keras takes the last state of each direction.
        final = np.concatenate([outputs[0][-1], *(o[0] for o in outputs[1:])])
        steps = np.concatenate(outputs, axis=1)
        if net.layer_norm:
            gamma, beta = (weights[f"norm_{layer}/{part}"] for part in ("gamma", "beta"))
            mean, deviation = np.mean, lambda x: np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3)

            def norm(x, gamma=gamma, beta=beta, mean=mean, deviation=deviation):
                return (x - mean(x, axis=-1, keepdims=True)) / deviation(x) * gamma + beta

            steps, final = norm(steps), norm(final)
    attention = None
    if net.attention:
        fit = np.tanh(
            steps @ weights["attention_keys/kernel"]
            + steps[-1] @ weights["attention_query/kernel"]
            + weights["attention_query/bias"]
        )
        scores = np.exp(fit @ weights["attention_scores/kernel"])
        attention = scores / scores.sum(axis=0)
        final = np.concatenate([(attention.T @ steps).ravel(), steps[-1]])
    parts = [final, *([last_segment] if net.skip else []), once]
    head = np.concatenate(parts) @ weights["head/kernel"] + weights["head/bias"]
    return weights["target_scale/offset"] + weights["target_scale/scale"] * head, attention


@cache
def fitted(name, padding):
    return lstm(**TECHNIQUES[name]).fit(WINDOWS[padding], Y)


# "all" combines the other techniques: each of them alone is a slow test.
ALONE = [
    pytest.param(name, marks=[] if name == "all" else [pytest.mark.slow]) for name in TECHNIQUES
]
CASES = [
    *(pytest.param(*case.values, "nan", marks=case.marks) for case in ALONE),
    *(pytest.param(name, "edge", marks=pytest.mark.slow) for name in ("attention", "all")),
]


@pytest.mark.parametrize(("name", "padding"), CASES)
def test_predictions_equal_the_reference(name, padding):
    windows, net = WINDOWS[padding], fitted(name, padding)
    predicted = net.predict(windows)
    weights = net.attention_weights(windows) if net.attention else None
    assert weights is None or weights.shape == (len(Y), L // net.segment_length)
    for row, window in enumerate(np.asarray(windows, float)):
        # Masked padding must have no effect: the reference does not receive it.
        real = window[-windows.n_observed[row] :] if padding == "nan" else window
        expected, attention = pass_forward(net, real, 1 + windows.codes[row])
        assert_allclose(predicted[row], expected[0], rtol=1e-4, atol=1e-5)
        if weights is not None:
            shown = np.zeros(weights.shape[1])
            shown[len(shown) - len(attention) :] = attention.mean(axis=1)
            assert_allclose(weights[row], shown, atol=1e-5)


@pytest.mark.parametrize(
    "name", [*ALONE, pytest.param("recurrent dropout", marks=pytest.mark.slow)]
)
def test_technique_is_reproducible_and_survives_pickling(name):
    options = TECHNIQUES.get(name, {"recurrent_dropout": 0.3})
    one, other = (lstm(**options).fit(MASKED, Y) for _ in range(2))
    assert one.history_ == other.history_
    predicted = one.predict(MASKED)
    assert_array_equal(other.predict(MASKED), predicted)
    assert_array_equal(pickle.loads(pickle.dumps(one)).predict(MASKED), predicted)
    assert not np.array_equal(lstm().fit(MASKED, Y).predict(MASKED), predicted)
    # Further training changes the predictions.
    assert not np.array_equal(other.partial_fit(MASKED, Y).predict(MASKED), predicted)


@pytest.mark.slow
def test_weights_equal_repetitions_up_to_rounding():
    options = {name: value for name, value in TECHNIQUES["all"].items() if name[0] != "s"}
    X, weight = np.asarray(MASKED), np.arange(len(Y)) % 3
    options |= {"series_weight": None, "batch_size": 32}
    weighted = lstm(**options).fit(X, Y, sample_weight=weight)
    repeated = lstm(**options).fit(X.repeat(weight, axis=0), Y.repeat(weight))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-5)
    assert not np.allclose(lstm(**options).fit(X, Y).predict(X), weighted.predict(X), rtol=1e-3)


@pytest.mark.parametrize(("name", "padding"), CASES)
def test_later_rows_change_nothing(name, padding):
    net, cut = fitted(name, padding), 4
    changed = PANEL.copy()
    changed.loc[changed["cycle"] > cut, ["p", "q"]] = 99.0
    early = (changed["cycle"] <= cut).to_numpy()
    before, after = net.predict(WINDOWS[padding]), net.predict(make_windows(changed, padding))
    assert_array_equal(after[early], before[early])
    assert not np.array_equal(after[~early], before[~early])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["all", "vectors"])
def test_empty_callback_changes_nothing(name):
    # With callbacks, Keras' own steps train the model.
    own = lstm(callbacks=[keras_callback()], **TECHNIQUES[name]).fit(MASKED, Y)
    assert_allclose(own.predict(MASKED), fitted(name, "nan").predict(MASKED), rtol=1e-4, atol=1e-5)


def keras_callback():
    import keras

    return keras.callbacks.Callback()


@pytest.mark.slow
def test_failed_fit_keeps_the_embedding_of_the_earlier_one():
    net = lstm(series_embedding=2).fit(EDGE, Y)
    before = net.predict(EDGE)
    some_missing = np.c_[Y, np.where(PANEL["unit"] == "u1", np.nan, Y)] + 9
    later = np.flatnonzero(PANEL["unit"] != "u0")
    with pytest.raises(ValueError, match="loss='poisson'"):
        net.set_params(loss="poisson").fit(EDGE[later], some_missing[later])
    net.set_params(loss="mse")
    assert_array_equal(net.predict(EDGE), before)


@pytest.mark.slow
def test_grid_search_over_techniques():
    pipe = make_pipeline(
        WindowTransformer(L, padding="nan", columns=["size", "p", "q"], **IDS), lstm(epochs=1)
    )
    grid = [
        {"multiserieslstmregressor__" + key: [value] for key, value in options.items()}
        for options in (*TECHNIQUES.values(), {"recurrent_dropout": 0.3})
    ]
    grid.append({"windowtransformer__padding": ["edge"]})
    search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(PANEL, Y, groups=PANEL["unit"])
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(np.unique(scores.round(6))) == len(grid)


# ------------------------------------------------------------------------------ attention
@pytest.mark.slow
def test_attention_finds_the_step_that_matters():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 6, 1)).astype("float32")
    X[:, :, 0] *= 0.1
    place = rng.integers(0, 5, 600)
    X[np.arange(600), place, 0] = rng.choice([-3, 3], 600)
    y = X[np.arange(600), place, 0]
    net = MultiSeriesLSTMRegressor(
        16, attention=True, epochs=40, learning_rate=0.01, random_state=0
    )
    weights = net.fit(X, y).attention_weights(X)
    assert net.score(X, y) > 0.9
    at = weights[np.arange(600), place] + weights[np.arange(600), place + 1]
    assert at.mean() > 0.5  # the state at the step or the next one; 2 / 6 by chance


def test_attention_must_be_on():
    with pytest.raises(ValueError, match="without attention: set attention=True"):
        lstm(epochs=1).fit(EDGE, Y).attention_weights(EDGE)


# ---------------------------------------------------------------------------------- masks
@pytest.mark.parametrize("name", slow_except(["attention", "all"], "all"))
@pytest.mark.slow
def test_arrays_padded_with_nan_equal_masked_windows(name):
    options = {**TECHNIQUES[name], "series_embedding": 0}
    if "static_features" in options:
        options["static_features"] = [0]
    net, array = lstm(**options).fit(MASKED, Y), np.asarray(MASKED)
    assert_array_equal(net.predict(array), net.predict(MASKED))
    of_array = lstm(**options).fit(array, Y, series_ids=PANEL["unit"])
    assert_array_equal(of_array.predict(array), net.predict(MASKED))


def test_arrays_may_be_padded_in_one_call_and_not_in_another():
    array, full = np.asarray(MASKED), MASKED.n_observed == L
    for first, second in ((full, ~full), (~full, full)):
        net = lstm().fit(array[first], Y[first])
        alone = net.predict(array[first])
        # Predictions depend neither on other rows nor on their padding.
        assert_allclose(net.predict(array)[first], alone, rtol=1e-5)
        net.partial_fit(array[second], Y[second])
        assert np.isfinite(net.predict(array)).all()
    only_full = lstm().fit(array[full], Y[full])
    expected, _ = pass_forward(only_full, array[0][L - MASKED.n_observed[0] :].astype(float))
    assert_allclose(only_full.predict(array)[0], expected[0], rtol=1e-4, atol=1e-5)


def test_missing_rows_between_others_are_not_padding():
    array = np.asarray(EDGE)
    array[2, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        lstm().fit(array, Y)
    for missing in (slice(None), slice(-1, None)):  # a whole window; its last row
        array = np.asarray(EDGE)
        array[2, missing] = np.nan
        with pytest.raises(ValueError, match="contains NaN"):
            lstm().fit(array, Y)


def test_all_masked_windows_enter_the_loss_by_default():
    net = lstm(min_observed=None).fit(MASKED, Y)
    assert (net.series_report(MASKED, Y)["windows"] == net.series_report(MASKED, Y)["rows"]).all()
    with pytest.warns(UserWarning, match="2 of 4 series have no row in the loss"):
        lstm(min_observed=None).fit(EDGE, Y)


def test_padding_must_be_as_in_fit():
    net = lstm(epochs=1).fit(EDGE, Y)
    with pytest.raises(ValueError, match="padded with 'nan', and those of fit were not"):
        net.predict(MASKED)
    with pytest.raises(ValueError, match="padded with 'edge', and those of fit were padded with"):
        fitted("attention", "nan").predict(EDGE)
    full = MASKED[MASKED.n_observed == L]
    # On JAX, the programs with and without a mask round differently.
    rtol = 0 if keras.backend.backend() == "tensorflow" else 1e-6
    assert_allclose(net.predict(full), net.predict(EDGE)[MASKED.n_observed == L], rtol=rtol)


@pytest.mark.slow
def test_incomplete_segment_is_allowed_where_padding_is_masked():
    net = lstm(segment_length=3, attention=True).fit(MASKED, Y)
    assert net.attention_weights(MASKED).shape == (len(Y), 2)
    with pytest.raises(ValueError, match="segment_length=3 does not divide.*padding='nan'"):
        lstm(segment_length=3).fit(EDGE, Y)
    for row, window in enumerate(np.asarray(MASKED, float)):
        expected, _ = pass_forward(net, window[L - MASKED.n_observed[row] :])
        assert_allclose(net.predict(MASKED)[row], expected[0], rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(panel=panels(), seed=st.integers(0, 99))
def test_predictions_of_any_panel_follow_its_rows(panel, seed):
    panel[["p", "q"]] = SimpleImputer(keep_empty_features=True).fit_transform(panel[["p", "q"]])
    windows = make_windows(panel, "nan", columns=("p", "q"))
    net = NETS_OF_ANY.fit(MASKED_PQ, Y) if not hasattr(NETS_OF_ANY, "model_") else NETS_OF_ANY
    predicted = net.predict(windows)
    order = np.random.default_rng(seed).permutation(len(panel))
    shuffled = net.predict(make_windows(panel.iloc[order], "nan", columns=("p", "q")))
    # Rounding may depend on the position in a batch.
    assert_allclose(shuffled, predicted[order], rtol=1e-5, atol=1e-6)
    # Units are "a" to "d" here and "u0" to "u3" in fit: all unseen, so names make no difference.
    renamed = panel.assign(unit="x" + panel["unit"])
    assert_array_equal(net.predict(make_windows(renamed, "nan", columns=("p", "q"))), predicted)
    row = seed % len(panel)
    window = np.asarray(windows, float)[row][L - windows.n_observed[row] :]
    expected, _ = pass_forward(net, window, 0)
    assert_allclose(predicted[row], expected[0], rtol=1e-4, atol=1e-5)


NETS_OF_ANY = lstm(attention=True, bidirectional=True, series_embedding=2)
MASKED_PQ = make_windows(PANEL, "nan", columns=("p", "q"))


# ----------------------------------------------------------------------- series embedding
def make_offsets(n_series=12, n_rows=30, seed=0):
    """Make series that differ only by a constant that no feature shows."""
    rng = np.random.default_rng(seed)
    panel = pd.DataFrame({"unit": np.repeat(np.arange(n_series), n_rows)})
    panel["cycle"] = np.tile(np.arange(n_rows), n_series)
    panel["p"] = rng.normal(size=len(panel))
    offsets = rng.choice([-3.0, 3.0], n_series)
    return panel, panel["p"].to_numpy() + offsets[panel["unit"]]


@pytest.mark.slow
def test_embedding_separates_series_and_unseen_ones_lose_nothing():
    panel, y = make_offsets()
    windows = make_windows(panel, columns=("p",))
    known = (panel["unit"] < 8).to_numpy()
    options = {"epochs": 60, "learning_rate": 0.02, "batch_size": 64}
    plain = lstm(**options).fit(windows[known], y[known])
    net = lstm(series_embedding=2, **options).fit(windows[known], y[known])

    def error(fitted, rows):
        return np.sqrt(np.mean((fitted.predict(windows[rows]) - y[rows]) ** 2))

    assert error(net, known) < 0.5 * error(plain, known)
    assert error(net, ~known) < 1.1 * error(plain, ~known)
    assert list(net.embedded_ids_) == list(range(8))
    # All unseen series are predicted alike, and differently from a fitted one.
    start = windows[known][:30]
    names = [np.full(30, name) for name in (0, 1, 77, 78)]
    same, other, one, two = (
        net.predict(start.with_series(np.zeros(30, int), pd.Index(name[:1]))) for name in names
    )
    assert_array_equal(one, two)
    assert_array_equal(same, net.predict(start))
    assert not np.allclose(other, same) and not np.allclose(one, same)


def test_vector_of_unseen_series_is_trained():
    net = lstm(series_embedding=2, epochs=1).fit(EDGE, Y)
    table = net.model_.get_layer("embedding").get_weights()[0]
    assert table.shape == (5, 2)  # four series, and row 0 for all others
    for steps in (1, 30):
        net.set_params(epochs=steps).fit(EDGE, Y)
        moved = net.model_.get_layer("embedding").get_weights()[0] - table
    assert (np.abs(moved) > 1e-3).all()


@pytest.mark.slow
def test_series_without_training_rows_have_no_vector():
    weight = (PANEL["unit"] != "u1").astype(float)
    with pytest.warns(UserWarning, match="'u1'"):
        net = lstm(series_embedding=2).fit(EDGE, Y, sample_weight=weight)
    assert list(net.embedded_ids_) == ["u0", "u2", "u3"]
    held_out = lstm(series_embedding=2, early_stopping=True, validation_fraction=0.5, epochs=1).fit(
        EDGE, Y
    )
    assert len(held_out.embedded_ids_) == 2


def test_embedding_needs_ids_in_X():
    array = np.asarray(EDGE)
    net = lstm(series_embedding=2, epochs=1).fit(EDGE, Y)
    with pytest.raises(ValueError, match="ids that X carries: X carried ids in fit"):
        net.predict(array)
    with pytest.raises(ValueError, match="series_embedding needs the ids in X itself"):
        lstm(series_embedding=2).fit(array, Y, series_ids=PANEL["unit"])
    # Without ids, all rows are one series, in fit and in predict.
    with pytest.warns(UserWarning, match="X carries no ids"):
        alone = lstm(series_embedding=2, epochs=1).fit(array, Y)
    assert_array_equal(alone.predict(array[:3]), alone.predict(array)[:3])
    with pytest.raises(ValueError, match="X carried none in fit"):
        alone.predict(EDGE)


@pytest.mark.slow
def test_embedding_of_tables_with_ids():
    net = lstm(series_embedding=2, **IDS).fit(PANEL, Y)
    renamed = PANEL.assign(unit="new")
    renamed["cycle"] = np.arange(len(PANEL))
    assert not np.allclose(net.predict(renamed), net.predict(PANEL))
    order = np.random.default_rng(0).permutation(len(PANEL))
    assert_allclose(net.predict(PANEL.iloc[order]), net.predict(PANEL)[order], rtol=1e-5)


# ------------------------------------------------------------------------- static features
def test_small_changes_of_a_static_feature_raise():
    year = PANEL.assign(size=2019.0 + PANEL["unit"].str[1].astype(int))
    assert lstm(static_features=["size"], epochs=1).fit(make_windows(year), Y).n_iter_ == 1
    year.loc[5, "size"] += 1
    with pytest.raises(ValueError, match="'size' .* not constant within series 'u0'"):
        lstm(static_features=["size"]).fit(make_windows(year), Y)


def test_static_features_by_name_or_position():
    by_name = lstm(static_features=["size"]).fit(EDGE, Y).predict(EDGE)
    array = np.asarray(EDGE)
    by_place = lstm(static_features=[0], series_weight=None).fit(array, Y, series_ids=PANEL["unit"])
    weighed_alike = lstm(static_features="size", series_weight=None).fit(EDGE, Y)
    assert_array_equal(by_place.predict(array), weighed_alike.predict(EDGE))
    table = lstm(static_features=["size"], **IDS).fit(PANEL, Y)
    assert table.model_.get_layer("lstm_1").get_weights()[0].shape[0] == 2
    assert table.predict(PANEL).shape == by_name.shape


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["p"], "'p' is named in static_features and is not constant within series 'u0'"),
        (["size", "p", "q"], "contains all 3 features"),
        (["weight"], "static_features= contains 'weight', which is not a column of X"),
        (["size", "size"], "twice"),
        ([], "static_features is empty"),
    ],
)
def test_bad_static_features(names, message):
    with pytest.raises(ValueError, match=message):
        lstm(static_features=names).fit(EDGE, Y)
