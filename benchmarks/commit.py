"""Name the commit at which a benchmark runs."""

import subprocess
from pathlib import Path

GIT = ["git", "-C", str(Path(__file__).parent)]
# The tables and pictures that earlier runs have written are no change of the code.
WRITTEN = [
    *(f":(top,exclude)benchmarks/*.{kind}" for kind in ("json", "md", "png")),
    ":(top,exclude)docs/trust.md",
]


def commit() -> str:
    """Return the abbreviated commit, with "-dirty" if the code differs from it."""
    name = subprocess.run(
        [*GIT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    changed = subprocess.run([*GIT, "diff", "--quiet", "HEAD", "--", ":/", *WRITTEN])
    return f"{name or 'unknown'}{'-dirty' if changed.returncode else ''}"
