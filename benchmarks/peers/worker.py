"""Serve one peer: a line of JSON in, a line of JSON out.

    python -m peers.worker NAME

`{"do": "prepare", "problem": ..., "size": {...}}` builds and warms up, `{"do": "run"}` runs
once and returns seconds, memory and figures, `{"do": "versions"}` lists the environment's
packages. Output of libraries goes to stderr, so that it cannot mix with the answers.
"""

import gc
import importlib
import importlib.metadata
import json
import os
import re
import sys
import time
import traceback

from problems import CannotError


def megabytes(name):
    """Read VmRSS or VmHWM (the peak) of this process."""
    with open("/proc/self/status") as file:
        return int(re.findall(rf"{name}:\s+(\d+) kB", file.read())[0]) / 1e3


def measure(run):
    """Measure time of one run, and its peak of memory, in all and beyond that held before."""
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
    before = megabytes("VmRSS")
    started = time.perf_counter()
    figures = run()
    seconds = time.perf_counter() - started
    peak = megabytes("VmHWM")
    figures = figures or {}
    extra = max(peak - before, 0)
    return {"seconds": seconds, "extra_mb": extra, "peak_mb": peak, "figures": figures}


def main():
    name = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                run = None  # frees the last case's data
                module = importlib.import_module(f"peers.{name}")
                run = getattr(module, request["problem"])(**request["size"])
                answer = {}
            elif request["do"] == "run":
                answer = measure(run)
            else:
                found = importlib.metadata.distributions()
                answer = {each.metadata["Name"].lower(): each.version for each in found}
        except CannotError as reason:
            answer = {"cannot": str(reason)}
        except Exception as error:
            traceback.print_exc()
            answer = {"cannot": f"failed with {type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
