"""The guides: their code blocks, links and figures."""

import json
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Decisions quote code that was rejected, and test_mistakes.py makes the mistakes.
OTHERS = {"decisions.md", "mistakes.md"}
# Pages for users of other packages. The blocks of those are fenced as py, and not run.
COMING_FROM = sorted(set(DOCS.glob("coming_from/*.md")) - {DOCS / "coming_from" / "index.md"})
GUIDES = sorted(
    str(page.relative_to(DOCS))
    for page in [*DOCS.glob("*.md"), *COMING_FROM]
    if "```python\n" in page.read_text() and page.name not in OTHERS
)
# The blocks of all other guides train for long.
FAST_GUIDES = ["panels.md", "windows.md"]
# The blocks of these guides continue their first one.
CONTINUED_GUIDES = ["clients.md", "scaling.md"]
# Each block of these guides continues all blocks before it.
JOINED_GUIDES = ["inspection.md", "start.md"]


def blocks_of(guide):
    """Return the code blocks of a guide, each with what it continues."""
    first, *rest = re.findall(r"```python\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    if guide in JOINED_GUIDES:
        return ["\n".join([first, *rest])]
    return [first, *(first + block if guide in CONTINUED_GUIDES else block for block in rest)]


BLOCKS = [
    pytest.param(
        guide,
        block,
        id=f"{guide}-{number}",
        marks=[] if guide in FAST_GUIDES else [pytest.mark.slow],
    )
    for guide in GUIDES
    for number, block in enumerate(blocks_of(guide))
]
# Pages of the site alone: its start, its lists of pages, and pages of other folders.
SITE_PAGES = {
    *("README.md", "index.md", "guide.md", "more.md", "api.md"),
    *("changes.md", "contributing.md", "results_accuracy.md", "results_speed.md"),
}
# Other packages, which have deprecations of their own.
CLIENTS = ["distributed", "imblearn", "mapie", "optuna", "shap", "skops", "skore", "skrub"]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGES.md", "SECURITY.md")),
    *sorted(DOCS.glob("*.md")),
    *sorted(DOCS.glob("coming_from/*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]


def test_every_page_with_a_block_is_run():
    assert {"panels.md", "scaling.md"} < set(GUIDES)
    assert set(FAST_GUIDES) < set(GUIDES)
    assert {str(page.relative_to(DOCS)) for page in COMING_FROM} <= set(GUIDES)


@pytest.mark.parametrize(("guide", "block"), BLOCKS)
def test_block_runs_as_pasted(guide, block, capsys, tmp_path, monkeypatch):
    clients = [name for name in CLIENTS if re.search(rf"^(import|from) {name}\b", block, re.M)]
    for name in clients:
        pytest.importorskip(name)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
    if "set_callbacks" in block:
        pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, guide, "exec"), {})
    printed = capsys.readouterr().out
    assert printed
    if guide.startswith("coming_from/"):
        claimed = re.findall(r"^print\(.*\)  # ([\d.]+)$", block, re.M)
        # Other processors round differently, and training amplifies the difference.
        assert list(map(float, printed.split())) == pytest.approx(
            list(map(float, claimed)), rel=0.15
        )


def test_clients_are_counted():
    guide = (DOCS / "clients.md").read_text()
    counts = Counter()
    for row in guide.splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        for verdict in ("works", "[recipe]", "cannot"):
            if row.startswith("|") and cells[-2].startswith(verdict):
                # A cell may name several clients.
                counts[verdict] += max(1, cells[-3].count("`") // 2)
    works, recipe, cannot = (counts[verdict] for verdict in ("works", "[recipe]", "cannot"))
    sentence = f"Of {counts.total()} clients, {works} work as they are, {recipe} by a recipe below"
    assert f"{sentence}, and {cannot} cannot work" in guide
    assert 10 * cannot <= counts.total()


def test_index_names_every_page():
    index = (DOCS / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name in SITE_PAGES or f"]({page.name})" in index
    others = (DOCS / "coming_from" / "index.md").read_text()
    assert all(f"]({page.name})" in others for page in COMING_FROM)


def anchor(heading):
    """Make the anchor of a heading, as code hosts do."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, part = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if part:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert part in map(anchor, headings), target


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_figures_are_of_clean_commits(page):
    assert "-dirty" not in page.read_text()


def test_speed_guide_has_the_figures_of_the_benchmark():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    guide = (DOCS / "speed.md").read_text()
    for shape, case in results["epoch"]["cases"].items():
        row = next(row for row in guide.split("\n") if f"{shape} |" in row)
        for peer in ("sklstm", "keras_recipe", "torch_loop"):
            assert f"{np.median(case[peer]['seconds']):.2f} s" in row
    for name, case in results["forecast"]["cases"].items():
        row = next(row for row in guide.split("\n") if row.startswith(f"| {name} |"))
        ours, peer = case["sklstm"], case["neuralforecast"]
        assert (
            f"| {np.median(ours['seconds']):.2f} s, MASE {ours['figures']['MASE'][0]:.3g} |" in row
        )
        assert (
            f"| {np.median(peer['seconds']):.0f} s, MASE {peer['figures']['MASE'][0]:.3g} |" in row
        )
