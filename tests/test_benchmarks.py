"""Data, metrics and tables of the benchmarks; timings are not tested."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import line_of
from matplotlib.figure import Figure

from sklstm import WindowTransformer, make_remaining_life, make_targets
from sklstm.metrics import mase, smape

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import ablation
import accuracy
import censored
import many_forecasts
import panels
import peers
import problems
import regimes
import report
import unequal_lengths
import weights


def read_or_skip(read, *arguments):
    try:
        return read(*arguments)
    except problems.CannotError as reason:
        pytest.skip(str(reason))


def seasonal_naive_error(folder, horizon, season):
    train, test = (read_or_skip(problems.read_series, folder, part) for part in ("train", "test"))
    forecast = problems.seasonal_naive(train, horizon, season)
    return problems.mean_mase(train, test, forecast, season)


@pytest.mark.parametrize(
    ("folder", "horizon", "season", "known"),
    [("m4_hourly", 48, 24, 1.193), ("nn5_daily", 56, 7, 1.011), ("tourism_monthly", 24, 12, 1.631)],
)
def test_seasonal_naive_scores_as_published(folder, horizon, season, known):
    assert seasonal_naive_error(folder, horizon, season) == pytest.approx(known, abs=5e-4)


def test_metric_equals_that_of_the_package():
    rng = np.random.default_rng(0)
    train = [rng.normal(size=n) for n in (30, 40)]
    test, forecast = rng.normal(size=(2, 2, 5))
    scale = [np.mean([abs(x[i] - x[i - 7]) for i in range(7, len(x))]) for x in train]
    expected = mase(test, forecast, scale=scale)
    assert problems.mean_mase(train, test, forecast, 7) == pytest.approx(expected)


def test_published_forecast_scores_as_published():
    train, test = (read_or_skip(problems.read_series, "nn5_daily", part) for part in panels.PARTS)
    published = problems.DATA / "nn5_daily" / "published_lstm_forecast_hewamalage_ensemble.csv"
    forecast = np.loadtxt(published, delimiter=",")
    assert mase(test, forecast, scale=accuracy.series_scale(train, 7)) == pytest.approx(
        0.9478, abs=5e-5
    )
    assert smape(test, forecast) == pytest.approx(23.852, abs=5e-4)


def test_scale_and_forecast_of_series_not_longer_than_a_season():
    short, long = np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0, 4.0, 7.0])
    np.testing.assert_allclose(accuracy.series_scale([short, long], 3), [1.5, 6.0])
    naive = problems.seasonal_naive([short, long], 4, 3)
    np.testing.assert_array_equal(naive, [[2, 2, 2, 2], [2, 4, 7, 2]])


class Naive:
    """Replace the forecaster: the seasonal naive forecast in its output format."""

    def __init__(self, horizon, season):
        self.horizon, self.season = horizon, season

    def fit(self, panel):
        self.panel = panel
        return self

    def forecast(self):
        ids = self.panel["series"].unique()
        series = [self.panel.loc[self.panel["series"] == each, "y"].to_numpy() for each in ids]
        found = problems.seasonal_naive(series, self.horizon, self.season)
        index = pd.MultiIndex.from_product(
            [ids, 1 + np.arange(self.horizon)], names=["series", "step"]
        )
        tidy = pd.DataFrame({"prediction": found.ravel()}, index=index).reset_index()
        return tidy.sample(frac=1, random_state=0)


def test_forecast_keeps_the_order_of_series_and_steps(monkeypatch):
    monkeypatch.setattr(accuracy, "make_forecaster", lambda h, m, target, seed: Naive(h, m))
    train = [np.arange(n) * 1.5 for n in (5, 9, 7, *[6] * 8)]  # more than ten: 10 is not after 1
    found, _ = accuracy.forecast_series(train, 4, 3, seed=0)
    np.testing.assert_array_equal(found, problems.seasonal_naive(train, 4, 3))


def test_quantile_scores_equal_those_of_a_loop():
    rng = np.random.default_rng(0)
    truth, forecast = rng.normal(size=(3, 2, 4)), np.sort(rng.normal(size=(3, 2, 4, 3)), axis=-1)
    scale = np.array([2.0, 0.0, 0.5])
    inside, losses = [], []
    for i in range(3):
        loss = []
        for at in np.ndindex(2, 4):
            y, f = truth[i][at], forecast[i][at]
            inside.append(f[0] <= y <= f[2])
            loss += [
                q * (y - v) if y > v else (1 - q) * (v - y)
                for q, v in zip(accuracy.QUANTILES, f, strict=True)
            ]
        losses += [np.mean(loss) / scale[i]] if scale[i] else []
    found = accuracy.score_quantiles(truth, forecast, scale)
    assert found["coverage, %"] == pytest.approx(100 * np.mean(inside))
    assert found["pinball loss"] == pytest.approx(np.mean(losses))


def test_gaps_are_filled_with_the_last_value_of_their_series():
    table = pd.DataFrame({"series": list("aabbb"), "time": 0, "y": [1, np.nan, np.nan, 2, np.nan]})
    filled = panels.fill_gaps(table)
    assert filled["y"].tolist() == [1, 1, 2, 2, 2]
    assert list(filled) == list(table)


def test_each_day_of_beijing_is_forecast_once_and_three_stations_are_not_in_training():
    table = read_or_skip(panels.read_beijing)
    assert len(table) == 12 * 35_064 and table[panels.TARGET].isna().sum() == 8_739
    train, rows = panels.split_beijing(table)
    assert train["series"].nunique() == 9 and not train["series"].isin(panels.UNSEEN).any()
    assert train["time"].max() < panels.TEST_START
    assert (rows.groupby("series").size() == 365 * 24 + panels.WINDOW).all()
    origins = panels.daily_origins(rows)
    truth = make_targets(rows, panels.HOURS, panels.TARGET, series="series", time="time")
    tested = rows[rows["time"] >= panels.TEST_START]
    np.testing.assert_array_equal(
        np.asarray(truth)[origins].ravel(), tested[panels.TARGET].to_numpy()
    )
    for forecast in accuracy.simple_beijing(rows).values():
        assert np.isfinite(forecast[origins]).all()


def test_simple_forecasts_of_beijing_use_the_past_only():
    hours = pd.date_range("2016-01-01", periods=50, freq="h")
    table = pd.DataFrame({"series": "a", "time": hours, panels.TARGET: np.arange(50.0)})
    simple = accuracy.simple_beijing(table)
    np.testing.assert_array_equal(simple["last value"][30], np.full(24, 30.0))
    np.testing.assert_array_equal(simple["the day before"][30], np.arange(7.0, 31.0))
    np.testing.assert_array_equal(simple["mean of the last day"][30], np.full(24, 18.5))


def test_sums_are_aligned_with_the_end_of_the_series():
    series = [np.arange(7.0), np.ones(4)]
    weekly = panels.sums(series, 3)
    assert [x.tolist() for x in weekly] == [[6.0, 15.0], [3.0]]


def test_table_of_errors():
    cases = {
        "NN5": {
            "naive": {"figures": {"MASE": [1.0111]}, "machine": "here"},
            "sklstm": {"figures": {"MASE": [0.8, 0.9], "seconds": [2.0, 4.0]}, "machine": "here"},
        }
    }
    assert accuracy.table(cases).split("\n")[2:] == [
        "| NN5 | naive | 1.011 |  |",
        "| NN5 | sklstm | 0.85 (0.8 to 0.9) | 3 (2 to 4) |",
        "",
        "sklstm: here.",
    ]


def test_changes_are_relative_to_the_same_seed():
    results = {"FD001": {"as it is": [10.0, 20.0], "attention": [9.0, 22.0]}}
    lines = ablation.table(results).split("\n")
    assert lines[0] == "| | FD001 | FD002 | M4 hourly | NN5 daily |"
    assert lines[2] == "| as it is: RMSE, MASE | 15 (10 to 20) |  |  |  |"
    assert lines[3] == "| attention: % | +0.0 (-10.0 to +10.0) |  |  |  |"


def test_techniques_guide_shows_the_results():
    results = json.loads((ablation.HERE / "ablation.json").read_text())
    page = ablation.PAGE.read_text()
    assert report.fill(page, {"ablation": ablation.table(results)}) == page
    assert set(results) == {*ablation.ENGINES, *ablation.FORECASTS, "machine"}
    for case in (*ablation.ENGINES, *ablation.FORECASTS):
        assert results[case].keys() == ablation.choices(case).keys()


def panel_of(blocks):
    values = pd.DataFrame(blocks.reshape(-1, blocks.shape[2]))
    return values.set_axis(["p", "q"][: values.shape[1]], axis=1).assign(
        series=problems.make_ids(blocks)
    )


@pytest.mark.parametrize("pad", [False, True])
def test_windows_equal_the_materialised_ones(pad):
    blocks = problems.make_blocks(3, 7, 2)
    windows = WindowTransformer(4, series="series").fit_transform(panel_of(blocks))
    windows = windows[windows.n_observed >= (1 if pad else 4)]
    np.testing.assert_array_equal(windows, problems.materialise(blocks, 4, pad=pad))


def test_epoch_has_the_stated_windows_and_the_next_values():
    blocks, y = problems.make_epoch(64, 5)
    windows = WindowTransformer(5, series="series").fit_transform(panel_of(blocks))
    windows = windows[windows.n_observed == 5]
    assert windows.shape == (64, 5, 1) and windows.dtype == y.dtype == np.float32
    # The target of a window is the last value of the next one, within a series.
    np.testing.assert_array_equal(y.reshape(32, 2)[:, 0], np.asarray(windows)[1::2, -1, 0])


def test_each_peer_has_a_module_with_its_problems():
    folder = Path(peers.__file__).parent
    of_problems = {name: each.peers for name, each in problems.PROBLEMS.items()} | {
        "import": (),
        "many_forecasts": [module for module, _ in many_forecasts.PEERS.values()],
    }
    for name, names in of_problems.items():
        for peer in names:
            code = (folder / f"{peer}.py").read_text()
            assert f"\ndef {name}(" in code or f"\n{name} = " in code
            assert (folder / f"requirements-{peers.PEERS[peer].environment}.txt").exists()
    assert all(problem.quick and problem.cases for problem in problems.PROBLEMS.values())


RESULTS = {
    "windows": {
        "machine": "2 cores",
        "versions": {"sklstm": {"numpy": "2.4.6"}, "numpy_windows": {"numpy": "2.4.6"}},
        "cases": {
            "96 rows": {
                "sklstm": {
                    "seconds": [3.0, 1.0, 2.0],
                    "extra_mb": 80.25,
                    "figures": {"rows": [1000, 1000, 1000]},
                    "run": "2",
                },
                "numpy_windows": {
                    "seconds": [0.5],
                    "extra_mb": 1234.5,
                    "figures": {"rows": [100]},
                    "run": "1",
                },
                "tslearn": {"cannot": "makes no windows", "run": "2"},
            }
        },
    }
}


def test_table_of_fixed_results():
    texts = report.sections(RESULTS)
    header, _, *lines = texts["windows"].split("\n")
    assert header.split(" | ")[-3:] == ["rows per second", "MB at the peak", "rows |"]
    assert lines[:3] == [
        "| 96 rows | sklstm | 2 | 1 to 3 | 3 | 1 | 500 | 80.2 | 1,000 |",
        # 0.5 s for a tenth of the rows is 2.5 times our 2 s.
        "| 96 rows | numpy_windows, in an earlier run | 0.5 | 0.5 to 0.5 | 1 | 2.5 | 200 | 1,234 "
        "| 100 |",
        "| 96 rows | tslearn | makes no windows |  |  |  |  |  |  |",
    ]
    page = report.fill("a\n<!-- windows -->\nold\n<!-- end -->\nb\n", texts)
    assert page == f"a\n<!-- windows -->\n{texts['windows']}\n<!-- end -->\nb\n"
    assert report.fill(page, texts) == page


def entry(seconds, **figures):
    return {"seconds": [seconds], "extra_mb": 1.0, "figures": figures, "run": "1"}


def test_table_of_search_costs():
    results = {
        "search": {"cases": {"36 fits": {"sklstm": entry(6.0), "limits": entry(4.0)}}},
        "search_cold": {"cases": {"36 fits": {"sklstm": entry(18.0)}}},
        "search_compile": {
            "cases": {shape: {"sklstm": entry(3.0, compile=[2.5])} for shape in ("a", "b")}
        },
    }
    lines = report.search_table(results).split("\n")[2:]
    assert lines == [
        "| training steps alone | 4 |  |",
        "| compiling 2 shapes | 5 |  |",
        "| sklstm, warm | 6 | 1.5 |",
        "| sklstm, cold, TensorFlow loaded | 18 | 2 |",
    ]
    assert report.search_table({}) == ""


def test_growth_plot(tmp_path, monkeypatch):
    figures = []

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        real(figure, *arguments, **options)

    real = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", savefig)
    cases = {
        f"{axis}, {task}, {size:,}": {"sklstm": entry(size / 1e6, rows=[size])}
        for axis, task in (("series", "scale"), ("window", "windows"), ("rows", "fit"))
        for size in (1_000, 10_000)
    }
    report.plot_growth(cases, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    (figure,) = figures
    for axes, task in zip(figure.axes, ("scale", "windows", "fit"), strict=False):
        points = line_of(axes, report.TASKS[task]).get_xydata()
        np.testing.assert_allclose(points, [[1_000, 1e-3], [10_000, 1e-2]])


@pytest.mark.parametrize("of", [unequal_lengths.usual, unequal_lengths.shorter])
def test_events_are_unrelated_to_the_lengths_of_their_series(of):
    rng = np.random.default_rng(0)
    sizes = 100 + rng.normal(size=500)
    lengths = of(sizes, rng)
    X, y = unequal_lengths.make_events(sizes, lengths, rng, "test")
    groups = X.groupby("series", sort=False)
    np.testing.assert_array_equal(groups.size(), lengths)
    np.testing.assert_array_equal(groups["time"].max(), lengths - 1)
    last = ~X["series"].duplicated(keep="last").to_numpy()
    np.testing.assert_array_equal(y[last], sizes)
    assert np.isnan(y[~last]).all()
    of_event = (X["level"] > 50).groupby(X["series"], sort=False)
    assert (of_event.sum() == 5).all()
    assert np.std(groups["level"].max() - sizes) < 0.6
    assert abs(np.corrcoef(sizes, lengths)[0, 1]) < 0.1


def test_tied_lengths_are_correlated_with_the_target():
    rng = np.random.default_rng(0)
    sizes = rng.normal(size=2000)
    lengths = unequal_lengths.tied(sizes, rng)
    assert (lengths.min(), lengths.max()) == (30, 90)
    assert np.corrcoef(sizes, lengths)[0, 1] > 0.8


def test_windows_are_padded_to_full_segments():
    X = pd.DataFrame({"unit": [1] * 7 + [2] * 3, "x": np.arange(10.0)})
    x = (X["x"].to_numpy() - 4.5) / np.std(X["x"])
    for padding in unequal_lengths.PADDINGS:
        options = {"window_length": "longest", "padding": padding}
        net = unequal_lengths.make_net(options, {"series": "unit"}, ["x"], 5)
        windows = net[:-1].fit_transform(X)
        assert windows.shape == (10, 10, 1)
        assert windows.n_observed.tolist() == [1, 2, 3, 4, 5, 6, 7, 1, 2, 3]
        pad = {"zero": 0.0, "edge": x[0], "nan": np.nan}[padding]
        np.testing.assert_allclose(windows[6:7].gather([0])[0, :, 0], [pad] * 3 + [*x[:7]])


def test_table_of_padding(capsys):
    unequal_lengths.table("RMSE", [("zeros", {"a": [1.0, 2.0]}), ("edge", {"a": [3.0]})], ".1f")
    lines = capsys.readouterr().out.split("\n")[1:5]
    assert lines == [
        "| RMSE | a | seconds |",
        "|---|---|---|",
        "| zeros | 1.5 (1.0 to 2.0) | 0 |",
        "| edge | 3.0 (3.0 to 3.0) | 0 |",
    ]


def test_series_of_very_unequal_length():
    train, test = weights.synthetic(0, 1.0, n_series=6)
    for X, y in (train, test):
        lengths = X.groupby("series").size()
        assert lengths.min() == 20 and lengths.max() == 2000 and len(lengths) == 6
        assert X.index.equals(y.index)
    assert not set(train[0]["series"]) & set(test[0]["series"])
    # The longest series follows the law from which the others deviate.
    plain, differing = weights.synthetic(0, 0.0, n_series=6)[0][1], train[1]
    departs = (plain - differing).abs().groupby(train[0]["series"]).mean()
    assert departs.iloc[-1] < 1e-9 and departs.iloc[0] > departs.iloc[3] > 0.05


def test_records_of_engines_start_late():
    train, test = weights.engines(0)
    for X, y in (train, test):
        lengths = X.groupby("unit").size()
        assert lengths.min() < 30 and lengths.max() > 150 and len(lengths) == 50
        assert (y.groupby(X["unit"]).min() == 0).all()
        assert y.max() == 125
    assert not set(train[0]["unit"]) & set(test[0]["unit"])


def test_effective_rows():
    ids = ["a", "a", "a", "b"]
    assert weights.rows_that_count(ids, 0) == pytest.approx(100)
    # Weights 2/3 three times and 2: 16 over 16 / 3 is three rows of four.
    assert weights.rows_that_count(ids, 1) == pytest.approx(75)


def test_regimes_are_the_six_altitudes():
    if not (problems.DATA / "cmapss").exists():
        pytest.skip("no data: cmapss is not in the folder SKLSTM_DATA")
    X = regimes.load("FD002", problems.DATA / "cmapss").train
    regime = regimes.add_regime(X)["regime"]
    assert sorted(regime.unique()) == [0, 10, 20, 25, 35, 42]
    # Within a regime, a sensor varies by a small part of what it does over all.
    assert X.groupby(regime)["sensor4"].std().max() < 0.1 * X["sensor4"].std()


CUT = pd.DataFrame(
    {"unit": [1, 1, 1, 1, 2, 2, 3, 3, 3], "cycle": [1, 2, 3, 4, 1, 2, 1, 2, 3]}, index=range(9)
)
FAILED = pd.Series([True, False, True], index=[1, 2, 3])


def test_rows_of_ages_that_fewer_engines_reach_uncut_weigh_more():
    # One of the three engines is cut after the second cycle.
    expected = [1, 1, 1.5, 1.5, 1, 1, 1, 1, 1.5]
    np.testing.assert_allclose(censored.weigh_by_age(CUT, FAILED), expected)


def test_censored_lives_are_those_to_the_mean_predicted_end():
    lives = make_remaining_life(CUT, FAILED, cap=125, series="unit", time="cycle")
    predicted = np.full(9, 50.0)
    predicted[4:6] = 9, 12  # the ends 10 and 14
    filled = censored.fill_in_ends(lives, CUT, predicted)
    np.testing.assert_allclose(filled, [3, 2, 1, 0, 11, 10, 2, 1, 0])
    predicted[4:6] = -9  # before the last row, so that the engine fails there
    np.testing.assert_allclose(censored.fill_in_ends(lives, CUT, predicted)[4:6], [1, 0])
    predicted[4:6] = 900
    np.testing.assert_allclose(censored.fill_in_ends(lives, CUT, predicted)[4:6], 125)
