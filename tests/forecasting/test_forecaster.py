"""Test MultiSeriesForecaster: dependence on rows, units, ids, scores, state, bad input."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklstm import (
    MultiSeriesForecaster,
    MultiSeriesLSTMRegressor,
    PerSeriesTimeSplit,
    backtest,
    make_targets,
    stack_series,
)
from sklstm.metrics import seasonal_scale

IDS = {"series": "unit", "time": "cycle"}
SEASONS = [2, pytest.param((2, 3), marks=pytest.mark.slow)]
NET = MultiSeriesLSTMRegressor(
    hidden_units=4,
    segment_length=2,
    epochs=1,
    steps_per_epoch=3,
    batch_size=16,
    min_observed=1,
    learning_rate=0.05,
)


# In float32, the rounding of Ridge's sums would depend on the number of rows.
DOUBLE_RIDGE = make_pipeline(FunctionTransformer(np.float64), Ridge())


def linear(horizon=2, **parameters):
    """Make a fast forecaster whose forecasts depend on every value of a window."""
    parameters = {"window_length": 4, "season_length": 2, **IDS, **parameters}
    return MultiSeriesForecaster(horizon, **{"regressor": Ridge(), **parameters})


def mixed(horizon=2, **parameters):
    """Make a fast forecaster with several seasons."""
    seasons = {"season_length": (2, 3), "window_length": 8, "regressor": DOUBLE_RIDGE}
    return linear(horizon, **{**seasons, **parameters})


def neural(horizon=2, **parameters):
    """Make a forecaster with a small network."""
    return linear(horizon, **{"regressor": NET, "random_state": 0, **parameters})


def make_panel(lengths=(30, 22, 9), seed=0, scattered=True, negative=True):
    """Make series of different levels and lengths, with columns unit, cycle and y."""
    rng = np.random.default_rng(seed)
    parts = []
    for i, n in enumerate(lengths):
        cycle = np.arange(5 * i, 5 * i + n)
        y = 10.0 ** (i % 3) * (np.sin(cycle) + rng.normal(0, 0.3, n) + (0 if negative else 4))
        parts.append(pd.DataFrame({"unit": "abcdefgh"[i], "cycle": cycle, "y": y}))
    panel = pd.concat(parts, ignore_index=True)
    return panel.iloc[rng.permutation(len(panel))] if scattered else panel


PANEL = make_panel()
POSITIVE = make_panel(negative=False)


def with_holes(panel, seed=0):
    """Remove some rows, and set some values to NaN."""
    rng = np.random.default_rng(seed)
    kept = panel[rng.random(len(panel)) < 0.8]
    return kept.assign(y=kept["y"].mask(rng.random(len(kept)) < 0.2))


def with_covariates(panel, seed=0):
    """Add a past covariate with missing values, and a covariate known beforehand."""
    rng = np.random.default_rng(seed)
    panel = panel.assign(x=rng.normal(size=len(panel)), promo=np.sin(panel["cycle"]))
    panel["x"] = panel["x"].mask(rng.random(len(panel)) < 0.2)
    return panel


def future_of(panel, horizon=2):
    """Make the rows after the last row of each series: ids, time, promo."""
    last = panel.groupby("unit")["cycle"].max()
    rows = [(unit, cycle + h) for unit, cycle in last.items() for h in range(1, horizon + 1)]
    future = pd.DataFrame(rows, columns=["unit", "cycle"])
    return future.assign(promo=np.sin(future["cycle"]))


# ------------------------------------------------------------------------- no look-ahead
@pytest.mark.parametrize(
    ("model", "panel"),
    [
        (linear(), PANEL),
        (linear(), POSITIVE),
        (linear(), with_holes(PANEL)),
        (neural(), with_holes(PANEL)),
        (mixed(), POSITIVE),
        (mixed(3), with_holes(PANEL)),
    ],
    ids=["plain", "logarithmic", "holes", "net", "seasons", "seasons, holes"],
)
def test_later_rows_do_not_change_earlier_forecasts(model, panel):
    panel = with_covariates(panel)
    model = clone(model).set_params(target="y", **IDS).fit(panel)
    rng = np.random.default_rng(1)
    before = model.predict(panel)
    for cut in (8, 13, 21):
        later = panel["cycle"] > cut
        changed = panel.copy()
        changed.loc[later, ["y", "x", "promo"]] = rng.normal(0, 1e3, (later.sum(), 3))
        changed.loc[later & (rng.random(len(panel)) < 0.3), "y"] = np.nan
        changed = changed[~later | (rng.random(len(panel)) < 0.7)]
        after = model.predict(changed)
        then = panel[panel.index.isin(changed.index)].index
        position = pd.Series(np.arange(len(panel)), panel.index)[then].to_numpy()
        known = (changed["cycle"] <= cut).to_numpy()
        assert_allclose(after[known], before[position][known], rtol=1e-5)
        assert (np.abs(after - before[position])[~known] > 1e-3).any()
        # Other series do not change the forecast from the cut.
        past = panel[~later]
        forecast = model.forecast(past[past["unit"] == "a"])
        whole = model.forecast(past)
        assert_allclose(
            forecast["prediction"], whole.loc[whole["unit"] == "a", "prediction"], rtol=1e-5
        )


def test_known_future_changes_forecasts_within_the_horizon_only():
    panel = with_covariates(PANEL)
    model = linear(2, target="y", known_future=["promo"]).fit(panel)
    before = model.predict(panel, future_of(panel))
    changed = panel.assign(promo=panel["promo"].where(panel["cycle"] <= 12, 7.0))
    after = model.predict(changed, future_of(panel))
    early = (panel["cycle"] <= 10).to_numpy()
    assert_allclose(after[early], before[early])
    assert (after[panel["cycle"] == 11] != before[panel["cycle"] == 11]).all()


@pytest.mark.parametrize("refit", [True, False])
def test_rolling_origins_do_not_depend_on_later_rows(refit):
    model = linear(3)
    before = backtest(model, PANEL, 2, refit=refit)
    cutoff = before.groupby("unit")["cutoff"].max()
    later = PANEL["cycle"] > PANEL["unit"].map(cutoff)
    after = backtest(model, PANEL.assign(y=PANEL["y"].mask(later, 1e3)), 2, refit=refit)
    assert_array_equal(after["prediction"], before["prediction"])
    assert (after["y_true"] != before["y_true"]).sum() == 9


EXACT = {"rtol": 1e-6, "atol": 1e-9}


@settings(deadline=None, max_examples=30)
@given(
    panels(("p", "q"), names="abc"),
    st.booleans(),
    st.sampled_from([linear, mixed]),
    st.integers(0, 16),
    st.integers(0, 99),
)
def test_any_panel(panel, logarithmic, make, cut, seed):
    # Gaps, NaN, rows in any order, series of one row, unseen series.
    train = with_covariates(PANEL).rename(columns={"y": "p", "x": "q"})[["unit", "cycle", "p", "q"]]
    if logarithmic:
        train, panel = (frame.assign(p=frame["p"].abs()) for frame in (train, panel))
    model = make(2, target="p", freq=1, regressor=DOUBLE_RIDGE).fit(train)
    panel = panel.assign(unit=panel["unit"].str.upper())
    found = model.predict(panel)
    assert found.shape == (len(panel), 2) and np.isfinite(found).all()
    # The order of rows does not matter.
    mixed = np.random.default_rng(seed).permutation(len(panel))
    assert_allclose(model.predict(panel.iloc[mixed]), found[mixed], **EXACT)
    # Missing rows count as missing values.
    whole = [
        pd.DataFrame({"unit": unit, "cycle": range(rows["cycle"].min(), rows["cycle"].max() + 1)})
        for unit, rows in panel.groupby("unit")
    ]
    whole = pd.concat(whole).merge(panel, how="left")
    at = panel[["unit", "cycle"]].merge(whole.reset_index(), how="left")["index"]
    assert_allclose(model.predict(whole)[at], found, **EXACT)
    # Later rows do not matter.
    past = (panel["cycle"] <= cut).to_numpy()
    if past.any():
        assert_allclose(model.predict(panel[past]), found[past], **EXACT)
    # The forecast equals the prediction at the last rows.
    forecast = model.forecast(panel)
    last = panel.groupby("unit", sort=False)["cycle"].max()
    last_rows = (panel["cycle"] == panel["unit"].map(last)).to_numpy()
    expected = pd.DataFrame(found[last_rows], index=panel["unit"][last_rows]).loc[last.index]
    assert_allclose(forecast["prediction"], expected.to_numpy().ravel(), **EXACT)
    assert forecast["unit"].tolist() == list(last.index.repeat(2))
    assert_array_equal(forecast["cycle"], np.add.outer(last.to_numpy(), [1, 2]).ravel())


# -------------------------------------------------------------------------------- context
@pytest.mark.parametrize(
    ("model", "panel"),
    [
        (linear(), PANEL),
        (linear(), POSITIVE),
        (neural(), with_holes(PANEL)),
        (mixed(), with_holes(PANEL)),
    ],
    ids=["plain", "logarithmic", "net", "seasons"],
)
def test_new_rows_alone_are_forecast_as_with_their_whole_history(model, panel):
    panel = with_covariates(panel).iloc[::-1]
    last = panel.groupby("unit")["cycle"].max()
    new = (panel["cycle"] > panel["unit"].map(last) - 3).to_numpy()
    model = clone(model).set_params(target="y").fit(panel[~new])
    expected = model.predict(panel)
    assert_allclose(model.predict(panel[new]), expected[new], rtol=1e-5, atol=1e-7)
    forecast = model.forecast(panel)
    alone = model.forecast(panel[new])
    pd.testing.assert_frame_equal(alone, forecast, rtol=1e-5)
    assert alone["unit"].unique().tolist() == panel["unit"][new].unique().tolist()
    # Without a panel, the fitted series are forecast.
    pd.testing.assert_frame_equal(model.forecast(), model.forecast(panel[~new]), check_like=True)
    # With a part of the history, later rows see the context; earlier rows see only each other.
    overlap = (panel["cycle"] > panel["unit"].map(last) - 5).to_numpy()
    found = model.predict(panel[overlap])
    assert_allclose(found[new[overlap]], expected[new], rtol=1e-5, atol=1e-7)
    earlier = overlap & ~new
    other = model.predict(panel[earlier].assign(unit=panel["unit"] + "?"))
    assert_allclose(found[~new[overlap]], other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("known_future", [[], ["promo"]], ids=["", "known future"])
@pytest.mark.parametrize(
    ("make", "rtol"),
    [(linear, 1e-9), (neural, 1e-5), (mixed, 1e-5)],
    ids=["ridge", "net", "seasons"],
)
def test_earlier_rows_do_not_change_forecasts_of_rows_that_continue(make, rtol, known_future):
    panel = make_panel((40, 30, 12))
    panel = with_covariates(panel if known_future else with_holes(panel))
    last = panel.groupby("unit")["cycle"].max()
    later = panel["cycle"] > panel["unit"].map(last) - 4
    model = make(3, target="y", known_future=known_future).fit(panel[~later])
    future = future_of(panel, 3) if known_future else None
    forecasts, predictions = [], []
    for passed in (
        panel[later],
        panel,
        panel.assign(y=panel["y"].where(later, 2 * panel["y"] + 1), x=panel["x"].where(later, 7.0)),
        panel[panel["cycle"] > panel["unit"].map(last) - 9],
    ):
        forecasts.append(model.forecast(passed, future).set_index(["unit", "cycle"]).sort_index())
        predicted = model.predict(passed, future)
        assert predicted.shape == (len(passed), 3) and np.isfinite(predicted).all()
        predictions.append(predicted[later.reindex(passed.index).to_numpy()])
    for forecast, predicted in zip(forecasts[1:], predictions[1:], strict=True):
        assert_allclose(predicted, predictions[0], rtol=rtol)
        pd.testing.assert_frame_equal(forecast, forecasts[0], rtol=rtol)


@settings(deadline=None, max_examples=30)
@given(panels(("y", "x"), names="abcd"), st.sampled_from([linear, mixed]))
def test_continuation_of_any_panel(panel, make):
    # Overlaps with the fitted rows, corrected values, gaps, new series, rows in any order.
    fitted = with_covariates(make_panel((12, 8, 3)))[["unit", "cycle", "y", "x"]]
    model = make(2, target="y", freq=1).fit(fitted)
    last = fitted.groupby("unit")["cycle"].max()
    later = panel["cycle"] > panel["unit"].map(last)
    history = fitted[fitted["unit"].isin(panel["unit"][later])]
    # The reference passes the whole history, under ids that were not fitted.
    continued = pd.concat([history, panel[later]])
    expected = np.full((len(panel), 2), np.nan)
    for part, mask in ((continued, later), (panel[~later], ~later)):
        if mask.any():
            found = model.predict(part.assign(unit=part["unit"] + "?"))
            expected[mask.to_numpy()] = found[len(part) - mask.sum() :]
    assert_allclose(model.predict(panel), expected, rtol=1e-5, atol=1e-5)
    forecast = model.forecast(panel)
    ends = panel.groupby("unit", sort=False)["cycle"].max()
    last_rows = (panel["cycle"] == panel["unit"].map(ends)).to_numpy()
    at_end = pd.DataFrame(expected[last_rows], index=panel["unit"][last_rows]).loc[ends.index]
    assert forecast["unit"].tolist() == list(ends.index.repeat(2))
    assert_allclose(forecast["prediction"], at_end.to_numpy().ravel(), rtol=1e-5, atol=1e-5)


def test_series_that_continue_beside_series_that_do_not():
    panel = make_panel((30, 30, 30))
    later = panel["cycle"] > 32
    model = linear().fit(panel[~later & (panel["unit"] != "c")])
    # Unit a is passed whole, later rows of b alone; c was not fitted.
    passed = panel[(panel["unit"] != "b") | later]
    forecast = model.forecast(passed)
    assert forecast["unit"].tolist() == passed["unit"].unique().repeat(2).tolist()
    expected = model.forecast(panel)
    both = forecast.merge(expected, on=["unit", "cycle", "step"], suffixes=("", "_whole"))
    assert len(both) == 6
    assert_allclose(both["prediction"], both["prediction_whole"], rtol=1e-9)


def test_rows_far_after_fit_continue_their_series():
    model = linear(window_length=40).fit(PANEL)
    later = pd.DataFrame({"unit": "a", "cycle": [60], "y": [0.5]})
    whole = pd.concat([PANEL[PANEL["unit"] == "a"], later])
    assert_allclose(model.predict(later), model.predict(whole)[-1:], rtol=1e-6)
    new = model.predict(later.assign(unit="new"))
    assert (np.abs(model.predict(later) - new) > 1e-6).any()
    # After a long pause, one row is enough, and nothing is left of what was before.
    much_later = later.assign(cycle=50_000)
    assert_allclose(model.predict(much_later), new)
    assert model.forecast(much_later)["cycle"].tolist() == [50_001, 50_002]


def test_earlier_rows_look_ahead_at_rows_that_continue():
    panel = with_covariates(PANEL)
    old = panel["cycle"] <= 20
    model = linear(3, target="y", known_future=["promo"]).fit(panel[old])
    future = future_of(panel, 3)
    # At the last fitted rows, the next promotions are those of the later rows.
    whole = model.predict(panel, future)
    renamed = panel.assign(unit=panel["unit"] + "?")
    expected = model.predict(renamed, future.assign(unit=future["unit"] + "?"))
    assert_allclose(whole[old], expected[old], rtol=1e-9)
    # With one later row, the horizon of earlier rows extends into the future rows.
    one = panel[panel["cycle"] <= 21]
    after = panel.loc[panel["cycle"] > 21, ["unit", "cycle", "promo"]]
    after = pd.concat([after, future])
    assert_allclose(model.predict(one, after), whole[panel["cycle"] <= 21], rtol=1e-9)


@pytest.mark.parametrize("season_length", [3, (3, 5)])
def test_context_covers_long_runs_of_missing_values(season_length):
    # The values that replace a long run of missing ones come from far back.
    panel = make_panel((40, 40))
    panel = panel.assign(y=panel["y"].mask(panel["cycle"].between(12, 30)))
    model = linear(3, window_length=6, season_length=season_length)
    for first in (14, 18, 25, 31, 33):
        old = (panel["cycle"] < first).to_numpy()
        model = clone(model).fit(panel[old])
        expected = model.predict(panel)[~old]
        assert_allclose(model.predict(panel[~old]), expected, rtol=1e-4, atol=1e-4)


def test_without_time_only_passed_rows_are_the_history():
    panel = PANEL.sort_values(["unit", "cycle"])
    model, timed = linear(time=None), linear()
    plain = panel.drop(columns="cycle")
    assert_allclose(model.fit(plain).predict(plain), timed.fit(panel).predict(panel))
    forecast, expected = model.forecast(), timed.forecast()
    assert_allclose(forecast["prediction"], expected["prediction"])
    # Times are row numbers, from 0 at the first row of each series.
    assert forecast["time"].tolist() == [30, 31, 22, 23, 9, 10]
    assert model.forecast(plain)["time"].tolist() == [30, 31, 22, 23, 9, 10]


# -------------------------------------------------------------------- units of the values
@pytest.mark.parametrize("model", [linear(), neural(), mixed()])
def test_adding_a_constant_shifts_the_forecasts(model):
    # The constant is so large that float32 cannot represent the values beside it.
    constant = 2.0**33
    moved = PANEL.assign(y=PANEL["y"] - constant)
    before = clone(model).fit(PANEL).predict(PANEL)
    after = clone(model).fit(moved).predict(moved)
    assert_allclose(after + constant, before, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("model", [linear(), neural(), mixed()])
@pytest.mark.parametrize("panel", [PANEL, POSITIVE], ids=["linear", "log"])
@pytest.mark.parametrize("factor", [2.0**-500, 1e-6, 3.0, 2.0**500])
def test_scaling_the_values_scales_the_forecasts(model, panel, factor):
    before = clone(model).fit(panel).predict(panel)
    changed = panel.assign(y=panel["y"] * factor)
    after = clone(model).fit(changed).predict(changed)
    assert_allclose(after / factor, before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(30),
        np.full(30, 7.0),
        np.full(30, -1e12),
        np.tile([1.0, 2.0], 15),
        np.append(np.zeros(29), 1e12),
        np.append(np.arange(10.0), np.full(20, np.nan)),
        np.append(np.full(20, np.nan), np.arange(10.0)),
        1e300 * np.sin(np.arange(30)),
        1e-300 * np.arange(30),
        np.r_[np.zeros(15), -5, np.zeros(14)],
    ],
    ids=range(10),
)
@pytest.mark.filterwarnings("ignore:.*A few targets are extreme")
@pytest.mark.parametrize("model", [linear(), mixed(), neural(quantiles=(0.2, 0.5, 0.8))])
def test_forecasts_are_always_finite(values, model):
    odd = pd.DataFrame({"unit": "odd", "cycle": np.arange(30), "y": values})
    # One training panel for the network, which is slow.
    trains = (pd.concat([PANEL, odd]), PANEL, POSITIVE, odd)
    for train in trains if model.quantiles is None else trains[:1]:
        model = clone(model).fit(train)
        found = model.forecast(odd)
        numbers = found.drop(columns=["unit", "cycle"]).to_numpy(float)
        assert np.isfinite(numbers).all()
        assert np.isfinite(model.predict(odd)).all()
    if np.ptp(values) == 0 and model.quantiles is None:
        # The training values are constant.
        assert_allclose(found["prediction"], values[:2], rtol=1e-6)


def test_naive_forecast_of_short_series_is_their_last_value():
    model = linear(3, season_length=4, window_length=8, regressor=Zero()).fit(PANEL)
    short = pd.DataFrame({"unit": "new", "cycle": [3, 4], "y": [5.0, 6.0]})
    assert_allclose(model.forecast(short)["prediction"], [6, 6, 5])
    # Missing values before the first known value do not count as history.
    longer = pd.DataFrame({"unit": "new", "cycle": range(5), "y": [np.nan] * 3 + [5.0, 6.0]})
    assert_allclose(model.forecast(longer)["prediction"], [6, 6, 5])
    assert_allclose(
        linear(3).fit(PANEL).forecast(longer)["prediction"],
        linear(3).fit(PANEL).forecast(short)["prediction"],
    )
    one = short[:1]
    assert_allclose(model.predict(one), [[5, 5, 5]])


class Zero(Ridge):
    """Predict zero residuals of the seasonal naive forecast."""

    def predict(self, X):
        return 0 * super().predict(X)


# -------------------------------------------------------------- ids, time, columns, future
@pytest.mark.parametrize(
    "ids",
    [
        ["x", "y", "z"],
        [30, 10, 20],
        [0.5, -0.0, 7.0],
        pd.to_datetime(["2024-01-01", "2020-01-01", "2022-01-01"]),
        pd.Categorical(["c", "a", "b"], categories=["d", "c", "b", "a"]),
    ],
    ids=["text", "integers", "floats", "dates", "categories"],
)
@pytest.mark.parametrize("form", ["columns", "index", "positions"])
def test_ids_of_all_kinds(ids, form):
    codes = PANEL["unit"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    panel = PANEL.assign(unit=pd.Series(ids)[codes].array)
    expected, model = linear().fit(PANEL), linear()
    if form == "index":
        panel = panel.set_index(["unit", "cycle"])
    elif form == "positions":
        model.set_params(series=0, time=1)
    model.fit(panel)
    assert_allclose(model.predict(panel), expected.predict(PANEL))
    forecast, reference = model.forecast(), expected.forecast()
    assert forecast.columns.tolist() == ["unit", "cycle", "step", "prediction"]
    pd.testing.assert_frame_equal(
        forecast.drop(columns="unit"), reference.drop(columns="unit"), rtol=1e-7
    )
    names = pd.Series(ids)[reference["unit"].map({"a": 0, "b": 1, "c": 2})]
    assert forecast["unit"].tolist() == names.tolist()
    new = model.forecast(panel.iloc[:0:-2])
    assert set(new.columns) == set(forecast.columns)


def test_arrays():
    array = PANEL.assign(unit=PANEL["unit"].map(ord)).to_numpy(float)
    model = linear(series=0, time=1).fit(array)
    expected = linear().fit(PANEL)
    assert_allclose(model.predict(array), expected.predict(PANEL))
    assert_allclose(model.predict(array.tolist()), expected.predict(PANEL))
    forecast = model.forecast(array[:40])
    assert forecast.columns.tolist() == [0, 1, "step", "prediction"]
    assert_allclose(forecast["prediction"], expected.forecast(PANEL[:40])["prediction"])
    # An array of text and numbers.
    mixed = PANEL.to_numpy(object)
    assert_allclose(model.fit(mixed).predict(mixed), expected.predict(PANEL))
    # One series without ids or time.
    column = PANEL[PANEL["unit"] == "a"].sort_values("cycle")[["y"]].to_numpy()
    one = linear(series=None, time=None).fit(column)
    assert one.forecast().columns.tolist() == ["time", "step", "prediction"]
    assert one.forecast()["time"].tolist() == [30, 31]
    assert one.n_features_in_ == 1


@pytest.mark.parametrize(
    ("stamps", "ahead"),
    [
        (pd.Index(range(0, 48, 2)), [48, 50]),
        (pd.Index(np.arange(104, 128, dtype=np.int8)), [128, 129]),
        (pd.Index(np.arange(24, dtype=np.uint64)), [24, 25]),
        (pd.Index(0.25 * np.arange(24)), [6.0, 6.25]),
        (pd.date_range("2024-10-26 03:00", periods=24, freq="h"), None),
        (pd.date_range("2024-10-26 03:00", periods=24, freq="h", tz="Europe/Berlin"), None),
        (pd.date_range("2024-03-10", periods=24, freq="D", tz="Europe/Berlin"), None),
        (pd.date_range("2024-01-01", periods=24, freq="W-TUE"), None),
        (pd.date_range("2024-01-01", periods=24, freq="MS"), None),
        (pd.date_range("2024-01-01", periods=24, freq="ME", unit="s"), None),
        (pd.date_range("2024-01-01", periods=24, freq="B"), None),
        (pd.period_range("2024-01", periods=24, freq="M"), None),
        (pd.timedelta_range("0h", periods=24, freq="h"), None),
        (pd.Index([pd.Timestamp(2024, 1, day + 1) for day in range(24)], dtype=object), None),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_time_of_all_kinds(stamps, ahead):
    if ahead is None:
        ahead = pd.Index(stamps.tolist(), dtype=getattr(stamps, "dtype", None))
        freq = getattr(stamps, "freq", None) or pd.offsets.Day()
        ahead = [stamps[-1] + freq, stamps[-1] + 2 * freq]
    whole = make_panel((24, 20), scattered=False)
    whole["cycle"] = [*range(24), *range(4, 24)]
    panel = whole.drop(index=[3, 11, 12, 40])
    expected = linear().fit(panel)
    dated = panel.assign(cycle=stamps.take(panel["cycle"]).array)
    model = linear().fit(dated.iloc[::-1])
    assert model.n_missing_ == 4
    assert_allclose(model.predict(dated), expected.predict(panel), rtol=1e-4, atol=1e-4)
    forecast = model.forecast(dated)
    assert forecast["cycle"].tolist() == 2 * list(ahead)
    assert_allclose(
        forecast["prediction"], expected.forecast(panel)["prediction"], rtol=1e-4, atol=1e-4
    )
    # The frequency of fit applies to the new rows.
    new = dated.index.isin([22, 23])
    model.fit(dated[~new])
    assert_allclose(model.predict(dated[new]), model.predict(dated)[new], rtol=1e-5)
    index = dated.set_index(["unit", "cycle"])
    assert_allclose(linear().fit(index).predict(index), expected.predict(panel), rtol=1e-6)


def test_the_time_zone_is_that_of_fit():
    days = pd.date_range("2024-03-20", periods=30, tz="Europe/Berlin")
    panel = with_covariates(PANEL).drop(columns="x")
    panel = panel.assign(cycle=days.take(panel["cycle"] % 30))
    past, later = panel[panel["cycle"] < days[25]], panel[panel["cycle"] >= days[25]]
    model = linear(1, target="y", known_future=["promo"]).fit(past)
    utc = later.assign(cycle=later["cycle"].dt.tz_convert("UTC"))
    future = utc.drop(columns="y")
    message = r"Europe/Berlin in fit and is UTC now.*\.dt\.tz_convert\('Europe/Berlin'\)"
    for call in (
        model.predict,
        model.forecast,
        model.score,
        lambda _: model.forecast(past, future),
    ):
        with pytest.raises(ValueError, match=message):
            call(utc)
    assert pickle.loads(pickle.dumps(model)).score(later) == model.score(later)


@pytest.mark.parametrize("season_length", SEASONS)
def test_several_targets_are_forecast_side_by_side(season_length):
    panel = PANEL.assign(z=-2 * PANEL["y"], w=np.cos(PANEL["cycle"]))
    model = mixed(
        3, target=["z", "y"], quantiles=(0.1, 0.9), regressor=NET, season_length=season_length
    ).fit(panel)
    found = model.predict(panel)
    assert found.shape == (len(panel), 6)
    forecast = model.forecast()
    assert forecast.columns.tolist() == [
        "unit",
        "cycle",
        "step",
        "target",
        "prediction",
        "q0.1",
        "q0.9",
    ]
    assert forecast["target"].tolist() == ["z"] * 3 + ["y"] * 3 + ["z"] * 3 + ["y"] * 3 + (
        ["z"] * 3 + ["y"] * 3
    )
    assert forecast["step"].tolist() == [1, 2, 3] * 6
    quantiles = model.predict_quantiles(panel)
    assert quantiles.shape == (len(panel), 6, 2)
    for unit, own in forecast.groupby("unit", sort=False):
        last = ((panel["unit"] == unit) & (panel["cycle"] == own["cycle"].min() - 1)).to_numpy()
        assert_allclose(own["prediction"], found[last][0], rtol=1e-4)
        assert_allclose(own[["q0.1", "q0.9"]], quantiles[last][0], rtol=1e-4)
    assert (forecast["q0.1"] <= forecast["prediction"]).all()
    # Columns are ordered as in make_targets. By default all columns are forecast.
    every = linear(1, regressor=Zero(), season_length=1).fit(panel)
    assert_allclose(every.predict(panel), panel[["y", "z", "w"]])
    assert make_targets(panel, 1, **IDS).columns.tolist() == ["y_lead1", "z_lead1", "w_lead1"]


def test_columns_of_two_levels():
    panel = PANEL.assign(z=-2 * PANEL["y"])
    pairs = [("id", "unit"), ("id", "cycle"), ("value", "y"), ("value", "z")]
    of_pairs = panel.set_axis(pd.MultiIndex.from_tuples(pairs), axis=1)
    expected = linear().fit(panel).forecast()
    found = linear(series=0, time=1).fit(of_pairs).forecast()
    assert found["target"].tolist() == [("value", name) for name in expected["target"]]
    assert_array_equal(found["prediction"], expected["prediction"])
    errors = backtest(linear(series=0, time=1), of_pairs, 2)["scaled_error"]
    assert_array_equal(errors, backtest(linear(), panel, 2)["scaled_error"])


def test_covariates_change_forecasts():
    panel = with_covariates(PANEL)
    for name in ("x", "promo"):
        model = linear(target="y", known_future=["promo"]).fit(panel)
        changed = panel.assign(**{name: panel[name] + np.arange(len(panel)) % 3})
        future = future_of(panel)
        assert not np.allclose(model.predict(panel, future), model.predict(changed, future))


def test_effect_of_known_future_is_learned():
    # y equals promo in the same row, so only the known future predicts it.
    rng = np.random.default_rng(0)
    panel = make_panel((200, 150))
    panel["promo"] = rng.normal(size=len(panel))
    panel["y"] = panel["promo"]
    model = linear(2, target="y", known_future=["promo"], window_length=20).fit(panel)
    future = future_of(panel).assign(promo=[0.5, -1.0, 2.0, 0.0])
    found = model.forecast(future=future.sample(frac=1, random_state=0))
    found = found.sort_values(["unit", "cycle"])["prediction"]
    assert_allclose(found, [0.5, -1.0, 2.0, 0.0], atol=0.6)


def test_calendar_columns_made_by_pandas():
    day = pd.date_range("2024-01-01", periods=70, freq="D")
    panel = pd.DataFrame({"unit": np.repeat(["a", "b"], 70), "cycle": day.append(day)})
    panel["weekday"] = panel["cycle"].dt.day_of_week
    panel["y"] = 10.0 + (panel["weekday"] == 5) * 5 + (panel["unit"] == "b")
    panel["holiday"] = panel["weekday"].eq(2)
    model = linear(7, known_future=["weekday", "holiday"], window_length=14, season_length=7)
    model.fit(panel)
    after = pd.date_range("2024-03-11", periods=7, freq="D")
    future = pd.DataFrame({"unit": np.repeat(["b", "a", "unknown"], 7)})
    future["cycle"] = after.append([after, after])
    future["weekday"] = future["cycle"].dt.day_of_week
    future["holiday"] = future["weekday"].eq(2)
    # Other columns, other series and the order of rows are ignored.
    forecast = model.forecast(future=future.assign(y="?", note="?").iloc[::-1])
    assert forecast["unit"].tolist() == ["a"] * 7 + ["b"] * 7
    assert_allclose(forecast["prediction"][:7], [10, 10, 10, 10, 10, 15, 10], atol=0.1)
    alone = model.forecast(panel[panel["unit"] == "b"], future)
    assert_allclose(alone["prediction"], forecast["prediction"][7:], rtol=1e-6)
    found = model.predict(panel, future)
    assert_allclose(found[[69, 139]].ravel(), forecast["prediction"], rtol=1e-6)
    with pytest.raises(ValueError, match=r"no rows of 1 of 2 series: \['a'\]. It has .*\['b'\]"):
        model.forecast(future=future[future["unit"] == "b"])
    with pytest.raises(ValueError, match="must be known for the 7 steps"):
        model.forecast()
    with pytest.raises(ValueError, match="in 2 series: 'a' .*'b' .*needed up to 2024-03-17"):
        model.predict(panel)
    with pytest.raises(ValueError, match=r"future lacks the columns \['holiday'\]"):
        model.forecast(future=future.drop(columns="holiday"))
    with pytest.raises(ValueError, match="time was dates in fit and is numbers now"):
        model.forecast(future=future.assign(cycle=range(21)))
    with pytest.raises(ValueError, match="future has 140 rows .* series '.' at 2024-01-01"):
        model.forecast(future=panel)


# ------------------------------------------------------------------------------ searching
def test_searches_need_no_y():
    search = GridSearchCV(
        linear(4),
        {"window_length": [2, 6]},
        cv=PerSeriesTimeSplit(2, test_size=4, **IDS),
        error_score="raise",
    )
    search.fit(make_panel((40, 30)))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.window_length_ == search.best_params_["window_length"]
    assert len(search.best_estimator_.forecast()) == 8


@pytest.mark.parametrize("timed", [True, False])
def test_score_is_the_mean_absolute_scaled_error_of_the_next_rows(timed):
    panel = PANEL.assign(z=PANEL["y"] ** 2).sort_values("cycle")
    split = PerSeriesTimeSplit(1, test_size=5, **IDS)
    ((train, test),) = split.split(panel)
    train, test = panel.iloc[train], panel.iloc[test]
    expected = []
    for name in ("y", "z"):
        model = linear(3, target=["y", "z"]).fit(train)
        forecast = model.forecast()
        forecast = forecast[forecast["target"] == name].set_index(["unit", "cycle"])["prediction"]
        both = test.set_index(["unit", "cycle"])[name].to_frame().join(forecast, how="inner")
        assert len(both) == 9
        scale = seasonal_scale(train, 2, name, **IDS)
        errors = (both[name] - both["prediction"]).abs().groupby("unit").mean() / scale
        expected.append(errors.mean())
    if not timed:
        model = linear(3, target=["y", "z"], time=None).fit(train.drop(columns="cycle"))
        test = test.drop(columns="cycle")
    assert model.score(test) == pytest.approx(-np.mean(expected))
    assert_allclose(
        cross_val_score(linear(3, target=["y", "z"]), panel, cv=split), -np.mean(expected)
    )
    # Fewer rows than the horizon, and missing rows.
    part = test.groupby("unit").head(2).iloc[:-1]
    assert model.score(part) < 0
    assert model.score(test[test["unit"] == "b"]) < 0


def test_missing_rows_and_missing_values_have_the_same_score():
    before_end = PANEL.groupby("unit")["cycle"].transform("max") - PANEL["cycle"]
    absent = (PANEL["cycle"] % 5 == 3) & (before_end > 3) & (PANEL["cycle"] > 3)
    scores = []
    for panel in (PANEL.assign(y=PANEL["y"].mask(absent)), PANEL[~absent]):
        is_last = before_end[panel.index] < 3
        model = linear(3, regressor=Zero()).fit(panel[~is_last])
        scores.append(model.score(panel[is_last]))
    assert scores[0] == pytest.approx(scores[1])


def test_scores_of_ids_that_are_bools():
    panel = PANEL[PANEL["unit"] != "c"].assign(unit=PANEL["unit"] == "b")
    later = panel.groupby("unit").max().reset_index()
    later["cycle"] += 1
    numbers = {"unit": int}
    expected = linear().fit(panel.astype(numbers)).score(later.astype(numbers))
    assert linear().fit(panel).score(later) == pytest.approx(expected)


def test_undefined_scores():
    model = linear().fit(PANEL)
    with pytest.raises(ValueError, match="No series of X was seen in fit"):
        model.score(PANEL.assign(unit=PANEL["unit"] + "?"))
    with pytest.raises(ValueError, match="score takes rows that come after.* 3 series"):
        model.score(PANEL)
    constant = PANEL.assign(y=1.0)
    later = constant.assign(cycle=constant["cycle"] + 50)
    assert np.isnan(linear().fit(constant).score(later))


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("target", [None, "y", ["y", "x"]])
def test_backtest_compares_values_at_the_same_time(refit, target):
    panel = with_covariates(with_holes(make_panel((60, 50, 40)))).drop(columns="promo")
    model = linear(3, target=target, window_length=2)
    result = backtest(model, panel, 2, refit=refit)
    names = ["y"] if target == "y" else ["y", "x"]
    fitted = None
    series = {unit: rows.sort_values("cycle") for unit, rows in panel.groupby("unit")}
    for origin, left in ((0, 6), (1, 3)):
        past = pd.concat([rows[: len(rows) - left] for rows in series.values() if len(rows) > left])
        past = panel[panel.index.isin(past.index)]
        if refit or fitted is None:
            fitted = clone(model).fit(past)
        forecast = fitted.forecast(past)
        got = result[result["origin"] == origin]
        keys = ["unit", "cycle", *(["target"] if len(names) > 1 else [])]
        both = got.merge(forecast, on=keys, suffixes=("", "_forecast"), how="outer")
        assert_allclose(both["prediction"], both["prediction_forecast"])
        assert_array_equal(both["step"], both["step_forecast"])
        for row in got.itertuples():
            own = series[row.unit].set_index("cycle")[getattr(row, "target", names[0])]
            assert_array_equal(row.y_true, own.get(row.cycle, np.nan))
        assert (got["cycle"] - got["cutoff"] == got["step"]).all()
    assert result["y_true"].isna().any() and result["y_true"].notna().any()


@pytest.mark.parametrize("season_length", SEASONS)
def test_backtest_with_quantiles_and_a_known_future(season_length):
    panel = with_covariates(PANEL)
    model = neural(
        3, target="y", known_future=["promo"], quantiles=(0.1, 0.9), calibration="series"
    )
    model.set_params(season_length=season_length)
    for refit in (True, False):
        result = backtest(model, panel, 2, refit=refit)
        assert np.isfinite(result["scaled_error"]).all()
        assert (result["q0.1"] <= result["q0.9"]).all()
        assert len(result) == 2 * 3 * 3


# ---------------------------------------------------------------------- seeds, state, copies
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_seeds(n_estimators):
    state = np.random.get_state()[1].copy()
    first = neural(n_estimators=n_estimators, random_state=3).fit(PANEL)
    again = neural(n_estimators=n_estimators, random_state=3).fit(PANEL)
    other = neural(n_estimators=n_estimators, random_state=4).fit(PANEL)
    assert_array_equal(first.predict(PANEL), again.predict(PANEL))
    assert (first.predict(PANEL) != other.predict(PANEL)).any()
    assert_array_equal(np.random.get_state()[1], state)
    assert len(first.estimators_) == n_estimators
    if n_estimators == 2:
        one, two = (net.model_.get_weights()[0] for net in first.estimators_)
        assert (one != two).any()


def test_forecasts_are_averaged_over_estimators():
    model = neural(n_estimators=3).fit(PANEL)
    found = model.predict(PANEL)
    nets = model.estimators_
    parts = []
    for net in nets:
        model.estimators_ = [net]
        parts.append(model.predict(PANEL))
    assert_allclose(np.mean(parts, axis=0), found, rtol=1e-5)


def test_prediction_in_blocks(monkeypatch):
    model = linear().fit(PANEL)
    expected = model.predict(PANEL)
    monkeypatch.setattr("sklstm._panel.rows.BLOCK_ROWS", 7)
    assert_allclose(model.predict(PANEL), expected, rtol=1e-9)


def test_default_forecaster_can_be_cloned_pickled_and_shown():
    model = MultiSeriesForecaster(2, hidden_units=4, window_length=6, random_state=0, **IDS)
    assert repr(model) == (
        "MultiSeriesForecaster(hidden_units=4, horizon=2, random_state=0, series='unit',\n"
        "                      time='cycle', window_length=6)"
    )
    model.fit(PANEL)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(PANEL), model.predict(PANEL))
    pd.testing.assert_frame_equal(again.forecast(), model.forecast())
    assert not hasattr(clone(model), "estimators_")
    assert model.feature_names_in_.tolist() == ["unit", "cycle", "y"]
    assert (model.window_length_, model.segment_length_, model.freq_) == (6, 6, 1)


class Interrupted(Ridge):
    """Raise KeyboardInterrupt in the second fit."""

    fits = 0

    def fit(self, X, y):
        type(self).fits += 1
        if self.fits == 2:
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_a_failed_refit_leaves_the_earlier_fit_usable():
    model = linear(regressor=Interrupted(), n_estimators=1).fit(PANEL)
    before, state = model.predict(PANEL), dict(vars(model))
    changed = make_panel((50, 40), seed=1).rename(columns={"y": "z"}).assign(w=1.0)
    for panel, error in [(changed, KeyboardInterrupt), (changed.assign(z=np.nan), ValueError)]:
        with pytest.raises(error):
            model.fit(panel)
        assert vars(model) == state
        assert_array_equal(model.predict(PANEL), before)
    assert model.fit(changed).n_features_in_ == 4
    model.set_params(series=0, time=1).fit(
        PANEL.assign(unit=PANEL["unit"].map(ord)).to_numpy(float)
    )
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize(
    ("parameters", "window", "segment"),
    [
        ({}, 14, 7),
        ({"horizon": 24, "season_length": 24}, 336, 24),
        ({"horizon": 10, "season_length": 3}, 42, 7),
        ({"horizon": 40, "season_length": 1}, 80, 8),
        ({"window_length": 11}, 11, 1),
        ({"window_length": 12, "segment_length": 3}, 12, 3),
    ],
)
def test_default_window_and_segment_lengths(parameters, window, segment):
    panel = make_panel((60, 50))
    model = MultiSeriesForecaster(**{"horizon": 2, "regressor": Ridge(), **IDS, **parameters})
    model.fit(panel)
    assert (model.window_length_, model.segment_length_) == (window, segment)


def test_warning_names_series_without_training_rows():
    panel = make_panel((30, 1, 20))
    with pytest.warns(UserWarning, match=r"1 of 3 series have no row in the loss \('b'\)"):
        model = neural().fit(panel)
    assert np.isfinite(model.predict(panel)).all()


@pytest.mark.slow
def test_early_stopping():
    model = MultiSeriesForecaster(
        2, early_stopping=True, hidden_units=4, window_length=4, random_state=0, **IDS
    )
    # A tenth of the series is held out, or of the rows if there is one series.
    for panel, by in ((PANEL, "series"), (PANEL[PANEL["unit"] == "a"], "time")):
        for net in model.fit(panel).estimators_:
            validation, training = net.history_["val_loss"], net.history_["loss"]
            assert (net.validation_by, net.validation_fraction) == (by, 0.1)
            assert 1 <= len(validation) == len(training) <= net.epochs == 10
            # Three epochs without a lower loss end the training.
            if len(validation) < net.epochs:
                assert len(validation) == 1 + np.argmin(validation) + net.n_iter_no_change
            assert np.isfinite(validation).all() and validation != training
    model.set_params(early_stopping=False).fit(PANEL)
    assert all("val_loss" not in net.history_ for net in model.estimators_)


# -------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"target": "z"}, "target='z' is not a column of X"),
        ({"target": "unit"}, "target='unit' is the series id or the time"),
        ({"target": []}, "target is empty"),
        ({"target": ["y", "y"]}, "target= contains 'y' twice"),
        ({"target": "y", "known_future": ["y"]}, r"\['y'\] are both target and known_future"),
        ({"known_future": ["z"]}, "known_future= contains 'z', which is not a column of X"),
        ({"known_future": ["y"]}, "No column is left to forecast"),
        ({"known_future": "y"}, "No column is left to forecast"),
        ({"known_future": 1.5}, "'known_future' parameter of MultiSeriesForecaster"),
        ({"horizon": 30}, "known target 30 steps after it: the longest series has 30 steps"),
        (
            {"freq": 0.5},
            r"known target 1 steps after it, .* the time step \(freq_=0\.5\)",
        ),
        ({"horizon": 0}, "'horizon' parameter of MultiSeriesForecaster"),
        ({"segment_length": 3}, "segment_length=3 does not divide the window length 4"),
        ({"quantiles": [0.1, 0.9]}, r"quantiles=\[0.1, 0.9\] needs .* Ridge\(\) has no"),
        ({"quantiles": [0.1, 2.0], "regressor": NET}, "quantiles"),
        ({"series": "shop"}, "series='shop' is neither a column nor an index level"),
        ({"freq": "D"}, "freq='D' must be a number, since the time holds numbers"),
        ({"freq": 2}, r"them are not a whole number of steps \(2\)"),
        ({"regressor": "ridge"}, "'regressor' parameter of MultiSeriesForecaster"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        linear(**parameters).fit(PANEL)


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (PANEL[:0], "0 sample"),
        (PANEL.assign(y=np.nan), "The target 'y' has no known value"),
        (PANEL.assign(y=np.inf), "infinity"),
        (PANEL.assign(y="much"), "Feature 'y' holds text"),
        (PANEL.groupby("unit").head(1), "known target 2 steps after it: the longest series has 1"),
        (pd.concat([PANEL, PANEL[:1]]), "repeat a .series, time. pair"),
        (
            PANEL.assign(cycle=PANEL["cycle"].replace(20, 20.5)),
            "not at regular times: .* are not a whole number of steps",
        ),
        (PANEL[["unit", "cycle"]], "0 feature"),
        (PANEL.assign(unit=None), r"series id \('unit'\) is missing"),
    ],
    ids=range(9),
)
def test_bad_panels(panel, message):
    with pytest.raises(ValueError, match=message):
        linear().fit(panel)


def test_a_season_that_no_series_holds():
    message = "season_length=365, but the longest series has 30 steps: without two values one"
    with pytest.warns(UserWarning, match=message):
        linear(season_length=365).fit(PANEL)
    with pytest.warns(UserWarning, match="season_length=30, but"):
        linear(season_length=30).fit(PANEL)
    linear(season_length=29).fit(PANEL)


def test_duplicate_columns_of_the_result():
    panel = PANEL.rename(columns={"cycle": "step"})
    with pytest.raises(ValueError, match="two columns of one name"):
        linear(time="step").fit(panel)


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (PANEL.assign(other=1.0), "other"),
        (PANEL[["cycle", "unit", "y"]], "in the same order"),
        (PANEL.rename(columns={"y": "z"}), "feature names"),
        (PANEL.assign(cycle=pd.to_datetime(PANEL["cycle"])), "was numbers in fit and is dates"),
        (PANEL.assign(cycle=40 + PANEL["cycle"] / 2), "are not a whole number of steps"),
        (PANEL[:0], "0 sample"),
    ],
    ids=range(6),
)
def test_bad_input_to_forecasts(panel, message):
    model = linear().fit(PANEL)
    for method in (model.predict, model.forecast, model.score):
        with pytest.raises(ValueError, match=message):
            method(panel)


def test_bad_calls():
    model = linear()
    with pytest.raises(ValueError, match="not fitted yet"):
        model.forecast()
    model.fit(PANEL)
    with pytest.raises(ValueError, match="future was passed, but known_future is empty"):
        model.forecast(future=PANEL)
    with pytest.raises(ValueError, match="quantiles is None: choose quantiles"):
        model.predict_quantiles(PANEL)


def test_a_list_of_arrays():
    panel = stack_series({"a": np.arange(20.0), "b": np.sin(np.arange(12.0))}, columns=["y"])
    model = linear(series="series", time="time").fit(panel)
    forecast = model.forecast()
    assert forecast["time"].tolist() == [20, 21, 12, 13]
    assert_allclose(forecast["prediction"][:2], [20, 21], atol=2)


def test_seeds_inside_a_pipeline_are_set_where_they_are_none():
    def seeds(inner):
        lasso = Lasso(selection="random", random_state=inner)
        regressor = make_pipeline(FunctionTransformer(), MultiOutputRegressor(lasso))
        forecaster = MultiSeriesForecaster(
            2,
            target="y",
            window_length=4,
            n_estimators=2,
            regressor=regressor,
            random_state=0,
            **IDS,
        )
        name = "multioutputregressor__estimator__random_state"
        return [each.get_params()[name] for each in forecaster.fit(make_panel()).estimators_]

    first, second = seeds(None)
    assert isinstance(first, int) and first != second
    assert seeds(None) == [first, second]
    assert seeds(5) == [5, 5]
