"""Test the weights of the steps of the horizon."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import Ridge

from sklstm import MultiSeriesForecaster, MultiSeriesLSTMRegressor, stack_series

IDS = {"series": "series", "time": "time"}


def make_panel(n_rows=40, n_series=5):
    rng = np.random.default_rng(0)
    return stack_series([rng.normal(size=n_rows) for _ in range(n_series)], columns=["y"])


def make_forecaster(horizon=2, **parameters):
    parameters = {"window_length": 4, "n_estimators": 1, "regressor": Ridge(), **parameters}
    return MultiSeriesForecaster(horizon, **parameters, **IDS)


def test_targets_are_multiplied_by_weights_with_mean_1():
    seen = []

    class Spy(Ridge):
        def fit(self, X, y):
            seen.append(y)
            return super().fit(X, y)

    panel = make_panel().assign(z=1.0 + np.arange(200))
    for weight in (None, (2.0, 4.0, 6.0), [1, 1, 1]):
        make_forecaster(3, step_weight=weight, regressor=Spy()).fit(panel)
    assert_allclose(seen[1].reshape(-1, 2, 3), seen[0].reshape(-1, 2, 3) * [0.5, 1, 1.5], rtol=1e-5)
    assert_array_equal(seen[2], seen[0])


def test_separate_models_of_the_steps_do_not_depend_on_the_weights():
    panel = make_panel()
    expected = make_forecaster().fit(panel).forecast()
    found = make_forecaster(step_weight=np.array([1e-3, 5.0])).fit(panel).forecast()
    assert_allclose(found["prediction"], expected["prediction"], rtol=1e-4, atol=1e-5)


class ZeroQuantiles(RegressorMixin, BaseEstimator):
    """Predict zero residuals, in all quantiles."""

    def __init__(self, quantiles=None):
        self.quantiles = quantiles

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_outputs_))

    def predict_quantiles(self, X):
        return self.predict(X)[..., np.newaxis] + np.zeros(len(self.quantiles))


def test_calibrated_intervals_do_not_depend_on_the_weights():
    panel = make_panel()
    model = make_forecaster(
        quantiles=(0.1, 0.9), calibration="series", regressor=ZeroQuantiles(), random_state=0
    )
    expected = clone(model).fit(panel).forecast()
    found = model.set_params(step_weight=(1, 10)).fit(panel).forecast()
    assert (expected["q0.9"] - expected["q0.1"] > 0.1).all()
    assert_allclose(found[["q0.1", "q0.9"]], expected[["q0.1", "q0.9"]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("important", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_small_network_learns_the_steps_that_count(important):
    # Each step depends on another column, and one unit remembers one of them.
    rng = np.random.default_rng(0)
    panel = stack_series([rng.normal(size=(400, 2)) for _ in range(4)], columns=["p", "q"])
    values = 0.2 * panel["p"].shift(1) + 0.2 * panel["q"].shift(2)
    panel["y"] = np.where(panel.groupby("series").cumcount() < 2, 0.0, values)
    panel = panel.reset_index()
    net = MultiSeriesLSTMRegressor(1, loss="mae", epochs=20, learning_rate=0.05, min_observed=1)
    weight = np.ones(2)
    weight[important] = 30
    model = make_forecaster(
        target="y", step_weight=weight, regressor=net, window_length=1, random_state=0
    ).fit(panel)
    found = model.predict(panel)
    row = panel["y"].to_numpy()
    # Of the next row, p is known; of the row after it, q is known.
    parts = 0.2 * panel[["p", "q"]].to_numpy()
    use = [abs(np.corrcoef(found[:, step] - row, parts[:, step])[0, 1]) for step in range(2)]
    assert use[important] > use[1 - important] + 0.1, use


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ((1.0,), "must hold a positive weight for each of the 2 steps"),
        ((1.0, 0.0), "must hold a positive weight"),
        ((1.0, -1.0), "must hold a positive weight"),
        ([[1.0, 1.0]], "must hold a positive weight"),
        ((1.0, np.nan), "must hold a positive weight"),
        ((1.0, np.inf), "must hold a positive weight"),
        (["a", "b"], r"step_weight=\['a', 'b'\] must hold a positive weight"),
        ({1: 1.0, 2: 2.0}, "must hold a positive weight"),
        ("late", "step_weight='late' must hold a positive weight"),
        (2, "step_weight=2 must hold a positive weight for each of the 2 steps"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        make_forecaster(step_weight=weight).fit(make_panel())
