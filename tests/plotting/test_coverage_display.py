"""Tests of CoverageDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import make_remaining_life
from sklstm.metrics import coverage
from sklstm.plotting import CoverageDisplay

LEVELS = [0.9, 0.1, 0.25, 0.5, 0.75]  # in no order
RNG = np.random.default_rng(0)
Y = RNG.normal(size=60)
Y[5] = np.nan
QUANTILES = np.quantile(RNG.normal(size=(60, 200)), LEVELS, axis=1).T
PANEL = pd.DataFrame({"unit": RNG.permutation(np.repeat(list("abc"), 20)), "p": 1.0})


def test_intervals_are_those_between_symmetric_quantiles():
    display = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS)
    assert_allclose(display.nominal, [0.5, 0.8])
    expected = [
        coverage(Y, QUANTILES[:, 2], QUANTILES[:, 4]),
        coverage(Y, QUANTILES[:, 1], QUANTILES[:, 0]),
    ]
    assert_allclose(display.observed, expected)
    assert_allclose(display.line_.get_xydata(), np.transpose([[0.5, 0.8], expected]))
    assert display.ax_.get_ylabel() == "observed coverage"
    with pytest.raises(ValueError, match=r"No two of the quantiles \[0.1, 0.5\]"):
        CoverageDisplay.from_predictions(Y, QUANTILES[:, [1, 3]], [0.1, 0.5])


def test_quantiles_are_drawn_by_level():
    display = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, by="quantile")
    known = ~np.isnan(Y)
    expected = [np.mean(Y[known] <= QUANTILES[known, place]) for place in (1, 2, 3, 4, 0)]
    assert_allclose(display.nominal, sorted(LEVELS))
    assert_allclose(display.observed, expected)
    assert display.ax_.get_xlabel() == "level of the quantile"
    with pytest.raises(ValueError, match="by='level' must be 'interval' or 'quantile'"):
        CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, by="level")


def test_several_outputs_are_drawn_together():
    y, quantiles = Y.reshape(30, 2), QUANTILES.reshape(30, 2, 5)
    display = CoverageDisplay.from_predictions(
        y, quantiles, LEVELS, panel=PANEL[:30], series="unit"
    )
    assert_allclose(display.observed[1], coverage(Y, QUANTILES[:, 1], QUANTILES[:, 0]))
    own = (PANEL["unit"][:30] == "a").to_numpy()
    expected = coverage(y[own], quantiles[own, :, 1], quantiles[own, :, 0])
    assert_allclose(display.by_series.loc["a", 0.8], expected)
    with pytest.raises(ValueError, match=r"y_quantiles has shape \(60, 4\); for 5 quantiles"):
        CoverageDisplay.from_predictions(Y, QUANTILES[:, :4], LEVELS)


def test_few_series_are_lines_and_many_are_bands():
    display = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, panel=PANEL, series="unit")
    shares = {
        unit: coverage(Y[rows], QUANTILES[rows, 1], QUANTILES[rows, 0])
        for unit, rows in PANEL.groupby("unit").indices.items()
    }
    assert display.by_series[0.8].to_dict() == pytest.approx(shares)
    drawn = [line.get_ydata()[-1] for line in display.ax_.lines[1:-1]]
    assert_allclose(sorted(drawn), sorted(shares.values()))
    assert not display.ax_.collections
    many = PANEL.assign(unit=np.arange(60) // 5)
    display = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, panel=many, series="unit")
    outer, _ = display.ax_.collections
    shares = [
        coverage(
            Y[first : first + 5], QUANTILES[first : first + 5, 1], QUANTILES[first : first + 5, 0]
        )
        for first in range(0, 60, 5)
    ]
    corners = outer.get_paths()[0].vertices
    at_level = corners[np.isclose(corners[:, 0], 0.8), 1]
    assert_allclose([at_level.min(), at_level.max()], np.quantile(shares, [0.05, 0.95]))
    assert outer.get_label() == "90% of 12 series"
    # One interval makes no area.
    one = CoverageDisplay.from_predictions(
        Y, QUANTILES[:, :2], LEVELS[:2], panel=many, series="unit"
    )
    assert_array_equal(one.nominal, [0.8])
    assert len(one.ax_.collections[0].get_segments()) == 1


def test_censored_lives_are_left_out():
    panel = pd.DataFrame({"unit": np.repeat([1, 2], 10)})
    lives = make_remaining_life(panel, {1: True, 2: False}, series="unit")
    quantiles = np.column_stack([lives["time"] - 1, lives["time"] + 1])
    quantiles[7, 1] = -9
    quantiles[15:] = 0
    display = CoverageDisplay.from_predictions(lives, quantiles, [0.1, 0.9])
    assert_allclose(display.observed, 0.9)


class Regressor:
    """Predict quantiles of a normal distribution around the last column."""

    quantiles_ = (0.1, 0.9)

    def fit(self, X, y):
        return self

    def predict_quantiles(self, X):
        return X[:, -1:] + 1.2816 * np.array([-1, 1])

    def prediction_interval(self, X, coverage):
        return X[:, -1] - coverage, X[:, -1] + coverage


def test_a_pipeline_predicts_its_quantiles_or_given_intervals():
    X = np.column_stack([np.arange(40) % 4, RNG.normal(size=40)])
    y = 10 * X[:, 1] + RNG.normal(size=40)
    pipe = make_pipeline(FunctionTransformer(lambda X: 10 * X), Regressor())
    display = CoverageDisplay.from_estimator(pipe, X, y, series=0)
    error = np.abs(y - 10 * X[:, 1])
    assert_allclose(display.nominal, [0.8])
    assert_allclose(display.observed, np.mean(error < 1.2816))
    assert_allclose(display.by_series.loc[2, 0.8], np.mean(error[2::4] < 1.2816))
    display = CoverageDisplay.from_estimator(pipe, X, y, shares=[0.3, 0.6])
    assert_allclose(display.nominal, [0.3, 0.6])
    assert_allclose(display.observed, [np.mean(error <= 0.3), np.mean(error <= 0.6)])
    assert display.by_series is None
    point = make_pipeline(FunctionTransformer())
    with pytest.raises(ValueError, match="Pipeline predicts no quantiles. Set quantiles="):
        CoverageDisplay.from_estimator(point, X, y)


def test_models_share_axes():
    first = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, name="one")
    second = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, name="two", ax=first.ax_)
    assert second.ax_ is first.ax_
    assert first.line_.get_color() != second.line_.get_color()
    texts = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert texts == ["nominal", "one", "two"]
    # Series of a second model are not drawn.
    options = {"panel": PANEL, "series": "unit", "ax": first.ax_}
    CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, **options)
    assert len(first.ax_.lines) == 4 and not first.ax_.collections
    _, ax = plt.subplots()
    assert second.plot(ax, name="other").ax_.get_legend().get_texts()[1].get_text() == "other"


def test_a_backtest_is_drawn():
    result = pd.DataFrame({"shop": PANEL["unit"], "y_true": Y, "prediction": 0.0})
    for place, level in enumerate(LEVELS):
        result[f"q{level:g}"] = QUANTILES[:, place]
    display = CoverageDisplay.from_backtest(result, series="shop")
    expected = CoverageDisplay.from_predictions(Y, QUANTILES, LEVELS, panel=PANEL, series="unit")
    assert_allclose(display.observed, expected.observed)
    assert_allclose(display.by_series, expected.by_series)
    with pytest.raises(ValueError, match="expected y_true and quantiles such as q0.1"):
        CoverageDisplay.from_backtest(result[["shop", "y_true"]])
