"""Tests of the metrics, by hand and against published figures."""

import itertools
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error, mean_pinball_loss

from sklstm import make_series_scorer, stack_series
from sklstm.metrics import (
    concordance_index,
    coverage,
    mase,
    pinball_loss,
    prognostic_score,
    seasonal_scale,
    smape,
)

IDS = {"series": "series", "time": "time"}


# ------------------------------------------------------------------------------- by hand
def test_mase_by_hand():
    true, predicted = [[1.0, 2.0], [4.0, 4.0]], [[2.0, 5.0], [4.0, 0.0]]
    assert mase(true, predicted, scale=1.0) == pytest.approx((2 + 2) / 2)
    assert mase(true, predicted, scale=[4.0, 0.5]) == pytest.approx((0.5 + 4) / 2)
    assert mase([1.0, 2.0], [2.0, 5.0], scale=[1.0, 2.0]) == pytest.approx((1 + 1.5) / 2)
    assert isinstance(mase(true, predicted, scale=1), float)
    assert mase(true, true, scale=1) == 0


def test_mase_of_one_output_and_scale_1_is_the_mean_absolute_error():
    true, predicted = np.random.default_rng(0).normal(size=(2, 30))
    assert mase(true, predicted, scale=1) == pytest.approx(mean_absolute_error(true, predicted))


def test_mase_leaves_out_missing_values_and_scales():
    true = [[1.0, np.nan], [np.nan, np.nan], [3.0, 3.0]]
    predicted = [[2.0, 9.0], [9.0, 9.0], [3.0, 5.0]]
    # Mean of each row over its known elements, then mean over rows.
    assert mase(true, predicted, scale=1.0) == pytest.approx((1 + 1) / 2)
    assert mase(true, predicted, scale=[2.0, 1.0, 1.0]) == pytest.approx((0.5 + 1) / 2)
    for no_scale in [0.0, np.nan]:
        assert mase(true, predicted, scale=[no_scale, 1.0, 4.0]) == pytest.approx(0.25)
    assert np.isnan(mase(true[1:2], predicted[1:2], scale=1.0))
    assert np.isnan(mase(true, predicted, scale=0.0))


def test_mase_with_scale_by_id():
    train = stack_series({"a": [0.0, 2.0, 4.0], "b": [0.0, 1.0], "c": [5.0, 5.0]})
    scale = seasonal_scale(train, **IDS)
    index = pd.MultiIndex.from_tuples([("b", 2), ("a", 3), ("b", 3)], names=["series", "time"])
    true = pd.Series([3.0, 3.0, 3.0], index)
    expected = (1 / 1 + 4 / 2 + 2 / 1) / 3
    assert mase(true, [2.0, 7.0, 5.0], scale=scale) == pytest.approx(expected)
    assert mase(true.to_frame(), [2.0, 7.0, 5.0], scale=scale) == pytest.approx(expected)
    with pytest.raises(ValueError, match="index level 'series'"):
        mase(true.to_numpy(), [2.0, 7.0, 5.0], scale=scale)
    with pytest.raises(ValueError, match="index level 'series'"):
        mase(true.droplevel("series"), [2.0, 7.0, 5.0], scale=scale)
    with pytest.raises(ValueError, match=r"no value for series \['b'\]"):
        mase(true, [2.0, 7.0, 5.0], scale=scale.drop("b"))


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (pd.Series([1.0, 2.0], pd.Index(["a", "a"], name="series")), "more than once in scale"),
        ({"a": 1.0}, "scale is not numeric"),
        ("a", "scale is not numeric"),
        (-1.0, "scale has negative values"),
    ],
)
def test_bad_scales(scale, message):
    true = pd.Series([1.0, 2.0], pd.Index(["a", "a"], name="series"))
    with pytest.raises(ValueError, match=message):
        mase(true, [2.0, 7.0], scale=scale)


def test_ids_that_are_bools_are_looked_up():
    scale = pd.Series([1.0, 2.0], pd.Index([False, True], name="is_new"))
    true = pd.Series([3.0, 3.0, 3.0], pd.Index([True, False, True], name="is_new"))
    assert mase(true, [2.0, 7.0, 5.0], scale=scale) == pytest.approx((1 / 2 + 4 / 1 + 2 / 2) / 3)


def test_a_scorer_looks_up_the_scale_of_ids_by_position():
    X = np.array([[1, 0.0], [1, 2.0], [2, 0.0], [2, 4.0]])
    scale = seasonal_scale(X, series=0)
    zero = DummyRegressor(strategy="constant", constant=0.0).fit(X, X[:, 1])
    scorer = make_series_scorer(partial(mase, scale=scale), series=0)
    assert scorer(zero, X, X[:, 1]) == pytest.approx(-0.5)


def test_smape_by_hand():
    assert smape([[1.0, 2.0]], [[3.0, 2.0]]) == pytest.approx(200 * 2 / 4 / 2)
    assert smape([-1.0, 5.0], [1.0, 0.0]) == pytest.approx(200)
    assert smape([0.0, 1.0], [0.0, 3.0]) == pytest.approx(50)
    true = [[1.0, np.nan], [np.nan, np.nan], [0.0, 4.0]]
    assert smape(true, [[3.0, 9.0], [9.0, 9.0], [0.0, 4.0]]) == pytest.approx(50)
    assert np.isnan(smape(true[1:2], [[9.0, 9.0]]))
    true, predicted = np.random.default_rng(0).normal(size=(2, 30))
    assert smape(true, predicted) == pytest.approx(smape(predicted, true))


def test_pinball_loss_equals_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    levels = [0.1, 0.5, 0.8]
    true, predicted = rng.normal(size=(30, 4)), rng.normal(size=(30, 4, 3))
    by_level = [
        mean_pinball_loss(true, predicted[:, :, q], alpha=level) for q, level in enumerate(levels)
    ]
    assert pinball_loss(true, predicted, levels) == pytest.approx(np.mean(by_level))
    # With one output, y_true, y_quantiles or both may lack its axis.
    expected = pinball_loss(true[:, :1], predicted[:, :1], levels)
    for y_true in (true[:, 0], true[:, :1]):
        for y_quantiles in (predicted[:, 0], predicted[:, :1]):
            assert pinball_loss(y_true, y_quantiles, levels) == expected
    halves = mean_absolute_error(true, predicted[:, :, 1]) / 2
    assert pinball_loss(true, predicted[:, :, 1:2], [0.5]) == pytest.approx(halves)


def test_pinball_loss_leaves_out_missing_values_and_scales():
    true = [[1.0, np.nan], [np.nan, np.nan], [3.0, 3.0]]
    predicted = [[[0.0, 2.0], [9.0, 9.0]], [[9.0, 9.0]] * 2, [[3.0, 3.0], [1.0, 7.0]]]
    # Rows: (0.25 * 1 + 0.25 * 1) / 2 over one element; (0 + (0.25 * 2 + 0.25 * 4) / 2) / 2.
    levels = [0.25, 0.75]
    assert pinball_loss(true, predicted, levels) == pytest.approx((0.25 + 0.375) / 2)
    scaled = pinball_loss(true, predicted, levels, scale=[0.5, 1.0, 0.0])
    assert scaled == pytest.approx(0.5)
    assert np.isnan(pinball_loss(true[1:2], predicted[1:2], levels))
    index = pd.Index(["a", "a", "b"], name="series")
    by_id = pd.Series({"b": 3.0, "a": 0.5}).rename_axis("series")
    scaled = pinball_loss(pd.DataFrame(true, index), predicted, levels, scale=by_id)
    assert scaled == pytest.approx((0.5 + 0.125) / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [[1.0, 2.0]], [0.5]), r"shape \(1, 2\); for 1 quantiles .* expected \(1, 1\)"),
        (([1.0], [1.0], [0.5]), r"shape \(1,\); .* expected \(1, 1\)"),
        (([1.0, 2.0], [[1.0]], [0.5]), r"shape \(1, 1\); .* expected \(2, 1\)"),
        (([[1.0, 2.0]], [[1.0]], [0.5]), r"expected \(1, 2, 1\)"),
        # Two outputs with one quantile are not one output with two quantiles.
        (([[1.0, 2.0]], [[1.0, 2.0]], [0.1, 0.9]), r"expected \(1, 2, 2\)"),
        (([1.0], [[1.0]], [1.0]), "between 0 and 1"),
        (([1.0], [[1.0]], 0.5), "list of numbers between 0 and 1"),
        (([1.0], [[np.nan]], [0.5]), "y_quantiles contains NaN"),
    ],
)
def test_bad_quantiles(arguments, message):
    with pytest.raises(ValueError, match=message):
        pinball_loss(*arguments)


def test_coverage_by_hand():
    true = [[1.0, np.nan], [2.0, 5.0]]
    assert coverage(true, [[1.0, 0.0], [1.0, 1.0]], [[2.0, 9.0], [2.0, 4.0]]) == 2 / 3
    assert coverage([3.0], [4.0], [2.0]) == 0
    assert np.isnan(coverage([np.nan], [0.0], [1.0]))
    with pytest.raises(ValueError, match="upper contains NaN"):
        coverage([1.0], [0.0], [np.nan])
    with pytest.raises(ValueError, match=r"lower has shape \(1, 1\)"):
        coverage([[1.0, 2.0]], [[0.0]], [[0.0, 0.0]])
    rng = np.random.default_rng(0)
    true, bound = rng.normal(size=(2000, 3)), np.full((2000, 3), 1.2815515655446004)
    assert coverage(true, -bound, bound) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("metric", [smape, lambda true, predicted: mase(true, predicted, scale=1)])
@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0], "inconsistent numbers of samples"),
        ([[1.0, 2.0]], [[1.0]], r"y_true has shape \(1, 2\), y_pred has shape \(1, 1\)"),
        ([1.0], [np.nan], "y_pred contains NaN"),
        ([np.inf], [1.0], "y_true contains infinity"),
        ([], [], "0 sample"),
    ],
)
def test_bad_pairs(metric, true, predicted, message):
    with pytest.raises(ValueError, match=message):
        metric(true, predicted)


def test_seasonal_scale_by_hand():
    panel = stack_series(
        {"a": [[1.0, 0.0], [2.0, 0.0], [4.0, 5.0], [8.0, 5.0]], "b": [[3.0, 1.0], [7.0, 1.0]]},
        columns=["p", "q"],
    )
    one = seasonal_scale(panel, columns="p", **IDS)
    pd.testing.assert_series_equal(
        one, pd.Series([(1 + 2 + 4) / 3, 4], pd.Index(["a", "b"], name="series"), name="p")
    )
    both = seasonal_scale(panel, 2, **IDS)
    assert_allclose(both.loc["a"], [(3 + 6) / 2, 5])
    assert both.loc["b"].isna().all()
    scattered = panel.iloc[[4, 3, 0, 5, 1, 2]]
    pd.testing.assert_frame_equal(seasonal_scale(scattered, 2, **IDS).loc[["a", "b"]], both)
    assert_allclose(seasonal_scale([[1.0], [2.0], [4.0]]), [1.5])
    for m in (50, 2**62):
        assert seasonal_scale(panel, m, **IDS).isna().all(axis=None)


@pytest.mark.parametrize(
    ("first", "step"), [(0, 1), (3.0, 0.1), (pd.Timestamp("2024-01-01"), pd.Timedelta("1D"))]
)
@pytest.mark.parametrize("m", [1, 7])
def test_seasons_are_counted_in_time_steps(first, step, m):
    rng = np.random.default_rng(0)
    number = np.tile(np.arange(60), 3)
    panel = pd.DataFrame({"series": np.repeat(["a", "b", "c"], 60), "time": first + number * step})
    panel["y"] = 10.0 * (number % 7) + rng.normal(size=180)
    absent = (rng.random(180) < 0.2) & (number > 0) | (panel["series"] == "c") & (number > 20)
    hidden = panel.assign(y=panel["y"].mask(absent))
    gaps = panel[~absent].sample(frac=1, random_state=0)
    expected = seasonal_scale(hidden, m, **IDS)
    assert_allclose(seasonal_scale(gaps, m, **IDS)[expected.index], expected)
    # Without the time, rows are counted.
    by_row = seasonal_scale(panel[~absent], 7, series="series", columns="y")
    assert (by_row > 1.1 * seasonal_scale(hidden, 7, **IDS)).all()


def test_seasons_of_irregular_times_are_counted_in_rows():
    panel = pd.DataFrame({"time": [0.0, 1.0, 2.0, 3.4], "y": [1.0, 2.0, 4.0, 8.0]})
    with pytest.warns(UserWarning, match="A season is counted in rows.*not at regular times"):
        assert seasonal_scale(panel, time="time")[0] == pytest.approx(7 / 3)
    assert np.isnan(seasonal_scale(panel, 2, time="time", freq=0.2)[0])
    assert np.isnan(seasonal_scale(panel[:1], time="time")[0])
    with pytest.raises(ValueError, match="freq='D' must be a number"):
        seasonal_scale(panel, time="time", freq="D")


def test_seasonal_scale_leaves_out_missing_values():
    assert_allclose(seasonal_scale([[1.0], [np.nan], [4.0], [6.0]]), [2.0])
    assert np.isnan(seasonal_scale([[1.0], [np.nan], [4.0]])[0])


@pytest.mark.parametrize("season_length", [0, -1, 1.0, None])
def test_bad_season_length(season_length):
    with pytest.raises(ValueError, match="season_length=.* must be a positive integer"):
        seasonal_scale(np.ones((3, 1)), season_length)


# ---------------------------------------------------------------------- published figures
def read_lines(path):
    """Read lines ``id,v1,v2,...`` of unequal length as a dict of arrays."""
    lines = (line.split(",") for line in path.read_text().splitlines())
    return {name: np.array(values, float) for name, *values in lines}


def load(name):
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKLSTM_DATA", here)) / name
    if not folder.is_dir():
        pytest.skip(f"no data in ../shared/data or SKLSTM_DATA: {name}")
    train, test = (read_lines(folder / f"{part}.csv") for part in ("train", "test"))
    true = pd.DataFrame.from_dict(test, orient="index").rename_axis("series")
    return folder, train, true


@pytest.mark.parametrize(
    ("name", "m", "expected"),
    [("m4_hourly", 24, 1.193), ("nn5_daily", 7, 1.011), ("tourism_monthly", 12, 1.631)],
)
def test_mase_of_the_seasonal_naive_forecast(name, m, expected):
    _, train, true = load(name)
    scale = seasonal_scale(stack_series(train), m, **IDS)
    horizon = true.shape[1]
    naive = [np.resize(train[series][-m:], horizon) for series in true.index]
    assert mase(true, naive, scale=scale) == pytest.approx(expected, abs=5e-4)


def test_metrics_of_a_published_forecast():
    folder, train, true = load("nn5_daily")
    [path] = folder.glob("published_lstm_forecast_*.csv")
    forecast = np.loadtxt(path, delimiter=",")
    scale = seasonal_scale(stack_series(train), 7, **IDS)
    assert mase(true, forecast, scale=scale) == pytest.approx(0.9478, abs=5e-5)
    assert smape(true, forecast) == pytest.approx(23.852, abs=5e-4)


# ------------------------------------------------------------------------------ concordance
def plain_concordance(event, time, predicted):
    """Compute Harrell's index in a double loop."""
    right, pairs = 0.0, 0
    for i, j in itertools.permutations(range(len(time)), 2):
        outlived = time[j] > time[i] or (time[j] == time[i] and not event[j])
        if event[i] and outlived:
            pairs += 1
            right += (predicted[j] > predicted[i]) + (predicted[j] == predicted[i]) / 2
    return right / pairs if pairs else np.nan


def lives(event, time):
    y = np.empty(len(time), dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = event, time
    return y


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=25
    )
)
def test_concordance_equals_the_double_loop(rows):
    event, time, predicted = (np.array(part) for part in zip(*rows, strict=True))
    expected = plain_concordance(event, time, predicted)
    y = lives(event, time)
    assert_allclose(concordance_index(y, predicted), expected)
    unknown = lives([*event, True], [*time, np.nan])
    assert_allclose(concordance_index(unknown, [*predicted, 0]), expected)
    everything = plain_concordance(np.ones(len(time), bool), time, predicted)
    assert_allclose(concordance_index(time, predicted), everything)


def test_concordance_of_many_rows():
    rng = np.random.default_rng(0)
    event, time, predicted = rng.random(300) < 0.5, rng.normal(size=300), rng.normal(size=300)
    expected = plain_concordance(event, time, predicted)
    assert_allclose(concordance_index(lives(event, time), predicted), expected)


def test_errors_of_concordance():
    with pytest.raises(ValueError, match="y_true has 2 outputs, expected one"):
        concordance_index(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="structured array of the fields"):
        concordance_index(np.zeros(3, [("time", float), ("event", float)]), np.ones(3))


def test_censored_lives_are_missing_in_errors():
    event, time = np.array([True, False, True]), np.array([5.0, 3.0, 8.0])
    known = np.where(event, time, np.nan)
    predicted = np.array([4.0, 1.0, 9.0])
    y = lives(event, time)
    assert mase(y, predicted, scale=2.0) == mase(known, predicted, scale=2.0) == 0.5
    assert prognostic_score(y, predicted) == prognostic_score(known, predicted)
    assert coverage(y, predicted, predicted + 1) == 0.5
