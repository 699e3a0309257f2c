"""Settings of the whole test run."""

import os
from collections import Counter

from hypothesis import settings

from sklstm._network.program_cache import programs

os.environ.setdefault("MPLBACKEND", "Agg")
# A run of all tests fits more kinds of networks than a user's process does.
programs.max_idle = 256
# No test fails by the time it takes.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


def pytest_terminal_summary(terminalreporter):
    """Print the outcomes of the fuzz tests, and how many tests lack the data of the benchmarks."""
    outcomes = Counter()
    for report in terminalreporter.stats.get("passed", []):
        outcomes.update(dict(report.user_properties).get("outcomes", {}))
    for outcome, count in sorted(outcomes.items()):
        terminalreporter.write_line(f"{count:6d} {outcome}")
    skipped = terminalreporter.stats.get("skipped", [])
    n_without_data = sum("no data" in str(report.longrepr) for report in skipped)
    if n_without_data:
        terminalreporter.write_line(
            f"Tests skipped because they need the benchmarks' data sets: {n_without_data}. "
            "Set SKLSTM_DATA to the folder that holds them."
        )
