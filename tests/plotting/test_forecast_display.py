"""Tests of ForecastDisplay: lines, axes, figures and messages."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import line_of, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.dates import num2date
from numpy.testing import assert_array_equal

from sklstm.plotting import ForecastDisplay

IDS = {"series": "shop", "time": "day"}
HORIZON = 3


def make_panel(shops=("a", "b", "c"), n_days=40):
    """Make sales of shops with shuffled rows; shop k has k days fewer."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "shop": shop,
                "day": pd.date_range("2024-01-01", periods=n_days - number),
                "sold": rng.normal(10, 1, n_days - number),
            }
        )
        for number, shop in enumerate(shops)
    ]
    return pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)


def make_forecast(panel, quantiles=(0.1, 0.5, 0.9)):
    """Make a table like that of MultiSeriesForecaster.forecast, with known numbers."""
    parts = []
    for number, (shop, rows) in enumerate(panel.groupby("shop")):
        ahead = pd.date_range(rows["day"].max(), periods=HORIZON + 1)[1:]
        prediction = 100.0 * number + np.arange(HORIZON)
        part = {"shop": shop, "day": ahead, "step": np.arange(1, HORIZON + 1)}
        part["prediction"] = prediction
        part |= {f"q{level:g}": prediction + 10 * (level - 0.5) for level in quantiles}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def interval_of(axes):
    """Return the lower and the upper bound of the drawn interval."""
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    return [
        [f(corners[corners[:, 0] == x, 1]) for x in np.unique(corners[:, 0])] for f in (min, max)
    ]


@pytest.mark.parametrize("dated", ["panel", "forecast", "both"])
def test_days_of_python_are_drawn(dated):
    panel, forecast = make_panel(), make_forecast(make_panel())
    if dated != "forecast":
        panel = panel.assign(day=panel["day"].dt.date)
    if dated != "panel":
        forecast = forecast.assign(day=forecast["day"].dt.date)
    display = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    expected = ForecastDisplay.from_forecast(make_forecast(make_panel()), make_panel(), **IDS)
    for axes, wanted in zip(display.axes_, expected.axes_, strict=True):
        assert_array_equal(axes.lines[0].get_xydata(), wanted.lines[0].get_xydata())
        assert_array_equal(axes.lines[1].get_xydata(), wanted.lines[1].get_xydata())


def test_lines_hold_history_and_forecast():
    panel = make_panel()
    forecast = make_forecast(panel)
    display = ForecastDisplay.from_forecast(forecast, panel, n_history=7, **IDS)
    assert len(display.axes_) == 3
    for axes, shop in zip(display.axes_, "abc", strict=True):
        assert axes.get_title(loc="left") == shop
        past = panel[panel["shop"] == shop].sort_values("day").tail(7)
        ahead = forecast[forecast["shop"] == shop]
        for label, table, column in [("history", past, "sold"), ("forecast", ahead, "prediction")]:
            line = line_of(axes, label)
            np.testing.assert_array_equal(line.get_xdata(), table["day"].to_numpy())
            np.testing.assert_array_equal(line.get_ydata(), table[column])
        lower, upper = interval_of(axes)
        np.testing.assert_allclose(lower, ahead["q0.1"])
        np.testing.assert_allclose(upper, ahead["q0.9"])
    assert display.figure_ is display.axes_[0].figure
    (legend,) = display.figure_.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["history", "80% interval", "forecast"]
    assert not any(axes.get_legend() for axes in display.axes_)
    assert display.figure_.get_supxlabel() == "day"
    assert display.figure_.get_supylabel() == "sold"


def test_order_of_rows_does_not_matter():
    panel = make_panel()
    forecast = make_forecast(panel)
    usual = ForecastDisplay.from_forecast(forecast, panel, series_ids=list("abc"), **IDS)
    mixed = ForecastDisplay.from_forecast(
        forecast.iloc[::-1], panel.iloc[::-1], series_ids=list("abc"), **IDS
    )
    pd.testing.assert_frame_equal(usual.forecast, mixed.forecast)
    pd.testing.assert_frame_equal(usual.observed, mixed.observed)


@settings(max_examples=20, deadline=None)
@given(panel=panels(), n_history=st.integers(0, 8), n_known=st.integers(0, 3))
def test_drawn_rows_equal_a_plain_loop(panel, n_history, n_known):
    # The forecast starts `n_known` rows before the end of each series.
    parts, expected = [], []
    for unit in panel["unit"].unique():
        rows = panel[panel["unit"] == unit].sort_values("cycle")
        first = len(rows) - min(n_known, len(rows))
        cycles = [*rows["cycle"].iloc[first:], rows["cycle"].max() + 1]
        parts.append(pd.DataFrame({"unit": unit, "cycle": cycles, "prediction": 1.0}))
        expected.append((rows.iloc[max(first - n_history, 0) : first], rows.iloc[first:]))
    forecast = pd.concat(parts)
    forecast.insert(2, "step", forecast.groupby("unit").cumcount() + 1)
    axes = matplotlib.figure.Figure().subplots(1, len(parts))
    display = ForecastDisplay.from_forecast(
        forecast, panel, target="q", n_history=n_history, series="unit", time="cycle", ax=axes
    )
    for axes, tables in zip(display.axes_, expected, strict=True):
        for label, table in zip(["history", "observed"], tables, strict=True):
            if label == "history" or len(table):
                line = line_of(axes, label)
                np.testing.assert_array_equal(line.get_xdata(), table["cycle"])
                np.testing.assert_array_equal(line.get_ydata(), table["q"])


def test_rows_at_the_times_of_the_forecast_are_observed_values():
    panel = make_panel(["a"])
    before = panel["day"] <= "2024-02-01"
    forecast = make_forecast(panel[before])
    (axes,) = ForecastDisplay.from_forecast(forecast, panel, **IDS).axes_
    observed = line_of(axes, "observed")
    # Rows after the horizon are not drawn.
    np.testing.assert_array_equal(observed.get_xdata(), forecast["day"].to_numpy())
    true = panel.set_index("day").loc[forecast["day"], "sold"]
    np.testing.assert_array_equal(observed.get_ydata(), true)
    assert line_of(axes, "history").get_xdata().max() == np.datetime64("2024-02-01")


def test_default_history_and_number_of_series():
    panel = make_panel([f"s{number}" for number in range(9)], n_days=60)
    forecast = make_forecast(panel)
    display = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    assert list(display.forecast["series"].unique()) == [f"s{number}" for number in range(6)]
    assert (display.observed.groupby("series").size() == 30).all()
    display = ForecastDisplay.from_forecast(forecast, panel, series_ids=["s8", "s2"], **IDS)
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["s8", "s2"]
    (axes,) = ForecastDisplay.from_forecast(forecast, panel, series_ids="s4", **IDS).axes_
    assert axes.get_title(loc="left") == "s4"


def test_targets_of_a_series_are_side_by_side():
    panel = make_panel(["a", "b"])
    panel["visits"] = 2 * panel["sold"]
    one = make_forecast(panel)
    two = one.assign(prediction=one["prediction"] + 1000)
    forecast = pd.concat([one.assign(target="sold"), two.assign(target="visits")])
    display = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    titles = [axes.get_title(loc="left") for axes in display.axes_]
    assert titles == ["a, sold", "a, visits", "b, sold", "b, visits"]
    columns = [axes.get_subplotspec().colspan.start for axes in display.axes_]
    assert columns == [0, 1, 0, 1]
    visits = display.axes_[3]
    last = panel[panel["shop"] == "b"].sort_values("day")["visits"].tail(30)
    np.testing.assert_array_equal(line_of(visits, "history").get_ydata(), last)
    np.testing.assert_array_equal(line_of(visits, "forecast").get_ydata(), [1100, 1101, 1102])
    display = ForecastDisplay.from_forecast(forecast, panel, target="visits", **IDS)
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["a", "b"]
    assert display.figure_.get_supylabel() == "visits"
    with pytest.raises(ValueError, match=r"no target \['price'\]"):
        ForecastDisplay.from_forecast(forecast, panel.assign(price=1.0), target="price", **IDS)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_columns_of_two_levels_are_drawn(n_targets):
    panel = make_panel().assign(returned=1.0)[["shop", "day", "sold", "returned"][: 2 + n_targets]]
    forecast = make_forecast(panel)
    pairs = [("id", "shop"), ("id", "day"), ("value", "sold"), ("value", "returned")]
    if n_targets > 1:
        names = pd.Index([pairs[3]], tupleize_cols=False).repeat(len(forecast))
        first = forecast.assign(target=pd.Index([pairs[2]], tupleize_cols=False).repeat(len(names)))
        forecast = pd.concat([first, forecast.assign(target=names)], ignore_index=True)
    columns = pd.MultiIndex.from_tuples(pairs[: 2 + n_targets])
    display = ForecastDisplay.from_forecast(
        forecast, panel.set_axis(columns, axis=1), series=0, time=1
    )
    assert len(display.axes_) == 3 * n_targets


def test_interval_is_between_the_outermost_quantiles():
    panel = make_panel(["a"])
    forecast = make_forecast(panel, quantiles=(0.5, 0.95, 0.2, 0.05))
    display = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    lower, upper = interval_of(display.axes_[0])
    np.testing.assert_allclose(lower, forecast["q0.05"])
    np.testing.assert_allclose(upper, forecast["q0.95"])
    np.testing.assert_array_equal(display.forecast["lower"], forecast["q0.05"])
    np.testing.assert_array_equal(display.forecast["upper"], forecast["q0.95"])
    assert display.interval == pytest.approx(0.9)
    assert display.axes_[0].collections[0].get_label() == "90% interval"
    for quantiles in ((), (0.5,)):
        display = ForecastDisplay.from_forecast(make_forecast(panel, quantiles), panel, **IDS)
        assert display.interval is None and not display.axes_[0].collections


def test_time_of_one_series_without_ids_is_the_row_number():
    panel = pd.DataFrame({"load": np.arange(50.0)})
    forecast = pd.DataFrame({"time": [50, 51], "step": [1, 2], "prediction": [50.0, 51.0]})
    (axes,) = ForecastDisplay.from_forecast(forecast, panel, n_history=5).axes_
    np.testing.assert_array_equal(line_of(axes, "history").get_xdata(), np.arange(45, 50))
    assert axes.get_title(loc="left") == ""
    assert axes.figure.get_supxlabel() == "time"


def test_ids_in_index_levels_and_by_position():
    panel = make_panel()
    forecast = make_forecast(panel)
    usual = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    for other, ids in [
        (panel.set_index(["shop", "day"]), IDS),
        (panel, {"series": 0, "time": 1}),
        (panel.astype({"shop": "category"}), IDS),
    ]:
        display = ForecastDisplay.from_forecast(forecast, other, **ids)
        pd.testing.assert_frame_equal(
            display.observed, usual.observed, check_dtype=False, check_categorical=False
        )
    numbered = panel.assign(shop=panel["shop"].map({"a": 1, "b": 2, "c": 3}))
    display = ForecastDisplay.from_forecast(
        make_forecast(numbered).rename(columns={"shop": "series", "day": "time"}),
        numbered,
        series=0,
        time=1,
    )
    assert display.axes_[0].get_title(loc="left") == "series 1"


@pytest.mark.parametrize("kind", ["zone", "period", "timedelta", "float", "short timedelta"])
def test_every_kind_of_time_is_drawn(kind):
    change = {
        "zone": lambda day: day.dt.tz_localize("Europe/Vienna"),
        "period": lambda day: day.dt.to_period("D"),
        "timedelta": lambda day: day - pd.Timestamp("2024-01-01"),
        "float": lambda day: (day - pd.Timestamp("2024-01-01")) / pd.Timedelta("2D"),
        "short timedelta": lambda day: (day - pd.Timestamp("2024-01-01")) / 1440,
    }[kind]
    panel = make_panel(["a"])
    forecast = make_forecast(panel)
    panel, forecast = (table.assign(day=change(table["day"])) for table in (panel, forecast))
    display = ForecastDisplay.from_forecast(forecast, panel, **IDS)
    display.figure_.canvas.draw()
    (axes,) = display.axes_
    drawn = line_of(axes, "history").get_xdata(orig=False)
    assert len(drawn) == 30 and (np.diff(drawn) > 0).all()
    assert line_of(axes, "forecast").get_xdata(orig=False)[0] > drawn[-1]
    label = {"timedelta": "day (days)", "short timedelta": "day (minutes)"}
    assert display.figure_.get_supxlabel() == label.get(kind, "day")
    if kind == "zone":  # local midnight, not midnight of UTC
        assert num2date(drawn[0]).hour == 0


def test_missing_values_are_gaps_in_the_line():
    panel = make_panel(["a"]).sort_values("day", ignore_index=True)
    panel.loc[20, "sold"] = np.nan
    (axes,) = ForecastDisplay.from_forecast(make_forecast(panel), panel, n_history=40, **IDS).axes_
    assert np.flatnonzero(np.isnan(line_of(axes, "history").get_ydata())).tolist() == [20]


def test_series_of_one_row_and_horizon_of_one():
    panel = make_panel(["a"], n_days=1)
    forecast = make_forecast(panel).head(1)
    (axes,) = ForecastDisplay.from_forecast(forecast, panel, **IDS).axes_
    assert line_of(axes, "forecast").get_marker() == "o"
    assert len(line_of(axes, "history").get_xdata()) == 1


def test_given_axes_are_used_without_a_new_figure():
    panel = make_panel()
    figure = matplotlib.figure.Figure()
    axes = figure.subplots(1, 3)
    display = ForecastDisplay.from_forecast(make_forecast(panel), panel, ax=axes, **IDS)
    assert list(display.axes_) == list(axes) and display.figure_ is figure
    assert [each.get_legend() is not None for each in axes] == [True, False, False]
    assert axes[1].get_xlabel() == "day" and axes[1].get_ylabel() == "sold"
    one = figure.add_subplot()
    display = ForecastDisplay.from_forecast(
        make_forecast(panel), panel, series_ids=["b"], ax=one, **IDS
    )
    assert display.axes_[0] is one
    with pytest.raises(ValueError, match="ax holds 1 Axes, expected 3"):
        display.from_forecast(make_forecast(panel), panel, ax=one, **IDS)
    assert plt.get_fignums() == []


def test_only_the_new_figure_is_left_in_pyplot():
    before = dict(matplotlib.rcParams)
    panel = make_panel()
    display = ForecastDisplay.from_forecast(make_forecast(panel), panel, **IDS)
    assert [plt.figure(number) for number in plt.get_fignums()] == [display.figure_]
    assert dict(matplotlib.rcParams) == before


def wrong_inputs():
    panel = make_panel()
    forecast = make_forecast(panel)
    late = panel.assign(day=panel["day"].dt.tz_localize("UTC"))
    yield (
        "unknown id",
        (forecast, panel),
        {"series_ids": ["x", "a"]},
        "'x', .* of forecast: it has 3",
    )
    yield "no ids", (forecast, panel), {"series_ids": []}, "series_ids is empty"
    yield "no step", (forecast.drop(columns="step"), panel), {}, r"no column \['step'\]"
    yield "no prediction", (forecast[["shop", "day", "step"]], panel), {}, r"\['prediction'\]"
    yield (
        "no id column",
        (forecast.drop(columns="shop"), panel),
        {},
        "series='shop' is not a column",
    )
    yield "no time column", (forecast.drop(columns="day"), panel), {}, "time='day' is not a column"
    yield "ids not named", (forecast, panel), {"series": None, "target": "sold"}, "name the ids"
    yield "rows twice", (pd.concat([forecast] * 2), panel), {}, "rows of one origin"
    yield "no rows", (forecast[:0], panel), {}, "forecast is empty"
    yield "not in panel", (forecast, panel[panel["shop"] != "b"]), {}, r"series \['b'\]"
    yield "not in X", (forecast, panel.drop(columns="day")), {}, "time='day' is neither"
    yield (
        "unknown target",
        (forecast, panel),
        {"target": "price"},
        "target=.*'price'.* is not a column of X",
    )
    yield "which target", (forecast, panel.assign(price=1.0)), {}, "Name it with target="
    yield "another kind of time", (forecast, late), {}, "dates in forecast and dates with"
    yield "n_history", (forecast, panel), {"n_history": -1}, "n_history == -1"


@pytest.mark.parametrize(
    ("tables", "options", "message"),
    [pytest.param(*case, id=name) for name, *case in wrong_inputs()],
)
def test_bad_input_raises_before_a_figure_is_made(tables, options, message):
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_forecast(*tables, **(IDS | options))
    assert plt.get_fignums() == []


def test_forecast_of_another_type():
    with pytest.raises(TypeError, match="is of type ndarray, expected DataFrame"):
        ForecastDisplay.from_forecast(np.zeros((3, 4)), make_panel(), **IDS)


class StubForecaster(SimpleNamespace):
    """Parameters of a forecaster; `seen` holds the arguments of the last forecast."""

    series, time, target, known_future = "shop", "day", None, ()

    def forecast(self, panel, future=None):
        self.seen = (panel, future)
        return make_forecast(panel)


def test_only_the_drawn_series_are_forecast():
    panel = make_panel()
    forecaster = StubForecaster(known_future=["promotion"])
    panel["promotion"] = 0
    future = make_forecast(panel)[["shop", "day"]].assign(promotion=1)
    display = ForecastDisplay.from_estimator(forecaster, panel, future, series_ids=["c", "b"])
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["c", "b"]
    assert display.figure_.get_supylabel() == "sold"  # the column that is not in known_future
    for seen, passed in zip(forecaster.seen, (panel, future), strict=True):
        pd.testing.assert_frame_equal(seen, passed[passed["shop"] != "a"])
    expected = ForecastDisplay.from_forecast(
        make_forecast(panel), panel, target="sold", series_ids=["c", "b"], **IDS
    )
    pd.testing.assert_frame_equal(
        display.forecast,
        expected.forecast.assign(
            prediction=expected.forecast["prediction"] - 100,
            lower=expected.forecast["lower"] - 100,
            upper=expected.forecast["upper"] - 100,
        ),
    )
    with pytest.raises(ValueError, match="is not a series of panel"):
        ForecastDisplay.from_estimator(forecaster, panel, future, series_ids=["x"])


def test_the_series_of_future_are_those_of_the_column_at_the_position():
    panel = make_panel().assign(promotion=0)[["sold", "shop", "day", "promotion"]]
    future = make_forecast(panel)[["shop", "day"]].assign(promotion=1)
    forecaster = StubForecaster(series=1, time=2, known_future=["promotion"])
    ForecastDisplay.from_estimator(forecaster, panel, future, series_ids=["c", "b"])
    pd.testing.assert_frame_equal(forecaster.seen[1], future[future["shop"] != "a"])


def test_from_estimator_takes_arrays_and_a_single_series():
    class ByPosition(StubForecaster):
        def forecast(self, panel, future=None):
            assert isinstance(panel, np.ndarray)
            return pd.DataFrame(
                {"series": panel[0, 0], "time": [40.0], "step": 1, "prediction": [5.0]}
            )

    panel = np.column_stack([np.repeat([7.0, 8.0], 20), np.tile(np.arange(20.0), 2), np.ones(40)])
    forecaster = ByPosition(series=0, time=1, target=None)
    display = ForecastDisplay.from_estimator(forecaster, panel, series_ids=[8.0])
    assert display.axes_[0].get_title(loc="left") == "series 8.0"
    assert len(display.observed) == 20

    class Alone(StubForecaster):
        def forecast(self, panel, future=None):
            return pd.DataFrame({"day": [40], "step": 1, "prediction": [5.0]})

    panel = pd.DataFrame({"day": range(40), "sold": 1.0})
    display = ForecastDisplay.from_estimator(Alone(series=None), panel)
    assert len(display.axes_) == 1


def test_colours_are_distinguishable_for_colour_blind_people():
    # Grey and two colours of the palette of Okabe and Ito.
    panel = make_panel(["a"])
    forecast = make_forecast(panel[panel["day"] < "2024-02-01"])
    (axes,) = ForecastDisplay.from_forecast(forecast, panel, **IDS).axes_
    colours = [to_hex(line.get_color()) for line in axes.lines]
    assert colours == ["#404040", "#0072b2", "#d55e00"]


def test_import_does_not_load_matplotlib():
    code = "import sys, sklstm.plotting; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
