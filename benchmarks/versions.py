"""Run the contract tests with the oldest and the newest versions, and write docs/versions.md.

    python benchmarks/versions.py                     # all environments: about an hour on 2 cores
    python benchmarks/versions.py --environment oldest

Each environment is a virtual environment under `benchmarks/.envs/`, made here from a Python that is
on this machine: on the path, or installed by pyenv. Environments whose Python is missing are left
out. The tests run on a copy of the last commit. The results are kept in `versions.json`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
ROOT = HERE.parent
ENVIRONMENTS = HERE / ".envs"
RESULTS, PAGE = HERE / "versions.json", ROOT / "docs" / "versions.md"
# The contract: scikit-learn's checks, pipelines, each estimator, frames, model files.
TESTS = (
    "tests/test_common.py tests/test_pipeline.py tests/test_imports.py tests/test_other_frames.py "
    "tests/_panel tests/preprocessing tests/lstm/test_regressor.py tests/meta "
    "tests/model_selection tests/forecasting/test_forecaster.py "
    "tests/persistence/test_estimators.py"
).split()
PACKAGES = "scikit-learn numpy scipy pandas polars narwhals tensorflow keras scikeras".split()
# Lines of the summary that explain a failure.
MAX_LINES = 15


@dataclass
class Environment:
    """A set of versions.

    Attributes
    ----------
    python : str
        Version of Python, such as "3.11".
    install : str
        Further arguments of ``pip install -e .[tests]``.
    """

    python: str
    install: str = ""


CHOICES = {
    "oldest": Environment("3.11", "-c .ci/oldest.txt"),
    "scikit-learn 1.7": Environment("3.11", "scikit-learn==1.7.*"),
    "scikit-learn 1.8": Environment("3.11", "scikit-learn==1.8.*"),
    "newest, Python 3.11": Environment("3.11"),
    "newest, Python 3.12": Environment("3.12"),
    "newest, Python 3.13": Environment("3.13"),
}


def find_python(version: str) -> str | None:
    """Return a Python of a version that runs here; None if there is none."""
    pyenv = Path.home() / ".pyenv" / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [*map(str, sorted(pyenv.glob(f"{version}.*/bin/python"))), on_path]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "--version"], capture_output=True, text=True)
        if done.returncode == 0 and f"Python {version}." in done.stdout:
            return candidate
    return None


def make_environment(name: str, choice: Environment, checkout: Path) -> Path:
    """Make a virtual environment with sklstm installed from `checkout`; return its Python."""
    base = find_python(choice.python)
    if base is None:
        raise RuntimeError(f"Python {choice.python} is not on this machine")
    folder = ENVIRONMENTS / ("versions-" + name.replace(", ", "-").replace(" ", "-"))
    subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "-e", ".[tests]", *choice.install.split()], check=True, cwd=checkout)
    return python


def installed(python: Path) -> dict[str, str]:
    """Return the versions of the packages that matter."""
    code = (
        "import importlib.metadata as m, json, platform\n"
        "names = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        f"found = {{name: names.get(name, '') for name in {PACKAGES}}}\n"
        "print(json.dumps({'Python': platform.python_version()} | found))"
    )
    return json.loads(subprocess.check_output([python, "-c", code], text=True))


def run(name: str, choice: Environment, checkout: Path) -> dict:
    """Make an environment, run the tests in it, and count their outcomes."""
    try:
        python = make_environment(name, choice, checkout)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return {"problem": str(error)}
    report = checkout / "report.xml"
    command = [python, "-m", "pytest", "-q", f"--junitxml={report}", *TESTS]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    result = {"versions": installed(python), "seconds": round(time.perf_counter() - start)}
    if not report.exists():
        return result | {"problem": done.stdout[-2000:] + done.stderr[-2000:]}
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = [suite.attrib for suite in suites]
    for key in ("tests", "failures", "errors", "skipped"):
        result[key] = sum(int(count[key]) for count in counts)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    print(*failed, sep="\n", flush=True)
    return result | {"failed": [line.split(" - ")[0] for line in failed[:MAX_LINES]]}


def write_page(results: dict) -> None:
    """Write docs/versions.md."""
    lines = [
        "# Versions",
        "",
        "sklstm is tested with the oldest and the newest versions of the packages that it uses.",
        "`python benchmarks/versions.py` makes the environments, runs the contract tests in each",
        "(scikit-learn's own checks, pipelines, every estimator, model files), and writes this",
        "page. `pip` chooses the newest versions that fit together on the day of the run.",
        "",
        f"| | Python | {' | '.join(PACKAGES)} | passed | failed | skipped |",
        f"| --- | --- | {' | '.join('---' for _ in PACKAGES)} | --- | --- | --- |",
    ]
    for name in CHOICES:
        found = results.get(name)
        if found is None or "tests" not in found:
            cells = [found["problem"] if found else "not run"]
        else:
            failed = found["failures"] + found["errors"]
            passed = found["tests"] - failed - found["skipped"]
            cells = [*found["versions"].values(), passed, failed, found["skipped"]]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    for name, found in results.items():
        if found.get("failed"):
            lines += ["", f"Failed, {name}:", "", *(f"- `{line}`" for line in found["failed"])]
    states = sorted({found["state"] for found in results.values()})
    lines += ["", f"Commit {', '.join(states)}.", ""]
    PAGE.write_text("\n".join(lines))


def main():
    """Run the tests in the chosen environments and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", nargs="+", choices=CHOICES, default=list(CHOICES))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True)
    checkout = ENVIRONMENTS / "versions-checkout"
    for name in parser.parse_args().environment:
        shutil.rmtree(checkout, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", ROOT, checkout], check=True)
        results[name] = run(name, CHOICES[name], checkout) | {"state": commit.strip()}
        print(name, results[name], flush=True)
        results = {each: results[each] for each in CHOICES if each in results}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_page(results)


if __name__ == "__main__":
    sys.exit(main())
