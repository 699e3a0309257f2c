"""Tests of ClassesOverTimeDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import line_of, make_panel
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from sklstm import WindowTransformer, make_event_targets
from sklstm.plotting import ClassesOverTimeDisplay

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_panel([9, 6, 7, 5], starts=[5, 0, 2, 1], scattered=True)
CLASSES = np.array(["idle", "on", "worn"])
RNG = np.random.default_rng(0)
PROBA = RNG.dirichlet(np.ones(3), len(PANEL))
# Units a, c and d wear out after 3, 5 and 0 rows; unit b does not.
RANK = PANEL.groupby("unit")["cycle"].rank().to_numpy().astype(int) - 1
FIRST = PANEL["unit"].map({"a": 3, "b": 99, "c": 5, "d": 0}).to_numpy()
LABELS = np.where(RANK >= FIRST, "worn", np.where(RANK % 2, "on", "idle")).astype(object)


def draw(labels=LABELS, proba=PROBA, panel=PANEL, **options):
    options = {"classes": CLASSES, **IDS} | options
    return ClassesOverTimeDisplay.from_predictions(labels, proba, panel, **options)


def rows_of(unit):
    own = np.flatnonzero(PANEL["unit"] == unit)
    return own[np.argsort(PANEL["cycle"].to_numpy()[own])]


def test_areas_are_probabilities_and_the_strip_is_the_truth():
    labels = LABELS.copy()
    labels[rows_of("b")[2]] = None
    display = draw(labels)
    ids = list(PANEL["unit"].unique())
    assert [axes.get_title(loc="left") for axes in display.axes_] == ids
    for axes, unit in zip(display.axes_, ids, strict=True):
        rows = rows_of(unit)
        *areas, strip = axes.collections
        heights = np.cumsum(PROBA[rows], axis=1)
        for area, height in zip(areas, heights.T, strict=True):
            corners = area.get_paths()[0].vertices
            tops = [corners[corners[:, 0] == x, 1].max() for x in PANEL["cycle"].iloc[rows]]
            assert_allclose(tops, height)
        colors = {name: area.get_facecolor()[0] for name, area in zip(CLASSES, areas, strict=True)}
        axes.figure.canvas.draw()
        for color, label in zip(strip.get_facecolor(), labels[rows], strict=True):
            assert_allclose(color, [0, 0, 0, 0] if label is None else colors[label], atol=1e-2)
    (legend,) = display.figure_.legends
    assert [text.get_text() for text in legend.get_texts()] == list(CLASSES)
    assert display.figure_.get_supylabel() == "predicted probability"


def test_small_classes_share_a_colour():
    proba = RNG.dirichlet([9, 1, 9, 9, 2, 9, 9, 1], len(PANEL))
    display = draw(RANK % 8, proba, classes=np.arange(8), series_ids=["b"])
    (axes,) = display.axes_
    *areas, strip = axes.collections
    labels = [area.get_label() for area in areas]
    assert labels == ["class 0", "class 2", "class 3", "class 5", "class 6", "3 other classes"]
    tops = areas[-1].get_paths()[0].vertices[:, 1].max()
    assert tops == pytest.approx(1)
    axes.figure.canvas.draw()
    assert_allclose(strip.get_facecolor()[1], to_rgba("0.7"), atol=1e-2)  # class 1


def test_series_are_aligned_at_the_first_row_of_a_class():
    display = draw(kind="change")
    (axes,) = display.axes_
    offset = np.where(np.isin(FIRST, [3, 5]), RANK - FIRST, 99)
    offsets = np.unique(offset[offset < 99])
    line = line_of(axes, "median")
    assert_array_equal(line.get_xdata(), offsets)
    expected = [np.median(PROBA[offset == number, 2]) for number in offsets]
    assert_allclose(line.get_ydata(), expected)
    assert axes.get_title(loc="left") == "2 of 4 series"
    assert axes.get_xlabel() == "rows after the first row of worn"
    assert axes.get_ylabel() == "predicted probability of worn"
    one = display.plot(kind="change", series_ids=["c"]).axes_[0]
    assert_allclose(line_of(one, "median").get_ydata(), PROBA[rows_of("c"), 2])
    on = display.plot(kind="change", label="on").axes_[0]
    # Only unit d has no row of this class.
    assert on.get_title(loc="left") == "3 of 4 series"
    with pytest.raises(ValueError, match="No series changes to worn"):
        display.plot(kind="change", series_ids=["b", "d"])


def test_a_first_row_with_a_label_is_no_change():
    labels = LABELS.copy()
    labels[(RANK < FIRST) & (PANEL["unit"] == "a")] = None  # only known once it is worn
    labels[rows_of("c")[0]] = None
    display = draw(labels, kind="change")
    assert display.axes_[0].get_title(loc="left") == "1 of 4 series"


def test_positions_of_few_series_are_not_drawn():
    # Of 20 series, one is longer than the others.
    lengths = {f"u{number:02}": 4 if number else 9 for number in range(20)}
    panel = make_panel(lengths)
    labels = (panel["cycle"] >= 2).to_numpy().astype(int)
    proba = np.column_stack([1 - labels, labels]).astype(float)
    display = draw(labels, proba, panel, classes=[0, 1])
    assert_array_equal(line_of(display.axes_[0], "median").get_xdata(), [-2, -1, 0, 1])


def test_series_are_aligned_at_their_start():
    kinds = PANEL["unit"].map({"a": "on", "b": "idle", "c": "worn", "d": None}).to_numpy()
    display = draw(kinds, kind="start")
    (axes,) = display.axes_
    codes = PANEL["unit"].map({"a": 1, "b": 0, "c": 2, "d": 9}).to_numpy()
    known = codes < 9
    expected = [
        np.median([PROBA[row, codes[row]] for row in np.flatnonzero(known & (RANK == rank))])
        for rank in range(9)
    ]
    assert_allclose(line_of(axes, "median").get_ydata(), expected)
    assert line_of(axes, "1 / 3 (chance)").get_ydata()[0] == pytest.approx(1 / 3)
    assert axes.get_title(loc="left") == "3 series"
    with pytest.raises(ValueError, match="No true label is known"):
        draw(np.full(len(PANEL), np.nan), kind="start")


def test_the_kind_depends_on_the_series():
    panel = make_panel({f"u{number}": 3 for number in range(7)})
    proba = np.full((len(panel), 2), 0.5)
    options = {"classes": [False, True], "panel": panel, "proba": proba}
    changing = draw((panel["cycle"] == 2).to_numpy(), **options)
    assert changing.axes_[0].get_xlabel() == "rows after the first row of class True"
    constant = draw((panel["unit"] > "u3").to_numpy(), **options)
    assert constant.axes_[0].get_xlabel() == "rows after the start of the series"
    assert len(constant.plot(kind="series").axes_) == 6
    _, ax = plt.subplots()
    assert constant.plot(ax, series_ids="u6").axes_[0] is ax
    assert ax.get_ylabel() == "predicted probability"


def test_a_series_of_one_row_is_drawn():
    panel = pd.DataFrame({"day": [pd.Timestamp("2024-03-01")]})
    display = draw(["on"], [[0.2, 0.5, 0.3]], panel, series=None, time="day")
    display.figure_.canvas.draw()
    assert display.axes_[0].get_title(loc="left") == ""


class Classifier(BaseEstimator):
    """Predict a probability from the last value of each window."""

    def fit(self, X, y):
        self.classes_ = np.array([0.0, 1.0])
        return self

    def predict_proba(self, X):
        risk = 1 / (1 + np.exp(-np.asarray(X)[:, -1, 0]))
        return np.column_stack([1 - risk, risk])


def test_a_pipeline_predicts_and_names_the_ids():
    panel = PANEL.assign(failed=(PANEL["unit"] == "a") & (RANK == 8))
    y = make_event_targets(panel, "failed", horizon=2, **IDS)  # NaN at the end of other units
    pipe = make_pipeline(WindowTransformer(2, columns=["p"], **IDS), Classifier()).fit(panel, y)
    display = ClassesOverTimeDisplay.from_estimator(pipe, panel, y)
    own = (display.rows["series"] == "a").to_numpy()
    risk = 1 / (1 + np.exp(-PANEL["p"].to_numpy()[rows_of("a")]))
    assert_allclose(display.probabilities[own, 1], risk)
    assert_array_equal(display.rows["code"][own], [0] * 6 + [1] * 3)
    # Labels of make_event_targets are floats.
    assert display.axes_[0].get_legend_handles_labels()[1] == ["class 0", "class 1"]
    other = display.rows["code"][display.rows["series"] == "b"]
    assert_array_equal(other, [0] * 4 + [-1] * 2)
    # The time is that of the estimator, also where the ids are given.
    named = ClassesOverTimeDisplay.from_estimator(pipe, panel, y, series="unit")
    pd.testing.assert_frame_equal(named.rows, display.rows)
    assert_array_equal(named.probabilities, display.probabilities)


def test_wrong_input_raises():
    with pytest.raises(ValueError, match=r"label 'wornn', but the classes are \['idle'"):
        draw(np.where(LABELS == "worn", "wornn", LABELS))
    with pytest.raises(ValueError, match=r"y_proba has shape \(27, 2\), expected one column"):
        draw(proba=PROBA[:, :2])
    with pytest.raises(ValueError, match=r"label='wornn' is not one .* Did you mean 'worn'\?"):
        draw(label="wornn")
    with pytest.raises(ValueError, match="kind='stop' must be one of"):
        draw(kind="stop")
