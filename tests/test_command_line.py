"""Test that ``python -m sklstm`` checks its output before it trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sklstm.datasets
from sklstm.__main__ import main

ROOT = Path(__file__).parents[1]


class Loaded(Exception):
    """The data are loaded: the checks are done."""


@pytest.fixture(autouse=True)
def _no_training(monkeypatch):
    def load():
        raise Loaded

    monkeypatch.setattr(sklstm.datasets, "load_turbofan", load)


def error_of(*options):
    """Run the command, which must exit with an error; return the message."""
    with pytest.raises(SystemExit) as error:
        main(list(map(str, options)))
    message = error.value.code
    assert message.startswith("error: ")
    return message


def test_output_that_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for output in (file, file / "inside"):
        assert str(output) in error_of("--output", output)
    assert file.read_text() == "mine"


def test_output_that_cannot_be_created():
    # Not even an administrator creates folders there.
    if not Path("/proc/self").exists():
        pytest.skip("no /proc")
    assert "/proc/sklstm" in error_of("--output", "/proc/sklstm")


def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("an administrator may write to read-only folders")
    assert str(tmp_path) in error_of("--output", tmp_path)


@pytest.mark.parametrize("name", ["turbofan.csv", "turbofan.png"])
def test_existing_results_are_not_replaced(name, tmp_path):
    (tmp_path / name).write_text("mine")
    message = error_of("--output", tmp_path)
    assert str(tmp_path / name) in message and "--force" in message
    assert (tmp_path / name).read_text() == "mine"


def test_force_says_what_it_replaces(tmp_path, capsys):
    (tmp_path / "turbofan.csv").write_text("mine")
    with pytest.raises(Loaded):
        main(["--output", str(tmp_path), "--force"])
    assert f"replaces {tmp_path / 'turbofan.csv'}" in capsys.readouterr().out
    # It stays until there is something to replace it with.
    assert (tmp_path / "turbofan.csv").read_text() == "mine"
    folder = tmp_path / "turbofan.png"
    folder.mkdir()
    assert str(folder) in error_of("--output", tmp_path, "--force")


def test_the_shell_receives_an_exit_status_and_one_line(tmp_path):
    (tmp_path / "turbofan.csv").write_text("mine")
    command = [sys.executable, "-m", "sklstm", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(
        f"error: {tmp_path / 'turbofan.csv'} would be replaced: choose another"
    )
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_folder_is_accepted_and_left_empty(exists, tmp_path):
    output = tmp_path if exists else tmp_path / "new" / "folder"
    (tmp_path / "other.txt").write_text("other")
    with pytest.raises(Loaded):
        main(["--output", str(output)])
    assert [path.name for path in output.iterdir()] == (["other.txt"] if exists else [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "argument --epochs: 0 is less than 1"),
        (["--search-epochs", "0"], "argument --search-epochs: 0 is less than 1"),
        (["--folds", "1"], "argument --folds: 1 is less than 2"),
        (["--epochs", "ten"], "argument --epochs: invalid integer value: 'ten'"),
    ],
)
def test_numbers_that_are_too_small(options, message, capsys):
    with pytest.raises(SystemExit):
        main(options)
    assert message in capsys.readouterr().err
