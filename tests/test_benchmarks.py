"""The benchmark's data, metric and tables; its timings are no tests."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklstm import WindowTransformer
from sklstm.metrics import mase

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import peers
import problems
import report


def seasonal_naive_error(folder, horizon, season):
    try:
        train, test = (problems.read_series(folder, part) for part in ("train", "test"))
    except problems.CannotError as reason:
        pytest.skip(str(reason))
    forecast = problems.seasonal_naive(train, horizon, season)
    return problems.mean_mase(train, test, forecast, season)


@pytest.mark.parametrize(
    ("folder", "horizon", "season", "known"),
    [("m4_hourly", 48, 24, 1.193), ("nn5_daily", 56, 7, 1.011)],
)
def test_seasonal_naive_scores_as_published(folder, horizon, season, known):
    assert seasonal_naive_error(folder, horizon, season) == pytest.approx(known, abs=5e-4)


def test_metric_is_that_of_the_package():
    rng = np.random.default_rng(0)
    train = [rng.normal(size=n) for n in (30, 40)]
    test, forecast = rng.normal(size=(2, 2, 5))
    scale = [np.mean([abs(x[i] - x[i - 7]) for i in range(7, len(x))]) for x in train]
    expected = mase(test, forecast, scale=scale)
    assert problems.mean_mase(train, test, forecast, 7) == pytest.approx(expected)


def panel_of(blocks):
    values = pd.DataFrame(blocks.reshape(-1, blocks.shape[2]))
    return values.set_axis(["p", "q"][: values.shape[1]], axis=1).assign(
        series=problems.make_ids(blocks)
    )


@pytest.mark.parametrize("pad", [False, True])
def test_windows_are_the_materialised_ones(pad):
    blocks = problems.make_blocks(3, 7, 2)
    windows = WindowTransformer(4, series="series").fit_transform(panel_of(blocks))
    windows = windows[windows.n_observed >= (1 if pad else 4)]
    np.testing.assert_array_equal(windows, problems.materialise(blocks, 4, pad=pad))


def test_an_epoch_has_the_windows_it_says_and_the_next_values():
    blocks, y = problems.make_epoch(64, 5)
    windows = WindowTransformer(5, series="series").fit_transform(panel_of(blocks))
    windows = windows[windows.n_observed == 5]
    assert windows.shape == (64, 5, 1) and windows.dtype == y.dtype == np.float32
    # The target of a window is the last value of the next one, within a series.
    np.testing.assert_array_equal(y.reshape(32, 2)[:, 0], np.asarray(windows)[1::2, -1, 0])


def test_each_peer_has_a_module_with_its_problems():
    folder = Path(peers.__file__).parent
    for name, problem in problems.PROBLEMS.items():
        for peer in problem.peers if name != "import" else ():
            code = (folder / f"{peer}.py").read_text()
            assert f"\ndef {name}(" in code or f"\n{name} = " in code
            assert (folder / f"requirements-{peers.PEERS[peer].environment}.txt").exists()
        assert problem.quick.keys() and problem.cases.keys()


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
    assert header.split(" | ")[-3:] == ["rows a second", "MB at the peak", "rows |"]
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


def test_table_of_what_a_search_costs():
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


def test_growth_plot(tmp_path):
    cases = {
        f"{axis}, {task}, {size:,}": {"sklstm": entry(size / 1e6, rows=[size])}
        for axis, task in (("series", "scale"), ("window", "windows"), ("rows", "fit"))
        for size in (1_000, 10_000)
    }
    report.plot_growth(cases, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
