"""Test the calibration of quantiles and the weight of the network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone

from sklstm import MultiSeriesForecaster, MultiSeriesLSTMRegressor, stack_series
from sklstm.metrics import coverage


class Overconfident(RegressorMixin, BaseEstimator):
    """Predict zero residuals with very narrow intervals."""

    def __init__(self, quantiles=None):
        self.quantiles = quantiles

    def fit(self, X, y):
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_outputs_))

    def predict_quantiles(self, X):
        return self.predict(X)[..., np.newaxis] + 0.01 * (np.asarray(self.quantiles) - 0.5)


@pytest.mark.parametrize("calibration", ["series", "time"])
def test_calibrated_intervals_have_nominal_coverage(calibration):
    rng = np.random.default_rng(0)
    panel = stack_series([rng.normal(size=60) for _ in range(100)], columns=["y"])
    past = panel[panel.index.get_level_values("time") < 56]
    model = MultiSeriesForecaster(
        4,
        window_length=4,
        quantiles=(0.1, 0.5, 0.9),
        calibration=calibration,
        n_estimators=2,
        regressor=Overconfident(),
        series="series",
        time="time",
    )
    true = panel["y"][panel.index.get_level_values("time") >= 56].to_numpy()
    found = model.fit(past).forecast()
    assert 0.74 < coverage(true, found["q0.1"], found["q0.9"]) < 0.86
    assert_array_equal(found["q0.5"], found["prediction"])
    assert (np.diff(found[["q0.1", "q0.5", "q0.9"]], axis=1) >= 0).all()
    plain = clone(model).set_params(calibration=None).fit(past).forecast()
    assert coverage(true, plain["q0.1"], plain["q0.9"]) < 0.1


def test_held_out_targets_are_not_used_for_training():
    seen = []

    class Spy(MultiSeriesLSTMRegressor):
        def fit(self, X, y, **params):
            seen.append((X.series.unique(), y))
            return super().fit(X, y, **params)

    net = Spy(2, epochs=1, steps_per_epoch=1, min_observed=1)
    ids = {"series": "series", "time": "time"}
    panel = stack_series([np.arange(20.0) + k for k in range(10)], columns=["y"])
    parameters = {"window_length": 3, "quantiles": (0.2, 0.8), "regressor": net, **ids}
    MultiSeriesForecaster(2, calibration="series", n_estimators=5, **parameters).fit(panel)
    held_out = [set(range(10)) - set(series) for series, _ in seen]
    assert sorted(k for part in held_out for k in part) == list(range(10))
    seen.clear()
    changed = panel.copy()
    changed.loc[panel.index.get_level_values("time") >= 18, "y"] += 7.0
    for each in (panel, changed):
        MultiSeriesForecaster(2, calibration="time", n_estimators=1, **parameters).fit(each)
    (_, first), (_, second) = seen
    assert np.isnan(first[~np.isnan(second)]).sum() == 0
    assert np.isfinite(first).sum() == 10 * (2 * 17 - 1)  # targets of rows 1 to 17


def test_calibration_needs_quantiles_and_series():
    panel = stack_series([np.arange(20.0)], columns=["y"])
    with pytest.raises(ValueError, match="quantiles is None"):
        MultiSeriesForecaster(2, calibration="time").fit(panel)
    model = MultiSeriesForecaster(
        2, window_length=3, quantiles=[0.1, 0.9], calibration="series", regressor=None
    )
    with pytest.raises(ValueError, match="at least two series"):
        model.fit(panel)


@pytest.mark.slow
def test_one_series_that_is_not_held_out_is_validated_in_time():
    panel = stack_series([np.sin(np.arange(40.0)), np.cos(np.arange(40.0))], columns=["y"])
    options = {"quantiles": [0.1, 0.9], "calibration": "series", "early_stopping": True}
    options |= {"n_estimators": 1, "hidden_units": 2, "random_state": 0}
    model = MultiSeriesForecaster(2, window_length=4, series="series", time="time", **options)
    assert "val_loss" in model.fit(panel).estimators_[0].history_


@pytest.mark.slow
def test_few_training_rows_give_nearly_the_seasonal_naive_forecast():
    rng = np.random.default_rng(0)
    panel = stack_series([rng.normal(size=30) for _ in range(3)], columns=["y"])
    parameters = {"season_length": 4, "window_length": 4, "n_estimators": 1, "random_state": 0}
    model = MultiSeriesForecaster(2, series="series", time="time", **parameters).fit(panel)
    net = clone(model.estimators_[0])
    own = clone(model).set_params(regressor=net).fit(panel)
    last = panel.groupby("series")["y"].nth([-4, -3]).to_numpy()
    moved, whole = (m.forecast()["prediction"] - last for m in (model, own))
    ratio = np.median(moved / whole)
    assert_allclose(moved, ratio * whole, rtol=1e-3, atol=1e-5)
    assert 0 < ratio < 0.3
