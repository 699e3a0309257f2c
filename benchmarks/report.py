"""Make the tables and plots of the benchmark's results.

python benchmarks/report.py    # updates README.md and the plots from results.json
"""

import json
from pathlib import Path
from statistics import median

from peers import PEERS
from problems import PROBLEMS

OURS = "sklstm"
AXES = {"series": "series (1,000,000 rows)", "window": "rows in a window", "rows": "rows"}
TASKS = {
    "scale": "PerSeriesScaler, expanding",
    "windows": "WindowTransformer.transform",
    "step": "a training step, segments of 12 rows",
    "fit": "an epoch, windows of 24 in segments of 12",
}


# ---------------------------------------------------------------------------------- tables


def number(value):
    """Format a number with three digits; return text unchanged."""
    if isinstance(value, str):
        return value
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.3g} million"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def middle(values):
    """Compute the median, or take the last one of texts."""
    return values[-1] if isinstance(values[-1], str) else median(values)


def markdown(header, lines):
    """Make a Markdown table."""
    lines = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cost(entry, per_row):
    """Compute median seconds, per row where peers process different numbers of rows."""
    return median(entry["seconds"]) / (median(entry["figures"]["rows"]) if per_row else 1)


def table(problem, cases):
    """Make a table with a line per case and peer."""
    entries = [entry for case in cases.values() for entry in case.values()]
    figures = list(dict.fromkeys(name for entry in entries for name in entry.get("figures", ())))
    compared = OURS in problem.peers and len(problem.peers) > 1
    header = ["size", "peer", "seconds", "min to max", "runs"] + ["times sklstm"] * compared
    header += ["rows per second"] * problem.per_row + ["MB at the peak"] * problem.memory + figures
    newest = max(entry["run"] for entry in entries)
    lines = []
    for label, case in cases.items():
        ours = case.get(OURS, {})
        for peer, entry in case.items():
            name = peer if entry["run"] == newest else f"{peer}, in an earlier run"
            if "cannot" in entry:
                line = [label, name, entry["cannot"]]
                lines.append(line + [""] * (len(header) - len(line)))
                continue
            seconds, values = entry["seconds"], entry["figures"]
            spent = cost(entry, problem.per_row)
            line = [label, name, number(median(seconds))]
            line += [f"{number(min(seconds))} to {number(max(seconds))}", str(len(seconds))]
            if compared:
                line.append(
                    number(spent / cost(ours, problem.per_row)) if "seconds" in ours else ""
                )
            line += [number(1 / spent)] * problem.per_row
            line += [number(entry["extra_mb"])] if problem.memory else []
            line += [number(middle(values[name])) if name in values else "" for name in figures]
            lines.append(line)
    return markdown(header, lines)


def search_table(results):
    """Compare a search with the training steps and compilations that it needs."""
    steps, compiled = 0.0, 0.0
    walls = {}
    for name in ("search", "search_cold"):
        for case in results.get(name, {"cases": {}})["cases"].values():
            for peer, entry in case.items():
                if "seconds" in entry:
                    walls[name, peer] = median(entry["seconds"])
    steps = walls.pop(("search", "limits"), None)
    compiles = [
        median(case[OURS]["figures"]["compile"])
        for case in results.get("search_compile", {"cases": {}})["cases"].values()
    ]
    if steps is None or not compiles:
        return ""
    compiled = sum(compiles)
    lines = [
        ["training steps alone", number(steps), ""],
        [f"compiling {len(compiles)} shapes", number(compiled), ""],
    ]
    for (name, peer), wall in walls.items():
        least, words = (
            (steps, "warm") if name == "search" else (steps + compiled, "cold, TensorFlow loaded")
        )
        lines.append([f"{peer}, {words}", number(wall), number(wall / least)])
    return markdown(["", "seconds", "times the steps (cold: and compilations)"], lines)


def versions_table(results):
    """List the packages that each peer depends on."""
    lines = {}
    for result in results.values():
        for peer, found in result["versions"].items():
            names = PEERS[peer].packages
            text = ", ".join(f"{name} {found[name]}" for name in names if name in found)
            lines[peer] = [peer, text or "its environment could not be installed here"]
    return markdown(["peer", "packages"], [lines[peer] for peer in PEERS if peer in lines])


def sections(results):
    """Make all texts between markers of the README, by name."""
    texts = {}
    for name, result in results.items():
        texts[name] = table(PROBLEMS[name], result["cases"]) + f"\n\n{result['machine']}."
    texts["search_cost"] = search_table(results)
    texts["versions"] = versions_table(results)
    return texts


# ----------------------------------------------------------------------------------- plots


def plot_growth(cases, path):
    """Plot seconds and memory over series, window length and rows, with lines of slope 1."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    lines: dict = {}
    for label, case in cases.items():
        entry = case[OURS]
        if "seconds" in entry:
            axis, task, size = label.split(", ")
            # Seconds per step: a fit takes many steps in batches of 256 rows.
            parts = median(entry["figures"]["rows"]) / 256 if task == "step" else 1
            point = (int(size.replace(",", "")), median(entry["seconds"]) / parts)
            lines.setdefault((axis, task), []).append((*point, max(entry["extra_mb"], 0.1)))
    figure, grid = plt.subplots(2, 3, figsize=(12, 7), sharey="row", layout="constrained")
    for (axis, task), points in lines.items():
        sizes, seconds, megabytes = zip(*sorted(points), strict=True)
        column = grid[:, list(AXES).index(axis)]
        style = {"marker": "o", "color": f"C{list(TASKS).index(task)}", "label": TASKS[task]}
        column[0].loglog(sizes, seconds, **style)
        if task != "step":
            column[1].loglog(sizes, megabytes, **style)
        if axis == "window":  # less than two decades: label each size
            for axes in column:
                axes.set_xticks(sizes, sizes)
                axes.set_xticks([], minor=True)
    for row in grid:
        bottom, top = row[0].get_ylim()
        for axes in row:
            start, end = axes.get_xlim()
            guide = [bottom, bottom * end / start]
            axes.plot([start, end], guide, "--", color="gray", label="slope 1")
            axes.set(xlim=(start, end), ylim=(bottom, top))
            axes.grid(alpha=0.3)
    for axes, words in zip(grid[1], AXES.values(), strict=True):
        axes.set_xlabel(words)
    grid[0, 0].set_ylabel("seconds")
    grid[1, 0].set_ylabel("MB beyond the panel at the peak")
    handles = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles[label] = handle
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)


# ---------------------------------------------------------------------------------- README


def fill(text, texts):
    """Replace the texts between the markers of a page."""
    for name, new in texts.items():
        before, marker, after = text.partition(f"<!-- {name} -->\n")
        if marker:
            text = "".join([before, marker, new, "\n", *after.partition("<!-- end -->")[1:]])
    return text


def write(results, folder):
    """Write the tables and plots of the README."""
    page = folder / "README.md"
    page.write_text(fill(page.read_text(), sections(results)))
    if "growth" in results:
        plot_growth(results["growth"]["cases"], folder / "growth.png")


if __name__ == "__main__":
    here = Path(__file__).parent
    write(json.loads((here / "results.json").read_text()), here)
