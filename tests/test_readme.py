"""The README: its words, code blocks, commands and figures; the command and the examples."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import sklstm
from sklstm.__main__ import find_example
from sklstm.plotting import ForecastDisplay

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import turbofan_data

matplotlib.use("Agg")
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"\n## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", README, re.DOTALL))
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "turbofan_life.py"))


def test_readme_is_short():
    assert len(README.split()) <= 1000


def test_every_block_is_found():
    assert list(BLOCKS) == ["Pipeline", "Forecasting", "Grid search"]
    assert README.count("```python") == len(BLOCKS)


@pytest.mark.parametrize(("title", "n_lines"), [("Pipeline", 15), ("Forecasting", 10)])
def test_blocks_are_short(title, n_lines):
    assert sum(line != "" for line in BLOCKS[title].splitlines()) <= n_lines


@pytest.fixture
def run_block(capsys, tmp_path, monkeypatch):
    """Run a block in an empty folder with the examples; return its names and its output."""

    def run(title):
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        monkeypatch.chdir(tmp_path)
        names = {}
        exec(compile(BLOCKS[title], f"README.md, {title}", "exec"), names)
        plt.close("all")
        return names, capsys.readouterr().out

    return run


def test_pipeline_has_the_error_it_claims(run_block):
    names, printed = run_block("Pipeline")
    claimed = re.search(r"print\(.*\)  # ([\d.]+)\n", BLOCKS["Pipeline"])[1]
    assert f"The RMSE is {claimed} cycles" in README
    # Other processors round differently, and training amplifies the difference.
    assert float(printed) == pytest.approx(float(claimed), abs=0.75)
    # The example and the benchmarks use the same pipeline.
    for make_net in (EXAMPLE["make_net"], turbofan_data.make_net):
        assert repr(names["pipe"]) == repr(make_net(random_state=0))


@pytest.mark.slow
def test_baselines_have_the_errors_that_the_readme_claims():
    data = EXAMPLE["load"]()
    scaler, windows, _ = (step for _, step in EXAMPLE["make_net"]().steps)
    ridge = make_pipeline(scaler, windows.set_params(output="2d"), Ridge(alpha=10.0))
    ridge.fit(data.train, data.train_rul.clip(upper=125))
    error = EXAMPLE["evaluate"](ridge, data)["RMSE, capped"]
    assert f"Ridge on the same windows has {error:.2f}, a constant 41.94" in README


@pytest.mark.slow
def test_forecast_block_draws_the_picture(run_block, tmp_path):
    names, printed = run_block("Forecasting")
    columns = re.search(r"print\(forecast.head\(\)\)  # (.*)\n", BLOCKS["Forecasting"])[1]
    assert list(names["forecast"].columns) == columns.split(", ")
    assert names["forecast"].groupby("shop").size().eq(28).all()
    assert printed.startswith("      shop")
    assert (tmp_path / "forecast.png").stat().st_size > 10_000


@pytest.mark.slow
def test_grid_search_block_compares_all_candidates(run_block):
    names, printed = run_block("Grid search")
    assert len(names["search"].cv_results_["params"]) == 8
    # A constant has a score of about 0.
    assert names["search"].best_score_ > 0.7
    assert "window_length" in printed


def write_and_read(table, folder, name):
    """Write a table to a CSV file, and read it as a polars user does; floats as float32."""
    table.to_csv(folder / name, index=False)
    return pl.read_csv(folder / name).with_columns(pl.col(pl.Float64).cast(pl.Float32))


@pytest.mark.slow
def test_pipeline_block_with_polars(run_block, tmp_path):
    names, _ = run_block("Pipeline")
    X, X_test = (write_and_read(names[name], tmp_path, f"{name}.csv") for name in ("X", "X_test"))
    life = pl.Series(names["data"].train_rul.to_numpy()).clip(upper_bound=125)
    expected = names["pipe"].predict(names["X_test"])
    predicted = names["pipe"].fit(X, life).predict(X_test)
    np.testing.assert_array_equal(predicted, expected)


@pytest.mark.slow
def test_forecast_block_with_polars(run_block):
    expected = run_block("Forecasting")[0]["forecast"]
    sales = pl.read_csv("examples/shop_sales.csv", try_parse_dates=True)
    ids = {"series": "shop", "time": "day"}
    options = {"season_length": 7, "quantiles": (0.1, 0.5, 0.9), "random_state": 0}
    forecast = sklstm.MultiSeriesForecaster(horizon=28, **options, **ids).fit(sales).forecast()
    assert forecast.schema["day"] == sales.schema["day"] == pl.Date
    pd.testing.assert_frame_equal(
        forecast.to_pandas(), expected, check_exact=True, check_dtype=False
    )
    display = ForecastDisplay.from_forecast(forecast, sales, n_history=56, **ids)
    assert len(display.axes_) == 6
    plt.close("all")


@pytest.mark.slow
def test_grid_search_block_with_polars(run_block, tmp_path):
    names, _ = run_block("Grid search")
    X = write_and_read(names["X"], tmp_path, "X.csv")
    life = names["data"].train_rul[names["X"].index].to_numpy()
    life = pl.Series(life).clip(upper_bound=125)
    expected = names["search"].cv_results_
    found = names["search"].fit(X, life, groups=X["unit"]).cv_results_
    assert found["params"] == expected["params"]
    np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])


@pytest.mark.parametrize("page", ["README.md", "docs/forecasting.md"])
@pytest.mark.parametrize("case", ["M4 hourly", "NN5 daily", "tourism monthly"])
def test_forecast_errors_are_those_of_the_benchmark(page, case):
    results = json.loads((ROOT / "benchmarks" / "accuracy.json").read_text())["points"][case]
    errors, naive = (results[name]["figures"]["MASE"] for name in ("sklstm", "seasonal naive"))
    row = next(row for row in (ROOT / page).read_text().split("\n") if row.startswith(f"| {case}"))
    assert f"| {np.mean(errors):.3f} ({min(errors):.3f} to {max(errors):.3f}) |" in row
    assert f"| {naive[0]:.3f} |" in row
    assert f"| {np.mean(results['sklstm']['figures']['seconds']):.0f} s |" in row


def test_time_of_an_epoch_is_that_of_the_benchmark():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    case = results["epoch"]["cases"]["256 x 96 x 64"]
    ours, keras, torch = (
        f"{np.median(case[peer]['seconds']):.2f} s"
        for peer in ("sklstm", "keras_recipe", "torch_loop")
    )
    assert f"takes {ours}, plain Keras {keras}, a PyTorch loop {torch}" in README.replace("\n", " ")


def test_errors_of_the_turbofan_recipe_are_those_of_the_guide():
    guide = (ROOT / "docs" / "remaining_life.md").read_text()
    row = re.search(r"\| RMSE, truth capped at 125 \|(.*)\|(.*)\|", guide)
    for subset, cell in zip(("FD001", "FD002"), row.groups(), strict=True):
        mean, spread = re.fullmatch(r" ([\d.]+) ± [\d.]+ (\(.*\)) ", cell).groups()
        assert f"| C-MAPSS {subset} | RMSE | {mean} {spread} |" in README


def test_commands_are_those_of_ci():
    commands = re.findall(r"\n    (python3 -m venv .+)\n", README)
    assert len(commands) == 2
    assert commands[0].endswith("-m sklstm")
    assert f"\n{commands[1]}\n" in (ROOT / ".ci" / "run").read_text()
    assert commands[1] in (ROOT / "CONTRIBUTING.md").read_text()


def test_oldest_versions_are_those_of_pyproject():
    project = (ROOT / "pyproject.toml").read_text()
    dependencies = project[project.index("\ndependencies") : project.index("\n[project.optional")]
    lines = (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    required = dict(re.findall(r'"([a-z-]+)>=([\d.]+)"', dependencies))
    assert {*required} <= {*oldest}
    for name, version in required.items():
        assert oldest[name].removesuffix(".*") == version


def test_command_runs_the_example_of_the_source_tree():
    assert find_example() == ROOT / "examples" / "turbofan_life.py"


def test_help_names_the_options():
    command = [sys.executable, "-m", "sklstm", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(option in text for option in ("--output", "--seed", "--jobs", "--folds", "--epochs"))


@pytest.mark.slow
def test_next_step_example_beats_the_naive_forecast():
    table = runpy.run_path(str(ROOT / "examples" / "next_step.py"))["main"]()
    assert (table["LSTM"] < table["last value"]).all()


@pytest.mark.slow
def test_demand_example(tmp_path):
    example = runpy.run_path(str(ROOT / "examples" / "forecast_demand.py"))
    _, forecast = example["main"](tmp_path, n_shops=8)
    plt.close("all")
    assert forecast["shop"].nunique() == 8  # the four new ones too
    assert forecast.groupby("shop").size().eq(28).all()
    assert (tmp_path / "forecast_demand.png").stat().st_size > 10_000


def test_shop_sales_are_made_by_the_demand_example():
    make_sales = runpy.run_path(str(ROOT / "examples" / "forecast_demand.py"))["make_sales"]
    shipped = pd.read_csv(ROOT / "examples" / "shop_sales.csv", parse_dates=["day"])
    made = make_sales(8, 300, promoted=0).drop(columns="promotion")
    pd.testing.assert_frame_equal(shipped, made, check_dtype=False)
