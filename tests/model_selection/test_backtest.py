"""Tests of backtest, against a plain loop over origins, series and steps."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import make_random_walks, panels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklstm import backtest, stack_series
from sklstm.metrics import coverage, mase, seasonal_scale

IDS = {"series": "unit", "time": "cycle"}
PANEL = make_random_walks()


class SeasonalNaive(BaseEstimator):
    """Repeat the last season; a small stand-in for `MultiSeriesForecaster`.

    The forecast depends on the rows of `fit` too: the mean over all series is added to it.
    """

    def __init__(
        self,
        horizon,
        *,
        target=None,
        season_length=None,
        known_future=(),
        quantiles=None,
        freq=None,
        series=None,
        time=None,
    ):
        self.horizon = horizon
        self.target = target
        self.season_length = season_length
        self.known_future = known_future
        self.quantiles = quantiles
        self.freq = freq
        self.series = series
        self.time = time

    def fit(self, panel):
        self.level_ = self._flat(panel)[self._targets(panel)].mean()
        self.panel_ = panel
        return self

    def forecast(self, panel=None, future=None):
        flat = self._flat(self.panel_ if panel is None else panel)
        series, time = self.series or "series", self.time or "time"
        steps = np.arange(1, self.horizon + 1)
        targets = self._targets(self.panel_)
        parts = []
        for name, rows in flat.groupby(series, sort=False, observed=True):
            rows = rows.sort_values(time)
            for target in targets:
                last = rows[target].to_numpy()[-(self.season_length or 1) :]
                part = pd.DataFrame({series: name, "step": steps})
                part[time] = rows[time].iloc[-1] + steps
                if len(targets) > 1:
                    part["target"] = target
                part["prediction"] = np.resize(last, self.horizon) + 0.01 * self.level_[target]
                if future is not None:
                    known = self._flat(future)
                    known = known[known[series] == name].sort_values(time)
                    assert set(known.columns) == {series, time, *self.known_future}
                    part["prediction"] += known[list(self.known_future)].sum(axis=1).to_numpy()
                for q in self.quantiles or ():
                    part[f"q{q:g}"] = part["prediction"] + 10 * (q - 0.5)
                parts.append(part)
        # Not in the order of the panel.
        return pd.concat(parts, ignore_index=True).sort_values("prediction")

    def _flat(self, panel):
        named = [name for name in panel.index.names if name is not None]
        flat = panel.reset_index() if named else panel
        if self.series is None:
            flat = flat.assign(series=0)
        if self.time is None:
            flat = flat.assign(time=flat.groupby(self.series or "series", observed=True).cumcount())
        return flat

    def _targets(self, panel):
        if self.target is None:
            others = (self.series, self.time, *self.known_future)
            return [name for name in panel.columns if name not in others]
        return [self.target] if isinstance(self.target, str) else list(self.target)


def rolling_loop(panel, horizon, n_origins, stride, m=1, refit=True, promo=None):
    """Evaluate the seasonal naive forecast of p in plain loops."""
    rows, level = [], None
    for origin in range(n_origins):
        n_left = horizon + stride * (n_origins - 1 - origin)
        series = dict(list(panel.sort_values("cycle").groupby("unit")))
        units = [unit for unit in panel["unit"].unique() if len(series[unit]) > n_left]
        series = {unit: series[unit] for unit in units}
        past = {unit: part[: len(part) - n_left] for unit, part in series.items()}
        if refit or level is None:
            level = pd.concat(past.values())["p"].mean()
        for unit, part in series.items():
            history = past[unit]["p"].to_numpy()
            by_cycle = past[unit].set_index("cycle")["p"]
            before = by_cycle.reindex(by_cycle.index - m).to_numpy()
            scale = np.abs(by_cycle - before).mean()
            for s in range(1, horizon + 1):
                cycle = past[unit]["cycle"].iloc[-1] + s
                true = part.loc[part["cycle"] == cycle, "p"]
                predicted = history[-m:][(s - 1) % len(history[-m:])] + 0.01 * level
                if promo:
                    predicted += part.loc[part["cycle"] == cycle, promo].item()
                true = true.item() if len(true) else np.nan
                rows.append(
                    {
                        "unit": unit,
                        "origin": origin,
                        "cutoff": past[unit]["cycle"].iloc[-1],
                        "cycle": cycle,
                        "step": s,
                        "y_true": true,
                        "prediction": predicted,
                        "absolute_error": abs(true - predicted),
                        "scaled_error": abs(true - predicted) / scale,
                    }
                )
    return pd.DataFrame(rows)


def assert_same_table(got, expected):
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize(("n_origins", "stride", "m"), [(3, None, 1), (2, 1, 3), (1, 5, 2)])
@pytest.mark.parametrize("form", ["columns", "index"])
def test_backtest_equals_a_plain_loop(refit, n_origins, stride, m, form):
    panel = PANEL if form == "columns" else PANEL.set_index(["unit", "cycle"])
    forecaster = SeasonalNaive(4, season_length=m, **IDS)
    result = backtest(forecaster, panel, n_origins, stride, refit=refit)
    assert_same_table(result, rolling_loop(PANEL, 4, n_origins, stride or 4, m, refit))
    assert not hasattr(forecaster, "level_")
    parallel = backtest(forecaster, panel, n_origins, stride, refit=refit, n_jobs=2)
    pd.testing.assert_frame_equal(parallel, result)


@settings(deadline=None)
@given(panels(("p",)), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.booleans())
def test_backtest_of_random_panels(panel, n_origins, horizon, stride, refit):
    forecaster = SeasonalNaive(horizon, freq=1, **IDS)
    n_needed = horizon + stride * (n_origins - 1) + 1
    sizes = panel.groupby("unit").size()
    if sizes.max() < n_needed:
        message = (
            f"needs {n_needed} rows, and the longest has {sizes.max()}. Lower n_origins, stride"
        )
        with pytest.raises(ValueError, match=message):
            backtest(forecaster, panel, n_origins, stride)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = backtest(forecaster, panel, n_origins, stride, refit=refit)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        expected = rolling_loop(panel, horizon, n_origins, stride, refit=refit)
    assert_same_table(result, expected)
    n_short = int((sizes < n_needed).sum())
    assert [str(w.message).split(" are too")[0].split(" (")[0] for w in caught] == (
        [f"backtest: {n_short} of {len(sizes)} series"] if n_short else []
    )
    assert all(w.filename == __file__ for w in caught)


@pytest.mark.parametrize("refit", [True, False])
def test_later_rows_do_not_change_earlier_forecasts(refit):
    forecaster = SeasonalNaive(3, season_length=2, **IDS)
    before = backtest(forecaster, PANEL, 3, refit=refit)
    for origin in range(3):
        cutoff = before[before["origin"] == origin].groupby("unit")["cutoff"].first()
        later = PANEL["cycle"] > PANEL["unit"].map(cutoff)
        changed = PANEL.assign(p=PANEL["p"].mask(later, 1e6))
        after = backtest(forecaster, changed, 3, refit=refit)
        names = ["unit", "origin", "cutoff", "cycle", "step", "prediction"]
        known = before["origin"] <= origin
        pd.testing.assert_frame_equal(after.loc[known, names], before.loc[known, names])
        if origin < 2:
            assert (after.loc[~known, "prediction"] != before.loc[~known, "prediction"]).all()


def test_several_targets_quantiles_and_known_future():
    panel = PANEL.assign(
        q=PANEL["p"] * 2, promo=np.arange(len(PANEL)) % 5.0, price=PANEL["cycle"] / 7
    )
    known = ("price", "promo")
    forecaster = SeasonalNaive(
        3, target=["q", "p"], known_future=known, quantiles=(0.1, 0.9), **IDS
    )
    result = backtest(forecaster, panel, 2)
    assert result.columns.tolist() == (
        ["unit", "origin", "cutoff", "cycle", "step", "target", "y_true", "prediction"]
        + ["q0.1", "q0.9", "absolute_error", "scaled_error"]
    )
    assert result["target"].tolist() == ["q", "p"] * (len(result) // 2)
    panel["both"] = panel["promo"] + panel["price"]
    expected = rolling_loop(panel, 3, 2, 3, promo="both")
    for target, factor in (("p", 1), ("q", 2)):
        own = result[result["target"] == target].reset_index(drop=True)
        if target == "p":
            assert_same_table(own[expected.columns], expected)
        assert_allclose(own["y_true"], factor * expected["y_true"])
        scale = own["absolute_error"] / own["scaled_error"]
        assert_allclose(scale, factor * expected["absolute_error"] / expected["scaled_error"])
    assert_allclose(result["q0.9"] - result["q0.1"], 8)
    share = (result["y_true"] - result["prediction"]).abs().le(4).mean()
    assert coverage(result["y_true"], result["q0.1"], result["q0.9"]) == pytest.approx(share)
    # By default, all columns but those with known future values.
    every = SeasonalNaive(3, known_future=known, **IDS)
    assert backtest(every, panel, 1)["target"].unique().tolist() == ["p", "q", "both"]
    with pytest.raises(ValueError, match="No column is left to forecast"):
        backtest(SeasonalNaive(3, known_future=["p"], **IDS), PANEL)
    with pytest.raises(ValueError, match=r"\['p'\] are both target and known_future"):
        backtest(SeasonalNaive(3, target="p", known_future=["p"], **IDS), panel)


def test_mean_scaled_error_by_step_is_mase():
    result = backtest(SeasonalNaive(4, season_length=2, **IDS), PANEL, 1)
    train = PANEL[PANEL["cycle"] <= PANEL["unit"].map(result.groupby("unit")["cutoff"].first())]
    scale = seasonal_scale(train, 2, "p", **IDS)
    for step, rows in result.groupby("step"):
        true = rows.set_index("unit")["y_true"]
        expected = mase(true, rows["prediction"], scale=scale)
        assert rows["scaled_error"].mean() == pytest.approx(expected), step


def test_missing_observed_values_have_no_error():
    hidden = PANEL["cycle"] == 10 + 12  # second but last of unit 1
    panel = PANEL.assign(p=PANEL["p"].mask(hidden))
    result = backtest(SeasonalNaive(4, **IDS), panel, 1)
    assert result["y_true"].isna().sum() == 1
    errors = ["absolute_error", "scaled_error"]
    assert result.loc[result["y_true"].isna(), errors].isna().all(axis=None)
    assert result["prediction"].notna().all()
    # The scale of a constant history is 0.
    result = backtest(SeasonalNaive(4, **IDS), PANEL.assign(p=1.0), 1)
    assert result["scaled_error"].isna().all() and result["absolute_error"].notna().all()


def test_dates_categories_and_panels_without_ids():
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(PANEL["cycle"], unit="D")
    panel = PANEL.assign(cycle=days, unit=PANEL["unit"].map(str).astype("category"))
    result = backtest(SeasonalNaiveDays(3, **IDS), panel, 2)
    expected = backtest(SeasonalNaive(3, **IDS), PANEL, 2)
    assert_array_equal(
        result["cycle"],
        days.iloc[0] + pd.to_timedelta(expected["cycle"] - PANEL["cycle"].iloc[0], unit="D"),
    )
    assert_array_equal(result["unit"], expected["unit"].map(str))
    assert_allclose(result["scaled_error"], expected["scaled_error"])
    # One series without ids; the time is the number of the row.
    one = PANEL[PANEL["unit"] == 3].sort_values("cycle")[["p"]]
    result = backtest(SeasonalNaive(3), one, 2)
    assert result.columns[:5].tolist() == ["series", "origin", "cutoff", "time", "step"]
    assert result["time"].tolist() == list(range(16, 22))
    assert result["cutoff"].tolist() == [15] * 3 + [18] * 3
    assert_allclose(result["y_true"], one["p"].iloc[16:])


class SeasonalNaiveDays(SeasonalNaive):
    """Forecast a panel whose time is in days."""

    def forecast(self, panel=None, future=None):
        forecast = super().forecast(
            panel.assign(
                cycle=(panel["cycle"] - pd.Timestamp(0)).dt.days, unit=panel["unit"].map(str)
            )
        )
        cycle = pd.Timestamp(0) + pd.to_timedelta(forecast["cycle"], unit="D")
        return forecast.astype({"unit": panel["unit"].dtype}).assign(cycle=cycle)


class SeasonalNaiveTenths(SeasonalNaive):
    """Forecast a panel whose time is in tenths, with errors of rounding."""

    def forecast(self, panel=None, future=None):
        forecast = super().forecast(panel.assign(cycle=(10 * panel["cycle"]).round().astype(int)))
        return forecast.assign(cycle=forecast["cycle"] / 10 + 1e-9)


@pytest.mark.parametrize("refit", [True, False])
def test_times_that_are_rounded_floats(refit):
    panel = PANEL[PANEL["cycle"] % 5 > 0]  # with gaps
    expected = backtest(SeasonalNaive(4, **IDS), panel, 3, 2, refit=refit)
    assert 0 < expected["y_true"].isna().sum() < len(expected) / 2
    tenths = panel.assign(cycle=0.1 * panel["cycle"])
    result = backtest(SeasonalNaiveTenths(4, **IDS), tenths, 3, 2, refit=refit)
    for name in ("unit", "origin", "step", "y_true", "prediction", "scaled_error"):
        assert_array_equal(result[name], expected[name])
    # A number of the forecaster may be an integer where those of the panel are floats.
    floats = panel.assign(cycle=panel["cycle"].astype(float))
    result = backtest(SeasonalNaive(4, **IDS), floats, 3, 2, refit=refit)
    assert_array_equal(result["y_true"], expected["y_true"])


class SeasonalNaiveNumbers(SeasonalNaiveDays):
    """Return numbers for the days."""

    def forecast(self, panel=None, future=None):
        return super().forecast(panel).assign(cycle=0)


def test_forecast_with_times_of_another_kind():
    panel = PANEL.assign(cycle=pd.Timestamp(0) + pd.to_timedelta(PANEL["cycle"], unit="D"))
    with pytest.raises(ValueError, match="times of kind 'number'; expected 'datetime'"):
        backtest(SeasonalNaiveNumbers(3, **IDS), panel, 1)


class Incomplete(SeasonalNaive):
    """Leave out a row of the forecast; with quantiles, return another row twice instead."""

    def forecast(self, panel=None, future=None):
        forecast = super().forecast(panel, future)
        return pd.concat([forecast[1:], forecast[1:2]]) if self.quantiles else forecast[1:]


@pytest.mark.parametrize("quantiles", [None, (0.5,)])
def test_incomplete_forecast(quantiles):
    with pytest.raises(ValueError, match="one row for each combination of 'unit', 'step'"):
        backtest(Incomplete(3, quantiles=quantiles, **IDS), PANEL, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SeasonalNaive(3, **IDS), PANEL, 0), "'n_origins' parameter of backtest"),
        ((SeasonalNaive(3, **IDS), PANEL, 2, 0), "'stride' parameter of backtest"),
        ((3, PANEL), "'forecaster' parameter of backtest"),
        ((SeasonalNaive(0, **IDS), PANEL), "horizon=0 must be a positive integer"),
        ((SeasonalNaive(3, series="shop"), PANEL), "series='shop' is neither"),
        ((SeasonalNaive(3, target="x", **IDS), PANEL), "target='x' is not a column of X"),
        (
            (SeasonalNaive(3, known_future=["x"], **IDS), PANEL),
            "known_future= contains 'x', which is not a column of X",
        ),
        ((SeasonalNaive(3, **IDS), PANEL[:0]), "0 sample"),
        ((SeasonalNaive(3, target="unit", **IDS), PANEL), "is the series id"),
        ((SeasonalNaive(3, **IDS), PANEL.assign(p=np.inf)), "panel contains infinity"),
        ((SeasonalNaive(3, season_length=0.5, **IDS), PANEL), "season_length=0.5 must be"),
        (
            (
                SeasonalNaive(3, series="unit", time="step"),
                PANEL.rename(columns={"cycle": "step"}),
            ),
            "two columns of one name",
        ),
    ],
)
def test_bad_input_of_backtest(arguments, message):
    with pytest.raises(ValueError, match=message):
        backtest(*arguments)


@pytest.mark.parametrize("regressor", [Ridge(), make_pipeline(Ridge())])
def test_backtest_takes_a_forecaster(regressor):
    name = type(regressor).__name__
    with pytest.raises(AttributeError, match=f"{name} has no forecast.*cross_val_score"):
        backtest(regressor, PANEL)


def test_backtest_of_an_array():
    with pytest.raises(TypeError, match="panel must be a DataFrame, got ndarray"):
        backtest(SeasonalNaive(3), PANEL.to_numpy())


def test_backtest_of_stacked_arrays():
    panel = stack_series({"a": np.arange(10.0), "b": np.arange(6.0)}, columns=["y"])
    result = backtest(SeasonalNaive(2, series="series", time="time"), panel, 2)
    names = {"series": "unit", "time": "cycle", "y": "p"}
    expected = rolling_loop(panel.reset_index().rename(columns=names), 2, 2, 2)
    assert_same_table(result, expected.rename(columns={"unit": "series", "cycle": "time"}))
    # By hand: "a" is cut after 5, "b" after 1; steps of the naive forecast are off by 1 and 2,
    # less a hundredth of the mean 16 / 8 of all rows before the cuts.
    assert result["y_true"].tolist() == [6, 7, 2, 3, 8, 9, 4, 5]
    assert_allclose(result["scaled_error"][:4], [0.98, 1.98, 0.98, 1.98])
