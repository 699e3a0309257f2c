"""Time sklstm and its peers side by side: the same data, in one run.

    python benchmarks/run.py                              # all of it: about an hour
    python benchmarks/run.py --quick                      # tiny sizes, no forecasters: minutes
    python benchmarks/run.py --problem epoch --peer sklstm --peer torch_loop

Each peer is a process in its own environment (created under `.envs/` when first needed). All peers
of a case build and warm up first; then they take turns, A B A B, while the others idle. Results
are saved to `results.json`, and tables and plots from it to `README.md`; `--quick` writes
`quick.json` and prints its tables. Forecasts read data from SKLSTM_DATA.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import report
from commit import commit
from peers import PEERS
from problems import PROBLEMS

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".envs"
LOGS = ENVIRONMENTS / "logs"  # output of the peers' libraries
LIGHT = ("keras", "torch")  # environments of --quick
MAX_SECONDS = 60  # a peer that has spent more on a case gets no further turn
PAUSE = 0.3  # seconds, until the threads of the last run sleep


# ---------------------------------------------------------------------------- environments


@cache
def make_environment(name):
    """Make a peer's virtual environment if needed; return its Python, or None on failure."""
    folder, requirements = ENVIRONMENTS / name, HERE / "peers" / f"requirements-{name}.txt"
    done, python = folder / "requirements.txt", folder / "bin" / "python"
    wanted = requirements.read_text()
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"making the environment {name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    install = [python, "-m", "pip", "install", "-q"]
    first = wanted.split("\n")[0]
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        if first.startswith("torch=="):  # alone, since pip may otherwise choose the GPU build
            subprocess.run([*install, first], check=True)
        subprocess.run([*install, "-r", requirements], check=True)
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return None
    done.write_text(wanted)
    return python


def variables():
    """Make the environment variables of a peer, which import sklstm from this checkout."""
    return os.environ | {"PYTHONPATH": str(HERE.parent)}


class Process:
    """Run one peer's process. It answers ``{"cannot": reason}`` if it cannot measure."""

    def __init__(self, name):
        self.problem: str | None = None
        self.process: Any = None
        python = make_environment(PEERS[name].environment)
        if python is None:
            self.problem = "its environment could not be installed here"
            return
        LOGS.mkdir(exist_ok=True)
        with open(LOGS / f"{name}.log", "a") as log:
            self.process = subprocess.Popen(
                [python, "-m", "peers.worker", name],
                cwd=HERE,
                env=variables(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, **request):
        """Send a request and wait for its answer."""
        if self.problem is None:
            try:
                print(json.dumps(request), file=self.process.stdin, flush=True)
                line = self.process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if line:
                return json.loads(line)
            self.problem = f"its process ended with code {self.process.wait()}"
            if self.process.returncode == -signal.SIGKILL:
                self.problem += " (killed: too little memory)"
        return {"cannot": self.problem}

    def stop(self):
        """End the process."""
        if self.process is not None:
            self.process.communicate()


# ------------------------------------------------------------------------------- measuring


def measure_case(problem, size, processes, rounds, fresh):
    """Prepare all peers, then run them in turns; return the measurements by name."""
    entries = {}
    for name, process in processes.items():
        answer = process.ask(do="prepare", problem=problem, size=size)
        entries[name] = answer or {"seconds": [], "figures": {}}
    for turn in range(rounds):
        for name, entry in entries.items():
            if "cannot" in entry or sum(entry["seconds"]) > MAX_SECONDS:
                continue
            if turn and fresh:
                processes[name].stop()
                processes[name] = Process(name)
                processes[name].ask(do="prepare", problem=problem, size=size)
            time.sleep(PAUSE)
            answer = processes[name].ask(do="run")
            if "cannot" in answer:
                entries[name] = answer
                continue
            entry["seconds"].append(answer["seconds"])
            # Of the first run: later ones reuse its memory.
            entry.setdefault("extra_mb", answer["extra_mb"])
            for figure, value in answer["figures"].items():
                entry["figures"].setdefault(figure, []).append(value)
    return entries


def measure(name, peers, rounds, quick):
    """Measure one problem."""
    problem = PROBLEMS[name]
    processes: dict[str, Process] = {}
    cases, versions = {}, {}
    for label, size in (problem.quick if quick else problem.cases).items():
        print(f"{name} {label}", flush=True)
        for peer in peers:
            if peer not in processes:
                processes[peer] = Process(peer)
        entries = measure_case(name, size, processes, rounds, fresh=problem.fresh == "round")
        cases[label] = entries
        for peer in peers:
            versions[peer] = processes[peer].ask(do="versions")
            if problem.fresh != "problem" or processes[peer].problem:
                processes.pop(peer).stop()
    for process in processes.values():
        process.stop()
    return {"machine": machine(), "versions": versions, "cases": cases}


def merge(name, earlier, result, run):
    """Keep the measurements of other peers from an earlier run; the tables mark them."""
    for label, entries in result["cases"].items():
        for entry in entries.values():
            entry["run"] = run
        known = earlier.get("cases", {}).get(label, {}) | entries
        result["cases"][label] = {
            peer: known[peer] for peer in PROBLEMS[name].peers if peer in known
        }
    result["versions"] = earlier.get("versions", {}) | result["versions"]
    return result


def measure_import(rounds):
    """Time the import of sklstm and of its dependencies in new processes that take turns."""
    modules = {"sklstm": "sklstm", "sklearn_pandas": "sklearn.pipeline, pandas"}
    code = (
        "import sys, time; started = time.perf_counter(); import {}; "
        "print(time.perf_counter() - started, 'tensorflow' in sys.modules)"
    )
    process = Process("sklstm")
    versions = process.ask(do="versions")
    process.stop()
    if "cannot" in versions:
        entries = dict.fromkeys(modules, versions)
    else:
        entries = {peer: {"seconds": [], "figures": {"loads TensorFlow": []}} for peer in modules}
        for turn in range(1 + rounds):
            for peer, entry in entries.items():
                command = [make_environment("keras"), "-c", code.format(modules[peer])]
                printed = subprocess.check_output(command, env=variables(), text=True).split()
                if turn:  # the first turn fills the file cache
                    entry["seconds"].append(float(printed[0]))
                    entry["figures"]["loads TensorFlow"].append(printed[1])
    versions = dict.fromkeys(modules, versions)
    return {"machine": machine(), "versions": versions, "cases": {"": entries}}


def machine():
    """Describe cores, processor, system and commit."""
    lines = Path("/proc/cpuinfo").read_text().split("\n")
    model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    python = platform.python_version()
    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {python}, "
        f"sklstm at commit {commit()}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to check that everything runs"
    )
    parser.add_argument("--problem", action="append", choices=list(PROBLEMS), help="default: all")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="default: all")
    parser.add_argument("--rounds", type=int, help="turns of each peer: 3, with --quick 1")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    path = HERE / ("quick.json" if options.quick else "results.json")
    earlier = path.exists() and not options.quick
    results = json.loads(path.read_text()) if earlier else {}
    shutil.rmtree(LOGS, ignore_errors=True)
    run = time.strftime("%Y-%m-%d %H:%M:%S")
    for name in options.problem or PROBLEMS:
        peers = [peer for peer in PROBLEMS[name].peers if peer in (options.peer or PEERS)]
        if options.quick and not options.peer:
            peers = [peer for peer in peers if PEERS[peer].environment in LIGHT]
        if not peers:
            continue
        if name == "import":
            result = measure_import(rounds=3 if options.quick else 21)
        else:
            result = measure(name, peers, rounds, options.quick)
        results[name] = merge(name, results.get(name, {}), result, run)
        print(report.table(PROBLEMS[name], results[name]["cases"]), flush=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    if not options.quick:
        report.write(results, HERE)


if __name__ == "__main__":
    main()
