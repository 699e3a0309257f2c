"""Tests of HorizonErrorDisplay."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import line_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_pinball_loss, median_absolute_error

from sklstm import backtest
from sklstm.plotting import HorizonErrorDisplay

RNG = np.random.default_rng(0)
TRUE = RNG.normal(10, 1, (20, 3))
PREDICTED = TRUE + RNG.normal(0, [1, 2, 3], (20, 3))
TRUE[3, 1] = np.nan


def as_result(true, predicted):
    """Make the columns of a result of backtest, last step first."""
    n_rows, horizon = true.shape
    table = pd.DataFrame(
        {
            "step": np.tile(np.arange(1, horizon + 1), n_rows),
            "y_true": true.ravel(),
            "prediction": predicted.ravel(),
        }
    )
    table["scaled_error"] = (table["y_true"] - table["prediction"]).abs() / 4
    return table.iloc[::-1]


REFERENCES = {
    "mae": lambda true, predicted: np.abs(true - predicted).mean(),
    "rmse": lambda true, predicted: np.sqrt(np.square(true - predicted).mean()),
    "smape": lambda true, predicted: (
        200 * np.abs(true - predicted) / (np.abs(true) + np.abs(predicted))
    ).mean(),
    "mase": lambda true, predicted: np.abs(true - predicted).mean() / 4,
    median_absolute_error: lambda true, predicted: np.median(np.abs(true - predicted)),
}


@pytest.mark.parametrize("metric", REFERENCES)
def test_errors_equal_a_plain_loop_over_steps(metric):
    known = ~np.isnan(TRUE)
    expected = [
        REFERENCES[metric](TRUE[known[:, step], step], PREDICTED[known[:, step], step])
        for step in range(3)
    ]
    display = HorizonErrorDisplay.from_backtest(as_result(TRUE, PREDICTED), metric=metric)
    (line,) = display.ax_.lines
    assert_array_equal(line.get_xdata(), [1, 2, 3])
    assert_allclose(line.get_ydata(), expected)
    assert display.ax_.get_xlabel() == "step ahead"
    name = "median absolute error" if callable(metric) else metric
    assert display.ax_.get_ylabel().lower().startswith(name)
    assert display.ax_.get_ylim()[0] == 0 and not display.figure_.legends
    if metric != "mase":
        from_arrays = HorizonErrorDisplay.from_predictions(TRUE, PREDICTED, metric=metric)
        assert_allclose(from_arrays.ax_.lines[0].get_ydata(), expected)


class Largest:
    """A metric that is an object."""

    def __call__(self, true, predicted):
        return np.abs(true - predicted).max()


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        (partial(mean_pinball_loss, alpha=0.9), "mean pinball loss"),
        (partial(partial(median_absolute_error)), "median absolute error"),
        (Largest(), "Largest"),
    ],
)
def test_a_metric_need_not_be_a_function(metric, label):
    display = HorizonErrorDisplay.from_predictions(TRUE[1:], PREDICTED[1:], metric=metric)
    assert display.ax_.get_ylabel() == label


def test_models_have_curves_of_their_own():
    results = {"naive": as_result(TRUE, TRUE + 1), "LSTM": as_result(TRUE, PREDICTED)}
    display = HorizonErrorDisplay.from_backtest(results | {"ridge": results["LSTM"]}, metric="mae")
    assert list(display.errors) == ["naive", "LSTM", "ridge"]
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts == ["naive", "LSTM", "ridge"]
    styles = {(line.get_color(), line.get_linestyle()) for line in display.ax_.lines}
    assert len(styles) == 3
    display = HorizonErrorDisplay.from_backtest(results, metric="mae", baseline="naive")
    assert_allclose(line_of(display.ax_, "naive").get_ydata(), 1)
    assert line_of(display.ax_, "naive").get_color() == "0.7"
    _, ax = plt.subplots()
    assert display.plot(ax).ax_ is ax and display.figure_ is ax.figure
    with pytest.raises(ValueError, match=r"'niave' is not one of the models .* mean 'naive'\?"):
        HorizonErrorDisplay.from_backtest(results, baseline="niave")


def test_of_many_models_the_best_are_drawn():
    errors = pd.DataFrame(
        RNG.uniform(1, 2, (5, 30)), index=range(1, 6), columns=[f"m{n}" for n in range(30)]
    )
    errors["m0"] = 9
    display = HorizonErrorDisplay(errors, baseline="m0").plot()
    best = set(errors.mean().sort_values().index[:12])
    assert {line.get_label() for line in display.ax_.lines} == best | {"m0"}
    assert display.ax_.get_title(loc="left") == "the best 12 of 29 models"
    styles = {(line.get_color(), line.get_linestyle()) for line in display.ax_.lines}
    assert len(styles) == 13


class LastValue(BaseEstimator):
    """Forecast the last value of each series."""

    def __init__(self, horizon=2, season_length=1, series="shop", time="day"):
        self.horizon = horizon
        self.season_length = season_length
        self.series = series
        self.time = time

    def fit(self, panel):
        return self

    def forecast(self, panel, future=None):
        last = panel.groupby("shop", as_index=False).tail(1)
        parts = [
            last.assign(day=last["day"] + step, step=step, prediction=last["sold"])
            for step in range(1, self.horizon + 1)
        ]
        return pd.concat(parts)[["shop", "day", "step", "prediction"]]


def test_a_backtest_is_drawn():
    sold = RNG.normal(size=(2, 12)).cumsum(axis=1)
    panel = pd.DataFrame(
        {"shop": np.repeat(["a", "b"], 12), "day": np.tile(range(12), 2), "sold": sold.ravel()}
    )
    result = backtest(LastValue(), panel, n_origins=3, stride=1)
    display = HorizonErrorDisplay.from_backtest(result, metric="mae")
    ahead = [np.abs(sold[:, 7 + step : 10 + step] - sold[:, 7:10]) for step in (1, 2)]
    assert_allclose(display.errors.to_numpy().ravel(), [part.mean() for part in ahead])
    other = backtest(LastValue().set_params(season_length=3), panel, n_origins=3, stride=1)
    with pytest.raises(ValueError, match="'one' and 'other' are scaled by different naive"):
        HorizonErrorDisplay.from_backtest({"one": result, "other": other})
    HorizonErrorDisplay.from_backtest({"one": result, "other": result.iloc[::-1]})
    polars = pytest.importorskip("polars")
    other = HorizonErrorDisplay.from_backtest(polars.from_pandas(result), metric="mae")
    assert_allclose(other.errors, display.errors)


def test_regressors_with_one_output_per_step_are_drawn():
    X = RNG.normal(size=(20, 2))
    y = PREDICTED
    models = {"least squares": LinearRegression().fit(X, y), "zero": LinearRegression().fit(X, y)}
    models["zero"].coef_, models["zero"].intercept_ = np.zeros((3, 2)), np.zeros(3)
    display = HorizonErrorDisplay.from_estimator(models, X, y)
    assert_allclose(display.errors["zero"], np.abs(y).mean(axis=0))
    one = HorizonErrorDisplay.from_estimator(models["least squares"], X, y)
    expected = np.abs(y - models["least squares"].predict(X)).mean(axis=0)
    assert_allclose(one.errors.to_numpy().ravel(), expected)


def test_wrong_input_raises():
    result = as_result(TRUE, PREDICTED)
    with pytest.raises(ValueError, match=r"has the columns .*'scaled_error'\], got \["):
        HorizonErrorDisplay.from_backtest(result.drop(columns="scaled_error"))
    with pytest.raises(ValueError, match=r"metric='maee' must be one of .*Did you mean 'mae'\?"):
        HorizonErrorDisplay.from_backtest(result, metric="maee")
    with pytest.raises(ValueError, match="metric='mase' needs the scale of a backtest"):
        HorizonErrorDisplay.from_predictions(TRUE, PREDICTED, metric="mase")
    two = pd.concat([result.assign(target="sold"), result.assign(target="visits")])
    with pytest.raises(ValueError, match="whose RMSE may have different units"):
        HorizonErrorDisplay.from_backtest(two, metric="rmse")
    assert len(HorizonErrorDisplay.from_backtest(two).errors) == 3
