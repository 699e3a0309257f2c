"""Tests of integrated gradients: a plain loop, completeness, padding, names, units, choices."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers import lstm, make_panel, slow_except
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

from sklstm import (
    MultiSeriesLSTMClassifier,
    MultiSeriesLSTMRegressor,
    PerSeriesScaler,
    PerSeriesTargetRegressor,
    SeriesEnsembleRegressor,
    WindowTransformer,
)
from sklstm.inspection import (
    Attributions,
    _path,
    integrated_gradients,
    permutation_importance,
)
from sklstm.inspection._explained_output import choose_output
from sklstm.inspection._path import integrate

IDS = {"series": "unit", "time": "cycle"}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4, 2)).astype("float32")
Y = np.tanh(2 * X[:, 1, 0]) - X[:, -1, 1] + 30
PANEL = make_panel((9, 7, 3, 1), features=("size", "p", "q"), scattered=True)
PANEL["size"] = PANEL["unit"].map({"a": -1.0, "b": 0.5, "c": 1.0, "d": 2.0})
PANEL_Y = (PANEL["p"] * 3 + PANEL["size"]).to_numpy()


@pytest.fixture(scope="module")
def net():
    return lstm(epochs=20).fit(X, Y)


def windows_of(panel, padding="nan", length=4, **options):
    return WindowTransformer(length, padding=padding, **IDS, **options).fit_transform(panel)


# ------------------------------------------------------------------------- a plain loop
def predict_slowly(net, windows):
    """Predict from windows in float64, from the equations of the LSTM that Keras documents."""
    kernel, recurrent, bias, head, head_bias = (
        np.asarray(weight, np.float64) for weight in net.model_.get_weights()[:5]
    )
    h = c = np.zeros((len(windows), len(recurrent)))
    for step in np.moveaxis(windows, 1, 0):
        gates = np.split(step @ kernel + h @ recurrent + bias, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gates[place])) for place in (0, 1, 3))
        c = f * c + i * np.tanh(gates[2])
        h = o * np.tanh(c)
    scale = net.model_.get_layer("target_scale")
    return float(scale.offset[0]) + float(scale.scale[0]) * (h @ head + head_bias)[:, 0]


def integrate_slowly(predict, window, baseline, n_steps=400, step=1e-5):
    """Integrate finite differences by the midpoint rule."""
    places = (np.arange(n_steps) + 0.5) / n_steps
    points = baseline + places[:, np.newaxis, np.newaxis] * (window - baseline)
    values = np.zeros(window.shape)
    for cell in np.ndindex(*window.shape):
        change = np.zeros(window.shape)
        change[cell] = step
        slopes = (predict(points + change) - predict(points - change)) / (2 * step)
        values[cell] = (window - baseline)[cell] * slopes.mean()
    return values


def test_attributions_are_those_of_a_plain_loop(net):
    baseline = np.array([0.5, -1.0])
    found = integrated_gradients(net, X, rows=[0, 17, 59], baseline=baseline)
    for values, window in zip(found.values, X[found.rows].astype(float), strict=True):
        expected = integrate_slowly(lambda x: predict_slowly(net, x), window, baseline)
        assert_allclose(values, expected, atol=1e-5 * np.abs(expected).max())
    start = np.broadcast_to(baseline, (3, 4, 2))
    assert_allclose(found.baseline_predictions, predict_slowly(net, start), rtol=1e-6)
    assert_allclose(found.predictions, predict_slowly(net, X[found.rows].astype(float)), rtol=1e-6)


# ------------------------------------------------------------------------ the path integral
class Cells:
    """One-cell windows with the given values, and an output as a function of the cell."""

    padding = "edge"

    def __init__(self, values):
        self.values = np.asarray(values, float).reshape(-1, 1, 1)
        self.shape = self.values.shape

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        return Cells(self.values[rows])

    def gather(self, key):
        return self.values[key]


@pytest.mark.parametrize("function", ["smooth", "kinks"])
def test_the_integral_is_exact_where_a_few_nodes_are_not(function):
    output, slope, most = {
        "smooth": (lambda x: np.tanh(30 * x), lambda x: 30 / np.cosh(30 * x) ** 2, 200),
        "kinks": (
            lambda x: np.abs(x - 0.3) - 2 * np.abs(x - 0.711),
            lambda x: np.sign(x - 0.3) - 2 * np.sign(x - 0.711),
            400,
        ),
    }[function]
    n_nodes = []

    def gradients(points, rows):
        x = points.gather(np.arange(len(points)))
        n_nodes.append(len(x))
        return output(x)[:, 0, 0], slope(x)

    found = integrate(gradients, Cells([1.0]), np.zeros((1, 1)), 1e-3, 10_000, [])
    assert found.errors[0] <= 1e-3
    assert_allclose(found.values[0, 0, 0], output(1.0) - output(0.0), atol=1e-3)
    assert len(n_nodes) > 1 and sum(n_nodes) < most
    n_nodes.clear()
    short = integrate(gradients, Cells([1.0, -1.0]), np.zeros((1, 1)), 1e-3, 8, [])
    assert n_nodes == [20] and short.errors.max() > 1e-3
    assert_allclose(short.end, output(np.array([1.0, -1.0])))


def test_blocks_do_not_matter(net, monkeypatch):
    expected = integrated_gradients(net, X, rows=slice(0, 20))
    monkeypatch.setattr(_path, "BLOCK_BYTES", 4 * 10 * 8 * 3)
    found = integrated_gradients(net, X, rows=slice(0, 20))
    assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-6)


def test_rows_that_miss_the_tolerance_are_counted(net):
    with pytest.warns(UserWarning, match=r"of 60 rows miss tol=1e-12 with max_nodes=8"):
        integrated_gradients(net, X, tol=1e-12, max_nodes=8)


# -------------------------------------------------------------------------- completeness
NETWORKS = {
    "plain": {},
    "rich": {
        "attention": 2,
        "segment_length": 3,
        "series_embedding": 2,
        "static_features": ["size"],
        "skip": True,
    },
    "quantiles": {"quantiles": (0.1, 0.9)},
    "norm": {"layer_norm": True, "bidirectional": True, "n_layers": 2},
}


@pytest.mark.parametrize(("name", "padding"), slow_except({
    "plain-nan": ("plain", "nan"),
    "rich-nan": ("rich", "nan"),
    "plain-zero": ("plain", "zero"),
    "plain-edge": ("plain", "edge"),
    "quantiles-nan": ("quantiles", "nan"),
    "norm-nan": ("norm", "nan"),
    "norm-edge": ("norm", "edge"),
}, "plain-nan"))  # fmt: skip
def test_attributions_sum_to_the_difference_of_predictions(name, padding):
    windows = windows_of(PANEL, padding)
    net = lstm(**NETWORKS[name], min_observed=1, epochs=5).fit(windows, PANEL_Y)
    found = integrated_gradients(net, windows, tol=1e-4)
    predicted = net.predict(windows)
    assert_allclose(found.predictions, predicted, rtol=1e-5)
    baseline = net.predict(windows.with_rows(np.zeros_like(windows.rows)))
    assert_allclose(found.baseline_predictions, baseline, rtol=1e-5, atol=1e-5)
    total = found.values.sum(axis=(1, 2))
    assert np.abs(total - (predicted - baseline)).max() < 1e-3 * predicted.std()
    assert_allclose(found.by_feature().sum(axis=1), total, atol=1e-9)
    assert_allclose(found.by_lag().sum(axis=1), total, atol=1e-9)
    if padding != "edge":
        is_padding = np.arange(3, -1, -1) >= windows.n_observed[:, np.newaxis]
        assert is_padding.any() and not found.values[is_padding].any()
        assert found.values[~is_padding].any(axis=1).all()
    if name == "rich":
        place = found.feature_names.index("size")
        assert not found.values[:, :-1, place].any() and found.values[:, -1, place].all()


@pytest.mark.slow
def test_categories_are_held_fixed():
    panel = PANEL.assign(size=PANEL["unit"].astype("category"))
    net = lstm(min_observed=1, epochs=5)
    pipe = make_pipeline(WindowTransformer(4, categorical_features=["size"], **IDS), net)
    pipe.fit(panel, PANEL_Y)
    found = integrated_gradients(pipe, panel)
    assert np.abs(found.errors).max() < 1e-3 * found.predictions.std()
    assert_allclose(found.predictions, pipe.predict(panel), rtol=1e-5)
    assert not found.by_feature()["size"].any() and found.by_feature()["p"].all()
    windows = pipe[:-1].transform(panel)
    rows = np.where([name == "size" for name in windows.names], windows.rows, 0)
    expected = net.predict(windows.with_rows(rows))
    assert_allclose(found.baseline_predictions, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gradients_of_mixed_networks_are_precise(policy):
    keras = pytest.importorskip("keras")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        net = lstm(epochs=5).fit(X, Y)
    finally:
        keras.config.set_dtype_policy(before)
    found = integrated_gradients(net, X)
    assert np.abs(found.errors).max() < 1e-3 * found.predictions.std()
    assert_allclose(found.predictions, net.predict(X), atol=0.1 * Y.std())


# ---------------------------------------------------------------------- pipelines, names
@pytest.fixture(scope="module")
def pipe():
    net = lstm(min_observed=1, epochs=5)
    windows = WindowTransformer(4, spacing=2, padding="nan", **IDS)
    return make_pipeline(PerSeriesScaler(columns=["p", "q"], **IDS), windows, net).fit(
        PANEL, PANEL_Y
    )


def test_a_pipeline_is_explained_by_the_names_of_its_columns(pipe):
    found = integrated_gradients(pipe, PANEL, rows=[3, -1, 0])
    assert isinstance(found, Attributions)
    assert repr(found) == "<Attributions of 3 rows to 4 lags of 3 features>"
    assert found.feature_names == ["size", "p", "q"] and len(found) == 3
    assert_array_equal(found.lags, [6, 4, 2, 0])
    assert_array_equal(found.rows, [3, 19, 0])
    assert list(found.series) == list(PANEL["unit"].iloc[[3, 19, 0]])
    assert_allclose(found.predictions, pipe.predict(PANEL)[[3, 19, 0]], rtol=1e-6)
    windows = pipe[:-1].transform(PANEL)
    direct = integrated_gradients(pipe[-1], windows, rows=[3, -1, 0])
    assert_array_equal(found.values, direct.values)
    assert_array_equal(found.n_observed, windows.n_observed[found.rows])
    by_lag = found.by_lag()
    assert list(by_lag.columns) == [6, 4, 2, 0] and list(by_lag.index) == [3, 19, 0]
    assert_allclose(found.by_feature()["p"], found.values[:, :, 1].sum(axis=1))


def test_searches_and_arrays_are_explained(pipe):
    search = GridSearchCV(FrozenEstimator(pipe), {}, cv=2)
    search.best_estimator_ = pipe
    expected = integrated_gradients(pipe, PANEL).values
    assert_array_equal(integrated_gradients(search, PANEL).values, expected)
    array = PANEL.assign(unit=pd.factorize(PANEL["unit"])[0]).to_numpy(float)
    net = lstm(min_observed=1, epochs=1)
    steps = WindowTransformer(4, padding="nan", series=0, time=1), net
    found = integrated_gradients(make_pipeline(*steps).fit(array, PANEL_Y), array, rows=0)
    assert found.feature_names == ["x2", "x3", "x4"]
    nameless = make_pipeline(FunctionTransformer(), *steps).fit(array, PANEL_Y)
    assert integrated_gradients(nameless, array, rows=0).feature_names == ["x0", "x1", "x2"]


@pytest.mark.parametrize("target", [None, "p"])
def test_target_units(target, pipe):
    model = PerSeriesTargetRegressor(FrozenEstimator(pipe), target=target, **IDS)
    model.fit(PANEL, PANEL_Y)
    model.regressor_ = pipe
    rows = np.array([0, 5, 11])
    found = integrated_gradients(model, PANEL, rows=rows)
    predicted = model.predict(PANEL)[rows]
    assert_allclose(found.predictions, predicted, rtol=1e-5)
    assert np.abs(found.errors).max() < 1e-3 * model.predict(PANEL).std()
    scaled = integrated_gradients(pipe, PANEL, rows=rows)
    if target is None:
        series = PANEL["unit"].iloc[rows]
        scale = pd.Series(PANEL_Y).groupby(PANEL["unit"].to_numpy()).std(ddof=0)[series].to_numpy()
        known = scale > 0
    else:
        scale, known = model.scaler_.center_scale(PANEL)[1][rows, 0], np.ones(3, bool)
    expected = scaled.values * scale[:, np.newaxis, np.newaxis]
    assert_allclose(found.values[known], expected[known], rtol=1e-5)


def test_target_units_need_a_linear_map(pipe):
    model = PerSeriesTargetRegressor(FrozenEstimator(pipe), scaler=PowerTransformer(), **IDS)
    longer = PANEL[PANEL["unit"].isin(["a", "b"])]
    model.fit(longer, np.arange(len(longer)) * 1.0)
    with pytest.raises(ValueError, match="Pass the regressor_ of this PerSeriesTargetRegressor"):
        integrated_gradients(model, longer)


@pytest.mark.parametrize("estimator", [StandardScaler(), SeriesEnsembleRegressor(lstm())])
def test_other_estimators_raise(estimator):
    with pytest.raises(TypeError, match="is not a single network. Pass a fitted"):
        integrated_gradients(estimator, X)


# --------------------------------------------------------------------------------- choices
@pytest.mark.parametrize("rows", [
    slice(5, 9), [5, 6, 7, 8], np.arange(60) // 4 == 14, pd.Series([5, -1]), -3,
])  # fmt: skip
def test_rows_are_chosen_as_from_an_array(rows, net):
    everything = integrated_gradients(net, X)
    found = integrated_gradients(net, X, rows=rows)
    expected = np.atleast_1d(np.arange(60)[rows if isinstance(rows, slice) else np.asarray(rows)])
    assert_array_equal(found.rows, expected)
    assert_allclose(found.values, everything.values[expected], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("rows", "message"), [
    ([60], "does not fit X, which has 60 rows"),
    (np.ones(5, bool), "does not fit X, which has 60 rows"),
    ([], "chooses no row"),
    (slice(0), "chooses no row"),
    ([0.5], "rows holds 0.5, expected positions"),
    (["a"], "rows holds 'a', expected positions.*pass a mask"),
])  # fmt: skip
def test_wrong_rows_raise(rows, message, net):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(net, X, rows=rows)


def test_the_baseline_may_be_given_in_several_ways(net):
    row = np.array([0.25, 0.5])
    expected = integrated_gradients(net, X, baseline=row).values
    assert_array_equal(integrated_gradients(net, X, baseline=np.tile(row, (4, 1))).values, expected)
    background = RNG.normal(size=(10, 4, 2))
    background[:, -1] += row - background[:, -1].mean(axis=0)
    found = integrated_gradients(net, X, background=background)
    assert_allclose(found.values, expected, atol=1e-5)
    level = integrated_gradients(net, X, baseline=0.25).baseline_predictions
    assert_allclose(level, net.predict(np.full((60, 4, 2), 0.25)), rtol=1e-6)


@pytest.mark.parametrize(("options", "message"), [
    ({"baseline": np.zeros(4)}, r"one value per feature, \(2,\), or a window, \(4, 2\)"),
    ({"baseline": np.nan}, "NaN or infinity"),
    ({"baseline": 1.0, "background": X}, "both passed"),
    ({"output": 1}, "not the position of an output: the network has 1"),
    ({"quantile": 0.5}, "fitted without quantiles"),
])  # fmt: skip
def test_wrong_choices_raise(options, message, net):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(net, X, **options)


def test_a_far_baseline_warns(net):
    with pytest.warns(UserWarning, match=r"far from all values of 1 of 2 features: 'x1' ranges"):
        integrated_gradients(net, X, rows=0, baseline=[0.0, 500.0])


@pytest.mark.slow
def test_codes_of_categories_are_far_from_no_baseline():
    panel = pd.DataFrame({"kind": np.repeat(np.arange(30), 3), "p": np.tile([0.0, 1, -1], 30)})
    pipe = make_pipeline(WindowTransformer(2, categorical_features=["kind"]), lstm(epochs=1))
    pipe.fit(panel, panel["p"])
    found = integrated_gradients(pipe, panel.iloc[-6:])  # codes 29 and 30
    assert not found.by_feature()["kind"].any()


def test_an_output_is_chosen():
    def choose(output, quantile, n_outputs=1, quantiles=None, logits=False):
        shape = (n_outputs,) if quantiles is None else (n_outputs, len(quantiles))
        spec = SimpleNamespace(
            n_outputs=n_outputs, quantiles=quantiles, logits=logits, output_shape=shape
        )
        units = 10.0 + np.arange(n_outputs), 2.0 + np.arange(n_outputs)
        chosen = choose_output(
            SimpleNamespace(_network=SimpleNamespace(spec=spec, output_map=units)), output, quantile
        )
        return chosen.weights.tolist(), chosen.center, chosen.scale

    levels = (0.1, 0.5, 0.9)
    assert choose(None, None) == ([1], 10, 2)
    assert choose(2, None, 3) == ([0, 0, 1], 12, 4)
    assert choose(None, None, quantiles=levels) == ([[0, 1, 0]], 10, 2)
    assert choose(1, 0.9, 2, levels) == ([[0, 0, 0], [0, 0, 1]], 11, 3)
    assert choose(None, None, logits=True) == ([1], 10, 2)
    assert choose(3, None, 4, logits=True)[:2] == ([-0.25, -0.25, -0.25, 0.75], 1.5)
    with pytest.raises(ValueError, match="has 2 outputs, .* pass output=0 to output=1"):
        choose(None, None, 2)
    with pytest.raises(ValueError, match="has 2 classes, in the order of classes_, and"):
        choose(None, None, 2, logits=True)
    with pytest.raises(ValueError, match=r"not one of the levels .* \[0.1, 0.5, 0.9\]"):
        choose(None, 0.3, quantiles=levels)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_are_explained(n_classes):
    labels = np.array(["low", "mid", "top"])[np.digitize(X[:, -1, 0], [-0.5, 0.5][: n_classes - 1])]
    options = {"hidden_units": 4, "epochs": 20, "batch_size": 16, "learning_rate": 0.02}
    net = MultiSeriesLSTMClassifier(**options, random_state=0).fit(X, labels)
    found = integrated_gradients(net, X, output=n_classes - 2)
    logits = net.predict_log_proba(X)
    expected = logits[:, 1] - (logits[:, 0] if n_classes == 2 else logits.mean(axis=1))
    assert_allclose(found.predictions, expected, atol=1e-5)
    assert np.abs(found.errors).max() < 1e-3 * expected.std()
    result = permutation_importance(net, X, labels, scoring="neg_log_loss")
    assert result.names[result.importances_mean.argmax()] == "x0"
    accuracy = permutation_importance(net, X, labels, n_repeats=1)
    assert accuracy.baseline_score == net.score(X, labels)


@pytest.mark.slow
def test_outputs_and_quantiles_are_explained():
    targets = np.column_stack([Y, -2 * Y])
    net = lstm(quantiles=(0.1, 0.9), epochs=5).fit(X, targets)
    predicted = net.predict_quantiles(X)
    found = integrated_gradients(net, X, output=1, quantile=0.9)
    assert_allclose(found.predictions, predicted[:, 1, 1], rtol=1e-5)
    assert np.abs(found.errors).max() < 1e-3 * predicted[:, 1, 1].std()
    median = integrated_gradients(net, X, output=0)
    assert_allclose(median.predictions, net.predict(X)[:, 0], rtol=1e-5)


def test_a_network_that_is_not_fitted_raises():
    with pytest.raises(ValueError, match="not fitted"):
        integrated_gradients(MultiSeriesLSTMRegressor(), X)
