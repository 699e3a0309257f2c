"""Tests of WindowDisplay.

The reference is the promise itself: a row is in the window if changing it changes the window.
"""

import warnings
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import make_panel, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import PerSeriesScaler, WindowTransformer
from sklstm.plotting import WindowDisplay

IDS = {"series": "unit", "time": "cycle"}


@pytest.fixture(autouse=True)
def no_warnings_of_gaps():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*max_gap=")
        yield


def cheap_axes():
    return matplotlib.figure.Figure().subplots()


def window_of(fitted, X, row):
    return np.asarray(fitted.transform(X)[row])


def rows_that_matter(compute, X):
    """Return the positions of the rows of which a change changes the result."""
    before = compute(X)
    changed = []
    for row in range(len(X)):
        other = X.copy()
        other.iloc[row, other.columns.get_loc("p")] += 1000
        if not np.array_equal(compute(other), before, equal_nan=True):
            changed.append(row)
    return changed


def times_of(display, *roles):
    return sorted(display.rows["time"][display.rows["role"].isin(roles)])


@settings(max_examples=12, deadline=None)
@given(
    panel=panels(features=("p",)),
    window_length=st.integers(1, 5),
    spacing=st.integers(1, 2),
    max_gap=st.sampled_from([None, 2]),
    data=st.data(),
)
def test_the_window_holds_the_rows_that_change_it(panel, window_length, spacing, max_gap, data):
    panel = panel.fillna(0.5)
    row = data.draw(st.integers(0, len(panel) - 1))
    transformer = WindowTransformer(window_length, spacing=spacing, max_gap=max_gap, **IDS)
    fitted = transformer.fit(panel.assign(unit="z").head(1))  # all series are new
    display = WindowDisplay.from_estimator(fitted, panel, row, ax=cheap_axes())
    matter = rows_that_matter(lambda X: window_of(fitted, X, row), panel)
    assert times_of(display, "window") == sorted(panel["cycle"].iloc[matter])
    own = panel[panel["unit"] == panel["unit"].iloc[row]]
    assert (panel["unit"].iloc[matter] == panel["unit"].iloc[row]).all()
    later = own["cycle"][own["cycle"] > panel["cycle"].iloc[row]]
    assert times_of(display, "later") == sorted(later)
    assert times_of(display, "window", "outside", "later") == sorted(own["cycle"])
    assert len(times_of(display, "window", "padding")) == window_length


@settings(max_examples=12, deadline=None)
@given(
    panel=panels(features=("p",), names="a"),
    window_length=st.integers(1, 5),
    spacing=st.integers(1, 2),
    again=st.booleans(),
    data=st.data(),
)
def test_remembered_rows_are_those_of_fit_that_change_it(
    panel, window_length, spacing, again, data
):
    panel = panel.fillna(0.5).sort_values("cycle")
    n_fitted = data.draw(st.integers(1, max(len(panel) - 1, 1)))
    first, later = panel[:n_fitted], panel[n_fitted:]
    if len(later) == 0:
        return
    row = data.draw(st.integers(0, len(later) - 1))
    passed = panel if again else later
    row += n_fitted if again else 0
    transformer = WindowTransformer(window_length, spacing=spacing, **IDS)
    transformer.fit(first)
    display = WindowDisplay.from_estimator(transformer, passed, row, ax=cheap_axes())
    matter = rows_that_matter(lambda X: window_of(transformer.fit(X), passed, row), first)
    assert times_of(display, "remembered") == sorted(first["cycle"].iloc[matter])
    drawn = times_of(display, "window", "remembered", "outside", "later")
    assert len(drawn) == len(set(drawn))  # rows that were passed again are drawn once
    transformer.fit(first)
    matter = rows_that_matter(lambda X: window_of(transformer, X, row), passed)
    assert times_of(display, "window") == sorted(passed["cycle"].iloc[matter])


def test_drawn_points_are_the_values_of_the_window():
    panel = make_panel([9, 4])
    fitted = WindowTransformer(4, **IDS).fit(panel)
    display = WindowDisplay.from_estimator(fitted, panel, 6, feature="q")
    lines = {line.get_label(): line for line in display.ax_.lines}
    in_window = lines["in the window (4)"]
    assert_array_equal(in_window.get_xdata(), [3, 4, 5, 6])
    assert_allclose(in_window.get_ydata(), panel["q"][3:7])
    assert_array_equal(lines["earlier, not in the window"].get_xdata(), [0, 1, 2])
    assert_array_equal(lines["later, never seen (2)"].get_xdata(), [7, 8])
    assert display.ax_.get_title(loc="left") == "a"
    assert display.figure_.get_supxlabel() == "cycle"
    assert display.figure_.get_supylabel() == "q (network input)"
    _, ax = plt.subplots()
    assert display.plot(ax, n_around=1).ax_ is ax
    assert ax.get_xlabel() == "cycle" and ax.get_legend() is not None
    drawn = np.concatenate([line.get_xdata() for line in ax.lines if "(" in line.get_label()])
    assert sorted(drawn) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(("padding", "value"), [("edge", 5.0), ("zero", 0.0), ("nan", np.nan)])
def test_padding_stands_before_the_first_row(padding, value):
    X = pd.DataFrame({"unit": "a", "cycle": [10, 12, 14], "p": [5.0, 6.0, 7.0]})
    fitted = WindowTransformer(4, padding=padding, **IDS).fit(X)
    display = WindowDisplay.from_estimator(fitted, X, 1)
    (line,) = (line for line in display.ax_.lines if line.get_label() == "padding (2)")
    assert_array_equal(line.get_xdata(), [6, 8])
    assert_allclose(line.get_ydata(), [value, value])
    spaced = WindowTransformer(3, spacing=2, padding=padding, **IDS).fit(X)
    display = WindowDisplay.from_estimator(spaced, X, 2)
    assert display.rows["time"].tolist() == [6, 10, 12, 14]
    assert display.rows["role"].tolist() == ["padding", "window", "outside", "window"]


@pytest.mark.parametrize("kind", ["date", "zone", "period", "timedelta", "float", "no time"])
def test_every_kind_of_time_is_drawn(kind):
    start = pd.Timestamp("2024-03-30")  # clocks change on the next day
    days = start + pd.to_timedelta(np.arange(8), "D")
    change = {
        "date": lambda: days,
        "zone": lambda: days.tz_localize("Europe/Vienna"),
        "period": lambda: days.to_period("D"),
        "timedelta": lambda: days - start,
        "float": lambda: np.arange(8) / 2,
        "no time": lambda: np.arange(8),
    }
    X = pd.DataFrame({"day": change[kind](), "p": np.arange(8.0)})
    time = None if kind == "no time" else "day"
    columns = ["p"]
    fitted = WindowTransformer(3, time=time, columns=columns).fit(X[:5])
    display = WindowDisplay.from_estimator(fitted, X[5:], 0)
    if time is None:
        assert display.rows["role"].tolist() == ["padding", "padding", "window", "later", "later"]
        assert display.figure_.get_supxlabel() == "row of the series"
    else:
        assert display.rows["role"].tolist() == ["remembered"] * 2 + ["window", "later", "later"]
        assert_array_equal(pd.Index(display.rows["time"]), pd.Index(X["day"][3:]))
        assert display.row_time == X["day"][5]
    assert_allclose(display.rows["value"].to_numpy()[-3:], [5, 6, 7])
    display.figure_.canvas.draw()


def test_values_are_those_after_the_steps_before():
    panel = make_panel([6, 6])
    scaler, transformer = PerSeriesScaler(**IDS), WindowTransformer(3, **IDS)
    pipe = make_pipeline(scaler, transformer, FunctionTransformer()).fit(panel)
    scaled = scaler.transform(panel)
    for holder in (
        pipe,
        SimpleNamespace(best_estimator_=pipe),
        SimpleNamespace(regressor_=pipe),
        make_pipeline(FunctionTransformer().fit(panel), pipe),
    ):
        display = WindowDisplay.from_estimator(holder, panel, -2)
        seen = display.rows[display.rows["role"] == "window"]
        assert_allclose(seen["value"], scaled["p"][8:11])
    with pytest.raises(TypeError, match="PerSeriesScaler contains no WindowTransformer"):
        WindowDisplay.from_estimator(scaler, panel, 0)


def test_wrong_input_raises():
    panel = make_panel([3])
    fitted = WindowTransformer(2, **IDS).fit(panel)
    with pytest.raises(ValueError, match="row=3 is not the position .* from -3 to 2"):
        WindowDisplay.from_estimator(fitted, panel, 3)
    with pytest.raises(ValueError, match=r"feature='z' is not one of .*: \['p', 'q'\]"):
        WindowDisplay.from_estimator(fitted, panel, 0, feature="z")
    with pytest.raises(ValueError, match="n_around == -1"):
        WindowDisplay.from_estimator(fitted, panel, 0, n_around=-1)
    array = panel[["p", "q"]].to_numpy()
    display = WindowDisplay.from_estimator(WindowTransformer(2).fit(array), array, 2, feature=1)
    assert_allclose(display.rows["value"], array[:, 1])
    assert display.feature_name == "x1" and display.ax_.get_title(loc="left") == ""
