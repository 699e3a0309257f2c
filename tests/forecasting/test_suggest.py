"""Test the suggestion of seasons: by hand, on panels with and without seasons, on real data."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from sklstm import MultiSeriesForecaster, PanelDataset, stack_series, suggest_season_length
from sklstm.forecasting._autocorrelation import (
    autocorrelations,
    find_peak,
    mean_autocorrelations,
    prewhiten,
    standardize,
)

IDS = {"series": "series", "time": "time"}
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SKLSTM_DATA", ROOT.parent / "shared" / "data"))


def suggest(arrays, **options):
    panel = stack_series(arrays, columns=["y"])
    return suggest_season_length(panel, **{**IDS, **options})


def waves(n_rows, *seasons, n_series=20, noise=1.0, seed=0):
    """Make series of one random pattern per season, shared by all series, and noise."""
    rng = np.random.default_rng(seed)
    pattern = sum(np.resize(rng.normal(size=season), n_rows) for season in seasons)
    return [10.0 * k + pattern + noise * rng.normal(size=n_rows) for k in range(n_series)]


# -------------------------------------------------------------------------- the arithmetic
@pytest.mark.parametrize("share", [0, 0.3])
def test_autocorrelations_equal_a_loop(share):
    rng = np.random.default_rng(0)
    values = rng.normal(size=37)
    values[rng.random(37) < share] = np.nan
    values -= np.nanmean(values)
    products = [np.nanmean(values[lag:] * values[: 37 - lag]) for lag in range(21)]
    assert_allclose(autocorrelations(values, 20), products / products[0], atol=1e-12)


def test_lags_without_a_known_pair_are_unknown():
    found = autocorrelations(np.array([1.0, np.nan, np.nan, -1.0]), 3)
    assert_allclose(found, [1, np.nan, np.nan, -1])


def test_standardize_by_hand():
    found = standardize(np.array([1.0, 2, 3, np.nan, 94]))
    # The mean is 25, the deviations are 24, 23, 22 and 69: their median is 23.5.
    expected = np.array([-24, -23, -22, np.nan, 69]) / 23.5
    assert_allclose(found, expected - np.nanmean(expected))
    assert np.isnan(standardize(np.full(3, 7.0))).all()
    assert np.isnan(standardize(np.full(3, np.nan))).all()
    spike = standardize(np.append(np.zeros(99), 1e9))  # clipped
    assert spike.max() < 10


def test_prewhitening():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=2000)
    walk = np.cumsum(noise)
    assert np.corrcoef(prewhiten(walk), noise[1:])[0, 1] > 0.99
    assert np.corrcoef(prewhiten(noise), noise[1:])[0, 1] > 0.99
    assert len(prewhiten(np.full(5, np.nan))) == 4


def test_mean_autocorrelations_weight_series_equally():
    rng = np.random.default_rng(0)
    long, short, constant = rng.normal(size=30), 1e6 * rng.normal(size=21), np.ones(30)
    found, n_known = mean_autocorrelations([long, short, constant])
    own = [autocorrelations(standardize(values), 14) for values in (long, short)]
    assert_allclose(found[:15], np.mean(own, axis=0))
    # The short series reaches two thirds of its length.
    assert len(found) == 21 and n_known == 51
    assert_allclose(found[15:], autocorrelations(standardize(long), 20)[15:])


def test_find_peak_by_hand():
    correlations = np.tile([0.8, 0.0, 0.3, 0.0], 25)
    correlations[0] = 1
    # Lag 2 is no season without the multiples of lag 4, and 8 is no stronger than 4.
    correlations[2::4] = -0.3
    assert find_peak(correlations, 1000, 0.02) == 4
    correlations[2::4] = 0.6
    assert find_peak(correlations, 1000, 0.02) == 2
    assert find_peak(correlations, 1000, 0.9) is None
    assert find_peak(correlations, 2, 0.02) is None  # few values
    assert find_peak(correlations[:4], 1000, 0.02) is None
    assert find_peak(np.eye(1, 100)[0], 1000, 0.02) is None


# --------------------------------------------------------------------------------- panels
@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (waves(70, 7), (7,)),
        (waves(600, 24, 168), (24, 168)),
        (waves(36, 12), (12,)),
        ([x[: 30 + 5 * k] for k, x in enumerate(waves(125, 5))], (5,)),
        (waves(200, 7, n_series=1), (7,)),
        ([np.cumsum(x) for x in waves(300, 12)], (12,)),
        ([np.exp(x) for x in waves(100, 4, noise=0.3)], (4,)),
        ([np.sin(np.arange(60) * np.pi / 6) + x for x in waves(60)], (12,)),
        ([np.round(np.maximum(x, 0)) for x in waves(200, 7)], (7,)),
    ],
    ids=["week", "two", "short", "unequal", "one", "walk", "products", "smooth", "counts"],
)
def test_seasons_are_found(arrays, expected):
    assert suggest(arrays) == expected


def without_season(kind, n_rows, n_series, rng):
    noise = rng.normal(size=(n_series, n_rows))
    if kind == "common":
        return list(noise[0] + 0.3 * noise)
    if kind == "counts":
        return list(rng.poisson(0.3, size=noise.shape).astype(float))
    if kind == "trends":
        return list(np.arange(n_rows) + noise)
    return list(noise if kind == "noise" else np.cumsum(noise, axis=1))


@pytest.mark.parametrize("kind", ["noise", "walks", "common", "counts", "trends"])
def test_nothing_is_found_where_nothing_is(kind):
    rng = np.random.default_rng(0)
    sizes = [(30, 1), (30, 30), (100, 1), (100, 10), (300, 3)]
    found = [suggest(without_season(kind, *size, rng)) for size in sizes for _ in range(4)]
    assert found.count((1,)) >= 19, found


@pytest.mark.parametrize(
    "arrays",
    [[np.zeros(50)], [np.arange(2.0)], [np.full(9, np.nan)], [np.array([1.0])], [np.arange(90.0)]],
    ids=["constant", "two rows", "unknown", "one row", "line"],
)
def test_panels_without_information(arrays):
    assert suggest(arrays) == (1,)


@pytest.mark.parametrize("factor", [1e-150, -3.0, 1e150])
def test_units_order_and_gaps_do_not_matter(factor):
    panel = stack_series(waves(120, 7, n_series=4), columns=["y"]).reset_index()
    panel["y"] *= factor
    panel = panel.sample(frac=0.8, random_state=0)  # in any order, with gaps in time
    assert suggest_season_length(panel, **IDS) == (7,)
    dated = panel.assign(time=pd.Timestamp("2024-01-01") + pd.to_timedelta(panel["time"], "D"))
    assert suggest_season_length(dated, **IDS, freq="D") == (7,)


def test_columns():
    panel = stack_series(waves(120, 7, n_series=4, noise=0.5), columns=["y"]).reset_index()
    panel["z"] = np.random.default_rng(1).normal(size=len(panel))
    panel["note"] = "text"
    assert suggest_season_length(panel, "y", **IDS) == (7,)
    assert suggest_season_length(panel, "z", **IDS) == (1,)
    assert suggest_season_length(panel, ["y", "z"], **IDS) == (7,)
    # As in the forecaster, categories are no targets.
    coded = panel.drop(columns="z").astype({"note": "category"})
    assert suggest_season_length(coded, **IDS) == (7,)
    array = panel[["series", "time", "y"]].to_numpy()
    assert suggest_season_length(array, series=0, time=1) == (7,)
    ordered = panel.loc[panel["series"] == 0, ["y"]].to_numpy()
    assert suggest_season_length(ordered) == (7,)


def test_a_sample_of_series_is_spread_and_fixed(monkeypatch):
    # Only the first, the middle and the last one have a season.
    arrays = waves(70, n_series=21)
    for number in (0, 10, 20):
        arrays[number] = waves(70, 7, noise=0.3)[number % 20]
    assert suggest(arrays, max_series=3) == (7,)
    assert suggest(arrays, max_series=3) == suggest(arrays, max_series=3)
    # Of long series, the last rows count.
    monkeypatch.setattr("sklstm.forecasting._suggest.MAX_ROWS", 70)
    arrays = [np.append(x, y) for x, y in zip(waves(70, 5), waves(70, 7), strict=True)]
    assert suggest(arrays) == (7,)


def test_panel_in_files(tmp_path):
    panel = stack_series(waves(70, 7, noise=0.5), columns=["y"]).reset_index()
    panel.to_parquet(tmp_path / "panel.parquet")
    dataset = PanelDataset(tmp_path, series="series", block_rows=500)
    assert suggest_season_length(dataset, **IDS) == (7,)
    assert suggest_season_length(dataset, **IDS, max_series=5) == (7,)


def test_the_suggestion_is_a_parameter():
    for arrays in (waves(70, 7), waves(70)):
        panel = stack_series(arrays, columns=["y"])
        season_length = suggest_season_length(panel, **IDS)
        model = MultiSeriesForecaster(
            2, season_length=season_length, window_length=14, regressor=Ridge(), **IDS
        )
        assert len(model.fit(panel).forecast()) == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "z"}, "target='z' is not a column of X"),
        ({"max_series": 0}, "'max_series' parameter of suggest_season_length"),
        ({"series": "shop"}, "series='shop' is neither a column nor an index level"),
        ({"freq": "D"}, "freq='D' must be a number"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        suggest(waves(30, 7), **options)


def test_text_is_no_target():
    panel = pd.DataFrame({"shop": ["a", "a"], "sold": ["1", "2"]})
    with pytest.raises(ValueError, match=r"'shop' the id\? Then pass series='shop'.*\['sold'\]"):
        suggest_season_length(panel)


# ------------------------------------------------------------------------------ real data
@pytest.mark.parametrize(
    ("folder", "expected"),
    [("m4_hourly", (24, 168)), ("nn5_daily", (7,)), ("tourism_monthly", (12,))],
)
def test_public_data(folder, expected):
    if not (DATA / folder).exists():
        pytest.skip("no data")
    lines = (DATA / folder / "train.csv").read_text().split()
    assert suggest([np.array(line.split(",")[1:], float) for line in lines]) == expected


def test_sensors_with_gaps():
    files = sorted((DATA / "beijing_air").glob("*.csv.gz"))[:3]
    if not files:
        pytest.skip("no data")
    panel = pd.concat([pd.read_csv(file) for file in files]).rename(columns={"station": "series"})
    panel["time"] = pd.to_datetime(panel[["year", "month", "day", "hour"]])
    assert suggest_season_length(panel, "PM2.5", **IDS) == (24,)
    assert suggest_season_length(panel, ["TEMP", "PM2.5"], **IDS) == (24,)
