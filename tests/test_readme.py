"""The README's code blocks, each as it stands, and the main job."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from sklstm.__main__ import main, make_net

matplotlib.use("Agg")
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"\n## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", README, re.DOTALL))


def test_every_block_is_found():
    assert len(BLOCKS) == README.count("```python") == 7


@pytest.mark.parametrize("title", BLOCKS)
def test_block_runs_as_pasted(title, capsys, tmp_path, monkeypatch):
    # In a folder of its own, with the examples at their place.
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(BLOCKS[title], f"README.md, {title}", "exec"), names)
    assert capsys.readouterr().out
    if title == "A pipeline":
        # It is the pipeline whose figures the README quotes.
        assert repr(names["pipe"]) == repr(make_net(random_state=0))
    if title == "Forecasting":
        assert (tmp_path / "forecast.png").stat().st_size > 10_000
        plt.close(names["display"].figure_)


def test_commands_are_those_of_ci():
    commands = re.findall(r"\n    (python3 -m venv .+)\n", README)
    assert len(commands) == 2
    assert commands[0].endswith("-m sklstm")
    assert f"\n{commands[1]}\n" in (ROOT / ".ci" / "run").read_text()
    assert commands[1] in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.slow
def test_main_job(tmp_path, capsys):
    main(["--output", str(tmp_path), "--folds", "2", "--epochs", "1", "--search-epochs", "1"])
    table = pd.read_csv(tmp_path / "turbofan.csv", index_col="model")
    names = ["LSTM, best", "the same net, one scale", "Ridge on the same", "a constant"]
    assert all(row.startswith(name) for row, name in zip(table.index, names, strict=True))
    # Of the capped lives of the test engines, a constant misses by 41.9 (a known figure).
    assert table.loc["a constant", "RMSE, capped"] == pytest.approx(41.94, abs=0.05)
    assert (table["RMSE, capped"] < 45).all()
    assert (tmp_path / "turbofan.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "16 fits" in printed and "refit on all training engines" in printed


@pytest.mark.slow
def test_example_beats_the_naive_forecast():
    table = runpy.run_path(str(ROOT / "examples" / "next_step.py"))["main"]()
    assert (table["LSTM"] < table["as it is now"]).all()


@pytest.mark.slow
def test_example_of_demand(tmp_path):
    example = runpy.run_path(str(ROOT / "examples" / "forecast_demand.py"))
    _, forecast = example["main"](tmp_path, n_shops=8)
    plt.close("all")
    assert forecast["shop"].nunique() == 8  # the four new ones too
    assert forecast.groupby("shop").size().eq(28).all()
    assert (tmp_path / "forecast_demand.png").stat().st_size > 10_000


def test_csv_is_what_the_example_says():
    make_sales = runpy.run_path(str(ROOT / "examples" / "forecast_demand.py"))["make_sales"]
    shipped = pd.read_csv(ROOT / "examples" / "shop_sales.csv", parse_dates=["day"])
    made = make_sales(8, 300, promoted=0).drop(columns="promotion")
    pd.testing.assert_frame_equal(shipped, made, check_dtype=False)


def test_forecast_takes_few_lines():
    assert sum(line != "" for line in BLOCKS["Forecasting"].splitlines()) <= 12


def test_help_names_the_options():
    command = [sys.executable, "-m", "sklstm", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(option in text for option in ("--output", "--seed", "--jobs", "--folds", "--epochs"))
