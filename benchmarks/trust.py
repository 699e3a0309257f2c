"""Try everything that docs/trust.md claims, and write that page.

    python benchmarks/trust.py                 # all of it: about 40 minutes on 2 cores
    python benchmarks/trust.py --part A2 B     # some parts; the others keep their last results

Each line of the page is a group of tests. The script runs them, slow and random ones included,
counts their outcomes, and keeps the counts in `trust.json`.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from commit import commit

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS, PAGE = HERE / "trust.json", ROOT / "docs" / "trust.md"


@dataclass
class Promise:
    """One line of the page.

    Attributes
    ----------
    claim : str
        The promise and its limits.
    tried : str
        Description of the tests.
    tests : str
        Arguments of pytest that select them.
    """

    claim: str
    tried: str
    tests: str


PROMISES = {
    "A1": Promise(
        "A row after a pause continues its series. Remembered and passed rows are always used. "
        "Where `max_gap` makes windows shorter, in fit or later, a warning counts them.",
        "random overlapping panels with gaps and corrected values, for scaler, windows and "
        "forecaster; windows against a plain loop",
        "tests/test_continuation.py tests/preprocessing/test_window_transformer.py",
    ),
    "A2": Promise(
        "A fit that diverges raises an error. Training is the same in any unit of the targets, "
        "from 1e-30 to 1e30. A constant target is predicted exactly. A single value that hides all "
        "others is warned of.",
        "too large steps, NaN losses, early stopping, a search; four losses at three scales; "
        "constants; outliers in targets and features",
        "tests/lstm/test_divergence.py -k 'not interrupted and not refit'",
    ),
    "A3": Promise(
        "A fit that is refused or interrupted leaves the earlier fit usable.",
        "errors and Ctrl-C in first, second and warm fits of networks and meta-estimators",
        "tests/lstm/test_divergence.py -k 'interrupted or refit'",
    ),
    "A4": Promise(
        "A process that was forked after a fit raises an error at once, instead of waiting for "
        "ever.",
        "predict, fit, partial_fit and a new fit in a forked process",
        "tests/_network/test_process.py -k fork",
    ),
    "A5": Promise(
        "The first fit is quiet, and loses no line that others write to standard error.",
        "a thread, a child process and a C library writing during the first fit; no folder for "
        "temporary files; an error while Keras loads",
        "tests/_network/test_process.py -k 'lines or level'",
    ),
    "A6": Promise(
        "Fits with callbacks share a compiled program. 300 of them leave the memory level. What a "
        "callback changes does not reach the next fit. **Not kept:** each further shape of a "
        "network takes 14 to 19 MB for good, since TensorFlow never frees a compiled program "
        "(its issue 64170).",
        "300 fits; callbacks that change rate, options, weights, layers or the compiled model",
        "tests/_network/test_process.py -k 'callback'",
    ),
    "A7": Promise(
        "Rows between the fitted rows of a series that fit did not see are warned of: the sign of "
        "shuffled splits and samplers. So are ids that one step names and another reads as a "
        "feature, in meta-estimators, and in pipelines whose steps pass DataFrames of pandas.",
        "shuffled folds, train_test_split, bagging, samplers; whole series, named splitters and "
        "late readings without a warning; ids and times forgotten in one step",
        "tests/_panel/test_torn.py tests/_panel/test_forgotten.py tests/meta/test_ids.py",
    ),
    "A8": Promise(
        "Steps missing in time need no covariates to be forecast from. Messages name series and "
        "days.",
        "forecast, score, cross-validation and backtest with missing days, against rows with a "
        "missing target",
        "tests/forecasting/test_known_future.py",
    ),
    "A9": Promise(
        "Ids, times, features and targets of every dtype are read exactly, or raise an error that "
        "names the reason. New series whose ids differ from fitted ones only in type (7 and '7') "
        "are warned of.",
        "about 80 dtypes of NumPy, pandas and Arrow as columns and index levels; masked arrays; "
        "numbers in fit and text later",
        "tests/_panel/test_arrays.py tests/_panel/test_retyped.py",
    ),
    "A10": Promise(
        "The command line checks its output before it trains, and replaces nothing without "
        "`--force`.",
        "files, missing and read-only folders, existing results",
        "tests/test_command_line.py",
    ),
    "B": Promise(
        "Model files are written completely or not at all, hold no code, and come back exactly. "
        "Damaged, foreign and malicious files raise one error, with bounded memory.",
        "every estimator and id dtype, in new processes; more than 13,000 mutated files and 98 "
        "hand-made ones",
        "tests/_files tests/persistence",
    ),
    "C": Promise(
        "With `checkpoint`, a killed or interrupted fit continues to the same weights as one that "
        "was not, bit for bit; the folder of another fit raises an error, and a full disk breaks "
        "no file.",
        "SIGKILL at random moments of a network, an ensemble and a forecaster; Ctrl-C, SIGTERM, "
        "full disk, damaged files",
        "tests/lstm/test_checkpoint.py",
    ),
    "D1": Promise(
        "On any panel, results equal a plain loop that is written from the documentation, or a "
        "documented error is raised. No prediction depends on later rows.",
        "10,000 random panels of every layout and dtype, 300 fits",
        "tests/fuzz",
    ),
    "D2": Promise(
        "Threads, processes and schedulers give the results of one thread. Nothing global is "
        "changed, and no connection is opened. **Not kept:** one core and two cores differ: by "
        "rounding without dropout, and with dropout by the masks drawn per core.",
        "eight threads, four fits at once, spawn, loky, Dask; snapshots of the process; blocked "
        "sockets",
        "tests/test_concurrency.py",
    ),
}


def run(promise: Promise) -> dict:
    """Run the tests of a promise and count their outcomes."""
    report = HERE / ".trust.xml"
    options = f"-q -n 0 -m '' -o junit_family=legacy --junitxml={report}"
    command = f"{sys.executable} -m pytest {options} {promise.tests}"
    started = time.perf_counter()
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    suite = ElementTree.parse(report).getroot()[0]
    report.unlink()
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    if counts["failures"] or counts["errors"]:
        print(done.stdout[-3000:], file=sys.stderr)
    # Lines such as "  8690 windows: equal to the loop", from tests/conftest.py.
    lines = re.findall(r"^ *(\d+) (\w+: .*)$", done.stdout, re.MULTILINE)
    return counts | {"seconds": round(seconds), "outcomes": {name: int(n) for n, name in lines}}


def state() -> str:
    """Return the commit and the machine."""
    return f"Python {platform.python_version()}, commit {commit()}"


def write_page(results: dict) -> None:
    """Write docs/trust.md."""
    lines = [
        "# Trust",
        "",
        "This page lists the promises about data, files and processes, and the tests behind each.",
        "`python benchmarks/trust.py` runs these tests, the slow and random ones included, and",
        "writes this page. The letters are those of its option `--part`.",
        "",
        "| | promise | tried | tests passed | failed | skipped | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part, promise in PROMISES.items():
        found = results.get(part)
        cells = ["not run", "", "", ""]
        if found:
            failed = found["failures"] + found["errors"]
            passed = found["tests"] - failed - found["skipped"]
            cells = [passed, failed, found["skipped"], found["seconds"]]
        lines.append(
            f"| {part} | {promise.claim} | {promise.tried} | {' | '.join(map(str, cells))} |"
        )
    lines += ["", f"2 cores, beside other work. {_states(results)}", ""]
    outcomes = {name: n for found in results.values() for name, n in found["outcomes"].items()}
    if outcomes:
        lines += ["## Random panels by outcome", "", "| outcome | panels |", "| --- | --- |"]
        lines += [f"| {name} | {n:,} |" for name, n in sorted(outcomes.items())] + [""]
    PAGE.write_text("\n".join(lines))


def _states(results) -> str:
    states = {found["state"] for found in results.values()}
    parts = [
        f"{', '.join(part for part in results if results[part]['state'] == state)}: {state}."
        for state in sorted(states)
    ]
    return " ".join(parts)


def main():
    """Run the chosen parts and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PROMISES, default=list(PROMISES))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    commit = state()
    for part in parser.parse_args().part:
        results[part] = run(PROMISES[part]) | {"state": commit}
        print(part, results[part], flush=True)
        results = {name: results[name] for name in PROMISES if name in results}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_page(results)


if __name__ == "__main__":
    main()
