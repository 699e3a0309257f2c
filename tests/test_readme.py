"""The README's code blocks, each as it stands, and the main job."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sklstm.__main__ import main, make_net

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"\n## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", README, re.DOTALL))


def test_every_block_is_found():
    assert len(BLOCKS) == README.count("```python") == 4


@pytest.mark.parametrize("title", BLOCKS)
def test_block_runs_as_pasted(title, capsys):
    names = {}
    exec(compile(BLOCKS[title], f"README.md, {title}", "exec"), names)
    assert capsys.readouterr().out
    if title == "A pipeline":
        # It is the pipeline whose figures the README quotes.
        assert repr(names["pipe"]) == repr(make_net(random_state=0))


def test_commands_are_those_of_ci():
    commands = re.findall(r"\n    (python3 -m venv .+)\n", README)
    assert len(commands) == 2
    assert commands[0].endswith("-m sklstm")
    assert f"\n{commands[1]}\n" in (ROOT / ".ci" / "run").read_text()
    assert commands[1] in (ROOT / "CONTRIBUTING.md").read_text()


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


def test_example_beats_the_naive_forecast():
    table = runpy.run_path(str(ROOT / "examples" / "next_step.py"))["main"]()
    assert (table["LSTM"] < table["as it is now"]).all()


def test_help_names_the_options():
    command = [sys.executable, "-m", "sklstm", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(option in text for option in ("--output", "--seed", "--jobs", "--folds", "--epochs"))
