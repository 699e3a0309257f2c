"""Tests of RemainingLifeDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import line_of, make_panel
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from sklstm import WindowTransformer, make_remaining_life
from sklstm.plotting import RemainingLifeDisplay

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel([9, 6, 4], starts=[5, 0, 2], scattered=True)
LIVES = make_remaining_life(PANEL, {"a": True, "b": False, "c": True}, **IDS)
PREDICTED = LIVES["time"] + np.random.default_rng(0).normal(size=len(PANEL))


def rows_of(unit):
    """Return the positions of the rows of a unit, in time order."""
    own = np.flatnonzero(PANEL["unit"] == unit)
    return own[np.argsort(PANEL["cycle"].to_numpy()[own])]


def test_lives_of_few_series_are_drawn_over_time():
    bounds = {"lower": PREDICTED - 1, "upper": PREDICTED + 2}
    display = RemainingLifeDisplay.from_predictions(
        LIVES, PREDICTED, PANEL, **bounds, coverage=0.8, unit="cycles", **IDS
    )
    ids = list(PANEL["unit"].unique())
    assert [axes.get_title(loc="left") for axes in display.axes_] == ids
    for axes, unit in zip(display.axes_, ids, strict=True):
        rows = rows_of(unit)
        cycles = PANEL["cycle"].to_numpy()[rows]
        true = "survived so far (life is longer)" if unit == "b" else "true life"
        for label, values in [("predicted life", PREDICTED), (true, LIVES["time"])]:
            line = line_of(axes, label)
            assert_array_equal(line.get_xdata(), cycles)
            assert_allclose(line.get_ydata(), values[rows])
        assert len(axes.lines) == 2
        (band,) = axes.collections
        corners = band.get_paths()[0].vertices
        first = corners[corners[:, 0] == cycles[0], 1]
        expected = PREDICTED[rows[0]] + [-1, 2]
        assert_allclose([first.min(), first.max()], expected)
        assert band.get_label() == "80% interval"
    assert display.figure_.get_supylabel() == "remaining life (cycles)"
    assert display.figure_.get_supxlabel() == "cycle"
    (legend,) = display.figure_.legends
    assert len(legend.get_texts()) == 4


def test_lives_that_are_known_in_part():
    # A series with an event that is not its last row.
    lives = make_remaining_life(
        pd.DataFrame({"day": range(4), "repair": [False, True, False, False]}), "repair"
    )
    display = RemainingLifeDisplay.from_predictions(
        lives, [1, 0, 5, 5], pd.DataFrame({"p": [0] * 4})
    )
    (axes,) = display.axes_
    assert_array_equal(line_of(axes, "true life").get_ydata(), [1, 0, np.nan, np.nan])
    survived = line_of(axes, "survived so far (life is longer)")
    assert_array_equal(survived.get_ydata(), [np.nan, np.nan, 1, 0])
    assert axes.get_title(loc="left") == ""
    assert display.figure_.get_supxlabel() == "row of the series"


def test_plain_numbers_are_known_lives():
    display = RemainingLifeDisplay.from_predictions(LIVES["time"], PREDICTED, PANEL, **IDS)
    assert display.lives["event"].all()
    with pytest.raises(ValueError, match=r"y_true has shape .*, y_pred has shape"):
        RemainingLifeDisplay.from_predictions(LIVES, np.zeros((len(LIVES), 2)), PANEL, **IDS)


def test_errors_are_summed_up_by_the_true_life():
    bounds = {"lower": PREDICTED - 1, "upper": PREDICTED + 2}
    display = RemainingLifeDisplay.from_predictions(
        LIVES, PREDICTED, PANEL, **bounds, coverage=0.8, kind="error", unit="cycles", **IDS
    )
    (axes,) = display.axes_
    known = LIVES["event"]
    true, error = LIVES["time"][known], (PREDICTED - LIVES["time"])[known]
    lives = np.unique(true)
    line = line_of(axes, "median error")
    assert_array_equal(line.get_xdata(), lives)
    assert_allclose(line.get_ydata(), [np.median(error[true == life]) for life in lives])
    outer, inner = axes.collections
    for band, low, high in [(outer, 0.05, 0.95), (inner, 0.25, 0.75)]:
        corners = band.get_paths()[0].vertices
        for life in lives:
            drawn = corners[corners[:, 0] == life, 1]
            expected = np.quantile(error[true == life], [low, high])
            assert_allclose([drawn.min(), drawn.max()], expected)
    lower = line_of(axes, "80% interval (median)")
    assert_allclose(lower.get_ydata(), line.get_ydata() - 1)
    assert axes.xaxis_inverted()
    assert axes.get_title(loc="left") == "2 series, 13 rows; 6 rows with unknown lives are left out"
    assert axes.get_xlabel() == "true remaining life (cycles)"
    one = display.plot(kind="error", series_ids=["c"]).axes_[0]
    assert one.get_title(loc="left") == "1 series, 4 rows"
    with pytest.raises(ValueError, match="All lives are censored"):
        display.plot(kind="error", series_ids=["b"])


def test_many_lives_are_binned():
    true = np.linspace(0, 100, 1000)
    panel = pd.DataFrame({"unit": np.arange(1000) // 100})
    display = RemainingLifeDisplay.from_predictions(true, true + 3, panel, series="unit")
    line = line_of(display.axes_[0], "median error")
    assert_allclose(line.get_xdata(), np.arange(40) * 2.5 + 1.25)
    assert_allclose(line.get_ydata(), 3)
    one_by_one = panel.assign(unit=np.arange(1000))
    display = RemainingLifeDisplay.from_predictions(true, true, one_by_one, series="unit")
    with pytest.raises(ValueError, match="A figure of 150 axes cannot be read"):
        display.plot(series_ids=range(150))


def test_the_kind_depends_on_the_number_of_series():
    panel = pd.DataFrame({"unit": np.repeat(range(7), 2)})
    true = np.tile([1.0, 0], 7)
    display = RemainingLifeDisplay.from_predictions(true, true, panel, series="unit")
    assert len(display.axes_) == 1 and display.axes_[0].xaxis_inverted()
    assert len(display.plot(kind="series").axes_) == 6
    titles = [axes.get_title(loc="left") for axes in display.plot(series_ids=[6, 2]).axes_]
    assert titles == ["unit 6", "unit 2"]
    _, axes = plt.subplots(1, 2)
    assert list(display.plot(axes, series_ids=[6, 2]).axes_) == list(axes)
    assert axes[1].get_ylabel() == "remaining life" and axes[0].get_legend() is not None
    with pytest.raises(
        ValueError, match=r"series_ids= contains 9, which is not a series of the panel"
    ):
        display.plot(series_ids=[9])
    with pytest.raises(ValueError, match=r"kind='errors' must be one of .* Did you mean 'error'\?"):
        display.plot(kind="errors")


class Life(BaseEstimator):
    """Predict the last value of each window, with intervals if there are quantiles."""

    def __init__(self, quantiles_=None):
        self.quantiles_ = quantiles_

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.asarray(X)[:, -1, 0]

    def prediction_interval(self, X, coverage):
        return self.predict(X) - coverage, self.predict(X) + coverage


@pytest.mark.parametrize(
    ("quantiles", "coverage", "width"),
    [
        (None, None, None),
        ((0.2, 0.5, 0.9), None, 0.6),
        ((0.1, 0.9), 0.5, 0.5),
        ((0.5,), None, None),
    ],
)
def test_a_pipeline_predicts_and_names_the_ids(quantiles, coverage, width):
    pipe = make_pipeline(WindowTransformer(2, **IDS), Life(quantiles)).fit(PANEL, LIVES)
    display = RemainingLifeDisplay.from_estimator(pipe, PANEL, LIVES, coverage=coverage)
    lives = display.lives
    assert list(lives["series"].unique()) == list(PANEL["unit"].unique())
    rows = rows_of("a")
    own = lives[lives["series"] == "a"]
    assert_array_equal(own["time"], PANEL["cycle"].to_numpy()[rows])
    assert_allclose(own["predicted"], PANEL["p"].to_numpy()[rows])
    assert display.coverage == width and ("lower" in lives) == (width is not None)
    if width is not None:
        assert_allclose(lives["upper"] - lives["predicted"], width)
