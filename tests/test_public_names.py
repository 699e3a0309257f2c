"""What users find where they look: names under the tab key, and versions for bug reports."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklstm
from sklstm import _show_versions

ROOT = Path(__file__).parent.parent
SUBMODULES = {"cluster", "datasets", "inspection", "metrics", "plotting"}


# ------------------------------------------------------------------------- tab completion
@pytest.mark.parametrize("name", sorted(SUBMODULES))
def test_a_submodule_lists_its_public_names_alone(name):
    module = importlib.import_module(f"sklstm.{name}")
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, public) for public in dir(module))


def test_the_package_lists_its_public_names_and_submodules():
    assert set(dir(sklstm)) == {*sklstm.__all__, *SUBMODULES, "__version__"}
    assert all(hasattr(sklstm, name) for name in dir(sklstm))


def test_submodules_are_imported_on_first_use():
    code = (
        "import sys, sklstm; print('sklstm.plotting' in sys.modules); "
        "print(sklstm.plotting.ForecastDisplay.__name__, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "ForecastDisplay", "False"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sklstm' has no attribute 'plots'"):
        sklstm.plots  # noqa: B018


# ------------------------------------------------------------------------------- versions
def names_of(requirements):
    return {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}


def test_versions_are_those_of_the_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(_show_versions.REQUIRED) == names_of(project["dependencies"])
    extras = project["optional-dependencies"]
    optional = [extras[name] for name in ("plots", "polars", "dask", "jax")]
    assert set(_show_versions.OPTIONAL) == set().union(*map(names_of, optional))


def show_versions(**environment):
    code = "import sys, sklstm; sklstm.show_versions(); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stderr == ""
    *entries, loaded = done.stdout.splitlines()
    assert loaded == "False"
    pairs = (line.split(": ", 1) for line in entries if ": " in line)
    return {name.strip(): value for name, value in pairs}


def test_versions_are_printed_without_importing_the_packages(tmp_path):
    home = {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "3"}
    entries = show_versions(**home)
    assert entries["sklstm"] == sklstm.__version__
    assert entries["python"] == sys.version.replace("\n", " ")
    assert entries["numpy"] == importlib.import_module("numpy").__version__
    assert entries["backend"] == "tensorflow (not loaded)"
    assert entries["OMP_NUM_THREADS"] == "3"
    # The file of Keras chooses the backend, and the variable comes first.
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    assert show_versions(**home)["backend"] == "torch (not loaded)"
    assert show_versions(**home, KERAS_BACKEND="jax")["backend"] == "jax (not loaded)"


def test_a_missing_package_is_not_an_error(monkeypatch, capsys):
    monkeypatch.setattr(_show_versions, "OPTIONAL", ("no-such-package",))
    sklstm.show_versions()
    assert "no-such-package: not installed" in capsys.readouterr().out
